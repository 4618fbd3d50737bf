"""Small pictures of the frames, made when they are first seen, and again when they change."""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap, QTransform

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.outlines import outlines_of
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.ui.frame.drawing import grey_image, label_image, outline_paths, screen_pen
from cmr_viewer.ui.window.theme import REGION_LETTERS, STRUCTURE_COLOURS, image_colour, readable_on

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
        renewed: Whether its label map is new, because another model is in use, and was not looked at yet.
    """

    region: Region | None = None
    probability: float | None = None
    accepted: bool = False
    edited: bool = False
    offered: bool = False
    differs: str = ""
    renewed: bool = False


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
    elif cell.renewed:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(image_colour("accent"), 2.4))
        painter.drawEllipse(at, radius * 0.7, radius * 0.7)
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
        (cell.renewed, "New label map: the model in use has changed"),
    ]
    return "\n".join(lines + [text for true, text in states if true])


Box = tuple[int, int, int, int]
"""(row0, row1, col0, col1), ends excluded."""


CACHE_BYTES = 384 * 1024 * 1024
"""Thumbnails of one size take no more; those that were seen longest ago go first."""

_FILLED_BELOW_PX = 64
_FEWEST_PX = 128
"""Where the heart beats is looked for on so many rows or columns, or up to twice as many."""
_LARGEST_MM = 165.0


class Thumbnails:
    """Thumbnails of a stack at one size: small ones are filled, larger ones outlined.

    Args:
        stack: The stack.
        box: The part of each frame that is shown.
        window: Window centre and width in the pixels' unit.
        labels_of: The label map of a frame, or None; asked when a thumbnail is made.
        colours: Colours of the outlines.
    """

    def __init__(
        self,
        stack: Stack,
        box: Box,
        window: tuple[float, float],
        labels_of: Callable[[FrameIndex], LabelMap | None],
        colours: Mapping[Label, str] = STRUCTURE_COLOURS,
    ) -> None:
        self._stack, self._box, self._window = stack, box, window
        self._labels_of, self._colours = labels_of, colours
        self._made: OrderedDict[FrameIndex, QPixmap] = OrderedDict()
        self._before: dict[FrameIndex, QPixmap] = {}
        self._side = 0

    def set_side(self, side_px: int) -> None:
        """Size of the thumbnails in device pixels."""
        if side_px != self._side:
            self._side = side_px
            self.forget_all()

    def made(self, frame: FrameIndex) -> QPixmap | None:
        """The thumbnail of a frame if it is there already."""
        pixmap = self._made.get(frame)
        if pixmap is not None:
            self._made.move_to_end(frame)
        return pixmap

    def before(self, frame: FrameIndex) -> QPixmap | None:
        """The thumbnail of a frame as it was before its last change, until it is made again."""
        return self._before.get(frame)

    def make(self, frame: FrameIndex) -> QPixmap:
        """Make the thumbnail of a frame."""
        self._before.pop(frame, None)
        row0, row1, col0, col1 = self._box
        picture = grey_image(self._stack.frame(frame)[row0:row1, col0:col1], self._window)
        pixmap = QPixmap(self._side, self._side)
        pixmap.fill(image_colour("black"))
        down_mm, across_mm = self._stack.geometry.pixel_spacing_mm
        scale = self._side / max((row1 - row0) * down_mm, (col1 - col0) * across_mm)
        width, height = (col1 - col0) * across_mm * scale, (row1 - row0) * down_mm * scale
        left, top = (self._side - width) / 2, (self._side - height) / 2
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawImage(QRectF(left, top, width, height), picture)
        labels = self._labels_of(frame)
        if labels is not None and labels.any():
            if self._side < _FILLED_BELOW_PX:
                painter.drawImage(
                    QRectF(left, top, width, height), label_image(labels[row0:row1, col0:col1], self._colours, 0.5)
                )
            else:
                x_step, y_step = scale * across_mm, scale * down_mm
                painter.setTransform(
                    QTransform(x_step, 0, 0, y_step, left + (0.5 - col0) * x_step, top + (0.5 - row0) * y_step)
                )
                self._outline(painter, labels)
        painter.end()
        self._made[frame] = pixmap
        while len(self._made) > 1 and len(self._made) * 4 * self._side**2 > CACHE_BYTES:
            self._made.popitem(last=False)
        return pixmap

    def _outline(self, painter: QPainter, labels: LabelMap) -> None:
        paths = outline_paths(outlines_of(labels))
        for label in reversed(STRUCTURES):
            width = 1.0 if self._side < 110 else 1.5 if self._side < 300 else 2.0
            painter.setPen(screen_pen(QColor(self._colours[label]), width, 1.0))
            painter.drawPath(paths[label])

    def forget(self, frame: FrameIndex) -> None:
        """A frame has changed: its thumbnail is made again when it is next seen."""
        pixmap = self._made.pop(frame, None)
        if pixmap is not None:
            self._before[frame] = pixmap

    def forget_all(self) -> None:
        """Everything has changed, such as the colours."""
        self._made.clear()
        self._before.clear()


def moving_box(stack: Stack) -> Box:
    """The square part of the frames that beats: where the heart is, with room around it.

    The first harmonic of each pixel through the cycle, squared, is added up over the middle half of the stack. Of what
    is above nine tenths of the frame, the rows and columns between the 6th and 94th percentile are used, and the
    larger side is widened by nine tenths; to 165 mm at most, which holds any heart, around where most of it beats. A
    frame without time is shown from its centre.

    Args:
        stack: The stack.

    Returns:
        (row0, row1, col0, col1) within the frame, ends excluded.
    """
    rows, cols = stack.geometry.rows, stack.geometry.cols
    down_mm, across_mm = stack.geometry.pixel_spacing_mm
    step = max(2, min(rows, cols) // _FEWEST_PX)
    beating = _beating(stack, step)
    if not beating.any():
        return _square((rows / 2, cols / 2), 0.62 * min(rows * down_mm, cols * across_mm), stack)
    marks = []
    for axis in (1, 0):
        share = np.cumsum(beating.sum(axis=axis))
        marks.append(step * np.searchsorted(share / share[-1], (0.06, 0.5, 0.94)).astype(np.float64))
    (row0, row, row1), (col0, col, col1) = marks
    side = 1.9 * max((row1 - row0) * down_mm, (col1 - col0) * across_mm)
    centre = (row0 + row1) / 2, (col0 + col1) / 2
    if stack.geometry.spacing_known and side > _LARGEST_MM:
        side, centre = _LARGEST_MM, ((centre[0] + row) / 2, (centre[1] + col) / 2)
    return _square(centre, side, stack)


def _beating(stack: Stack, step: int) -> NDArray[np.float32]:
    """How strongly each pixel follows the heart, every so many of them, (row, col); the frame's middle counts more."""
    first, last = stack.slices // 4, max(stack.slices // 4 + 1, 3 * stack.slices // 4)
    part = stack.pixels[:, first:last, ::step, ::step].astype(np.float32)
    if stack.pixels.dtype.kind == "f":
        part = np.nan_to_num(part, copy=False)
    angles = 2.0 * np.pi * np.arange(stack.phases) / stack.phases
    if stack.phases < 2:
        return np.zeros(part.shape[2:], np.float32)
    waves = [np.tensordot(wave(angles).astype(np.float32), part, (0, 0)) for wave in (np.cos, np.sin)]
    power = waves[0] ** 2 + waves[1] ** 2
    power = np.minimum(power, np.percentile(power, 99.5)).sum(axis=0)
    across, down = (np.exp(-0.5 * np.linspace(-1.8, 1.8, count) ** 2) for count in power.shape[::-1])
    power = power * down[:, None] * across[None, :]
    return np.asarray(np.clip(power - np.percentile(power, 90), 0.0, None), dtype=np.float32)


def _square(centre: tuple[float, float], side_mm: float, stack: Stack) -> Box:
    """A box of equal sides in mm around a point, moved into the frame."""
    down_mm, across_mm = stack.geometry.pixel_spacing_mm
    rows, cols = stack.geometry.rows, stack.geometry.cols
    side_mm = min(side_mm, rows * down_mm, cols * across_mm)
    ends = []
    for middle, count, step in ((centre[0], rows, down_mm), (centre[1], cols, across_mm)):
        length = min(count, max(1, round(side_mm / step)))
        start = min(max(0, math.floor(middle - length / 2 + 0.5)), count - length)
        ends.append((start, start + length))
    return ends[0][0], ends[0][1], ends[1][0], ends[1][1]


def usual_window(stack: Stack) -> tuple[float, float]:
    """Window centre and width that suit a stack: from its 1st to its 99.5th percentile, on a sample of its pixels."""
    return window_of(stack.pixels[:: max(1, stack.phases // 4), :, ::4, ::4])


def window_of(pixels: NDArray[Any]) -> tuple[float, float]:
    """Window centre and width from the 1st to the 99.5th percentile of some pixels, of any shape and real dtype."""
    sample = pixels.astype(np.float32).ravel()
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return 0.5, 1.0
    low, high = np.percentile(sample, (1.0, 99.5))
    return float(low + high) / 2.0, max(float(high - low), 1e-3)
