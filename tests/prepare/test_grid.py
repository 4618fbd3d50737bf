import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.errors import GeometryError
from cmr_viewer.prepare.grid import (
    ASSUMED_PIXEL_SPACING_MM,
    Grid,
    Placement,
    axis_weights,
    centre_of_labels,
    frame_centre,
    working_spacing_mm,
)

QUIET = settings(deadline=None, max_examples=40)


def ramp(rows: int, cols: int, by_row: float = 2.0, by_col: float = -3.0) -> NDArray[np.float64]:
    """A plane: by_row a row and by_col a column."""
    r, c = np.mgrid[:rows, :cols]
    return np.asarray(100.0 + by_row * r + by_col * c)


def frame_points(place: Placement) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(row, col) on the frame of the points of a grid, from the definition: the centre is the centre, spacing in mm."""
    grid, (row_mm, col_mm) = place.grid, place.pixel_spacing_mm
    rows = place.centre[0] + (np.arange(grid.rows) - (grid.rows - 1) / 2) * grid.spacing_mm / row_mm
    cols = place.centre[1] + (np.arange(grid.cols) - (grid.cols - 1) / 2) * grid.spacing_mm / col_mm
    return rows, cols


def disc(
    shape: tuple[int, int], spacing: tuple[float, float], centre: tuple[float, float], radius_mm: float
) -> NDArray[np.uint8]:
    r, c = np.mgrid[: shape[0], : shape[1]]
    inside = np.hypot((r - centre[0]) * spacing[0], (c - centre[1]) * spacing[1]) < radius_mm
    return inside.astype(np.uint8)


def one_hot(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.stack([labels == code for code in range(4)]).astype(np.float32)


def random_labels(shape: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)


# ------------------------------------------------------------------------------------------ frame to grid


@pytest.mark.parametrize("shape", [(7, 7), (8, 8), (6, 11), (11, 6)])
def test_a_grid_of_the_frames_own_pixels_returns_the_frame_exactly(shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(1).integers(-500, 4000, shape).astype(np.int16)
    place = Placement(Grid(1.25, *shape), shape, (1.25, 1.25), frame_centre(*shape))
    assert_array_equal(place.to_grid(frame), frame.astype(np.float32))
    assert_array_equal(place.coverage(), np.ones(shape))


def test_a_whole_pixel_shift_cuts_out_a_window_and_fills_zeros_outside() -> None:
    frame = np.arange(1, 31, dtype=np.uint16).reshape(5, 6)
    place = Placement(Grid(2.0, 3, 3), (5, 6), (2.0, 2.0), (1.0, 5.0))
    assert_array_equal(place.to_grid(frame), [[5, 6, 0], [11, 12, 0], [17, 18, 0]])
    assert_array_equal(place.coverage(), [[1, 1, 0]] * 3)


@QUIET
@given(
    row_mm=st.floats(0.7, 2.5),
    col_mm=st.floats(0.7, 2.5),
    finer=st.floats(0.2, 1.0),
    row=st.floats(5, 35),
    col=st.floats(5, 25),
)
def test_a_plane_is_reproduced_exactly_where_the_grid_is_not_coarser(
    row_mm: float, col_mm: float, finer: float, row: float, col: float
) -> None:
    place = Placement(Grid(min(row_mm, col_mm) * finer, 12, 16), (41, 31), (row_mm, col_mm), (row, col))
    rows, cols = frame_points(place)
    expected = 100.0 + 2.0 * rows[:, None] - 3.0 * cols[None, :]
    inside = np.outer((rows >= 0) & (rows <= 40), (cols >= 0) & (cols <= 30))
    assert_allclose(place.to_grid(ramp(41, 31))[inside], expected[inside], atol=2e-3)


@pytest.mark.parametrize("coarser", [2.0, 3.0])
def test_a_plane_is_reproduced_exactly_where_the_grid_is_coarser_by_a_whole_number(coarser: float) -> None:
    place = Placement(Grid(1.5 * coarser, 5, 4), (61, 51), (1.5, 1.5), (30.3, 24.6))
    rows, cols = frame_points(place)
    assert_allclose(place.to_grid(ramp(61, 51)), 100.0 + 2.0 * rows[:, None] - 3.0 * cols[None, :], atol=2e-3)


@QUIET
@given(step=st.floats(1.0, 3.5), start=st.floats(8.0, 9.0))
def test_averaging_moves_no_sample_by_more_than_a_tenth_of_a_pixel(step: float, start: float) -> None:
    at = start + step * np.arange(5)
    found = axis_weights(40, 5, start, step).astype(np.float64) @ np.arange(40)
    assert_allclose(found, at, atol=0.1)


def test_a_coarser_grid_averages_instead_of_skipping() -> None:
    stripes = np.tile(np.array([0.0, 100.0]), (32, 16))
    place = Placement(Grid(2.0, 10, 10), (32, 32), (1.0, 1.0), (15.0, 15.0))
    assert_allclose(place.to_grid(stripes), 50.0)


def test_a_bright_point_lies_at_the_same_place_in_mm_with_different_spacings_of_rows_and_columns() -> None:
    frame = np.zeros((40, 60), np.float32)
    frame[10, 45] = 1.0
    place = Placement(Grid(0.5, 80, 100), (40, 60), (1.0, 2.0), (12.0, 40.0))
    on_grid = place.to_grid(frame)
    r, c = np.mgrid[:80, :100]
    centroid = (r * on_grid).sum() / on_grid.sum(), (c * on_grid).sum() / on_grid.sum()
    # from the grid's centre (39.5, 49.5): (10 - 12) rows of 1 mm and (45 - 40) columns of 2 mm, in steps of 0.5 mm
    assert_allclose(centroid, (39.5 - 2.0 / 0.5, 49.5 + 10.0 / 0.5), atol=1e-4)


def test_a_frame_of_another_shape_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"\(5, 6\)"):
        Placement(Grid(1.0, 8, 8), (6, 5), (1.0, 1.0), (2, 2)).to_grid(np.zeros((5, 6)))


# ------------------------------------------------------------------------------------------ labels there and back


@QUIET
@given(
    rows=st.integers(9, 30),
    cols=st.integers(9, 30),
    shift=st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    spacing=st.sampled_from([0.78125, 1.0, 1.5, 2.0]),
)
def test_labels_come_back_exactly_at_the_same_spacing_and_whole_pixel_shifts(
    rows: int, cols: int, shift: tuple[int, int], spacing: float
) -> None:
    labels = random_labels((rows, cols))
    middle = frame_centre(rows, cols)
    centre = (middle[0] + shift[0], middle[1] + shift[1])
    place = Placement(Grid(spacing, rows + 6, cols + 6), (rows, cols), (spacing, spacing), centre)
    on_grid = place.labels_to_grid(labels)
    top, left = 3 - shift[0], 3 - shift[1]
    assert_array_equal(on_grid[top : top + rows, left : left + cols], labels)
    assert_array_equal(place.probabilities_to_frame(one_hot(on_grid)), labels)


def test_labels_outside_the_grid_come_back_as_background() -> None:
    labels = np.full((20, 20), 2, np.uint8)
    place = Placement(Grid(1.0, 6, 4), (20, 20), (1.0, 1.0), (8.5, 9.5))
    back = place.probabilities_to_frame(one_hot(place.labels_to_grid(labels)))
    expected = np.zeros((20, 20), np.uint8)
    expected[6:12, 8:12] = 2
    assert_array_equal(back, expected)


def test_grid_points_outside_the_frame_are_background() -> None:
    place = Placement(Grid(1.0, 8, 8), (4, 4), (1.0, 1.0), frame_centre(4, 4))
    on_grid = place.labels_to_grid(np.full((4, 4), 3, np.uint8))
    expected = np.zeros((8, 8), np.uint8)
    expected[2:6, 2:6] = 3
    assert_array_equal(on_grid, expected)


@settings(QUIET, max_examples=20)
@given(
    row_mm=st.floats(0.8, 2.2),
    col_mm=st.floats(0.8, 2.2),
    spacing=st.floats(1.0, 2.0),
    heart=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    miss=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
)
def test_a_disc_keeps_its_area_and_place_there_and_back(
    row_mm: float, col_mm: float, spacing: float, heart: tuple[float, float], miss: tuple[float, float]
) -> None:
    shape, radius = (int(120 / row_mm), int(150 / col_mm)), 25.0
    centre = (shape[0] / 2 + heart[0], shape[1] / 2 + heart[1])
    labels = disc(shape, (row_mm, col_mm), centre, radius)
    place = Placement(Grid(spacing, 96, 96), shape, (row_mm, col_mm), (centre[0] + miss[0], centre[1] + miss[1]))

    on_grid = place.labels_to_grid(labels)
    back = place.probabilities_to_frame(one_hot(on_grid))

    # On pixels the outline of the disc moves a little, and each way by at most half a sample: where two labels are
    # equally probable at all of it, to the same side.
    side = max(row_mm, col_mm, spacing)
    there, and_back = 0.75 * side, 1.25 * side
    area, outline = np.pi * radius**2, 2 * np.pi * radius
    assert on_grid.sum() * spacing**2 == pytest.approx(area, abs=outline * there)
    assert back.sum() * row_mm * col_mm == pytest.approx(area, abs=outline * and_back)
    r, c = np.nonzero(on_grid)
    rows, cols = frame_points(place)
    assert (rows[r].mean() - centre[0]) * row_mm == pytest.approx(0.0, abs=there)
    assert (cols[c].mean() - centre[1]) * col_mm == pytest.approx(0.0, abs=there)
    r, c = np.nonzero(back)
    assert (r.mean() - centre[0]) * row_mm == pytest.approx(0.0, abs=and_back)
    assert (c.mean() - centre[1]) * col_mm == pytest.approx(0.0, abs=and_back)


def test_over_many_placements_a_disc_neither_shrinks_nor_drifts() -> None:
    rng, shape, spacing, radius = np.random.default_rng(5), (90, 70), (1.3, 1.7), 25.0
    off, areas = [], []
    for _ in range(60):
        centre = (45 + rng.uniform(-1, 1), 35 + rng.uniform(-1, 1))
        labels = disc(shape, spacing, centre, radius)
        around = (centre[0] + rng.uniform(-4, 4), centre[1] + rng.uniform(-4, 4))
        place = Placement(Grid(1.5, 64, 64), shape, spacing, around)
        back = place.probabilities_to_frame(one_hot(place.labels_to_grid(labels)))
        r, c = np.nonzero(back)
        off.append(((r.mean() - centre[0]) * spacing[0], (c.mean() - centre[1]) * spacing[1]))
        areas.append(back.sum() * spacing[0] * spacing[1])
    assert_allclose(np.mean(off, axis=0), (0.0, 0.0), atol=0.06)
    assert_allclose(np.mean(areas), np.pi * radius**2, rtol=0.01)


def test_probabilities_are_interpolated_before_the_most_probable_label_is_taken() -> None:
    probabilities = np.zeros((4, 1, 2), np.float32)
    probabilities[:, 0, 0] = (0.5, 0.4, 0.1, 0.0)
    probabilities[:, 0, 1] = (0.0, 0.4, 0.0, 0.6)
    # at the point between: background 0.25, LVBP 0.4, LVM 0.05, RVBP 0.3
    place = Placement(Grid(2.0, 1, 2), (1, 3), (2.0, 1.0), (0.0, 1.0))
    assert_array_equal(place.probabilities_to_frame(probabilities), [[0, 1, 3]])


# ------------------------------------------------------------------------------------------ weights of an axis


@QUIET
@given(
    source=st.integers(1, 40),
    target=st.integers(1, 40),
    start=st.floats(-30, 30),
    step=st.floats(0.1, 5.0),
)
def test_weights_of_a_sample_add_up_to_one_inside_and_to_zero_outside(
    source: int, target: int, start: float, step: float
) -> None:
    weights = axis_weights(source, target, start, step)
    at = start + step * np.arange(target)
    outside = (at < -0.5) | (at > source - 0.5)
    assert weights.shape == (target, source)
    assert (weights >= 0).all()
    assert_allclose(weights.sum(axis=1), np.where(outside, 0.0, 1.0), atol=1e-6)


def test_weights_between_two_samples_are_those_of_linear_interpolation() -> None:
    assert_allclose(axis_weights(4, 2, 0.25, 1.0), [[0.75, 0.25, 0, 0], [0, 0.75, 0.25, 0]])


def test_weights_of_half_the_resolution_are_a_triangle() -> None:
    assert_allclose(axis_weights(5, 1, 2.0, 2.0), [[0, 0.25, 0.5, 0.25, 0]])


def test_weights_are_shared_and_cannot_be_written_to() -> None:
    weights = axis_weights(4, 4, 0.0, 1.0)
    assert axis_weights(4, 4, 0.0, 1.0) is weights
    with pytest.raises(ValueError, match="read-only"):
        weights[0, 0] = 2.0


@pytest.mark.parametrize("step", [0.0, -1.0])
def test_a_step_that_is_not_positive_is_refused(step: float) -> None:
    with pytest.raises(GeometryError, match="step"):
        axis_weights(4, 4, 0.0, step)


# ------------------------------------------------------------------------------------------ spacing and centre


@pytest.mark.parametrize(("known", "spacing"), [(True, (1.1, 1.2)), (False, (ASSUMED_PIXEL_SPACING_MM,) * 2)])
def test_the_working_spacing_is_the_true_one_where_it_is_known(known: bool, spacing: tuple[float, float]) -> None:
    geometry = Geometry(4, 4, (1.1, 1.2), (1, 0, 0), (0, 1, 0), ((0, 0, 0),), 8.0, spacing_known=known)
    assert working_spacing_mm(geometry) == spacing


def test_the_middle_of_a_frame_lies_between_its_outer_pixel_centres() -> None:
    assert frame_centre(5, 8) == (2.0, 3.5)


def test_the_centre_is_the_mean_of_all_labelled_pixels() -> None:
    labels = np.zeros((2, 5, 6), np.uint8)
    labels[0, 1, 2] = 1
    labels[1, 3, 5] = 3
    assert centre_of_labels(labels) == (2.0, 3.5)
    assert centre_of_labels(labels[0]) == (1.0, 2.0)
    assert centre_of_labels(np.zeros((3, 3), np.uint8)) is None
