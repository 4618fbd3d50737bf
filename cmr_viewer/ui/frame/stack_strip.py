"""Thumbnails of the stack: a grid of slices and phases, or the slices of one phase; also the way to go to a frame."""

from collections.abc import Collection, Mapping

from PySide6.QtCore import (
    QElapsedTimer,
    QEvent,
    QObject,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QSizePolicy, QToolTip, QWidget

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.frame.thumbnails import Cell, Thumbnails, is_large, paint_region, paint_state, tip_of
from cmr_viewer.ui.window.theme import REGION_COLOURS, image_colour

_GAP = 4
_EDGE = 6
_HEAD = 20
_GRID_SHARE = 0.42
_SCROLL_BAR = 10
_SIDE_GRID = (34, 96)
_SIDE_STRIP = (48, 132)
_MAKE_BUDGET_MS = 12.0
_LIT_MS = 2500


class StackStrip(QAbstractScrollArea):
    """Thumbnails with the region's colour around them; only what is seen is drawn.

    Signals:
        frame_chosen(object): A thumbnail was clicked; `FrameIndex`.
    """

    frame_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Thumbnails of the stack")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._thumbnails: Thumbnails | None = None
        self._phases = self._slices = 0
        self._cells: dict[FrameIndex, Cell] = {}
        self._current = FrameIndex(0, 0)
        self._marks: dict[int, str] = {}
        self._colours: dict[Region, str] = dict(REGION_COLOURS)
        self._grid = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._make_missing)
        self._missing: dict[FrameIndex, None] = {}
        self._lit: frozenset[FrameIndex] = frozenset()
        self._dim = QTimer(self, singleShot=True, interval=_LIT_MS)
        self._dim.timeout.connect(self._on_dim)

    # What is shown

    def show_stack(self, thumbnails: Thumbnails | None, phases: int, slices: int) -> None:
        """Show another stack, or none."""
        self._thumbnails, self._phases, self._slices = thumbnails, phases, slices
        self._cells.clear()
        self._lit = frozenset()
        self._missing.clear()
        self._marks.clear()
        self._current = FrameIndex(0, 0)
        self._lay_out()

    def show_thumbnails(self, thumbnails: Thumbnails) -> None:
        """Show other thumbnails of the same stack, such as with other colours."""
        self._thumbnails = thumbnails
        self._lay_out()

    def set_cell(self, frame: FrameIndex, cell: Cell) -> None:
        """What the thumbnail of a frame shows."""
        if self._cells.get(frame) != cell:
            self._cells[frame] = cell
            self._update_cell(frame)

    def cell(self, frame: FrameIndex) -> Cell:
        """What the thumbnail of a frame shows."""
        return self._cells.get(frame, Cell())

    def refresh(self, frame: FrameIndex) -> None:
        """The label map of a frame has changed."""
        if self._thumbnails is not None:
            self._thumbnails.forget(frame)
            self._update_cell(frame)

    def prepare(self, frame: FrameIndex) -> None:
        """Make the thumbnail of a frame that will be seen soon."""
        if self._thumbnails is not None and self._thumbnails.made(frame) is None:
            self._thumbnails.make(frame)

    def refresh_all(self) -> None:
        """Colours or window have changed."""
        if self._thumbnails is not None:
            self._thumbnails.forget_all()
        self.viewport().update()

    def set_current(self, frame: FrameIndex) -> None:
        """Mark the displayed frame and bring it into view."""
        before, self._current = self._current, frame
        if before.phase != frame.phase and not self._grid:
            self.viewport().update()
        self._update_cell(before)
        self._update_cell(frame)
        if self._grid and before.phase != frame.phase:
            self.viewport().update(0, 0, self.viewport().width(), _HEAD + _EDGE)
        self._bring_into_view(frame)

    def set_marks(self, ed: int | None, es: int | None) -> None:
        """Mark the columns of end-diastole and end-systole."""
        self._marks = {phase: text for phase, text in ((es, "ES"), (ed, "ED")) if phase is not None}
        self.viewport().update()

    def set_colours(self, colours: Mapping[Region, str]) -> None:
        """Colours of the regions."""
        self._colours = {**REGION_COLOURS, **colours}
        self.viewport().update()

    def border_colour(self, frame: FrameIndex) -> QColor:
        """Colour of the border of a thumbnail."""
        region = self.cell(frame).region
        return image_colour("edge") if region is None else QColor(self._colours[region])

    def light(self, frames: Collection[FrameIndex]) -> None:
        """Highlight some thumbnails for a moment, because something in them changed without the reader."""
        self._lit = frozenset(frames)
        self._dim.start()
        self.viewport().update()

    @property
    def lit(self) -> frozenset[FrameIndex]:
        """The highlighted thumbnails."""
        return self._lit

    @Slot()
    def _on_dim(self) -> None:
        self._lit = frozenset()
        self.viewport().update()

    def set_grid(self, grid: bool) -> None:
        """All phases as a grid, or the slices of the current phase as a strip."""
        self._grid = grid
        self._lay_out()
        self._bring_into_view(self._current)

    @property
    def shows_grid(self) -> bool:
        """Whether all phases are shown."""
        return self._grid

    # Where things are

    @property
    def side(self) -> int:
        """Side of a thumbnail, in widget pixels."""
        across = self._phases if self._grid else self._slices
        low, high = _SIDE_GRID if self._grid else _SIDE_STRIP
        room = self.width() - 2 * _EDGE - self._row_head - (_SCROLL_BAR if self._grid else 0)
        return max(low, min(high, room // max(1, across) - _GAP))

    @property
    def _row_head(self) -> int:
        return 24 if self._grid else 0

    @property
    def _col_head(self) -> int:
        return _HEAD if self._grid else 0

    def _content(self) -> QSize:
        step = self.side + _GAP
        across, down = (self._phases, self._slices) if self._grid else (self._slices, 1)
        return QSize(self._row_head + across * step - _GAP + 2 * _EDGE, self._col_head + down * step - _GAP + 2 * _EDGE)

    def _origin(self) -> QPoint:
        spare = max(0, self.viewport().width() - self._content().width())
        return QPoint(
            spare // 2 + _EDGE + self._row_head - self.horizontalScrollBar().value(),
            _EDGE + self._col_head - self.verticalScrollBar().value(),
        )

    def cell_rect(self, frame: FrameIndex) -> QRect:
        """Where the thumbnail of a frame is in the viewport; for another phase in the strip, its slice's place."""
        across, down = (frame.phase, frame.slice_index) if self._grid else (frame.slice_index, 0)
        step, origin = self.side + _GAP, self._origin()
        return QRect(origin.x() + across * step, origin.y() + down * step, self.side, self.side)

    def frame_at(self, position: QPoint) -> FrameIndex | None:
        """The frame under a position of the viewport."""
        step, origin = self.side + _GAP, self._origin()
        if self._thumbnails is None or position.x() < origin.x() or position.y() < origin.y():
            return None
        across, down = (position.x() - origin.x()) // step, (position.y() - origin.y()) // step
        if self._grid and across < self._phases and down < self._slices:
            return FrameIndex(across, down)
        if not self._grid and across < self._slices and down == 0:
            return FrameIndex(self._current.phase, across)
        return None

    def _lay_out(self) -> None:
        content = self._content()
        around = self.parentWidget()
        room = around.height() if around is not None else 0
        shared = max(round(_GRID_SHARE * room), 160) if self._grid else content.height() + _SCROLL_BAR
        tall = content.height() > shared
        wide = content.width() > self.width() - (_SCROLL_BAR if tall else 0)
        height = min(content.height() + (_SCROLL_BAR if wide else 0), shared)
        self.setFixedHeight(height)
        seen = QSize(self.width() - (_SCROLL_BAR if tall else 0), height - (_SCROLL_BAR if wide else 0))
        shown, hidden = Qt.ScrollBarPolicy.ScrollBarAlwaysOn, Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setHorizontalScrollBarPolicy(shown if wide else hidden)
        self.setVerticalScrollBarPolicy(shown if tall else hidden)
        self.horizontalScrollBar().setRange(0, max(0, content.width() - seen.width()))
        self.verticalScrollBar().setRange(0, max(0, content.height() - seen.height()))
        self.horizontalScrollBar().setPageStep(seen.width())
        self.verticalScrollBar().setPageStep(seen.height())
        self.horizontalScrollBar().setSingleStep(self.side)
        self.verticalScrollBar().setSingleStep(self.side)
        if self._thumbnails is not None:
            self._thumbnails.set_side(round(self.side * self.devicePixelRatioF()))
        self.updateGeometry()
        self.viewport().update()

    def _bring_into_view(self, frame: FrameIndex) -> None:
        rect, view = self.cell_rect(frame), self.viewport().rect()
        for bar, start, end, head, length in (
            (self.horizontalScrollBar(), rect.left(), rect.right(), self._row_head, view.width()),
            (self.verticalScrollBar(), rect.top(), rect.bottom(), self._col_head, view.height()),
        ):
            if start < head + _GAP:
                bar.setValue(bar.value() + start - head - _GAP)
            elif end > length - _GAP:
                bar.setValue(bar.value() + end - length + _GAP)

    def _update_cell(self, frame: FrameIndex) -> None:
        if self._grid or frame.phase == self._current.phase:
            self.viewport().update(self.cell_rect(frame).adjusted(-3, -3, 3, 3))

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the thumbnails that are seen; make those that are missing while time allows."""
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), image_colour("ground"))
        if self._thumbnails is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for frame in self._seen(event.rect()):
            pixmap = self._thumbnails.made(frame)
            rect = QRectF(self.cell_rect(frame))
            if pixmap is None:
                self._missing[frame] = None
                pixmap = self._thumbnails.before(frame)
            if pixmap is None:
                painter.fillRect(rect, image_colour("panel"))
            else:
                painter.drawPixmap(rect, pixmap, QRectF(pixmap.rect()))
            self._paint_marks(painter, rect, frame)
        if self._grid:
            self._paint_heads(painter)
        if self._missing:
            self._later.start(0)

    @Slot()
    def _make_missing(self) -> None:
        """Make thumbnails that were seen missing, as many as time allows; the rest in the next turn."""
        clock = QElapsedTimer()
        clock.start()
        while self._missing and self._thumbnails is not None and clock.nsecsElapsed() < _MAKE_BUDGET_MS * 1e6:
            frame = next(iter(self._missing))
            del self._missing[frame]
            if self.cell_rect(frame).intersects(self.viewport().rect()) and self._thumbnails.made(frame) is None:
                self._thumbnails.make(frame)
                self._update_cell(frame)
        if self._missing:
            self._later.start(0)

    def _seen(self, area: QRect) -> list[FrameIndex]:
        step, origin = self.side + _GAP, self._origin()
        first_x, last_x = (area.left() - origin.x()) // step, (area.right() - origin.x()) // step
        first_y, last_y = (area.top() - origin.y()) // step, (area.bottom() - origin.y()) // step
        across = range(max(0, first_x), min(self._phases if self._grid else self._slices, last_x + 1))
        if not self._grid:
            return [FrameIndex(self._current.phase, index) for index in across]
        return [FrameIndex(p, s) for s in range(max(0, first_y), min(self._slices, last_y + 1)) for p in across]

    def _paint_marks(self, painter: QPainter, rect: QRectF, frame: FrameIndex) -> None:
        cell, tint = self.cell(frame), self.border_colour(frame)
        large = is_large(rect)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(tint, 3 if large else 2))
        inset = 1.5 if large else 1.0
        painter.drawRect(rect.adjusted(inset, inset, -inset, -inset))
        if frame in self._lit:
            painter.setPen(QPen(image_colour("bright"), 2 if large else 1, Qt.PenStyle.DotLine))
            painter.drawRect(rect.adjusted(2 * inset + 1, 2 * inset + 1, -2 * inset - 1, -2 * inset - 1))
        if cell.region is not None:
            paint_region(painter, rect, cell, tint)
        font = painter.font()
        font.setPixelSize(11)
        font.setBold(False)
        painter.setFont(font)
        if not self._grid:
            painter.setPen(image_colour("text"))
            painter.drawText(rect.adjusted(7, 5, 0, 0), Qt.AlignmentFlag.AlignLeft, str(frame.slice_index + 1))
        paint_state(painter, rect, cell)
        if frame == self._current:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(image_colour("bright"), 2))
            painter.drawRect(rect.adjusted(-1.5, -1.5, 1.5, 1.5))

    def _paint_heads(self, painter: QPainter) -> None:
        view, step, origin = self.viewport().rect(), self.side + _GAP, self._origin()
        font = painter.font()
        font.setPixelSize(11)
        left = origin.x() - self._row_head
        head = max(0, left + self.horizontalScrollBar().value())
        painter.fillRect(QRect(head - _GAP, 0, self._row_head, view.height()), image_colour("ground"))
        for index in range(self._slices):
            font.setBold(index == self._current.slice_index)
            painter.setFont(font)
            painter.setPen(image_colour("bright" if index == self._current.slice_index else "soft"))
            box = QRect(head, origin.y() + index * step, self._row_head - 8, self.side)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, str(index + 1))
        painter.fillRect(QRect(0, 0, view.width(), _HEAD + _GAP // 2), image_colour("ground"))
        for phase in range(self._phases):
            box = QRect(origin.x() + phase * step, 0, self.side, _HEAD)
            mark = self._marks.get(phase)
            font.setBold(mark is not None or phase == self._current.phase)
            painter.setFont(font)
            painter.setPen(image_colour("bright" if phase == self._current.phase else "text" if mark else "soft"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{mark} {phase + 1}" if mark else str(phase + 1))

    # Events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame under the pointer."""
        frame = self.frame_at(event.position().toPoint())
        if frame is not None and event.button() == Qt.MouseButton.LeftButton:
            self.frame_chosen.emit(frame)

    def viewportEvent(self, event: QEvent) -> bool:
        """Say what a thumbnail means when the pointer rests on it."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            frame = self.frame_at(event.pos())
            QToolTip.showText(event.globalPos(), "" if frame is None else tip_of(frame, self.cell(frame)), self)
            return True
        return bool(super().viewportEvent(event))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the thumbnails to the width."""
        self._lay_out()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The grid takes its share of the height of its parent."""
        if event.type() == QEvent.Type.Resize and self._grid:
            self._lay_out()
        return False

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the height of the thumbnails' parent."""
        around = self.parentWidget()
        if around is not None:
            around.installEventFilter(self)
        self._lay_out()
