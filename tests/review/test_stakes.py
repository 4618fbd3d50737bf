from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.checks import Check, Finding
from cmr_viewer.review.stakes import CHECK_TELLS, MASKS_WRONG, FrameStakes, Opinion, stake_of

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


def test_the_stake_is_chances_times_changes_and_says_the_largest_parts() -> None:
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
    assert stake.ml == pytest.approx(CHECK_TELLS * 5.0)
    assert (stake.why, stake.failed, stake.is_worth_a_look) == ("A hole.", True, True)
    note = replace(failed, is_note=True)
    assert not stake_of(replace(quiet, findings=(note,)), 0.1).is_worth_a_look
    unmeasured = replace(failed, pixels=0)
    assert stake_of(replace(quiet, findings=(unmeasured,)), 0.1).is_worth_a_look
