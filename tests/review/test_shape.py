import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.checks import Check, check_frame
from cmr_viewer.review.contours import has_closed_ring, outline_mask
from cmr_viewer.review.shape import (
    fill_at,
    fill_holes,
    grow,
    keep_largest,
    nudge,
    remove,
    signed_distance_mm,
    smooth,
    take_over,
)
from tests.review.hearts import HEARTS, SCRIBBLES, SPACINGS, areas, disc, drawn, heart, roughened

ONE_OR_ALL = st.sampled_from([None, *STRUCTURES])
ONE = (1.0, 1.0)


def border_length(labels, label):
    """Edges between pixels inside and outside the outline: what smoothing shortens."""
    mask = outline_mask(labels, label).astype(int)
    return int(np.abs(np.diff(mask, axis=0)).sum() + np.abs(np.diff(mask, axis=1)).sum())


def checks_of(labels):
    return {finding.check for finding in check_frame(FrameIndex(0, 0), labels, None)}


# fill


def test_holes_of_the_blood_pool_are_filled_whatever_is_in_them():
    labels = drawn("....... .11111. .1.121. .11111. .......")
    np.testing.assert_array_equal(fill_holes(labels, Label.LVBP), drawn("....... .11111. .11111. .11111. ......."))


def test_a_hole_inside_the_epicardium_becomes_what_is_nearest():
    labels = drawn("....... .22222. .2.222. .22212. .22222. .......")
    np.testing.assert_array_equal(fill_holes(labels, Label.LVM)[2, 2], Label.LVM)
    inside = drawn(".....  .222. .2.2. .212. .222. .....")
    np.testing.assert_array_equal(fill_holes(inside, Label.LVM)[2, 2] in (Label.LVBP, Label.LVM), True)


def test_filling_everything_leaves_an_open_bay_alone():
    labels = drawn(".333. .3.3. .3.3. .....")
    np.testing.assert_array_equal(fill_holes(labels), labels)


@settings(deadline=None)
@given(SCRIBBLES)
def test_after_filling_everything_no_check_finds_a_hole_and_no_label_is_lost(labels):
    filled = fill_holes(labels)
    assert Check.HOLES not in checks_of(filled)
    np.testing.assert_array_equal(filled[labels > 0], labels[labels > 0])


def test_a_closed_region_is_filled_from_a_point():
    labels = drawn("..... .222. .2.2. .222. .....")
    np.testing.assert_array_equal(fill_at(labels, (2.2, 1.8), Label.LVBP), drawn("..... .222. .212. .222. ....."))


def test_a_piece_of_a_label_is_filled_with_another_also_at_the_edge_of_the_frame():
    labels = drawn("33.33 33.33 .....")
    np.testing.assert_array_equal(fill_at(labels, (0, 0), Label.LVM), drawn("22.33 22.33 ....."))


@pytest.mark.parametrize("point", [(0.0, 0.0), (4.0, 4.0)])
def test_background_that_is_open_is_not_filled(point):
    with pytest.raises(LabelMapError, match="No closed outline"):
        fill_at(drawn("..... .222. .2.2. .222. ....."), point, Label.LVBP)


@pytest.mark.parametrize("point", [(-1.0, 0.0), (0.0, 5.6), (math.nan, 0.0), (math.inf, 1.0)])
def test_nothing_is_filled_outside_the_frame(point):
    with pytest.raises(LabelMapError, match="outside the frame"):
        fill_at(drawn("..... .222. ....."), point, Label.LVBP)


# smooth


@settings(deadline=None, max_examples=40)
@given(HEARTS, st.integers(0, 2**32), st.sampled_from(STRUCTURES), SPACINGS)
def test_a_smoothed_structure_keeps_its_area_to_the_pixel_and_its_ring(labels, seed, label, spacing):
    rough = roughened(labels, seed)
    after = smooth(rough, label, spacing)
    assert areas(after)[label] == areas(rough)[label]
    assert outline_mask(after, label).sum() == outline_mask(rough, label).sum()
    if has_closed_ring(rough):
        assert has_closed_ring(after)


@settings(deadline=None, max_examples=20)
@given(HEARTS, st.integers(0, 2**32))
def test_a_jagged_endocardium_becomes_shorter(labels, seed):
    rough = roughened(labels, seed)
    assert border_length(smooth(rough, Label.LVBP, ONE), Label.LVBP) < border_length(rough, Label.LVBP)


@settings(deadline=None, max_examples=20)
@given(HEARTS, st.integers(0, 2**32))
def test_all_smoothed_together_keep_their_areas_to_five_percent(labels, seed):
    rough = roughened(labels, seed)
    for before, after in zip(areas(rough), areas(smooth(rough, None, ONE)), strict=True):
        assert abs(after - before) <= max(0.05 * before, 12)


@settings(deadline=None)
@given(SCRIBBLES, ONE_OR_ALL)
def test_scribbles_can_be_smoothed(labels, label):
    before = labels.copy()
    after = smooth(labels, label, ONE)
    np.testing.assert_array_equal(labels, before)
    if label is not None:
        assert areas(after)[label] == areas(before)[label]


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan])
def test_a_width_that_is_not_positive_is_refused(width):
    with pytest.raises(LabelMapError, match="positive width"):
        smooth(heart(), None, ONE, width)


# grow


@pytest.mark.parametrize("by_mm", [-3.0, -1.0, -0.5, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 0.7), (1.2, 1.5)])
def test_a_disc_grows_to_the_disc_of_the_larger_radius(by_mm, spacing):
    middle = (32.0, 32.0)
    labels = disc(14.0, middle=middle, shape=(72, 72), spacing=spacing)
    area = (grow(labels, Label.LVBP, by_mm, spacing) > 0).sum() * spacing[0] * spacing[1]
    assert area == pytest.approx(math.pi * (14.0 + by_mm) ** 2, rel=0.05)


@settings(deadline=None, max_examples=40)
@given(st.one_of(SCRIBBLES, HEARTS), ONE_OR_ALL, st.floats(0.1, 4), SPACINGS)
def test_growing_only_adds_shrinking_only_takes_away_and_a_ring_stays_closed(labels, label, by_mm, spacing):
    larger, smaller = grow(labels, label, by_mm, spacing), grow(labels, label, -by_mm, spacing)
    for each in STRUCTURES if label is None else (label,):
        mask = outline_mask(labels, each)
        if each in labels:
            assert not (mask & ~outline_mask(larger, each)).any()
            assert not (outline_mask(smaller, each) & ~mask).any()
    for after in (larger, smaller):
        if has_closed_ring(labels) and Label.LVBP in after:
            assert has_closed_ring(after)


@settings(deadline=None, max_examples=40)
@given(st.one_of(SCRIBBLES, HEARTS), st.sampled_from(STRUCTURES), st.floats(-4, 4))
def test_growing_and_shrinking_change_no_other_structure_but_the_wall_with_the_endocardium(labels, label, by_mm):
    after = grow(labels, label, by_mm, ONE)
    for other in STRUCTURES:
        if other is not label and not (label is Label.LVBP and other is Label.LVM):
            np.testing.assert_array_equal(after == other, labels == other)


def test_half_steps_add_up_to_about_a_whole_one():
    labels = disc(12.0)
    steps = labels
    for _ in range(4):
        steps = grow(steps, Label.LVBP, 0.5, ONE)
    whole = grow(labels, Label.LVBP, 2.0, ONE)
    assert (steps > 0).sum() == pytest.approx((whole > 0).sum(), rel=0.05)


def test_the_endocardium_grows_into_the_wall_and_gives_it_back():
    labels = heart()
    larger = grow(labels, Label.LVBP, 1.0, ONE)
    np.testing.assert_array_equal(outline_mask(larger, Label.LVM), outline_mask(labels, Label.LVM))
    assert areas(larger)[Label.LVBP] > areas(labels)[Label.LVBP]
    back = grow(larger, Label.LVBP, -1.0, ONE)
    assert areas(back)[Label.LVBP] == pytest.approx(areas(labels)[Label.LVBP], rel=0.03)


def test_a_structure_shrinks_away_and_what_is_not_there_does_not_grow():
    assert not grow(disc(3.0, Label.RVBP), Label.RVBP, -10.0, ONE).any()
    empty = np.zeros((9, 9), np.uint8)
    assert not grow(empty, None, 5.0, ONE).any()


def test_a_signed_distance_is_that_of_the_edge_between_pixels():
    field = signed_distance_mm(disc(10.0) > 0, ONE)
    assert field[32, 32] == pytest.approx(-9.5, abs=0.6)
    assert field[32, 52] == pytest.approx(10.5, abs=0.6)
    assert signed_distance_mm(np.ones((4, 5), bool), ONE).max() < 0


# nudge


@settings(deadline=None)
@given(SCRIBBLES, st.integers(-16, 16), st.integers(-16, 16))
def test_the_whole_map_moves_by_whole_pixels(labels, rows, cols):
    expected = np.zeros_like(labels)
    for row in range(14):
        for col in range(12):
            if 0 <= row - rows < 14 and 0 <= col - cols < 12:
                expected[row, col] = labels[row - rows, col - cols]
    np.testing.assert_array_equal(nudge(labels, None, rows, cols), expected)


def test_one_outline_moves_and_the_others_make_room():
    labels = heart()
    after = nudge(labels, Label.LVBP, 0, 2)
    np.testing.assert_array_equal(after == Label.LVBP, np.roll(labels == Label.LVBP, 2, axis=1))
    np.testing.assert_array_equal(outline_mask(after, Label.LVM), outline_mask(labels, Label.LVM))
    np.testing.assert_array_equal(nudge(after, Label.LVBP, 0, -2), labels)


def test_a_structure_that_is_not_there_cannot_be_moved():
    labels = disc(5.0, Label.LVM)
    np.testing.assert_array_equal(nudge(labels, Label.RVBP, 1, 0), labels)


# tidy


def test_smaller_pieces_become_what_surrounds_them():
    labels = drawn("....... .22222. .21112. .21212. .21112. .22222. ......1")
    np.testing.assert_array_equal(
        keep_largest(labels), drawn("....... .22222. .21112. .21112. .21112. .22222. .......")
    )


def test_only_the_label_asked_for_is_tidied():
    labels = drawn("33.1. 33... ....3 .....")
    np.testing.assert_array_equal(keep_largest(labels, Label.LVBP), labels)
    np.testing.assert_array_equal(keep_largest(labels, Label.RVBP), drawn("33.1. 33... ..... ....."))


@settings(deadline=None)
@given(SCRIBBLES, st.sampled_from(STRUCTURES))
def test_one_piece_is_left_of_a_tidied_label(labels, label):
    after = keep_largest(labels, label)
    assert ndimage.label(after == label, np.ones((3, 3)))[1] == min(1, int((labels == label).any()))


@given(SCRIBBLES, ONE_OR_ALL)
def test_a_removed_label_is_background(labels, label):
    after = remove(labels, label)
    gone = labels > 0 if label is None else labels == label
    np.testing.assert_array_equal(after, np.where(gone, 0, labels))


# take over


@given(SCRIBBLES, SCRIBBLES)
def test_everything_taken_over_is_a_copy(source, target):
    after = take_over(source, target)
    np.testing.assert_array_equal(after, source)
    assert after is not source


def test_one_outline_is_taken_over_and_leaves_no_gap():
    source, target = heart(endo=7.0), heart(endo=11.0, rv=9.0)
    after = take_over(source, target, Label.LVBP)
    np.testing.assert_array_equal(after == Label.LVBP, source == Label.LVBP)
    np.testing.assert_array_equal(outline_mask(after, Label.LVM), outline_mask(target, Label.LVM))
    np.testing.assert_array_equal(after == Label.RVBP, target == Label.RVBP)


def test_the_wall_alone_comes_into_an_empty_frame_as_a_ring():
    source = heart()
    after = take_over(source, np.zeros_like(source), Label.LVM)
    np.testing.assert_array_equal(after == Label.LVM, source == Label.LVM)
    assert not (after == Label.LVBP).any()


def test_frames_of_other_sizes_are_refused():
    with pytest.raises(LabelMapError, match="Could not copy"):
        take_over(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8))
