"""Contour mode: the endocardium, the epicardium or the RV as a closed line that is dragged, pulled and drawn anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPainterPath, QPolygonF

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import Point
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.frame_contours import Contours
from cmr_viewer.review.spline import (
    FEWEST_KNOTS,
    Contour,
    Line,
    contour_drawn,
    contour_through,
    knot_added,
    knot_moved,
    knot_removed,
    nearest_point,
    pulled,
    redrawn,
    spaced,
)
from cmr_viewer.ui.frame.drawing import screen_pen
from cmr_viewer.ui.frame.mouse_tools import CONTOUR, Canvas, MouseTool, Pointer

CONTOUR_TEXTS: dict[Label, str] = {
    Label.LVBP: "LV endocardium",
    Label.LVM: "LV epicardium",
    Label.RVBP: "RV endocardium",
}
"""What the contour that bounds a label is called."""

_KNOT_REACH, _LINE_REACH, _CLICK_REACH = 9.0, 8.0, 4.0
_FAVOUR = 4.0
"""So many pixels nearer counts the line of the chosen structure, and so much farther it is within reach."""
_KNOT_SIZE = 4.0
_FEWEST_STROKE = 4


@dataclass(frozen=True)
class Hit:
    """What the pointer is at.

    Attributes:
        contour: Place in the contours of the structure.
        point: Nearest point of its line.
        knot: Place of the knot, or None where it is at the line between knots.
        label: The structure whose contour it is, by the label that it bounds from outside.
    """

    contour: int
    point: int
    knot: int | None
    label: Label


@dataclass
class Drag:
    """What a drag has begun with, and made so far.

    Attributes:
        hit: Where it began; None for a stroke beside the line.
        pressed: Position in the widget.
        before: The contour it began with; None for a new one.
        after: What it is now.
        stroke: (row, col) of each point of a stroke.
        new: Whether the stroke draws a new contour.
    """

    hit: Hit | None
    pressed: QPointF
    before: Contour | None
    after: Contour | None = None
    stroke: list[Point] = field(default_factory=list)
    new: bool = False


class ContourTool(MouseTool):
    """Edits the contours of one structure at a time; what an edit does to the label map is not its business.

    A press at the contour of another structure takes hold of that, and makes it the one that is edited.

    A press at a knot drags it; at the line, pulls the line; elsewhere, draws a stroke that replaces the part between
    its ends. Where the structure has no contour, or with Shift, clicks or a stroke draw a new one: it is closed by a
    click at its first point, a double click or Return. Ctrl and a click, or a double click at the line, add a knot; the
    right button removes one.

    Signals:
        grabbed(object): A press took hold of the contour of another structure, whose `Label` this is; `show` is called
            with it before the press goes on.
        begun(): A drag has begun that may edit.
        previewed(object Contour or None, object Contour): A contour as it was, and as it would be now.
        edited(object Contour or None, object Contour, str): A contour as it was, as it is from now on, and what was
            done, in words.
        ended(): The drag is over, and what was previewed holds no longer; after `edited`, if anything was edited.
        refused(str): Why something cannot be done, for the reader.
    """

    name = CONTOUR
    cursor = Qt.CursorShape.CrossCursor
    grabbed = Signal(object)
    begun = Signal()
    previewed = Signal(object, object)
    edited = Signal(object, object, str)
    ended = Signal()
    refused = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.label = Label.LVBP
        self.reach_px = 12.0
        self._contours: Mapping[Label, Contours] = {}
        self._tint = QColor("white")
        self._hit: Hit | None = None
        self._drag: Drag | None = None
        self._clicked: list[Point] = []
        self._at: Point | None = None

    # What is shown

    @property
    def contours(self) -> Contours:
        """The contours of the structure that is edited."""
        return self._contours.get(self.label, ())

    @property
    def is_drawing(self) -> bool:
        """Whether a drag is on, or a contour is begun with clicks."""
        return self._drag is not None or bool(self._clicked)

    def show(self, contours: Mapping[Label, Contours], label: Label, tint: QColor) -> None:
        """Take the contours of a frame, and the structure to edit, by the label that it bounds from outside.

        What was begun is dropped if the structure is another.
        """
        if label is not self.label:
            self.drop()
        self._contours, self.label, self._tint = contours, label, tint
        self._hit = None

    def drop(self) -> None:
        """Drop what was begun."""
        self._clicked.clear()
        self.drop_drag()

    def drop_drag(self) -> None:
        """Drop a drag, such as one whose label map is another now; clicks stay."""
        if self._drag is not None:
            self._drag = None
            self.ended.emit()

    # Mouse

    def press(self, pointer: Pointer, canvas: Canvas) -> bool:
        """Begin what the place asks for."""
        hit = self._take_hold(pointer, canvas)
        if pointer.right:
            if hit is None or hit.knot is None:
                return False
            self._remove_knot(hit)
            canvas.redraw()
            return True
        drawing_new = bool(self._clicked) or not self.contours or pointer.holds(Qt.KeyboardModifier.ShiftModifier)
        if not drawing_new and hit is not None and pointer.holds(Qt.KeyboardModifier.ControlModifier):
            self._add_knot(hit)
            canvas.redraw()
            return True
        before = None if hit is None or drawing_new else self.contours[hit.contour]
        self._drag = Drag(None if drawing_new else hit, pointer.position, before, new=drawing_new)
        self._drag.stroke.append(pointer.point)
        self.begun.emit()
        return True

    def drag(self, pointer: Pointer, canvas: Canvas) -> None:
        """Go on with it."""
        drag = self._drag
        self._at = pointer.point
        if drag is None:
            return
        if drag.hit is None or drag.before is None:
            drag.stroke.append(pointer.point)
            canvas.redraw(_around(np.asarray(drag.stroke[-2:])))
            return
        old = drag.after or drag.before
        if drag.hit.knot is not None:
            drag.after = knot_moved(drag.before, drag.hit.knot, pointer.point)
        else:
            grabbed = drag.stroke[0]
            row, col = drag.before.points[drag.hit.point]
            to = (row + pointer.point[0] - grabbed[0], col + pointer.point[1] - grabbed[1])
            drag.after = pulled(drag.before, drag.hit.point, to, self.reach_px)
        canvas.redraw(_around(old.points).united(_around(drag.after.points)))
        self.previewed.emit(drag.before, drag.after)

    def release(self, pointer: Pointer, canvas: Canvas) -> None:
        """The edit is done."""
        drag, self._drag = self._drag, None
        if drag is None:
            return
        if drag.hit is None:
            self._end_stroke(drag, pointer, canvas)
        elif drag.before is not None and drag.after is not None:
            how = "move" if drag.hit.knot is not None else "pull"
            self.edited.emit(drag.before, spaced(drag.after), f"{how} {CONTOUR_TEXTS[self.label]}")
        self.ended.emit()
        canvas.redraw()

    def hover(self, pointer: Pointer, canvas: Canvas) -> None:
        """Light up what a press would take hold of."""
        self._at = pointer.point
        hit = None if self._clicked else self._hit_at(pointer, canvas)
        if hit != self._hit or self._clicked:
            self._hit = hit
            canvas.redraw()

    def leave(self, canvas: Canvas) -> None:
        """Nothing is lit up."""
        self._hit, self._at = None, None
        canvas.redraw()

    def let_go(self, canvas: Canvas) -> None:
        """Drop what was begun."""
        self.drop()
        self._hit = None

    def double_click(self, pointer: Pointer, canvas: Canvas) -> bool:
        """Close a new contour, or add a knot at the line."""
        hit = self._take_hold(pointer, canvas)
        if self._clicked and not pointer.right:
            self._close(canvas)
            return True
        if hit is not None and hit.knot is None and not pointer.right:
            self._add_knot(hit)
            canvas.redraw()
            return True
        return self.press(pointer, canvas)

    def wants_key(self, event: QKeyEvent) -> bool:
        """Esc while something is begun; Return and Backspace while a contour is drawn with clicks."""
        keys = {Qt.Key.Key_Escape: self.is_drawing}
        for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Backspace):
            keys[key] = bool(self._clicked)
        return keys.get(Qt.Key(event.key()), False)

    def key(self, event: QKeyEvent, canvas: Canvas) -> None:
        """Esc drops what is begun, Backspace the last click, Return closes."""
        if event.key() == Qt.Key.Key_Escape:
            self.drop()
        elif event.key() == Qt.Key.Key_Backspace:
            self._clicked.pop()
        else:
            self._close(canvas)
        canvas.redraw()

    # Edits

    def _end_stroke(self, drag: Drag, pointer: Pointer, canvas: Canvas) -> None:
        moved = pointer.position - drag.pressed
        still = abs(moved.x()) + abs(moved.y()) <= _CLICK_REACH and len(drag.stroke) <= _FEWEST_STROKE
        try:
            if drag.new and (still or self._clicked):
                self._click([drag.stroke[0]] if still else drag.stroke, pointer, canvas)
            elif drag.new:
                after = contour_drawn(np.asarray(drag.stroke))
                self._replace(after)
            elif not still:
                stroke = np.asarray(drag.stroke)
                before = min(self.contours, key=lambda one: _distance(one, drag.stroke[0], drag.stroke[-1]))
                text = f"redraw part of {CONTOUR_TEXTS[self.label]}"
                self.edited.emit(before, redrawn(before, stroke), text)
        except LabelMapError as error:
            self.refused.emit(str(error))

    def _click(self, points: list[Point], pointer: Pointer, canvas: Canvas) -> None:
        if len(self._clicked) >= FEWEST_KNOTS:
            away = canvas.to_widget(self._clicked[0]) - pointer.position
            if abs(away.x()) + abs(away.y()) <= _KNOT_REACH:
                self._close(canvas)
                return
        step = max(1, len(points) // 8)
        self._clicked += points[::step]

    def _close(self, canvas: Canvas) -> None:
        clicked, self._clicked = self._clicked, []
        try:
            self._replace(contour_through(np.asarray(clicked)))
        except LabelMapError as error:
            self.refused.emit(str(error))
        canvas.redraw()

    def _replace(self, after: Contour) -> None:
        """A new contour takes the place of the largest of the structure, if it has one."""
        before = self.contours[0] if self.contours else None
        self.edited.emit(before, after, f"draw {CONTOUR_TEXTS[self.label]}")

    def _add_knot(self, hit: Hit) -> None:
        if hit.knot is None:
            self._put(hit.contour, knot_added(self.contours[hit.contour], hit.point))

    def _remove_knot(self, hit: Hit) -> None:
        assert hit.knot is not None
        before = self.contours[hit.contour]
        try:
            after = knot_removed(before, hit.knot)
        except LabelMapError as error:
            self.refused.emit(str(error))
            return
        self.edited.emit(before, after, f"remove a knot of {CONTOUR_TEXTS[self.label]}")
        self._hit = None

    def _put(self, place: int, contour: Contour) -> None:
        changed = tuple(contour if place == each else one for each, one in enumerate(self.contours))
        self._contours = {**self._contours, self.label: changed}

    def _take_hold(self, pointer: Pointer, canvas: Canvas) -> Hit | None:
        """What a press is at; where that is another structure, it is the one that is edited from now on."""
        hit = self._hit_at(pointer, canvas)
        if hit is not None and hit.label is not self.label:
            self.grabbed.emit(hit.label)
            return hit if hit.label is self.label else None
        return hit

    def _hit_at(self, pointer: Pointer, canvas: Canvas) -> Hit | None:
        """The knot or line under the pointer, of the structure whose line is nearest; a knot goes before its line.

        Where a new contour is drawn, by Shift or with clicks, others are not in its way.
        """
        draws_new = bool(self._clicked) or pointer.holds(Qt.KeyboardModifier.ShiftModifier)
        hits = [
            found
            for label in ((self.label,) if draws_new else (self.label, *self._contours.keys() - {self.label}))
            if (found := self._hit_of(label, pointer, canvas)) is not None
        ]
        return min(hits, key=lambda one: one[0])[1] if hits else None

    def _hit_of(self, label: Label, pointer: Pointer, canvas: Canvas) -> tuple[float, Hit] | None:
        """How far a line of a structure is from the pointer, and what of it is there; the chosen one is favoured."""
        best: tuple[float, Hit] | None = None
        for place, contour in enumerate(self._contours.get(label, ())):
            point, _ = nearest_point(contour, pointer.point)
            away = _away(canvas, contour.points[point], pointer)
            knots = [(_away(canvas, contour.points[k], pointer), n) for n, k in enumerate(contour.knots.tolist())]
            nearest, number = min(knots, default=(_KNOT_REACH + 1.0, -1))
            short = 0.0 if label is self.label else _FAVOUR
            if nearest <= _KNOT_REACH - short:
                found = Hit(place, int(contour.knots[number]), number, label)
            elif away <= _LINE_REACH - short:
                found = Hit(place, point, None, label)
            else:
                continue
            away += short
            if best is None or away < best[0]:
                best = away, found
        return best

    # Drawing

    def paint(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw the lines of the structure with their knots, what is lit up, and what is being drawn."""
        ratio = canvas.screen_ratio()
        drag = self._drag
        for place, contour in enumerate(self.contours):
            shown = contour
            if drag is not None and drag.after is not None and drag.hit is not None and drag.hit.contour == place:
                shown = drag.after
                painter.setPen(screen_pen(QColor(255, 255, 255, 130), 1.0, ratio))
                painter.drawPath(_path(contour.points, closed=True))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(screen_pen(QColor(0, 0, 0, 130), 3.6, ratio))
            path = _path(shown.points, closed=True)
            painter.drawPath(path)
            painter.setPen(screen_pen(self._tint, 2.0, ratio))
            painter.drawPath(path)
            self._paint_hold(painter, self.label, place, shown, ratio)
            self._paint_knots(painter, canvas, place, shown)
        hit = self._hit
        if drag is None and hit is not None and hit.label is not self.label:
            other = self._contours[hit.label][hit.contour]
            self._paint_hold(painter, hit.label, hit.contour, other, ratio)
            if hit.knot is not None:
                point = other.knot_points[hit.knot].tolist()
                self._dot(painter, canvas, (point[0], point[1]), lit=True)
        open_line = [*self._clicked, self._at] if self._clicked and self._at is not None else []
        if drag is not None and drag.hit is None:
            open_line = [*self._clicked, *drag.stroke]
        if len(open_line) > 1:
            for tint, width in ((QColor(0, 0, 0, 150), 3.6), (self._tint.lighter(140), 2.0)):
                painter.setPen(screen_pen(tint, width, ratio))
                painter.drawPath(_path(np.asarray(open_line), closed=False))
        for point in self._clicked:
            self._dot(painter, canvas, point, lit=point == self._clicked[0] and len(self._clicked) >= FEWEST_KNOTS)

    def _paint_hold(self, painter: QPainter, label: Label, place: int, contour: Contour, ratio: float) -> None:
        """The part of the line that a pull would take along."""
        hit = self._hit if self._drag is None else self._drag.hit
        if hit is None or (hit.label, hit.contour) != (label, place) or hit.knot is not None:
            return
        steps = np.hypot(*(np.roll(contour.points, -1, axis=0) - contour.points).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        apart = np.abs(along[:-1] - along[hit.point])
        near = np.minimum(apart, along[-1] - apart) <= self.reach_px / 2
        order = np.roll(np.arange(len(near)), -hit.point + len(near) // 2)
        painter.setPen(screen_pen(QColor("white"), 2.0, ratio))
        painter.drawPath(_path(contour.points[order[near[order]]], closed=False))

    def _paint_knots(self, painter: QPainter, canvas: Canvas, place: int, contour: Contour) -> None:
        hit = self._hit if self._drag is None else self._drag.hit
        for number, point in enumerate(contour.knot_points.tolist()):
            lit = hit is not None and (hit.label, hit.contour, hit.knot) == (self.label, place, number)
            self._dot(painter, canvas, (point[0], point[1]), lit=lit)

    def _dot(self, painter: QPainter, canvas: Canvas, point: Point, *, lit: bool) -> None:
        painter.save()
        painter.resetTransform()
        size = _KNOT_SIZE + (1.5 if lit else 0.0)
        painter.setPen(screen_pen(QColor(0, 0, 0, 200) if lit else QColor("white"), 1.4, canvas.screen_ratio()))
        painter.setBrush(QColor("white") if lit else self._tint)
        painter.drawEllipse(canvas.to_widget(point), size, size)
        painter.restore()


def _path(line: Line, *, closed: bool) -> QPainterPath:
    """A line as a path; of a closed one each third point, a pixel and a half apart, which looks the same."""
    path = QPainterPath()
    line = line[::3] if closed and len(line) > 60 else line
    path.addPolygon(QPolygonF([QPointF(col, row) for row, col in line.tolist()]))
    if closed:
        path.closeSubpath()
    return path


def _around(line: Line) -> QRectF:
    """The box of a line, with room for knots."""
    low, high = line.min(axis=0) - 3.0, line.max(axis=0) + 3.0
    return QRectF(low[1], low[0], high[1] - low[1], high[0] - low[0])


def _away(canvas: Canvas, point: Line, pointer: Pointer) -> float:
    """How far a (row, col) is from the pointer, in widget pixels."""
    there = canvas.to_widget((float(point[0]), float(point[1]))) - pointer.position
    return float(np.hypot(there.x(), there.y()))


def _distance(contour: Contour, *points: Point) -> float:
    return sum(nearest_point(contour, point)[1] for point in points)
