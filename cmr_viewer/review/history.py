"""Unlimited undo and redo of all that a reader changes in a study.

Each step has a key, and each do, undo and redo is noted as a move, so that both lists can be saved to disk and restored
when the study is opened again.
"""

import uuid
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.edit import Patch

_LEVEL = 1  # label maps shrink fifty-fold at any level, and this one takes no time


class Change(Protocol):
    """A reader's change to a study that can be undone."""

    @property
    def frame(self) -> FrameIndex | None:
        """The frame, to be shown when it is undone; None where it is about no frame."""

    @property
    def text(self) -> str:
        """What was done, in words, for a menu: "paint LV myocardium"."""

    def apply(self) -> None:
        """Do it, or do it again."""

    def revert(self) -> None:
        """Take it back."""


class LabelChange:
    """A patch of the label map of one frame, compressed.

    Attributes:
        frame: The frame.
        text: What was done, in words.
    """

    def __init__(self, frame: FrameIndex, text: str, patch: Patch, labels_of: Callable[[FrameIndex], LabelMap]) -> None:
        """Make a change; it is not applied.

        Args:
            frame: The frame.
            text: What is done, in words.
            patch: The change.
            labels_of: Gives the label map of a frame that is to be written to, (row, col).
        """
        self.frame = frame
        self.text = text
        self._labels_of = labels_of
        self._corner = (patch.row0, patch.col0)
        self._shape = patch.before.shape
        self._before = zlib.compress(patch.before.tobytes(), _LEVEL)
        self._after = zlib.compress(patch.after.tobytes(), _LEVEL)

    @property
    def patch(self) -> Patch:
        """The change of the label map."""
        before, after = (
            np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(self._shape)
            for data in (self._before, self._after)
        )
        return Patch(*self._corner, before, after)

    @property
    def nbytes(self) -> int:
        """Memory that it holds, in bytes."""
        return len(self._before) + len(self._after)

    def apply(self) -> None:
        """Write the patch.

        Raises:
            LabelMapError: The label map is not as it was before; it is left as it is.
        """
        self.patch.apply(self._labels_of(self.frame))

    def revert(self) -> None:
        """Take the patch back.

        Raises:
            LabelMapError: The label map is not as it was after; it is left as it is.
        """
        self.patch.revert(self._labels_of(self.frame))


class RegionChange:
    """Another region of one frame; None stands for the predicted one.

    Attributes:
        frame: The frame.
        text: What was done, in words.
    """

    def __init__(
        self,
        frame: FrameIndex,
        before: Region | None,
        after: Region | None,
        set_region: Callable[[FrameIndex, Region | None], None],
    ) -> None:
        """Make a change; it is not applied.

        Args:
            frame: The frame.
            before: The reader's region until now.
            after: The reader's region from now on.
            set_region: Gives a frame a region.
        """
        self.frame = frame
        self.text = "reset region to automatic" if after is None else f"set region {after.text}"
        self.before = before
        self.after = after
        self._set_region = set_region

    def apply(self) -> None:
        """Give the frame the new region."""
        self._set_region(self.frame, self.after)

    def revert(self) -> None:
        """Give the frame the former region."""
        self._set_region(self.frame, self.before)


class GroupChange:
    """Several changes that are undone as one; all of them or none.

    Attributes:
        frame: Frame of the first.
        text: What was done, in words.
    """

    def __init__(self, text: str, changes: tuple[Change, ...]) -> None:
        """Join changes, at least one, in the order in which they are made."""
        if not changes:
            raise ValueError("A group of changes needs at least one.")
        self.frame = changes[0].frame
        self.text = text
        self.changes = changes

    def apply(self) -> None:
        """Make all changes, first to last; if one cannot be made, those before it are taken back."""
        _all_or_none([(one.apply, one.revert) for one in self.changes])

    def revert(self) -> None:
        """Take all changes back, last to first; if one cannot be, those before it are made again."""
        _all_or_none([(one.revert, one.apply) for one in reversed(self.changes)])


class Way(StrEnum):
    """Which way a move goes."""

    DO = "do"
    UNDO = "undo"
    REDO = "redo"
    LEAVE = "leave"


@dataclass(frozen=True, eq=False)
class Step:
    """A change with its key.

    Attributes:
        key: The same on disk and after a restart.
        change: The change.
    """

    key: str
    change: Change


@dataclass(frozen=True, eq=False)
class Moved:
    """A move of the reader.

    Attributes:
        way: Which way.
        step: Over which step.
    """

    way: Way
    step: Step


class History:
    """The steps done and undone in a study. One history for each open study."""

    def __init__(self) -> None:
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._moves: list[Moved] = []

    def do(self, change: Change) -> None:
        """Apply a change and remember it; what was undone before can no longer be redone.

        Raises:
            CmrViewerError: The change cannot be applied; then the history is as it was.
        """
        change.apply()
        self.push(change)

    def push(self, change: Change) -> None:
        """Remember a change that is already applied, such as a stroke."""
        step = Step(uuid.uuid4().hex, change)
        self._done.append(step)
        self._undone.clear()
        self._moves.append(Moved(Way.DO, step))

    def put_back(self, done: Sequence[Step], undone: Sequence[Step]) -> None:
        """Put back what was done and undone when the study was open before; no move of the reader.

        Where the reader has done something meanwhile it comes after, and what was undone can no longer be redone.
        """
        if not self._done and not self._undone:
            self._undone = list(undone)
        self._done = [*done, *self._done]

    def undo(self) -> Change | None:
        """Take the last change back.

        Returns:
            The change, so that its frame can be shown; None if there was nothing to undo.

        Raises:
            CmrViewerError: The change cannot be taken back; then the history is as it was.
        """
        if not self._done:
            return None
        step = self._done[-1]
        step.change.revert()
        self._undone.append(self._done.pop())
        self._moves.append(Moved(Way.UNDO, step))
        return step.change

    def redo(self) -> Change | None:
        """Make the last undone change again.

        Returns:
            The change; None if there was nothing to redo.

        Raises:
            CmrViewerError: The change cannot be made; then the history is as it was.
        """
        if not self._undone:
            return None
        step = self._undone[-1]
        step.change.apply()
        self._done.append(self._undone.pop())
        self._moves.append(Moved(Way.REDO, step))
        return step.change

    def leave_undo(self) -> None:
        """Leave out the change that `undo` would take back, such as one that does not fit any more."""
        if self._done:
            self._moves.append(Moved(Way.LEAVE, self._done.pop()))

    def leave_redo(self) -> None:
        """Leave out the change that `redo` would make again."""
        if self._undone:
            self._moves.append(Moved(Way.LEAVE, self._undone.pop()))

    def leave(self, change: Change) -> None:
        """Leave out a change wherever it is, such as one that could not be kept."""
        self._leave(lambda one: one is change)

    def take_moves(self) -> tuple[Moved, ...]:
        """The moves of the reader since the last call, in their order."""
        moves, self._moves = tuple(self._moves), []
        return moves

    @property
    def done(self) -> tuple[Change, ...]:
        """What can be undone, the first first."""
        return tuple(step.change for step in self._done)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return bool(self._undone)

    @property
    def undo_text(self) -> str:
        """What `undo` would take back, in words; empty if nothing."""
        return self._done[-1].change.text if self._done else ""

    @property
    def redo_text(self) -> str:
        """What `redo` would make again, in words; empty if nothing."""
        return self._undone[-1].change.text if self._undone else ""

    def forget(self, frame: FrameIndex) -> None:
        """Leave out single changes of a frame whose label map was replaced by something that cannot be undone.

        Groups stay, since the other frames in them can still be undone as far as they fit.
        """
        self._leave(lambda one: not isinstance(one, GroupChange) and one.frame == frame)

    def clear(self) -> None:
        """Leave out everything."""
        self._leave(lambda _one: True)

    def _leave(self, unwanted: Callable[[Change], bool]) -> None:
        for line in (self._done, self._undone):
            self._moves += [Moved(Way.LEAVE, step) for step in line if unwanted(step.change)]
            line[:] = [step for step in line if not unwanted(step.change)]


def _all_or_none(steps: list[tuple[Callable[[], None], Callable[[], None]]]) -> None:
    taken: list[Callable[[], None]] = []
    for forward, back in steps:
        try:
            forward()
        except BaseException:
            for undo in reversed(taken):
                undo()
            raise
        taken.append(back)
