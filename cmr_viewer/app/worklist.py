"""The studies of the workspace, and those that wait to be opened for the first time."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from cmr_viewer.app.private_log import hide_from_log
from cmr_viewer.app.saving import Saving
from cmr_viewer.app.study import CurrentStudy
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.store.worklist import WaitingStore


class StudyList(QObject):
    """What is in the workspace, read anew whenever something of it changed.

    Attributes:
        waiting: Files and folders that wait to be opened for the first time; as of the last `changed`.

    Signals:
        changed(): `studies` or `waiting` is new.
    """

    changed = Signal()

    def __init__(self, saving: Saving, study: CurrentStudy, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.waiting: tuple[Path, ...] = ()
        self._studies: tuple[StudyRow, ...] = ()
        self._saving, self._study, self._annotations = saving, study, saving.saved.annotations
        self._store = WaitingStore(saving.workspace)
        study.restored.connect(self.refresh)
        study.frames_accepted.connect(self.refresh)

    @property
    def studies(self) -> tuple[StudyRow, ...]:
        """Studies of the workspace, the last opened first; as of the last `changed`.

        Of the open study a blinded reader sees the progress of their own read, and not of the first.
        """
        reading = self._study.reading
        if reading is None or not self._study.is_blinded:
            return self._studies
        status = [record.status for record in reading.frames.values()]
        accepted, drafts = status.count(ReviewStatus.ACCEPTED), status.count(ReviewStatus.DRAFT)
        mine = reading.stack.stack_id
        return tuple(
            replace(row, accepted=accepted, drafts=drafts) if row.stack_id == mine else row for row in self._studies
        )

    def add(self, sources: Sequence[Path], *, only_new: bool = False) -> None:
        """Let studies wait in the worklist until they are opened, also when the program is closed meanwhile.

        Args:
            sources: Files or folders.
            only_new: Whether those that were opened before are left out.
        """
        for source in sources:
            hide_from_log(source)

        def work() -> None:
            rows = self._annotations.studies() if only_new else []
            known = {Path(row.source).absolute() for row in rows}
            self._store.add([source for source in sources if source.absolute() not in known])

        self._saving.do("Saving the worklist", work)
        self.refresh()

    def remove(self, sources: Sequence[Path]) -> None:
        """Take studies that wait off the worklist."""
        self._saving.do("Saving the worklist", partial(self._store.remove, tuple(sources)))
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Read the worklist anew."""
        self._saving.do(
            "Reading the worklist", lambda: (self._annotations.studies(), self._store.all()), on_done=self._on_read
        )

    def _on_read(self, worklist: tuple[list[StudyRow], list[Path]]) -> None:
        studies, waiting = worklist
        self._studies, self.waiting = tuple(studies), tuple(waiting)
        self.changed.emit()
