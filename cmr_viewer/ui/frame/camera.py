"""What part of a frame is seen, and the one crossing from Qt's (x, y) of a widget to (row, col) of a frame."""

from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QTransform

from cmr_viewer.domain.label_map import Point

SCALES = (0.05, 200.0)
"""Smallest and largest widget pixels for a millimetre."""


@dataclass(frozen=True)
class Camera:
    """What part of the frame is seen.

    Attributes:
        centre: (row, col) in the middle of the widget.
        pixels_per_mm: Widget pixels for a millimetre, the same along rows and columns.
    """

    centre: Point
    pixels_per_mm: float

    def transform(self, size: QSize, spacing_mm: tuple[float, float]) -> QTransform:
        """From (x = col, y = row) of the frame to widget pixels.

        Args:
            size: Of the widget.
            spacing_mm: (row, col) distance of pixel centres.
        """
        down, across = (self.pixels_per_mm * spacing for spacing in spacing_mm)
        row, col = self.centre
        return QTransform(across, 0, 0, down, size.width() / 2 - col * across, size.height() / 2 - row * down)

    def moved(self, by: QPointF, spacing_mm: tuple[float, float]) -> "Camera":
        """The camera with the frame moved by widget pixels."""
        down, across = (self.pixels_per_mm * spacing for spacing in spacing_mm)
        return replace(self, centre=(self.centre[0] - by.y() / down, self.centre[1] - by.x() / across))

    def zoomed(self, factor: float, fixed: Point) -> "Camera":
        """The camera zoomed so that a (row, col) stays where it is."""
        scale = min(max(self.pixels_per_mm * factor, SCALES[0]), SCALES[1])
        share = self.pixels_per_mm / scale
        row, col = (there + (here - there) * share for here, there in zip(self.centre, fixed, strict=True))
        return Camera((row, col), scale)


def camera_on(box: QRectF, size: QSize, spacing_mm: tuple[float, float]) -> Camera:
    """The camera that shows a box of a frame as large as a widget allows.

    Args:
        box: In pixels of the frame, x along columns.
        size: Of the widget.
        spacing_mm: (row, col) distance of pixel centres.
    """
    scale = min(size.width() / (box.width() * spacing_mm[1]), size.height() / (box.height() * spacing_mm[0]))
    return Camera((box.center().y(), box.center().x()), max(scale, SCALES[0]))
