"""Checks of a frame's label map by itself, with findings in words. They are hints for a reader and change nothing.

Checks that need other frames are in `stack_checks`. docs/review.md states how often experts' own label maps fail each
check.

Source:
    Schulz-Menger et al. 2020, Standardized image interpretation and post-processing in cardiovascular magnetic
    resonance, J Cardiovasc Magn Reson 22:19 ("SCMR" below).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.label_map import LabelMap, box_around
from cmr_viewer.domain.study import FrameIndex

BASE_RING_FRACTION = 0.5
"""A basal slice counts as left ventricle where myocardium surrounds at least half of the blood pool. SCMR, section on
LV volumes. A project may set another share."""

HOLE_PIXELS = 12
"""A gap between the two ventricles counts as a hole from this many pixels: where the ventricles touch twice, experts
leave smaller gaps."""

_TOUCHING = np.ones((3, 3), dtype=np.bool_)


class Check(StrEnum):
    """The subject of a finding."""

    OPEN_RING = "open_ring"
    BASE_RING = "base_ring"
    ISLANDS = "islands"
    HOLES = "holes"
    NO_RV = "no_rv"
    NON_CARDIAC_LABELS = "non_cardiac_labels"
    SMALLER_AT_ED = "smaller_at_ed"
    SLICE_JUMP = "slice_jump"
    PHASE_JUMP = "phase_jump"
    MASS = "mass"
    STROKE_VOLUMES = "stroke_volumes"
    REGION_ORDER = "region_order"
    ES_BY_LOST_POOL = "es_by_lost_pool"


@dataclass(frozen=True)
class Finding:
    """One finding to review.

    Attributes:
        frame: The frame.
        text: The finding, in words.
        check: The check that found it.
        is_note: Whether it is for information only, and nothing is wrong by itself.
        pixels: The number of pixels by which the frame fails; 0 where that is not defined.
    """

    frame: FrameIndex
    text: str
    check: Check
    is_note: bool = False
    pixels: int = 0

    @property
    def goes_first(self) -> bool:
        """Whether to review it before all others: the ES phase, and so every measure, depends on it."""
        return self.check is Check.ES_BY_LOST_POOL


def check_frames(labels: Mapping[FrameIndex, LabelMap], regions: Mapping[FrameIndex, Region]) -> list[Finding]:
    """All findings of several frames, in the order of phase and slice.

    Args:
        labels: (row, col) label map of each frame.
        regions: Region of each frame; frames without one are checked for islands and holes only.
    """
    return [finding for frame in sorted(labels) for finding in check_frame(frame, labels[frame], regions.get(frame))]


def check_frame(
    frame: FrameIndex, labels: LabelMap, region: Region | None, *, ring_fraction: float = BASE_RING_FRACTION
) -> list[Finding]:
    """All findings of one frame by itself.

    Args:
        frame: The frame.
        labels: (row, col) label map.
        region: Its region, or None where it is not known.
        ring_fraction: Share of the blood pool that myocardium surrounds in a basal slice that counts as left ventricle.
    """
    if region is Region.NON_CARDIAC:
        return _labels_outside_the_heart(frame, labels)
    labels = _labelled_part(labels)
    findings = [*_ring(frame, labels, region, ring_fraction), *_islands(frame, labels), *_holes(frame, labels)]
    if region in (Region.BASE, Region.MIDDLE):
        findings += _right_ventricle(frame, labels, region)
    return findings


def _labelled_part(labels: LabelMap) -> LabelMap:
    """The box around all labels: checks find the same in it as in the whole frame, in a tenth of the time."""
    return labels[box_around(labels > 0)] if labels.any() else labels[:0, :0]


def enclosed_fraction(labels: LabelMap) -> float | None:
    """How much of the border of the LV blood pool lies against myocardium.

    The border is all edges between a pixel of the blood pool and a pixel that is not; the edge of the frame counts as
    open.

    Args:
        labels: (row, col) label map.

    Returns:
        0.0 (no myocardium beside it) to 1.0 (closed ring); None where there is no LV blood pool.

    Source:
        SCMR, section on LV volumes: the basal slice is judged by the share of the blood pool that myocardium surrounds.
    """
    labels = _labelled_part(labels)
    cavity = np.pad(labels == int(Label.LVBP), 1)
    wall = np.pad(labels == int(Label.LVM), 1)
    border = closed = 0
    for axis in (0, 1):
        for step in (-1, 1):
            beside = np.roll(cavity, step, axis=axis)
            border += int(np.count_nonzero(beside & ~cavity))
            closed += int(np.count_nonzero(beside & wall))
    return closed / border if border else None


def _ring(frame: FrameIndex, labels: LabelMap, region: Region | None, ring_fraction: float) -> list[Finding]:
    """The blood pool of the left ventricle is enclosed by myocardium but at the base, where the outflow tract opens.

    Source:
        SCMR, section on LV volumes, for the base; elsewhere anatomy.
    """
    fraction = enclosed_fraction(labels)
    if fraction is None or region is None:
        return []
    percent = int(100 * fraction)  # rounded down, so that only a closed ring is called 100 %
    if region is Region.BASE:
        enough = fraction >= ring_fraction
        verdict = (
            "so the slice counts as left ventricle" if enough else "too little for the slice to count as left ventricle"
        )
        text = (
            f"Myocardium surrounds {percent} % of the LV blood pool, {verdict} (at least {100 * ring_fraction:.0f} %)."
        )
        pixels = 0 if enough else int((labels == int(Label.LVBP)).sum())
        return [Finding(frame, text, Check.BASE_RING, is_note=enough, pixels=pixels)]
    if fraction == 1.0:
        return []
    text = f"The myocardium is not closed: it surrounds {percent} % of the LV blood pool."
    return [Finding(frame, text, Check.OPEN_RING)]


def _islands(frame: FrameIndex, labels: LabelMap) -> list[Finding]:
    """A structure is in one piece, pixels that touch at a corner included.

    Source:
        Isensee et al. 2018 and most ACDC entries: all but the largest connected component are dropped.
    """
    findings = []
    for label in STRUCTURES:
        pieces, count = _pieces(labels == int(label), touching_corners=True)
        if count > 1:
            sizes = sorted(np.bincount(pieces.ravel())[1:].tolist(), reverse=True)
            rest = ", ".join(str(size) for size in sizes[1:4]) + (", ..." if count > 4 else "")
            text = f"{label.text} is in {count} pieces; the smaller ones have {rest} pixels."
            findings.append(Finding(frame, text, Check.ISLANDS, pixels=sum(sizes[1:])))
    return findings


def _holes(frame: FrameIndex, labels: LabelMap) -> list[Finding]:
    """Labels enclose no background: none inside the left ventricle, and only a few pixels between the ventricles.

    Source:
        SCMR, section on LV volumes: the cavity inside the myocardium is blood pool (with the papillary muscles), not
        background.
    """
    left = (labels == int(Label.LVBP)) | (labels == int(Label.LVM))
    of_left = _shut_in(left)
    others, count = _pieces(_shut_in(labels != int(Label.BACKGROUND)) & ~of_left, touching_corners=False)
    sizes = np.bincount(others.ravel(), minlength=count + 1)[1:]
    of_left &= labels == int(Label.BACKGROUND)
    number = _pieces(of_left, touching_corners=False)[1] + int((sizes >= HOLE_PIXELS).sum())
    if number == 0:
        return []
    pixels = int(of_left.sum()) + int(sizes[sizes >= HOLE_PIXELS].sum())
    holes = "1 hole" if number == 1 else f"{number} holes"
    text = f"{holes} inside the heart: {pixels} pixel{'s' if pixels > 1 else ''} without a label."
    return [Finding(frame, text, Check.HOLES, pixels=pixels)]


def _shut_in(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels that a mask surrounds without including them."""
    return np.asarray(ndimage.binary_fill_holes(mask) & ~mask)


def _right_ventricle(frame: FrameIndex, labels: LabelMap, region: Region) -> list[Finding]:
    """The right ventricle is visible wherever the left one is, except at the apex; at the base this is only a note.

    Source:
        SCMR, section on RV volumes. At the base the tricuspid valve may lie below the mitral valve: experts leave the
        RV out of a third of basal frames (docs/review.md).
    """
    has_lv = bool(np.isin(labels, (int(Label.LVBP), int(Label.LVM))).any())
    if not has_lv or bool((labels == int(Label.RVBP)).any()):
        return []
    text = f"No RV blood pool, although the region is {region.text}."
    return [Finding(frame, text, Check.NO_RV, is_note=region is Region.BASE)]


def _labels_outside_the_heart(frame: FrameIndex, labels: LabelMap) -> list[Finding]:
    """A frame without the heart has no labels.

    Source:
        Mariscal-Harana et al. 2021, section 3: non-cardiac are the slices without any reference label.
    """
    pixels = int(np.count_nonzero(labels))
    if pixels == 0:
        return []
    text = f"{pixels} pixel{'s have' if pixels > 1 else ' has'} a label, although the region is Non-cardiac."
    return [Finding(frame, text, Check.NON_CARDIAC_LABELS, pixels=pixels)]


def _pieces(mask: NDArray[np.bool_], *, touching_corners: bool) -> tuple[NDArray[np.int32], int]:
    pieces, count = ndimage.label(mask, structure=_TOUCHING if touching_corners else None)
    return np.asarray(pieces, dtype=np.int32), int(count)
