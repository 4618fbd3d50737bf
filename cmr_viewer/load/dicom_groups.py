"""Which DICOM files make one stack, over all series of a study, and which stack is the short-axis cine."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cmr_viewer.load.base_end import TO_APEX
from cmr_viewer.load.dicom_headers import Header

SAME_PLACE_MM = 0.5
"""Slices nearer to each other than this along the normal are at one position."""

_SAME_DIRECTION = 0.01
_SAME_SPACING_MM = 0.001
_ACROSS_THE_HEART = 0.65

Slices = list[list[Header]]
"""Files by position along the normal, ascending."""


@dataclass(frozen=True, eq=False)
class Group:
    """Files that may make one stack.

    Attributes:
        slices: Files by position along the normal, ascending.
        replaced: How many slices there were at a position that is taken by another.
    """

    slices: Slices
    replaced: int = 0

    @property
    def headers(self) -> list[Header]:
        """All files."""
        return [header for files in self.slices for header in files]

    @property
    def text(self) -> str:
        """The group in words: its description, slices x phases."""
        first = self.slices[0][0]
        phases = max(len(files) for files in self.slices)
        return f"{first.description or 'series ' + str(first.series_number)} ({len(self.slices)} x {phases})"


def group_headers(headers: list[Header]) -> list[Group]:
    """Make stacks of files.

    Files of one study, kind, matrix, spacing and plane belong together: those of one series, completed by other
    series that fit, since some scanners export one series per slice.

    Returns:
        The stacks, the one that is most likely the short-axis cine first.
    """
    planes: list[list[Header]] = []
    for header in headers:
        for plane in planes:
            if _same_plane(plane[0], header):
                plane.append(header)
                break
        else:
            planes.append([header])
    groups = []
    for plane in planes:
        by_series: dict[str, list[Header]] = {}
        for header in plane:
            by_series.setdefault(header.series_uid, []).append(header)
        left = [by_position(files) for files in by_series.values()]
        left.sort(key=lambda slices: (len(slices), _recency(slices)), reverse=True)
        while left:
            group, left = _join(left)
            groups.append(group)
    return sorted(groups, key=_suitability, reverse=True)


def _same_plane(one: Header, other: Header) -> bool:
    """Whether two files can be of one stack; orientations are compared with some room for rounding in the files."""
    same = (one.study_uid, one.kind, one.rows, one.cols) == (other.study_uid, other.kind, other.rows, other.cols)
    return (
        same
        and max(abs(a - b) for a, b in zip(one.orientation, other.orientation, strict=True)) < _SAME_DIRECTION
        and max(abs(a - b) for a, b in zip(one.spacing, other.spacing, strict=True)) < _SAME_SPACING_MM
    )


def _along(header: Header) -> float:
    o = np.asarray(header.orientation)
    return float(np.cross(o[:3], o[3:]) @ np.asarray(header.position))


def by_position(headers: list[Header]) -> Slices:
    """Put files of one plane together by their position along the normal, ascending."""
    placed = sorted(((_along(header), header) for header in headers), key=lambda pair: pair[0])
    slices: Slices = []
    start = -np.inf
    for place, header in placed:
        if place - start > SAME_PLACE_MM:
            slices.append([])
            start = place
        slices[-1].append(header)
    return slices


def _recency(slices: Sequence[Sequence[Header]]) -> tuple[float, int, int]:
    return max((h.acquired_at or 0.0, h.series_number, h.instance_number) for files in slices for h in files)


def _join(series: list[Slices]) -> tuple[Group, list[Slices]]:
    """Join the first series with those that fit it; gives the stack and the series that are left.

    A series fits if it has as many phases, give or take a quarter, and either is a single slice of the same
    description or lies for the most part where the stack has no slices yet. Of two slices at one position the later
    is taken.
    """
    first, left = series[0], []
    by_place = {_along(files[0]): files for files in first}
    phases = _usual_phases(first)
    replaced = 0
    for other in series[1:]:
        taken = {index: place for index, files in enumerate(other) if (place := _nearest(by_place, files)) is not None}
        repeats_one = len(other) == 1 and _words(other) == _words(first)
        fits = abs(_usual_phases(other) - phases) <= 0.25 * phases
        if not fits or not (repeats_one or 2 * len(taken) < len(other)):
            left.append(other)
            continue
        for index, files in enumerate(other):
            if index not in taken:
                by_place[_along(files[0])] = files
                continue
            replaced += 1
            if _recency([files]) > _recency([by_place[taken[index]]]):
                by_place[taken[index]] = files
    return Group([by_place[place] for place in sorted(by_place)], replaced), left


def _usual_phases(slices: Slices) -> float:
    return float(np.median([len(files) for files in slices]))


def _nearest(places: dict[float, list[Header]], files: list[Header]) -> float | None:
    """The place of a stack at which a slice lies, or None."""
    here = _along(files[0])
    return next((place for place in places if abs(place - here) <= SAME_PLACE_MM), None)


def _words(slices: Slices) -> str:
    """The description without numbers: `SAX cine 3` and `SAX cine 4` are slices of one stack."""
    return re.sub(r"[\W\d_]+", " ", slices[0][0].description).strip().lower()


def _suitability(group: Group) -> tuple[bool, bool, int, tuple[float, int, int]]:
    """What the short-axis cine has most of, compared in this order.

    Several slices and phases; a plane across the long axis of the heart; many frames; a late time of acquisition.
    """
    first = group.slices[0][0]
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    across = abs(float(normal @ np.asarray(TO_APEX))) / float(np.linalg.norm(TO_APEX)) > _ACROSS_THE_HEART
    cine = len(group.slices) >= 2 and max(len(files) for files in group.slices) >= 2
    return cine, across, len(group.headers), _recency(group.slices)
