"""The open study, its review progress, and the studies of the workspace."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QAction, QFontMetrics, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QListView,
    QProgressBar,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from cmr_viewer.domain.study import Stack
from cmr_viewer.file_names import readable
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.ui.features.worklist.worklist import waiting_names
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import TIMES, action_button, column, label, row

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
        detail: What distinguishes it from others of the same name, or empty.
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
        """Its review progress, as text."""
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
    """Draws a study in two lines: name and review progress."""

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


class WorklistLines:
    """The lines of the list, each made when it is asked for: there are tens of thousands, and twenty are visible.

    Args:
        waiting: What waits to be opened for the first time; it comes first.
        studies: Studies of the workspace.
        open_stack: Stack of the open study; empty for none.
        older: Stacks that show unreviewed label maps of models that are no longer in use.
    """

    def __init__(
        self,
        waiting: Sequence[Path],
        studies: Sequence[StudyRow],
        open_stack: str,
        older: Collection[str] = (),
    ) -> None:
        self._waiting, self._studies, self._open, self._older = waiting, studies, open_stack, older
        self._times = Counter(each.source for each in studies)
        self._names = waiting_names(waiting)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._studies)

    def __getitem__(self, place: int) -> StudyLine:
        if not 0 <= place < len(self):
            raise IndexError(place)
        if place < len(self._waiting):
            path = self._waiting[place]
            return StudyLine(self._names[place], path, 0, 0, 0)
        row = self._studies[place - len(self._waiting)]
        return StudyLine(
            row.name,
            Path(row.source),
            row.frames,
            row.accepted,
            row.drafts,
            is_open=row.stack_id == self._open,
            stack_id=row.stack_id,
            detail=self._detail(row),
        )

    def _detail(self, row: StudyRow) -> str:
        texts = [f"{row.slices} slices, {row.phases} phases"] if self._times[row.source] > 1 else []
        if row.stack_id in self._older and row.stack_id != self._open:
            texts.append("older models")
        return " · ".join(texts)

    def place_of(self, source: Path, stack_id: str) -> int | None:
        """Place of a study's line; None where there is none."""
        if not stack_id:
            return self._waiting.index(source) if source in self._waiting else None
        rows = enumerate(self._studies, start=len(self._waiting))
        return next((place for place, row in rows if row.stack_id == stack_id), None)


class StudyLines(QAbstractListModel):
    """The lines of the list; tens of thousands of them are there at once."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._lines = WorklistLines((), (), "")

    def show(self, lines: WorklistLines) -> None:
        """Show other lines."""
        self.beginResetModel()
        self._lines = lines
        self.endResetModel()

    def row_of(self, line: StudyLine) -> int | None:
        """Row of the line of the same study; None where it is not listed."""
        return self._lines.place_of(line.source, line.stack_id)

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        """How many lines there are."""
        return 0 if parent is not None and parent.isValid() else len(self._lines)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A line, its text, or its tip."""
        line = self._lines[index.row()]
        if role == _ROW:
            return line
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{line.name}, {line.state}"
        if role == Qt.ItemDataRole.ToolTipRole:
            more = "" if line.stack_id else ", press Delete to remove it from the worklist"
            older = "\nIts unreviewed label maps come from older models; they are renewed when it is opened"
            about = older if "older models" in line.detail else ""
            return f"{line.name}\n{readable(str(line.source))}{about}\nClick to open{more}"
        return None


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
        self._lines = StudyLines(self)
        self._list = QListView()
        self._list.setModel(self._lines)
        self._list.setUniformItemSizes(True)
        self._list.setAccessibleName("Worklist")
        self._list.setItemDelegate(_StudyDelegate(self._list))
        self._list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._list.setMouseTracking(True)
        self._list.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.clicked.connect(self._on_line)
        self._list.activated.connect(self._on_line)
        self._dismiss = QAction("Remove from worklist", self)
        self._dismiss.setShortcut(QKeySequence(Qt.Key.Key_Delete))
        self._dismiss.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self._dismiss.setToolTip("The files are not changed")
        self._dismiss.triggered.connect(self._on_dismiss)
        self._list.selectionModel().currentChanged.connect(self._show_dismiss)
        self._list.addAction(self._dismiss)
        self._list.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._show_dismiss()
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
        self._empty = label("Studies that you open appear here with their review progress.", "small", wrap=True)
        self._empty.setContentsMargins(6, 2, 0, 0)
        heading = label("WORKLIST", "heading")
        heading.setContentsMargins(4, 0, 0, 0)
        head = row(heading, None, action_button(actions["worklist"], text=False), spacing=4, margins=(0, 8, 2, 0))
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

    def show_buttons(self, *, notes: bool, choices: bool) -> None:
        """Show the ways to the notes on the study and to its stacks, where it has any."""
        self._notes.setVisible(notes)
        self._stacks.setVisible(choices)

    def show_progress(self, accepted: int, frames: int) -> None:
        """Show how many frames are accepted."""
        self._review.setText(f"{accepted} of {frames} accepted")
        self._bar.setRange(0, max(1, frames))
        self._bar.setValue(accepted)
        self._review.setVisible(frames > 0)
        self._bar.setVisible(frames > 0)

    def show_next(self, text: str) -> None:
        """Show which frame is next to review, and why; empty for none."""
        self._next.setText(text)
        self._next_box.setVisible(bool(text))

    def show_worklist(self, lines: WorklistLines) -> None:
        """List the studies of the workspace."""
        current = self.current
        self._lines.show(lines)
        row = None if current is None else self._lines.row_of(current)
        if row is not None:
            self._list.setCurrentIndex(self._lines.index(row))
        self._empty.setVisible(not len(lines))

    @property
    def current(self) -> StudyLine | None:
        """The line that is chosen, or None."""
        index = self._list.currentIndex()
        return index.data(_ROW) if index.isValid() else None

    @Slot()
    def _show_dismiss(self) -> None:
        """Only a study without saved work can be removed here."""
        self._dismiss.setEnabled(self.current is not None and not self.current.stack_id)

    def _on_dismiss(self) -> None:
        if self.current is not None:
            self.study_dismissed.emit(self.current.source)

    @Slot(QModelIndex)
    def _on_line(self, index: QModelIndex) -> None:
        line: StudyLine = index.data(_ROW)
        if not line.is_open:
            self.study_chosen.emit(line.source, line.stack_id or None)


def facts_of(stack: Stack, format_name: str) -> list[str]:
    """The facts of a stack that a reader needs, line by line."""
    geometry = stack.geometry
    lines = [f"{stack.slices} slices · {stack.phases} phases"]
    matrix = f"{geometry.rows} {TIMES} {geometry.cols}"
    if geometry.spacing_known:
        down, across = geometry.pixel_spacing_mm
        in_plane = f"{down:.2f} mm" if abs(down - across) < 0.005 else f"{down:.2f} {TIMES} {across:.2f} mm"
        apart = geometry.single_slice_spacing_mm if geometry.slices == 1 else geometry.slice_spacing_mm
        lines.append(f"{matrix} · {in_plane}")
        lines += [] if apart is None else [f"Slices {apart:.1f} mm apart"]
    else:
        lines += [matrix, "Spacing not known: no ml, mm or g"]
    rate = f"{stack.heart_rate_bpm:.0f} beats/min" if stack.heart_rate_bpm else ""
    last = " · ".join(text for text in (format_name, rate) if text)
    return [*lines, last] if last else lines
