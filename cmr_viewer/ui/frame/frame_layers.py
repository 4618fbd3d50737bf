"""What a frame is drawn of: its grey values, and the outlines and fills of a label map; kept for the next time.

A frame scaled to the screen is kept as grey values, a byte for each pixel of the screen, so that a cine draws each
phase once and copies it from then on, and a brush stroke draws no pixel of the image anew.
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QTransform

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.outlines import outlines_of
from cmr_viewer.ui.frame.drawing import grey_image, outline_paths, screen_pen
from cmr_viewer.ui.window.theme import STRUCTURE_COLOURS, image_colour

CACHE_BYTES = 256 * 1024 * 1024
"""Scaled frames of one view take no more; 40 phases at 3300 x 1800 fit."""

_REMEMBERED = 512

_Paths = tuple[dict[Label, QPainterPath], dict[Label, QPainterPath]]
"""Outlines and fills by label."""


class GreyLayer:
    """The grey values of one frame, at the window and place in which they are wanted."""

    def __init__(self) -> None:
        self.pixels: NDArray[Any] | None = None
        self._key: Hashable = None
        self._window = (0.5, 1.0)
        self._scaled_frames: OrderedDict[Hashable, QImage] = OrderedDict()
        self._place: tuple[Any, ...] = ()
        self._drawn = QImage()

    def show(self, pixels: NDArray[Any] | None, key: Hashable = None) -> None:
        """Take another frame.

        Args:
            pixels: (row, col), any real dtype; None for nothing.
            key: What the frame is known by: a frame shown before under the same key has the same pixels. None for a
                frame that is not to be kept.
        """
        if key is None or pixels is None:
            self._scaled_frames.pop(None, None)
        self.pixels, self._key = pixels, key

    def forget(self) -> None:
        """Forget all frames: another study comes, or none."""
        self.pixels, self._key = None, None
        self._scaled_frames.clear()

    @property
    def window(self) -> tuple[float, float]:
        """Window centre and width."""
        return self._window

    def set_window(self, centre: float, width: float) -> None:
        """Window centre and width in the pixels' own unit; DICOM (0028,1050) and (0028,1051)."""
        if (centre, width) != self._window:
            self._window = (centre, width)
            self._scaled_frames.clear()

    def paint(self, painter: QPainter, area: QRectF, transform: QTransform, size: QSize, ratio: float) -> None:
        """Draw a part of the frame.

        Args:
            painter: On the widget, in its coordinates.
            area: The part of the widget to draw.
            transform: From (x = col, y = row) of the frame to widget pixels.
            size: Of the widget.
            ratio: Device pixels for a widget pixel.
        """
        if self.pixels is None:
            return
        scaled = self._scaled_frame(self.pixels, self._key, transform, size, ratio)
        source = QRectF(area.x() * ratio, area.y() * ratio, area.width() * ratio, area.height() * ratio)
        painter.drawImage(area, scaled, source)

    def prepare(self, pixels: NDArray[Any], key: Hashable, transform: QTransform, size: QSize, ratio: float) -> None:
        """Scale a frame that will be shown soon, and keep it; arguments as for `show` and `paint`."""
        self._scaled_frame(pixels, key, transform, size, ratio)

    @staticmethod
    def room(size: QSize, ratio: float) -> int:
        """How many frames are kept at a size of the widget."""
        return max(1, int(CACHE_BYTES / max(1.0, size.width() * ratio * size.height() * ratio)))

    def _scaled_frame(
        self, pixels: NDArray[Any], key: Hashable, transform: QTransform, size: QSize, ratio: float
    ) -> QImage:
        place = (transform.m11(), transform.m22(), transform.dx(), transform.dy(), size.width(), size.height(), ratio)
        if place != self._place:
            self._scaled_frames.clear()
            self._place = place
        scaled = self._scaled_frames.get(key)
        if scaled is not None:
            self._scaled_frames.move_to_end(key)
            return scaled
        scaled = self._scaled(pixels, transform, size, ratio)
        self._scaled_frames[key] = scaled
        while len(self._scaled_frames) > 1 and len(self._scaled_frames) * scaled.sizeInBytes() > CACHE_BYTES:
            self._scaled_frames.popitem(last=False)
        return scaled

    def _scaled(self, pixels: NDArray[Any], transform: QTransform, size: QSize, ratio: float) -> QImage:
        rows, cols = pixels.shape
        whole = QSize(round(size.width() * ratio), round(size.height() * ratio))
        if self._drawn.size() != whole:  # the memory of so large an image takes longer to get than to fill
            self._drawn = QImage(whole, QImage.Format.Format_RGB32)
        drawn = self._drawn
        drawn.fill(Qt.GlobalColor.black)
        painter = QPainter(drawn)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setTransform(transform * QTransform.fromScale(ratio, ratio))
        painter.drawImage(QRectF(-0.5, -0.5, cols, rows), grey_image(pixels, self._window))
        painter.end()
        # Qt's own way from colours to grey values takes longer than all the rest: it weighs three equal parts.
        grey = QImage(whole, QImage.Format.Format_Grayscale8)
        if not whole.isEmpty():
            rows, cols = whole.height(), whole.width()
            into = np.frombuffer(grey.bits(), np.uint8).reshape(rows, grey.bytesPerLine())
            into[:, :cols] = np.frombuffer(drawn.constBits(), np.uint32).reshape(rows, cols)
        return grey


class LabelLayer:
    """Outlines and fills of one label map, and the dashed outline of another beside it.

    Attributes:
        labels: (row, col) displayed label map, or None.
        fill: Opacity of the fills, 0.0 to 1.0.
        hidden: Whether nothing is drawn.
        without_outline: A label whose outline somebody else draws, or None.
    """

    def __init__(self) -> None:
        self.labels: LabelMap | None = None
        self.fill = 0.25
        self.hidden = False
        self.without_outline: Label | None = None
        self._proposal: LabelMap | None = None
        self._paths: dict[Label, QPainterPath] = {}
        self._fills: dict[Label, QPainterPath] = {}
        self._remembered: OrderedDict[Hashable, _Paths] = OrderedDict()
        self._proposal_path = QPainterPath()
        self._colours = dict(STRUCTURE_COLOURS)
        self._outline_px = 1.8
        self._exact = False

    def show(self, labels: LabelMap | None, key: Hashable = None) -> None:
        """Take another label map.

        Args:
            labels: (row, col), or None.
            key: Under which its outlines are remembered until `forget`; None for not at all.
        """
        self.labels = labels
        known = self._remembered.get(key) if key is not None and labels is not None else None
        if known is not None:
            self._paths, self._fills = known
        else:
            self.refresh(labels, key)

    def refresh(self, labels: LabelMap | None, key: Hashable = None) -> None:
        """The displayed label map was changed."""
        self.labels = labels
        self._paths, self._fills = ({}, {}) if labels is None else self._traced(labels)
        if key is not None and labels is not None:
            self._remember(key, (self._paths, self._fills))

    def prepare(self, labels: LabelMap | None, key: Hashable) -> None:
        """Trace the outlines of a label map that will be shown soon, and remember them; arguments as for `show`."""
        if labels is not None and key not in self._remembered:
            self._remember(key, self._traced(labels))

    def _traced(self, labels: LabelMap) -> _Paths:
        paths = outline_paths(outlines_of(labels, exact=self._exact))
        fills = dict(paths)
        if not paths[Label.LVM].isEmpty():
            fills[Label.LVM] = QPainterPath(paths[Label.LVM])
            fills[Label.LVM].addPath(paths[Label.LVBP])
        return paths, fills

    def _remember(self, key: Hashable, paths: _Paths) -> None:
        self._remembered[key] = paths
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """The label map of a key has changed."""
        self._remembered.pop(key, None)

    def forget_all(self) -> None:
        """Show nothing and remember nothing."""
        self.labels, self._proposal = None, None
        self._paths, self._fills, self._proposal_path = {}, {}, QPainterPath()
        self._remembered.clear()

    def propose(self, labels: LabelMap | None) -> bool:
        """Outline a second label map with dashes; None for none. Whether anything is drawn otherwise."""
        if labels is self._proposal:
            return False
        self._proposal = labels
        self._make_proposal()
        return True

    @property
    def shows_proposal(self) -> bool:
        """Whether a second label map is outlined."""
        return not self._proposal_path.isEmpty()

    def set_exact(self, exact: bool) -> None:
        """Draw outlines along the edges of the pixels instead of smooth."""
        self._exact = exact
        self._remembered.clear()
        self.refresh(self.labels)
        self._make_proposal()

    def set_colours(self, colours: Mapping[Label, str], outline_px: float) -> None:
        """Colours of the outlines, and their width on the screen."""
        self._colours = {**STRUCTURE_COLOURS, **colours}
        self._outline_px = outline_px

    def look_like(self, other: "LabelLayer") -> None:
        """Take over colours, width, fill and kind of the outlines of another layer."""
        self.fill, self.hidden = other.fill, other.hidden
        self._colours, self._outline_px = dict(other._colours), other._outline_px
        if self._exact != other._exact:
            self.set_exact(other._exact)

    def colour_of(self, label: Label) -> QColor:
        """Colour of the outline of a label."""
        return QColor(self._colours[label])

    def _make_proposal(self) -> None:
        self._proposal_path = QPainterPath()
        if self._proposal is not None:
            for path in outline_paths(outlines_of(self._proposal, exact=self._exact)).values():
                self._proposal_path.addPath(path)

    def paint(self, painter: QPainter, ratio: float) -> None:
        """Draw what there is, x = col and y = row of the frame.

        Args:
            painter: With the frame's transform.
            ratio: Device pixels for a widget pixel.
        """
        if self.hidden:
            return
        if self.fill > 0:
            # The edge of a fill lies under its outline: smoothing it costs much and is not seen.
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setPen(Qt.PenStyle.NoPen)
            for label, path in self._fills.items():
                tint = QColor(self._colours[label])
                tint.setAlphaF(self.fill)
                painter.setBrush(tint)
                painter.drawPath(path)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for label in reversed(STRUCTURES):
            if label in self._paths and label is not self.without_outline:
                painter.setPen(screen_pen(QColor(self._colours[label]), self._outline_px, ratio))
                painter.drawPath(self._paths[label])
        if not self._proposal_path.isEmpty():
            painter.setPen(screen_pen(QColor(0, 0, 0, 160), 3.0, ratio))
            painter.drawPath(self._proposal_path)
            painter.setPen(screen_pen(image_colour("bright"), 1.8, ratio, [5, 4]))
            painter.drawPath(self._proposal_path)
