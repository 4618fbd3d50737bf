"""Brush, ball, eraser and copy, as patches that can be undone.

Points are (row, col) in pixels, centres of pixels are whole numbers. Nothing here changes a label map until
`Patch.apply` is called.

A ball paints a disc into each slice that it reaches. It is as wide in the frame as the round brush with the same radius
in pixels. Through the slices its radius in mm counts, which follows from that in the frame by the mean pixel spacing.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.change import Patch
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap, Point, box_around
from cmr_viewer.errors import LabelMapError

_FARTHEST = 1e6
"""Pixels; a point farther away is an error of the caller."""

_TOLERANCE = 1e-9
"""Square pixels; so that a centre exactly on the rim counts as inside whatever the rounding."""


def paint_line(
    labels: LabelMap,
    from_point: Point,
    to_point: Point,
    radius_px: float,
    label: Label,
) -> Patch:
    """Paint what a disc covers that is moved along a straight line.

    A pixel is painted if its centre lies within `radius_px` of the line from `from_point` to `to_point`, rim included;
    and the pixels under the two points are painted however small the disc is. So a line has no gaps at a radius of 0.5
    or more.

    Args:
        labels: (row, col) label map; not changed.
        from_point: Where the line begins; may be outside the frame.
        to_point: Where it ends.
        radius_px: Radius of the disc, > 0.
        label: What is painted; BACKGROUND erases.

    Returns:
        The change, cut to the pixels that change; empty if none does.

    Raises:
        LabelMapError: The radius is not positive, or a number is not finite or beyond a million.
    """
    numbers = (*from_point, *to_point, radius_px)
    if not all(abs(number) <= _FARTHEST for number in numbers) or radius_px <= 0:
        raise LabelMapError(
            f"A stroke from {from_point} to {to_point} with radius {radius_px} is not possible. Use a positive radius."
        )
    reach = max(radius_px, 0.5)
    row0, row1 = _span(from_point[0], to_point[0], reach, labels.shape[0])
    col0, col1 = _span(from_point[1], to_point[1], reach, labels.shape[1])
    if row0 >= row1 or col0 >= col1:
        return _empty()
    covered = _covered((row0, row1, col0, col1), from_point, to_point, radius_px)
    before = labels[row0:row1, col0:col1]
    covered &= before != int(label)
    return _cut(row0, col0, before, covered, np.where(covered, np.uint8(label), before))


def clear_label(labels: LabelMap, label: Label) -> Patch:
    """The change that makes a label background."""
    found = np.asarray(labels == int(label))
    return _cut(0, 0, labels, found, np.where(found, np.uint8(Label.BACKGROUND), labels))


def patch_between(before: LabelMap, after: LabelMap) -> Patch:
    """The change from one label map to another of the same shape, such as all of a stroke; empty if they are alike.

    Raises:
        LabelMapError: The shapes differ.
    """
    if before.shape != after.shape:
        raise LabelMapError(
            f"Could not copy a label map of shape {after.shape} to one of shape {before.shape}: the shapes differ."
        )
    return _cut(0, 0, before, after != before, after)


def _span(first: float, second: float, reach: float, size: int) -> tuple[int, int]:
    """Pixels along one axis that a disc can reach: first, and one after the last."""
    low = math.floor(min(first, second) - reach)
    high = math.ceil(max(first, second) + reach) + 1
    return min(max(low, 0), size), max(min(high, size), 0)


def _covered(box: tuple[int, int, int, int], from_point: Point, to_point: Point, radius_px: float) -> NDArray[np.bool_]:
    row0, row1, col0, col1 = box
    rows = np.arange(row0, row1, dtype=np.float64)[:, None] - from_point[0]
    cols = np.arange(col0, col1, dtype=np.float64)[None, :] - from_point[1]
    along_row, along_col = to_point[0] - from_point[0], to_point[1] - from_point[1]
    length2 = along_row**2 + along_col**2
    if length2 > 0:
        share = np.clip((rows * along_row + cols * along_col) / length2, 0.0, 1.0)
        distance2 = (rows - share * along_row) ** 2 + (cols - share * along_col) ** 2
    else:
        distance2 = rows**2 + cols**2
    covered: NDArray[np.bool_] = distance2 <= radius_px**2 + _TOLERANCE
    for point in (from_point, to_point):
        row, col = math.floor(point[0] + 0.5), math.floor(point[1] + 0.5)
        if row0 <= row < row1 and col0 <= col < col1:
            covered[row - row0, col - col0] = True
    return covered


def _cut(row0: int, col0: int, before: LabelMap, changed: NDArray[np.bool_], after: LabelMap) -> Patch:
    """A patch of the smallest box that holds all that changes, with copies of its own."""
    if not changed.any():
        return _empty()
    box = box_around(changed)
    parts = [np.array(part[box], dtype=np.uint8, order="C") for part in (before, after)]
    for part in parts:
        part.flags.writeable = False
    return Patch(row0 + box[0].start, col0 + box[1].start, parts[0], parts[1])


def _empty() -> Patch:
    nothing = np.zeros((0, 0), dtype=np.uint8)
    return Patch(0, 0, nothing, nothing)


class Disc:
    """What a ball cuts out of one slice.

    Attributes:
        shift: (row, col) in pixels from a point of the ball's own slice to the point beneath it in this one.
        radius_px: Radius of the disc.
    """

    __slots__ = ("radius_px", "shift")

    def __init__(self, shift: Point, radius_px: float) -> None:
        self.shift = shift
        self.radius_px = radius_px

    def paint(
        self,
        labels: LabelMap,
        from_point: Point,
        to_point: Point,
        label: Label,
    ) -> Patch:
        """Paint what the ball covers of this slice while its middle is moved along a line; see `paint_line`.

        Args:
            labels: (row, col) label map of this slice; not changed.
            from_point: Where the middle begins, (row, col) in the ball's own slice.
            to_point: Where it ends.
            label: What is painted; BACKGROUND erases.
        """
        start, end = ((point[0] + self.shift[0], point[1] + self.shift[1]) for point in (from_point, to_point))
        return paint_line(labels, start, end, self.radius_px, label)


def discs_of_ball(geometry: Geometry, slice_index: int, radius_px: float) -> dict[int, Disc]:
    """Which slices a ball reaches, and the disc that it cuts out of each.

    At a distance d from the middle, along the normal of the slices, a ball of radius R leaves a disc of radius
    sqrt(R^2 - d^2). A slice that it only touches gets nothing.

    Args:
        geometry: Grid of the stack.
        slice_index: Slice that the middle of the ball lies in.
        radius_px: Radius of the ball in pixels of the frame, > 0.

    Returns:
        A disc by slice; always one for `slice_index` itself.

    Raises:
        LabelMapError: The radius is not positive, or the slice is not in the stack.
        GeometryError: The directions of the stack are parallel.
    """
    if not radius_px > 0 or not 0 <= slice_index < geometry.slices:
        raise LabelMapError(
            f"A ball of radius {radius_px} in slice {slice_index + 1} of {geometry.slices} is not possible. "
            "Use a positive radius and a slice of the stack."
        )
    pixel_mm = math.sqrt(geometry.pixel_spacing_mm[0] * geometry.pixel_spacing_mm[1])
    offsets = np.asarray(geometry.positions_mm, dtype=np.float64)[slice_index] - np.asarray(geometry.positions_mm)
    away_mm = offsets @ geometry.normal
    rows = offsets @ np.asarray(geometry.col_direction) / geometry.pixel_spacing_mm[0]
    cols = offsets @ np.asarray(geometry.row_direction) / geometry.pixel_spacing_mm[1]
    discs = {}
    for each in range(geometry.slices):
        left = (radius_px * pixel_mm) ** 2 - float(away_mm[each]) ** 2
        if each == slice_index:
            discs[each] = Disc((0.0, 0.0), radius_px)
        elif left > 1e-9:
            discs[each] = Disc((float(rows[each]), float(cols[each])), math.sqrt(left) / pixel_mm)
    return discs
