"""The review queue: frames by millilitres at stake, each with its reason; a click goes there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.what_if import amount_text
from cmr_viewer.ui.window.theme import REGION_COLOURS, colour, readable_on
from cmr_viewer.ui.window.widgets import action_button, column, label, row

_ROW = Qt.ItemDataRole.UserRole
_HEIGHT = 62
_LETTERS = {Region.BASE: "B", Region.MIDDLE: "M", Region.APEX: "A", Region.NON_CARDIAC: "N"}


@dataclass(frozen=True)
class Entry:
    """A frame of the queue.

    Attributes:
        frame: The frame.
        region: Its region now, or None.
        ml: Millilitres at stake; thousands of pixels where the spacing is not known.
        why: Why it is in the queue, in words.
        failed: Whether a check fails.
        looked_at: Whether the reader has looked at it.
        accepted: Whether the reader accepted it.
        in_ml: Whether the spacing is known.
    """

    frame: FrameIndex
    region: Region | None
    ml: float
    why: str
    failed: bool
    looked_at: bool
    accepted: bool
    in_ml: bool = True

    @property
    def amount(self) -> str:
        """What is at stake, with its unit."""
        return amount_text(self.ml, self.in_ml)


@dataclass(frozen=True)
class QueueProgress:
    """How far the reader is in the queue.

    Attributes:
        looked_at: Frames of the queue that were looked at.
        frames: Frames of the queue.
        left_ml: Millilitres at stake in those that were not.
        in_ml: Whether they are millilitres; else the spacing is not known, and they are thousands of pixels.
    """

    looked_at: int
    frames: int
    left_ml: float
    in_ml: bool = True

    @property
    def text(self) -> str:
        """In words: "18 left to review, 3.2 ml at stake"."""
        if not self.frames:
            return "Nothing to review."
        left = amount_text(self.left_ml, self.in_ml)
        unknown = "" if self.in_ml else " (spacing not known)"
        return f"{self.frames - self.looked_at} left to review, {left} at stake{unknown}"


class _EntryDelegate(QStyledItemDelegate):
    """Draws an entry: region, place and millilitres in a line, and why in two small ones."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.colours: Mapping[Region, str] = REGION_COLOURS
        self.current: FrameIndex | None = None
        self.marks: tuple[int | None, int | None] = (None, None)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(120, _HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        entry: Entry = index.data(_ROW)
        area: QRect = option.rect.adjusted(2, 1, -2, -1)
        state: QStyle.StateFlag = option.state
        done = entry.looked_at or entry.accepted
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if entry.frame == self.current or state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(colour("hover" if entry.frame == self.current else "raised"))
            painter.drawRoundedRect(area, 5, 5)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(colour("accent"))
            painter.drawRoundedRect(area, 5, 5)
        self._paint_chip(painter, QRectF(area.left() + 7, area.top() + 7, 18, 18), entry, done)
        line = QRect(area.left() + 33, area.top() + 5, area.width() - 41, 21)
        font = painter.font()
        painter.setPen(colour("faint" if done else "text"))
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.place_of(entry))
        font.setBold(not done)
        painter.setFont(font)
        side = "accepted" if entry.accepted else "reviewed" if entry.looked_at else entry.amount
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, side)
        font.setBold(False)
        font.setPixelSize(12)
        painter.setFont(font)
        painter.setPen(colour("faint" if done else "warn" if entry.failed else "soft"))
        below = QRect(area.left() + 8, line.bottom() + 1, area.width() - 16, area.bottom() - line.bottom() - 3)
        _draw_two_lines(painter, below, entry.why)
        painter.restore()

    def place_of(self, entry: Entry) -> str:
        """Slice and phase, in words."""
        marks = [text for text, at in zip(("ED", "ES"), self.marks, strict=True) if at == entry.frame.phase]
        return f"Slice {entry.frame.slice_index + 1}, " + (marks[0] if marks else f"phase {entry.frame.phase + 1}")

    def _paint_chip(self, painter: QPainter, box: QRectF, entry: Entry, done: bool) -> None:
        tint = colour("edge") if done or entry.region is None else QColor(self.colours[entry.region])
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(readable_on(tint))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "?" if entry.region is None else _LETTERS[entry.region])


def _draw_two_lines(painter: QPainter, area: QRect, text: str) -> None:
    """As much of a text as two lines hold; the rest is in the tooltip."""
    metrics = painter.fontMetrics()
    first: list[str] = []
    words = text.split()
    while words and metrics.horizontalAdvance(" ".join([*first, words[0]])) <= area.width():
        first.append(words.pop(0))
    second = QFontMetrics(painter.font()).elidedText(" ".join(words), Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, " ".join(first))
    lower = area.adjusted(0, metrics.height(), 0, metrics.height())
    painter.drawText(lower, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, second)


class QueuePanel(QWidget):
    """The queue and the reader's progress.

    Signals:
        frame_chosen(object): An entry was clicked, or chosen by the keyboard; its `FrameIndex`.
    """

    frame_chosen = Signal(object)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._entries: Sequence[Entry] = ()
        self._progress = label("", "small", wrap=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress through the review queue")
        self._list = QListWidget()
        self._delegate = _EntryDelegate(self._list)
        self._list.setItemDelegate(self._delegate)
        self._list.setAccessibleName("Review queue")
        self._list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._list.setMouseTracking(True)
        self._list.setProperty("part", "ring")
        self._list.setUniformItemSizes(True)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setMinimumHeight(6 * _HEIGHT)
        self._list.itemClicked.connect(self._on_item)
        self._list.itemActivated.connect(self._on_item)
        follow = action_button(actions["next_review"])
        follow.setProperty("part", "primary")
        self.setLayout(column(row(self._progress, follow), self._bar, self._list))
        self.show_queue((), QueueProgress(0, 0, 0.0), ready=False)

    @property
    def texts(self) -> list[str]:
        """Texts of the entries, in order."""
        return [self._list.item(number).text() for number in range(self._list.count())]

    @property
    def progress_text(self) -> str:
        """The progress as it is shown."""
        return self._progress.text()

    def set_colours(self, colours: Mapping[Region, str]) -> None:
        """Colours of the regions."""
        self._delegate.colours = colours
        self._list.viewport().update()

    def show_queue(self, entries: Sequence[Entry], progress: QueueProgress, *, ready: bool) -> None:
        """Show the queue.

        Args:
            entries: In order.
            progress: The reader's progress.
            ready: Whether it is known what is at stake.
        """
        self._progress.setText(progress.text if ready else "The review order appears when the study is segmented.")
        self._bar.setRange(0, max(1, progress.frames))
        self._bar.setValue(progress.looked_at)
        self._bar.setVisible(ready and progress.frames > 0)
        self._list.setVisible(bool(entries))
        if list(entries) == list(self._entries):
            return
        self._entries = tuple(entries)
        at = self._list.currentRow()
        self._list.clear()
        for entry in entries:
            region = "" if entry.region is None else f"{entry.region.text}. "
            item = QListWidgetItem(f"{self._delegate.place_of(entry)}: {region}{entry.amount} at stake. {entry.why}")
            item.setData(_ROW, entry)
            item.setToolTip(f"{item.text()}\nClick to go there; N goes to the next frame")
            self._list.addItem(item)
        self._list.setCurrentRow(min(at, self._list.count() - 1))

    def show_current(self, frame: FrameIndex | None, marks: tuple[int | None, int | None]) -> None:
        """Show which frame is displayed, and ED and ES."""
        self._delegate.current, self._delegate.marks = frame, marks
        self._list.viewport().update()

    def _on_item(self, item: QListWidgetItem) -> None:
        entry: Entry = item.data(_ROW)
        self.frame_chosen.emit(entry.frame)
