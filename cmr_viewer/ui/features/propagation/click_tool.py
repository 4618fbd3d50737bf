"""The mouse tool that says inside and outside, and shows where it was said."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPainterPath

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.review.correction import Click
from cmr_viewer.ui.frame.drawing import screen_pen
from cmr_viewer.ui.frame.mouse_tools import Canvas, MouseTool, Pointer

CLICK = "click"
"""What the desk calls the tool."""

_ARM_PX = 5.0


class ClickTool(MouseTool):
    """Left says inside; right, Shift and left, or the eraser's end of a pen say outside.

    Signals:
        clicked(float, float, bool): (row, col), and whether it says inside.
    """

    name = CLICK
    cursor = Qt.CursorShape.CrossCursor
    clicked = Signal(float, float, bool)

    def __init__(self) -> None:
        super().__init__()
        self._clicks: tuple[Click, ...] = ()
        self._pending: tuple[Click, ...] = ()
        self._colours: Mapping[Label, QColor] = {}

    def show_clicks(
        self, clicks: Sequence[Click], colours: Mapping[Label, QColor], pending: Sequence[Click] = ()
    ) -> None:
        """What is drawn over the frame: a plus for inside, a minus for outside, in the colour of the label.

        Args:
            clicks: Those that what is shown came of.
            colours: By label.
            pending: Those that are being worked on: with a ring around.
        """
        self._clicks, self._colours, self._pending = tuple(clicks), colours, tuple(pending)

    def press(self, pointer: Pointer, canvas: Canvas) -> bool:
        """Tell where."""
        outside = pointer.right or pointer.eraser or pointer.holds(Qt.KeyboardModifier.ShiftModifier)
        self.clicked.emit(*pointer.point, not outside)
        return True

    def paint(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw the clicks, as large on the screen whatever the zoom."""
        for click in (*self._clicks, *self._pending):
            row, col = click.point
            across, down = _arms(canvas, click.point)
            sign = QPainterPath(QPointF(col - across, row))
            sign.lineTo(col + across, row)
            if click.inside:
                sign.moveTo(col, row - down)
                sign.lineTo(col, row + down)
            ring = QPainterPath()
            ring.addEllipse(QRectF(col - 1.6 * across, row - 1.6 * down, 3.2 * across, 3.2 * down))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(0, 0, 0, 150))
            painter.drawPath(ring)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(screen_pen(self._colours.get(click.label, QColor("white")), 2.0, canvas.screen_ratio()))
            painter.drawPath(sign)
            if click in self._pending:
                painter.drawPath(ring)


def _arms(canvas: Canvas, point: tuple[float, float]) -> tuple[float, float]:
    """Columns and rows that an arm of a sign is long."""
    at = canvas.to_widget(point)
    row, col = canvas.to_point(QPointF(at.x() + _ARM_PX, at.y() + _ARM_PX))
    return col - point[1], row - point[0]
