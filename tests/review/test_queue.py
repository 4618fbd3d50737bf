from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.checks import Check, Finding
from cmr_viewer.review.queue import (
    CHECK_CHANCE,
    MASKS_WRONG,
    FrameReview,
    FrameStakes,
    Opinion,
    Stake,
    next_frame,
    queue,
    stake_of,
)

BASE, MIDDLE, APEX, OUTSIDE = Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC
ACCEPTED, DRAFT = ReviewStatus.ACCEPTED, ReviewStatus.DRAFT
FRAMES = [FrameIndex(0, index) for index in range(6)]


def test_the_least_certain_comes_first_and_at_equal_certainty_base_and_apex_before_middle() -> None:
    states = dict(
        zip(
            FRAMES,
            [
                FrameReview(MIDDLE, 0.801),
                FrameReview(OUTSIDE, 0.8),
                FrameReview(APEX, 0.8),
                FrameReview(BASE, 0.799),
                FrameReview(MIDDLE, 0.4),
                FrameReview(BASE, 0.99),
            ],
            strict=True,
        )
    )
    assert [one.frame.slice_index for one in queue(states)] == [4, 3, 2, 0, 1, 5]
    first = next_frame(states)
    assert first is not None
    assert first.frame == FRAMES[4]
    assert first.why == "Region Middle is 40 % certain. 6 left to review, least certain first."


def test_accepted_frames_are_skipped_and_the_search_wraps_around() -> None:
    states = {
        FRAMES[0]: FrameReview(BASE, 0.5),
        FRAMES[1]: FrameReview(BASE, 0.6, status=ACCEPTED),
        FRAMES[2]: FrameReview(BASE, 0.7, status=DRAFT),
    }
    seen, current = [], FRAMES[1]
    for _ in range(3):
        found = next_frame(states, current)
        assert found is not None
        current = found.frame
        seen.append(current.slice_index)
    assert seen == [2, 0, 2]


def test_the_next_frame_is_reported_with_its_draft_or_who_set_the_region() -> None:
    states = {
        FRAMES[0]: FrameReview(None, None),
        FRAMES[1]: FrameReview(BASE, 0.2, status=DRAFT),
        FRAMES[2]: FrameReview(APEX, 0.3, by_reader=True),
    }
    words = [one.why for one in queue(states)]
    assert words[0].startswith("The region of this frame is not classified yet. 3 left")
    assert words[1].startswith("Region Base is 20 % certain. It has a draft. 3 left")
    assert words[2].startswith("You set the region Apex. The label map is not accepted yet. 3 left")


def test_nothing_is_next_where_all_is_accepted_and_the_last_one_left_is_next_to_itself() -> None:
    states = {FRAMES[0]: FrameReview(BASE, 0.5, status=ACCEPTED), FRAMES[1]: FrameReview(BASE, 0.5)}
    left = next_frame(states, FRAMES[1])
    assert left is not None
    assert left.frame == FRAMES[1]
    states[FRAMES[1]] = FrameReview(BASE, 0.5, status=ACCEPTED)
    assert next_frame(states, FRAMES[1]) is None
    assert next_frame({}) is None


@given(
    st.dictionaries(
        st.builds(FrameIndex, st.integers(0, 3), st.integers(0, 5)),
        st.builds(
            FrameReview,
            st.one_of(st.none(), st.sampled_from(Region)),
            st.one_of(st.none(), st.floats(0, 1)),
            st.booleans(),
            st.one_of(st.none(), st.sampled_from(ReviewStatus)),
        ),
        min_size=1,
    )
)
def test_going_from_one_to_the_next_visits_each_frame_that_is_left_once(states: dict) -> None:
    left = {frame for frame, state in states.items() if state.status is not ACCEPTED}
    visited, current = [], None
    for _ in left:
        found = next_frame(states, current)
        assert found is not None
        current = found.frame
        visited.append(current)
    assert sorted(visited) == sorted(left)


def test_most_millilitres_at_stake_come_first_then_the_least_certain_and_last_what_was_looked_at() -> None:
    states = {
        FRAMES[0]: FrameReview(MIDDLE, 0.4, stake=Stake(0.0, "")),
        FRAMES[1]: FrameReview(BASE, 0.99, stake=Stake(1.2, "The baseline differs.")),
        FRAMES[2]: FrameReview(BASE, 0.5, stake=Stake(3.0, "Apex is likely."), looked_at=True),
        FRAMES[3]: FrameReview(APEX, 0.9, stake=Stake(0.0, "A hole.", failed=True)),
        FRAMES[4]: FrameReview(APEX, 0.9, stake=Stake(2.0, "Middle is likely.")),
        FRAMES[5]: FrameReview(BASE, 0.9, stake=Stake(9.0, ""), status=ACCEPTED),
    }
    order = queue(states)
    assert [one.frame.slice_index for one in order] == [4, 1, 3, 0, 2]
    assert order[0].why == "2.0 ml at stake. Middle is likely. 5 left to review, most at stake first."


def test_the_next_is_another_that_was_not_looked_at_as_long_as_there_is_one() -> None:
    states = {
        FRAMES[0]: FrameReview(BASE, 0.5, stake=Stake(3.0, ""), looked_at=True),
        FRAMES[1]: FrameReview(BASE, 0.5, stake=Stake(2.0, "")),
        FRAMES[2]: FrameReview(BASE, 0.5, stake=Stake(1.0, "")),
    }
    for current, after in ((0, 1), (1, 2), (2, 1)):
        found = next_frame(states, FRAMES[current])
        assert found is not None and found.frame == FRAMES[after]


def test_what_es_depends_on_comes_before_more_millilitres_elsewhere() -> None:
    frames = {
        FRAMES[0]: FrameReview(BASE, 0.9, stake=Stake(9.0, "The baseline differs.")),
        FRAMES[1]: FrameReview(BASE, 0.9, stake=Stake(0.4, "Its blood pool is lost.", failed=True, goes_first=True)),
        FRAMES[2]: FrameReview(BASE, 0.9, stake=Stake(0.4, "", goes_first=True), looked_at=True),
    }
    assert [one.frame for one in queue(frames)] == [FRAMES[1], FRAMES[0], FRAMES[2]]


def test_without_a_spacing_no_millilitres_are_reported() -> None:
    frames = {FRAMES[0]: FrameReview(BASE, 0.9, stake=Stake(1.234, "Apex is likely.", in_ml=False))}
    assert queue(frames)[0].why.startswith("1234 pixels at stake.") and " ml" not in queue(frames)[0].why


HERE = FrameIndex(0, 1)


def pixels(lvbp: int) -> np.ndarray:
    return np.array([0, lvbp, 0, 0], np.int64)


def frame() -> FrameStakes:
    return FrameStakes(
        region=Region.BASE,
        by_reader=False,
        chances={Region.BASE: 0.7, Region.MIDDLE: 0.2, Region.NON_CARDIAC: 0.1},
        pixels=pixels(100),
        if_region={
            Region.MIDDLE: Opinion("the baseline", pixels(90)),
            Region.NON_CARDIAC: Opinion("nothing", pixels(0)),
        },
        opinions=[Opinion("the baseline", pixels(90)), Opinion("the apex specialist", pixels(70))],
        findings=(),
        is_ed=True,
        is_es=False,
    )


def test_the_stake_is_chances_times_changes_and_states_the_largest_parts() -> None:
    stake = stake_of(frame(), voxel_ml=0.1)
    assert stake.ml == pytest.approx(0.2 * 1.0 + 0.1 * 10.0 + MASKS_WRONG[Region.BASE] * 3.0)
    assert stake.why == (
        "The apex specialist differs by 3.0 ml. In validation, 55 % of base contours were off by more than 2 ml. "
        "Non-cardiac is 10 % likely and would change 10.0 ml."
    )
    assert stake.is_worth_a_look and not stake.failed


def test_a_region_that_the_reader_gave_is_not_in_doubt() -> None:
    assert stake_of(replace(frame(), by_reader=True), 0.1).ml == pytest.approx(MASKS_WRONG[Region.BASE] * 3.0)


def test_nothing_is_at_stake_where_all_agree() -> None:
    same = replace(frame(), if_region={Region.MIDDLE: Opinion("", pixels(100))}, opinions=[Opinion("", pixels(100))])
    stake = stake_of(same, 0.1)
    assert (stake.ml, stake.why, stake.is_worth_a_look) == (0.0, "", False)


def test_a_failed_check_brings_a_frame_into_the_queue_with_its_words_and_a_note_does_not() -> None:
    quiet = replace(frame(), if_region={}, opinions=[])
    failed = Finding(HERE, "A hole.", Check.HOLES, pixels=50)
    stake = stake_of(replace(quiet, findings=(failed,)), 0.1)
    assert stake.ml == pytest.approx(CHECK_CHANCE * 5.0)
    assert (stake.why, stake.failed, stake.is_worth_a_look) == ("A hole.", True, True)
    note = replace(failed, is_note=True)
    assert not stake_of(replace(quiet, findings=(note,)), 0.1).is_worth_a_look
    unmeasured = replace(failed, pixels=0)
    assert stake_of(replace(quiet, findings=(unmeasured,)), 0.1).is_worth_a_look
