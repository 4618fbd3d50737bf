"""Unlimited undo and redo of all that a reader changes in a study; both lines are saved with what they change."""

from cmr_viewer.domain.change import Change, ChangedStudy, Move, UndoLines, Verb
from cmr_viewer.errors import LabelMapError, StoreError


class History:
    """What was done and undone in the open study."""

    def __init__(self) -> None:
        self._done: list[Change] = []
        self._undone: list[Change] = []
        self._moves: list[Move] = []

    def push(self, change: Change) -> None:
        """Remember a change that is already made; what was undone before can no longer be redone."""
        self._done.append(change)
        self._undone.clear()
        self._moves.append(Move(Verb.DO, change))

    def put_back(self, lines: UndoLines) -> None:
        """Put back what was done and undone when the study was open before; no move of the reader.

        Where the reader has done something meanwhile it comes after, and what was undone can no longer be redone.
        """
        if not self._done and not self._undone:
            self._undone = list(lines.undone)
        self._done = [*lines.done, *self._done]

    def undo(self, study: ChangedStudy) -> Change | None:
        """Take the last change back.

        Returns:
            The change, so that its frame can be shown; None if there was nothing to undo.

        Raises:
            LabelMapError: It no longer fits; nothing is changed, and it is left out from now on.
        """
        return self._move(Verb.UNDO, study)

    def redo(self, study: ChangedStudy) -> Change | None:
        """Make the last undone change again.

        Returns:
            The change; None if there was nothing to redo.

        Raises:
            LabelMapError: It no longer fits; nothing is changed, and it is left out from now on.
        """
        return self._move(Verb.REDO, study)

    def _move(self, verb: Verb, study: ChangedStudy) -> Change | None:
        back = verb is Verb.UNDO
        here, there = (self._done, self._undone) if back else (self._undone, self._done)
        if not here:
            return None
        change = here[-1]
        try:
            (change.undo if back else change.apply)(study)
        except (LabelMapError, StoreError) as error:
            self.leave(change)
            raise LabelMapError(f"“{change.text}” no longer fits the study and was skipped. {error}") from error
        there.append(here.pop())
        self._moves.append(Move(verb, change))
        return change

    def leave(self, change: Change) -> None:
        """Leave a change out wherever it is, such as one that could not be saved."""
        for line in (self._done, self._undone):
            if change in line:
                line.remove(change)
                self._moves.append(Move(Verb.LEAVE, change))

    def take_moves(self) -> tuple[Move, ...]:
        """The moves of the reader since the last call, in their order."""
        moves, self._moves = tuple(self._moves), []
        return moves

    @property
    def lines(self) -> UndoLines:
        """What can be undone and redone."""
        return UndoLines(tuple(self._done), tuple(self._undone))

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
