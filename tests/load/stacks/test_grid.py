import dataclasses

import numpy as np
import pytest

from cmr_viewer.load.stacks.grid import fitted, grid_of
from cmr_viewer.load.stacks.places import plane_of
from tests.load.stacks.test_groups import AXIAL, header

ROWS, COLS, SPACING = 8, 6, (2.0, 1.5)


def on_grid(place=0.0, **changes):
    fields = {"orientation": AXIAL, "rows": ROWS, "cols": COLS, "spacing": SPACING, "position": (0.0, 0.0, place)}
    return header(place=place, **(fields | changes))


def in_patient(h, point):
    o = np.asarray(h.orientation)
    return np.asarray(h.position) + o[3:] * point[0] * h.spacing[0] + o[:3] * point[1] * h.spacing[1]


def assert_true_places(grid, slice_header, fit):
    """Each pixel of the frame is where the file says the pixel is that it was taken from."""
    for point in ((0, 0), (ROWS - 1, COLS - 1), (3, 2)):
        frame = dataclasses.replace(grid.header, position=fit.position)
        stored = tuple(o + s * p for o, s, p in zip(fit.origin, fit.step, point, strict=True))
        np.testing.assert_allclose(in_patient(frame, point), in_patient(slice_header, stored), atol=1e-9)


def test_slices_of_one_grid_are_taken_as_they_are():
    grid = grid_of([on_grid(0.0), on_grid(10.0)])
    assert all(fit.is_plain for fit in grid.fits)
    assert grid.notes == ()
    image = np.arange(ROWS * COLS).reshape(ROWS, COLS)
    np.testing.assert_array_equal(fitted(image, grid.fits[0], (ROWS, COLS)), image)


@pytest.mark.parametrize(
    ("changes", "turn"),
    [
        ({"orientation": (-1, 0, 0, 0, 1, 0), "position": (7.5, 0, 20.0)}, np.fliplr),
        ({"orientation": (1, 0, 0, 0, -1, 0), "position": (0, 14.0, 20.0)}, np.flipud),
        ({"orientation": (-1, 0, 0, 0, -1, 0), "position": (7.5, 14.0, 20.0)}, lambda image: np.rot90(image, 2)),
    ],
)
def test_rows_and_columns_that_run_the_other_way_are_reversed_in_their_place(changes, turn):
    odd = on_grid(20.0, **changes)
    grid = grid_of([on_grid(0.0), on_grid(10.0), odd])
    fit = grid.fits[2]
    assert_true_places(grid, odd, fit)
    np.testing.assert_allclose(fit.position, (0, 0, 20.0), atol=1e-9)
    image = np.arange(ROWS * COLS).reshape(ROWS, COLS)
    np.testing.assert_array_equal(fitted(image, fit, (ROWS, COLS)), turn(image))
    assert "flipped back" in grid.notes[0].text
    assert grid.notes[0].place == 2


def test_a_larger_matrix_is_cut_by_whole_pixels_in_its_place():
    # Two rows above and one column to the left more, shifted by less than half a pixel.
    large = on_grid(20.0, rows=12, cols=8, position=(-1.5 + 0.3, -4.0 - 0.4, 20.0))
    grid = grid_of([on_grid(0.0), on_grid(10.0), large])
    fit = grid.fits[2]
    assert (fit.origin, fit.step) == ((2.0, 1.0), (1.0, 1.0))
    assert_true_places(grid, large, fit)
    image = np.arange(12 * 8).reshape(12, 8)
    np.testing.assert_array_equal(fitted(image, fit, (ROWS, COLS)), image[2:10, 1:7])
    assert "a different matrix (12 x 8)" in grid.notes[0].text


def test_a_smaller_matrix_is_filled_up_with_its_lowest_value():
    small = on_grid(20.0, rows=6, cols=4, position=(1.5, 2.0, 20.0))
    fit = grid_of([on_grid(0.0), on_grid(10.0), small]).fits[2]
    result = fitted(np.full((6, 4), 9) + np.eye(6, 4, dtype=int), fit, (ROWS, COLS))
    assert result[1:7, 1:5].min() == 9
    np.testing.assert_array_equal(result[0], 9)
    assert result[1, 1] == 10


def test_another_pixel_spacing_is_interpolated_to_its_true_place():
    # Twice as fine over the same field: a plane of brightness stays that plane.
    fine = on_grid(20.0, rows=2 * ROWS, cols=2 * COLS, spacing=(1.0, 0.75), position=(0.0, 0.0, 20.0))
    grid = grid_of([on_grid(0.0), on_grid(10.0), fine])
    fit = grid.fits[2]
    assert_true_places(grid, fine, fit)
    r, c = np.mgrid[: 2 * ROWS, : 2 * COLS].astype(np.float32)
    expected = 100 + 2.0 * np.arange(ROWS)[:, None] * 1.0 * 2 + 3.0 * np.arange(COLS) * 2
    offset = 2.0 * fit.origin[0] + 3.0 * fit.origin[1]
    inside = (slice(0, ROWS - 1), slice(0, COLS - 1))
    np.testing.assert_allclose(fitted(100 + 2 * r + 3 * c, fit, (ROWS, COLS))[inside], (expected + offset)[inside])
    assert "resampled" in grid.notes[0].text


def test_whole_numbers_stay_whole_when_they_are_interpolated():
    fine = on_grid(20.0, rows=2 * ROWS, cols=2 * COLS, spacing=(1.0, 0.75))
    fit = grid_of([on_grid(0.0), on_grid(10.0), fine]).fits[2]
    assert fitted(np.ones((16, 12), np.int16), fit, (ROWS, COLS)).dtype == np.int16


def test_a_tilted_slice_keeps_its_pixels_and_the_place_of_its_middle():
    angle = np.deg2rad(3.0)
    tilted = on_grid(20.0, orientation=(1, 0, 0, 0, np.cos(angle), np.sin(angle)))
    grid = grid_of([on_grid(0.0), on_grid(10.0), tilted])
    fit = grid.fits[2]
    assert fit.is_plain
    as_parallel = dataclasses.replace(grid.header, position=fit.position)
    np.testing.assert_allclose(plane_of(as_parallel).centre, plane_of(tilted).centre, atol=1e-9)
    assert "tilted by 3.0 degrees" in grid.notes[0].text


def test_a_slice_that_lies_beside_the_others_is_shifted_by_whole_pixels_to_its_place():
    # 2.2 pixels further down and 3.6 to the left: the rest, 0.2 and 0.4 of a pixel, stays in its position.
    beside = on_grid(20.0, position=(-3.6 * 1.5, 2.2 * 2.0, 20.0))
    grid = grid_of([on_grid(0.0), on_grid(10.0), beside, on_grid(30.0)])
    fit = grid.fits[2]
    assert (fit.origin, fit.step) == ((-2.0, 4.0), (1.0, 1.0))
    assert_true_places(grid, beside, fit)
    np.testing.assert_allclose(fit.position, (0.4 * 1.5, 0.2 * 2.0, 20.0), atol=1e-9)
    image = 1 + np.arange(ROWS * COLS).reshape(ROWS, COLS)
    expected = np.ones_like(image)
    expected[2:, :2] = image[:-2, 4:]
    np.testing.assert_array_equal(fitted(image, fit, (ROWS, COLS)), expected)
    assert grid.beside_mm == pytest.approx((0, 0, np.hypot(2.2 * 2.0, 3.6 * 1.5), 0))
    assert [f.is_plain for f in grid.fits] == [True, True, False, True]


def test_the_first_slice_alone_is_shifted_onto_the_others_and_not_they_onto_it():
    first = on_grid(0.0, position=(4.5, 0.0, 0.0))
    grid = grid_of([first, *(on_grid(z) for z in (10.0, 20.0, 30.0))])
    assert [f.is_plain for f in grid.fits] == [False, True, True, True]
    assert grid.fits[0].position == pytest.approx((0.0, 0.0, 0.0))


def test_slices_less_than_half_a_pixel_beside_one_another_are_taken_as_they_are():
    slices = [on_grid(z, position=(dx, dy, z)) for z, dx, dy in ((0, 0, 0), (10, 0.6, -0.8), (20, -0.7, 0.9))]
    grid = grid_of(slices)
    assert all(fit.is_plain and fit.position == h.position for fit, h in zip(grid.fits, slices, strict=True))
    assert not any(grid.beside_mm)


def test_a_slice_three_quarters_of_a_pixel_beside_the_others_is_shifted_by_one_and_that_is_noted():
    grid = grid_of([on_grid(0.0), on_grid(10.0), on_grid(20.0, position=(0.75 * 1.5, 0.0, 20.0)), on_grid(30.0)])
    assert [fit.origin for fit in grid.fits] == [(0.0, 0.0), (0.0, 0.0), (0.0, -1.0), (0.0, 0.0)]
    assert grid.beside_mm == pytest.approx((0, 0, 0.75 * 1.5, 0))


@pytest.mark.parametrize("seed", range(5))
def test_positions_along_the_normal_of_an_oblique_stack_are_no_shift(seed):
    """First pixels that differ along the normal alone, rounded as files do, for any direction of the planes."""
    random = np.random.default_rng(seed)
    directions, _ = np.linalg.qr(random.normal(size=(3, 3)))
    row, col = directions[:, 0], directions[:, 1]
    orientation = tuple(round(float(v), 6) for v in (*row, *col))
    first = random.uniform(-200, 200, 3)
    positions = [tuple(np.round(first + 9.7 * s * np.cross(row, col), 2).tolist()) for s in range(14)]
    slices = [on_grid(9.7 * s, orientation=orientation, position=p) for s, p in enumerate(positions)]
    grid = grid_of(slices)
    assert all(fit.is_plain for fit in grid.fits) and not any(grid.beside_mm)


def test_the_slices_of_a_stack_that_leans_are_all_shifted_to_the_middle_one():
    """Each lies one pixel further right than the one before."""
    slices = [on_grid(10.0 * s, position=(1.5 * s, 0.0, 10.0 * s)) for s in range(5)]
    grid = grid_of(slices)
    assert [fit.origin for fit in grid.fits] == [(0.0, float(col)) for col in (2, 1, 0, -1, -2)]
    assert all(fit.position[:2] == pytest.approx((3.0, 0.0)) for fit in grid.fits)


def test_a_slice_that_is_reversed_and_lies_beside_the_others_is_both_reversed_and_shifted():
    odd = on_grid(20.0, orientation=(-1, 0, 0, 0, 1, 0), position=(7.5 + 3.0, 2.0, 20.0))
    grid = grid_of([on_grid(0.0), on_grid(10.0), odd])
    assert_true_places(grid, odd, grid.fits[2])
    assert (grid.fits[2].origin, grid.fits[2].step) == ((-1.0, 7.0), (1.0, -1.0))


def test_a_tilted_slice_far_from_the_middle_one_is_not_shifted_by_its_tilt():
    """Its middle lies straight above the others'; its own directions, followed so far, would miss it by pixels."""
    angle = np.deg2rad(4.0)
    col = np.array([0.0, np.cos(angle), np.sin(angle)])
    middle = np.array([3.75, 7.0, 120.0])
    position = middle - col * 7.0 - np.array([3.75, 0.0, 0.0])
    far = on_grid(120.0, orientation=(1.0, 0.0, 0.0, *col.tolist()), position=tuple(position.tolist()))
    grid = grid_of([*(on_grid(10.0 * s) for s in range(12)), far])
    assert grid.fits[12].is_plain and not any(grid.beside_mm)


def test_directions_that_differ_by_rounding_are_not_noted():
    rounded = on_grid(10.0, orientation=(0.9999, 0.005, 0, -0.005, 0.9999, 0))
    grid = grid_of([on_grid(0.0), on_grid(20.0), rounded])
    assert grid.notes == ()
    assert grid.fits[2].position == rounded.position
