"""A label map as smooth fields, one for each of its three outlines, that can be moved and mixed by parts of a pixel.

Of each outline - LV endocardium, LV epicardium, RV endocardium - the signed distance to it is kept, negative inside;
the outline runs where the field is zero. Epicardium and endocardium are moved by the same motion, so that the ring of
myocardium between them goes along whole; `labels_of` closes what pixels are too coarse for.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.review.contours import Spacing, outer, outline_mask
from cmr_viewer.review.shape import signed_distance_mm

Fields = NDArray[np.float32]
"""(outline, row, col) signed distance to an outline in mm, in the order of `OUTLINES`; `ABSENT` all over without it."""

Motion = NDArray[np.float32]
"""(2, row, col) where a point of the target came from: x was at x + motion, in pixels down and to the right."""

OUTLINES: tuple[Label, ...] = (Label.LVBP, Label.LVM, Label.RVBP)
"""Labels by the outlines that they stand for: endocardium, epicardium, RV endocardium."""

ABSENT = 1e4
"""Distance where a label map has no such outline; farther than any frame is wide, in mm."""


def fields_of(labels: LabelMap, spacing_mm: Spacing) -> Fields:
    """Fields of a (row, col) label map."""
    fields = np.full((len(OUTLINES), *labels.shape), ABSENT, dtype=np.float32)
    for field, label in zip(fields, OUTLINES, strict=True):
        mask = outline_mask(labels, label)
        if mask.any() and (label is not Label.LVM or (labels == int(Label.LVM)).any()):
            field[...] = signed_distance_mm(mask, spacing_mm)
    return fields


def labels_of(fields: Fields, *, closed: bool) -> LabelMap:
    """The label map that fields stand for.

    The LV goes before the RV, and the blood pool before the myocardium.

    Args:
        fields: Fields.
        closed: Whether the ring of myocardium is closed; then blood pool has myocardium or blood pool on all four
            sides, however the fields were moved.
    """
    endo, epi, rv = (field <= 0.0 for field in fields)
    whole = epi | outer(endo) if closed else epi
    result = np.zeros(fields.shape[1:], dtype=np.uint8)
    for mask, label in ((rv, Label.RVBP), (whole, Label.LVM), (endo, Label.LVBP)):
        result[mask] = int(label)
    return result


def moved(fields: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
    """Fields, or anything (channel, row, col), as they are once a motion has carried them; linear between pixels."""
    rows, cols = np.indices(motion.shape[1:], dtype=np.float32)
    at = np.stack([rows + motion[0], cols + motion[1]])
    return np.stack([ndimage.map_coordinates(field, at, order=1, mode="nearest") for field in fields])


def chained(first: Motion, then: Motion) -> Motion:
    """One motion for two that follow each other: from the source to a frame, and from there to the target."""
    return np.asarray(then + moved(first, then), dtype=np.float32)


def mixed(fields: Sequence[Fields], weights: Sequence[float]) -> Fields:
    """Weighted mean of fields, outline by outline.

    An outline that some of them lack is there if those that have it weigh half or more together, and is theirs alone.

    Args:
        fields: One or more, of the same shape.
        weights: One for each, >= 0, adding up to more than 0.
    """
    share = np.asarray(weights, dtype=np.float64) / sum(weights)
    result = np.full_like(fields[0], ABSENT)
    for number in range(len(OUTLINES)):
        there = np.array([float(each[number].min()) < 0.0 for each in fields]) * share
        if there.sum() >= 0.5:
            mean = sum(weight * each[number] for weight, each in zip(there / there.sum(), fields, strict=True))
            result[number] = np.asarray(mean, dtype=np.float32)
    return result
