import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import box_around
from cmr_viewer.review.checks import enclosed_fraction
from cmr_viewer.review.outlines import has_closed_ring, nearest_label, outline_mask, with_outline
from tests.review.hearts import HEARTS, SCRIBBLES, drawn, heart

MASKS = npst.arrays(np.bool_, (14, 12))


def test_the_epicardium_encloses_the_blood_pool():
    labels = drawn("..... .222. .212. .222. 333..")
    assert outline_mask(labels, Label.LVM).sum() == 9
    assert outline_mask(labels, Label.LVBP).sum() == 1
    assert outline_mask(labels, Label.RVBP).sum() == 3


@given(SCRIBBLES)
def test_a_ring_is_closed_where_the_check_finds_it_whole(labels):
    assert has_closed_ring(labels) == (enclosed_fraction(labels) == 1.0)


@settings(deadline=None)
@given(SCRIBBLES, st.sampled_from(STRUCTURES))
def test_an_outline_that_stays_where_it_is_changes_nothing(labels, label):
    same = with_outline(labels, label, outline_mask(labels, label))
    np.testing.assert_array_equal(same, labels)


@settings(deadline=None)
@given(st.one_of(SCRIBBLES, HEARTS), st.sampled_from(STRUCTURES), st.data())
def test_a_closed_ring_stays_closed_and_the_map_given_is_not_changed(labels, label, data):
    before = labels.copy()
    wanted = data.draw(npst.arrays(np.bool_, labels.shape))
    after = with_outline(labels, label, wanted)
    np.testing.assert_array_equal(labels, before)
    assert after.dtype == np.uint8
    assert after.max(initial=0) <= 3
    if has_closed_ring(before) and (after == Label.LVBP).any():
        assert has_closed_ring(after)


@settings(deadline=None)
@given(SCRIBBLES, MASKS, st.sampled_from(STRUCTURES))
def test_the_blood_pool_is_touched_by_no_outline_but_its_own_and_takes_no_rv(labels, wanted, label):
    after = with_outline(labels, label, wanted)
    if label is Label.LVBP:
        np.testing.assert_array_equal(after == Label.RVBP, labels == Label.RVBP)
    else:
        np.testing.assert_array_equal(after == Label.LVBP, labels == Label.LVBP)


@settings(deadline=None)
@given(SCRIBBLES, MASKS)
def test_where_no_ring_is_to_stay_the_outline_is_where_it_was_wanted(labels, wanted):
    labels[labels == Label.LVBP] = Label.BACKGROUND
    for label in (Label.LVM, Label.RVBP):
        np.testing.assert_array_equal(with_outline(labels, label, wanted) == label, wanted)


def test_what_the_blood_pool_gives_up_becomes_wall():
    labels = drawn("....... .22222. .21112. .21112. .22222. .......")
    wanted = np.zeros(labels.shape, bool)
    wanted[2, 2] = True
    after = with_outline(labels, Label.LVBP, wanted)
    np.testing.assert_array_equal(after, drawn("....... .22222. .21222. .22222. .22222. ......."))


def test_what_the_epicardium_gives_up_goes_to_the_structure_beside_it():
    labels = drawn("33222... 33222... 33222...")
    wanted = np.zeros(labels.shape, bool)
    wanted[:, 3] = True
    after = with_outline(labels, Label.LVM, wanted)
    np.testing.assert_array_equal(after, drawn("3332.... 3332.... 3332...."))


def test_an_endocardium_wanted_beyond_the_wall_stops_a_pixel_before():
    labels = heart()
    after = with_outline(labels, Label.LVBP, np.ones(labels.shape, bool))
    np.testing.assert_array_equal(outline_mask(after, Label.LVM), outline_mask(labels, Label.LVM))
    assert has_closed_ring(after)
    assert (after == Label.LVM).sum() < 0.3 * (labels == Label.LVM).sum()


@given(SCRIBBLES, st.integers(0, 13), st.integers(0, 11))
def test_the_nearest_label_is_nearest_by_definition(labels, row, col):
    where = np.zeros(labels.shape, bool)
    where[row, col] = True
    found = nearest_label(labels, (Label.BACKGROUND, Label.RVBP), where)
    points = np.argwhere((labels == 0) | (labels == 3))
    if len(points) == 0:
        assert found.tolist() == [0]
        return
    distances = np.hypot(*(points - (row, col)).T)
    nearest = {int(labels[tuple(point)]) for point in points[distances <= distances.min() + 1e-9]}
    assert int(found[0]) in nearest


@pytest.mark.parametrize(("margin", "expected"), [(0, (2, 4, 1, 3)), (1, (1, 5, 0, 4)), (9, (0, 6, 0, 5))])
def test_a_box_stays_within_the_frame(margin, expected):
    mask = np.zeros((6, 5), bool)
    mask[2, 1] = mask[3, 2] = True
    rows, cols = box_around(mask, margin)
    assert (rows.start, rows.stop, cols.start, cols.stop) == expected


def test_the_box_of_nothing_is_the_frame():
    rows, cols = box_around(np.zeros((6, 5), bool), 1)
    assert (rows.start, rows.stop, cols.start, cols.stop) == (0, 6, 0, 5)
