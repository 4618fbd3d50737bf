"""What anatomy lets us take out of a predicted label map without looking at the image."""

import numpy as np
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask

_EIGHT = np.ones((3, 3), dtype=bool)


def largest_component(mask: Mask) -> Mask:
    """The largest 8-connected component of a (row, col) mask; the first of equals."""
    components, count = ndimage.label(mask, structure=_EIGHT)
    if count <= 1:
        return mask
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    return np.asarray(components == int(sizes.argmax()))


def clean(labels: LabelMap) -> LabelMap:
    """One left ventricle, one right ventricle, no holes inside the epicardium.

    Args:
        labels: (row, col) label map; it is not changed.

    Returns:
        A new label map: the left ventricle (blood pool and myocardium together) and the right blood pool each reduced
        to the largest component; background that the left ventricle encloses becomes blood pool.
    """
    left = largest_component((labels == Label.LVBP) | (labels == Label.LVM))
    right = largest_component(labels == Label.RVBP)
    result = np.where(left | right, labels, 0).astype(np.uint8)
    holes = ndimage.binary_fill_holes(left) & ~left & (result == Label.BACKGROUND)
    result[holes] = Label.LVBP
    return result
