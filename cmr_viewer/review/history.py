"""Undo and redo over everything that a reader changes in a study, without limit."""

import zlib
from collections.abc import Callable
from typing import Protocol

import numpy as np

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.edit import Patch

_LEVEL = 1  # label maps shrink fifty-fold at any level, and this one takes no time


class Change(Protocol):
    """Something that a reader did to a frame and can take back."""

    @property
    def frame(self) -> FrameIndex:
        """The frame, to be shown when it is undone."""

    @property
    def text(self) -> str:
        """What was done, in words, for a menu: "paint LV myocardium"."""

    def apply(self) -> None:
        """Do it, or do it again."""

    def revert(self) -> None:
        """Take it back."""


class LabelChange:
    """A patch of the label map of one frame, held compressed.

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
        self.text = "use the predicted region" if after is None else f"set region {after.text}"
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


class History:
    """What was done to a study, and what was undone of it. One for each open study."""

    def __init__(self) -> None:
        self._done: list[Change] = []
        self._undone: list[Change] = []

    def do(self, change: Change) -> None:
        """Apply a change and remember it; what was undone before can no longer be redone.

        Raises:
            CmrViewerError: The change cannot be applied; then the history is as it was.
        """
        change.apply()
        self.push(change)

    def push(self, change: Change) -> None:
        """Remember a change that is already applied, such as a stroke."""
        self._done.append(change)
        self._undone.clear()

    def undo(self) -> Change | None:
        """Take the last change back.

        Returns:
            The change, so that its frame can be shown; None if there was nothing to undo.

        Raises:
            CmrViewerError: The change cannot be taken back; then the history is as it was.
        """
        if not self._done:
            return None
        change = self._done[-1]
        change.revert()
        self._undone.append(self._done.pop())
        return change

    def redo(self) -> Change | None:
        """Make the last undone change again.

        Returns:
            The change; None if there was nothing to redo.

        Raises:
            CmrViewerError: The change cannot be made; then the history is as it was.
        """
        if not self._undone:
            return None
        change = self._undone[-1]
        change.apply()
        self._done.append(self._undone.pop())
        return change

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
        return self._done[-1].text if self._done else ""

    @property
    def redo_text(self) -> str:
        """What `redo` would make again, in words; empty if nothing."""
        return self._undone[-1].text if self._undone else ""

    def forget(self, frame: FrameIndex) -> None:
        """Drop single changes of a frame whose label map was replaced by something that cannot be undone.

        Groups stay, since the other frames in them can still be undone as far as they fit.
        """
        self._done = [one for one in self._done if isinstance(one, GroupChange) or one.frame != frame]
        self._undone = [one for one in self._undone if isinstance(one, GroupChange) or one.frame != frame]

    def clear(self) -> None:
        """Forget everything."""
        self._done.clear()
        self._undone.clear()


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
