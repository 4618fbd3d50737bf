"""From a frame to a network's grid and back.

Both ways are separable: a weight matrix for the rows and one for the columns, so that a frame is brought to the grid by
two small matrix products, and the two directions share one definition of where each pixel centre is. scipy's
`affine_transform` does not average where the grid is coarser, and is slower.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.errors import GeometryError

ASSUMED_PIXEL_SPACING_MM = 1.3
"""In-plane spacing taken where a file's own is not true; the middle of the 0.98 to 1.5 mm that M&Ms vendor A has."""


@dataclass(frozen=True)
class Grid:
    """The grid that a network works on: square pixels around a centre.

    Attributes:
        spacing_mm: Distance of grid points, the same in rows and columns.
        rows: Number of rows.
        cols: Number of columns.
    """

    spacing_mm: float
    rows: int
    cols: int

    def placed_on(self, geometry: Geometry, centre: tuple[float, float]) -> "Placement":
        """The grid on the frames of a stack, around a (row, col) in pixels."""
        return Placement(self, (geometry.rows, geometry.cols), working_spacing_mm(geometry), centre)


@dataclass(frozen=True)
class Placement:
    """Where a grid lies on a frame.

    Attributes:
        grid: The grid.
        frame_shape: (rows, cols) of the frame.
        pixel_spacing_mm: (row, col) of the frame.
        centre: (row, col) of the frame, in pixels, where the grid's centre lies.
    """

    grid: Grid
    frame_shape: tuple[int, int]
    pixel_spacing_mm: tuple[float, float]
    centre: tuple[float, float]

    def to_grid(self, frame: NDArray[Any]) -> NDArray[np.float32]:
        """Bring a frame onto the grid, linear between pixels, averaging where the grid is coarser; 0 outside.

        Args:
            frame: (row, col), any real dtype, of `frame_shape`.

        Returns:
            (grid row, grid col) float32.
        """
        if frame.shape != self.frame_shape:
            raise GeometryError(f"A frame of shape {frame.shape} does not fit a placement for {self.frame_shape}.")
        rows, cols = self._forward()
        return np.asarray(rows @ np.asarray(frame, dtype=np.float32) @ cols.T, dtype=np.float32)

    def coverage(self) -> NDArray[np.float32]:
        """How much of each grid point lies on the frame, (grid row, grid col), 0.0 to 1.0."""
        rows, cols = self._forward()
        return np.asarray(np.outer(rows.sum(axis=1), cols.sum(axis=1)), dtype=np.float32)

    def labels_to_grid(self, labels: LabelMap) -> LabelMap:
        """Bring a label map onto the grid: at each point the label with the largest share; background outside."""
        return _argmax_of_shares(labels, *self._forward())

    def probabilities_to_frame(self, probabilities: NDArray[np.float32]) -> LabelMap:
        """Bring probabilities on the grid back to the frame's own pixels as a label map.

        Args:
            probabilities: (label, grid row, grid col) with background first.

        Returns:
            (row, col) label map of `frame_shape`: at each pixel the most probable label after linear interpolation of
            the probabilities; background where the grid does not reach.
        """
        return np.asarray(np.argmax(self.on_frame(probabilities), axis=0), dtype=np.uint8)

    def on_frame(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring (channel, grid row, grid col) to the frame's own pixels, linear between grid points; 0 outside."""
        rows, cols = self._backward()
        return np.asarray(rows @ np.asarray(channels, dtype=np.float32) @ cols.T, dtype=np.float32)

    def _steps(self) -> tuple[float, float]:
        spacing = self.grid.spacing_mm
        return spacing / self.pixel_spacing_mm[0], spacing / self.pixel_spacing_mm[1]

    def _forward(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        step_row, step_col = self._steps()
        start_row = self.centre[0] - step_row * (self.grid.rows - 1) / 2
        start_col = self.centre[1] - step_col * (self.grid.cols - 1) / 2
        return (
            axis_weights(self.frame_shape[0], self.grid.rows, start_row, step_row),
            axis_weights(self.frame_shape[1], self.grid.cols, start_col, step_col),
        )

    def _backward(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        step_row, step_col = self._steps()
        start_row = (self.grid.rows - 1) / 2 - self.centre[0] / step_row
        start_col = (self.grid.cols - 1) / 2 - self.centre[1] / step_col
        return (
            axis_weights(self.grid.rows, self.frame_shape[0], start_row, 1 / step_row),
            axis_weights(self.grid.cols, self.frame_shape[1], start_col, 1 / step_col),
        )


def _argmax_of_shares(labels: LabelMap, rows: NDArray[np.float32], cols: NDArray[np.float32]) -> LabelMap:
    shares = np.stack([rows @ (labels == code).astype(np.float32) @ cols.T for code in range(4)])
    return np.asarray(np.argmax(shares, axis=0), dtype=np.uint8)


@lru_cache(maxsize=256)
def axis_weights(source_count: int, target_count: int, start: float, step: float) -> NDArray[np.float32]:
    """Weights that bring one axis from `source_count` to `target_count` samples.

    Args:
        source_count: Samples at 0, 1, 2, ...
        target_count: Samples at `start`, `start + step`, ... in the source's index.
        start: Where the first target sample lies.
        step: Distance of target samples, > 0. Above 1 the triangle of linear interpolation widens with it, so that what
            is left out is averaged and not skipped; a plane then stays the same to within a tenth of a source sample.

    Returns:
        (target, source) float32, not to be written to. A row adds up to 1 inside the source, and to 0 farther than half
        a sample outside it.
    """
    if step <= 0:
        raise GeometryError(f"The step of a grid must be positive, not {step}.")
    at = start + step * np.arange(target_count)
    width = max(step, 1.0)
    nearest = np.clip(at, 0, source_count - 1)
    weights = np.maximum(0.0, 1.0 - np.abs(nearest[:, None] - np.arange(source_count)[None, :]) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    weights[(at < -0.5) | (at > source_count - 0.5)] = 0.0
    result: NDArray[np.float32] = weights.astype(np.float32)
    result.setflags(write=False)
    return result


def working_spacing_mm(geometry: Geometry) -> tuple[float, float]:
    """(row, col) pixel spacing to prepare a stack with: the true one, or the assumed one where none is known."""
    if geometry.spacing_known:
        return geometry.pixel_spacing_mm
    return (ASSUMED_PIXEL_SPACING_MM, ASSUMED_PIXEL_SPACING_MM)


def frame_centre(rows: int, cols: int) -> tuple[float, float]:
    """(row, col) of the middle of a frame, in pixels."""
    return ((rows - 1) / 2, (cols - 1) / 2)


def centre_of_labels(labels: LabelMap) -> tuple[float, float] | None:
    """Mean (row, col) of all labelled pixels of (..., row, col), or None where there is no label."""
    at = np.nonzero(labels)
    if not at[0].size:
        return None
    return float(at[-2].mean()), float(at[-1].mean())
