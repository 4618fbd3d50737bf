"""How the thumbnails of a montage and its heads are drawn. In widget pixels."""

from collections.abc import Mapping

from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.frame.frame_cell import Cell, is_large, paint_region, paint_state
from cmr_viewer.ui.layouts.montage_plan import EDGE, GAP, HEAD, ROW_HEAD, MontagePlan
from cmr_viewer.ui.window.theme import image_colour


def paint_picture(painter: QPainter, rect: QRectF, pixmap: QPixmap | None, tint: QColor, *, chosen: bool) -> None:
    """Draw a thumbnail with the border of its region.

    Args:
        painter: On the viewport.
        rect: Where it stands.
        pixmap: The thumbnail; None while it is not made.
        tint: Of the border.
        chosen: Whether it is the frame that the reader is at.
    """
    if pixmap is None:
        painter.fillRect(rect, image_colour("panel"))
    else:
        painter.drawPixmap(rect, pixmap, QRectF(pixmap.rect()))
    width = 3.0 if is_large(rect) else 2.0
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(tint, width))
    painter.drawRect(rect.adjusted(width / 2, width / 2, -width / 2, -width / 2))
    if chosen:
        painter.setPen(QPen(image_colour("bright"), 2.5))
        painter.drawRect(rect.adjusted(-1.5, -1.5, 1.5, 1.5))


def paint_texts(painter: QPainter, rect: QRectF, cell: Cell, tint: QColor, text: str) -> None:
    """Write region, state and a text over a thumbnail.

    Args:
        painter: On the viewport.
        rect: Where the thumbnail stands.
        cell: What it says.
        tint: Colour of its region.
        text: For the upper left corner; may be empty.
    """
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paint_region(painter, rect, cell, tint)
    paint_state(painter, rect, cell)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    if not text:
        return
    _set_font(painter, bold=True)
    for pen, by in ((QColor(0, 0, 0, 200), 1), (image_colour("text"), 0)):
        painter.setPen(pen)
        painter.drawText(rect.adjusted(8 + by, 6 + by, 0, 0), Qt.AlignmentFlag.AlignLeft, text)


def paint_heads(
    painter: QPainter, view: QRect, plan: MontagePlan, scrolled: QPoint, current: FrameIndex, marks: Mapping[int, str]
) -> None:
    """Number the slices and phases at the edges, which stay where they are when thumbnails are scrolled.

    Args:
        painter: On the viewport.
        view: The viewport.
        plan: What stands where.
        scrolled: Where the corner of all thumbnails is in the viewport.
        current: The frame that the reader is at.
        marks: "ED" and "ES" by phase.
    """
    ground, left = image_colour("ground"), max(0, scrolled.x())
    painter.fillRect(QRect(left, 0, EDGE + ROW_HEAD - GAP, view.height()), ground)
    for index in range(plan.slices):
        here = index == current.slice_index
        _set_font(painter, bold=here)
        painter.setPen(image_colour("bright" if here else "soft"))
        place = plan.place(index, 0).translated(scrolled)
        box = QRect(left, place.top(), EDGE + ROW_HEAD - 2 * GAP, place.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, str(index + 1))
    painter.fillRect(QRect(0, 0, view.width(), HEAD - GAP // 2), ground)
    painter.setClipRect(QRect(left + EDGE + ROW_HEAD - GAP, 0, view.width(), HEAD))
    for column, phase in enumerate(plan.phases):
        place = plan.place(0, column).translated(scrolled)
        mark, here = marks.get(phase), phase == current.phase
        _set_font(painter, bold=here or mark is not None)
        painter.setPen(image_colour("bright" if here else "text" if mark else "soft"))
        text = f"{mark} {phase + 1}" if mark else str(phase + 1)
        painter.drawText(QRect(place.left(), 0, place.width(), HEAD - 2), Qt.AlignmentFlag.AlignCenter, text)
    painter.setClipping(False)


def _set_font(painter: QPainter, *, bold: bool) -> None:
    font = painter.font()
    font.setPixelSize(12)
    font.setBold(bold)
    painter.setFont(font)
