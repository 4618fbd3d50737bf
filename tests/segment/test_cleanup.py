import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from cmr_viewer.segment.cleanup import clean, largest_component


def drawn(text: str) -> NDArray[np.uint8]:
    """A label map as it is drawn; a dot is background."""
    return np.array([[0 if c == "." else int(c) for c in line] for line in text.split()], np.uint8)


def test_the_largest_component_stays() -> None:
    mask = drawn("11..1 11..1 ....1 1....") == 1
    assert_array_equal(largest_component(mask), drawn("11... 11... ..... .....") == 1)


def test_of_equals_the_first_stays() -> None:
    assert_array_equal(largest_component(drawn("11.11") == 1), drawn("11...") == 1)


def test_corners_connect() -> None:
    mask = drawn("1... .1.. ..1. 1...") == 1
    assert_array_equal(largest_component(mask), drawn("1... .1.. ..1. ....") == 1)


def test_one_component_or_none_is_left_as_it_is() -> None:
    for text in ("....", ".11."):
        mask = drawn(text) == 1
        assert_array_equal(largest_component(mask), mask)


def test_islands_of_the_left_ventricle_go() -> None:
    assert_array_equal(
        clean(drawn(".222..2 .212..1 .222... ....... 1......")),
        drawn(".222... .212... .222... ....... ......."),
    )


def test_blood_pool_and_myocardium_count_together() -> None:
    # the blood pool lies in two parts that the myocardium joins
    labels = drawn("22222 21212 22222")
    assert_array_equal(clean(labels), labels)


def test_islands_of_the_right_ventricle_go_while_the_left_stays() -> None:
    assert_array_equal(clean(drawn("33.222 33.212 ...222 3.....")), drawn("33.222 33.212 ...222 ......"))


def test_holes_inside_the_epicardium_become_blood_pool() -> None:
    assert_array_equal(clean(drawn("22222 2...2 2.1.2 2...2 22222")), drawn("22222 21112 21112 21112 22222"))


def test_an_island_that_goes_leaves_a_hole_that_is_filled() -> None:
    # the small blood pool inside the ring touches it nowhere and is smaller than the ring
    assert_array_equal(
        clean(drawn("22222 2...2 2.1.2 2...2 22222"))[1:4, 1:4],
        np.ones((3, 3)),
    )


def test_an_open_ring_is_not_filled() -> None:
    labels = drawn("22222 2...2 2...2 22.22")
    assert_array_equal(clean(labels), labels)


def test_right_blood_pool_inside_the_left_is_not_taken_over() -> None:
    labels = drawn("22222 23..2 22222")
    assert_array_equal(clean(labels), drawn("22222 23112 22222"))


def test_an_empty_label_map_stays_empty() -> None:
    assert not clean(np.zeros((4, 5), np.uint8)).any()


@settings(deadline=None, max_examples=60)
@given(labels=arrays(np.uint8, (9, 8), elements=st.integers(0, 3)))
def test_cleaning_twice_changes_nothing_more_and_the_input_stays(labels: NDArray[np.uint8]) -> None:
    before = labels.copy()
    once = clean(labels)
    assert_array_equal(labels, before)
    assert_array_equal(clean(once), once)
    assert once.dtype == np.uint8
