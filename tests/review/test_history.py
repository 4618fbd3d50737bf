import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.edit import paint_disc, paint_line, patch_between
from cmr_viewer.review.history import GroupChange, History, LabelChange, RegionChange, Way

FRAMES = [FrameIndex(0, 0), FrameIndex(0, 1), FrameIndex(1, 0)]


class Desk:
    """Label maps and regions of a small study, and what can be done to them."""

    def __init__(self) -> None:
        self.labels = {frame: np.zeros((12, 12), np.uint8) for frame in FRAMES}
        self.regions: dict[FrameIndex, Region | None] = dict.fromkeys(FRAMES)

    def state(self) -> tuple:
        return tuple(labels.tobytes() for labels in self.labels.values()), tuple(self.regions.values())

    def stroke(self, frame: FrameIndex, point: tuple[int, int], label: Label) -> LabelChange:
        patch = paint_disc(self.labels[frame], point, 2.0, label)
        return LabelChange(frame, f"paint {label.text}", patch, self.labels.__getitem__)

    def region(self, frame: FrameIndex, region: Region | None) -> RegionChange:
        return RegionChange(frame, self.regions[frame], region, self.regions.__setitem__)

    def copy(self, source: FrameIndex, target: FrameIndex, region: Region) -> GroupChange:
        patch = patch_between(self.labels[target], self.labels[source])
        labels = LabelChange(target, "copy labels", patch, self.labels.__getitem__)
        return GroupChange("copy frame", (labels, self.region(target, region)))


STEPS = st.one_of(
    st.tuples(
        st.just("stroke"),
        st.sampled_from(FRAMES),
        st.tuples(st.integers(0, 11), st.integers(0, 11)),
        st.sampled_from(Label),
    ),
    st.tuples(st.just("region"), st.sampled_from(FRAMES), st.one_of(st.none(), st.sampled_from(Region))),
    st.tuples(st.just("copy"), st.sampled_from(FRAMES), st.sampled_from(FRAMES), st.sampled_from(Region)),
    st.tuples(st.sampled_from(["undo", "redo"])),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_any_sequence_of_changes_undos_and_redos_returns_to_the_same_states(steps: list) -> None:
    desk, history = Desk(), History()
    states, at = [desk.state()], 0  # all states so far, and which of them is shown
    for what, *arguments in steps:
        if what == "undo":
            assert (history.undo() is not None) == (at > 0)
            at = max(at - 1, 0)
        elif what == "redo":
            assert (history.redo() is not None) == (at < len(states) - 1)
            at = min(at + 1, len(states) - 1)
        else:
            history.do(getattr(desk, what)(*arguments))
            states[at + 1 :] = [desk.state()]
            at += 1
        assert desk.state() == states[at]
        assert (history.can_undo, history.can_redo) == (at > 0, at < len(states) - 1)
    while history.undo():
        pass
    assert desk.state() == states[0]
    while history.redo():
        pass
    assert desk.state() == states[-1]


def test_the_next_undo_and_redo_are_told_in_words() -> None:
    desk, history = Desk(), History()
    assert (history.undo_text, history.redo_text) == ("", "")
    history.do(desk.stroke(FRAMES[0], (5, 5), Label.LVM))
    history.do(desk.region(FRAMES[1], Region.APEX))
    assert history.undo_text == "set region Apex"
    undone = history.undo()
    assert undone is not None
    assert undone.frame == FRAMES[1]
    assert (history.undo_text, history.redo_text) == ("paint LV myocardium", "set region Apex")
    assert desk.region(FRAMES[0], None).text == "reset region to automatic"


def test_a_stroke_that_is_painted_already_is_only_remembered() -> None:
    desk, history = Desk(), History()
    change = desk.stroke(FRAMES[0], (5, 5), Label.LVM)
    change.apply()
    painted = desk.state()
    history.push(change)
    assert desk.state() == painted
    history.undo()
    assert desk.state() == Desk().state()


def test_a_new_change_ends_what_could_be_redone() -> None:
    desk, history = Desk(), History()
    history.do(desk.stroke(FRAMES[0], (5, 5), Label.LVM))
    history.undo()
    history.do(desk.stroke(FRAMES[0], (1, 1), Label.LVBP))
    assert not history.can_redo


def test_a_change_that_does_not_fit_any_more_leaves_the_history_and_the_labels() -> None:
    desk, history = Desk(), History()
    history.do(desk.stroke(FRAMES[0], (5, 5), Label.LVM))
    desk.labels[FRAMES[0]][:] = 3
    with pytest.raises(LabelMapError, match="changed in the meantime"):
        history.undo()
    assert history.can_undo
    assert (desk.labels[FRAMES[0]] == 3).all()
    history.forget(FRAMES[0])
    assert not history.can_undo


def test_a_group_is_taken_back_whole_or_not_at_all() -> None:
    desk, history = Desk(), History()
    changes = (desk.region(FRAMES[0], Region.BASE), desk.stroke(FRAMES[0], (5, 5), Label.LVM))
    group = GroupChange("both", (changes[1], changes[0]))
    history.do(group)
    desk.labels[FRAMES[0]][:] = 3
    with pytest.raises(LabelMapError):
        history.undo()
    assert desk.regions[FRAMES[0]] is Region.BASE
    with pytest.raises(ValueError, match="at least one"):
        GroupChange("none", ())


def test_forgetting_a_frame_leaves_the_others_and_clearing_leaves_nothing() -> None:
    desk, history = Desk(), History()
    for frame in FRAMES:
        history.do(desk.stroke(frame, (5, 5), Label.LVM))
    history.undo()
    history.forget(FRAMES[0])
    assert history.undo_text
    undone, redone = history.undo(), history.redo()
    assert undone is redone
    assert undone is not None
    assert undone.frame == FRAMES[1]
    history.clear()
    assert not history.can_undo
    assert not history.can_redo


def test_the_moves_of_a_reader_are_told_once_in_their_order() -> None:
    desk, history = Desk(), History()
    history.do(desk.stroke(FRAMES[0], (5, 5), Label.LVM))
    history.do(desk.region(FRAMES[1], Region.APEX))
    history.undo()
    history.redo()
    first, second, undone, redone = history.take_moves()
    assert [one.way for one in (first, second, undone, redone)] == [Way.DO, Way.DO, Way.UNDO, Way.REDO]
    assert first.step.key != second.step.key == undone.step.key == redone.step.key
    assert history.take_moves() == ()


def test_steps_that_are_put_back_are_no_moves_and_are_undone_after_what_was_done_meanwhile() -> None:
    desk, history, before = Desk(), History(), History()
    before.do(desk.stroke(FRAMES[0], (5, 5), Label.LVM))
    before.do(desk.region(FRAMES[1], Region.APEX))
    before.undo()
    history.do(desk.stroke(FRAMES[2], (5, 5), Label.LVM))
    history.take_moves()
    history.put_back(before._done, before._undone)
    assert history.take_moves() == () and not history.can_redo
    assert [history.undo().frame, history.undo().frame] == [FRAMES[2], FRAMES[0]]
    assert desk.state() == Desk().state()


def test_a_step_that_is_left_is_a_move_and_the_others_stay() -> None:
    desk, history = Desk(), History()
    changes = [desk.region(frame, Region.APEX) for frame in FRAMES]
    for change in changes:
        history.do(change)
    history.undo()
    history.take_moves()
    history.leave_undo()
    history.leave_redo()
    history.leave(changes[0])
    assert [one.step.change for one in history.take_moves()] == [changes[1], changes[2], changes[0]]
    assert not history.can_undo and not history.can_redo


def test_a_thousand_strokes_are_remembered_in_little_memory() -> None:
    labels = np.zeros((512, 512), np.uint8)
    chance = np.random.default_rng(1)
    changes = []
    for number in range(1000):
        start, end = chance.uniform(0, 512, 2), chance.uniform(0, 512, 2)
        patch = paint_line(labels, tuple(start), tuple(end), 10, Label(number % 4))
        patch.apply(labels)
        changes.append(LabelChange(FRAMES[0], "paint", patch, lambda _: labels))
    assert sum(change.nbytes for change in changes) < 20_000_000
    for change in reversed(changes):
        change.revert()
    assert not labels.any()
