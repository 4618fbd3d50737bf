"""Between the history of the open study and the undo log of the workspace. Without Qt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cmr_viewer.domain.annotation import Prediction
from cmr_viewer.domain.marks import Marks
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.changes import AcceptChange, FactChange, FrameChange, KeptChange, PhaseMarksChange
from cmr_viewer.reading.open_study import Reading
from cmr_viewer.review.history import Change, GroupChange, Moved, Step, Way
from cmr_viewer.store.undo_log import KeptHistory, Move, Verb
from cmr_viewer.store.undo_steps import (
    FactPart,
    FramePart,
    KeptStep,
    PhaseMarksPart,
    StatusPart,
    StepKind,
    StepPart,
    label_digest,
)

_VERBS = {Way.DO: Verb.DO, Way.UNDO: Verb.UNDO, Way.REDO: Verb.REDO, Way.LEAVE: Verb.LEAVE}


def kept_moves(moves: Sequence[Moved]) -> tuple[Move, ...]:
    """Moves of the reader, as they are kept."""
    return tuple(
        Move(_VERBS[one.way], one.step.key, kept_step(one.step) if one.way is Way.DO else None) for one in moves
    )


def kept_step(step: Step) -> KeptStep:
    """A step, as it is kept."""
    changes = _single(step.change)
    parts = tuple(part for one in changes for part in one.parts())
    return KeptStep(step.key, changes[0].kind, step.change.text, parts)


def kind_of(change: Change) -> StepKind:
    """What kind of step a change is."""
    return _single(change)[0].kind


def _single(change: Change) -> tuple[KeptChange, ...]:
    if isinstance(change, GroupChange):
        return tuple(one for each in change.changes for one in _single(each))
    if isinstance(change, FrameChange | PhaseMarksChange | FactChange | AcceptChange):
        return (change,)
    raise TypeError(f"{type(change).__name__} cannot be saved.")


@dataclass(frozen=True, eq=False)
class MadeSteps:
    """Steps of a study that can be taken, made from what is kept.

    Attributes:
        done: Those that can be undone, the first first.
        undone: Those that can be redone, the next last.
        last: Marks after the last done step over each frame.
    """

    done: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()
    last: Mapping[FrameIndex, Marks] = field(default_factory=dict)


def made_steps(reading: Reading, kept: KeptHistory, shown: Mapping[FrameIndex, Prediction]) -> MadeSteps:
    """Make the steps of a study that can be taken; nothing is done to it. For the store thread.

    Args:
        reading: The study, whose steps they are.
        kept: What is kept of them.
        shown: Predictions that will be shown again; one that a step starts from is taken to be that one.
    """
    make = _Making(reading, shown)
    done, undone = (tuple(make.step(one) for one in line) for line in (kept.done, kept.undone))
    return MadeSteps(done, undone, make.last_marks(kept.done))


def put_history_back(reading: Reading, made: MadeSteps) -> None:
    """Put back what could be undone and redone when the study was open before."""
    reading.history.put_back(made.done, made.undone)
    for frame, marks in made.last.items():
        record = reading.records.get(frame)
        if record is not None and record.edited and record.base is None and record.origin == marks.origin:
            record.base = marks.base  # which only the step over it knows
    reading.tell_history()


class _Making:
    """Makes changes of a study from what is kept."""

    def __init__(self, reading: Reading, shown: Mapping[FrameIndex, Prediction]) -> None:
        self._reading, self._shown = reading, shown
        self._same: dict[Prediction, Prediction] = {}

    def step(self, kept: KeptStep) -> Step:
        """A step that can be taken."""
        statuses = [one for one in kept.parts if isinstance(one, StatusPart)]
        changes = [self._change(kept, one) for one in kept.parts if not isinstance(one, StatusPart)]
        if statuses:
            digests = {one.frame: one.digest for one in statuses}
            before = {one.frame: one.before for one in statuses}
            changes.append(AcceptChange(kept.text, digests, before, self._reading))
        return Step(kept.key, changes[0] if len(changes) == 1 else GroupChange(kept.text, tuple(changes)))

    def last_marks(self, done: Sequence[KeptStep]) -> dict[FrameIndex, Marks]:
        """Marks after the last step over each frame."""
        last: dict[FrameIndex, Marks] = {}
        for step in done:
            last.update({one.frame: one.after for one in step.parts if isinstance(one, FramePart)})
        return {frame: self._known(frame, marks) for frame, marks in last.items()}

    def _change(self, kept: KeptStep, part: StepPart) -> Change:
        match part:
            case PhaseMarksPart(pair_before, pair_after):
                return PhaseMarksChange(kept.text, pair_before, pair_after, self._reading.set_phase_marks)
            case FactPart(key, old, new):
                return FactChange(kept.text, key, old, new, self._reading.set_fact)
            case FramePart(frame, before, after, patch):
                start, end = self._known(frame, before), self._known(frame, after)
                return FrameChange(frame, kept.text, start, end, patch, self._reading, kept.kind)
            case StatusPart():
                raise TypeError("Acceptances are made together.")

    def _known(self, frame: FrameIndex, marks: Marks) -> Marks:
        base = marks.base
        if base is None:
            return marks
        if base not in self._same:
            shown = self._shown.get(frame)
            self._same[base] = shown if shown is not None and _is_same(shown, base) else base
        return marks if self._same[base] is base else replace(marks, base=self._same[base])


def _is_same(one: Prediction, other: Prediction) -> bool:
    said = (one.model_id, one.region, one.reason) == (other.model_id, other.region, other.reason)
    return said and label_digest(one.labels) == label_digest(other.labels)
