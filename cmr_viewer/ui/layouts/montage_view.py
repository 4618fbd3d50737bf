"""Many frames at once, scrolled and played; only what is seen is made and drawn."""

import time
from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import (
    QElapsedTimer,
    QEvent,
    QObject,
    QPoint,
    QPropertyAnimation,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QScrollBar, QToolTip, QWidget

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.frame.thumbnails import CACHE_BYTES, Cell, Thumbnails, is_large, paint_region, paint_state, tip_of
from cmr_viewer.ui.layouts.montage_plan import EDGE, GAP, HEAD, ROW_HEAD, MontagePlan, montage_plan
from cmr_viewer.ui.window.theme import REGION_COLOURS, image_colour


def paint_picture(painter: QPainter, rect: QRectF, pixmap: QPixmap | None, tint: QColor, *, chosen: bool) -> None:
    """Draw a thumbnail with the border of its region.

    Args:
        painter: On the viewport.
        rect: Its place.
        pixmap: The thumbnail; None while it is not made.
        tint: Of the border.
        chosen: Whether it is the frame that the reader is at.
    """
    if pixmap is None:
        painter.fillRect(rect, image_colour("panel"))
    else:
        painter.drawPixmap(rect, pixmap, QRectF(pixmap.rect()))
    width = 3.0 if is_large(rect) else 2.0
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(tint, width))
    painter.drawRect(rect.adjusted(width / 2, width / 2, -width / 2, -width / 2))
    if chosen:
        painter.setPen(QPen(image_colour("bright"), 2.5))
        painter.drawRect(rect.adjusted(-1.5, -1.5, 1.5, 1.5))


def paint_texts(painter: QPainter, rect: QRectF, cell: Cell, tint: QColor, text: str) -> None:
    """Write region, state and a text over a thumbnail.

    Args:
        painter: On the viewport.
        rect: Place of the thumbnail.
        cell: What it says.
        tint: Colour of its region.
        text: For the upper left corner; may be empty.
    """
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paint_region(painter, rect, cell, tint)
    paint_state(painter, rect, cell)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    if not text:
        return
    _set_font(painter, bold=True)
    for pen, by in ((QColor(0, 0, 0, 200), 1), (image_colour("text"), 0)):
        painter.setPen(pen)
        painter.drawText(rect.adjusted(8 + by, 6 + by, 0, 0), Qt.AlignmentFlag.AlignLeft, text)


def paint_heads(
    painter: QPainter, view: QRect, plan: MontagePlan, scrolled: QPoint, current: FrameIndex, marks: Mapping[int, str]
) -> None:
    """Number the slices and phases at the edges, which stay where they are when thumbnails are scrolled.

    Args:
        painter: On the viewport.
        view: The viewport.
        plan: Places of the thumbnails.
        scrolled: Where the corner of all thumbnails is in the viewport.
        current: The frame that the reader is at.
        marks: "ED" and "ES" by phase.
    """
    ground, left = image_colour("ground"), max(0, scrolled.x())
    painter.fillRect(QRect(left, 0, EDGE + ROW_HEAD - GAP, view.height()), ground)
    for index in range(plan.slices):
        here = index == current.slice_index
        _set_font(painter, bold=here)
        painter.setPen(image_colour("bright" if here else "soft"))
        place = plan.place(index, 0).translated(scrolled)
        box = QRect(left, place.top(), EDGE + ROW_HEAD - 2 * GAP, place.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, str(index + 1))
    painter.fillRect(QRect(0, 0, view.width(), HEAD - GAP // 2), ground)
    painter.setClipRect(QRect(left + EDGE + ROW_HEAD - GAP, 0, view.width(), HEAD))
    for column, phase in enumerate(plan.phases):
        place = plan.place(0, column).translated(scrolled)
        mark, here = marks.get(phase), phase == current.phase
        _set_font(painter, bold=here or mark is not None)
        painter.setPen(image_colour("bright" if here else "text" if mark else "soft"))
        text = f"{mark} {phase + 1}" if mark else str(phase + 1)
        painter.drawText(QRect(place.left(), 0, place.width(), HEAD - 2), Qt.AlignmentFlag.AlignCenter, text)
    painter.setClipping(False)


def _set_font(painter: QPainter, *, bold: bool) -> None:
    font = painter.font()
    font.setPixelSize(12)
    font.setBold(bold)
    painter.setFont(font)


_SCROLL_MS = 140


class SmoothScroll(QObject):
    """Moves scroll bars in steps that the eye can follow; another goal while one is under way takes its place.

    Args:
        bars: The scroll bars.
        parent: Owner.
    """

    def __init__(self, bars: Sequence[QScrollBar], parent: QObject) -> None:
        super().__init__(parent)
        self._movers = {bar: QPropertyAnimation(bar, b"value", self) for bar in bars}
        for mover in self._movers.values():
            mover.setDuration(_SCROLL_MS)

    def goal(self, bar: QScrollBar) -> int:
        """Where a bar is going, or where it is."""
        mover = self._movers[bar]
        return int(mover.endValue()) if mover.state() == QPropertyAnimation.State.Running else bar.value()

    def go(self, bar: QScrollBar, value: int) -> None:
        """Glide to a value, or to the end that is nearer."""
        mover = self._movers[bar]
        mover.stop()
        mover.setStartValue(bar.value())
        mover.setEndValue(min(bar.maximum(), max(0, value)))
        mover.start()

    def arrive(self) -> None:
        """Be there at once."""
        for mover in self._movers.values():
            if mover.state() == QPropertyAnimation.State.Running:
                mover.setCurrentTime(mover.duration())


_MAKE_BUDGET_MS = 12.0
_WHEEL_STEP = 120
_ZOOMS = (1.0, 6.0)
_LAST_TIMES = 120


class MontageView(QAbstractScrollArea):
    """Thumbnails of a stack as `MontagePlan` places them.

    Signals:
        frame_chosen(object FrameIndex): A thumbnail was clicked.
        frame_opened(object FrameIndex): A thumbnail was double-clicked.
        phase_stepped(int): Shift and wheel: +1 later.
    """

    frame_chosen = Signal(object)
    frame_opened = Signal(object)
    phase_stepped = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Montage")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._thumbnails: Thumbnails | None = None
        self._cell_of: Callable[[FrameIndex], Cell] = _no_cell
        self._colours: dict[Region, str] = dict(REGION_COLOURS)
        self._phases: tuple[int, ...] = ()
        self._stack_phases = self._slices = 0
        self._wraps = False
        self._marks: dict[int, str] = {}
        self._message = ""
        self._zoom = 1.0
        self._plan = montage_plan(QSize(1, 1), (), 1, wraps=False)
        self._current = FrameIndex(0, 0)
        self._offset: int | None = None
        self._missing: dict[FrameIndex, None] = {}
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._make_missing)
        self._times_ms: list[float] = []
        self._scroll = SmoothScroll((self.horizontalScrollBar(), self.verticalScrollBar()), self)

    # What is shown

    def show_stack(
        self, thumbnails: Thumbnails | None, phases: int, slices: int, cell_of: Callable[[FrameIndex], Cell]
    ) -> None:
        """Show another stack, or none.

        Args:
            thumbnails: Its thumbnails.
            phases: How many phases it has.
            slices: How many slices.
            cell_of: What the thumbnail of a frame says; asked when it is drawn.
        """
        self._thumbnails, self._stack_phases, self._slices, self._cell_of = thumbnails, phases, slices, cell_of
        self._missing.clear()
        self._offset = None
        self._lay_out()

    def show_columns(self, phases: Sequence[int], marks: Mapping[int, str], *, wraps: bool, message: str = "") -> None:
        """Which phases are shown.

        Args:
            phases: Phase of each column; none where `message` gives the reason.
            marks: "ED" and "ES" by phase.
            wraps: Whether slices may be side by side.
            message: Text where nothing is shown.
        """
        if (tuple(phases), dict(marks), wraps, message) == (self._phases, self._marks, self._wraps, self._message):
            return
        if wraps != self._wraps or len(phases) != len(self._phases):
            self._zoom = 1.0
        self._phases, self._marks, self._wraps, self._message = tuple(phases), dict(marks), wraps, message
        self._lay_out()

    def set_colours(self, colours: Mapping[Region, str]) -> None:
        """Colours of the regions."""
        self._colours = {**REGION_COLOURS, **colours}
        self.viewport().update()

    def refresh(self, frames: Sequence[FrameIndex]) -> None:
        """Label maps, regions or states of some frames have changed."""
        if self._thumbnails is None:
            return
        for frame in frames:
            self._thumbnails.forget(frame)
        self.viewport().update()

    def refresh_all(self) -> None:
        """All thumbnails look otherwise."""
        if self._thumbnails is not None:
            self._thumbnails.forget_all()
        self.viewport().update()

    def set_current(self, frame: FrameIndex) -> None:
        """Mark a frame and bring it into view."""
        if frame != self._current:
            self._current = frame
            self.viewport().update()
        self._bring_into_view()

    @property
    def plan(self) -> MontagePlan:
        """The parts and their places."""
        return self._plan

    # The cine

    def play(self, offset: int | None) -> None:
        """Show each thumbnail some phases later than its own; None when the cine has stopped."""
        if offset is not None and self._offset is None:
            self._times_ms.clear()
        self._offset = offset
        self.viewport().update()

    @property
    def painting_ms(self) -> float | None:
        """How long drawing all thumbnails takes while the cine plays: the 95th of a hundred; None before it has."""
        times = sorted(self._times_ms)
        return times[int(0.95 * len(times))] if times else None

    def _shown(self, frame: FrameIndex) -> FrameIndex:
        if self._offset is None:
            return frame
        return FrameIndex((frame.phase + self._offset) % max(1, self._stack_phases), frame.slice_index)

    # Where things are

    def _lay_out(self) -> None:
        room = self.maximumViewportSize()
        self._plan = montage_plan(room, self._phases, max(1, self._slices), wraps=self._wraps, zoom=self._zoom)
        if self._thumbnails is None or not self._phases:
            self.horizontalScrollBar().setRange(0, 0)
            self.verticalScrollBar().setRange(0, 0)
        else:
            self._thumbnails.set_side(self._made_side())
            whole, thick = self._plan.size, self.verticalScrollBar().sizeHint().width()
            tall = whole.height() > room.height()
            wide = whole.width() > room.width() - (thick if tall else 0)
            tall = whole.height() > room.height() - (thick if wide else 0)
            for bar, length, seen in (
                (self.horizontalScrollBar(), whole.width(), room.width() - (thick if tall else 0)),
                (self.verticalScrollBar(), whole.height(), room.height() - (thick if wide else 0)),
            ):
                bar.setRange(0, max(0, length - seen))
                bar.setPageStep(seen)
                bar.setSingleStep(self._plan.step)
        self.viewport().update()

    def _made_side(self) -> int:
        """Side in device pixels: as it is shown, but so that all phases of what can be played fit into memory."""
        frames = max(1, self._stack_phases * self._slices)
        return max(32, min(round(self._plan.side * self.devicePixelRatioF()), int((CACHE_BYTES / 4 / frames) ** 0.5)))

    def _scrolled(self) -> QPoint:
        """Where the upper left corner of all thumbnails is in the viewport; in the middle where they are smaller."""
        spare = self.viewport().width() - self._plan.size.width(), self.viewport().height() - self._plan.size.height()
        return QPoint(
            max(0, spare[0] // 2) - self.horizontalScrollBar().value(),
            (max(0, spare[1] // 2) if self._wraps else 0) - self.verticalScrollBar().value(),
        )

    def cell_rect(self, frame: FrameIndex) -> QRect | None:
        """Where the thumbnail of a frame is in the viewport; None where it is not shown."""
        place = self._plan.place_of(frame)
        return None if place is None else place.translated(self._scrolled())

    def frame_at(self, position: QPoint) -> FrameIndex | None:
        """The frame whose own thumbnail is under a position of the viewport."""
        if self._thumbnails is None or not self._phases:
            return None
        if self._plan.heads and (position.y() < HEAD or position.x() < EDGE + ROW_HEAD - GAP):
            return None
        return self._plan.frame_at(position - self._scrolled())

    def _bring_into_view(self) -> None:
        place = self._plan.place_of(self._current)
        if place is None:
            return
        corner = self._plan.corner
        for bar, start, end, head, seen in (
            (self.horizontalScrollBar(), place.left(), place.right(), corner.x(), self.viewport().width()),
            (self.verticalScrollBar(), place.top(), place.bottom(), corner.y(), self.viewport().height()),
        ):
            at = self._scroll.goal(bar)
            if start - at < head:
                self._scroll.go(bar, start - head)
            elif end - at > seen - EDGE:
                self._scroll.go(bar, end - seen + EDGE)

    # Scrolling

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll; with Ctrl larger or smaller thumbnails, with Shift another phase."""
        turn, fine, held = event.angleDelta(), event.pixelDelta(), event.modifiers()
        event.accept()
        if held & Qt.KeyboardModifier.ControlModifier:
            self.set_zoom(self._zoom * 1.15 ** (turn.y() / _WHEEL_STEP))
        elif held & Qt.KeyboardModifier.ShiftModifier:
            self.phase_stepped.emit(-1 if (turn.y() or turn.x()) > 0 else 1)
        elif not fine.isNull():  # a trackpad is smooth by itself
            self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() - fine.x())
            self.verticalScrollBar().setValue(self.verticalScrollBar().value() - fine.y())
        else:
            bars = (self.horizontalScrollBar(), turn.x()), (self.verticalScrollBar(), turn.y())
            for bar, by in bars:
                if by:
                    at = self._scroll.goal(bar)
                    self._scroll.go(bar, at - round(0.6 * self._plan.step * by / _WHEEL_STEP))

    @property
    def zoom(self) -> float:
        """How much larger thumbnails are than what fits."""
        return self._zoom

    def set_zoom(self, zoom: float) -> None:
        """Make thumbnails larger than what fits, or as large as fits with 1.0."""
        zoom = min(_ZOOMS[1], max(_ZOOMS[0], zoom))
        if zoom != self._zoom:
            self._zoom = zoom
            self._lay_out()
            self._bring_into_view()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Draw what is seen now."""
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the thumbnails to the room."""
        self._lay_out()
        self._bring_into_view()

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the thumbnails that are seen; make those that are missing while time allows."""
        began = time.perf_counter()
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), image_colour("ground"))
        thumbnails, scrolled = self._thumbnails, self._scrolled()
        if thumbnails is None or not self._phases:
            painter.setPen(image_colour("soft"))
            area = QRectF(self.viewport().rect()).adjusted(40, 40, -40, -40)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._message)
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._offset is None)
        for index, column in self._plan.seen(event.rect().translated(-scrolled)):
            rect = QRectF(self._plan.place(index, column).translated(scrolled))
            frame = FrameIndex(self._phases[column], index)
            self._paint_frame(painter, rect, frame, thumbnails)
        if self._plan.heads:
            paint_heads(painter, self.viewport().rect(), self._plan, scrolled, self._current, self._marks)
        if self._offset is not None:
            self._times_ms.append(1000.0 * (time.perf_counter() - began))
            del self._times_ms[:-_LAST_TIMES]
        if self._missing:
            self._later.start()

    def _paint_frame(self, painter: QPainter, rect: QRectF, frame: FrameIndex, thumbnails: Thumbnails) -> None:
        shown = self._shown(frame)
        pixmap = thumbnails.made(shown)
        if pixmap is None:
            self._missing[shown] = None
            pixmap = thumbnails.made(frame)
        cell = self._cell_of(shown)
        tint = image_colour("edge") if cell.region is None else QColor(self._colours[cell.region])
        paint_picture(painter, rect, pixmap, tint, chosen=frame == self._current)
        if self._offset is None:
            mark = self._marks.get(frame.phase, "") if len(self._phases) > 1 else ""
            text = "" if self._plan.heads else f"{frame.slice_index + 1} {mark}".strip()
            paint_texts(painter, rect, cell, tint, text)

    @Slot()
    def _make_missing(self) -> None:
        """Make thumbnails that were seen missing, as many as time allows; the rest in the next turn."""
        clock = QElapsedTimer()
        clock.start()
        seen = {index for index, _ in self._plan.seen(self.viewport().rect().translated(-self._scrolled()))}
        while self._missing and self._thumbnails is not None and clock.nsecsElapsed() < _MAKE_BUDGET_MS * 1e6:
            frame = next(iter(self._missing))
            del self._missing[frame]
            if frame.slice_index in seen and self._thumbnails.made(frame) is None:
                self._thumbnails.make(frame)
                place = self.cell_rect(frame)
                if place is not None and self._offset is None:
                    self.viewport().update(place.adjusted(-3, -3, 3, 3))
        if self._missing:
            self._later.start()

    def want(self, frames: Sequence[FrameIndex]) -> None:
        """Make thumbnails of some frames, if their slices are seen, before they are shown."""
        self._missing.update(dict.fromkeys(frames))
        self._later.start()

    # The pointer

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the frame under the pointer."""
        frame = self.frame_at(event.position().toPoint())
        if frame is not None and event.button() == Qt.MouseButton.LeftButton:
            self.frame_chosen.emit(frame)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open it."""
        frame = self.frame_at(event.position().toPoint())
        if frame is not None and event.button() == Qt.MouseButton.LeftButton:
            self.frame_opened.emit(frame)

    def viewportEvent(self, event: QEvent) -> bool:
        """Say what a thumbnail means when the pointer rests on it."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            frame = self.frame_at(event.pos())
            QToolTip.showText(event.globalPos(), "" if frame is None else tip_of(frame, self._cell_of(frame)), self)
            return True
        return bool(super().viewportEvent(event))


def _no_cell(_frame: FrameIndex) -> Cell:
    return Cell()
