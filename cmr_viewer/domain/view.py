"""Long-axis cines, and where the slices of a stack cross them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.errors import GeometryError

Segment = tuple[tuple[float, float], tuple[float, float]]
"""Two (row, col) points of a frame; pixel centres are whole numbers."""

_NEARLY_PARALLEL = 0.1
"""Sine of the angle between two planes under which their line of intersection says nothing."""


@dataclass(frozen=True, eq=False)
class LongAxisView:
    """A cine of one plane along the long axis of the heart.

    Attributes:
        pixels: (phase, row, col), any real dtype; not to be written to.
        geometry: Grid of the plane: a single slice.
        description: The series description, for a reader.
        phase_times_ms: Time of each phase after the R wave, or None where the files do not tell.
    """

    pixels: NDArray[Any]
    geometry: Geometry
    description: str = ""
    phase_times_ms: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        g = self.geometry
        if self.pixels.ndim != 3 or self.pixels.shape[1:] != (g.rows, g.cols) or g.slices != 1 or not len(self.pixels):
            raise GeometryError(f"Pixels of shape {self.pixels.shape} do not fit one plane of {g.rows} x {g.cols}.")

    @property
    def phases(self) -> int:
        """Number of phases."""
        return int(self.pixels.shape[0])


def slice_line(view: Geometry, stack: Geometry, slice_index: int) -> Segment | None:
    """Where a slice crosses a long-axis plane, cut to the frame of the view.

    Args:
        view: Grid of the long-axis plane.
        stack: Grid of the stack.
        slice_index: The slice; its plane is taken as endless.

    Returns:
        The ends of the line in the view, or None where the planes are nearly parallel or the line misses the frame.
    """
    normal = stack.normal
    if float(np.linalg.norm(np.cross(normal, view.normal))) < _NEARLY_PARALLEL:
        return None
    # A pixel (row, col) of the view lies on the slice where row * a + col * b = c.
    a = float(normal @ np.asarray(view.col_direction)) * view.pixel_spacing_mm[0]
    b = float(normal @ np.asarray(view.row_direction)) * view.pixel_spacing_mm[1]
    c = float(normal @ (np.asarray(stack.positions_mm[slice_index]) - np.asarray(view.positions_mm[0])))
    low, high_row, high_col = -0.5, view.rows - 0.5, view.cols - 0.5
    ends = []
    if abs(b) > 1e-9:
        ends += [(row, (c - row * a) / b) for row in (low, high_row)]
    if abs(a) > 1e-9:
        ends += [((c - col * b) / a, col) for col in (low, high_col)]
    room = 1e-6
    inside = [(r, k) for r, k in ends if low - room <= r <= high_row + room and low - room <= k <= high_col + room]
    if len(inside) < 2:
        return None
    first = inside[0]
    last = max(inside, key=lambda end: (end[0] - first[0]) ** 2 + (end[1] - first[1]) ** 2)
    return (first, last) if first != last else None
