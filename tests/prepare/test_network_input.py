import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.prepare.grid import Grid, Placement
from cmr_viewer.prepare.network_input import channels, network_input, normalise, slices_around
from tests.phantom import sax_cine

STACK = sax_cine(phases=2, slices=4, rows=40, cols=36).stack


def test_a_frame_is_between_its_neighbours_base_side_first() -> None:
    around = slices_around(STACK, FrameIndex(1, 2), 1)
    for found, s in zip(around, (1, 2, 3), strict=True):
        assert found is not None
        assert_array_equal(found, STACK.pixels[1, s])


def test_beyond_the_ends_of_the_stack_there_is_nothing() -> None:
    assert [s is None for s in slices_around(STACK, FrameIndex(0, 0), 2)] == [True, True, False, False, False]
    assert [s is None for s in slices_around(STACK, FrameIndex(0, 3), 1)] == [False, False, True]


def test_without_context_a_frame_is_alone() -> None:
    (alone,) = slices_around(STACK, FrameIndex(0, 1), 0)
    assert alone is not None
    assert_array_equal(alone, STACK.pixels[0, 1])


def test_each_slice_is_normalised_by_itself_and_a_missing_one_is_zero() -> None:
    place = Placement(Grid(1.8, 40, 36), (40, 36), (1.8, 1.8), (19.5, 17.5))
    made = network_input([None, STACK.pixels[0, 0], STACK.pixels[0, 1]], place)
    assert made.shape == (3, 40, 36)
    assert not made[0].any()
    assert_array_equal(made[1], normalise(STACK.pixels[0, 0]))
    assert_array_equal(made[2], normalise(STACK.pixels[0, 1]))


def test_channels_are_ordered_by_their_distance() -> None:
    images = [np.full((2, 3), value, np.float32) for value in (1.0, 2.0, 3.0)]
    made = channels(images[1], {1: images[2], -1: images[0]}, 1)
    assert made[:, 0, 0].tolist() == [1.0, 2.0, 3.0]
    assert channels(images[1], {1: images[2]}, 1)[:, 0, 0].tolist() == [0.0, 2.0, 3.0]
    assert channels(images[1], {1: images[2]}, 0).shape == (1, 2, 3)


IMAGE = np.random.default_rng(4).gamma(2.0, 150.0, (40, 30)).astype(np.float32)


def test_the_result_has_mean_zero_and_standard_deviation_one() -> None:
    made = normalise(IMAGE)
    assert made.dtype == np.float32
    assert made.shape == IMAGE.shape
    assert made.mean() == pytest.approx(0.0, abs=1e-5)
    assert made.std() == pytest.approx(1.0, abs=1e-4)


def test_two_values_become_minus_one_and_one() -> None:
    assert_allclose(normalise(np.array([[10, 20], [20, 10]], np.uint16)), [[-1, 1], [1, -1]], atol=1e-6)


@pytest.mark.parametrize("value", [0, 7, 60000])
def test_an_image_of_one_value_becomes_zeros(value: int) -> None:
    assert_array_equal(normalise(np.full((5, 6), value, np.uint16)), np.zeros((5, 6)))


@settings(deadline=None, max_examples=30)
@given(scale=st.floats(0.05, 50.0), offset=st.floats(-500.0, 500.0))
def test_scale_and_offset_of_the_scanner_do_not_matter(scale: float, offset: float) -> None:
    assert_allclose(normalise(IMAGE * scale + offset), normalise(IMAGE), atol=5e-3)


def test_tails_are_clipped() -> None:
    spike = IMAGE.copy()
    spike[3, 4] = 1e6
    made = normalise(spike)
    assert made.max() < 10
    assert made[3, 4] == made.max()


def test_without_clipping_all_values_count() -> None:
    values = np.arange(100.0).reshape(10, 10)
    made = normalise(values, clip_percentiles=(0.0, 100.0))
    assert_allclose(made, (values - 49.5) / values.std(), atol=1e-5)


def test_what_is_outside_the_frame_is_zero_and_does_not_count() -> None:
    inside = np.zeros((40, 50), bool)
    inside[:, 10:40] = True
    padded = np.zeros((40, 50), np.float32)
    padded[:, 10:40] = IMAGE
    made = normalise(padded, inside)
    assert_array_equal(made[~inside], 0.0)
    assert_allclose(made[:, 10:40], normalise(IMAGE), atol=1e-5)


def test_nothing_inside_gives_zeros() -> None:
    assert_array_equal(normalise(IMAGE, np.zeros(IMAGE.shape, bool)), np.zeros(IMAGE.shape))


def test_the_input_is_left_as_it_was() -> None:
    before = IMAGE.copy()
    normalise(IMAGE)
    assert_array_equal(IMAGE, before)
