"""What dialogs have in common that choose what is written and show the writing."""

from abc import abstractmethod
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QWidget

from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import label, row


class WritingDialog(QDialog):
    """A dialog that stays open while what it chose is written; the dialog of each kind lays it out.

    Args:
        title: Title of the window.
        go_icon: Icon of the button that begins to write.
        go_text: Its text.
        go_tip: Its tip.
        parent: The window.

    Signals:
        wanted(object): What is chosen is to be written.
        cancel_wanted(): The writing is to be stopped.
    """

    wanted = Signal(object)
    cancel_wanted = Signal()

    def __init__(self, title: str, go_icon: str, go_text: str, go_tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(560)
        self._running = False
        self._waits_for = ""
        self._wait = label("", "soft", wrap=True)
        self._wait.setAccessibleName("Reason to wait")
        self._wait.hide()
        self._said = label("", "bad", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of writing")
        self._what = label("", "soft")
        self._what.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._go = QPushButton(icon(go_icon), go_text)
        self._go.setProperty("part", "primary")
        self._go.setDefault(True)
        self._go.setToolTip(go_tip)
        self._go.clicked.connect(self._on_go)
        self._cancel = QPushButton("Cancel")
        self._cancel.setToolTip("Close, or stop writing; no partial files remain")
        self._cancel.clicked.connect(self.reject)

    @property
    @abstractmethod
    def choice(self) -> Any:
        """What is chosen."""

    @abstractmethod
    def _show_possible(self) -> None:
        """Enable what can be changed now."""

    @property
    def problem(self) -> str:
        """Why the last writing did not work; empty where none failed."""
        return self._said.text()

    @property
    def waits_for(self) -> str:
        """What must be done before anything can be written, as it is shown; empty for nothing."""
        return self._waits_for

    def wait_for(self, text: str) -> None:
        """Let the reader choose, but not begin to write before something is done; empty once it is."""
        if text == self._waits_for:
            return
        self._waits_for = text
        self._wait.setText(f"{text} You can continue when it is finished." if text else "")
        self._wait.setVisible(bool(text))
        self._show_possible()

    @property
    def _can_go(self) -> bool:
        """Whether nothing is being written or waited for."""
        return not self._running and not self._waits_for

    @property
    def is_running(self) -> bool:
        """Whether something is being written."""
        return self._running

    def _buttons(self) -> QHBoxLayout:
        """The last line: what is being written, begin, cancel."""
        return row(self._what, None, self._go, self._cancel, spacing=8)

    def _show_running(self, running: bool) -> None:
        self._running = running
        self._bar.setVisible(running)
        self._said.setVisible(bool(self._said.text()) and not running)
        self._cancel.setText("Stop" if running else "Cancel")
        if not running:
            self._what.setText("")
        self._show_possible()

    def _on_go(self) -> None:
        choice = self.choice
        self._said.setText("")
        self._bar.setValue(0)
        self._show_running(True)
        self.wanted.emit(choice)

    def show_progress(self, fraction: float, text: str) -> None:
        """How far the writing is."""
        self._bar.setValue(round(1000 * fraction))
        self._what.setText(text)

    def show_failed(self, text: str) -> None:
        """Nothing was written; the reader may change something and try again."""
        self._said.setText(text)
        self._show_running(False)

    def show_done(self) -> None:
        """All is written."""
        self._show_running(False)
        self.accept()

    def reject(self) -> None:
        """Stop the writing, or close."""
        if self._running:
            self.cancel_wanted.emit()
        else:
            super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop the writing first."""
        if self._running:
            self.cancel_wanted.emit()
        super().closeEvent(event)
