"""What looks wrong in a frame's label map, in words. Hints for a reader; nothing is changed.

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
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex

BASE_RING_FRACTION = 0.5
"""A basal slice counts as left ventricle where myocardium surrounds at least half of the blood pool. SCMR, section on
LV volumes."""

_TOUCHING = np.ones((3, 3), dtype=np.bool_)


class Check(StrEnum):
    """What a finding is about."""

    OPEN_RING = "open_ring"
    BASE_RING = "base_ring"
    ISLANDS = "islands"
    HOLES = "holes"
    NO_RV = "no_rv"
    NON_CARDIAC_LABELS = "non_cardiac_labels"


@dataclass(frozen=True)
class Finding:
    """One thing to look at.

    Attributes:
        frame: The frame.
        text: What, in words.
        check: Which check it comes from.
        is_note: Whether it only tells, and nothing is wrong by itself.
    """

    frame: FrameIndex
    text: str
    check: Check
    is_note: bool = False


def check_frames(labels: Mapping[FrameIndex, LabelMap], regions: Mapping[FrameIndex, Region]) -> list[Finding]:
    """All findings of several frames, in the order of phase and slice.

    Args:
        labels: (row, col) label map of each frame.
        regions: Region of each frame; frames without one are checked for islands and holes only.
    """
    return [finding for frame in sorted(labels) for finding in check_frame(frame, labels[frame], regions.get(frame))]


def check_frame(frame: FrameIndex, labels: LabelMap, region: Region | None) -> list[Finding]:
    """All findings of one frame.

    Args:
        frame: The frame.
        labels: (row, col) label map.
        region: Its region, or None where it is not known.
    """
    if region is Region.NON_CARDIAC:
        return _labels_outside_the_heart(frame, labels)
    findings = [*_ring(frame, labels, region), *_islands(frame, labels), *_holes(frame, labels)]
    if region in (Region.BASE, Region.MIDDLE):
        findings += _right_ventricle(frame, labels, region)
    return findings


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
    cavity = np.pad(labels == int(Label.LVBP), 1)
    wall = np.pad(labels == int(Label.LVM), 1)
    border = closed = 0
    for axis in (0, 1):
        for step in (-1, 1):
            beside = np.roll(cavity, step, axis=axis)
            border += int(np.count_nonzero(beside & ~cavity))
            closed += int(np.count_nonzero(beside & wall))
    return closed / border if border else None


def _ring(frame: FrameIndex, labels: LabelMap, region: Region | None) -> list[Finding]:
    """The blood pool of the left ventricle is enclosed by myocardium but at the base, where the outflow tract opens.

    Source:
        SCMR, section on LV volumes, for the base; elsewhere anatomy.
    """
    fraction = enclosed_fraction(labels)
    if fraction is None or region is None:
        return []
    percent = int(100 * fraction)  # rounded down, so that only a closed ring is called 100 %
    if region is Region.BASE:
        enough = fraction >= BASE_RING_FRACTION
        verdict = "so it counts as left ventricle" if enough else "too little to count as left ventricle"
        text = f"Myocardium surrounds {percent} % of the LV blood pool, {verdict} (at least 50 %)."
        return [Finding(frame, text, Check.BASE_RING, is_note=enough)]
    if fraction == 1.0:
        return []
    text = f"The myocardium is open: it surrounds {percent} % of the LV blood pool."
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
            text = f"{label.text} is in {count} pieces; besides the largest: {rest} pixels."
            findings.append(Finding(frame, text, Check.ISLANDS))
    return findings


def _holes(frame: FrameIndex, labels: LabelMap) -> list[Finding]:
    """No background is shut in by labels.

    Source:
        SCMR, section on LV volumes: the cavity inside the myocardium is blood pool (with the papillary muscles), not
        background.
    """
    pieces, _ = _pieces(labels == int(Label.BACKGROUND), touching_corners=False)
    rim = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    inside = np.setdiff1d(np.unique(pieces), np.append(rim, 0))
    if inside.size == 0:
        return []
    pixels = int(np.isin(pieces, inside).sum())
    number = "1 hole" if inside.size == 1 else f"{inside.size} holes"
    text = f"{number} of {pixels} pixel{'s' if pixels > 1 else ''} without a label inside the heart."
    return [Finding(frame, text, Check.HOLES)]


def _right_ventricle(frame: FrameIndex, labels: LabelMap, region: Region) -> list[Finding]:
    """The right ventricle is seen wherever the left one is, but for the apex.

    Source:
        SCMR, section on RV volumes.
    """
    has_lv = bool(np.isin(labels, (int(Label.LVBP), int(Label.LVM))).any())
    if not has_lv or bool((labels == int(Label.RVBP)).any()):
        return []
    return [Finding(frame, f"No RV blood pool, although the region is {region.text}.", Check.NO_RV)]


def _labels_outside_the_heart(frame: FrameIndex, labels: LabelMap) -> list[Finding]:
    """A frame without the heart has no labels.

    Source:
        Mariscal-Harana et al. 2021, section 3: non-cardiac are the slices without any reference label.
    """
    pixels = int(np.count_nonzero(labels))
    if pixels == 0:
        return []
    text = f"{pixels} pixel{'s have' if pixels > 1 else ' has'} a label, although the region is Non-cardiac."
    return [Finding(frame, text, Check.NON_CARDIAC_LABELS)]


def _pieces(mask: NDArray[np.bool_], *, touching_corners: bool) -> tuple[NDArray[np.int32], int]:
    pieces, count = ndimage.label(mask, structure=_TOUCHING if touching_corners else None)
    return np.asarray(pieces, dtype=np.int32), int(count)
