"""A label volume of another file on the grid of a stack, pixel by pixel; nothing is resampled."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.errors import LabelMapError

_OFF_AXIS = 0.02
"""How far a step of one pixel may miss a whole step of the other grid, in pixels; leaves room for rounded cosines."""

_OFF_CENTRE = 0.25
"""How far a pixel centre may lie from one of the other grid, in pixels, for both to be the same pixel."""

IN_PLANE_MM = 1.0
"""Points that name no image may lie this far from the plane of its slice, or half a slice if less."""

Affine = NDArray[np.float64]
"""(4, 4) voxel (i, j, k) to patient matrix, LPS, mm."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Labels of some slices of a stack.

    Attributes:
        frames: (t, slice, row, col) on the grid of the stack; 0 where the volume does not reach.
        covered: (slice,) which slices the volume reaches.
        off_mm: How far its slices lie from those of the stack, at most.
    """

    frames: NDArray[np.int64]
    covered: NDArray[np.bool_]
    off_mm: float = 0.0


def place(voxels: NDArray[np.int64], affine: Affine, geometry: Geometry, name: str) -> Placed:
    """Put a volume onto the grid of a stack by where both lie in the patient.

    Args:
        voxels: (i, j, k, t); axes may run in any order and direction against those of the stack, and the volume may
            be larger or smaller.
        affine: Of the voxels.
        geometry: The stack's.
        name: The file's name, for messages.

    Raises:
        LabelMapError: The pixels of the two grids do not coincide, or they have no slice in common.
    """
    inverse = _inverse(affine, name)
    spacing = geometry.pixel_spacing_mm
    steps = inverse[:3, :3] @ np.stack(
        [np.asarray(geometry.col_direction) * spacing[0], np.asarray(geometry.row_direction) * spacing[1]], axis=1
    )
    axes = np.rint(steps)
    last_step = np.array([geometry.rows - 1, geometry.cols - 1])
    drift = np.abs(steps - axes) * last_step
    if (np.abs(steps - axes) > _OFF_AXIS).any() or drift.max() > 1.0 or not (np.abs(axes).sum(axis=0) == 1).all():
        raise LabelMapError(_other_grid(name))
    shape = np.asarray(voxels.shape[:3])
    frames = np.zeros((voxels.shape[3], geometry.slices, geometry.rows, geometry.cols), dtype=np.int64)
    covered = np.zeros(geometry.slices, dtype=bool)
    in_plane = np.abs(axes).sum(axis=1) > 0
    across = int(np.flatnonzero(~in_plane)[0]) if np.count_nonzero(~in_plane) == 1 else -1
    if across < 0:
        raise LabelMapError(_other_grid(name))
    off = 0.0
    for index, position in enumerate(geometry.positions_mm):
        # The middle of the frame is compared, so that rounded directions count as little as they can.
        middle = steps @ (last_step / 2) + inverse[:3, :3] @ np.asarray(position) + inverse[:3, 3]
        start = middle - axes @ (last_step / 2)
        whole = np.rint(start)
        # Slices lie far apart and files round their positions: half a slice is the next slice's.
        room = np.where(in_plane, _OFF_CENTRE, 0.4)
        if not 0 <= whole[across] < shape[across]:
            continue
        if (np.abs(start - whole) > room).any():
            raise LabelMapError(_other_grid(name))
        frames[:, index] = _plane(voxels, whole.astype(int), axes.astype(int), (geometry.rows, geometry.cols))
        covered[index] = True
        off = max(off, float(abs(start[across] - whole[across])))
    if not covered.any():
        raise LabelMapError(f"{name} does not overlap the slices of this study in the patient. {_HINT}")
    return Placed(frames, covered, off * float(np.linalg.norm(affine[:3, across])))


_HINT = "Open the study that it was made for, or export it on the grid of the images."


def _other_grid(name: str) -> str:
    return f"The grid of {name} differs from that of the images: the pixels do not coincide. {_HINT}"


def _inverse(affine: Affine, name: str) -> Affine:
    if np.isfinite(affine).all() and abs(float(np.linalg.det(affine[:3, :3]))) > 1e-9:
        return np.asarray(np.linalg.inv(affine), dtype=np.float64)
    raise LabelMapError(f"{name} does not state its position in the patient. {_HINT}")


def _plane(
    voxels: NDArray[np.int64], start: NDArray[np.int64], axes: NDArray[np.int64], size: tuple[int, int]
) -> NDArray[np.int64]:
    """(t, row, col) plane of a volume that begins at a voxel and steps along two axes; 0 beyond the volume."""
    index = (
        start[:, None, None] + axes[:, :1, None] * np.arange(size[0])[:, None] + axes[:, 1:, None] * np.arange(size[1])
    )
    shape = np.asarray(voxels.shape[:3])[:, None, None]
    inside = ((index >= 0) & (index < shape)).all(axis=0)
    i, j, k = np.where(inside, index, 0)
    plane = voxels[i, j, k]
    return np.asarray(np.where(inside[..., None], plane, 0).transpose(2, 0, 1), dtype=np.int64)


def slice_in_plane(points_mm: NDArray[np.float64], geometry: Geometry) -> int | None:
    """The slice in whose plane points of the patient, (point, 3) in mm, lie; or None."""
    if not len(points_mm) or not np.isfinite(points_mm).all():
        return None
    places = np.asarray(geometry.positions_mm) @ geometry.normal
    along = points_mm @ geometry.normal
    index = int(np.abs(places - np.median(along)).argmin())
    room = IN_PLANE_MM
    if geometry.slices > 1:
        room = min(room, float(np.sort(np.abs(places - places[index]))[1]) / 2)
    return index if float(np.abs(along - places[index]).max()) <= room else None


def in_pixels(points_mm: NDArray[np.float64], geometry: Geometry, slice_index: int) -> NDArray[np.float64]:
    """Points in the patient, (point, 3), as x (column) and y (row) of a slice; pixel centres are whole numbers from 0.

    They are put into the plane of the slice along the normal.
    """
    away = points_mm - np.asarray(geometry.positions_mm[slice_index])
    directions = np.stack([np.asarray(geometry.row_direction), np.asarray(geometry.col_direction)], axis=1)
    # Least squares, for directions that are not quite perpendicular.
    along = away @ directions @ np.linalg.inv(directions.T @ directions)
    return np.asarray(along / np.array(geometry.pixel_spacing_mm[::-1]), dtype=np.float64)
