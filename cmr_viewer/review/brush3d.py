"""A brush that is a ball: it paints a disc into each slice that it reaches.

The ball is as wide in the frame as the round brush with the same radius in pixels. Through the slices its radius in mm
counts, which that of the frame follows from by the mean pixel spacing.
"""

import math
from collections.abc import Set

import numpy as np

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.change import Patch
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.edit import Point, paint_line


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
        *,
        only_over: Set[Label] | None = None,
    ) -> Patch:
        """Paint what the ball covers of this slice while its middle is moved along a line; see `edit.paint_line`.

        Args:
            labels: (row, col) label map of this slice; not changed.
            from_point: Where the middle begins, (row, col) in the ball's own slice.
            to_point: Where it ends.
            label: What is painted; BACKGROUND erases.
            only_over: Labels that may be painted over; None for all.
        """
        start, end = ((point[0] + self.shift[0], point[1] + self.shift[1]) for point in (from_point, to_point))
        return paint_line(labels, start, end, self.radius_px, label, only_over=only_over)


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
