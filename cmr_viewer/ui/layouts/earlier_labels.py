"""Label maps of the open study as they were: what the model made, what was accepted last, what was there at opening."""

from enum import StrEnum
from functools import partial

from PySide6.QtCore import QObject, Signal, Slot

from cmr_viewer.app.session import Session
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import OpenStudy


class Earlier(StrEnum):
    """What the label maps of now are compared with."""

    PREDICTION = "prediction"
    ACCEPTED = "accepted"
    OPENING = "opening"

    @property
    def text(self) -> str:
        """What it is called."""
        return _TEXTS[self]

    @property
    def missing(self) -> str:
        """What is said of a frame that has none."""
        return _MISSING[self]


_TEXTS = {
    Earlier.PREDICTION: "Prediction of the model",
    Earlier.ACCEPTED: "Last accepted version",
    Earlier.OPENING: "Version when opened",
}
_MISSING = {
    Earlier.PREDICTION: "No model has segmented this frame",
    Earlier.ACCEPTED: "This frame was never accepted",
    Earlier.OPENING: "There was no label map when the study was opened",
}


class EarlierLabels(QObject):
    """Remembers label maps as they were; they are the session's own arrays, which are replaced and never written to.

    Signals:
        changed(): Accepted versions were read or came.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._opening: dict[FrameIndex, LabelMap | None] = {}
        self._accepted: dict[FrameIndex, LabelMap] = {}
        self._restored = self._asked = False
        session.study.left.connect(self._forget)
        session.study.restored.connect(self._note_opening)
        session.study.frames_changed.connect(self._note_first)
        session.study.frames_accepted.connect(self._note_accepted)

    def of(self, frame: FrameIndex, which: Earlier) -> LabelMap | None:
        """The label map (row, col) of a frame as it was; not to be written to. None where there was none.

        The accepted versions of earlier are read when they are first asked for; `changed` tells when they are there.
        """
        if self._session.study.stack is None:
            return None
        if which is Earlier.PREDICTION:
            return self._predicted(frame)
        if which is Earlier.ACCEPTED:
            self._ask()
            return self._accepted.get(frame)
        return self._opening.get(frame)

    def _predicted(self, frame: FrameIndex) -> LabelMap | None:
        reading = self._session.study.reading
        if reading is None:
            return None
        record, choice = reading.frames[frame], reading.frames.route_of(frame)
        if choice is not None and choice.empty:
            return empty_label_map(reading.stack.geometry.rows, reading.stack.geometry.cols)
        made = record.base if choice is None else record.predictions.get(choice.model_id, record.base)
        return None if made is None else made.labels

    def _ask(self) -> None:
        reading = self._session.study.reading
        if self._asked or reading is None:
            return
        self._asked = True
        work = partial(self._session.saved.annotations.last_accepted, reading.stack.stack_id, reading.read_id)
        self._session.saving.do("Reading accepted versions", work, on_done=partial(self._take_accepted, reading))

    def _take_accepted(self, reading: OpenStudy, accepted: dict[FrameIndex, LabelMap]) -> None:
        if reading is self._session.study.reading:
            self._accepted = {**accepted, **self._accepted}
            self.changed.emit()

    @Slot()
    def _forget(self) -> None:
        """The study is left."""
        self._opening.clear()
        self._accepted.clear()
        self._restored = self._asked = False

    @Slot()
    def _note_opening(self) -> None:
        """All that is kept of the study is shown now."""
        self._restored = True
        reading = self._session.study.reading
        if reading is not None:
            self._opening = {f: one.labels for f, one in reading.frames.items() if one.labels is not None}

    @Slot(object)
    def _note_first(self, frames: tuple[FrameIndex, ...]) -> None:
        """A frame without a label map is given its first: by a model, or by the reader, who began with nothing."""
        reading = self._session.study.reading
        if not self._restored or reading is None:
            return
        for frame in frames:
            record = reading.frames[frame]
            if frame not in self._opening and record.labels is not None:
                self._opening[frame] = None if record.edited else record.labels

    @Slot(object)
    def _note_accepted(self, frames: tuple[FrameIndex, ...]) -> None:
        reading = self._session.study.reading
        if reading is None:
            return
        for frame in frames:
            record = reading.frames.get(frame)
            if record is not None and record.status is ReviewStatus.ACCEPTED and record.labels is not None:
                self._accepted[frame] = record.labels
        self.changed.emit()
