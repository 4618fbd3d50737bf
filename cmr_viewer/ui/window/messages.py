"""What the window reports: a bar over the frame, a list behind the bell, suggestions, and the work that runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import action_button, column, label, row

_SHOWN_MS = {"info": 6000, "warning": 15000}
_ICONS = {"info": ("info", "accent"), "warning": ("warning", "warn"), "error": ("error", "bad")}


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        severity: "info", "warning" or "error".
        text: Text for the reader.
        at: When.
        study: Name of its study; empty for none.
        ends: Whether it ends when the open study is closed.
    """

    severity: str
    text: str
    at: datetime
    study: str = ""
    ends: bool = False


class MessageBar(QFrame):
    """One message over the frame. An error stays until it is closed; others disappear after a while.

    Signals:
        closed(): The message went or was closed.
    """

    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("message")
        self._icon = QLabel()
        self._study = label("", "title")
        self._text = label("", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._remedy = QToolButton()
        self._remedy.setProperty("part", "boxed")
        self._remedy.setAccessibleName("Possible remedy")
        self._remedy.setToolTip("Possible remedy")
        self._remedy.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._remedy.setIconSize(QSize(16, 16))
        self._remedy.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._action: QAction | None = None
        self._remedy.clicked.connect(self._do)
        close = QToolButton()
        close.setIcon(icon("close", "soft"))
        close.setIconSize(QSize(14, 14))
        close.setToolTip("Close the message")
        close.setAccessibleName("Close the message")
        close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        close.clicked.connect(self._close)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.setSpacing(10)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._study, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._remedy, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._close)
        self._severity, self._ends = "info", False
        self.hide()

    @property
    def study(self) -> str:
        """The study that the message names; empty for none."""
        return self._study.text()

    @property
    def text(self) -> str:
        """What is shown."""
        return self._text.text()

    @property
    def action(self) -> QAction | None:
        """The suggested remedy, or None."""
        return self._action

    def show_message(
        self, severity: str, text: str, action: QAction | None = None, *, study: str = "", ends: bool = False
    ) -> None:
        """Show a message; only another error replaces an error.

        Args:
            severity: "info", "warning" or "error".
            text: For the reader.
            action: The remedy, as a button; None for none.
            study: Name of its study; empty for none.
            ends: Whether it ends when the open study is closed.
        """
        if self.isVisible() and self._severity == "error" and severity != "error":
            return
        self._offer(action)
        self._severity, self._ends = severity, ends
        self._study.setText(study)
        self._study.setVisible(bool(study))
        name, tint = _ICONS.get(severity, _ICONS["info"])
        self._icon.setPixmap(icon(name, tint).pixmap(18, 18))
        self._text.setText(text)
        self.setProperty("severity", severity)
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()
        self._timer.stop()
        if severity in _SHOWN_MS:
            self._timer.start(_SHOWN_MS[severity])

    def make_way(self) -> None:
        """The study changes: remove messages about the last one, and any that would hide a message of the next."""
        if self._ends or self._severity != "info":
            self._close()
            self._offer(None)
            self._study.setText("")
            self._text.setText("")

    def _offer(self, action: QAction | None) -> None:
        self._action = action
        self._remedy.setVisible(action is not None)
        if action is not None:
            self._remedy.setText(action.iconText())
            self._remedy.setIcon(action.icon())
            self._remedy.setToolTip(action.toolTip())
            self._remedy.setAccessibleName(action.text().replace("&", "").rstrip("…"))

    def _do(self) -> None:
        action = self._action
        self._close()
        if action is not None:
            action.trigger()

    def _close(self) -> None:
        self._timer.stop()
        self.hide()
        self.closed.emit()


class Bell(QToolButton):
    """The button that opens the list of messages, with the number of unread warnings and errors."""

    def __init__(self) -> None:
        super().__init__()
        self.setIconSize(QSize(16, 16))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._messages: list[Message] = []
        self._unread: list[Message] = []
        self._show()

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages, oldest first."""
        return tuple(self._messages)

    def add(self, severity: str, text: str, *, study: str = "", ends: bool = False) -> None:
        """Add a message; arguments as for the bar."""
        message = Message(severity, text, datetime.now().astimezone(), study, ends)
        self._messages.append(message)
        if severity != "info":
            self._unread.append(message)
        self._show()

    def drop_study(self) -> None:
        """The study is closed: remove its messages."""
        self._messages = [one for one in self._messages if not one.ends]
        self._unread = [one for one in self._unread if not one.ends]
        self._show()

    def open_list(self) -> None:
        """Show all messages."""
        self._unread = []
        self._show()
        dialog = MessagesDialog(self._messages, self.window())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _show(self) -> None:
        self.setIcon(icon("bell", "warn" if self._unread else "soft"))
        unread = len(self._unread)
        self.setText(str(unread) if unread else "")
        unread_text = "No new warnings" if not unread else "1 new warning" if unread == 1 else f"{unread} new warnings"
        self.setToolTip(f"{unread_text}. Show all messages (F2)")
        self.setAccessibleName(f"Messages: {unread_text}")


class MessagesDialog(QDialog):
    """All messages since the start, newest first.

    Args:
        messages: Oldest first.
        parent: The window.
    """

    def __init__(self, messages: list[Message], parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Messages")
        self.resize(640, 420)
        listed = QListWidget()
        listed.setWordWrap(True)
        listed.setSpacing(3)
        listed.setAccessibleName("Messages, newest first")
        listed.setToolTip("Messages, newest first")
        for message in reversed(messages):
            name, tint = _ICONS.get(message.severity, _ICONS["info"])
            about = f"{message.study}: " if message.study else ""
            listed.addItem(QListWidgetItem(icon(name, tint), f"{message.at:%H:%M:%S}   {about}{message.text}"))
        empty = label("No messages yet.", "soft")
        empty.setVisible(not messages)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        self.setLayout(column(empty, listed, buttons, spacing=10, margins=(14, 14, 14, 14)))


class ProposalBar(QFrame):
    """Suggests a label map, to show, use or refuse; the reader's is never overwritten without this."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("proposal")
        self._text = label("", wrap=True)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.setSpacing(6)
        layout.addWidget(self._text, 1)
        for name in ("proposal_show", "proposal_take", "proposal_keep"):
            button = action_button(actions[name])
            button.setProperty("part", "boxed")
            layout.addWidget(button)
        self.hide()

    def offer(self, text: str) -> None:
        """Suggest something, in a sentence; empty for no suggestion."""
        self.setVisible(bool(text))
        self._text.setText(text)


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
