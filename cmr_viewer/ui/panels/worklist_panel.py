"""The open study, how far its review is, and the studies of the workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QFontMetrics, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from cmr_viewer.ui.theme import colour
from cmr_viewer.ui.widgets import action_button, column, label, row

_ROW = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class StudyLine:
    """A study of the worklist.

    Attributes:
        name: Pseudonym.
        source: Where it is opened from.
        frames: Frames of its stack.
        accepted: Accepted frames.
        drafts: Frames begun and not accepted.
        is_open: Whether it is the open study.
        stack_id: Its stack; empty where it was not opened yet.
        detail: What tells it from others of the same name, or empty.
    """

    name: str
    source: Path
    frames: int
    accepted: int
    drafts: int
    is_open: bool = False
    stack_id: str = ""
    detail: str = ""

    @property
    def state(self) -> str:
        """How far its review is, in words."""
        if not self.stack_id:
            return "Not opened yet"
        done = self.frames > 0 and self.accepted == self.frames
        text = f"{self.accepted} of {self.frames} accepted" if self.accepted else "Not reviewed"
        if done:
            text = "All accepted"
        elif self.drafts:
            text += f" · {self.drafts} draft" + ("s" if self.drafts > 1 else "")
        return f"{text} · {self.detail}" if self.detail else text


class _StudyDelegate(QStyledItemDelegate):
    """Draws a study in two lines: name, and how far its review is."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(120, 46)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        line: StudyLine = index.data(_ROW)
        area: QRect = option.rect.adjusted(2, 1, -2, -1)
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if line.is_open:
            painter.setBrush(colour("hover"))
            painter.drawRoundedRect(area, 5, 5)
            painter.setBrush(colour("accent"))
            painter.drawRoundedRect(QRect(area.left(), area.top() + 8, 3, area.height() - 16), 1, 1)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(colour("raised"))
            painter.drawRoundedRect(area, 5, 5)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(colour("accent"))
            painter.drawRoundedRect(area, 5, 5)
        inner = area.adjusted(11, 5, -9, -5)
        font = painter.font()
        painter.setPen(colour("text"))
        name = QFontMetrics(font).elidedText(line.name, Qt.TextElideMode.ElideMiddle, inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, name)
        font.setPixelSize(12)
        painter.setFont(font)
        done = line.frames > 0 and line.accepted == line.frames
        painter.setPen(colour("good" if done else "soft"))
        text = QFontMetrics(font).elidedText(line.state, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, text)
        painter.restore()


class WorklistPanel(QWidget):
    """Study and worklist.

    Signals:
        study_chosen(object, object): A study of the worklist; its source `Path`, and the id of its stack or None.
        study_dismissed(object): A study that was not opened yet is to leave the worklist; its `Path`.
    """

    study_chosen = Signal(object, object)
    study_dismissed = Signal(object)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._name = label("No study", "title")
        self._facts = label("Open a study to begin", "small", wrap=True)
        self._review = label("", "small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Accepted frames of the study")
        self._list = QListWidget()
        self._list.setAccessibleName("Worklist")
        self._list.setItemDelegate(_StudyDelegate(self._list))
        self._list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._list.setMouseTracking(True)
        self._list.setSelectionMode(QListWidget.SelectionMode.SingleSelection)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.itemClicked.connect(self._on_item)
        self._list.itemActivated.connect(self._on_item)
        self._dismiss = QAction("Take off the worklist", self)
        self._dismiss.setShortcut(QKeySequence(Qt.Key.Key_Delete))
        self._dismiss.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self._dismiss.setToolTip("The files stay as they are")
        self._dismiss.triggered.connect(self._on_dismiss)
        self._list.currentItemChanged.connect(self._show_dismiss)
        self._list.addAction(self._dismiss)
        self._list.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._show_dismiss(None)
        card = QFrame()
        card.setObjectName("card")
        self._notes = action_button(actions["study_notes"])
        self._stacks = action_button(actions["choose_stack"])
        for button in (self._notes, self._stacks):
            button.setProperty("part", "boxed")
            button.hide()
        card.setLayout(
            column(
                self._name,
                self._facts,
                row(self._notes, self._stacks, None, spacing=6),
                self._bar,
                self._review,
                spacing=6,
                margins=(12, 10, 12, 11),
            )
        )
        opens = row(
            action_button(actions["open_folder"]),
            action_button(actions["open_file"]),
            action_button(actions["open_demo"]),
            None,
            spacing=2,
        )
        self._empty = label("Studies that you open are listed here with how far their review is.", "small", wrap=True)
        self._empty.setContentsMargins(6, 2, 0, 0)
        head = label("WORKLIST", "heading")
        head.setContentsMargins(4, 10, 0, 2)
        self._next = label("", "small", wrap=True)
        self._next_box = QFrame()
        self._next_box.setObjectName("card")
        follow = action_button(actions["next_review"])
        follow.setProperty("part", "boxed")
        self._next_box.setLayout(
            column(label("Next to review"), self._next, row(None, follow), spacing=4, margins=(12, 9, 10, 9))
        )
        self.show_next("")
        self.setLayout(
            column(opens, card, self._next_box, head, self._empty, self._list, spacing=6, margins=(8, 8, 8, 8))
        )
        self.show_progress(0, 0)

    def show_study(self, name: str, facts: Sequence[str]) -> None:
        """Show the open study; an empty name where none is open."""
        self._name.setText(name or "No study")
        self._name.setToolTip(name)
        self._facts.setText("\n".join(facts) if name else "Open a study to begin")

    def show_notes(self, notes: int, *, choices: bool) -> None:
        """Show how many notes there are on the study, and whether it leaves something to choose."""
        self._notes.setVisible(notes > 0)
        self._notes.defaultAction().setIconText("1 note" if notes == 1 else f"{notes} notes")
        self._stacks.setVisible(choices)

    def show_progress(self, accepted: int, frames: int) -> None:
        """Show how many frames are accepted."""
        self._review.setText(f"{accepted} of {frames} accepted")
        self._bar.setRange(0, max(1, frames))
        self._bar.setValue(accepted)
        self._review.setVisible(frames > 0)
        self._bar.setVisible(frames > 0)

    def show_next(self, text: str) -> None:
        """Say which frame is next to review, and why; empty for none."""
        self._next.setText(text)
        self._next_box.setVisible(bool(text))

    def show_worklist(self, lines: Sequence[StudyLine]) -> None:
        """List the studies of the workspace."""
        at = self._list.currentItem()
        current: StudyLine | None = None if at is None else at.data(_ROW)
        self._list.clear()
        for line in lines:
            item = QListWidgetItem(f"{line.name}, {line.state}")
            item.setData(_ROW, line)
            more = "" if line.stack_id else ", Delete to take off the worklist"
            item.setToolTip(f"{line.name}\n{line.source}\nClick to open{more}")
            self._list.addItem(item)
            if current is not None and (line.source, line.stack_id) == (current.source, current.stack_id):
                self._list.setCurrentItem(item)
        self._empty.setVisible(not lines)

    def _show_dismiss(self, item: QListWidgetItem | None) -> None:
        """What is kept of a study that was opened is never removed from here."""
        self._dismiss.setEnabled(item is not None and not item.data(_ROW).stack_id)

    def _on_dismiss(self) -> None:
        item = self._list.currentItem()
        if item is not None:
            self.study_dismissed.emit(item.data(_ROW).source)

    def _on_item(self, item: QListWidgetItem) -> None:
        line: StudyLine = item.data(_ROW)
        if not line.is_open:
            self.study_chosen.emit(line.source, line.stack_id or None)
