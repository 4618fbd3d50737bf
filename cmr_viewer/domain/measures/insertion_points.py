"""Where the right ventricle meets the left: the anterior and inferior insertion points of a slice.

Segments of the myocardium are counted from them. They are found on label maps and can be moved by a reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry, is_oblique
from cmr_viewer.domain.label_map import LabelMap, Point
from cmr_viewer.domain.measures.wall import RAYS, LvOutline, lv_outline, ray_angles, sample

REACH_PIXELS = 2.0
"""The RV blood pool touches the epicardium where it is within so many pixels of it."""

LARGEST_GAP_DEG = 45
"""A gap in the contact that is no larger than this lies within the septum: towards the apex the RV is pixels thin."""

LEAST_CONTACT_DEG = 25
"""Less contact than this does not give two insertion points."""

NARROW_DEG = 60
"""Contact narrower than this, at the tip of the RV or where it is cut at its valve, does not show where the septum is,
and slices with wider contact go before it."""


class InsertionOrigin(StrEnum):
    """How insertion points came about."""

    FOUND = "found"
    NEIGHBOUR = "neighbour"
    READER = "reader"

    @property
    def text(self) -> str:
        """The words shown to a reader."""
        return {
            "found": "automatic, from the label map",
            "neighbour": "copied from the nearest slice with insertion points",
            "reader": "set by the reader",
        }[self.value]


@dataclass(frozen=True)
class InsertionPoints:
    """Insertion points of one slice at one phase.

    Attributes:
        anterior: (row, col) on the epicardium.
        inferior: (row, col) on the epicardium.
        from_apex: Whether the frame is seen from the apex, as is usual: then anterior, septum and inferior follow one
            another against the clock.
        origin: How they came about.
    """

    anterior: Point
    inferior: Point
    from_apex: bool = True
    origin: InsertionOrigin = InsertionOrigin.FOUND

    def moved(self, *, anterior: Point | None = None, inferior: Point | None = None) -> "InsertionPoints":
        """With one or both set by a reader."""
        return replace(
            self,
            anterior=self.anterior if anterior is None else anterior,
            inferior=self.inferior if inferior is None else inferior,
            origin=InsertionOrigin.READER,
        )


def seen_from_apex(geometry: Geometry) -> bool:
    """Whether row x column points from the apex to the base, as of frames seen from the apex.

    Where it is not known (a single slice, or an orientation that no short-axis slice has and that files write which
    lost their own), frames are taken to be as everybody looks at them: from the apex.

    Source:
        SCMR post-processing guidelines, Schulz-Menger et al. 2020, for how short-axis frames are looked at; the cross
        product of row and column direction points away from who looks at a frame.
    """
    if geometry.slices < 2 or not is_oblique(geometry.normal):
        return True
    to_base = np.asarray(geometry.positions_mm[0]) - np.asarray(geometry.positions_mm[-1])
    return float(geometry.normal @ to_base) >= 0.0


def find_insertion_points(
    labels: LabelMap, pixel_spacing_mm: tuple[float, float], *, from_apex: bool = True
) -> InsertionPoints | None:
    """Insertion points of a slice: the ends of the longest stretch of epicardium that the RV blood pool touches.

    Gaps of up to `LARGEST_GAP_DEG` in the stretch are passed over. Seen from the apex, the septum follows the anterior
    insertion against the clock, however the frame is turned in its plane; so which of the two ends is which needs no
    direction of the patient.

    Args:
        labels: (row, col) of one frame.
        pixel_spacing_mm: (row, col), > 0.
        from_apex: See `seen_from_apex`.

    Returns:
        The points, or None where there is no ring of myocardium, or the RV touches less than `LEAST_CONTACT_DEG` of it.
    """
    outline = lv_outline(labels, pixel_spacing_mm)
    if outline is None:
        return None
    stretch = _longest_stretch(_touched(labels, outline))
    if stretch is None:
        return None
    first, last = (ray * 2.0 * np.pi / RAYS for ray in stretch)
    # Angles grow with the clock: against the clock, the stretch begins at its last ray.
    anterior, inferior = (last, first) if from_apex else (first, last)
    return InsertionPoints(outline.on_epicardium(anterior), outline.on_epicardium(inferior), from_apex)


def insertion_points_of_slices(
    labels: LabelMap,
    pixel_spacing_mm: tuple[float, float],
    *,
    from_apex: bool = True,
    by_reader: Mapping[int, InsertionPoints] | None = None,
) -> dict[int, InsertionPoints]:
    """Insertion points of all slices of a phase that have a ring of myocardium.

    Args:
        labels: (slice, row, col) of one phase.
        pixel_spacing_mm: (row, col), > 0.
        from_apex: See `seen_from_apex`.
        by_reader: By slice: points that a reader set; they are used as they are, and for neighbours too.

    Returns:
        By slice. Where the RV does not touch the LV, or by less than `NARROW_DEG`, the angles of the nearest slice that
        has points, the more basal one of two as near; empty where no slice has any. Where no slice has wider contact,
        narrow ones are used.
    """
    outlines = {i: o for i in range(labels.shape[0]) if (o := lv_outline(labels[i], pixel_spacing_mm)) is not None}
    known: dict[int, InsertionPoints] = {}
    narrow: dict[int, InsertionPoints] = {}
    for index, outline in outlines.items():
        set_by_hand = (by_reader or {}).get(index)
        points = set_by_hand or find_insertion_points(labels[index], pixel_spacing_mm, from_apex=from_apex)
        if points is not None:
            is_wide = set_by_hand is not None or _septum_deg(points, outline) >= NARROW_DEG
            (known if is_wide else narrow)[index] = points
    known = known or narrow
    result = {}
    for index, outline in outlines.items():
        if index in known:
            result[index] = known[index]
        elif known:
            nearest = min(known, key=lambda other: (abs(other - index), other))
            result[index] = _carried_over(known[nearest], outlines[nearest], outline)
    return result


def _septum_deg(points: InsertionPoints, outline: LvOutline) -> float:
    """Angle from insertion to insertion across the septum."""
    turn = outline.angle_of(points.anterior) - outline.angle_of(points.inferior)
    return float(np.rad2deg((turn if points.from_apex else -turn) % (2.0 * np.pi)))


def _carried_over(points: InsertionPoints, theirs: LvOutline, outline: LvOutline) -> InsertionPoints:
    return InsertionPoints(
        outline.on_epicardium(theirs.angle_of(points.anterior)),
        outline.on_epicardium(theirs.angle_of(points.inferior)),
        points.from_apex,
        InsertionOrigin.NEIGHBOUR,
    )


def _touched(labels: LabelMap, outline: LvOutline) -> NDArray[np.bool_]:
    """(ray,) whether the RV blood pool lies just outside of the epicardium."""
    spacing = outline.pixel_spacing_mm
    out = np.linspace(0.0, REACH_PIXELS, 9) * min(spacing)
    angles = ray_angles()
    reach = outline.epi_mm[:, None] + out
    rows = outline.centre[0] + np.sin(angles)[:, None] * reach / spacing[0]
    cols = outline.centre[1] + np.cos(angles)[:, None] * reach / spacing[1]
    touched = (sample(labels == Label.RVBP, rows, cols) >= 0.5).any(axis=1)
    return np.asarray(touched & outline.has_wall)


def _longest_stretch(touched: NDArray[np.bool_]) -> tuple[int, int] | None:
    """First and last ray of the longest stretch, with small gaps closed; the last may be beyond a full turn."""
    at = np.flatnonzero(touched)
    if not at.size:
        return None
    per_degree = RAYS / 360.0
    steps = np.diff(np.append(at, at[0] + RAYS))
    breaks = np.flatnonzero(steps > LARGEST_GAP_DEG * per_degree)
    if not breaks.size:
        return None
    stretches: Sequence[tuple[int, int]] = [
        (int(at[(begin + 1) % at.size]), int(at[end])) for begin, end in zip(breaks, np.roll(breaks, -1), strict=True)
    ]
    whole = [(first, last if last >= first else last + RAYS) for first, last in stretches]
    longest = max(whole, key=lambda stretch: stretch[1] - stretch[0])
    return longest if longest[1] - longest[0] >= LEAST_CONTACT_DEG * per_degree else None
