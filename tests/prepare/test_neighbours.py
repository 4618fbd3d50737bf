import numpy as np
from numpy.testing import assert_array_equal

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.prepare.grid import Grid, Placement
from cmr_viewer.prepare.intensity import normalise
from cmr_viewer.prepare.neighbours import channels, network_input, slices_around
from tests.phantom import sax_cine

STACK = sax_cine(phases=2, slices=4, rows=40, cols=36).stack


def test_a_frame_stands_between_its_neighbours_base_side_first() -> None:
    around = slices_around(STACK, FrameIndex(1, 2), 1)
    for found, s in zip(around, (1, 2, 3), strict=True):
        assert found is not None
        assert_array_equal(found, STACK.pixels[1, s])


def test_beyond_the_ends_of_the_stack_there_is_nothing() -> None:
    assert [s is None for s in slices_around(STACK, FrameIndex(0, 0), 2)] == [True, True, False, False, False]
    assert [s is None for s in slices_around(STACK, FrameIndex(0, 3), 1)] == [False, False, True]


def test_without_context_a_frame_stands_alone() -> None:
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
