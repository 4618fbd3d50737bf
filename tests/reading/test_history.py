from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.change import Change, ChangeKind, FramePart, Marks, Part, Verb
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.ed_es import PhasePair
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError
from cmr_viewer.reading.history import History
from cmr_viewer.review.edit import paint_line, patch_between

FRAMES = [FrameIndex(0, 0), FrameIndex(0, 1), FrameIndex(1, 0)]
DRAWN = Marks(None, None, None, True)


class Desk:
    """Label maps and regions of a small study; a `ChangedStudy`."""

    def __init__(self) -> None:
        self.labels: dict[FrameIndex, LabelMap] = {frame: np.zeros((12, 12), np.uint8) for frame in FRAMES}
        self.marks = dict.fromkeys(FRAMES, DRAWN)
        self.history = History()

    def still(self, frame: FrameIndex) -> LabelMap:
        return self.labels[frame]

    def go_to(self, frame: FrameIndex, marks: Marks, labels: LabelMap | None) -> None:
        assert labels is not None
        self.marks[frame], self.labels[frame] = marks, labels

    def set_phase_marks(self, marks: PhasePair) -> None:
        raise AssertionError

    def set_fact_value(self, key: str, value: Any) -> None:
        raise AssertionError

    def accept_again(self, frame: FrameIndex) -> None:
        raise AssertionError

    def withdraw(self, frame: FrameIndex) -> None:
        raise AssertionError

    def state(self) -> tuple:
        regions = tuple(marks.reader_region for marks in self.marks.values())
        return tuple(labels.tobytes() for labels in self.labels.values()), regions

    def stroke(self, frame: FrameIndex, point: tuple[int, int], label: Label) -> Change:
        patch = paint_line(self.labels[frame], point, point, 2.0, label)
        return self.do(f"paint {label.text}", FramePart(frame, self.marks[frame], self.marks[frame], patch.packed()))

    def region(self, frame: FrameIndex, region: Region | None) -> Change:
        return self.do(f"set region {region}", self._region_part(frame, region))

    def copy(self, source: FrameIndex, target: FrameIndex, region: Region) -> Change:
        part = self._region_part(target, region)
        patch = patch_between(self.labels[target], self.labels[source]).packed()
        return self.do("copy frame", FramePart(target, part.before, part.after, patch))

    def _region_part(self, frame: FrameIndex, region: Region | None) -> FramePart:
        return FramePart(frame, self.marks[frame], replace(self.marks[frame], reader_region=region), None)

    def do(self, text: str, *parts: Part) -> Change:
        change = Change(ChangeKind.EDIT, text, parts)
        change.apply(self)
        self.history.push(change)
        return change

    def undo(self) -> Change | None:
        return self.history.undo(self)

    def redo(self) -> Change | None:
        return self.history.redo(self)


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
    desk = Desk()
    states, at = [desk.state()], 0  # all states so far, and which of them is shown
    for what, *arguments in steps:
        if what == "undo":
            assert (desk.undo() is not None) == (at > 0)
            at = max(at - 1, 0)
        elif what == "redo":
            assert (desk.redo() is not None) == (at < len(states) - 1)
            at = min(at + 1, len(states) - 1)
        else:
            getattr(desk, what)(*arguments)
            states[at + 1 :] = [desk.state()]
            at += 1
        assert desk.state() == states[at]
        assert (desk.history.can_undo, desk.history.can_redo) == (at > 0, at < len(states) - 1)
    while desk.undo():
        pass
    assert desk.state() == states[0]
    while desk.redo():
        pass
    assert desk.state() == states[-1]


def test_the_next_undo_and_redo_are_given_in_words() -> None:
    desk = Desk()
    history = desk.history
    assert (history.undo_text, history.redo_text) == ("", "")
    desk.stroke(FRAMES[0], (5, 5), Label.LVM)
    desk.region(FRAMES[1], Region.APEX)
    assert history.undo_text == "set region apex"
    undone = desk.undo()
    assert undone is not None
    assert undone.frame == FRAMES[1]
    assert (history.undo_text, history.redo_text) == ("paint LV myocardium", "set region apex")


def test_a_new_change_ends_what_could_be_redone() -> None:
    desk = Desk()
    desk.stroke(FRAMES[0], (5, 5), Label.LVM)
    desk.undo()
    desk.stroke(FRAMES[0], (1, 1), Label.LVBP)
    assert not desk.history.can_redo


def test_a_change_that_does_not_fit_any_more_changes_nothing_and_is_left_out() -> None:
    desk = Desk()
    desk.stroke(FRAMES[0], (5, 5), Label.LVM)
    desk.labels[FRAMES[0]][:] = 3
    with pytest.raises(LabelMapError, match=r"“paint LV myocardium” no longer fits .* changed in the meantime"):
        desk.undo()
    assert (desk.labels[FRAMES[0]] == 3).all()
    assert not desk.history.can_undo and not desk.history.can_redo
    assert [one.verb for one in desk.history.take_moves()] == [Verb.DO, Verb.LEAVE]


def test_a_change_of_several_frames_is_undone_whole_or_not_at_all() -> None:
    desk = Desk()
    painted = paint_line(desk.labels[FRAMES[0]], (5, 5), (5, 5), 2.0, Label.LVM).packed()
    region = replace(DRAWN, reader_region=Region.BASE)
    desk.do("both", FramePart(FRAMES[0], DRAWN, DRAWN, painted), FramePart(FRAMES[1], DRAWN, region, None))
    desk.labels[FRAMES[0]][:] = 3
    with pytest.raises(LabelMapError):
        desk.undo()
    assert desk.marks[FRAMES[1]].reader_region is Region.BASE
    with pytest.raises(ValueError, match="at least one"):
        Change(ChangeKind.EDIT, "none", ())


def test_the_moves_of_a_reader_are_given_once_in_their_order() -> None:
    desk = Desk()
    stroke, region = desk.stroke(FRAMES[0], (5, 5), Label.LVM), desk.region(FRAMES[1], Region.APEX)
    desk.undo()
    desk.redo()
    moves = [(one.verb, one.change) for one in desk.history.take_moves()]
    assert moves == [(Verb.DO, stroke), (Verb.DO, region), (Verb.UNDO, region), (Verb.REDO, region)]
    assert stroke.key != region.key
    assert desk.history.take_moves() == ()


def test_changes_that_are_put_back_are_no_moves_and_are_undone_after_what_was_done_meanwhile() -> None:
    before, desk = Desk(), Desk()
    before.stroke(FRAMES[0], (5, 5), Label.LVM)
    before.region(FRAMES[1], Region.APEX)
    before.undo()
    desk.labels = dict(before.labels)
    desk.stroke(FRAMES[2], (5, 5), Label.LVM)
    desk.history.take_moves()
    desk.history.put_back(before.history.lines)
    assert desk.history.take_moves() == () and not desk.history.can_redo
    undone = [desk.undo(), desk.undo()]
    assert [one.frame for one in undone if one is not None] == [FRAMES[2], FRAMES[0]]
    assert desk.state() == Desk().state()


def test_a_change_that_is_left_is_a_move_and_the_others_stay() -> None:
    desk = Desk()
    first, second, third = (desk.region(frame, Region.APEX) for frame in FRAMES)
    desk.undo()
    desk.history.take_moves()
    desk.history.leave(third)
    desk.history.leave(first)
    assert [(one.verb, one.change) for one in desk.history.take_moves()] == [(Verb.LEAVE, third), (Verb.LEAVE, first)]
    assert desk.history.lines == ((second,), ())


def test_a_thousand_strokes_are_remembered_in_little_memory() -> None:
    labels, chance = np.zeros((512, 512), np.uint8), np.random.default_rng(1)
    patches = []
    for number in range(1000):
        start, end = chance.uniform(0, 512, 2), chance.uniform(0, 512, 2)
        patch = paint_line(labels, tuple(start), tuple(end), 10, Label(number % 4))
        patch.apply(labels)
        patches.append(patch.packed())
    assert sum(len(one.data) for one in patches if one is not None) < 20_000_000
    for one in reversed(patches):
        if one is not None:
            one.unpacked().revert(labels)
    assert not labels.any()
