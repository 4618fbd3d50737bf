"""The reader's effort at the study: the input that counts, and the time spent so far."""

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, QTimer, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.effort import StudyEffort, effort_text
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.widgets import label

REFRESH_MS = 5000
"""The time spent is shown anew so often, while it can be seen."""

_INPUTS = frozenset(
    {
        QEvent.Type.MouseMove,
        QEvent.Type.MouseButtonPress,
        QEvent.Type.MouseButtonRelease,
        QEvent.Type.KeyPress,
        QEvent.Type.Wheel,
        QEvent.Type.TabletMove,
        QEvent.Type.TabletPress,
        QEvent.Type.TouchUpdate,
        QEvent.Type.NativeGesture,
    }
)


class EffortPanel(QWidget):
    """Time and changes, of the study and of the displayed frame."""

    def __init__(self) -> None:
        super().__init__()
        self.study = label(wrap=True)
        self.frame = label(part="small", wrap=True)
        for one, name in ((self.study, "Effort on this study"), (self.frame, "Effort on this frame")):
            one.setAccessibleName(name)
            one.setToolTip("Active reading time. The clock stops after half a minute without input")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.study)
        rows.addWidget(self.frame)

    def show_effort(self, spent: StudyEffort, frame: FrameIndex | None) -> None:
        """Show what was spent; no study where the frame is None."""
        here = "" if frame is None else effort_text(spent.of_frame(frame))
        self.study.setText(f"Study: {spent.text}" if spent.text else "No time recorded for this study yet.")
        self.frame.setText(f"This frame: {here}" if here else "")
        self.frame.setVisible(bool(here))


class EffortFeature(Feature):
    """Reports each input of the reader to the session, and shows the time spent on the study."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.panel = EffortPanel()
        context.parts.side.add_section(Page.REVIEW, "Effort", self.panel)
        self._listens_to: QObject | None = None
        self._clock = QTimer(self, interval=REFRESH_MS)
        self._clock.timeout.connect(self.refresh)
        context.window.installEventFilter(self)
        self.panel.installEventFilter(self)
        self._clock.start()

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session = self.context.session
        return (
            (session.study.restored, self.refresh),
            (session.study.history_changed, self.refresh),
            (self.context.desk.frame_changed, self.refresh),
        )

    def drop_study(self) -> None:
        """Nothing was spent on no study."""
        self.panel.show_effort(StudyEffort(), None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Listen to the window's own events, which are its inputs and few others; nothing is held back."""
        if watched is self._listens_to:
            if event.type() in _INPUTS:
                self.context.session.study.note_input()
        elif event.type() is QEvent.Type.Show and watched is self.panel:
            QTimer.singleShot(0, self, self.refresh)
        elif event.type() is QEvent.Type.Show:
            handle = self.context.window.windowHandle()
            if handle is not None and handle is not self._listens_to:
                self._listens_to = handle
                handle.installEventFilter(self)
        return False

    @Slot()
    def refresh(self) -> None:
        """Show what was spent, if it can be seen and no cine plays."""
        if self.panel.isVisible() and not self.context.desk.player.running:
            session = self.context.session
            frame = None if session.study.stack is None else self.context.desk.frame
            self.panel.show_effort(session.study.effort(), frame)
