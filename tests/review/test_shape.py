import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import dice
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.checks import Check, check_frame
from cmr_viewer.review.correction import Correction, Tool
from cmr_viewer.review.outlines import has_closed_ring, outline_mask
from cmr_viewer.review.shape import (
    close_ring,
    convex_hull,
    corrected,
    fill_at,
    fill_holes,
    grow,
    include_papillaries,
    keep_largest,
    nudge,
    remove,
    ring_of_thickness,
    signed_distance_mm,
    smooth,
    take_over,
)
from tests.review.hearts import HEARTS, SCRIBBLES, SPACINGS, areas, disc, drawn, heart, radius_mm, roughened

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


def opened(labels, wedge_deg, middle=(32.0, 42.0)):
    """A heart whose wall is background over an angle below it."""
    rows, cols = np.indices(labels.shape)
    angle = np.degrees(np.arctan2(rows - middle[0], cols - middle[1]))
    result = labels.copy()
    result[(np.abs(angle - 90) < wedge_deg / 2) & (labels == Label.LVM)] = Label.BACKGROUND
    return result


@pytest.mark.parametrize("thickness", [4.0, 8.0, 12.5])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.8, 0.8), (1.2, 1.5)])
def test_a_ring_has_the_area_between_two_circles(thickness, spacing):
    labels = ring_of_thickness(disc(12.0, spacing=spacing), thickness, spacing)
    area = areas(labels)[Label.LVM] * spacing[0] * spacing[1]
    assert area == pytest.approx(math.pi * ((12.0 + thickness) ** 2 - 12.0**2), rel=0.06)
    assert has_closed_ring(labels)


def test_a_ring_takes_the_place_of_the_wall_and_leaves_the_rv():
    labels = heart()
    thin = ring_of_thickness(labels, 3.0, ONE)
    np.testing.assert_array_equal(thin == Label.RVBP, labels == Label.RVBP)
    np.testing.assert_array_equal(thin == Label.LVBP, labels == Label.LVBP)
    assert areas(thin)[Label.LVM] < areas(labels)[Label.LVM]
    thick = ring_of_thickness(labels, 20.0, ONE)
    np.testing.assert_array_equal(thick == Label.RVBP, labels == Label.RVBP)


@settings(deadline=None)
@given(SCRIBBLES, SPACINGS)
def test_after_making_a_ring_it_is_closed_wherever_the_frame_has_room(labels, spacing):
    labels[[0, -1]] = 0
    labels[:, [0, -1]] = 0
    ring, closed = ring_of_thickness(labels, 3.0, spacing), close_ring(labels, spacing)
    for after in (ring, closed):
        np.testing.assert_array_equal(after == Label.LVBP, labels == Label.LVBP)
    assert has_closed_ring(ring) == (Label.LVBP in labels)
    if Label.LVM in labels:
        assert has_closed_ring(closed) == (Label.LVBP in labels)


@pytest.mark.parametrize("thickness", [0.0, 1.9, 25.1, math.nan])
def test_a_wall_that_no_heart_has_is_refused(thickness):
    with pytest.raises(LabelMapError, match="Choose 2 to 25 mm"):
        ring_of_thickness(heart(), thickness, ONE)


@pytest.mark.parametrize("wedge", [30, 90, 180])
def test_a_gap_is_closed_as_thick_as_the_wall_beside_it(wedge):
    whole = heart(rv=0.0)
    closed = close_ring(opened(whole, wedge), ONE)
    assert has_closed_ring(closed)
    assert areas(closed)[Label.LVM] == pytest.approx(areas(whole)[Label.LVM], rel=0.05)
    outside = closed[whole == Label.BACKGROUND]
    assert (outside == Label.LVM).sum() < 0.05 * areas(whole)[Label.LVM]


@settings(deadline=None, max_examples=30)
@given(HEARTS)
def test_a_ring_that_is_whole_stays_as_it_is_but_for_a_pixel_of_its_rim(labels):
    closed = close_ring(labels, ONE)
    np.testing.assert_array_equal(closed[labels > 0], labels[labels > 0])
    assert (closed != labels).sum() <= 0.1 * areas(labels)[Label.LVM]


def test_background_between_blood_pool_and_wall_is_filled():
    labels = heart(rv=0.0)
    radius = radius_mm(labels.shape, (32.0, 42.0))
    labels[(radius > 10) & (radius < 13)] = Label.BACKGROUND
    closed = close_ring(labels, ONE)
    assert not (closed[(radius > 10) & (radius < 15)] == Label.BACKGROUND).any()


def test_without_blood_pool_or_wall_there_is_no_ring_to_close():
    for labels in (disc(8.0, Label.LVM), disc(8.0, Label.LVBP), np.zeros((8, 8), np.uint8)):
        np.testing.assert_array_equal(close_ring(labels, ONE), labels)
    np.testing.assert_array_equal(ring_of_thickness(disc(8.0, Label.RVBP), 8.0, ONE), disc(8.0, Label.RVBP))


def test_dark_papillary_muscles_become_blood_pool():
    whole = heart(endo=10.0, epi=16.0)
    labels = whole.copy()
    for row, col in ((26, 42), (38, 45)):
        muscle = radius_mm(labels.shape, (row, col)) < 2.5
        labels[muscle] = Label.LVM
    labels[radius_mm(labels.shape, (23.0, 38.0)) < 3.0] = Label.LVM  # one that touches the wall
    after = include_papillaries(labels)
    assert (after != whole).sum() <= 8  # the hull of pixels of a disc is a little less than the disc
    assert has_closed_ring(after)


@settings(deadline=None, max_examples=40)
@given(st.one_of(SCRIBBLES, HEARTS))
def test_inclusion_only_adds_blood_pool_and_keeps_epicardium_rv_and_ring(labels):
    after = include_papillaries(labels)
    assert (after[labels == Label.LVBP] == Label.LVBP).all()
    np.testing.assert_array_equal(after == Label.RVBP, labels == Label.RVBP)
    if has_closed_ring(labels):
        assert has_closed_ring(after)
        np.testing.assert_array_equal(outline_mask(after, Label.LVM), outline_mask(labels, Label.LVM))
    again = include_papillaries(after)
    if has_closed_ring(labels) == has_closed_ring(after):
        np.testing.assert_array_equal(again, after)


def test_the_hull_of_a_triangle_holds_the_pixels_between_its_corners():
    mask = drawn("1...1 ..... ..1.. ..... .....") > 0
    np.testing.assert_array_equal(convex_hull(mask), drawn("11111 .111. ..1.. ..... .....") > 0)


@pytest.mark.parametrize("text", ["..... .....", "..1.. .....", "1.1.1 .....", "1.... .1... ..1.."])
def test_the_hull_of_a_line_or_less_is_itself(text):
    mask = drawn(text) > 0
    np.testing.assert_array_equal(convex_hull(mask), mask)


def test_pixels_much_longer_than_wide_do_not_hide_a_wall_of_one_pixel():
    labels = np.zeros((12, 12), np.uint8)
    labels[4:7, 4:7] = Label.LVBP
    labels[4:7, 7] = Label.LVM  # across, its centre is 0.4 mm from the blood's, and half a mean pixel is 0.55 mm
    closed = close_ring(labels, (3.0, 0.4))
    assert has_closed_ring(closed)
    assert (closed == Label.LVBP).sum() == 9


SPACING = (1.2, 1.5)
ROUGH = roughened(heart(), 7)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Correction(Tool.FILL_HOLES, Label.LVBP), fill_holes(ROUGH, Label.LVBP)),
        (Correction(Tool.SMOOTH), smooth(ROUGH, None, SPACING)),
        (Correction(Tool.GROW, Label.RVBP, by_mm=2.0), grow(ROUGH, Label.RVBP, 2.0, SPACING)),
        (Correction(Tool.SHRINK, Label.RVBP, by_mm=2.0), grow(ROUGH, Label.RVBP, -2.0, SPACING)),
        (Correction(Tool.NUDGE, None, rows=2, cols=-3), np.roll(ROUGH, (2, -3), axis=(0, 1))),
        (Correction(Tool.KEEP_LARGEST, Label.LVM), keep_largest(ROUGH, Label.LVM)),
        (Correction(Tool.REMOVE, Label.LVM), np.where(ROUGH == Label.LVM, 0, ROUGH)),
        (Correction(Tool.RING, by_mm=7.0), ring_of_thickness(ROUGH, 7.0, SPACING)),
        (Correction(Tool.CLOSE_RING), close_ring(ROUGH, SPACING)),
        (Correction(Tool.PAPILLARIES), include_papillaries(ROUGH)),
    ],
)
def test_each_tool_does_what_it_is_called(wanted, expected):
    np.testing.assert_array_equal(corrected(ROUGH, wanted, SPACING), expected)


@settings(deadline=None, max_examples=60)
@given(st.one_of(SCRIBBLES, HEARTS), st.sampled_from(Tool), st.sampled_from([None, *STRUCTURES]))
def test_any_tool_gives_a_label_map_of_its_own_from_any_label_map(labels, tool, label):
    before = labels.copy()
    grey = np.random.default_rng(1).normal(size=labels.shape)
    after = corrected(labels, Correction(tool, label, by_mm=3.0, rows=1, cols=-1), SPACING, grey)
    np.testing.assert_array_equal(labels, before)
    assert after.shape == labels.shape
    assert after.dtype == np.uint8
    assert set(np.unique(after)) <= {0, 1, 2, 3}
    assert not np.shares_memory(after, labels)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Correction(Tool.SMOOTH, Label.LVM), "smooth LV myocardium"),
        (Correction(Tool.SNAP, Label.LVM), "snap LV myocardium to the edge"),
        (Correction(Tool.FILL_HOLES), "fill holes of all labels"),
        (Correction(Tool.RING, by_mm=7.5), "draw a ring of LV myocardium of 7.5 mm"),
        (Correction(Tool.PAPILLARIES, Label.LVBP), "include papillary muscles"),
    ],
)
def test_what_is_done_has_a_text(wanted, text):
    assert wanted.text == text


@pytest.mark.parametrize("tool", Tool)
@pytest.mark.parametrize("label", [None, Label.RVBP])
def test_where_there_is_nothing_to_do_a_sentence_states_why(tool, label):
    why = Correction(tool, label).nothing
    assert why.endswith(".")
    assert len(why) > 20


def test_a_correction_snaps_all_outlines_and_needs_the_image():
    labels = heart()
    grey = ndimage.gaussian_filter(np.choose(labels, [70.0, 200.0, 40.0, 180.0]), 1.0)
    large = grow(labels, None, 1.5, SPACING)
    after = corrected(large, Correction(Tool.SNAP), SPACING, grey)
    for label in STRUCTURES:
        assert dice(after, labels, label) > dice(large, labels, label)
    with pytest.raises(LabelMapError, match="no image"):
        corrected(large, Correction(Tool.SNAP), SPACING)
