"""Where the frames of the desk are: one alone, two side by side, or something else in their place, and a foot."""

from PySide6.QtCore import QRect, QSize, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cmr_viewer.ui.frame.frame_view import FrameView
from cmr_viewer.ui.layouts.second_view import SecondView
from cmr_viewer.ui.window.theme import image_colour

_EDGE = 3
_GAP = 4


class FramePlaces(QWidget):
    """Holds the first and the second view.

    The first view is the one that tools work on; its place may change at any time; both places have the same
    size.

    Signals:
        alone_changed(bool): Whether the first view has all of the room.

    Attributes:
        first: The view that tools work on.
        second: The one beside it.
    """

    alone_changed = Signal(bool)

    def __init__(self, view: FrameView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.first, self.second = view, SecondView(view)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._left: FrameView | None = None
        self._page: QWidget | None = None
        self._foot: QWidget | None = None
        self._framed = False
        self._covered = 0
        for widget in (self.first, self.second):
            widget.setParent(self)
        self.second.hide()

    # Places

    def show_alone(self) -> None:
        """The first view has all of the room."""
        self._change(None, None, None)

    def show_beside(self, left: FrameView, foot: QWidget | None = None, *, framed: bool = False) -> None:
        """Both views side by side.

        Args:
            left: The one at the left.
            foot: What is below them.
            framed: Whether the first one is highlighted by a frame.
        """
        self._framed = framed
        self._change(left, None, foot)

    def show_page(self, page: QWidget, foot: QWidget | None = None) -> None:
        """Something else is shown in place of the views."""
        self._change(None, page, foot)

    @property
    def left(self) -> FrameView | None:
        """The view at the left of two; None where there are not two."""
        return self._left

    def _change(self, left: FrameView | None, page: QWidget | None, foot: QWidget | None) -> None:
        before = self._left, self._page, self._foot
        if before == (left, page, foot):
            return
        was_alone, self._left, self._page, self._foot = self._is_alone, left, page, foot
        for gone in (before[1], before[2]):
            if gone is not None and gone not in (page, foot):
                gone.hide()
        for view in (self.first, self.second):
            view.show_cursor(None)
        self._arrange()
        self.first.setVisible(page is None)
        self.second.setVisible(left is not None)
        for shown in (page, foot):
            if shown is not None:
                shown.setParent(self)
                shown.show()
        self._arrange()
        self.second.follow()
        self.update()
        if self._is_alone != was_alone:
            self.alone_changed.emit(self._is_alone)

    @property
    def _is_alone(self) -> bool:
        return self._left is None and self._page is None

    def set_covered(self, height: int) -> None:
        """How much of the upper edge is covered by messages; the views' notes move below."""
        self._covered = height
        self.first.set_covered(height)
        self.second.set_covered(height)

    # Places

    def place(self, right: bool) -> QRect:
        """One of two places, without the frame around it."""
        height, width = self._height_above_foot(), (self.width() - _GAP) // 2
        whole = QRect(self.width() - width if right else 0, 0, width, height)
        return whole.adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)

    def _height_above_foot(self) -> int:
        return self.height() - (0 if self._foot is None else self._foot.sizeHint().height())

    def _arrange(self) -> None:
        above = self._height_above_foot()
        if self._foot is not None:
            self._foot.setGeometry(0, above, self.width(), self.height() - above)
        if self._page is not None:
            self._page.setGeometry(0, 0, self.width(), above)
        elif self._left is None:
            self.first.setGeometry(0, 0, self.width(), above)
        else:
            right = self.second if self._left is self.first else self.first
            self._left.setGeometry(self.place(right=False))
            right.setGeometry(self.place(right=True))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep everything in its place."""
        self._arrange()

    def sizeHint(self) -> QSize:
        """As large as there is room for."""
        return self.first.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Small enough for a laptop, with one view or two."""
        return self.first.minimumSizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground between, and the frame of the view that tools work on."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), image_colour("ground"))
        if self._left is not None and self._framed:
            painter.setPen(QPen(image_colour("bright"), _EDGE))
            half = _EDGE / 2
            around = self.first.geometry().toRectF().adjusted(-half, -half, half, half)
            painter.drawRect(around)
