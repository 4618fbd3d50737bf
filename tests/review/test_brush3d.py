import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.brush3d import discs_of_ball
from cmr_viewer.review.edit import paint_line

SHAPE = (48, 40)


def stack(positions, spacing=(1.0, 1.0)):
    return Geometry(*SHAPE, spacing, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), tuple(positions))


def straight(count, apart, spacing=(1.0, 1.0)):
    return stack([(0.0, 0.0, -apart * each) for each in range(count)], spacing)


def test_a_ball_cuts_discs_by_pythagoras():
    discs = discs_of_ball(straight(7, 3.0), 3, 5.0)
    assert sorted(discs) == [2, 3, 4]
    assert discs[3].radius_px == 5.0
    assert discs[2].radius_px == discs[4].radius_px == pytest.approx(4.0)
    assert all(each.shift == (0.0, 0.0) for each in discs.values())


def test_the_radius_in_mm_follows_from_the_pixel_spacing():
    discs = discs_of_ball(straight(3, 8.0, (2.0, 2.0)), 1, 5.0)
    assert discs[0].radius_px == pytest.approx(math.sqrt(10.0**2 - 8.0**2) / 2.0)


def test_a_slice_that_is_only_touched_or_beyond_is_left_alone():
    assert sorted(discs_of_ball(straight(5, 5.0), 2, 5.0)) == [2]
    assert sorted(discs_of_ball(straight(5, 10.0), 0, 5.0)) == [0]


def test_slices_that_lie_askew_get_the_disc_beneath_the_point():
    discs = discs_of_ball(stack([(0.0, 0.0, 0.0), (4.0, -6.0, 3.0)], (2.0, 1.0)), 0, 5.0)
    assert discs[1].shift == pytest.approx((3.0, -4.0))


@settings(deadline=None, max_examples=30)
@given(
    st.floats(0.5, 12),
    st.floats(1, 12),
    st.tuples(st.floats(10, 36), st.floats(10, 30)),
    st.sampled_from([(1.0, 1.0), (1.5, 1.5)]),
)
def test_exactly_what_lies_within_the_ball_is_painted(radius, apart, point, spacing):
    geometry = straight(5, apart, spacing)
    rows, cols = np.indices(SHAPE)
    beside = np.hypot(rows - point[0], cols - point[1]) * spacing[0]
    painted = discs_of_ball(geometry, 2, radius)
    for each in range(5):
        labels = np.zeros(SHAPE, np.uint8)
        if each in painted:
            painted[each].paint(labels, point, point, Label.RVBP).apply(labels)
        distance = np.hypot(beside, apart * (each - 2))
        clear = np.abs(distance - radius * spacing[0]) > 1e-5
        under = np.hypot(rows - point[0], cols - point[1]) < 0.75  # the pixel under the point is always painted
        np.testing.assert_array_equal((labels > 0)[clear & ~under], (distance < radius * spacing[0])[clear & ~under])


def test_the_ball_moves_along_a_line_and_paints_only_over_what_it_may():
    labels = np.full(SHAPE, Label.LVM, np.uint8)
    labels[:, 20:] = Label.LVBP
    disc = discs_of_ball(straight(3, 3.0), 1, 5.0)[0]
    after = labels.copy()
    disc.paint(labels, (20.0, 10.0), (20.0, 30.0), Label.BACKGROUND, only_over={Label.LVBP}).apply(after)
    assert (after[:, :20] == Label.LVM).all()
    assert (after[16:25, 20:30] == Label.BACKGROUND).all()
    assert (after[15] == labels[15]).all()


def test_in_its_own_slice_it_is_the_round_brush():
    labels = np.zeros(SHAPE, np.uint8)
    ball, round_brush = labels.copy(), labels.copy()
    discs_of_ball(straight(3, 8.0, (1.2, 1.5)), 1, 6.5)[1].paint(labels, (20.2, 18.7), (20.2, 18.7), Label.LVM).apply(
        ball
    )
    paint_line(labels, (20.2, 18.7), (20.2, 18.7), 6.5, Label.LVM).apply(round_brush)
    np.testing.assert_array_equal(ball, round_brush)


@pytest.mark.parametrize(("slice_index", "radius"), [(-1, 2.0), (3, 2.0), (1, 0.0), (1, -1.0), (1, math.nan)])
def test_a_ball_that_cannot_be_is_refused(slice_index, radius):
    with pytest.raises(LabelMapError, match="positive radius"):
        discs_of_ball(straight(3, 8.0), slice_index, radius)
