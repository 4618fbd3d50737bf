"""Evenly spaced grids, as NIfTI has them, for the slices of a stack wherever they lie.

A volume file has one distance for all slices and one line along which they follow one another. A stack with a missing
slice gets a grid with an empty slice there. Slices at other distances are divided over several grids: nothing is
resampled, and no pixel lies more than half a pixel, or a twentieth of the slice spacing, from where it is in the
patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import LPS_RAS, Geometry, Vector, vector
from cmr_viewer.domain.study import Stack

_BESIDE = 0.5 + 1e-3
"""Pixels by which a slice may miss its place on a grid in the plane: what whole pixels leave."""

_ABOVE, _ABOVE_MM = 0.05, 0.1
"""How far above or below its place a slice may lie, as a share of the slice spacing or in mm: files round positions."""

_SAME_GAP = 0.1
"""A gap that misses a whole number of slice spacings by a smaller share of one holds that number of slices."""

_MOST_EMPTY = 4
"""At most so many missing slices in a row become empty ones."""


@dataclass(frozen=True, eq=False)
class EvenGrid:
    """A grid of evenly spaced slices.

    Attributes:
        slices: Indices of the stack's slices that lie on it, in the input's own order.
        places: Slice of the grid that each of them is; ascending, the first is 0.
        origin_mm: Centre of the first pixel of slice 0, LPS, (3,).
        step_mm: From a slice to the next, LPS, (3,).
        off_mm: How far each of the slices lies from its place on the grid.
    """

    slices: tuple[int, ...]
    places: tuple[int, ...]
    origin_mm: NDArray[np.float64]
    step_mm: NDArray[np.float64]
    off_mm: tuple[float, ...]

    @property
    def count(self) -> int:
        """Slices of the grid, empty ones included."""
        return self.places[-1] + 1

    @property
    def empty(self) -> tuple[int, ...]:
        """Slices of the grid that none of the stack's lie on."""
        return tuple(sorted(set(range(self.count)) - set(self.places)))

    def position_mm(self, place: int) -> Vector:
        """Centre of the first pixel of a slice of the grid, LPS."""
        return vector(self.origin_mm + place * self.step_mm)

    def affine(self, geometry: Geometry) -> NDArray[np.float64]:
        """(4, 4) voxel (i = col, j = row, k = slice of the grid) to RAS matrix, mm."""
        lps = np.eye(4)
        lps[:3, 0] = np.asarray(geometry.row_direction) * geometry.pixel_spacing_mm[1]
        lps[:3, 1] = np.asarray(geometry.col_direction) * geometry.pixel_spacing_mm[0]
        lps[:3, 2], lps[:3, 3] = self.step_mm, self.origin_mm
        return np.asarray(LPS_RAS @ lps, dtype=np.float64)


def even_grids(stack: Stack) -> tuple[EvenGrid, ...]:
    """The fewest evenly spaced grids that all slices of a stack lie on, to half a pixel; mostly one."""
    geometry = stack.geometry
    order = [int(s) for s in np.argsort(stack.source_slices)]
    positions = np.asarray([geometry.positions_mm[s] for s in order], dtype=np.float64)
    gaps = np.abs(np.diff(positions @ geometry.normal))
    if not len(gaps) or float(np.median(gaps)) <= 0:
        step = geometry.normal * (geometry.single_slice_spacing_mm or 1.0)
        whole = _Run(positions, tuple(range(len(order))), step)
        return (whole.grid(order),)
    usual, smallest = float(np.median(gaps)), float(gaps.min())
    # Where every other slice is missing, the slice spacing is the smallest distance and not the usual one.
    for spacing in (usual, smallest):
        run = _run(positions, gaps, spacing, geometry)
        if run is not None:
            return (run.grid(order),)
    grids, start = [], 0
    while start < len(order):
        end = start + 1
        run = _Run(positions[start:end], (0,), geometry.normal * usual)
        while end < len(order):
            longer = _run(positions[start : end + 1], gaps[start:end], usual, geometry)
            if longer is None:
                break
            run, end = longer, end + 1
        grids.append(run.grid(order[start:end]))
        start = end
    return tuple(grids)


@dataclass(frozen=True, eq=False)
class _Run:
    """Slices on a line: (slice, 3) positions, the place of each, and the step from place to place."""

    positions: NDArray[np.float64]
    places: tuple[int, ...]
    step: NDArray[np.float64]
    origin: NDArray[np.float64] | None = None

    @property
    def first(self) -> NDArray[np.float64]:
        return np.asarray(self.positions[0] if self.origin is None else self.origin)

    @property
    def misses(self) -> NDArray[np.float64]:
        """(slice, 3) from its place to each slice."""
        return np.asarray(self.positions - (self.first + np.asarray(self.places)[:, None] * self.step))

    def grid(self, slices: Sequence[int]) -> EvenGrid:
        off = np.linalg.norm(self.misses, axis=1)
        return EvenGrid(tuple(slices), self.places, self.first, self.step, tuple(float(mm) for mm in off))


def _run(positions: NDArray[np.float64], gaps: NDArray[np.float64], spacing: float, geometry: Geometry) -> _Run | None:
    """Slices at one distance, some of them missing; None where they do not lie on one grid."""
    numbers = np.rint(gaps / spacing)
    numbers[np.abs(gaps / spacing - numbers) > _SAME_GAP] = 1.0
    if numbers.max() > 1 + _MOST_EMPTY:
        return None
    places = np.concatenate([[0.0], np.cumsum(np.maximum(numbers, 1.0))])
    whole = tuple(int(place) for place in places)
    ends = _Run(positions, whole, (positions[-1] - positions[0]) / places[-1])
    # Slices that were shifted to one another by whole pixels are left with parts of a pixel, to either side.
    normal = geometry.normal
    along = positions @ normal
    rate, start = np.polyfit(places, along, 1)
    in_plane = positions - along[:, None] * normal
    axes = np.asarray([geometry.row_direction, geometry.col_direction])
    beside = (in_plane - in_plane[0]) @ axes.T
    middle = in_plane[0] + ((beside.min(axis=0) + beside.max(axis=0)) / 2.0) @ axes
    straight = _Run(positions, whole, rate * normal, middle + start * normal)
    down, right = geometry.pixel_spacing_mm
    limits = np.asarray([_BESIDE * right, _BESIDE * down, max(_ABOVE * spacing, _ABOVE_MM)])
    directions = np.asarray([*axes, normal])
    farthest, found = min(
        ((float((np.abs(run.misses @ directions.T) / limits).max()), run) for run in (ends, straight)),
        key=lambda one: one[0],
    )
    return found if farthest <= 1.0 else None
