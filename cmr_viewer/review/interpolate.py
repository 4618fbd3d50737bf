"""Label maps between corrected ones: of slices along the long axis, of phases around the cardiac cycle.

Shape-based: of each outline the signed distance to its edge is mixed, and the outline runs where the mixture is zero,
so that a disc between two discs has a radius between theirs. Before they are mixed, each is moved to where its middle
is to be, so that a structure that wanders does not shrink on its way.

Source:
    S. P. Raya, J. K. Udupa. "Shape-based interpolation of multidimensional objects." IEEE Trans Med Imaging
    9(1):32-42, 1990. The moving of the middles: A. Goshtasby, D. A. Turner, L. V. Ackerman. "Matching of tomographic
    slices for interpolation." IEEE Trans Med Imaging 11(4):507-516, 1992.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask, box_around
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.outlines import Spacing, has_closed_ring, outer, outline_mask
from cmr_viewer.review.shape import signed_distance_mm

_MARGIN = 3


def between(first: LabelMap, second: LabelMap, share: float, spacing_mm: Spacing) -> LabelMap:
    """The label map some way from one to another.

    A structure that only one of them has shrinks evenly to nothing on the way to the other. The ring is closed where it
    is in both.

    Args:
        first: (row, col) label map.
        second: (row, col) label map of the same shape.
        share: How far from the first to the second, 0.0 to 1.0; at the ends the label map itself.
        spacing_mm: (row, col) pixel spacing.

    Raises:
        LabelMapError: The shapes differ, or the share is outside 0 to 1.
    """
    if first.shape != second.shape:
        raise LabelMapError(
            f"Could not interpolate between label maps of shapes {first.shape} and {second.shape}: the shapes differ."
        )
    if not 0.0 <= share <= 1.0:
        raise LabelMapError(f"The position between two label maps must be 0 to 1, not {share}.")
    if share in (0.0, 1.0):
        return (second if share else first).copy()
    result = np.zeros_like(first)
    box = box_around((first > 0) | (second > 0), _MARGIN)
    one, other = first[box], second[box]
    masks = {
        each: _mixed(outline_mask(one, each), outline_mask(other, each), share, spacing_mm)
        for each in (Label.RVBP, Label.LVM, Label.LVBP)
    }
    if has_closed_ring(first) and has_closed_ring(second):
        masks[Label.LVM] |= outer(masks[Label.LVBP])
    for each, mask in masks.items():  # from the outside to the inside
        result[box][mask] = int(each)
    return result


def interpolate_slices(
    corrected: Mapping[int, LabelMap], positions_mm: Sequence[float], spacing_mm: Spacing
) -> dict[int, LabelMap]:
    """Label maps of the slices between corrected ones, by where they lie.

    Args:
        corrected: (row, col) label map by slice.
        positions_mm: Of every slice, along the normal of the slices; strictly rising or falling.
        spacing_mm: (row, col) pixel spacing.

    Returns:
        Label map by slice, of the slices that have corrected ones on both sides.

    Raises:
        LabelMapError: Fewer than two slices are corrected.
    """
    if len(corrected) < 2:
        raise LabelMapError("Interpolation needs two corrected slices. Correct or accept another slice of this phase.")
    known = sorted(corrected)
    found = {}
    for low, high in pairwise(known):
        for each in range(low + 1, high):
            share = (positions_mm[each] - positions_mm[low]) / (positions_mm[high] - positions_mm[low])
            found[each] = between(corrected[low], corrected[high], share, spacing_mm)
    return found


def interpolate_phases(
    corrected: Mapping[int, LabelMap], times_ms: Sequence[float], cycle_ms: float, spacing_mm: Spacing
) -> dict[int, LabelMap]:
    """Label maps of the phases between corrected ones; after the last phase comes the first.

    Args:
        corrected: (row, col) label map by phase.
        times_ms: Of every phase, rising; any unit.
        cycle_ms: After what time the cycle begins again, in the same unit; more than the last time is after the first.
        spacing_mm: (row, col) pixel spacing.

    Returns:
        Label map by phase, of all phases that are not corrected.

    Raises:
        LabelMapError: Fewer than two phases are corrected, or the cycle ends before its last phase.
    """
    if len(corrected) < 2:
        raise LabelMapError("Interpolation needs two corrected phases. Correct or accept another phase of this slice.")
    if cycle_ms <= times_ms[-1] - times_ms[0]:
        raise LabelMapError(
            f"A cycle of {cycle_ms:g} ms is shorter than the time of its last phase, {times_ms[-1]:g} ms."
        )
    known, count = sorted(corrected), len(times_ms)
    found = {}
    for low, high in zip(known, [*known[1:], known[0]], strict=True):
        whole = (times_ms[high] - times_ms[low]) % cycle_ms
        for step in range(1, (high - low - 1) % count + 1):
            each = (low + step) % count
            share = ((times_ms[each] - times_ms[low]) % cycle_ms) / whole
            found[each] = between(corrected[low], corrected[high], share, spacing_mm)
    return found


def _mixed(first: Mask, second: Mask, share: float, spacing_mm: Spacing) -> Mask:
    """Where the mixture of two masks is, each moved to the middle that is to be."""
    if not first.any() or not second.any():
        return _vanishing(first, share, spacing_mm) if first.any() else _vanishing(second, 1.0 - share, spacing_mm)
    middles = [np.argwhere(mask).mean(axis=0) for mask in (first, second)]
    to_be = (1.0 - share) * middles[0] + share * middles[1]
    fields = [
        _shifted(signed_distance_mm(mask, spacing_mm), to_be - middle)
        for mask, middle in zip((first, second), middles, strict=True)
    ]
    return np.asarray((1.0 - share) * fields[0] + share * fields[1] <= 0.0)


def _vanishing(mask: Mask, share: float, spacing_mm: Spacing) -> Mask:
    """A mask on its way to nothing: evenly eroded, gone at a share of 1."""
    if not mask.any():
        return mask
    field = signed_distance_mm(mask, spacing_mm)
    return np.asarray(field - share * field.min() <= 0.0)


def _shifted(field: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    if not by.any():
        return field
    return np.asarray(ndimage.shift(field, by, order=1, mode="nearest"), dtype=np.float64)
