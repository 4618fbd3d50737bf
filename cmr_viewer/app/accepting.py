"""Accepting frames: they are told as accepted only once they are on disk."""

from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import QObject, Signal

from cmr_viewer.app.keeping import Keeper
from cmr_viewer.domain.change import Change
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import Reading
from cmr_viewer.reading.saving import SavedStudies, acceptances_of, works_of_acceptance
from cmr_viewer.store.annotations import Work


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

    def __init__(self, keeper: Keeper, saved: SavedStudies, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._keeper = keeper
        self._saved = saved

    def accept(self, reading: Reading, frames: Iterable[FrameIndex], text: str) -> bool:
        """Accept those frames that can be and are not yet, as one change that can be undone.

        The change is saved with the first frames of it: undoing it takes back what of it came to the disk.

        Args:
            reading: The open study.
            frames: Which.
            text: What is done, in words: "accept slice 3".

        Returns:
            Whether there are any.
        """
        versions = acceptances_of(reading, frames)
        change = reading.note_acceptance([one.frame for one in versions], text)
        works = works_of_acceptance(versions, reading.history.take_moves())
        for work in works:
            self._write(reading, work, change if work is works[0] else None)
        return change is not None

    def accept_again(self, reading: Reading, frames: Iterable[FrameIndex]) -> None:
        """Accept those frames whose acceptance was undone and is made again."""
        for work in works_of_acceptance(acceptances_of(reading, frames)):
            self._write(reading, work, None)

    def _write(self, reading: Reading, work: Work, change: Change | None) -> None:
        held = reading.hold(one.frame for one in work.versions)
        self._keeper.do(
            "Saving accepted frames",
            partial(self._saved.save, reading, work),
            on_done=partial(self._on_written, reading, held),
            on_failed=partial(self._on_not_written, reading, held, change),
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
