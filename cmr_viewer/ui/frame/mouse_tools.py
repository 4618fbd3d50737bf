"""What the mouse and the pen do over a frame: one tool at a time has the left button, and the right one if it wants it.

A tool gets presses, moves and releases in (row, col), signals what the reader did, and draws what belongs to it over
the frame. It changes nothing else. The wheel, the middle button and Ctrl with the right button do
the same whatever tool is held (`pointer_input`).
"""

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPainterPath

from cmr_viewer.domain.label_map import Point
from cmr_viewer.ui.frame.drawing import screen_pen

MOVE, WINDOW, BRUSH, CONTOUR = "move", "window", "brush", "contour"
"""Names of the tools that are always there; features add their own."""


@dataclass(frozen=True)
class Pointer:
    """Where the mouse or the pen is, and what is pressed.

    Attributes:
        point: (row, col) under it.
        position: The same in widget pixels.
        right: Whether it is about the right button; else the left one, or none.
        held: Keys that are held.
        eraser: Whether it is the eraser's end of a pen.
        pressure: Of a pen, 0.0 to 1.0; 1.0 for the mouse.
    """

    point: Point
    position: QPointF
    right: bool = False
    held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    eraser: bool = False
    pressure: float = 1.0

    def holds(self, key: Qt.KeyboardModifier) -> bool:
        """Whether a key is held."""
        return bool(self.held & key)


class Canvas(Protocol):
    """The view as tools and overlays see it."""

    def to_point(self, position: QPointF) -> Point:
        """(row, col) under a position in the widget."""

    def to_widget(self, point: Point) -> QPointF:
        """Position in the widget of a (row, col)."""

    def screen_ratio(self) -> float:
        """Device pixels for a widget pixel, for `drawing.screen_pen`."""

    def redraw(self, area: QRectF | None = None) -> None:
        """Draw a part of the frame again, x = col and y = row; None for all of it."""

    def show_tool_cursor(self) -> None:
        """Show the cursor of the tool again; it has another."""


class MouseTool(QObject):
    """A tool; the base of all. By itself it leaves everything to the view: left moves the frame, right windows.

    Attributes:
        name: What the desk calls it.
        cursor: What the pointer looks like.
    """

    name = ""
    cursor = Qt.CursorShape.ArrowCursor

    def press(self, pointer: Pointer, canvas: Canvas) -> bool:
        """A button went down; True to have the drag that begins, False to leave it to the view."""
        return False

    def drag(self, pointer: Pointer, canvas: Canvas) -> None:
        """The pointer moved while the tool has the drag."""

    def release(self, pointer: Pointer, canvas: Canvas) -> None:
        """The button was let go that the tool had."""

    def hover(self, pointer: Pointer, canvas: Canvas) -> None:
        """The pointer moved with no button down."""

    def leave(self, canvas: Canvas) -> None:
        """The pointer left the view."""

    def double_click(self, pointer: Pointer, canvas: Canvas) -> bool:
        """Second press of a double click; True if it was meant for the tool. By default it is another press."""
        return self.press(pointer, canvas)

    def wants_key(self, event: QKeyEvent) -> bool:
        """Whether a key is the tool's just now, before it is an action's."""
        return False

    def key(self, event: QKeyEvent, canvas: Canvas) -> None:
        """A key was pressed that the tool wanted."""

    def let_go(self, canvas: Canvas) -> None:
        """Another tool is chosen."""

    def paint(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw what belongs to the tool, x = col and y = row of the frame."""


class MoveTool(MouseTool):
    """No tool: the left button moves the frame.

    Signals:
        double_clicked(): Zoom to the heart, or back.
    """

    name = MOVE
    double_clicked = Signal()

    def double_click(self, pointer: Pointer, canvas: Canvas) -> bool:
        """Tell it."""
        if not pointer.right:
            self.double_clicked.emit()
        return not pointer.right


class WindowTool(MouseTool):
    """The left button windows, as the right one does without a tool.

    Signals:
        dragged(object QPointF): By how far the pointer was dragged, in widget pixels.
    """

    name = WINDOW
    cursor = Qt.CursorShape.SizeAllCursor
    dragged = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._from = QPointF()

    def press(self, pointer: Pointer, canvas: Canvas) -> bool:
        """Begin."""
        self._from = pointer.position
        return True

    def drag(self, pointer: Pointer, canvas: Canvas) -> None:
        """Tell how far."""
        self.dragged.emit(pointer.position - self._from)
        self._from = pointer.position


class BrushTool(MouseTool):
    """A round brush; its circle is drawn where the pointer is.

    Signals:
        began(float, float, bool): (row, col) and whether it erases: right button, or the eraser's end of a pen.
        moved(float, float): (row, col).
        ended(): It was lifted, or let go while it was down.
    """

    name = BRUSH
    cursor = Qt.CursorShape.CrossCursor
    began = Signal(float, float, bool)
    moved = Signal(float, float)
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._radius = 4.0
        self._colour = QColor("white")
        self._at: Point | None = None
        self._down = False

    def set_look(self, radius_px: float, tint: str) -> None:
        """Radius in pixels of the frame, and the colour of its circle."""
        self._radius, self._colour = radius_px, QColor(tint)

    def press(self, pointer: Pointer, canvas: Canvas) -> bool:
        """Put it down."""
        self._go(pointer.point, canvas)
        self._down = True
        self.began.emit(*pointer.point, pointer.right or pointer.eraser)
        return True

    def drag(self, pointer: Pointer, canvas: Canvas) -> None:
        """Draw it on."""
        self._go(pointer.point, canvas)
        self.moved.emit(*pointer.point)

    def release(self, pointer: Pointer, canvas: Canvas) -> None:
        """Lift it."""
        self._lift()

    def _lift(self) -> None:
        down, self._down = self._down, False
        if down:
            self.ended.emit()

    def hover(self, pointer: Pointer, canvas: Canvas) -> None:
        """The circle goes along."""
        self._go(pointer.point, canvas)

    def leave(self, canvas: Canvas) -> None:
        """No circle."""
        self._go(None, canvas)

    def let_go(self, canvas: Canvas) -> None:
        """No circle, and no stroke that would go on without its brush."""
        self._lift()
        self._go(None, canvas)

    def _go(self, point: Point | None, canvas: Canvas) -> None:
        for place in (self._at, point):
            if place is not None:
                reach = self._radius
                canvas.redraw(QRectF(place[1] - reach, place[0] - reach, 2 * reach, 2 * reach))
        self._at = point

    def paint(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw the circle."""
        if self._at is None:
            return
        row, col = self._at
        circle = QPainterPath()
        circle.addEllipse(QPointF(col, row), self._radius, self._radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for tint, width in ((QColor(0, 0, 0, 150), 3.0), (self._colour, 1.5)):
            painter.setPen(screen_pen(tint, width, canvas.screen_ratio()))
            painter.drawPath(circle)


def widget_area(area: QRectF, canvas: Canvas, margin: int = 4) -> QRect:
    """The part of a widget that an area of the frame (x = col, y = row) covers, with a margin for the pen."""
    corner = canvas.to_widget((area.top(), area.left()))
    far = canvas.to_widget((area.bottom(), area.right()))
    return QRectF(corner, far).normalized().toAlignedRect().adjusted(-margin, -margin, margin, margin)
