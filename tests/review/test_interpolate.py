import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.interpolate import between, interpolate_phases, interpolate_slices
from cmr_viewer.review.outlines import has_closed_ring, outline_mask
from tests.review.hearts import HEARTS, SCRIBBLES, areas, disc, heart

ONE = (1.0, 1.0)
SHARES = st.floats(0.0, 1.0)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("share", [0.2, 0.5, 0.75])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.2, 1.5)])
def test_between_two_discs_is_the_disc_of_the_radius_and_middle_between(share, spacing):
    first = disc(8.0, middle=(24.0, 28.0), spacing=spacing)
    second = disc(16.0, middle=(36.0, 32.0), spacing=spacing)
    middle = (24.0 + 12.0 * share, 28.0 + 4.0 * share)
    expected = disc(8.0 + 8.0 * share, middle=middle, spacing=spacing)
    assert dice(between(first, second, share, spacing) > 0, expected > 0) > 0.95


def test_a_structure_that_wanders_keeps_its_size():
    first = disc(6.0, Label.RVBP, middle=(12.0, 32.0))
    second = disc(6.0, Label.RVBP, middle=(50.0, 32.0))
    halfway = between(first, second, 0.5, ONE)
    assert areas(halfway)[Label.RVBP] == pytest.approx(math.pi * 36, rel=0.06)
    assert np.argwhere(halfway).mean(axis=0) == pytest.approx([31.0, 32.0], abs=0.5)


@settings(deadline=None)
@given(SCRIBBLES, SCRIBBLES)
def test_the_ends_are_the_label_maps_themselves(first, second):
    np.testing.assert_array_equal(between(first, second, 0.0, ONE), first)
    np.testing.assert_array_equal(between(first, second, 1.0, ONE), second)


@settings(deadline=None, max_examples=30)
@given(HEARTS, HEARTS, SHARES)
def test_a_ring_that_is_closed_at_both_ends_is_closed_between(first, second, share):
    found = between(first, second, share, ONE)
    assert has_closed_ring(found)
    low, high = sorted(int(outline_mask(each, Label.LVM).sum()) for each in (first, second))
    assert 0.93 * low <= outline_mask(found, Label.LVM).sum() <= 1.07 * high


@settings(deadline=None, max_examples=30)
@given(HEARTS, HEARTS, SHARES)
def test_the_way_back_is_the_way(first, second, share):
    there, back = between(first, second, share, ONE), between(second, first, 1.0 - share, ONE)
    assert (there != back).mean() < 0.002


@settings(deadline=None, max_examples=30)
@given(HEARTS, SHARES)
def test_between_two_alike_is_the_same(labels, share):
    np.testing.assert_array_equal(between(labels, labels, share, ONE), labels)


def test_a_structure_of_one_end_alone_shrinks_evenly_to_nothing():
    with_rv, without = heart(), heart(rv=0.0)
    found = [areas(between(with_rv, without, share, ONE))[Label.RVBP] for share in (0.01, 0.25, 0.5, 0.75, 0.99)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.8 * areas(with_rv)[Label.RVBP]
    assert found[-1] < 0.05 * areas(with_rv)[Label.RVBP]
    assert not between(without, without, 0.5, ONE)[without == 0].any()


def test_slices_are_interpolated_by_where_they_lie_and_only_between_corrected_ones():
    positions = [0.0, 8.0, 10.0, 26.0, 40.0, 48.0]
    corrected = {1: disc(16.0), 4: disc(8.0)}
    found = interpolate_slices(corrected, positions, ONE)
    assert sorted(found) == [2, 3]
    for each, labels in found.items():
        radius = 16.0 - 8.0 * (positions[each] - 8.0) / 32.0
        assert areas(labels)[Label.LVBP] == pytest.approx(math.pi * radius**2, rel=0.04)
    falling = interpolate_slices(corrected, [-each for each in positions], ONE)
    np.testing.assert_array_equal(falling[3], found[3])


def test_each_gap_between_corrected_slices_is_interpolated_by_its_own_ends():
    corrected = {0: disc(16.0), 2: disc(8.0), 4: disc(16.0)}
    found = interpolate_slices(corrected, [0.0, 10.0, 20.0, 30.0, 40.0], ONE)
    assert sorted(found) == [1, 3]
    np.testing.assert_array_equal(found[1], found[3])


def test_after_the_last_phase_comes_the_first():
    times = [0.0, 50.0, 100.0, 150.0, 200.0]
    corrected = {1: disc(8.0), 3: disc(16.0)}
    found = interpolate_phases(corrected, times, 250.0, ONE)
    assert sorted(found) == [0, 2, 4]
    radii = {each: math.sqrt((labels > 0).sum() / math.pi) for each, labels in found.items()}
    assert radii[2] == pytest.approx(12.0, rel=0.03)
    assert radii[4] == pytest.approx(16.0 - 8.0 * 50 / 150, rel=0.03)
    assert radii[0] == pytest.approx(16.0 - 8.0 * 100 / 150, rel=0.03)


def test_phases_side_by_side_leave_only_the_way_round():
    found = interpolate_phases({3: disc(8.0), 0: disc(8.0)}, [0.0, 1.0, 2.0, 3.0], 4.0, ONE)
    assert sorted(found) == [1, 2]
    assert not interpolate_phases({0: disc(8.0), 1: disc(9.0)}, [0.0, 1.0], 2.0, ONE)


@pytest.mark.parametrize("corrected", [{}, {2: disc(8.0)}])
def test_two_corrected_ones_are_needed(corrected):
    with pytest.raises(LabelMapError, match="two corrected slices"):
        interpolate_slices(corrected, [0.0, 1.0, 2.0], ONE)
    with pytest.raises(LabelMapError, match="two corrected phases"):
        interpolate_phases(corrected, [0.0, 1.0, 2.0], 3.0, ONE)


def test_a_cycle_must_hold_its_phases():
    with pytest.raises(LabelMapError, match="is shorter than"):
        interpolate_phases({0: disc(8.0), 2: disc(9.0)}, [0.0, 50.0, 100.0], 100.0, ONE)


def test_what_cannot_be_between_is_refused():
    with pytest.raises(LabelMapError, match="shapes"):
        between(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8), 0.5, ONE)
    with pytest.raises(LabelMapError, match="0 to 1"):
        between(disc(4.0), disc(5.0), 1.5, ONE)
