from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.geometry import Geometry, geometry_from_json, geometry_to_json, slice_spacing_from_positions_mm
from cmr_viewer.errors import GeometryError


def axial(positions=((0.0, 0.0, 0.0), (0.0, 0.0, 8.0)), **changes) -> Geometry:
    fields: dict[str, Any] = {
        "rows": 4,
        "cols": 5,
        "pixel_spacing_mm": (2.0, 3.0),
        "row_direction": (1.0, 0.0, 0.0),
        "col_direction": (0.0, 1.0, 0.0),
        "positions_mm": tuple(positions),
    }
    return Geometry(**(fields | changes))


def test_the_normal_is_row_direction_times_col_direction():
    np.testing.assert_allclose(axial().normal, [0.0, 0.0, 1.0])


def test_rows_go_along_the_col_direction_in_row_spacings():
    # 2 rows x 2 mm along y, 3 columns x 3 mm along x, second slice at z = 8.
    np.testing.assert_allclose(axial().to_patient_mm(1, (2.0, 3.0)), [9.0, 4.0, 8.0])


def test_slice_spacing_is_measured_along_the_normal_only():
    shifted = axial([(0, 0, 0), (5, 1, 8), (-3, 2, 16)])
    assert shifted.slice_spacing_mm == 8.0


def test_a_missing_slice_does_not_change_the_slice_spacing():
    assert axial([(0, 0, z) for z in (0, 10, 20, 40, 50)]).slice_spacing_mm == 10.0


def test_slice_spacing_is_positive_when_slices_go_against_the_normal():
    assert axial([(0, 0, z) for z in (20, 10, 0)]).slice_spacing_mm == 10.0


def along_z(*places: float) -> Geometry:
    return axial([(0.0, 0.0, z) for z in places])


def test_slices_of_an_even_stack_all_count_for_one_spacing():
    assert along_z(0, 10, 20, 30).slice_weights.tolist() == [1.0] * 4
    # Positions rounded to a hundredth of a millimetre are even.
    assert along_z(0, 8.33, 16.67, 25.0).slice_weights.tolist() == [1.0] * 4
    assert axial([(0, 0, 0)]).slice_weights.tolist() == [1.0]


def test_a_slice_counts_for_half_the_gap_to_each_neighbour_and_an_end_for_half_a_usual_spacing_more():
    # Gaps of 10, 10, 20 and 10 mm: slices 3 and 4 reach 10 mm into the wide one.
    assert along_z(0, 10, 20, 40, 50).slice_weights == pytest.approx([1.0, 1.0, 1.5, 1.5, 1.0])
    # Gaps of 10, 10, 10 and 4 mm: the last slice reaches 2 mm inwards and 5 mm outwards.
    assert along_z(34, 24, 14, 4, 0).slice_weights == pytest.approx([1.0, 1.0, 1.0, 0.7, 0.7])
    # The wide gap lies at the end: nothing is added beyond the last slice but half of the usual spacing.
    assert along_z(0, 10, 20, 40).slice_weights == pytest.approx([1.0, 1.0, 1.5, 1.5])


def test_slices_that_all_lie_at_one_place_count_alike():
    assert along_z(0, 0, 0).slice_weights.tolist() == [1.0] * 3


@settings(deadline=None)
@given(st.lists(st.floats(1.0, 30.0), min_size=1, max_size=12))
def test_weights_cover_the_stack_and_half_a_spacing_beyond_each_end(gaps):
    stack = along_z(*np.concatenate([[0.0], np.cumsum(gaps)]))
    usual = float(np.median(gaps))
    assert stack.slice_weights.sum() * usual == pytest.approx(sum(gaps) + usual, rel=3e-3)
    assert stack.slice_weights == pytest.approx(along_z(*-np.cumsum([0.0, *gaps])).slice_weights)


def test_a_single_slice_has_the_spacing_that_it_was_given():
    assert axial([(0, 0, 0)], single_slice_spacing_mm=6.0).slice_spacing_mm == 6.0


def test_a_single_slice_without_spacing_is_refused():
    with pytest.raises(GeometryError, match="single slice"):
        _ = axial([(0, 0, 0)]).slice_spacing_mm


def test_slices_at_the_same_place_have_no_spacing():
    with pytest.raises(GeometryError, match="same position"):
        _ = axial([(0, 0, 0), (1, 0, 0)]).slice_spacing_mm


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": 0},
        {"cols": 0},
        {"positions_mm": ()},
        {"pixel_spacing_mm": (0.0, 1.0)},
        {"pixel_spacing_mm": (1.0, -1.0)},
        {"pixel_spacing_mm": (float("nan"), 1.0)},
        {"positions_mm": ((0.0, 0.0, float("inf")),)},
        {"row_direction": (float("nan"), 0.0, 0.0)},
    ],
)
def test_grids_that_cannot_be_are_refused(changes):
    with pytest.raises(GeometryError):
        axial(**changes)


def test_parallel_directions_have_no_normal():
    with pytest.raises(GeometryError, match="parallel"):
        _ = axial(col_direction=(1.0, 0.0, 0.0)).normal


angles = st.floats(-np.pi, np.pi)
spacings = st.floats(0.3, 3.0)
millimetres = st.floats(-300.0, 300.0)


@st.composite
def oblique(draw) -> Geometry:
    a, b, c = draw(angles), draw(angles), draw(angles)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    rotation = about_z @ about_y @ about_x
    origin = np.array([draw(millimetres), draw(millimetres), draw(millimetres)])
    step = draw(st.floats(2.0, 12.0)) * draw(st.sampled_from([-1, 1]))
    positions = [origin + rotation[:, 2] * step * k for k in range(draw(st.integers(2, 6)))]
    return Geometry(
        rows=8,
        cols=9,
        pixel_spacing_mm=(draw(spacings), draw(spacings)),
        row_direction=tuple(rotation[:, 0].tolist()),
        col_direction=tuple(rotation[:, 1].tolist()),
        positions_mm=tuple(tuple(p.tolist()) for p in positions),
    )


@settings(deadline=None)
@given(oblique(), st.floats(0, 7), st.floats(0, 8), st.floats(0, 7), st.floats(0, 8))
def test_distances_in_the_patient_follow_the_pixel_spacing(g, row, col, other_row, other_col):
    first, second = g.to_patient_mm(0, (row, col)), g.to_patient_mm(0, (other_row, other_col))
    expected = np.hypot((row - other_row) * g.pixel_spacing_mm[0], (col - other_col) * g.pixel_spacing_mm[1])
    assert np.linalg.norm(first - second) == pytest.approx(expected, abs=1e-6)


@settings(deadline=None)
@given(oblique(), st.floats(0, 7), st.floats(0, 8))
def test_every_point_of_a_slice_is_one_slice_spacing_from_the_next(g, row, col):
    step = (g.to_patient_mm(1, (row, col)) - g.to_patient_mm(0, (row, col))) @ g.normal
    assert abs(step) == pytest.approx(g.slice_spacing_mm, abs=1e-6)
    assert np.linalg.norm(g.normal) == pytest.approx(1.0)


@settings(deadline=None)
@given(oblique())
def test_slice_spacing_is_the_same_from_either_end(g):
    forwards = slice_spacing_from_positions_mm(g.positions_mm, g.normal)
    assert slice_spacing_from_positions_mm(g.positions_mm[::-1], g.normal) == pytest.approx(forwards)


@pytest.mark.parametrize(("spacing", "known"), [(None, True), (7.5, False)])
def test_a_geometry_comes_back_from_json_as_it_was(spacing: float | None, known: bool) -> None:
    positions = ((0.1, -2.0, 3.5), (1 / 3, 0.0, 12.0))
    made = Geometry(9, 7, (1.25, 1.5), (1.0, 0.0, 0.0), (0.0, 0.6, 0.8), positions, spacing, known)
    assert geometry_from_json(geometry_to_json(made)) == made


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"rows": 2}', '{"rows": 2, "pixel_spacing_mm": 3}'])
def test_what_is_no_geometry_is_refused(text: str) -> None:
    with pytest.raises(GeometryError, match="geometry is damaged"):
        geometry_from_json(text)
