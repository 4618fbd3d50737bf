"""The frame view with pyqtgraph behind the same interface, in two kinds, for `frame_views.py`.

`PlainView` has what pyqtgraph offers: a ViewBox, an ImageItem for the frame, one with a lookup table for the fills, and
items for the outlines; a stroke draws only the box that it changed. `TunedView` adds what today's view does: frames are
saved scaled to the screen, and fills are paths; what is left of pyqtgraph is the scene and the ViewBox. Mouse, keys,
camera, tools, overlays and notes are today's in both; pyqtgraph's own mouse and menu are off.
"""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGraphicsItem, QWidget

from cmr_viewer.domain.anatomy import STRUCTURES
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.ui.frame.frame_view import Box, FrameView

pg.setConfigOptions(imageAxisOrder="row-major", antialias=True)

Draw = Callable[[QPainter], None]


class _Drawn(pg.GraphicsObject):
    """Draws what today's view draws with a painter, in its place in the scene."""

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self._draw, self._area = draw, QRectF(0, 0, 1, 1)

    def set_area(self, area: QRectF) -> None:
        if area != self._area:
            self.prepareGeometryChange()
            self._area = area

    def boundingRect(self) -> QRectF:
        return self._area

    def paint(self, painter: QPainter, *_: Any) -> None:
        painter.save()
        self._draw(painter)
        painter.restore()


class _Fills(pg.ImageItem):
    """A label map with its lookup table; pixels have sharp edges, and a part of it is drawn again alone."""

    def paint(self, painter: QPainter, *args: Any) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        super().paint(painter, *args)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)

    def refresh(self, labels: LabelMap, box: Box) -> None:
        row0, row1, col0, col1 = box
        self.image, self._renderRequired = labels, True
        QGraphicsItem.update(self, QRectF(col0, row0, col1 - col0, row1 - row0))


class PlainView(FrameView):
    """pyqtgraph's items for the frame and the fills."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scene_view = pg.GraphicsView(self, useOpenGL=False, background="k")
        self.scene_view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.scene_view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.scene_view.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        self.scene_view.lower()
        self.box = pg.ViewBox(enableMenu=False, invertY=True, defaultPadding=0.0, enableMouse=False)
        self.scene_view.setCentralItem(self.box)
        self._box_items: list[_Drawn] = []
        self._make_items()
        self._edges = _Drawn(self._draw_edges)
        self._edges.setZValue(50)
        self.scene_view.scene().addItem(self._edges)
        self.drawn_part = QRectF()
        self.scene_view.viewport().installEventFilter(self)

    def _make_items(self) -> None:
        self.grey = pg.ImageItem(axisOrder="row-major")
        self.fills = _Fills(axisOrder="row-major", levels=(0, 255))
        self._add(self.grey, 0)
        self._add(self.fills, 1)
        self._add_drawn(self._draw_outlines, 2)
        self._add_drawn(self._draw_overlays, 4)
        self._dress()

    def _add(self, item: QGraphicsItem, z: int) -> None:
        item.setZValue(z)
        self.box.addItem(item, ignoreBounds=True)

    def _add_drawn(self, draw: Draw, z: int) -> None:
        item = _Drawn(draw)
        self._box_items.append(item)
        self._add(item, z)

    # What is shown

    def show_frame(self, pixels: NDArray[Any], *args: Any, **kwargs: Any) -> None:
        super().show_frame(pixels, *args, **kwargs)
        self._place()
        same = self.grey.image is not None and self.grey.image.shape == pixels.shape
        self.grey.setImage(pixels, autoLevels=False, levels=self._levels())
        if not same:
            self.grey.setRect(QRectF(-0.5, -0.5, pixels.shape[1], pixels.shape[0]))

    def _levels(self) -> tuple[float, float]:
        centre, width = self.grey_window
        return centre - width / 2, centre + width / 2

    def show_labels(self, labels: LabelMap | None, key: Hashable = None) -> None:
        super().show_labels(labels, key)
        self._renew_labels()

    def refresh_labels(self, labels: LabelMap, box: Box, key: Hashable = None) -> None:
        if self.fills.image is None or self.fills.image.shape != labels.shape:
            self._renew_labels()
        self.fills.refresh(labels, box)
        super().refresh_labels(labels, box, key)

    def _renew_labels(self) -> None:
        labels, marks = self._marks.labels, self._marks
        self.fills.setVisible(labels is not None and not marks.hidden and marks.fill > 0)
        if labels is not None:
            same = self.fills.image is not None and self.fills.image.shape == labels.shape
            self.fills.setImage(labels, autoLevels=False)
            if not same:
                self.fills.setRect(QRectF(-0.5, -0.5, labels.shape[1], labels.shape[0]))

    def _draw_outlines(self, painter: QPainter) -> None:
        fill, self._marks.fill = self._marks.fill, 0.0
        self._marks.paint(painter, self.screen_ratio())
        self._marks.fill = fill

    def _dress(self) -> None:
        """Lookup table and pens, after a change of colours, fill or window."""
        table = np.zeros((256, 4), np.uint8)
        for label in STRUCTURES:
            tint = self._marks.colour_of(label)
            table[int(label)] = (tint.red(), tint.green(), tint.blue(), round(255 * self._marks.fill))
        self.fills.setLookupTable(table)
        if self._grey.pixels is not None:
            self.grey.setLevels(self._levels())
        self._renew_labels()

    def prepare(self, pixels: NDArray[Any], labels: LabelMap | None, key: Hashable) -> None:
        self._marks.prepare(labels, key)

    def clear(self) -> None:
        super().clear()
        self.grey.clear()
        self._renew_labels()

    def _look_again(self) -> None:
        self._place()
        self._dress()
        super()._look_again()

    def _place(self) -> None:
        """Let the ViewBox see what the camera sees."""
        if self._grey.pixels is None or self.width() < 2:
            return
        top, left = self.to_point(QPointF(0, 0))
        bottom, right = self.to_point(QPointF(self.width(), self.height()))
        area = QRectF(left, top, right - left, bottom - top)
        self.box.setRange(area, padding=0.0, disableAutoRange=True)
        for item in self._box_items:
            item.set_area(area)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.scene_view.setGeometry(self.rect())
        self._edges.set_area(QRectF(self.rect()))
        super().resizeEvent(event)
        self._place()

    # Drawing

    def update(self, *area: Any) -> None:
        self.scene_view.viewport().update(*area)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The scene draws all."""

    def _draw_overlays(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for overlay in self._overlays:
            painter.save()
            overlay(painter, self)
            painter.restore()
        self.tool.paint(painter, self)

    def _draw_edges(self, painter: QPainter) -> None:
        if self._grey.pixels is None:
            return
        self._paint_cursor(painter, self.screen_ratio())
        self._paint_edges(painter, self.drawn_part)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if isinstance(event, QPaintEvent):
            self.drawn_part = QRectF(event.rect())
        return False


class _KeptImage(pg.ImageItem):
    """An ImageItem that draws a frame kept scaled to the screen."""

    def __init__(self, view: "TunedView") -> None:
        super().__init__(axisOrder="row-major")
        self._view = view

    def paint(self, painter: QPainter, *_: Any) -> None:
        painter.save()
        painter.resetTransform()
        view = self._view
        view._grey.paint(painter, view.drawn_part, view.transform, view.size(), view.screen_ratio())
        painter.restore()


class TunedView(PlainView):
    """Today's layers in pyqtgraph's scene."""

    def _make_items(self) -> None:
        self.grey = _KeptImage(self)
        self._add(self.grey, 0)
        self._add_drawn(lambda painter: self._marks.paint(painter, self.screen_ratio()), 1)
        self._add_drawn(self._draw_overlays, 4)

    def _renew_labels(self) -> None:
        """Nothing: outlines and fills are drawn from the layer."""

    def _dress(self) -> None:
        """Nothing: the layer knows its colours."""

    def refresh_labels(self, labels: LabelMap, box: Box, key: Hashable = None) -> None:
        FrameView.refresh_labels(self, labels, box, key)

    def prepare(self, pixels: NDArray[Any], labels: LabelMap | None, key: Hashable) -> None:
        FrameView.prepare(self, pixels, labels, key)
