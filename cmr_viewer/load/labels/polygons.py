"""Which pixels lie inside a contour: the one rule by which every contour becomes a label map.

Pixel centres are whole numbers, the first is (0, 0); x counts columns and y rows. A pixel belongs to a contour if its
centre lies inside by the even-odd rule. A centre on the outline itself belongs if the inside is to its right, or, on a
level stretch, below it: on the left and upper side. So contours that share an outline share no pixel and leave none out
between them, and no pixel counts in part.

All contours of one label in one frame are taken together: what lies inside two of them is outside (a hole), parts
beside one another add up. Labels are painted in the order RVBP, LVM, LVBP: the myocardium is what the epicardium
encloses less what the endocardium does, and the right ventricle is what the left one leaves.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask
from cmr_viewer.errors import LabelMapError

Points = NDArray[np.float64]
"""(point, 2) x (column) and y (row) of a contour; it closes by itself."""

FARTHEST = 1e6
"""Coordinates beyond this many pixels belong to no frame."""

MOST_POINTS = 4_000_000
"""A contour of more points than this is refused."""

_PAINTED = (Label.RVBP, Label.LVM, Label.LVBP)
_CROSSINGS_AT_ONCE = 1 << 20


def fill_polygon(points: Points, shape: tuple[int, int]) -> Mask:
    """Pixels inside one contour.

    Args:
        points: (point, 2) x and y, finite.
        shape: (rows, cols) of the result; what is outside it is cut off.
    """
    return fill_polygons([points], shape)


def fill_polygons(contours: Sequence[Points], shape: tuple[int, int]) -> Mask:
    """Pixels inside an odd number of contours.

    Args:
        contours: Each (point, 2) x and y, finite.
        shape: (rows, cols) of the result; what is outside it is cut off.
    """
    rows, cols = shape
    # Each crossing of a row turns inside into outside, or back, from its column on.
    turns = np.zeros(rows * (cols + 1), dtype=np.int64)
    for points in contours:
        for at_row, at_col in _crossings(points, rows):
            place = at_row * (cols + 1) + np.clip(at_col, 0, cols).astype(np.int64)
            turns += np.bincount(place, minlength=turns.size)
    return np.asarray(np.cumsum(turns.reshape(rows, cols + 1), axis=1)[:, :cols] % 2 == 1)


def _crossings(points: Points, rows: int) -> "list[tuple[NDArray[np.int64], NDArray[np.float64]]]":
    """Where edges cross the rows of a frame: rows, and for each the first column at or right of the crossing."""
    start, end = points, np.roll(points, -1, axis=0)
    first = np.clip(np.ceil(np.minimum(start[:, 1], end[:, 1])), 0, rows).astype(np.int64)
    count = np.clip(np.ceil(np.maximum(start[:, 1], end[:, 1])), 0, rows).astype(np.int64) - first
    crossing = np.flatnonzero(count)
    before = np.cumsum(count[crossing])
    found = []
    for part in np.split(crossing, np.flatnonzero(np.diff(before // _CROSSINGS_AT_ONCE)) + 1):
        edge = np.repeat(part, count[part])
        at_row = np.arange(edge.size) - np.repeat(np.cumsum(count[part]) - count[part], count[part]) + first[edge]
        (x0, y0), (x1, y1) = start[edge].T, end[edge].T
        found.append((at_row, np.ceil(x0 + (at_row - y0) * (x1 - x0) / (y1 - y0))))
    return found


def checked_points(values: NDArray[np.float64], what: str) -> Points:
    """The points of a contour, if they can be one.

    Args:
        values: (point, 2) x and y in pixels.
        what: What the contour is called in messages.

    Raises:
        LabelMapError: Fewer than three points, values that are no numbers, or farther off than any frame reaches.
    """
    if values.ndim != 2 or values.shape[1:] != (2,) or len(values) < 3:
        raise LabelMapError(f"{what} holds {len(values)} points; a contour needs at least three.")
    if len(values) > MOST_POINTS:
        raise LabelMapError(f"{what} holds {len(values)} points, more than any reader draws.")
    if not np.isfinite(values).all():
        raise LabelMapError(f"{what} holds points that are no numbers.")
    if np.abs(values).max() > FARTHEST:
        raise LabelMapError(f"{what} lies far outside of any frame.")
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
