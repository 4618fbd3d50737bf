"""The plane of a DICOM frame in the patient, and how far two planes differ."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.load.dicom.headers import Header

SAME_TILT_DEG = 1.0
"""Planes that differ by less are parallel: directions are rounded to few digits in some files."""

TILT_LIMIT_DEG = 5.0
"""Planes that differ by more are never slices of one stack."""


class Plane(NamedTuple):
    """Directions and place of a frame in the patient, LPS, mm.

    Attributes:
        row: Unit vector along which the column index grows, (3,).
        col: Unit vector along which the row index grows, (3,).
        normal: Unit vector, row x col, (3,).
        centre: Middle of the frame, (3,).
    """

    row: NDArray[np.float64]
    col: NDArray[np.float64]
    normal: NDArray[np.float64]
    centre: NDArray[np.float64]


def plane_of(header: Header) -> Plane:
    """The plane of a frame."""
    return _plane(header.orientation, header.position, (header.rows, header.cols), header.spacing)


@lru_cache(maxsize=4096)
def _plane(
    orientation: tuple[float, ...],
    position: tuple[float, float, float],
    shape: tuple[int, int],
    spacing: tuple[float, float],
) -> Plane:
    row, col = np.asarray(orientation[:3], np.float64), np.asarray(orientation[3:], np.float64)
    row, col = row / np.linalg.norm(row), col / np.linalg.norm(col)
    normal = np.cross(row, col)
    down, right = (shape[0] - 1) / 2 * spacing[0], (shape[1] - 1) / 2 * spacing[1]
    return Plane(row, col, normal / np.linalg.norm(normal), np.asarray(position) + col * down + row * right)


def signs(plane: Plane, reference: Plane) -> tuple[int, int]:
    """Whether the row and the column index grow along (1) or against (-1) those of a reference."""
    return (1 if plane.col @ reference.col >= 0 else -1), (1 if plane.row @ reference.row >= 0 else -1)


def tilt_deg(plane: Plane, reference: Plane) -> float:
    """Largest angle between the directions of two planes, whichever way each of them runs, 0 to 90."""
    return max(line_angle_deg(plane.row, reference.row), line_angle_deg(plane.col, reference.col))


def line_angle_deg(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Angle between two lines along unit vectors, 0 to 90."""
    # The cross product is exact for small angles, where the arc cosine is not.
    return float(np.rad2deg(np.arctan2(np.linalg.norm(np.cross(one, other)), abs(float(one @ other)))))


def positive(length: float | None) -> float | None:
    """A length, or None where it cannot be one."""
    return length if length is not None and length > 0 else None
