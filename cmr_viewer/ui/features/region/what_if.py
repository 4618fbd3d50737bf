"""What another region of the displayed frame would change, asked for while the reader looks at it."""

from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opinions import Opinions
from cmr_viewer.reading.what_if import TEXT, Answer, Following, answer, candidates_of, question_of
from cmr_viewer.review.what_if import Candidate

KEY = "what-if"
WAIT_MS = 120
"""A frame must be displayed this long before models are asked about it."""


class WhatIf(QObject):
    """Candidates for the region of the displayed frame; they fill as their masks come.

    Signals:
        changed(): `candidates` is new.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.candidates: tuple[Candidate, ...] = ()
        self.frame: FrameIndex | None = None
        self.opinions: Opinions | None = None
        self._session = session
        self._reading: OpenStudy | None = None
        self._following: dict[Region, Following] = {}
        self._timer = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._timer.timeout.connect(self._ask)

    @Slot()
    def begin(self) -> None:
        """A study was opened or left, or other models are in service: what was known of it is dropped."""
        self._session.jobs.cancel(KEY)
        self._timer.stop()
        self._reading = self._session.study.reading
        self.opinions = None if self._reading is None else Opinions(self._reading)
        self._following = {}
        if self._reading is None:
            self.frame = None
        self._show()
        if self.frame is not None:
            self._timer.start()

    def look_at(self, frame: FrameIndex | None) -> None:
        """Another frame is displayed; None while the cine plays."""
        if frame == self.frame:
            return
        self._session.jobs.cancel(KEY)
        self.frame, self._following = frame, {}
        self._show()
        if frame is None:
            self._timer.stop()
        else:
            self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Something of the study has changed: show what is known now, and ask again for what follows."""
        self._following = {}
        self._show()
        if self.frame is not None and not self._timer.isActive():
            self._timer.start()

    # -- what is known -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        self.candidates = self._made()
        self.changed.emit()

    def _made(self) -> tuple[Candidate, ...]:
        reading, frame, models = self._reading, self.frame, self._session.models.loaded
        if reading is None or frame is None or models is None or self.opinions is None or frame not in reading.frames:
            return ()
        return candidates_of(reading, frame, models.active, self.opinions, self._following)

    # -- what is asked -------------------------------------------------------------------------------------------------

    @Slot()
    def _ask(self) -> None:
        session, reading, frame, models = self._session, self._reading, self.frame, self._session.models.loaded
        if reading is None or reading is not session.study.reading or self.opinions is None:
            return
        if frame is None or models is None or not self.candidates:
            return
        question = question_of(reading, frame, models.active, self.opinions, self.candidates)
        if session.models.is_analysing and not question.lacking:  # `analysed` will ask again
            return
        session.jobs.submit(
            KEY,
            TEXT,
            partial(answer, session.models.flow, reading.stack, models, question),
            priority=Priority.READER - 5,
            on_partial=partial(self._take, reading, frame),
        )

    def _take(self, reading: OpenStudy, frame: FrameIndex, found: Answer) -> None:
        if reading is not self._reading or frame != self.frame or self.opinions is None:
            return
        if isinstance(found, Following):
            self._following[found.region] = found
        else:
            self.opinions.add(found)
        self._show()
