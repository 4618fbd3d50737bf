"""The second frame beside the one that tools work on: it looks like that, moves with it and hands it the pointer."""

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QEnterEvent, QMouseEvent, QPainter, QPaintEvent, QTabletEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from cmr_viewer.domain.label_map import Point
from cmr_viewer.ui.frame.camera import Camera
from cmr_viewer.ui.frame.frame_view import FrameView
from cmr_viewer.ui.window.theme import image_colour

_NO_BUTTON = Qt.MouseButton.NoButton


class SecondView(FrameView):
    """A frame beside the first view, with the same camera, grey window and look.

    Where it is `live`, the pointer over it asks for the places of both to be changed, so that the first view with its
    tools comes under the pointer; a press that finds it is handed on. Else it shows only.

    Signals:
        wanted(bool): The pointer came; True for a press, a turn of the wheel or a pen.

    Attributes:
        live: Whether it gives way to the first view.
        first: The view that tools work on.
    """

    wanted = Signal(bool)

    def __init__(self, first: FrameView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.first = first
        self.live = False
        self._message = ""
        self._handing_on = False
        self.setAccessibleName("Second frame")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        first.look_changed.connect(self.follow)
        first.pointed.connect(self._mark)
        self.pointed.connect(self._mark_first)
        self.camera_moved.connect(self._move_first)

    @Slot()
    def follow(self) -> None:
        """Look like the first view, if it can be seen."""
        if self.isVisible():
            self.look_like(self.first)

    def show_message(self, text: str) -> None:
        """The text in the middle while there is no frame."""
        if text != self._message:
            self._message = text
            self.setAccessibleDescription(text)
            self.update()

    @Slot(object)
    def _mark(self, point: Point | None) -> None:
        if self.isVisible():
            self.show_cursor(point)

    @Slot(object)
    def _mark_first(self, point: Point | None) -> None:
        if self.has_frame:
            self.first.show_cursor(point)

    @Slot(object)
    def _move_first(self, camera: Camera) -> None:
        self.first.set_camera(camera)

    # The pointer

    def enterEvent(self, event: QEnterEvent) -> None:
        """The pointer came."""
        if self.live and QApplication.mouseButtons() == _NO_BUTTON:
            self.wanted.emit(False)

    def leaveEvent(self, event: QEvent) -> None:
        """It left; where the first view came in its place, that has the cursor."""
        super().leaveEvent(event)
        self.first.show_cursor(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Give way and hand the press on, so that the first click counts."""
        if not self.live:
            super().mousePressEvent(event)
            return
        self.wanted.emit(True)
        self._handing_on = True
        self._hand_on(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """The same."""
        if self.live:
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The first view's, while a press was handed on."""
        if self._handing_on:
            self._hand_on(event)
        elif self.live:
            if event.buttons() == _NO_BUTTON:
                self.wanted.emit(False)
        else:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The first view's, if the press was."""
        if self._handing_on:
            self._handing_on = event.buttons() != _NO_BUTTON
            self._hand_on(event)
        else:
            super().mouseReleaseEvent(event)

    def tabletEvent(self, event: QTabletEvent) -> None:
        """A pen has no pointer that comes first: it gives way at the press."""
        if not self.live:
            super().tabletEvent(event)
            return
        event.accept()
        if event.type() == QEvent.Type.TabletPress:
            self.wanted.emit(True)
        handed = QTabletEvent(
            event.type(),
            event.pointingDevice(),
            self._in_first(event.globalPosition()),
            event.globalPosition(),
            event.pressure(),
            event.xTilt(),
            event.yTilt(),
            event.tangentialPressure(),
            event.rotation(),
            event.z(),
            event.modifiers(),
            event.button(),
            event.buttons(),
        )
        QApplication.sendEvent(self.first, handed)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Give way; the wheel turns the first view's slices."""
        if not self.live:
            super().wheelEvent(event)
            return
        event.accept()
        self.wanted.emit(True)
        self.first.wheelEvent(event)

    def _hand_on(self, event: QMouseEvent) -> None:
        handed = QMouseEvent(
            event.type(),
            self._in_first(event.globalPosition()),
            event.globalPosition(),
            event.button(),
            event.buttons(),
            event.modifiers(),
        )
        QApplication.sendEvent(self.first, handed)

    def _in_first(self, on_screen: QPointF) -> QPointF:
        """Where a position on the screen is in the first view, wherever both are now."""
        return QPointF(self.first.mapFromGlobal(on_screen))

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """The frame, or the text in its place."""
        super().paintEvent(event)
        if self.has_frame or not self._message:
            return
        painter = QPainter(self)
        painter.setPen(image_colour("soft"))
        area = QRectF(self.rect()).adjusted(32, 32, -32, -32)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._message)
