"""The study that is read, against a plain model: every state is remembered, and undo and redo walk through them."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.domain.annotation import Prediction, RegionPrediction, ReviewStatus
from cmr_viewer.domain.measures.volumes import label_counts
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.frames import Changed
from cmr_viewer.reading.open_study import OpenStudy
from tests.reading.small import COLS, REGION_OF_SLICE, ROWS, model_labels, said, small_study

ACTIVE = {role: f"{role.value}-1" for role in Role}
FRAMES = [FrameIndex(0, 0), FrameIndex(0, 1)]


def predicted(frame: FrameIndex, region: Region) -> Prediction:
    model_id = ACTIVE[role_of(region)]
    return Prediction(model_labels(model_id, frame), model_id, region, "By formula.")


def analysed_reading() -> OpenStudy:
    """A reading whose models have segmented every frame, for every region."""
    reading = OpenStudy(small_study())
    reading.frames.set_active(ACTIVE)
    for frame in reading.frames:
        reading.frames.receive_region(frame, said(REGION_OF_SLICE[frame.slice_index]))
        for region in REGIONS:
            reading.frames.receive_prediction(frame, predicted(frame, region))
    reading.take_effects()
    return reading


def picture(reading: OpenStudy) -> list[Any]:
    """Everything that is shown of the frames, comparable."""
    shown = []
    for frame in FRAMES:
        state = reading.frames.state(frame)
        labels = None if state.labels is None else state.labels.tobytes()
        shown.append((labels, state.region, state.region_by, state.edited, state.provenance, state.model_id))
    return shown


points = st.tuples(st.integers(0, ROWS - 1), st.integers(0, COLS - 1))
actions = st.one_of(
    st.tuples(st.just("paint"), st.sampled_from(FRAMES), st.sampled_from(list(Label)), points, points),
    st.tuples(st.just("region"), st.sampled_from(FRAMES), st.sampled_from(REGIONS)),
    st.tuples(st.just("take"), st.sampled_from(FRAMES)),
    st.tuples(st.just("copy"), st.just(FRAMES[0]), st.just(FRAMES[1])),
    st.tuples(st.just("clear"), st.sampled_from(FRAMES), st.sampled_from([None, *STRUCTURES])),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def act(reading: OpenStudy, action: tuple[Any, ...]) -> None:
    name, *rest = action
    if name == "paint":
        frame, label, start, end = rest
        reading.begin_stroke(frame, label, 2.0, start)
        reading.extend_stroke(end)
        reading.end_stroke()
    elif name == "region":
        reading.set_region(*rest)
    elif name == "take":
        reading.take_proposal(*rest)
    elif name == "copy":
        reading.copy_to(*rest)
    else:
        reading.clear(*rest)


@settings(deadline=None, max_examples=60)
@given(st.lists(actions, max_size=25))
def test_undo_and_redo_walk_through_exactly_the_states_that_were(steps: list[tuple[Any, ...]]) -> None:
    reading = analysed_reading()
    states, place = [picture(reading)], 0
    for step in steps:
        if step[0] == "undo":
            place -= reading.undo() is not None
        elif step[0] == "redo":
            place += reading.redo() is not None
        else:
            before = reading.history.lines.done[-1] if reading.history.can_undo else None
            act(reading, step)
            after = reading.history.lines.done[-1] if reading.history.can_undo else None
            if after is not before:
                states = [*states[: place + 1], picture(reading)]
                place += 1
        assert picture(reading) == states[place]
        for frame in FRAMES:
            labels, counted = reading.frames[frame].labels, reading.frames.counts.of_frame(frame)
            assert (labels is None) == (counted is None)
            assert labels is None or np.array_equal(counted, label_counts(labels))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.one_of(actions, st.tuples(st.just("arrive"), st.sampled_from(FRAMES), st.integers(1, 9))), max_size=25)
)
def test_what_a_reader_drew_is_never_changed_by_a_prediction(steps: list[tuple[Any, ...]]) -> None:
    reading = analysed_reading()
    for step in steps:
        if step[0] == "arrive":
            _, frame, number = step
            records = reading.frames[frame]
            edited, shown = records.edited, None if records.labels is None else records.labels.copy()
            role = role_of(records.region or Region.MIDDLE)
            model_id = f"{role.value}-{number}"
            reading.frames.set_active({**ACTIVE, role: model_id})
            labels = np.full((ROWS, COLS), number % 4, np.uint8)
            reading.frames.receive_prediction(frame, Prediction(labels, model_id, records.region or Region.MIDDLE, ""))
            assert not edited or np.array_equal(records.labels, shown)
        elif step[0] == "undo":
            reading.undo()
        elif step[0] == "redo":
            reading.redo()
        else:
            act(reading, step)


def test_effects_say_what_is_to_be_saved_and_computed() -> None:
    reading = OpenStudy(small_study())
    reading.frames.set_active(ACTIVE)
    frame = FRAMES[0]
    reading.frames.receive_region(frame, said(Region.BASE))
    reading.frames.receive_prediction(frame, predicted(frame, Region.BASE))
    assert reading.take_effects().changed == {frame: Changed.REGION | Changed.LABELS}
    reading.set_region(frame, Region.APEX)
    effects = reading.take_effects()
    assert effects.wanted == {frame: Region.APEX} and effects.regions == [frame] and effects.history
    assert effects.drafts == []
    reading.begin_stroke(frame, Label.LVM, 1.0, (2.0, 2.0))
    reading.end_stroke()
    effects = reading.take_effects()
    assert effects.drafts == [frame] and effects.changed == {frame: Changed.LABELS | Changed.STATUS}
    assert reading.take_effects().changed == {}


def test_an_acceptance_on_its_way_holds_the_label_map() -> None:
    reading = analysed_reading()
    frame = FRAMES[0]
    reading.frames[frame].accepting = True
    reading.frames.set_active({**ACTIVE, Role.BASE: "base-9"})
    before = reading.frames[frame].labels
    reading.frames.receive_prediction(frame, Prediction(np.full((ROWS, COLS), 1, np.uint8), "base-9", Region.BASE, ""))
    assert reading.frames[frame].labels is before and reading.frames.state(frame).proposal is not None


def test_an_accepted_frame_is_offered_a_new_prediction_and_not_given_it() -> None:
    reading = analysed_reading()
    frame = FRAMES[0]
    reading.frames[frame].status = ReviewStatus.ACCEPTED
    reading.frames.set_active({**ACTIVE, Role.BASE: "base-9"})
    assert not reading.frames.lacks_prediction(frame)
    reading.frames.receive_prediction(frame, Prediction(np.full((ROWS, COLS), 1, np.uint8), "base-9", Region.BASE, ""))
    state = reading.frames.state(frame)
    assert state.proposal is not None and np.array_equal(state.labels, model_labels("base-1", frame))


def test_a_prediction_for_a_region_that_was_changed_meanwhile_is_only_remembered() -> None:
    reading = OpenStudy(small_study())
    reading.frames.set_active(ACTIVE)
    frame = FRAMES[0]
    reading.frames.receive_region(frame, said(Region.BASE))
    reading.set_region(frame, Region.APEX)
    reading.frames.receive_prediction(frame, predicted(frame, Region.BASE))
    assert reading.frames.state(frame).labels is None and reading.frames.lacks_prediction(frame)
    reading.undo()
    assert np.array_equal(reading.frames.state(frame).labels, model_labels("base-1", frame))


def test_a_part_of_a_stroke_makes_no_copy_of_the_frame() -> None:
    reading = analysed_reading()
    frame = FRAMES[0]
    reading.begin_stroke(frame, Label.LVM, 3.0, (10.0, 10.0))
    canvas = reading.frames[frame].labels
    for number in range(20):
        reading.extend_stroke((10.0 + number % 5, 10.0))
    assert reading.frames[frame].labels is canvas


def test_a_still_label_map_stays_as_it_is_whatever_is_painted_later() -> None:
    reading = analysed_reading()
    frame = FRAMES[0]
    still = reading.still(frame)
    assert still is reading.frames[frame].labels
    before = still.copy()
    reading.begin_stroke(frame, Label.LVM, 3.0, (10.0, 10.0))
    within = reading.still(frame)
    part = within.copy()
    reading.extend_stroke((12.0, 12.0))
    assert np.array_equal(within, part)
    reading.end_stroke()
    after = reading.still(frame)
    drawn = after.copy()
    reading.begin_stroke(frame, Label.RVBP, 3.0, (4.0, 4.0))
    reading.end_stroke()
    reading.undo()
    assert np.array_equal(after, drawn)
    assert np.array_equal(still, before)


def test_label_maps_are_copied_but_for_those_that_nobody_can_write_to() -> None:
    reading = analysed_reading()
    fixed, seen = (np.roll(reading.frames.canvas(frame), 1, axis=0).copy() for frame in FRAMES)
    fixed.setflags(write=False)
    view = seen[:]
    view.setflags(write=False)  # but what it is a view of can be written to
    reading.change_labels({FRAMES[0]: fixed, FRAMES[1]: view}, "shift")
    shown = [reading.frames[frame].labels for frame in FRAMES]
    assert shown[0] is fixed
    assert np.array_equal(shown[1], seen) and not np.shares_memory(shown[1], seen)
    loose = np.roll(fixed, 1, axis=0).copy()
    reading.change_labels({FRAMES[0]: loose}, "shift")
    assert not np.shares_memory(reading.frames[FRAMES[0]].labels, loose)


# ------------------------------------------------------------------------------------------ non-cardiac frames


def in_stack(region: Region, certainty: float) -> RegionPrediction:
    """The frame alone looks like the middle; its place in the stack says something else."""
    rest = (1.0 - certainty) / 3
    chances: Any = tuple(certainty if one is region else rest for one in REGIONS)
    return RegionPrediction(said(Region.MIDDLE).probabilities, ACTIVE[Role.CLASSIFIER], region, chances)


def test_a_frame_that_the_reader_calls_non_cardiac_is_empty_and_undo_brings_its_marks_back() -> None:
    reading, frame = analysed_reading(), FRAMES[0]
    before = reading.frames.state(frame).labels
    assert before is not None and before.any()
    reading.set_region(frame, Region.NON_CARDIAC)
    state = reading.frames.state(frame)
    assert state.labels is not None and not state.labels.any()
    assert (state.reason, state.model_id) == ("Region non-cardiac by the reader; the label map is empty.", None)
    assert not reading.take_effects().wanted
    reading.undo()
    assert reading.frames.state(frame).labels is before


def test_a_frame_that_turns_out_to_be_surely_non_cardiac_loses_its_marks_and_gets_them_back() -> None:
    reading, frame = analysed_reading(), FRAMES[1]
    before = reading.frames.state(frame).labels
    reading.frames.receive_region(frame, in_stack(Region.NON_CARDIAC, 0.99))
    labels = reading.frames.state(frame).labels
    assert labels is not None and not labels.any()
    assert "99 % certain" in reading.frames.state(frame).reason
    assert not reading.frames.lacks_prediction(frame)
    reading.frames.receive_region(frame, in_stack(Region.MIDDLE, 0.99))
    assert reading.frames.state(frame).labels is before


def test_the_empty_label_map_of_a_frame_is_not_taken_for_what_the_baseline_says() -> None:
    reading, frame = OpenStudy(small_study()), FRAMES[0]
    reading.frames.set_active({role: ACTIVE[role] for role in (Role.CLASSIFIER, Role.BASELINE)})
    reading.frames.receive_region(frame, in_stack(Region.NON_CARDIAC, 0.99))
    nothing = Prediction(np.zeros((ROWS, COLS), np.uint8), ACTIVE[Role.BASELINE], Region.NON_CARDIAC, "Nothing.")
    reading.frames.receive_prediction(frame, nothing)
    reading.take_effects()
    reading.set_region(frame, Region.APEX)
    assert reading.take_effects().wanted == {frame: Region.APEX}, "the baseline has not seen it yet"


def test_marks_that_come_late_to_a_frame_without_a_heart_are_not_shown() -> None:
    reading, frame = analysed_reading(), FRAMES[0]
    reading.set_region(frame, Region.NON_CARDIAC)
    reading.frames.receive_prediction(frame, predicted(frame, Region.NON_CARDIAC))
    labels = reading.frames.state(frame).labels
    assert labels is not None and not labels.any()


def test_a_corrected_label_map_stays_when_the_stack_says_non_cardiac() -> None:
    reading, frame = analysed_reading(), FRAMES[0]
    reading.begin_stroke(frame, Label.RVBP, 2.0, (18.0, 14.0))
    reading.end_stroke()
    mine = reading.frames.canvas(frame)
    reading.frames.receive_region(frame, in_stack(Region.NON_CARDIAC, 0.99))
    state = reading.frames.state(frame)
    assert state.labels is not None and np.array_equal(state.labels, mine)
    assert state.proposal is not None and not state.proposal.labels.any()


def test_the_baseline_serves_a_frame_that_is_hardly_non_cardiac() -> None:
    reading, frame = analysed_reading(), FRAMES[0]
    reading.frames.receive_region(frame, in_stack(Region.NON_CARDIAC, 0.45))
    assert reading.frames.state(frame).model_id == ACTIVE[Role.BASELINE]
    assert reading.frames.state(frame).labels is not None


def test_a_frame_that_was_not_seen_in_its_stack_lacks_its_region() -> None:
    reading, frame = analysed_reading(), FRAMES[0]
    assert not reading.frames.lacks_region(frame)
    reading.frames.receive_region(frame, RegionPrediction(said(Region.BASE).probabilities, ACTIVE[Role.CLASSIFIER]))
    assert reading.frames.lacks_region(frame)


def test_what_nobody_edited_is_replaced_and_what_a_reader_edited_gets_an_offer_where_it_differs() -> None:
    reading, frame = analysed_reading(), FRAMES[0]
    newer = Prediction(np.full((ROWS, COLS), 1, np.uint8), "base-9", Region.BASE, "")
    reading.frames.set_active({**ACTIVE, Role.BASE: "base-9"})
    reading.frames.receive_prediction(frame, newer)
    assert reading.frames[frame].labels is newer.labels and reading.frames[frame].proposal is None
    reading.clear(frame, None)
    same, other = (
        Prediction(labels, f"base-{number}", Region.BASE, "")
        for number, labels in ((10, reading.frames.empty()), (11, newer.labels))
    )
    for made, offered in ((same, None), (other, other)):
        reading.frames.set_active({**ACTIVE, Role.BASE: made.model_id})
        reading.frames.receive_prediction(frame, made)
        assert reading.frames[frame].proposal is offered
    assert not reading.frames.canvas(frame).any()
