"""Outlines of other reads over the frame: dashed, each read in a colour of its own."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath

from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.ui.frame.drawing import outline_paths, screen_pen
from cmr_viewer.ui.frame.mouse_tools import Canvas
from cmr_viewer.ui.frame.overlay import outlines_of

READ_COLOURS = ("#4fc3f7", "#f48fd0")
"""Of the first and of the second read: light blue and pink, told apart by all eyes and from the colours of labels."""


class ReadOverlay:
    """Draws up to two label maps as dashed outlines; given to `FrameView.add_overlay`."""

    def __init__(self) -> None:
        self._paths: tuple[tuple[QColor, QPainterPath], ...] = ()

    @property
    def count(self) -> int:
        """How many label maps are drawn."""
        return len(self._paths)

    def show(self, label_maps: Sequence[LabelMap | None]) -> None:
        """Draw the label maps (row, col) of the first and the second read; None for none."""
        made = []
        for tint, labels in zip(READ_COLOURS, label_maps, strict=False):
            if labels is not None and labels.any():
                path = QPainterPath()
                for one in outline_paths(outlines_of(labels)).values():
                    path.addPath(one)
                made.append((QColor(tint), path))
        self._paths = tuple(made)

    def __call__(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw them, x = col and y = row."""
        ratio = canvas.screen_ratio()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(screen_pen(QColor(0, 0, 0, 150), 3.2, ratio))
        for _tint, path in self._paths:
            painter.drawPath(path)
        for number, (tint, path) in enumerate(self._paths):
            pen = screen_pen(tint, 2.0, ratio, [4, 4])
            pen.setDashOffset(4.0 * number)  # where both run together, their dashes alternate
            painter.setPen(pen)
            painter.drawPath(path)
