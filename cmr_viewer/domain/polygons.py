"""Masks and the polygons around them: the one rule by which every contour becomes pixels, and pixels become outlines.

Pixel centres are whole numbers, the first is (0, 0); x counts columns and y rows. A pixel belongs to a contour if its
centre lies inside by the even-odd rule. A centre on the outline itself belongs if the inside is to its right, or, on a
level stretch, below it: on the left and upper side. So contours that share an outline share no pixel and leave none out
between them, and no pixel counts in part.

scikit-image's `polygon2mask` gives pixels on an outline to both sides, and its `find_contours` cuts off the corners of
pixels; both are slower (docs/decisions/0021-libraries.md).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.label_map import Mask, box_around

Points = NDArray[np.float64]
"""(point, 2) x (column) and y (row) of a contour; it closes by itself."""

Corners = NDArray[np.float64]
"""(corner, 2) row and col of a closed outline; its first corner is not repeated."""

_CROSSINGS_AT_ONCE = 1 << 20

_WAYS = np.asarray([(0, -1), (1, 0), (0, 1), (-1, 0)])
"""(row, col) steps along the edges of pixels, each a turn to the left of the one before: left, down, right, up."""


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


def trace(mask: Mask) -> list[Corners]:
    """Outlines of a mask along the edges of its pixels.

    Each is walked with the mask on the left hand, holes likewise, so that the shoelace sums of an outline and of a hole
    differ in sign. Pixels that touch at a corner only have outlines of their own.

    Args:
        mask: (row, col).

    Returns:
        Closed outlines, a corner at each end of each pixel edge, so that corners lie half-way between pixel centres.
    """
    if not mask.any():
        return []
    box = box_around(mask)
    corner = np.asarray([box[0].start - 1.5, box[1].start - 1.5])
    return [corners + corner for corners in _walk(np.pad(mask[box], 1))]


def _walk(box: Mask) -> list[Corners]:
    """Walk along the edges of a padded mask; corner (r, c) is the upper left one of pixel (r, c)."""
    rows, cols = box.shape[0] + 1, box.shape[1] + 1
    leaves = np.zeros((rows, cols, 4), dtype=bool)
    above, below = box[:-1], box[1:]
    leaves[1:-1, 1:, 0] = ~above & below
    leaves[1:-1, :-1, 2] = above & ~below
    before, after = box[:, :-1], box[:, 1:]
    leaves[:-1, 1:-1, 1] = ~before & after
    leaves[1:, 1:-1, 3] = before & ~after
    edges = np.flatnonzero(leaves)
    number = np.empty(leaves.size, dtype=np.int64)
    number[edges] = np.arange(edges.size)
    way = edges % 4
    end = (edges // 4 + _WAYS[way, 0] * cols + _WAYS[way, 1]) * 4
    there = leaves.ravel()
    # Where two pixels touch at a corner, the turn to the left stays with the same pixel.
    turn = np.where(there[end + (way + 1) % 4], 1, np.where(there[end + way], 0, 3))
    following = number[end + (way + turn) % 4].tolist()
    starts = np.stack(np.divmod(edges // 4, cols), axis=1).astype(np.float64)
    found, seen = [], bytearray(edges.size)
    for first in range(edges.size):
        if seen[first]:
            continue
        line, at = [], first
        while not seen[at]:
            seen[at] = 1
            line.append(at)
            at = following[at]
        found.append(starts[line])
    return found
