"""The comparison of two reads of the open study, worked out beside the window."""

from functools import partial

from PySide6.QtCore import QObject, Signal

from cmr_viewer.app.session import Session
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.reads import BothReads, both_reads
from cmr_viewer.store.reads import ReadKind, ReadSummary


def comparable(summaries: tuple[ReadSummary, ...]) -> tuple[ReadSummary, ...]:
    """Reads that may be compared with the first: second ones that are finished, or were never blinded."""
    return tuple(
        one
        for one in summaries
        if one.read is not None and one.read.kind is ReadKind.SECOND and (one.read.is_finished or not one.read.blinded)
    )


class Comparing(QObject):
    """Compares the first read of the open study with another, as both are kept.

    Signals:
        changed(): `both` is new.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._of: tuple[str, BothReads] | None = None

    @property
    def both(self) -> BothReads | None:
        """Both reads of the study that is open; None while they were not compared, or one is read blinded."""
        stack = self._session.study.stack
        if self._of is None or stack is None or self._session.study.is_blinded:
            return None
        stack_id, both = self._of
        return both if stack_id == stack.stack_id else None

    def compare(self, second_id: int) -> None:
        """Compare with a read; `changed` tells when it is done. Not while the read on show is blinded."""
        session, reading = self._session, self._session.study.reading
        if reading is None or session.study.is_blinded:
            return
        work = partial(both_reads, session.saved, reading.study, second_id)
        session.saving.do("Comparing the reads", work, on_done=partial(self._take, reading))

    def _take(self, reading: OpenStudy, both: BothReads) -> None:
        if reading is self._session.study.reading and not self._session.study.is_blinded:
            self._of = reading.stack.stack_id, both
            self.changed.emit()
