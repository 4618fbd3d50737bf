"""From the grid that a stack is shown on back to the pixel grid of a source image.

The program may reverse rows or columns of a frame for display, crop a border or pad one; each frame's source states how
(`FrameSource.origin`, `FrameSource.step`). Nothing is resampled, so the way back is exact.
"""

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameSource
from cmr_viewer.errors import StoreError
from cmr_viewer.export.source_headers import SourceFrame

_WHOLE = 0.01
"""Pixels by which a place may miss a whole number."""


def to_source_grid(
    labels: LabelMap, geometry: Geometry, slice_index: int, source: FrameSource, frame: SourceFrame
) -> LabelMap:
    """Label map of a frame on the pixel grid of its source.

    Args:
        labels: (row, col) on the stack's grid.
        geometry: The stack's grid.
        slice_index: The slice, for messages.
        source: Where the frame was read from.
        frame: What the header of its file states.

    Returns:
        (row, col) on the source's grid; background where the stack does not reach.

    Raises:
        StoreError: The frame was resampled, or its header contradicts its source, or a label extends beyond the
            source.
    """
    _check_directions(geometry, slice_index, source, frame)
    shape = (frame.rows or geometry.rows, frame.cols or geometry.cols)
    if (source.origin, source.step, shape) == ((0.0, 0.0), (1.0, 1.0), labels.shape):
        return labels
    rows, cols = (_places(source, axis, labels.shape[axis], slice_index) for axis in (0, 1))
    row_in, col_in = (rows >= 0) & (rows < shape[0]), (cols >= 0) & (cols < shape[1])
    result = np.zeros(shape, dtype=np.uint8)
    result[np.ix_(rows[row_in], cols[col_in])] = labels[np.ix_(row_in, col_in)]
    if np.count_nonzero(result) != np.count_nonzero(labels):
        _refuse(slice_index, "a label extends beyond its image")
    return result


def _places(source: FrameSource, axis: int, count: int, slice_index: int) -> NDArray[np.int64]:
    """Row or column in the file of each row or column of a frame."""
    exact = source.origin[axis] + source.step[axis] * np.arange(count)
    places = np.rint(exact)
    if abs(abs(source.step[axis]) - 1.0) * count > _WHOLE or np.abs(exact - places).max() > _WHOLE:
        _refuse(slice_index, "its frames were resampled")
    return np.asarray(places, dtype=np.int64)


def _check_directions(geometry: Geometry, slice_index: int, source: FrameSource, frame: SourceFrame) -> None:
    """Raise where the header's directions are not those of the stack, reversed as the source states.

    A mirrored label map looks complete and would be wrong.
    """
    if frame.orientation is None:
        return
    row, col = (np.asarray(direction) for direction in frame.orientation)
    along_cols = float(row @ np.asarray(geometry.row_direction)) * source.step[1]
    along_rows = float(col @ np.asarray(geometry.col_direction)) * source.step[0]
    if min(along_rows, along_cols) <= 0:
        _refuse(slice_index, "its orientation is not that of its source images")


def _refuse(slice_index: int, why: str) -> NoReturn:
    raise StoreError(
        f"Could not map the label maps of slice {slice_index + 1} back to its source images: {why}. "
        "Export them as NIfTI."
    )
