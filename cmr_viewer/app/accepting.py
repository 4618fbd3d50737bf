"""Accepting frames: they are told as accepted only once they are on disk."""

from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import QObject, Signal

from cmr_viewer.app.frame_states import Changed
from cmr_viewer.app.keeping import Keeper
from cmr_viewer.app.kept_frames import acceptances_of
from cmr_viewer.app.reading import Reading
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore, Kept

FRAMES_AT_ONCE = 16
"""Frames of one transaction; compressing their pixels takes some 20 ms each, and other writes wait for it."""


class Accepting(QObject):
    """Writes accepted frames with their pixels, so that training never needs the source files.

    From the moment a frame is accepted to the moment it is on disk its label map is held: a prediction that comes in
    between is offered beside it.

    Signals:
        accepted(object Reading, object tuple of FrameIndex): These frames are on disk.
    """

    accepted = Signal(object, object)

    def __init__(self, keeper: Keeper, store: AnnotationStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._keeper = keeper
        self._store = store

    def accept(self, reading: Reading, frames: Iterable[FrameIndex]) -> None:
        """Accept those frames that can be and are not yet."""
        kept = acceptances_of(reading, frames)
        for start in range(0, len(kept), FRAMES_AT_ONCE):
            self._write(reading, kept[start : start + FRAMES_AT_ONCE])

    def _write(self, reading: Reading, kept: list[Kept]) -> None:
        numbers = {}
        for one in kept:
            record = reading.records[one.frame]
            record.accepting = record.kept = True
            numbers[one.frame] = record.edit_number
            reading.dismiss_proposal(one.frame)
        self._keeper.do(
            "Keeping accepted frames",
            partial(self._store.save_all, reading.stack.stack_id, kept),
            on_done=partial(self._on_written, reading, numbers),
            on_failed=partial(self._on_not_written, reading, numbers),
        )

    def _on_written(self, reading: Reading, numbers: dict[FrameIndex, int], _annotations: object) -> None:
        for frame, number in numbers.items():
            record = reading.records[frame]
            record.accepting = False
            if record.edit_number == number:  # else the reader went on, and a later draft is on its way
                record.status = ReviewStatus.ACCEPTED
                reading.note(frame, Changed.STATUS)
        self.accepted.emit(reading, tuple(numbers))

    def _on_not_written(self, reading: Reading, numbers: dict[FrameIndex, int], _message: str) -> None:
        for frame in numbers:
            reading.records[frame].accepting = False
