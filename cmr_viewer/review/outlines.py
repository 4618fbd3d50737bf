"""The three outlines of a label map, and the change of one of them.

For a reader a frame has three closed curves: the LV endocardium, which bounds the LV blood pool; the LV epicardium,
which bounds blood pool and myocardium together; and the RV endocardium. A correction changes one of these outlines. The
rules for the pixels around it are defined here once, and all tools use them:

* The moved outline takes precedence over the others, but nothing covers the LV blood pool, and it covers no RV.
* Pixels that an outline loses go to the nearest structure, so that no gap opens.
* A ring of myocardium that is closed stays closed, by at least a pixel, where the endocardium, the epicardium or the RV
  is moved.

All functions return new label maps and do not change their arguments.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask, box_around, mask_of

Spacing = tuple[float, float]
"""(row, col) distance of pixel centres in mm, > 0. DICOM (0028,0030)."""


def outline_mask(labels: LabelMap, label: Label) -> Mask:
    """What the outline of a label encloses: the epicardium, of LVM, blood pool and myocardium together.

    Args:
        labels: (row, col) label map.
        label: LVBP, LVM or RVBP.
    """
    if label is Label.LVM:
        return np.asarray((labels == int(Label.LVBP)) | (labels == int(Label.LVM)))
    return mask_of(labels, label)


def has_closed_ring(labels: LabelMap) -> bool:
    """Whether there is an LV blood pool, and each of its pixels has blood pool or myocardium on all four sides.

    The edge of the frame counts as open, as in `checks.enclosed_fraction`.
    """
    cavity = mask_of(labels, Label.LVBP)
    return bool(cavity.any()) and not bool((cavity & ~inner(outline_mask(labels, Label.LVM))).any())


def with_outline(labels: LabelMap, label: Label, wanted: Mask) -> LabelMap:
    """A label map in which one outline takes another course, by the rules at the head of this module.

    Args:
        labels: (row, col) label map.
        label: Whose outline: LVBP for the endocardium, LVM for the epicardium, RVBP.
        wanted: (row, col) what the outline is to enclose.

    Returns:
        A new label map; the outline is where it was wanted, but where the rules forbid it.
    """
    closed = has_closed_ring(labels)
    cavity = mask_of(labels, Label.LVBP)
    if label is Label.LVBP:
        mine = wanted & ~mask_of(labels, Label.RVBP)
        if closed:
            mine &= inner(outline_mask(labels, Label.LVM))
        return _moved(labels, Label.LVBP, mine, (Label.LVM, Label.BACKGROUND))
    if label is Label.LVM:
        whole = wanted | (outer(cavity) if closed else cavity)
        return _moved(labels, Label.LVM, whole & ~cavity, (Label.BACKGROUND, Label.RVBP))
    mine = wanted & ~(outer(cavity) if closed else cavity)
    return _moved(labels, Label.RVBP, mine, (Label.BACKGROUND, Label.LVM))


def _moved(labels: LabelMap, label: Label, mine: Mask, heirs: Sequence[Label]) -> LabelMap:
    """Give a label exactly the pixels `mine`; what it had elsewhere goes to the nearest of the heirs."""
    before = mask_of(labels, label)
    result = labels.copy()
    given_up = before & ~mine
    if given_up.any():
        result[given_up] = nearest_label(labels, heirs, given_up)
    result[mine] = int(label)
    return result


def nearest_label(labels: LabelMap, among: Sequence[Label], where: Mask) -> LabelMap:
    """The label that lies nearest to each of some pixels.

    Args:
        labels: (row, col) label map.
        among: Labels that come into question; the first of them where the label map has none.
        where: (row, col) the pixels.

    Returns:
        One label for each pixel of `where`, in its order.
    """
    box = box_around((labels > 0) | where, 1)  # beyond it is background only, and farther than that inside
    part, inside = labels[box], where[box]
    candidates = np.isin(part, [int(one) for one in among])
    if not candidates.any():
        return np.full(int(where.sum()), int(among[0]), dtype=np.uint8)
    rows, cols = ndimage.distance_transform_edt(~candidates, return_distances=False, return_indices=True)
    return np.asarray(part[rows[inside], cols[inside]], dtype=np.uint8)


def inner(mask: Mask) -> Mask:
    """Pixels of a mask that have the mask on all four sides; the edge of the frame does not."""
    return np.asarray(ndimage.binary_erosion(mask, border_value=0))


def outer(mask: Mask) -> Mask:
    """A mask with the pixels at its four sides."""
    return np.asarray(ndimage.binary_dilation(mask))
