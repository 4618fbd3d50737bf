"""The frame in the middle: image, outlines, brush; the one place where the mouse's (x, y) becomes (row, col)."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.ui.drawing import grey_image, outline_paths, screen_pen
from cmr_viewer.ui.frame_notes import FrameNotes, paint_notes, paint_scale_bar
from cmr_viewer.ui.overlay import outlines_of
from cmr_viewer.ui.theme import STRUCTURE_COLOURS, colour

Point = tuple[float, float]
"""(row, col) of a frame; pixel centres are whole numbers."""

Box = tuple[int, int, int, int]
"""(row0, row1, col0, col1), ends excluded."""

_WHEEL_STEP = 120


@dataclass(frozen=True)
class Camera:
    """What part of the frame is seen.

    Attributes:
        centre: (row, col) in the middle of the widget.
        pixels_per_mm: Widget pixels for a millimetre, the same along rows and columns.
    """

    centre: Point
    pixels_per_mm: float


class FrameView(QWidget):
    """One frame with its outlines; tells what the mouse wants and changes nothing but what is seen.

    Signals:
        stroke_began(float, float, bool): (row, col) and whether the right button erases.
        stroke_moved(float, float): (row, col).
        stroke_ended(): The button was let go.
        slice_stepped(int): Wheel: +1 towards the apex.
        phase_stepped(int): Shift and wheel: +1 later.
        brush_stepped(int): Alt and wheel: +1 larger.
        window_dragged(float, float): Window centre and width, in the pixels' own unit.
        pointed(object): (row, col) under the pointer, or None.
        heart_toggled(): Double click without the brush.
    """

    stroke_began = Signal(float, float, bool)
    stroke_moved = Signal(float, float)
    stroke_ended = Signal()
    slice_stepped = Signal(int)
    phase_stepped = Signal(int)
    brush_stepped = Signal(int)
    window_dragged = Signal(float, float)
    pointed = Signal(object)
    heart_toggled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Frame")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._pixels: NDArray[Any] | None = None
        self._spacing_mm = (1.0, 1.0)
        self._spacing_known = False
        self._image = QImage()
        self._labels: LabelMap | None = None
        self._proposal: LabelMap | None = None
        self._paths: dict[Label, QPainterPath] = {}
        self._remembered: dict[Hashable, dict[Label, QPainterPath]] = {}
        self._proposal_path = QPainterPath()
        self._camera = Camera((0.0, 0.0), 1.0)
        self._fitted: QRectF | None = None
        self._window = (0.5, 1.0)
        self._notes = FrameNotes()
        self._covered = 0
        self._border = QColor(0, 0, 0, 0)
        self._colours = dict(STRUCTURE_COLOURS)
        self._outline_px = 1.8
        self._fill = 0.25
        self._hidden = False
        self._exact = False
        self._brush_on = False
        self._brush_radius = 4.0
        self._brush_colour = QColor("white")
        self._pointer: QPointF | None = None
        self._dragging: str = ""
        self._drag_from = QPointF()
        self._wheel = 0

    # What is shown

    def show_frame(self, pixels: NDArray[Any], spacing_mm: tuple[float, float], *, spacing_known: bool = True) -> None:
        """Show the pixels of a frame, without outlines.

        Args:
            pixels: (row, col), any real dtype.
            spacing_mm: (row, col) distance of pixel centres, > 0.
            spacing_known: False leaves the scale bar out.
        """
        first = self._pixels is None or self._pixels.shape != pixels.shape or self._spacing_mm != spacing_mm
        self._pixels, self._spacing_mm, self._spacing_known = pixels, spacing_mm, spacing_known
        self._make_image()
        self._labels, self._paths = None, {}
        if first:
            self.fit()
        self.update()

    def show_labels(self, labels: LabelMap | None, key: Hashable = None) -> None:
        """Outline a label map.

        Args:
            labels: (row, col), or None for none.
            key: What its outlines are remembered by until `forget_labels`; None to make them anew.
        """
        self._labels = labels
        if labels is None:
            self._paths = {}
        elif key is not None and key in self._remembered:
            self._paths = self._remembered[key]
        else:
            self._make_paths(key)
        self.update()

    def forget_labels(self, key: Hashable) -> None:
        """The label map of a key has changed."""
        self._remembered.pop(key, None)

    def show_proposal(self, labels: LabelMap | None) -> None:
        """Outline a second label map with dashes; None for none."""
        self._proposal = labels
        self._make_proposal_path()
        self.update()

    def refresh_labels(self, labels: LabelMap, box: Box, key: Hashable = None) -> None:
        """The label map on show was changed in a box: draw that part again.

        Args:
            labels: (row, col), the label map after the change.
            box: (row0, row1, col0, col1), ends excluded.
            key: As for `show_labels`.
        """
        self._labels = labels
        self._make_paths(key)
        row0, row1, col0, col1 = box
        corner, far = self.to_widget((row0 - 2.0, col0 - 2.0)), self.to_widget((row1 + 1.0, col1 + 1.0))
        self.update(QRectF(corner, far).toAlignedRect().adjusted(-4, -4, 4, 4))

    def clear(self) -> None:
        """Show nothing."""
        self._pixels, self._labels, self._proposal = None, None, None
        self._paths, self._proposal_path, self._image = {}, QPainterPath(), QImage()
        self._remembered.clear()
        self._notes, self._border = FrameNotes(), QColor(0, 0, 0, 0)
        self.update()

    def set_notes(self, notes: FrameNotes) -> None:
        """Set the texts in the corners."""
        if notes != self._notes:
            self._notes = notes
            self.update()

    def set_covered(self, height: int) -> None:
        """How much of the view's upper edge is covered by messages; the notes stand below."""
        if height != self._covered:
            self._covered = height
            self.update()

    def set_border(self, tint: str | None) -> None:
        """Colour of the edge around the frame; None for none."""
        self._border = QColor(tint) if tint else QColor(0, 0, 0, 0)
        self.update()

    def set_window(self, centre: float, width: float) -> None:
        """Window centre and width in the pixels' own unit; DICOM (0028,1050) and (0028,1051)."""
        self._window = (centre, max(width, 1e-6))
        self._make_image()
        self.update()

    @property
    def grey_window(self) -> tuple[float, float]:
        """Window centre and width."""
        return self._window

    def set_colours(self, colours: Mapping[Label, str], outline_px: float = 1.8) -> None:
        """Colours of the outlines, and their width on the screen."""
        self._colours = {**STRUCTURE_COLOURS, **colours}
        self._outline_px = outline_px
        self.update()

    def set_fill(self, opacity: float) -> None:
        """Opacity of the fills, 0.0 to 1.0."""
        self._fill = opacity
        self.update()

    def set_hidden(self, hidden: bool) -> None:
        """Hide outlines and fills."""
        self._hidden = hidden
        self.update()

    def set_exact(self, exact: bool) -> None:
        """Draw outlines along the edges of the pixels instead of smooth."""
        self._exact = exact
        self._remembered.clear()
        self._make_paths()
        self._make_proposal_path()
        self.update()

    def set_brush(self, on: bool, radius_px: float, tint: str) -> None:
        """Whether the brush is on, its radius in pixels of the frame, and the colour of its circle."""
        self._brush_on, self._brush_radius, self._brush_colour = on, radius_px, QColor(tint)
        self.setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)
        self.update()

    # Where things are

    @property
    def transform(self) -> QTransform:
        """From (x = col, y = row) of the frame to widget pixels."""
        scale = self._camera.pixels_per_mm
        across, down = scale * self._spacing_mm[1], scale * self._spacing_mm[0]
        row, col = self._camera.centre
        return QTransform(across, 0, 0, down, self.width() / 2 - col * across, self.height() / 2 - row * down)

    def to_point(self, position: QPointF) -> Point:
        """(row, col) under a position in the widget."""
        inverted, _ = self.transform.inverted()
        at = inverted.map(position)
        return at.y(), at.x()

    def to_widget(self, point: Point) -> QPointF:
        """Position in the widget of a (row, col)."""
        return self.transform.map(QPointF(point[1], point[0]))

    def fit(self, box: Box | None = None) -> None:
        """Show a box of the frame, or the whole frame, as large as the widget allows."""
        if self._pixels is None:
            return
        rows, cols = self._pixels.shape
        row0, row1, col0, col1 = box or (0, rows, 0, cols)
        self._fitted = QRectF(col0 - 0.5, row0 - 0.5, col1 - col0, row1 - row0)
        self._refit()

    @property
    def shows_whole_frame(self) -> bool:
        """Whether the camera was last fitted to the whole frame."""
        if self._pixels is None or self._fitted is None:
            return False
        return self._fitted.size().toSize() == QSize(self._pixels.shape[1], self._pixels.shape[0])

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom so that what lies under `around` (the middle of the widget) stays there."""
        fixed = around or QPointF(self.width() / 2, self.height() / 2)
        before = self.to_point(fixed)
        scale = min(max(self._camera.pixels_per_mm * factor, 0.2), 200.0)
        self._camera = replace(self._camera, pixels_per_mm=scale)
        after = self.to_point(fixed)
        row, col = self._camera.centre
        self._camera = replace(self._camera, centre=(row + before[0] - after[0], col + before[1] - after[1]))
        self._fitted = None
        self.update()

    @Slot()
    def zoom_in(self) -> None:
        """Zoom in a step."""
        self.zoom(1.25)

    @Slot()
    def zoom_out(self) -> None:
        """Zoom out a step."""
        self.zoom(0.8)

    def _refit(self) -> None:
        if self._fitted is None or self._fitted.isEmpty():
            return
        box = self._fitted
        height_mm, width_mm = box.height() * self._spacing_mm[0], box.width() * self._spacing_mm[1]
        scale = min(self.width() / width_mm, self.height() / height_mm)
        self._camera = Camera((box.center().y(), box.center().x()), max(scale, 0.05))
        self.update()

    # Making what is drawn

    def _make_image(self) -> None:
        if self._pixels is None:
            return
        self._image = grey_image(self._pixels, self._window)

    def _make_paths(self, key: Hashable = None) -> None:
        self._paths = {} if self._labels is None else outline_paths(outlines_of(self._labels, exact=self._exact))
        if key is not None:
            self._remembered[key] = self._paths

    def _make_proposal_path(self) -> None:
        self._proposal_path = QPainterPath()
        if self._proposal is not None:
            for path in outline_paths(outlines_of(self._proposal, exact=self._exact)).values():
                self._proposal_path.addPath(path)

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the part that changed."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), colour("black"))
        if self._image.isNull() or self._pixels is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setTransform(self.transform)
        rows, cols = self._pixels.shape
        painter.drawImage(QRectF(-0.5, -0.5, cols, rows), self._image)
        if not self._hidden:
            self._paint_labels(painter)
        if self._brush_on and self._pointer is not None and self._dragging in ("", "stroke"):
            self._paint_brush(painter)
        painter.resetTransform()
        area = QRectF(self.rect())
        paint_notes(painter, area.adjusted(0, self._covered, 0, 0), self._notes, self.font())
        if self._spacing_known:
            paint_scale_bar(painter, area, self._camera.pixels_per_mm, self.font())
        if self._border.alpha():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._border, 3))
            painter.drawRect(area.adjusted(1.5, 1.5, -1.5, -1.5))

    def _paint_labels(self, painter: QPainter) -> None:
        ratio = self.devicePixelRatioF()
        if self._fill > 0 and self._paths:
            painter.setPen(Qt.PenStyle.NoPen)
            for label in STRUCTURES:
                path = QPainterPath(self._paths[label])
                if label is Label.LVM:
                    path.addPath(self._paths[Label.LVBP])
                tint = QColor(self._colours[label])
                tint.setAlphaF(self._fill)
                painter.setBrush(tint)
                painter.drawPath(path)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for label in reversed(STRUCTURES):
            if label in self._paths:
                painter.setPen(screen_pen(QColor(self._colours[label]), self._outline_px, ratio))
                painter.drawPath(self._paths[label])
        if not self._proposal_path.isEmpty():
            painter.setPen(screen_pen(QColor(0, 0, 0, 160), 3.0, ratio))
            painter.drawPath(self._proposal_path)
            painter.setPen(screen_pen(colour("bright"), 1.8, ratio, [5, 4]))
            painter.drawPath(self._proposal_path)

    def _paint_brush(self, painter: QPainter) -> None:
        assert self._pointer is not None
        row, col = self.to_point(self._pointer)
        ratio = self.devicePixelRatioF()
        circle = QPainterPath()
        circle.addEllipse(QPointF(col, row), self._brush_radius, self._brush_radius)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(screen_pen(QColor(0, 0, 0, 150), 3.0, ratio))
        painter.drawPath(circle)
        painter.setPen(screen_pen(self._brush_colour, 1.5, ratio))
        painter.drawPath(circle)

    def _brush_rect(self) -> QRect:
        """Where the brush's circle is, in the widget."""
        if self._pointer is None:
            return QRect()
        scale = self._camera.pixels_per_mm * max(self._spacing_mm)
        reach = self._brush_radius * scale + 4
        at = self._pointer
        return QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach).toAlignedRect()

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a stroke, a move or a change of window and level."""
        if self._pixels is None or self._dragging:
            return
        button, held = event.button(), event.modifiers()
        self._drag_from = event.position()
        right = button == Qt.MouseButton.RightButton
        left = button == Qt.MouseButton.LeftButton
        if button == Qt.MouseButton.MiddleButton or (left and not self._brush_on):
            self._dragging = "move"
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif right and (not self._brush_on or held & Qt.KeyboardModifier.ControlModifier):
            self._dragging = "window"
        elif left or right:
            self._dragging = "stroke"
            self._pointer = event.position()
            row, col = self.to_point(event.position())
            self.stroke_began.emit(row, col, right)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with what the button began."""
        before = self._brush_rect()
        self._pointer = event.position()
        if self._brush_on:
            self.update(before.united(self._brush_rect()))
        point = self.to_point(event.position())
        moved = event.position() - self._drag_from
        if self._dragging == "stroke":
            self.stroke_moved.emit(*point)
        elif self._dragging == "move":
            self._pan(moved)
            self._drag_from = event.position()
        elif self._dragging == "window":
            self._drag_window(moved)
            self._drag_from = event.position()
        self.pointed.emit(point)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End what the button began."""
        if self._dragging == "stroke":
            self.stroke_ended.emit()
        self._dragging = ""
        self.setCursor(Qt.CursorShape.CrossCursor if self._brush_on else Qt.CursorShape.ArrowCursor)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Zoom to the heart and back; with the brush it is another press."""
        if self._brush_on or event.button() != Qt.MouseButton.LeftButton:
            self.mousePressEvent(event)
        else:
            self.heart_toggled.emit()

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer left: no circle."""
        self._pointer = None
        self.pointed.emit(None)
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Slice; with Shift phase, with Ctrl zoom, with Alt brush size."""
        turn = event.angleDelta().y() or event.angleDelta().x()
        held = event.modifiers()
        event.accept()
        if held & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.2 ** (turn / _WHEEL_STEP), event.position())
            return
        self._wheel += turn
        steps = int(self._wheel / _WHEEL_STEP)
        if steps == 0:
            return
        self._wheel -= steps * _WHEEL_STEP
        if held & Qt.KeyboardModifier.ShiftModifier:
            self.phase_stepped.emit(-steps)
        elif held & Qt.KeyboardModifier.AltModifier:
            self.brush_stepped.emit(steps)
        else:
            self.slice_stepped.emit(-steps)

    def event(self, event: QEvent) -> bool:
        """Pinch on a trackpad zooms."""
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self.zoom(1.0 + event.value(), event.position())
            return True
        return bool(super().event(event))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep what was fitted fitted."""
        self._refit()

    def sizeHint(self) -> QSize:
        """As large as there is room for."""
        return QSize(640, 560)

    def minimumSizeHint(self) -> QSize:
        """Small enough for a laptop."""
        return QSize(280, 220)

    def _pan(self, moved: QPointF) -> None:
        scale = self._camera.pixels_per_mm
        row, col = self._camera.centre
        centre = (row - moved.y() / (scale * self._spacing_mm[0]), col - moved.x() / (scale * self._spacing_mm[1]))
        self._camera = replace(self._camera, centre=centre)
        self._fitted = None
        self.update()

    def _drag_window(self, moved: QPointF) -> None:
        centre, width = self._window
        speed = max(width, 1e-6) / 300.0
        self.set_window(centre + moved.y() * speed, max(width + moved.x() * speed, 1e-3))
        self.window_dragged.emit(*self._window)
