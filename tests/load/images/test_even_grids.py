from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import Stack
from cmr_viewer.load.images.even_grids import even_grids

PIXEL_MM = (1.5, 2.0)


def stack(*places: float, beside: dict[int, tuple[float, float]] | None = None, **changes: object) -> Stack:
    """Axial slices at these places along z; some lie (x, y) mm beside the others."""
    moved = beside or {}
    positions = tuple((*moved.get(s, (0.0, 0.0)), z) for s, z in enumerate(places))
    geometry = Geometry(6, 8, PIXEL_MM, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions)
    pixels = np.zeros((2, len(places), 6, 8), np.int16)
    return replace(Stack(pixels, geometry), **changes)  # type: ignore[arg-type]


def place_of(grid, k: int) -> np.ndarray:
    """Where (col, row, slice) = (0, 0, k) lies by the affine, in LPS."""
    return np.array([-1.0, -1.0, 1.0]) * (grid.affine(stack(0, 1).geometry) @ [0, 0, k, 1])[:3]


def test_an_even_stack_has_one_grid_and_every_slice_its_own_place():
    (grid,) = even_grids(stack(30, 20, 10, 0, source_slices=(0, 1, 2, 3)))
    assert (grid.slices, grid.places, grid.empty) == ((0, 1, 2, 3), (0, 1, 2, 3), ())
    assert [place_of(grid, k)[2] for k in range(4)] == pytest.approx([30, 20, 10, 0])
    assert max(grid.off_mm) < 1e-9


def test_slices_go_in_the_order_of_the_input():
    (grid,) = even_grids(stack(30, 20, 10, 0, source_slices=(3, 2, 1, 0)))
    assert grid.slices == (3, 2, 1, 0)
    assert [place_of(grid, k)[2] for k in range(4)] == pytest.approx([0, 10, 20, 30])


def test_a_lean_that_the_affine_can_hold_is_kept():
    (grid,) = even_grids(stack(0, 10, 20, 30, beside={1: (0.3, 0.0), 2: (0.6, 0.0), 3: (0.9, 0.0)}))
    assert place_of(grid, 2) == pytest.approx([0.6, 0.0, 20.0]) and max(grid.off_mm) < 1e-9


@pytest.mark.parametrize(
    ("places", "empty", "count"),
    [
        ((0, 10, 30, 40), (2,), 5),
        ((0, 30, 40, 50), (1, 2), 6),
        ((0, 10, 20, 40), (3,), 5),
        ((40, 30, 10, 0), (2,), 5),
        ((0, 20, 30, 50), (1, 4), 6),  # two of three distances are wide
        ((0, 8.01, 23.99, 32), (2,), 5),
    ],
)
def test_missing_slices_get_an_empty_place(places, empty, count):
    (grid,) = even_grids(stack(*places))
    assert (grid.empty, grid.count) == (empty, count)
    assert [place_of(grid, k)[2] for k in grid.places] == pytest.approx(places, abs=0.02)


def test_parts_of_a_pixel_to_either_side_are_halved_between_them():
    (grid,) = even_grids(stack(0, 10, 20, 30, beside={1: (0.9, -0.7), 2: (-0.9, 0.7)}))
    assert grid.empty == ()
    for k, (x, y) in enumerate(((0, 0), (0.9, -0.7), (-0.9, 0.7), (0, 0))):
        off = np.abs(place_of(grid, k) - [x, y, 10.0 * k])
        assert off[0] <= 0.5 * PIXEL_MM[1] + 0.01 and off[1] <= 0.5 * PIXEL_MM[0] + 0.01
        assert grid.off_mm[k] == pytest.approx(np.linalg.norm(off))


@pytest.mark.parametrize(
    ("places", "parts"),
    [
        ((0, 8, 16, 28, 36, 44), ((0, 1, 2), (3, 4, 5))),
        ((0, 10, 20, 33, 43), ((0, 1, 2), (3, 4))),
        ((0, 10, 200, 210), ((0, 1), (2, 3))),  # too far apart for empty slices to stand between
    ],
)
def test_slices_at_other_distances_are_divided_and_each_is_where_it_is(places, parts):
    grids = even_grids(stack(*places))
    assert tuple(grid.slices for grid in grids) == parts
    for grid in grids:
        for index, k in zip(grid.slices, grid.places, strict=True):
            assert place_of(grid, k) == pytest.approx([0, 0, places[index]], abs=0.05)


def test_a_single_slice_has_a_grid():
    one = stack(5.0)
    (grid,) = even_grids(replace(one, geometry=replace(one.geometry, single_slice_spacing_mm=8.0)))
    assert (grid.places, grid.step_mm.tolist()) == ((0,), [0.0, 0.0, 8.0])
