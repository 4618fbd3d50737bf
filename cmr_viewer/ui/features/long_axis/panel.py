"""The long-axis views of the open study, one at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QColor,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QComboBox, QFrame, QSizePolicy, QToolTip, QWidget

from cmr_viewer.domain.study import Segment
from cmr_viewer.ui.frame.drawing import grey_image
from cmr_viewer.ui.frame.frame_view import Box
from cmr_viewer.ui.frame.thumbnails import window_of
from cmr_viewer.ui.window.theme import image_colour, readable_on
from cmr_viewer.ui.window.widgets import action_button, column, row

REACH_PX = 16.0
"""How near to a line a click counts as on it, in widget pixels."""

_WHEEL_STEP = 120


class LongAxisCanvas(QWidget):
    """One long-axis frame and where the slices cross it; lines are worked out once for each view and size.

    Signals:
        slice_chosen(int): A slice's line was clicked or dragged to.
        slice_stepped(int): Wheel: +1 towards the apex.
    """

    slice_chosen = Signal(int)
    slice_stepped = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Long-axis view")
        self.setToolTip("The lines are the slices. Click one to go to it, or drag through them")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._pixels: NDArray[Any] | None = None
        self._spacing_mm = (1.0, 1.0)
        self._window = (0.5, 1.0)
        self._box: Box | None = None
        self._whole = False
        self._segments: tuple[Segment | None, ...] = ()
        self._lines: tuple[QLineF | None, ...] = ()
        self._images: dict[int, QImage] = {}
        self._target = QRectF()
        self._phase, self._current, self._near = 0, 0, -1
        self._wheel = 0

    # What is shown

    def show_cine(
        self,
        pixels: NDArray[Any] | None,
        spacing_mm: tuple[float, float],
        segments: Sequence[Segment | None],
        box: Box | None = None,
    ) -> None:
        """Show another cine.

        Args:
            pixels: (phase, row, col), any real dtype; None for nothing.
            spacing_mm: (row, col) distance of pixel centres, > 0.
            segments: Per slice: its line in (row, col) of the frame, or None where it has none.
            box: The part of the frame to show first, (row0, row1, col0, col1), ends excluded; None for the whole.
        """
        self._pixels, self._spacing_mm, self._segments, self._box = pixels, spacing_mm, tuple(segments), box
        self._images.clear()
        self._phase, self._near, self._whole = 0, -1, box is None
        if pixels is not None:
            self._window = window_of(pixels[:: max(1, len(pixels) // 4), ::2, ::2])
        self._arrange()

    def show_phase(self, phase: int) -> None:
        """Show another phase."""
        if phase != self._phase:
            self._phase = phase
            self.update()

    def show_slice(self, slice_index: int) -> None:
        """Mark the slice that the reader looks at."""
        if slice_index != self._current:
            self._current = slice_index
            self.update()

    @property
    def phase(self) -> int:
        """The displayed phase."""
        return self._phase

    @property
    def current(self) -> int:
        """The slice that is marked."""
        return self._current

    def line_of(self, slice_index: int) -> QLineF | None:
        """The line of a slice in widget pixels, or None."""
        return self._lines[slice_index]

    def slice_near(self, at: QPointF, reach: float = REACH_PX) -> int | None:
        """The slice whose line is nearest to a position, or None where none is within reach (widget pixels)."""
        away = {s: _distance(line, at) for s, line in enumerate(self._lines) if line is not None}
        if not away:
            return None
        nearest = min(away, key=lambda s: away[s])
        return nearest if away[nearest] <= reach else None

    # Where things are

    def sizeHint(self) -> QSize:
        """Square."""
        return QSize(280, 280)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the frame anew."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Work out where the frame and the lines are in the widget."""
        self._lines = ()
        if self._pixels is not None and self.width() > 0 and self.height() > 0:
            rows, cols = self._pixels.shape[1:]
            row0, row1, col0, col1 = (0, rows, 0, cols) if self._whole or self._box is None else self._box
            down, across = self._spacing_mm
            scale = min(self.width() / ((col1 - col0) * across), self.height() / ((row1 - row0) * down))
            x, y = scale * across, scale * down
            left = self.width() / 2 - (col0 + col1) / 2 * x
            top = self.height() / 2 - (row0 + row1) / 2 * y
            self._target = QRectF(left, top, cols * x, rows * y)

            def place(point: tuple[float, float]) -> QPointF:
                return QPointF(left + (point[1] + 0.5) * x, top + (point[0] + 0.5) * y)

            self._lines = tuple(None if s is None else QLineF(place(s[0]), place(s[1])) for s in self._segments)
        self.update()

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the frame of the phase, and the lines over it."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), image_colour("black"))
        if self._pixels is None:
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(self._target, self._image())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        faint = QColor(image_colour("accent"))
        faint.setAlphaF(0.55)
        painter.setPen(QPen(faint, 1.2))
        painter.drawLines([line for line in self._lines if line is not None])
        for end in {0, len(self._lines) - 1} - {self._current, self._near, -1}:
            self._paint_number(painter, end, image_colour("accent"))
        if 0 <= self._near < len(self._lines) and self._near != self._current:
            self._paint_line(painter, self._near, image_colour("text"), 1.6)
        if self._current < len(self._lines):
            self._paint_line(painter, self._current, image_colour("warn"), 2.4)

    def _image(self) -> QImage:
        assert self._pixels is not None
        if self._phase not in self._images:
            self._images[self._phase] = grey_image(self._pixels[self._phase], self._window)
        return self._images[self._phase]

    def _paint_line(self, painter: QPainter, slice_index: int, tint: QColor, width: float) -> None:
        """A highlighted line, with the number of its slice at its right end."""
        line = self._lines[slice_index]
        if line is None:
            return
        painter.setPen(QPen(QColor(0, 0, 0, 150), width + 2))
        painter.drawLine(line)
        painter.setPen(QPen(tint, width))
        painter.drawLine(line)
        self._paint_number(painter, slice_index, tint)

    def _paint_number(self, painter: QPainter, slice_index: int, tint: QColor) -> None:
        """The number of a slice at the right end of its line."""
        line = self._lines[slice_index]
        if line is None:
            return
        ends = _inside(line, QRectF(self.rect()).adjusted(16, 16, -16, -16))
        if ends is None:
            return
        end = max(ends, key=lambda point: point.x())
        font = self.font()
        font.setPixelSize(12)
        font.setBold(True)
        painter.setFont(font)
        text = str(slice_index + 1)
        size = max(20.0, QFontMetricsF(font).horizontalAdvance(text) + 10)
        box = QRectF(end.x() - size / 2, end.y() - 9, size, 18)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(readable_on(tint))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the slice under the pointer."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._choose(event.position(), REACH_PX)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag through the slices, or name the one under the pointer."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(event.position(), 1e9)
            return
        near = self.slice_near(event.position())
        if (near if near is not None else -1) != self._near:
            self._near = -1 if near is None else near
            self.setCursor(Qt.CursorShape.PointingHandCursor if near is not None else Qt.CursorShape.ArrowCursor)
            QToolTip.showText(event.globalPosition().toPoint(), "" if near is None else f"Slice {near + 1}", self)
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Between the heart and the whole frame; a line keeps its meaning."""
        if self.slice_near(event.position()) is None and self._box is not None:
            self._whole = not self._whole
            self._arrange()

    def leaveEvent(self, event: Any) -> None:
        """No line is pointed at any more."""
        super().leaveEvent(event)
        self._near = -1
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Step through the slices."""
        self._wheel += event.angleDelta().y()
        steps = int(self._wheel / _WHEEL_STEP)
        if steps:
            self._wheel -= steps * _WHEEL_STEP
            self.slice_stepped.emit(-steps)

    def _choose(self, at: QPointF, reach: float) -> None:
        near = self.slice_near(at, reach)
        if near is not None and near != self._current:
            self.slice_chosen.emit(near)


def _distance(line: QLineF, at: QPointF) -> float:
    """Distance of a point from a line segment, in widget pixels."""
    along = line.p2() - line.p1()
    length = QPointF.dotProduct(along, along)
    part = 0.0 if length <= 0 else min(1.0, max(0.0, QPointF.dotProduct(at - line.p1(), along) / length))
    return QLineF(line.p1() + along * part, at).length()


def _inside(line: QLineF, area: QRectF) -> tuple[QPointF, QPointF] | None:
    """The part of a line in an area (Liang and Barsky 1984, ACM Trans Graph 3:1), or None."""
    start, along = line.p1(), line.p2() - line.p1()
    low, high = 0.0, 1.0
    for step, room in (
        (-along.x(), start.x() - area.left()),
        (along.x(), area.right() - start.x()),
        (-along.y(), start.y() - area.top()),
        (along.y(), area.bottom() - start.y()),
    ):
        if step == 0:
            if room < 0:
                return None
        elif step < 0:
            low = max(low, room / step)
        else:
            high = min(high, room / step)
    return None if low > high else (start + along * low, start + along * high)


class LongAxisPanel(QFrame):
    """A long-axis view over the list of all; the list is below, where no message covers it.

    Signals:
        view_chosen(int): Number of another view.
    """

    view_chosen = Signal(int)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("long_axis")
        self.view = LongAxisCanvas()
        self._list = QComboBox()
        self._list.setAccessibleName("Long-axis views")
        self._list.setToolTip("Choose a long-axis cine")
        self._list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._list.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._list.currentIndexChanged.connect(self._on_chosen)
        foot = row(
            self._list,
            action_button(actions["long_axis_next"], text=False),
            action_button(actions["long_axis"], text=False),
            spacing=2,
            margins=(6, 2, 4, 2),
        )
        foot.setStretch(0, 1)
        whole = column(self.view, foot, spacing=0)
        whole.setStretch(0, 1)
        self.setLayout(whole)
        self.setMinimumWidth(180)

    @property
    def chosen(self) -> int:
        """Number of the displayed view; -1 without one."""
        return int(self._list.currentIndex())

    @property
    def names(self) -> Sequence[str]:
        """Texts of the list."""
        return [self._list.itemText(number) for number in range(self._list.count())]

    def show_names(self, names: Sequence[str]) -> None:
        """List other views; the first is chosen and reported."""
        self._list.blockSignals(True)
        self._list.clear()
        self._list.addItems(list(names))
        self._list.blockSignals(False)
        self._on_chosen(self.chosen)

    @Slot()
    def choose_next(self) -> None:
        """The next view; after the last comes the first."""
        if self._list.count():
            self._list.setCurrentIndex((self.chosen + 1) % self._list.count())

    def _on_chosen(self, number: int) -> None:
        if number >= 0:
            self.view_chosen.emit(number)
