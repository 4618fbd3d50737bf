"""The RV insertion points over the frame, as two small marks with a letter."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from cmr_viewer.domain.measures.insertion_points import InsertionPoints
from cmr_viewer.ui.frame.mouse_tools import Canvas

_ARM_PX = 5.0
_TINTS = ((QColor(0, 0, 0, 190), 3.6), (QColor("#ffffff"), 1.6))
"""Colours and widths, the lower first: white with a dark rim is seen on blood and on muscle."""


class InsertionOverlay:
    """Draws the points of the frame on show; given to `FrameView.add_overlay`.

    Attributes:
        points: What is drawn; None for nothing.
    """

    def __init__(self) -> None:
        self.points: InsertionPoints | None = None

    def __call__(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw a cross at each point, with A for anterior or I for inferior; in the widget's own pixels."""
        if self.points is None:
            return
        painter.resetTransform()
        for letter, point in (("A", self.points.anterior), ("I", self.points.inferior)):
            at = canvas.to_widget(point)
            text = QRectF(at.x() + _ARM_PX, at.y() - _ARM_PX - 14.0, 16.0, 16.0)
            for tint, width in _TINTS:
                painter.setPen(QPen(tint, width))
                for slope in (-_ARM_PX, _ARM_PX):
                    painter.drawLine(at - QPointF(_ARM_PX, slope), at + QPointF(_ARM_PX, slope))
                moved = text.translated(1.0, 1.0) if width > 2 else text
                painter.drawText(moved, Qt.AlignmentFlag.AlignCenter, letter)
