"""The frame in the middle: image, outlines, notes, and what tools and others draw over them."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent, QTransform
from PySide6.QtWidgets import QSizePolicy, QWidget

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Point
from cmr_viewer.ui.frame.camera import Camera, camera_on
from cmr_viewer.ui.frame.drawing import screen_pen
from cmr_viewer.ui.frame.frame_layers import GreyLayer, LabelLayer
from cmr_viewer.ui.frame.frame_notes import FrameNotes, paint_notes, paint_scale_bar
from cmr_viewer.ui.frame.mouse_tools import BRUSH, MOVE, Canvas, widget_area
from cmr_viewer.ui.frame.pointer_input import PointerInput
from cmr_viewer.ui.window.theme import image_colour

Box = tuple[int, int, int, int]
"""(row0, row1, col0, col1), ends excluded."""

Overlay = Callable[[QPainter, Canvas], None]
"""Draws something over the frame, x = col and y = row; `drawing.screen_pen` makes lines as wide at every zoom."""

_NOTES_ABOVE_PX, _NOTES_BELOW_PX = 80, 120
_CROSS_PX = 9.0


class FrameView(PointerInput):
    """One frame with its outlines; tells what the mouse wants and changes nothing but what is seen.

    Signals:
        window_dragged(float, float): Window centre and width, in the pixels' own unit.
        camera_moved(object Camera): The reader zoomed or moved the frame; for views that go along.
        look_changed(): Anything of what `look_like` takes over is another.
    """

    window_dragged = Signal(float, float)
    camera_moved = Signal(object)
    look_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Frame")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._grey, self._marks = GreyLayer(), LabelLayer()
        self._spacing_mm = (1.0, 1.0)
        self._spacing_known = False
        self._camera = Camera((0.0, 0.0), 1.0)
        self._fitted: QRectF | None = None
        self._notes = FrameNotes()
        self._covered = 0
        self._border = QColor(0, 0, 0, 0)
        self._overlays: list[Overlay] = []
        self._cursor_point: Point | None = None

    # What is shown

    def show_frame(
        self,
        pixels: NDArray[Any],
        spacing_mm: tuple[float, float],
        *,
        spacing_known: bool = True,
        key: Hashable = None,
    ) -> None:
        """Show another frame; the camera stays where it is, unless the frame has another size.

        Args:
            pixels: (row, col), any real dtype.
            spacing_mm: (row, col) distance of pixel centres.
            spacing_known: Whether there is a scale to draw.
            key: What the frame is known by, as long as no other study is shown: under the same key come the same
                pixels. None for a frame that is not kept for the next time.
        """
        before = None if self._grey.pixels is None else (*self._grey.pixels.shape, *self._spacing_mm)
        self._grey.show(pixels, key)
        self._spacing_mm, self._spacing_known = spacing_mm, spacing_known
        if before != (*pixels.shape, *spacing_mm):
            self.fit()
        self.update()

    def show_labels(self, labels: LabelMap | None, key: Hashable = None) -> None:
        """Draw the outlines of a label map.

        Args:
            labels: (row, col), or None for none.
            key: Under which its outlines are remembered until `forget_labels`; None for not at all.
        """
        self._marks.show(labels, key)
        self.update()

    def prepare(self, pixels: NDArray[Any], labels: LabelMap | None, key: Hashable) -> None:
        """Get a frame ready that will be shown soon, as it would be drawn now; arguments as for the methods above."""
        self._grey.prepare(pixels, key, self.transform, self.size(), self.screen_ratio())
        self._marks.prepare(labels, key)

    @property
    def room(self) -> int:
        """How many frames are kept ready to be shown."""
        return self._grey.room(self.size(), self.screen_ratio())

    def forget_labels(self, key: Hashable) -> None:
        """The label map of a key has changed."""
        self._marks.forget(key)

    def show_proposal(self, labels: LabelMap | None) -> None:
        """Outline a second label map with dashes; None for none."""
        if self._marks.propose(labels):
            self.update()

    @property
    def shows_proposal(self) -> bool:
        """Whether a second label map is outlined."""
        return self._marks.shows_proposal

    def refresh_labels(self, labels: LabelMap, box: Box, key: Hashable = None) -> None:
        """The displayed label map was changed in a box: draw that part again.

        Args:
            labels: (row, col), the label map after the change.
            box: (row0, row1, col0, col1), ends excluded.
            key: As for `show_labels`.
        """
        self._marks.refresh(labels, key)
        row0, row1, col0, col1 = box
        self.redraw(QRectF(col0 - 2.0, row0 - 2.0, col1 - col0 + 3.0, row1 - row0 + 3.0))

    def clear(self) -> None:
        """Show nothing, and forget what was shown."""
        self._grey.forget()
        self._marks.forget_all()
        self._notes, self._border, self._cursor_point = FrameNotes(), QColor(0, 0, 0, 0), None
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
        border = QColor(tint) if tint else QColor(0, 0, 0, 0)
        if border != self._border:
            self._border = border
            self.update()

    def set_window(self, centre: float, width: float) -> None:
        """Window centre and width in the pixels' own unit; DICOM (0028,1050) and (0028,1051)."""
        self._grey.set_window(centre, max(width, 1e-6))
        self._look_again()

    @property
    def grey_window(self) -> tuple[float, float]:
        """Window centre and width."""
        return self._grey.window

    def set_colours(self, colours: Mapping[Label, str], outline_px: float = 1.8) -> None:
        """Colours of the outlines, and their width on the screen."""
        self._marks.set_colours(colours, outline_px)
        self._look_again()

    def colour_of(self, label: Label) -> QColor:
        """Colour of the outline of a label."""
        return self._marks.colour_of(label)

    def show_without_outline(self, label: Label | None) -> None:
        """Leave the outline of a label to a tool that draws it; None to draw all."""
        if self._marks.without_outline is not label:
            self._marks.without_outline = label
            self.update()

    def set_fill(self, opacity: float) -> None:
        """Opacity of the fills, 0.0 to 1.0."""
        self._marks.fill = opacity
        self._look_again()

    def set_hidden(self, hidden: bool) -> None:
        """Hide outlines and fills."""
        self._marks.hidden = hidden
        self._look_again()

    def set_exact(self, exact: bool) -> None:
        """Draw outlines along the edges of the pixels instead of smooth."""
        self._marks.set_exact(exact)
        self._look_again()

    @property
    def hides_labels(self) -> bool:
        """Whether outlines and fills are hidden."""
        return self._marks.hidden

    def look_like(self, other: "FrameView") -> None:
        """Take over another view's camera, grey window, colours, fill and kind of outlines."""
        self._camera, self._fitted = other.camera, None
        self._grey.set_window(*other.grey_window)
        self._marks.look_like(other._marks)
        self._look_again()

    def _look_again(self) -> None:
        self.update()
        self.look_changed.emit()

    def set_brush(self, on: bool, radius_px: float, tint: str) -> None:
        """Whether the brush is held, its radius in pixels of the frame, and the colour of its circle."""
        self.brush.set_look(radius_px, tint)
        if on:
            self.hold(BRUSH)
        elif self.tool.name == BRUSH:
            self.hold(MOVE)
        self.update()

    def add_overlay(self, overlay: Overlay) -> None:
        """Let something be drawn over the frame from now on, above the outlines and below the tool."""
        self._overlays.append(overlay)
        self.update()

    def remove_overlay(self, overlay: Overlay) -> None:
        """Draw it no longer."""
        self._overlays.remove(overlay)
        self.update()

    def show_cursor(self, point: Point | None) -> None:
        """Mark the (row, col) at which the pointer is in another view; None for none."""
        if point == self._cursor_point:
            return
        for place in (self._cursor_point, point):
            if place is not None:
                at = self.to_widget(place)
                reach = _CROSS_PX + 3
                self.update(QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach).toAlignedRect())
        self._cursor_point = point

    # Where things are

    @property
    def has_frame(self) -> bool:
        """Whether a frame is displayed."""
        return self._grey.pixels is not None

    @property
    def transform(self) -> QTransform:
        """From (x = col, y = row) of the frame to widget pixels."""
        return self._camera.transform(self.size(), self._spacing_mm)

    def to_point(self, position: QPointF) -> Point:
        """(row, col) under a position in the widget."""
        inverted, _ = self.transform.inverted()
        at = inverted.map(position)
        return at.y(), at.x()

    def to_widget(self, point: Point) -> QPointF:
        """Position in the widget of a (row, col)."""
        return self.transform.map(QPointF(point[1], point[0]))

    @property
    def camera(self) -> Camera:
        """What part of the frame is seen."""
        return self._camera

    def set_camera(self, camera: Camera) -> None:
        """See the part of the frame that another view shows."""
        if camera != self._camera:
            self._camera, self._fitted = camera, None
            self._look_again()

    def fit(self, box: Box | None = None) -> None:
        """Show a box of the frame, or the whole frame, as large as the widget allows."""
        if self._grey.pixels is None:
            return
        rows, cols = self._grey.pixels.shape
        row0, row1, col0, col1 = box or (0, rows, 0, cols)
        self._fitted = QRectF(col0 - 0.5, row0 - 0.5, col1 - col0, row1 - row0)
        self._refit()

    @property
    def shows_whole_frame(self) -> bool:
        """Whether the camera was last fitted to the whole frame."""
        if self._grey.pixels is None or self._fitted is None:
            return False
        return self._fitted.size().toSize() == QSize(self._grey.pixels.shape[1], self._grey.pixels.shape[0])

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom so that what lies under `around` (the middle of the widget) stays there."""
        fixed = around or QPointF(self.width() / 2, self.height() / 2)
        self._look(self._camera.zoomed(factor, self.to_point(fixed)))

    @Slot()
    def zoom_in(self) -> None:
        """Zoom in a step."""
        self.zoom(1.25)

    @Slot()
    def zoom_out(self) -> None:
        """Zoom out a step."""
        self.zoom(0.8)

    def move_by(self, moved: QPointF) -> None:
        """Move the frame by widget pixels."""
        self._look(self._camera.moved(moved, self._spacing_mm))

    def window_by(self, moved: QPointF) -> None:
        """Change window and level by how far the pointer was dragged, in widget pixels."""
        centre, width = self._grey.window
        speed = max(width, 1e-6) / 300.0
        self.set_window(centre + moved.y() * speed, max(width + moved.x() * speed, 1e-3))
        self.window_dragged.emit(*self._grey.window)

    def _look(self, camera: Camera) -> None:
        self.set_camera(camera)
        self.camera_moved.emit(camera)

    def _refit(self) -> None:
        if self._fitted is None or self._fitted.isEmpty():
            return
        self._camera = camera_on(self._fitted, self.size(), self._spacing_mm)
        self._look_again()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep what was fitted fitted."""
        self._refit()

    def sizeHint(self) -> QSize:
        """As large as there is room for."""
        return QSize(640, 560)

    def minimumSizeHint(self) -> QSize:
        """Small enough for a laptop."""
        return QSize(280, 220)

    # Drawing

    def redraw(self, area: QRectF | None = None) -> None:
        """Draw a part of the frame again, x = col and y = row; None for all of it."""
        if area is None:
            self.update()
        else:
            self.update(widget_area(area, self))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the part that changed."""
        painter = QPainter(self)
        if self._grey.pixels is None:
            painter.fillRect(event.rect(), image_colour("black"))
            return
        transform, ratio = self.transform, self.screen_ratio()
        self._grey.paint(painter, QRectF(event.rect()), transform, self.size(), ratio)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setTransform(transform)
        self._marks.paint(painter, ratio)
        for overlay in self._overlays:
            painter.save()
            overlay(painter, self)
            painter.restore()
        self.tool.paint(painter, self)
        painter.resetTransform()
        self._paint_cursor(painter, ratio)
        self._paint_edges(painter, QRectF(event.rect()))

    def _paint_cursor(self, painter: QPainter, ratio: float) -> None:
        if self._cursor_point is None:
            return
        at = self.to_widget(self._cursor_point)
        for tint, width in ((QColor(0, 0, 0, 170), 3.0), (image_colour("bright"), 1.2)):
            painter.setPen(screen_pen(tint, width, ratio))
            painter.drawLine(at - QPointF(_CROSS_PX, 0), at + QPointF(_CROSS_PX, 0))
            painter.drawLine(at - QPointF(0, _CROSS_PX), at + QPointF(0, _CROSS_PX))

    def _paint_edges(self, painter: QPainter, changed: QRectF) -> None:
        """Notes, scale and border, which stand at the edges of the view: only where one of those is drawn again."""
        area = QRectF(self.rect())
        below = area.adjusted(0, self._covered, 0, 0)
        middle = below.adjusted(3, _NOTES_ABOVE_PX, -3, -_NOTES_BELOW_PX)
        if middle.contains(changed):
            return
        paint_notes(painter, below, self._notes, self.font())
        if self._spacing_known:
            paint_scale_bar(painter, area, self._camera.pixels_per_mm, self.font())
        if self._border.alpha():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._border, 3))
            painter.drawRect(area.adjusted(1.5, 1.5, -1.5, -1.5))
