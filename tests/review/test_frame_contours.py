import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.polygons import fill_polygon, trace
from cmr_viewer.review.frame_contours import (
    contours_of,
    enclosed,
    exact_line,
    filled,
    fits,
    frame_contours,
    refreshed,
    with_contour,
)
from cmr_viewer.review.spline import contour_through, knot_moved, pulled, redrawn

SHAPE = (64, 72)


def heart(row=32.0, col=40.0, endo=9.0, epi=14.0, squash=1.0, rv=12.0) -> LabelMap:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    away = np.hypot(y - row, (x - col) * squash)
    labels = np.zeros(SHAPE, np.uint8)
    labels[np.hypot(y - row, x - col + epi) < rv] = Label.RVBP
    labels[away < epi] = Label.LVM
    labels[away < endo] = Label.LVBP
    return labels


hearts = st.builds(
    heart,
    st.floats(28, 36),
    st.floats(36, 44),
    st.floats(4, 9),
    st.floats(11, 15),
    st.floats(0.8, 1.2),
    st.floats(4, 16),
)
noise = arrays(np.uint8, st.tuples(st.integers(2, 12), st.integers(2, 12)), elements=st.integers(0, 3))


@settings(deadline=None, max_examples=60)
@given(noise)
def test_every_label_map_comes_back_from_its_contours(labels):
    contours = frame_contours(labels)
    for label in STRUCTURES:
        np.testing.assert_array_equal(filled(contours[label], labels.shape), enclosed(labels, label))
        for contour in contours[label]:
            np.testing.assert_array_equal(with_contour(labels, label, contour, contour), labels)


@settings(deadline=None, max_examples=30)
@given(hearts)
def test_the_contours_of_a_heart_hold_it_pixel_for_pixel_and_are_smooth(labels):
    contours = frame_contours(labels)
    painted = np.zeros(SHAPE, np.uint8)
    for label in (Label.RVBP, Label.LVM, Label.LVBP):
        painted[filled(contours[label], SHAPE)] = label
    np.testing.assert_array_equal(painted, labels)
    for label in (Label.LVBP, Label.LVM):
        (contour,) = contours[label]
        assert len(contour.knots) <= 12
        corners = trace(enclosed(labels, label))[0]
        assert contour.length_px < 0.87 * len(corners)  # a circle's is pi/4 of the steps around it


@settings(deadline=None, max_examples=60)
@given(arrays(bool, st.tuples(st.integers(1, 10), st.integers(1, 10))))
def test_the_exact_line_encloses_the_pixels_that_the_corners_enclose(mask):
    for corners in trace(mask):
        np.testing.assert_array_equal(
            fill_polygon(exact_line(corners)[:, ::-1], mask.shape), fill_polygon(corners[:, ::-1], mask.shape)
        )


@settings(deadline=None, max_examples=50)
@given(hearts, st.sampled_from(STRUCTURES), st.tuples(st.floats(-9, 9), st.floats(-9, 9)), st.booleans(), st.data())
def test_an_edit_changes_only_pixels_between_the_contour_before_and_after(labels, label, by, pull, data):
    contours = contours_of(labels, label)
    assume(contours)  # the ring may cover all of a small RV
    contour = contours[0]
    if pull:
        at = data.draw(st.integers(0, len(contour.points) - 1))
        to = contour.points[at] + by
        after = pulled(contour, at, (to[0], to[1]), 8.0)
    else:
        knot = data.draw(st.integers(0, len(contour.knots) - 1))
        to = contour.knot_points[knot] + by
        after = knot_moved(contour, knot, (to[0], to[1]))
    before = labels.copy()
    result = with_contour(labels, label, contour, after)
    np.testing.assert_array_equal(labels, before)
    between = filled([contour], SHAPE) != filled([after], SHAPE)
    assert not ((result != labels) & ~between).any()


@settings(deadline=None, max_examples=40)
@given(hearts, st.tuples(st.floats(-9, 9), st.floats(-9, 9)), st.integers(0, 5))
def test_editing_the_epicardium_leaves_the_blood_pool_and_the_ring_closed(labels, by, knot):
    contour = contours_of(labels, Label.LVM)[0]
    to = contour.knot_points[knot] + by
    result = with_contour(labels, Label.LVM, contour, knot_moved(contour, knot, (to[0], to[1])))
    np.testing.assert_array_equal(result == Label.LVBP, labels == Label.LVBP)
    assert pool_touches(result) <= {Label.LVBP, Label.LVM}


@settings(deadline=None, max_examples=40)
@given(hearts, st.tuples(st.floats(-9, 9), st.floats(-9, 9)), st.integers(0, 5))
def test_the_endocardium_stays_inside_the_epicardium(labels, by, knot):
    contour = contours_of(labels, Label.LVBP)[0]
    to = contour.knot_points[knot] + by
    result = with_contour(labels, Label.LVBP, contour, knot_moved(contour, knot, (to[0], to[1])))
    np.testing.assert_array_equal(result >= 1, labels >= 1)
    np.testing.assert_array_equal((result == 1) | (result == 2), (labels == 1) | (labels == 2))
    assert pool_touches(result) <= {Label.LVBP, Label.LVM}


def pool_touches(labels: LabelMap) -> set[int]:
    """Labels beside the blood pool, on the four sides of its pixels."""
    padded = np.pad(labels, 1)
    pool = padded == Label.LVBP
    return {int(each) for axis in (0, 1) for by in (-1, 1) for each in np.unique(np.roll(padded, by, axis)[pool])}


def test_a_blood_pool_without_myocardium_goes_wherever_its_contour_goes():
    labels = np.where(heart() == Label.LVBP, np.uint8(Label.LVBP), np.uint8(0))
    contour = contours_of(labels, Label.LVBP)[0]
    out = contour.points.mean(axis=0) + (contour.points - contour.points.mean(axis=0)) * 1.3
    grown = with_contour(labels, Label.LVBP, contour, redrawn(contour, np.concatenate([out, out[:20]])))
    assert (grown == Label.LVBP).sum() == pytest.approx(1.69 * (labels == Label.LVBP).sum(), rel=0.06)
    assert set(np.unique(grown)) == {0, 1}


def test_a_new_contour_fills_an_empty_frame_and_the_endocardium_hollows_the_epicardium_out():
    around = np.array([32.0, 40.0])
    corners = np.array([(-1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, -1.0)])
    labels = with_contour(np.zeros(SHAPE, np.uint8), Label.LVM, None, contour_through(around + 14 * corners))
    assert set(np.unique(labels)) == {0, 2}
    result = with_contour(labels, Label.LVBP, None, contour_through(around + 8 * corners))
    assert result[32, 40] == Label.LVBP
    np.testing.assert_array_equal(result > 0, labels > 0)
    assert pool_touches(result) == {1, 2}


def test_a_hole_has_a_contour_of_its_own_that_can_be_closed():
    labels = heart()
    labels[30:33, 18:20] = 0
    labels[32, 20] = 0
    hole = next(contour for contour in contours_of(labels, Label.RVBP) if contour.hole)
    result = with_contour(labels, Label.RVBP, hole, None)
    assert (result == Label.RVBP).sum() > (labels == Label.RVBP).sum()
    assert not any(contour.hole for contour in contours_of(result, Label.RVBP))


def test_contours_that_still_fit_stay_with_their_knots_and_others_are_made_anew():
    labels = heart()
    known = frame_contours(labels)
    changed = labels.copy()
    changed[32, 40] = Label.LVM
    result = refreshed(changed, [known])
    assert result[Label.LVM] is known[Label.LVM]
    assert result[Label.RVBP] is known[Label.RVBP]
    assert result[Label.LVBP] is not known[Label.LVBP]
    assert fits(result[Label.LVBP], changed, Label.LVBP)
    assert refreshed(labels, [result, known])[Label.LVBP] is known[Label.LVBP]


def test_a_contour_that_leaves_the_frame_is_cut_off():
    labels = heart()
    contour = contours_of(labels, Label.RVBP)[0]
    out = knot_moved(contour, 0, (-500.0, -500.0))
    assert with_contour(labels, Label.RVBP, contour, out).shape == SHAPE
