"""Mouse, pen, wheel and trackpad over a frame: which of them goes to the tool in hand, and what the rest does."""

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPointingDevice,
    QTabletEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from cmr_viewer.domain.label_map import Point
from cmr_viewer.ui.frame.mouse_tools import BrushTool, MouseTool, MoveTool, Pointer, WindowTool

_WHEEL_STEP = 120


class PointerInput(QWidget):
    """A widget that gives the pointer to a tool.

    Left and right button go to the tool in hand; what it leaves, and the middle button, moves the frame or windows.

    Signals:
        slice_stepped(int): Wheel: +1 towards the apex.
        phase_stepped(int): Shift and wheel: +1 later.
        brush_stepped(int): Alt and wheel: +1 larger.
        pointed(object): (row, col) under the pointer, or None.
        heart_toggled(): Double click without a tool.
        stroke_began(float, float, bool): The brush: (row, col) and whether it erases.
        stroke_moved(float, float): The brush: (row, col).
        stroke_ended(): The brush was lifted.
    """

    slice_stepped = Signal(int)
    phase_stepped = Signal(int)
    brush_stepped = Signal(int)
    pointed = Signal(object)
    heart_toggled = Signal()
    stroke_began = Signal(float, float, bool)
    stroke_moved = Signal(float, float)
    stroke_ended = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.brush = BrushTool(self)
        self._move, self._window_tool = MoveTool(self), WindowTool(self)
        self._tools: dict[str, MouseTool] = {}
        for tool in (self._move, self._window_tool, self.brush):
            self.add_tool(tool)
        self._tool: MouseTool = self._move
        self._taken = ""
        self._button = Qt.MouseButton.NoButton
        self._from = QPointF()
        self._wheel = 0
        self.brush.began.connect(self.stroke_began)
        self.brush.moved.connect(self.stroke_moved)
        self.brush.ended.connect(self.stroke_ended)
        self._move.double_clicked.connect(self.heart_toggled)
        self._window_tool.dragged.connect(self.window_by)

    # What a view gives

    def to_point(self, position: QPointF) -> Point:
        """(row, col) under a position in the widget."""
        raise NotImplementedError

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom so that what lies under `around` (the middle of the widget) stays there."""
        raise NotImplementedError

    def move_by(self, moved: QPointF) -> None:
        """Move the frame by widget pixels."""
        raise NotImplementedError

    def window_by(self, moved: QPointF) -> None:
        """Change window and level by how far the pointer was dragged, in widget pixels."""
        raise NotImplementedError

    def redraw(self, area: QRectF | None = None) -> None:
        """Draw a part of the frame again, x = col and y = row; None for all of it."""
        raise NotImplementedError

    def to_widget(self, point: Point) -> QPointF:
        """Position in the widget of a (row, col)."""
        raise NotImplementedError

    @property
    def has_frame(self) -> bool:
        """Whether a frame is displayed; without one the pointer does nothing."""
        raise NotImplementedError

    def screen_ratio(self) -> float:
        """Device pixels for a widget pixel."""
        return float(self.devicePixelRatioF())

    # Tools

    @property
    def tool(self) -> MouseTool:
        """The tool in hand."""
        return self._tool

    @property
    def is_dragging(self) -> bool:
        """Whether a button is down that something was begun with."""
        return bool(self._taken)

    def add_tool(self, tool: MouseTool) -> None:
        """Have a tool ready to be held by its name."""
        self._tools[tool.name] = tool

    def hold(self, name: str) -> None:
        """Take a tool; one that is not known is no tool, so that the left button moves the frame."""
        tool = self._tools.get(name, self._move)
        if tool is not self._tool:
            if self._taken == "tool":
                self._taken = ""
            self._tool.let_go(self)
            self._tool = tool
            self.redraw()
        if not self._taken:
            self.show_tool_cursor()

    def show_tool_cursor(self) -> None:
        """Show the cursor of the tool."""
        self.setCursor(self._tool.cursor)

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin what the button does."""
        if not self.has_frame or self._taken:
            return
        self._button = event.button()
        self._begin(self._pointer(event), event.button(), again=False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """The tool's, or another press."""
        if not self.has_frame or self._taken:
            return
        self._button = event.button()
        self._begin(self._pointer(event), event.button(), again=True)

    def _begin(self, pointer: Pointer, button: Qt.MouseButton, *, again: bool) -> None:
        self._from = pointer.position
        right = button == Qt.MouseButton.RightButton
        if button == Qt.MouseButton.MiddleButton:
            self._taken = "move"
        elif right and pointer.holds(Qt.KeyboardModifier.ControlModifier):
            self._taken = "window"
        elif right or button == Qt.MouseButton.LeftButton:
            takes = self._tool.double_click if again else self._tool.press
            before = self._tool
            if takes(pointer, self):
                self._taken = "tool" if self._tool is before else ""
            else:
                self._taken = "window" if right else "move"
        if self._taken == "move":
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with what the button began."""
        self._go(self._pointer(event))

    def _go(self, pointer: Pointer) -> None:
        if self._taken == "tool":
            self._tool.drag(pointer, self)
        elif self._taken:
            moved, self._from = pointer.position - self._from, pointer.position
            (self.move_by if self._taken == "move" else self.window_by)(moved)
        elif self.has_frame:
            self._tool.hover(pointer, self)
        self.pointed.emit(self.to_point(pointer.position))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End what the button began; another button's release ends nothing."""
        if self._taken and event.button() in (self._button, Qt.MouseButton.NoButton):
            self._end(self._pointer(event))

    def _end(self, pointer: Pointer) -> None:
        taken, self._taken = self._taken, ""
        if taken == "tool":
            self._tool.release(pointer, self)
        self.show_tool_cursor()

    def _pointer(self, event: QMouseEvent) -> Pointer:
        right = Qt.MouseButton.RightButton in (event.button(), self._button if self._taken else event.button())
        return Pointer(self.to_point(event.position()), event.position(), right, event.modifiers())

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer left."""
        self._tool.leave(self)
        self.pointed.emit(None)

    # Pen

    def tabletEvent(self, event: QTabletEvent) -> None:
        """A pen does what the left button does; its button on the side what the right one does."""
        if not self.has_frame:
            return
        event.accept()
        eraser = event.pointerType() == QPointingDevice.PointerType.Eraser
        right = event.button() == Qt.MouseButton.RightButton
        pointer = Pointer(
            self.to_point(event.position()), event.position(), right, event.modifiers(), eraser, event.pressure()
        )
        kind = event.type()
        if kind == QEvent.Type.TabletPress and not self._taken:
            self._button = event.button()
            self._begin(pointer, event.button(), again=False)
        elif kind == QEvent.Type.TabletMove:
            self._go(pointer)
        elif (
            kind == QEvent.Type.TabletRelease
            and self._taken
            and event.button() in (self._button, Qt.MouseButton.NoButton)
        ):
            self._end(pointer)

    # Wheel, trackpad and keys

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Slice; with Shift phase, with Ctrl zoom, with Alt brush size."""
        turn = event.angleDelta().y() or event.angleDelta().x()
        held = event.modifiers()
        event.accept()
        if held & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.2 ** (turn / _WHEEL_STEP), event.position())
            return
        self._wheel += turn
        steps = int(self._wheel / _WHEEL_STEP)
        if steps == 0:
            return
        self._wheel -= steps * _WHEEL_STEP
        if held & Qt.KeyboardModifier.ShiftModifier:
            self.phase_stepped.emit(-steps)
        elif held & Qt.KeyboardModifier.AltModifier:
            self.brush_stepped.emit(steps)
        else:
            self.slice_stepped.emit(-steps)

    def event(self, event: QEvent) -> bool:
        """Pinch on a trackpad zooms; a key that the tool wants is no action's."""
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self.zoom(1.0 + event.value(), event.position())
            return True
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and self._tool.wants_key(event)
        ):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The tool's, if it wants it."""
        if self._tool.wants_key(event):
            self._tool.key(event, self)
        else:
            super().keyPressEvent(event)
