"""Small pictures of the frames, made when they are first seen, and again when they change."""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter, QPixmap, QTransform

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.outlines import outlines_of
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.ui.frame.drawing import grey_image, label_image, outline_paths, screen_pen
from cmr_viewer.ui.window.theme import STRUCTURE_COLOURS, image_colour

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
    stands out of nine tenths of the frame, the rows and columns between the 6th and 94th percentile are taken, and the
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
