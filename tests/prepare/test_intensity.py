import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cmr_viewer.prepare.intensity import normalise

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
