"""Frames and outlines as Qt draws them: the one crossing from (row, col) to Qt's (x, y) for what is drawn."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage, QPainterPath, QPen

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.outlines import LabelOutlines, Polygon


def grey_image(pixels: NDArray[Any], window: tuple[float, float]) -> QImage:
    """Pixels as an image of grey values.

    Args:
        pixels: (row, col), any real dtype; values that are no numbers become black.
        window: Centre and width in the pixels' unit, width > 0. DICOM (0028,1050), (0028,1051).
    """
    centre, width = window
    scaled = (pixels.astype(np.float32) - np.float32(centre - width / 2)) * np.float32(255.0 / width)
    grey = np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255).astype(np.uint32)
    packed = np.ascontiguousarray(grey * np.uint32(0x010101) | np.uint32(0xFF000000))
    rows, cols = packed.shape
    return QImage(packed.data, cols, rows, cols * 4, QImage.Format.Format_RGB32).copy()


def label_image(labels: LabelMap, colours: Mapping[Label, str], opacity: float) -> QImage:
    """A label map as an image of its colours, clear where there is none.

    Args:
        labels: (row, col).
        colours: #rrggbb by label.
        opacity: 0.0 to 1.0.
    """
    table = np.zeros(max(Label) + 1, np.uint32)
    for label, tint in colours.items():
        seen = QColor(tint)
        parts = (round(255 * opacity), *(round(part * opacity) for part in (seen.red(), seen.green(), seen.blue())))
        table[label] = parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3]
    packed = np.ascontiguousarray(table[labels])
    rows, cols = packed.shape
    return QImage(packed.data, cols, rows, cols * 4, QImage.Format.Format_ARGB32_Premultiplied).copy()


def outline_paths(outlines: LabelOutlines) -> dict[Label, QPainterPath]:
    """LabelOutlines as paths, x = col and y = row."""
    return {label: _path(outlines.of(label)) for label in STRUCTURES}


def _path(polygons: tuple[Polygon, ...]) -> QPainterPath:
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.OddEvenFill)
    for polygon in polygons:
        (row, col), *others = polygon.tolist()
        path.moveTo(col, row)
        for row, col in others:
            path.lineTo(col, row)
        path.closeSubpath()
    return path


def screen_pen(tint: QColor, width: float, ratio: float, dashes: list[float] | None = None) -> QPen:
    """A pen that is as wide on the screen at every zoom.

    Args:
        tint: Its colour.
        width: In widget pixels.
        ratio: Device pixels for a widget pixel; cosmetic pens are measured in device pixels.
        dashes: Lengths of dashes and gaps in widths of the pen, or None for a whole line.
    """
    pen = QPen(tint, width * ratio)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    if dashes:
        pen.setDashPattern(dashes)
    return pen
