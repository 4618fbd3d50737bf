"""Everything that is saved is written on one thread, in the order in which the reader did it; what failed waits."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from cmr_viewer.app.jobs import Jobs
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.change import Change
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.saving import SavedStudies, acceptances_of, joined_work, works_of_acceptance
from cmr_viewer.store.annotations import Work
from cmr_viewer.store.database import Workspace

_QUIET = "quiet-"
_PATIENCE_S = 60.0


class Saving(QObject):
    """Writes to the workspace on a thread of its own.

    A frame counts as accepted only once it is on disk, with its pixels, so that training never needs the source files.
    From the moment when a reader accepts it until then its label map is held: a prediction that comes in between is
    proposed beside it. Work that could not be written, such as on a full disk, is written with the next work of its
    study, also after that study was left.

    Attributes:
        workspace: Where everything is saved.
        saved: The studies in it.

    Signals:
        failed(str message): Something could not be saved.
        unsaved_changed(): `unsaved_frames` or `has_unsaved` is new.
        accepted(object OpenStudy, object tuple of FrameIndex): These frames are on disk as accepted.
        not_accepted(object OpenStudy): Some accepted frames could not be written.
    """

    failed = Signal(str)
    unsaved_changed = Signal()
    accepted = Signal(object, object)
    not_accepted = Signal(object)

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.saved = SavedStudies(workspace)
        self._jobs = Jobs("store", self)
        self._jobs.failed.connect(self._on_job_failed)
        self._count = 0
        self._works = 0
        self._unsaved: dict[OpenStudy, dict[int, Work]] = {}

    # -- the store thread ----------------------------------------------------------------------------------------------

    def do(
        self,
        text: str,
        work: Callable[[], Any],
        *,
        on_done: Callable[[Any], None] | None = None,
        on_failed: Callable[[str], None] | None = None,
        quiet: bool = False,
    ) -> None:
        """Queue a write, or a read that must see all earlier writes.

        Args:
            text: What it does, for a reader.
            work: Called on the store thread.
            on_done: Called on the GUI thread with what `work` returned, after it is on disk.
            on_failed: Called on the GUI thread with the message, before `failed` is emitted.
            quiet: Whether `failed` is not emitted, because `on_failed` informs the reader in its own way.
        """
        self._count += 1
        key = f"{_QUIET if quiet else ''}store-{self._count}"
        self._jobs.submit(key, text, lambda _progress: work(), on_finished=on_done, on_failed=on_failed)

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be written."""
        return self._jobs.is_busy()

    def wait(self) -> bool:
        """Wait until everything that is queued is written, or could not be; whether that came to an end."""
        return self._jobs.finish(_PATIENCE_S)

    def shutdown(self) -> bool:
        """Write everything that is queued and end the thread; whether it ended."""
        return self._jobs.shutdown(finish=True, timeout_s=_PATIENCE_S)

    def _on_job_failed(self, key: str, message: str, _details: str) -> None:
        if not key.startswith(_QUIET):
            self.failed.emit(message)

    # -- what a reader does --------------------------------------------------------------------------------------------

    def save(self, reading: OpenStudy, work: Work) -> None:
        """Write work, and with it what of the same study could not be written before."""
        self._works += 1
        parts = {**self._unsaved.pop(reading, {}), self._works: work}
        again = [one.frame for one in work.versions if one.status is ReviewStatus.ACCEPTED]
        work = joined_work(reading, [part for _, part in sorted(parts.items())])
        held = reading.hold(again)
        self.do(
            "Saving a draft" if work.versions else "Saving changes",
            partial(self.saved.save, reading, work),
            on_done=partial(self._on_accepted, reading, held) if held else None,
            on_failed=partial(self._on_not_saved, reading, parts, held),
        )
        if len(parts) > 1:
            self.unsaved_changed.emit()

    def accept(self, reading: OpenStudy, frames: Iterable[FrameIndex], text: str) -> bool:
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
            self._write_accepted(reading, work, change if work is works[0] else None)
        return change is not None

    def accept_again(self, reading: OpenStudy, frames: Iterable[FrameIndex]) -> None:
        """Accept those frames whose acceptance was undone and is made again."""
        for work in works_of_acceptance(acceptances_of(reading, frames)):
            self._write_accepted(reading, work, None)

    def _write_accepted(self, reading: OpenStudy, work: Work, change: Change | None) -> None:
        held = reading.hold(one.frame for one in work.versions)
        self.do(
            "Saving accepted frames",
            partial(self.saved.save, reading, work),
            on_done=partial(self._on_accepted, reading, held),
            on_failed=partial(self._on_not_accepted, reading, held, change),
        )

    def _on_accepted(self, reading: OpenStudy, held: dict[FrameIndex, int], _result: object) -> None:
        reading.release(held, accepted=True)
        self.accepted.emit(reading, tuple(held))

    def _on_not_accepted(
        self, reading: OpenStudy, held: dict[FrameIndex, int], change: Change | None, _message: str
    ) -> None:
        reading.release(held, accepted=False)
        if change is not None:
            reading.leave(change)
        self.not_accepted.emit(reading)

    # -- what could not be saved ---------------------------------------------------------------------------------------

    def _on_not_saved(
        self, reading: OpenStudy, parts: dict[int, Work], held: dict[FrameIndex, int], message: str
    ) -> None:
        if held:
            self._on_not_accepted(reading, held, None, message)
        self._unsaved[reading] = {**parts, **self._unsaved.get(reading, {})}
        self.unsaved_changed.emit()

    @property
    def has_unsaved(self) -> bool:
        """Whether something that a reader did could not be saved, of the open study or of one that is left."""
        return bool(self._unsaved)

    def lacks(self, reading: OpenStudy) -> bool:
        """Whether something of a study could not be saved."""
        return reading in self._unsaved

    @property
    def unsaved_frames(self) -> int:
        """Frames that could not be saved; 0 also where that is something else, such as ED."""
        return sum(
            len({frame for work in parts.values() for frame in (*(one.frame for one in work.versions), *work.regions)})
            for parts in self._unsaved.values()
        )

    def save_again(self) -> None:
        """Try again to save what could not be."""
        for reading in tuple(self._unsaved):
            self.save(reading, Work())

    def save_elsewhere(self, folder: Path, on_done: Callable[[Path], None], on_failed: Callable[[str], None]) -> None:
        """Copy the workspace to another folder, and save there what could not be saved here.

        Args:
            folder: It must not exist.
            on_done: Called with the folder once all is there; nothing counts as unsaved then.
            on_failed: Called with the reason; everything is as it was then.
        """
        unsaved = {reading: joined_work(reading, [*parts.values(), Work()]) for reading, parts in self._unsaved.items()}

        def done(written: Path) -> None:
            self._unsaved.clear()
            self.unsaved_changed.emit()
            on_done(written)

        work = partial(self.saved.save_elsewhere, folder, unsaved)
        self.do("Saving elsewhere", work, on_done=done, on_failed=on_failed, quiet=True)
