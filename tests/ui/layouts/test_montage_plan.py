from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRect, QSize

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.layouts.montage_plan import SIDES, montage_plan

PLANS = st.builds(
    montage_plan,
    st.builds(QSize, st.integers(60, 4000), st.integers(60, 2200)),
    st.sampled_from([(0,), (0, 7), tuple(range(30))]),
    st.integers(1, 20),
    wraps=st.booleans(),
    zoom=st.floats(1.0, 6.0),
)


def test_slices_stand_below_one_another_and_phases_side_by_side():
    plan = montage_plan(QSize(800, 600), range(5), 4, wraps=False)
    first, right, below = (plan.place_of(FrameIndex(*at)) for at in ((0, 0), (1, 0), (0, 1)))
    assert (right.left() > first.right(), right.top()) == (True, first.top())
    assert (below.left(), below.top() > first.bottom()) == (first.left(), True)


def test_pairs_of_ed_and_es_stand_together_in_rows_from_the_base():
    plan = montage_plan(QSize(1200, 600), (3, 8), 6, wraps=True)
    assert plan.blocks > 1
    ed, es, other = (plan.place_of(FrameIndex(*at)) for at in ((3, 0), (8, 0), (3, 1)))
    assert ed.right() < es.left() < es.right() < other.left()
    assert ed.top() == es.top() == other.top()
    assert other.left() - es.right() > es.left() - ed.right()


def test_all_slices_fill_the_room_as_well_as_squares_can():
    room = QSize(1000, 500)
    plan = montage_plan(room, (0,), 8, wraps=True)
    assert (plan.blocks, plan.rows) == (4, 2)
    assert plan.size.width() <= room.width() and plan.size.height() <= room.height()


def test_thumbnails_are_never_too_small_to_see():
    assert montage_plan(QSize(300, 200), range(30), 20, wraps=False).side == SIDES[0]


@given(PLANS)
def test_the_frame_at_the_middle_of_each_thumbnail_is_its_own(plan):
    for frame in plan.frames:
        place = plan.place_of(frame)
        assert place is not None and plan.frame_at(place.center()) == frame


@given(PLANS)
def test_no_thumbnails_overlap_and_all_lie_within_the_size(plan):
    places = [plan.place_of(frame) for frame in plan.frames]
    whole = QRect(QPoint(0, 0), plan.size)
    assert all(whole.contains(place) for place in places)
    for here, there in pairwise(places):
        assert not here.intersects(there)


@given(PLANS, st.integers(0, 2000), st.integers(0, 2000))
def test_what_is_seen_is_what_the_area_touches(plan, left, top):
    area = QRect(left, top, 300, 200)
    touched = {
        (index, column)
        for index in range(plan.slices)
        for column in range(len(plan.phases))
        if plan.place(index, column).intersects(area)
    }
    assert set(plan.seen(area)) == touched


@pytest.mark.parametrize("frame", [FrameIndex(4, 0), FrameIndex(0, 9)])
def test_a_frame_that_is_not_in_the_montage_has_no_place(frame):
    assert montage_plan(QSize(800, 600), (0, 2), 6, wraps=True).place_of(frame) is None
