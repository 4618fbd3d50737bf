from functools import partial

import numpy as np
import pytest

from cmr_viewer.classify.in_stack import PHASES_ASKED, between_phases, led_by_readers
from cmr_viewer.classify.in_stack import frames_of_stack as frames_with
from cmr_viewer.classify.stack_order import OrderWeights
from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.study import FrameIndex

WEIGHTS = OrderWeights(
    classifier=1.0,
    shares=0.0,
    heart_at_none=-2.0,
    heart_per_decade=1.5,
    base_at_none=-2.0,
    base_per_decade=1.5,
    heart_most=3.0,
    move=1.0,
    slack=3.0,
    nothing=4.0,
)
frames_of_stack = partial(frames_with, weights=WEIGHTS)

ROW = ".BBMMMMMAA."


def predicted(letter: str, sure: float = 0.97) -> RegionPrediction:
    other = (1.0 - sure) / 3.0
    base, middle, apex, none = (sure if c == letter else other for c in "BMA.")
    return RegionPrediction((base, middle, apex, none), "classifier-1")


def alone(rows: list[str], sure: float = 0.97) -> dict[FrameIndex, RegionPrediction]:
    return {FrameIndex(p, s): predicted(c, sure) for p, row in enumerate(rows) for s, c in enumerate(row)}


def words(found: dict[FrameIndex, RegionPrediction], phase: int) -> str:
    frames = sorted(frame for frame in found if frame.phase == phase)
    return "".join("BMA."[REGIONS.index(found[frame].region)] for frame in frames)


def test_the_frame_alone_and_the_frame_in_its_stack_are_both_known() -> None:
    frames = alone([".BBMMAMMAA."] * 2)
    found = frames_of_stack(frames, phases=2, slices=11).in_stack({})
    odd = found[FrameIndex(1, 5)]
    assert (odd.argmax, odd.region, odd.decoded) == (Region.APEX, Region.MIDDLE, Region.MIDDLE)
    assert odd.probabilities == frames[FrameIndex(1, 5)].probabilities
    assert odd.model_id == "classifier-1"
    assert odd.posterior is not None
    assert sum(odd.posterior) == pytest.approx(1.0)


def test_frames_come_back_in_the_order_they_were_given() -> None:
    frames = dict(reversed(alone([ROW] * 2).items()))
    assert list(frames_of_stack(frames, phases=2, slices=11).in_stack({})) == list(frames)


def test_no_frames_are_no_stack() -> None:
    none = frames_of_stack({}, phases=3, slices=5)
    assert none.to_ask() == []
    assert none.in_stack({}) == {}


def test_a_few_frames_of_a_large_stack_are_decided_among_themselves() -> None:
    frames = {at: predicted("M") for at in (FrameIndex(7, 4), FrameIndex(2, 5))}
    found = frames_of_stack(frames, phases=20, slices=10).in_stack({})
    assert {at: one.region for at, one in found.items()} == dict.fromkeys(frames, Region.MIDDLE)


def test_where_the_baseline_draws_nothing_the_heart_has_ended() -> None:
    frames = alone([".BBMMMMMAAA"] * 2, sure=0.6)
    stack = frames_of_stack(frames, phases=2, slices=11)
    nothing = {FrameIndex(p, 10): 0.0 for p in (0, 1)}
    much = {FrameIndex(p, 10): 2000.0 for p in (0, 1)}
    assert stack.in_stack(nothing)[FrameIndex(0, 10)].of(Region.NON_CARDIAC) > 0.5
    assert stack.in_stack(much)[FrameIndex(0, 10)].of(Region.NON_CARDIAC) < 0.05


def test_the_baseline_is_asked_about_the_undecided_ends_and_not_about_the_middle() -> None:
    frames = alone([ROW] * 2, sure=0.6)
    asked = frames_of_stack(frames, phases=2, slices=11).to_ask()
    slices = {frame.slice_index for frame in asked}
    assert slices and slices <= {0, 1, 9, 10}
    assert {frame.phase for frame in asked} == {0, 1}


def test_nothing_is_asked_where_all_is_certain() -> None:
    assert frames_of_stack(alone(["MMMMM"], sure=0.9999), phases=1, slices=5).to_ask() == []


def test_of_a_cine_a_few_phases_are_asked_about() -> None:
    asked = frames_of_stack(alone([ROW] * 30, sure=0.9), phases=30, slices=11).to_ask()
    phases = sorted({frame.phase for frame in asked})
    assert len(phases) == PHASES_ASKED
    assert (phases[0], phases[-1]) == (0, 29)


def test_only_frames_that_were_classified_are_asked_about() -> None:
    frames = {at: one for at, one in alone([ROW], sure=0.5).items() if at.slice_index != 9}
    assert FrameIndex(0, 9) not in frames_of_stack(frames, phases=1, slices=11).to_ask()


def test_a_reader_leads_the_others_and_the_readers_own_frame_is_as_without_the_reader() -> None:
    frames = alone(["BBMMMMMMAA"], sure=0.6)
    found = frames_of_stack(frames, phases=1, slices=10, readers={FrameIndex(0, 1): Region.NON_CARDIAC}).in_stack({})
    assert words(found, 0)[0] == "."
    assert found[FrameIndex(0, 1)].region is Region.BASE
    assert words(frames_of_stack(frames, phases=1, slices=10).in_stack({}), 0) == "BBMMMMMMAA"


def test_a_reader_leads_a_phase_that_was_not_classified_nowhere() -> None:
    frames = alone([ROW])
    readers = {FrameIndex(5, 0): Region.APEX}
    assert words(frames_of_stack(frames, phases=9, slices=11, readers=readers).in_stack({}), 0) == ROW


def test_areas_are_linear_between_the_phases_asked_about() -> None:
    nan = np.nan
    drawn = np.array([[0.0, nan], [nan, nan], [100.0, nan], [nan, nan], [nan, nan]])
    open_ended = between_phases(drawn, closed=False)
    assert open_ended[:, 0].tolist() == [0.0, 50.0, 100.0, 100.0, 100.0]
    closed = between_phases(drawn, closed=True)
    np.testing.assert_allclose(closed[:, 0], [0.0, 50.0, 100.0, 200 / 3, 100 / 3])
    assert np.isnan(closed[:, 1]).all()


def test_regions_that_a_reader_sets_later_lead_the_frames_as_if_they_had_been_there_at_first() -> None:
    frames = alone([".BBMMMMMAAA"] * 3, sure=0.6)
    drawn = {FrameIndex(p, 10): 20.0 for p in (0, 2)}
    readers = {FrameIndex(1, 8): Region.MIDDLE, FrameIndex(1, 10): Region.NON_CARDIAC}
    at_first = frames_with(frames, phases=3, slices=11, readers=readers).in_stack(drawn)
    known = frames_with(frames, phases=3, slices=11).in_stack(drawn)
    changed = led_by_readers(known, readers, phases=3, slices=11)
    assert {**known, **changed} == at_first
    assert changed and all(known[frame] != one for frame, one in changed.items())
    assert FrameIndex(1, 10) not in changed, "the reader's own frame has the prediction without the reader"
    assert at_first[FrameIndex(1, 9)].heart_mm2 is None and at_first[FrameIndex(0, 10)].heart_mm2 == 20.0
    back = led_by_readers({**known, **changed}, {}, phases=3, slices=11)
    assert {**at_first, **back} == known


def test_frames_that_were_not_all_seen_in_their_stack_are_not_led() -> None:
    frames = alone([ROW] * 2)
    known = frames_with(frames, phases=2, slices=11).in_stack({})
    readers = {FrameIndex(0, 5): Region.APEX}
    assert led_by_readers({**known, FrameIndex(0, 0): predicted(".")}, readers, phases=2, slices=11) == {}
    assert led_by_readers(dict(list(known.items())[1:]), readers, phases=2, slices=11) == {}
