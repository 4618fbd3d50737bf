"""How the frames of a stack lie in the axes of a volume file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FileAxes:
    """Which axes of a file are the columns, rows and slices of its frames; frames and voxels are exact inverses.

    Attributes:
        col: Axis of the file along which the column of a frame counts.
        row: Axis along which its row counts.
        across: Axis along which the slices lie.
        cols_reversed: Whether column 0 is the last of its axis.
        rows_reversed: Whether row 0 is the last of its axis.
        empty: Slices of the file, ascending, that stand for missing ones: no frames are made of them.
    """

    col: int = 0
    row: int = 1
    across: int = 2
    cols_reversed: bool = False
    rows_reversed: bool = False
    empty: tuple[int, ...] = ()

    def frames_of(self, voxels: NDArray[Any]) -> NDArray[Any]:
        """(i, j, k, t) of a file to (phase, slice, row, col), slices in the file's order, without the empty ones."""
        frames = voxels.transpose(3, self.across, self.row, self.col)[:, self.held(voxels.shape[self.across])]
        return np.ascontiguousarray(self._turned(frames))

    def voxels_of(self, frames: NDArray[Any]) -> NDArray[Any]:
        """(phase, slice, row, col), slices in the file's order, to (i, j, k, t); the empty ones hold 0."""
        turned = self._turned(frames)
        if self.empty:
            count = frames.shape[1] + len(self.empty)
            turned = np.zeros((frames.shape[0], count, *frames.shape[2:]), frames.dtype)
            turned[:, self.held(count)] = self._turned(frames)
        return turned.transpose(np.argsort((3, self.across, self.row, self.col)))

    def held(self, count: int) -> list[int]:
        """Slices that frames are made of, of a file of so many."""
        return [k for k in range(count) if k not in self.empty]

    def grid_of(self, affine: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """(4, 4) matrix of (col, row, slice) to the places that an affine gives to voxels (i, j, k).

        Args:
            affine: (4, 4) voxel-to-world matrix of the file.
            shape: (i, j, k, ...) of the file.
        """
        grid = np.asarray(affine, dtype=np.float64)[:, [self.col, self.row, self.across, 3]]
        for column, axis, is_reversed in ((0, self.col, self.cols_reversed), (1, self.row, self.rows_reversed)):
            if is_reversed:
                grid[:, 3] += grid[:, column] * (shape[axis] - 1)
                grid[:, column] *= -1
        return grid

    def _turned(self, frames: NDArray[Any]) -> NDArray[Any]:
        frames = frames[:, :, ::-1] if self.rows_reversed else frames
        return frames[..., ::-1] if self.cols_reversed else frames


THIRD_ACROSS = FileAxes()
"""Voxel (i, j, k) is column i and row j of slice k."""
