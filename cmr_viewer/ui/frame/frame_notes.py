"""What is written over the frame: where the reader is, the region and the legend. In widget pixels only."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from cmr_viewer.ui.window.theme import image_colour, readable_on

MARGIN = 12.0
_MARK_ROOM = 50.0


@dataclass(frozen=True)
class FrameNotes:
    """Texts over the frame.

    Attributes:
        place: Slice, for the upper left corner.
        time: Phase, for the upper right corner.
        mark: "ED" or "ES" where the phase is one, or empty.
        region: Region and who decided it, or empty while it is not known.
        region_colour: Colour of the region's chip.
        state: What the reader did with the frame, such as "Accepted", or empty.
        badge: What a reader must know before trusting the frame, or empty; highlighted below the region.
        window: Window and level, for the lower left corner.
        legend: (colour, text) of each structure, for the lower right corner.
    """

    place: str = ""
    time: str = ""
    mark: str = ""
    region: str = ""
    region_colour: str = "#000000"
    state: str = ""
    badge: str = ""
    window: str = ""
    legend: Sequence[tuple[str, str]] = ()


def paint_notes(painter: QPainter, area: QRectF, notes: FrameNotes, font: QFont) -> None:
    """Write the notes into the corners of an area."""
    plain = QFont(font)
    plain.setPixelSize(13)
    strong = QFont(plain)
    strong.setBold(True)
    inner = area.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    _text(painter, inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, notes.place, strong)
    below = inner.adjusted(0, QFontMetricsF(strong).height() + 6, 0, 0)
    if notes.region:
        right = _chip(painter, below.topLeft(), notes.region, QColor(notes.region_colour), strong)
        if notes.state:
            room = inner.right() - right - 40 - (_MARK_ROOM if notes.mark else 0)
            state = QFontMetricsF(plain).elidedText(notes.state, Qt.TextElideMode.ElideRight, max(room, 60.0))
            _chip(painter, QPointF(right + 6, below.top()), state, image_colour("hover"), plain)
    if notes.badge:
        at = below.topLeft() + QPointF(0, QFontMetricsF(strong).height() + 11 if notes.region else 0)
        _chip(painter, at, notes.badge, image_colour("warn"), strong)
    _text(painter, inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, notes.time, strong)
    if notes.mark:
        width = QFontMetricsF(strong).horizontalAdvance(notes.mark) + 14
        _chip(painter, QPointF(inner.right() - width, below.top()), notes.mark, image_colour("text"), strong)
    _text(painter, inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, notes.window, plain)
    _legend(painter, inner, notes.legend, plain)


def _text(painter: QPainter, area: QRectF, where: Qt.AlignmentFlag, text: str, font: QFont) -> None:
    painter.setFont(font)
    painter.setPen(QColor(0, 0, 0, 200))
    painter.drawText(area.translated(1, 1), where, text)
    painter.setPen(image_colour("text"))
    painter.drawText(area, where, text)


def _chip(painter: QPainter, at: QPointF, text: str, ground: QColor, font: QFont) -> float:
    """A filled label; returns its right edge."""
    metrics = QFontMetricsF(font)
    box = QRectF(at.x(), at.y(), metrics.horizontalAdvance(text) + 14, metrics.height() + 5)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(box, 4, 4)
    painter.setFont(font)
    painter.setPen(readable_on(ground))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
    return box.right()


def _legend(painter: QPainter, area: QRectF, legend: Sequence[tuple[str, str]], font: QFont) -> None:
    metrics = QFontMetricsF(font)
    step = metrics.height() + 3
    width = max((metrics.horizontalAdvance(text) for _, text in legend), default=0.0)
    top = area.bottom() - step * len(legend)
    if legend:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 110))
        painter.drawRoundedRect(QRectF(area.right() - width - 31, top - 4, width + 38, area.bottom() - top + 8), 5, 5)
    for index, (tint, text) in enumerate(legend):
        row = QRectF(area.right() - width, top + index * step, width, step)
        middle = row.center().y()
        painter.setPen(QPen(QColor(tint), 3))
        painter.drawLine(QPointF(row.left() - 24, middle), QPointF(row.left() - 8, middle))
        _text(painter, row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text, font)


def paint_scale_bar(painter: QPainter, area: QRectF, pixels_per_mm: float, font: QFont) -> None:
    """A bar of 10, 20 or 50 mm at the foot of the area, whichever is nearest to a sixth of its width."""
    wanted = area.width() / 6.0 / pixels_per_mm
    length_mm = min((10.0, 20.0, 50.0), key=lambda mm: abs(mm - wanted))
    length = length_mm * pixels_per_mm
    left, bottom = area.center().x() - length / 2.0, area.bottom() - MARGIN - 2
    painter.setPen(QPen(QColor(0, 0, 0, 180), 4))
    painter.drawLine(QPointF(left, bottom), QPointF(left + length, bottom))
    painter.setPen(QPen(image_colour("text"), 2))
    painter.drawLine(QPointF(left, bottom), QPointF(left + length, bottom))
    small = QFont(font)
    small.setPixelSize(12)
    text = f"{length_mm:g} mm"
    box = QRectF(area.left(), bottom - QFontMetricsF(small).height() - 5, area.width(), QFontMetricsF(small).height())
    _text(painter, box, Qt.AlignmentFlag.AlignHCenter, text, small)
