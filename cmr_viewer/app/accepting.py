"""Accepting frames: they are told as accepted only once they are on disk."""

from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import QObject, Signal

from cmr_viewer.app.keeping import Keeper
from cmr_viewer.domain.change import Change, Move
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import Reading
from cmr_viewer.reading.saved_frames import acceptances_of
from cmr_viewer.store.annotations import AnnotationStore, Kept

FRAMES_AT_ONCE = 16
"""Frames of one transaction; compressing their pixels takes some 20 ms each, and other writes wait for it."""


class Accepting(QObject):
    """Writes accepted frames with their pixels, so that training never needs the source files.

    From the moment a frame is accepted to the moment it is on disk its label map is held: a prediction that comes in
    between is offered beside it.

    Signals:
        accepted(object Reading, object tuple of FrameIndex): These frames are on disk.
        not_accepted(object Reading): Some could not be written.
    """

    accepted = Signal(object, object)
    not_accepted = Signal(object)

    def __init__(self, keeper: Keeper, store: AnnotationStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._keeper = keeper
        self._store = store

    def accept(self, reading: Reading, frames: Iterable[FrameIndex], text: str) -> bool:
        """Accept those frames that can be and are not yet, as one step that can be undone.

        The step is kept with the first frames of it: undoing it takes back what of it came to the disk.

        Args:
            reading: The open study.
            frames: Which.
            text: What is done, in words: "accept slice 3".

        Returns:
            Whether there are any.
        """
        kept = acceptances_of(reading, frames)
        step = reading.note_acceptance([one.frame for one in kept], text)
        self._write_all(reading, kept, reading.history.take_moves(), step)
        return step is not None

    def accept_again(self, reading: Reading, frames: Iterable[FrameIndex]) -> None:
        """Accept those frames whose acceptance was undone and is made again."""
        self._write_all(reading, acceptances_of(reading, frames), (), None)

    def _write_all(self, reading: Reading, kept: list[Kept], moves: tuple[Move, ...], step: Change | None) -> None:
        for start in range(0, len(kept), FRAMES_AT_ONCE):
            first = start == 0
            some = kept[start : start + FRAMES_AT_ONCE]
            self._write(reading, some, moves if first else (), step if first else None)

    def _write(self, reading: Reading, kept: list[Kept], moves: tuple[Move, ...], step: Change | None) -> None:
        held = reading.hold(one.frame for one in kept)
        self._keeper.do(
            "Saving accepted frames",
            partial(self._store.save_all, reading.stack.stack_id, kept, moves=moves, read_id=reading.read_id),
            on_done=partial(self._on_written, reading, held),
            on_failed=partial(self._on_not_written, reading, held, step),
        )

    def _on_written(self, reading: Reading, held: dict[FrameIndex, int], _annotations: object) -> None:
        reading.release(held, accepted=True)
        self.accepted.emit(reading, tuple(held))

    def _on_not_written(
        self, reading: Reading, held: dict[FrameIndex, int], change: Change | None, _message: str
    ) -> None:
        reading.release(held, accepted=False)
        if change is not None:
            reading.leave(change)
        self.not_accepted.emit(reading)

    def end_again(self, reading: Reading, held: dict[FrameIndex, int], *, kept: bool) -> None:
        """Frames that were held are accepted, or could not be saved."""
        if kept:
            self._on_written(reading, held, None)
        else:
            self._on_not_written(reading, held, None, "")
