"""What runs in the background, with Cancel."""

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QProgressBar, QToolButton, QWidget

from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import label, row

_NOTED_MS = 5000


class WorkLine(QWidget):
    """The work that was begun last, how far it is, and Cancel; nothing while nothing runs.

    Signals:
        cancel_wanted(str): Key of the displayed work.
    """

    cancel_wanted = Signal(str)

    def __init__(self, idle_text: str = "") -> None:
        super().__init__()
        self._idle_text = idle_text
        self._note = ""
        self._noted = QTimer(self, singleShot=True, interval=_NOTED_MS)
        self._noted.timeout.connect(self.end_note)
        self._works: dict[str, tuple[str, float]] = {}
        self._text = label(idle_text, "soft")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._bar.setFixedWidth(140)
        self._bar.setAccessibleName("Progress")
        self._cancel = QToolButton()
        self._cancel.setText("Cancel")
        self._cancel.setIcon(icon("stop", "soft"))
        self._cancel.setIconSize(QSize(14, 14))
        self._cancel.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._cancel.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._cancel.setAccessibleName("Cancel the running job")
        self._cancel.setToolTip("Cancel the running job")
        self._cancel.clicked.connect(self._on_cancel)
        self.setLayout(row(self._text, self._bar, self._cancel, spacing=10, margins=(10, 0, 6, 0)))
        self._show()

    @property
    def key(self) -> str | None:
        """The displayed work, or None."""
        return next(reversed(self._works), None)

    @property
    def text(self) -> str:
        """The text."""
        return self._text.text()

    def begin(self, key: str, text: str) -> None:
        """A work has begun."""
        self._works.pop(key, None)
        self._works[key] = (text, 0.0)
        self._show()

    def progress(self, key: str, fraction: float, text: str) -> None:
        """A work goes on."""
        if key in self._works:
            self._works[key] = (text or self._works[key][0], fraction)
            self._show()

    def end(self, key: str) -> None:
        """A work has ended, in whatever way."""
        if self._works.pop(key, None) is not None:
            self._show()

    @Slot(str)
    def note(self, text: str) -> None:
        """Show for a moment what was done, in place of what runs."""
        self._note = text
        self._noted.start()
        self._show()

    @Slot()
    def end_note(self) -> None:
        """Show no longer what was done."""
        self._noted.stop()
        self._note = ""
        self._show()

    def _show(self) -> None:
        key = self.key
        self._bar.setVisible(key is not None)
        self._cancel.setVisible(key is not None)
        if key is None:
            self._text.setText(self._note or self._idle_text)
            return
        text, fraction = self._works[key]
        self._text.setText(self._note or text)
        self._bar.setValue(round(1000 * fraction))

    def _on_cancel(self) -> None:
        if self.key is not None:
            self.cancel_wanted.emit(self.key)
