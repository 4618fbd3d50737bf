import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cmr_viewer.review.label_difference import Difference, difference_map

LABEL_MAPS = arrays(np.uint8, (5, 4), elements=st.integers(0, 3))


def test_each_pixel_is_added_removed_relabelled_or_as_it_was():
    before = np.array([[0, 0, 1, 1, 2]], np.uint8)
    now = np.array([[0, 3, 1, 0, 1]], np.uint8)
    none, added, removed, other = Difference.NONE, Difference.ADDED, Difference.REMOVED, Difference.RELABELLED
    assert difference_map(before, now).tolist() == [[none, added, none, removed, other]]


@given(LABEL_MAPS, LABEL_MAPS)
def test_turned_round_what_was_added_is_removed(before, now):
    there, back = difference_map(before, now), difference_map(now, before)
    np.testing.assert_array_equal(there == Difference.ADDED, back == Difference.REMOVED)
    np.testing.assert_array_equal(there == Difference.RELABELLED, back == Difference.RELABELLED)
    np.testing.assert_array_equal(there == Difference.NONE, before == now)
