"""What a thumbnail shows of its frame besides the image, and how it is drawn; for the strip and the montage."""

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.window.theme import REGION_LETTERS, image_colour, readable_on

_LARGE_PX = 72


@dataclass(frozen=True)
class Cell:
    """What a thumbnail shows of its frame besides the image.

    Attributes:
        region: The frame's region, or None while it is not known.
        probability: Probability of that region, or None where a reader decided.
        accepted: Whether a reader accepted the frame.
        edited: Whether a reader changed its label map or region.
        offered: Whether a new prediction is offered for it.
        differs: What the frame looks like by itself, in words, where its place in the stack says otherwise.
    """

    region: Region | None = None
    probability: float | None = None
    accepted: bool = False
    edited: bool = False
    offered: bool = False
    differs: str = ""


def is_large(rect: QRectF) -> bool:
    """Whether a thumbnail has room for more than letters."""
    return rect.width() >= _LARGE_PX


def paint_region(painter: QPainter, rect: QRectF, cell: Cell, tint: QColor) -> None:
    """Write the region at the foot of a thumbnail, and how probable it is or that a reader decided it."""
    if cell.region is None:
        return
    large = is_large(rect)
    font = painter.font()
    font.setPixelSize(11 if large else 9)
    font.setBold(True)
    painter.setFont(font)
    height = 16 if large else 13
    metrics = painter.fontMetrics()
    percent = "%" if rect.width() >= 46 else ""
    letters = "you" if cell.probability is None else f"{100 * cell.probability:.0f}{percent}"
    width = metrics.horizontalAdvance(letters) + 6
    name, pad = cell.region.text, 10 if large else 7
    if metrics.horizontalAdvance(name) + pad + width + 6 > rect.width():
        name = REGION_LETTERS[cell.region]
    chip = QRectF(rect.left(), rect.bottom() - height, metrics.horizontalAdvance(name) + pad, height)
    painter.fillRect(chip, tint)
    painter.setPen(readable_on(tint))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, name)
    ground = QRectF(rect.right() - width, chip.top(), width, height).adjusted(-1, 0, -1, -2)
    painter.fillRect(ground, QColor(0, 0, 0, 170))
    painter.setPen(image_colour("text"))
    painter.drawText(ground, Qt.AlignmentFlag.AlignCenter, letters)


def paint_state(painter: QPainter, rect: QRectF, cell: Cell) -> None:
    """Mark a thumbnail whose frame is accepted, has an offer or was changed, in the corner."""
    radius = 7.0 if is_large(rect) else 5.5
    at = QPointF(rect.right() - radius - 4, rect.top() + radius + 4)
    painter.setPen(Qt.PenStyle.NoPen)
    if cell.accepted:
        painter.setBrush(image_colour("good"))
        painter.drawEllipse(at, radius, radius)
        painter.setPen(QPen(QColor("#08120d"), 1.8))
        r = radius
        painter.drawPolyline(
            [at + QPointF(-0.45 * r, 0.05 * r), at + QPointF(-0.1 * r, 0.4 * r), at + QPointF(0.5 * r, -0.4 * r)]
        )
    elif cell.offered:
        painter.setBrush(image_colour("accent"))
        painter.drawEllipse(at, radius, radius)
        painter.setPen(QPen(image_colour("bright"), 1.8))
        painter.drawLine(at + QPointF(-0.5 * radius, 0), at + QPointF(0.5 * radius, 0))
        painter.drawLine(at + QPointF(0, -0.5 * radius), at + QPointF(0, 0.5 * radius))
    elif cell.edited:
        painter.setBrush(image_colour("bright"))
        painter.drawEllipse(at, radius * 0.6, radius * 0.6)


def tip_of(frame: FrameIndex, cell: Cell) -> str:
    """What a thumbnail means, in words."""
    lines = [f"Slice {frame.slice_index + 1}, phase {frame.phase + 1}"]
    if cell.region is not None:
        decided = "set by you" if cell.probability is None else f"{100 * cell.probability:.0f} % by the classifier"
        lines.append(f"{cell.region.text}, {decided}")
        lines += [cell.differs] if cell.differs else []
    states = [
        (cell.accepted, "Accepted"),
        (cell.edited, "Corrected"),
        (cell.offered, "A new prediction is available"),
    ]
    return "\n".join(lines + [text for true, text in states if true])
