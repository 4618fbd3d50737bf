"""Which pixels the contours of a frame enclose: the one rule that turns contours of other programs into a label map.

`domain.polygons` decides which pixels one contour encloses.

All contours of one label in one frame count together: what is inside two of them is outside (a hole), separate parts
add up. Labels are painted in the order RVBP, LVM, LVBP: the myocardium is what the epicardium
encloses less what the endocardium does, and the right ventricle is what the left one leaves.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.notes import counted
from cmr_viewer.domain.polygons import Points, fill_polygons
from cmr_viewer.errors import LabelMapError

FARTHEST = 1e6
"""Coordinates beyond this many pixels belong to no frame."""

MOST_POINTS = 4_000_000
"""A contour of more points than this is refused."""

_PAINTED = (Label.RVBP, Label.LVM, Label.LVBP)


def checked_points(values: NDArray[np.float64], what: str) -> Points:
    """The points of a contour, once checked.

    Args:
        values: (point, 2) x and y in pixels.
        what: What the contour is called in messages.

    Raises:
        LabelMapError: Fewer than three points, values that are no numbers, or farther off than any frame reaches.
    """
    if values.ndim != 2 or values.shape[1:] != (2,) or len(values) < 3:
        raise LabelMapError(f"{what} has {counted(len(values), 'point')}; it needs at least three.")
    if len(values) > MOST_POINTS:
        raise LabelMapError(f"{what} has {len(values)} points, more than any reader draws.")
    if not np.isfinite(values).all():
        raise LabelMapError(f"{what} has points that are not numbers.")
    if np.abs(values).max() > FARTHEST:
        raise LabelMapError(f"{what} is far outside any frame.")
    return np.asarray(values, dtype=np.float64)


def paint(contours: Mapping[Label, Sequence[Points]], shape: tuple[int, int]) -> LabelMap:
    """Label map of one frame from its contours.

    Args:
        contours: Per label, the contours that enclose it; LVM is enclosed by the epicardium.
        shape: (rows, cols).

    Returns:
        (row, col) label map.
    """
    labels = np.zeros(shape, dtype=np.uint8)
    for label in _PAINTED:
        if label in contours:
            labels[fill_polygons(contours[label], shape)] = int(label)
    return labels
