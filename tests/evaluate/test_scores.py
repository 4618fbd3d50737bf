from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import GeometryError, LabelMapError
from cmr_viewer.evaluate.scores import (
    FrameScore,
    StackPlace,
    StackScore,
    border,
    known_spacing_mm,
    score_labels,
    surface_distances,
)
from tests.evaluate.made_runs import B, place, row
from tests.phantom import sax_cine


def test_a_frame_is_scored_for_each_structure() -> None:
    at = place(2, B)
    scores = score_labels(at, reference=row("1122000"), predicted=row("1222000"), spacing_mm=(1.0, 2.0))
    assert scores == [
        # LVBP: columns 0, 1 and column 0: distances 0, 2 and 0.
        FrameScore(at, Label.LVBP, pytest.approx(2 / 3), pytest.approx(1.9), pytest.approx(2 / 3), 2, 1),
        # LVM: columns 2, 3 and 1, 2, 3: 0, 0 and 2, 0, 0.
        FrameScore(at, Label.LVM, pytest.approx(0.8), pytest.approx(1.8), pytest.approx(2 / 5), 2, 3),
        FrameScore(at, Label.RVBP, None, None, None, 0, 0),
    ]


def test_without_a_known_spacing_there_are_no_distances() -> None:
    scores = score_labels(place(), reference=row("1122"), predicted=row("1122"), spacing_mm=None)
    assert [(s.dice, s.hd95_mm, s.assd_mm) for s in scores[:2]] == [(1.0, None, None)] * 2


def test_a_label_that_is_missed_has_dice_zero_and_no_distance() -> None:
    (score, *_) = score_labels(place(), reference=row("11"), predicted=row("00"), spacing_mm=(1.0, 1.0))
    assert (score.dice, score.hd95_mm, score.assd_mm) == (0.0, None, None)


def test_only_structures_that_the_reference_includes_are_scored() -> None:
    scores = score_labels(
        place(),
        reference=row("1000"),
        predicted=row("1300"),
        spacing_mm=None,
        structures=frozenset({Label.LVBP}),
    )
    assert [s.label for s in scores] == [Label.LVBP]


def test_a_stack_is_scored_over_all_its_slices() -> None:
    reference = np.stack([row("110"), row("100"), row("000")])
    predicted = np.stack([row("110"), row("110"), row("100")])
    (score, *_) = score_labels(
        StackPlace("acdc", "q", 1, "ES"),
        reference=reference,
        predicted=predicted,
        spacing_mm=(8.0, 1.0, 1.0),
    )
    # 3 and 5 voxels, 3 in common. Two predicted voxels are not in the reference: 1 mm and 8 mm from it.
    distances = pytest.approx(np.percentile([0, 0, 0, 1, 8], 95)), pytest.approx(9 / 8)
    assert score == StackScore(StackPlace("acdc", "q", 1, "ES"), Label.LVBP, pytest.approx(6 / 8), *distances, 3, 5)


def test_the_spacing_is_known_only_where_the_file_tells_the_truth() -> None:
    known = sax_cine(phases=1, slices=3, rows=32, cols=32, pixel_spacing_mm=(1.5, 1.4)).stack.geometry
    slice_mm, pixel_mm = known_spacing_mm(known)
    assert slice_mm == pytest.approx(10.0)
    assert pixel_mm == (1.5, 1.4)
    untrue = sax_cine(phases=1, slices=3, rows=32, cols=32, spacing_known=False).stack.geometry
    assert known_spacing_mm(untrue) == (None, None)


def test_a_single_slice_has_a_pixel_spacing_but_no_slice_spacing() -> None:
    from dataclasses import replace

    whole = sax_cine(phases=1, slices=3, rows=32, cols=32).stack.geometry
    single = replace(whole, positions_mm=whole.positions_mm[:1], single_slice_spacing_mm=None)
    assert known_spacing_mm(single) == (None, (1.8, 1.8))


def test_slices_that_lie_unevenly_have_no_one_spacing() -> None:
    from dataclasses import replace

    whole = sax_cine(phases=1, slices=4, rows=32, cols=32).stack.geometry
    gap = replace(whole, positions_mm=(*whole.positions_mm[:2], whole.positions_mm[3]))
    assert known_spacing_mm(gap) == (None, (1.8, 1.8))


def mask(shape: tuple[int, ...], *points: tuple[int, ...]) -> Any:
    values = np.zeros(shape, bool)
    for point in points:
        values[point] = True
    return values


def test_two_pixels_lie_as_far_apart_as_pythagoras_says() -> None:
    a, b = mask((6, 6), (0, 0)), mask((6, 6), (3, 4))
    apart = surface_distances(a, b, (1.0, 1.0))
    assert apart is not None
    assert apart.hd95_mm == pytest.approx(5.0)
    assert apart.assd_mm == pytest.approx(5.0)


def test_the_pixel_spacing_is_row_then_column() -> None:
    apart = surface_distances(mask((6, 6), (0, 0)), mask((6, 6), (3, 4)), (2.0, 0.5))
    assert apart is not None
    assert apart.assd_mm == pytest.approx(np.hypot(3 * 2.0, 4 * 0.5))


def test_a_line_shifted_by_a_pixel() -> None:
    a, b = np.zeros((1, 6), bool), np.zeros((1, 6), bool)
    a[0, :5] = b[0, 1:] = True
    apart = surface_distances(a, b, (1.0, 2.0))
    assert apart is not None
    # Both ways one end is 2 mm from the other line and four pixels lie on it.
    assert sorted(apart.first_to_second_mm) == [0, 0, 0, 0, 2]
    assert apart.assd_mm == pytest.approx(4 / 10)
    # 95 % of the way through five values: between the fourth (0) and the fifth (2), at 0.8.
    assert apart.hd95_mm == pytest.approx(1.6)


def test_hd95_is_the_larger_of_the_two_ways_and_assd_the_mean_of_all() -> None:
    a, b = mask((1, 11), (0, 0)), mask((1, 11), (0, 0), (0, 10))
    for one, other in ((a, b), (b, a)):
        apart = surface_distances(one, other, (1.0, 1.0))
        assert apart is not None
        assert apart.hd95_mm == pytest.approx(9.5)
        assert apart.assd_mm == pytest.approx(10 / 3)


def test_concentric_squares() -> None:
    outer, inner = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    outer[2:7, 2:7] = inner[3:6, 3:6] = True
    apart = surface_distances(outer, inner, (1.0, 1.0))
    assert apart is not None
    # 16 border pixels outside: 4 corners at the square root of 2, 12 at 1; 8 inside, all at 1.
    assert apart.assd_mm == pytest.approx((12 + 4 * np.sqrt(2) + 8) / 24)
    assert apart.hd95_mm == pytest.approx(np.sqrt(2))


def test_only_pixels_with_a_neighbour_outside_are_border() -> None:
    square = np.zeros((5, 5), bool)
    square[1:4, 1:4] = True
    expected = square.copy()
    expected[2, 2] = False
    assert np.array_equal(border(square), expected)


def test_the_edge_of_the_array_is_outside() -> None:
    full = np.ones((3, 3), bool)
    expected = full.copy()
    expected[1, 1] = False
    assert np.array_equal(border(full), expected)


def test_in_a_stack_the_slice_spacing_counts() -> None:
    a, b = mask((3, 4, 4), (0, 1, 1)), mask((3, 4, 4), (2, 1, 1))
    apart = surface_distances(a, b, (8.0, 1.0, 1.0))
    assert apart is not None
    assert apart.hd95_mm == pytest.approx(16.0)


def test_equal_masks_are_not_apart() -> None:
    square = np.zeros((6, 6), bool)
    square[1:5, 2:5] = True
    apart = surface_distances(square, square, (1.3, 1.3))
    assert apart is not None
    assert (apart.hd95_mm, apart.assd_mm) == (0.0, 0.0)


@pytest.mark.parametrize(("a", "b"), [([], []), ([(0, 0)], []), ([], [(1, 1)])])
def test_nothing_is_measured_to_an_empty_mask(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    assert surface_distances(mask((2, 2), *a), mask((2, 2), *b), (1.0, 1.0)) is None


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(LabelMapError, match="cannot be compared"):
        surface_distances(mask((2, 2)), mask((3, 2)), (1.0, 1.0))
    for spacing in ((1.0,), (1.0, 1.0, 1.0), (1.0, 0.0)):
        with pytest.raises(GeometryError, match="2 axes"):
            surface_distances(mask((2, 2)), mask((2, 2)), spacing)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), row_mm=st.floats(0.5, 3.0), col_mm=st.floats(0.5, 3.0))
def test_distances_are_those_of_every_pair_of_border_pixels(seed: int, row_mm: float, col_mm: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 7, 6)) < 0.4
    a[3, 3] = b[2, 4] = True

    def points(values: Any) -> Any:
        padded = np.pad(values, 1)
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        return np.argwhere(values & ~inner) * (row_mm, col_mm)

    every = np.linalg.norm(points(a)[:, None] - points(b)[None], axis=2)
    apart = surface_distances(a, b, (row_mm, col_mm))
    assert apart is not None
    np.testing.assert_allclose(np.sort(apart.first_to_second_mm), np.sort(every.min(axis=1)))
    np.testing.assert_allclose(np.sort(apart.second_to_first_mm), np.sort(every.min(axis=0)))
