import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.contours import has_closed_ring, outline_mask
from cmr_viewer.review.ring import close_ring, convex_hull, include_papillaries, ring_of_thickness
from tests.review.hearts import HEARTS, SCRIBBLES, SPACINGS, areas, disc, drawn, heart, radius_mm

ONE = (1.0, 1.0)


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
