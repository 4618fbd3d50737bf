"""The wall of the left ventricle as a bull's-eye of 16 segments."""

import math
from collections.abc import Mapping
from enum import Enum

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QButtonGroup, QSizePolicy, QToolButton, QWidget

from cmr_viewer.export.report.bulls_eye import (
    CENTRE_RADIUS,
    SECTORS,
    THICKENING,
    THICKNESS,
    Scale,
    Sector,
    ink_on,
    segment_at,
)
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import DASH, action_button, column, label, row

_TURN_FROM, _TURN_TO = 0.98, 1.2
"""Radii of the rim that can be dragged."""

INSERTIONS = (("anterior", 120.0), ("inferior", 240.0))
"""Where the RV insertion points are in the bull's-eye: the ends of the septum, segments 2 and 3 of the base. Degrees
counter-clockwise from the right."""

Values = Mapping[int, float | None]
"""By segment, 1 to 16; None where it is not measured."""


class Shown(Enum):
    """What the colours show."""

    THICKNESS = "Thickness"
    THICKENING = "Thickening"


_SCALES: Mapping[Shown, Scale] = {Shown.THICKNESS: THICKNESS, Shown.THICKENING: THICKENING}


class BullsEye(QWidget):
    """Sixteen segments with their values.

    A click chooses a segment. Dragging the rim rotates the segments if the detected RV insertion points are wrong.
    With the keyboard, arrows move through the segments and Enter chooses.

    Signals:
        segment_chosen(int): 1 to 16.
        segment_pointed(int): The segment under the pointer; 0 for none.
        turned(float): The rim was dragged; degrees, counter-clockwise.
    """

    segment_chosen = Signal(int)
    segment_pointed = Signal(int)
    turned = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Bull's-eye of the left ventricular wall")
        self.setToolTip("Click a segment to go to its slice\nDrag the rim to rotate the RV insertion points")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self._values: Values = {}
        self._scale = THICKNESS
        self._pointed = 0
        self._current = 0
        self._turn_from: float | None = None
        self._turn = 0.0

    # -- what is shown -------------------------------------------------------------------------------------------------

    def show_values(self, values: Values, scale: Scale) -> None:
        """Values of the segments and the colours they have."""
        self._values, self._scale = dict(values), scale
        self._describe()
        self.update()

    def set_current(self, segment: int) -> None:
        """The highlighted segment; 0 for none."""
        self._current = segment
        self._describe()
        self.update()

    @property
    def values(self) -> Values:
        """What is shown."""
        return self._values

    @property
    def pointed(self) -> int:
        """The segment under the pointer; 0 for none."""
        return self._pointed

    def text_of(self, segment: int) -> str:
        """A segment's value with its unit."""
        value = self._values.get(segment)
        if value is None:
            return DASH
        return f"{value:.1f} mm" if self._scale.unit == "mm" else f"{value:.0f} %"

    def _describe(self) -> None:
        if self._current:
            self.setAccessibleDescription(f"Segment {self._current}: {self.text_of(self._current)}")

    # -- where things are ----------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Square, as wide as the side."""
        return QSize(240, 236)

    def _circle(self) -> tuple[QPointF, float]:
        radius = min(self.width() - 44, self.height() - 40) / 2
        return QPointF(self.width() / 2, self.height() / 2), max(radius, 10.0)

    def point_of(self, segment: int) -> QPointF:
        """The middle of a segment in the widget."""
        middle, radius = self._circle()
        right, up = SECTORS[segment - 1].middle
        return middle + QPointF(right * radius, -up * radius)

    def _polar(self, at: QPointF) -> tuple[float, float]:
        """Radius (of the bull's-eye) and degrees, counter-clockwise from the right."""
        middle, radius = self._circle()
        right, up = (at.x() - middle.x()) / radius, (middle.y() - at.y()) / radius
        return math.hypot(right, up), math.degrees(math.atan2(up, right))

    def _segment_at(self, at: QPointF) -> int:
        middle, radius = self._circle()
        return segment_at((at.x() - middle.x()) / radius, (middle.y() - at.y()) / radius) or 0

    # -- drawing -------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the segments."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("ground"))
        painter.drawRoundedRect(QRectF(self.rect()), 5, 5)
        font = self.font()
        font.setPixelSize(11)
        painter.setFont(font)
        middle, radius = self._circle()
        for sector in SECTORS:
            self._draw_sector(painter, sector, middle, radius)
        painter.setPen(QPen(colour("ground"), 1.5))
        painter.setBrush(colour("raised"))
        painter.drawEllipse(middle, CENTRE_RADIUS * radius, CENTRE_RADIUS * radius)
        for segment, tint in ((self._current, colour("bright")), (self._pointed, colour("accent"))):
            if segment:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(tint, 2))
                painter.drawPath(_path(SECTORS[segment - 1], middle, radius))
        self._draw_words(painter, middle, radius)
        self._draw_rim(painter, middle, radius)

    def _draw_sector(self, painter: QPainter, sector: Sector, middle: QPointF, radius: float) -> None:
        value = self._values.get(sector.segment)
        fill = QColor(self._scale.colour(value)) if value is not None else colour("raised")
        painter.setPen(QPen(colour("ground"), 1.5))
        painter.setBrush(fill)
        painter.drawPath(_path(sector, middle, radius))
        painter.setPen(colour("faint") if value is None else QColor(ink_on(fill.name())))
        at = self.point_of(sector.segment)
        shown = DASH if value is None else f"{value:.1f}" if self._scale.unit == "mm" else f"{value:.0f}"
        painter.drawText(QRectF(at.x() - 20, at.y() - 9, 40, 18), Qt.AlignmentFlag.AlignCenter, shown)

    def _draw_words(self, painter: QPainter, middle: QPointF, radius: float) -> None:
        painter.setPen(colour("soft"))
        centre = Qt.AlignmentFlag.AlignCenter
        painter.drawText(QRectF(middle.x() - 40, middle.y() - radius - 19, 80, 16), centre, "anterior")
        painter.drawText(QRectF(middle.x() - 40, middle.y() + radius + 3, 80, 16), centre, "inferior")
        for word, x, angle in (("septal", middle.x() - radius - 11, -90), ("lateral", middle.x() + radius + 11, 90)):
            painter.save()
            painter.translate(x, middle.y())
            painter.rotate(angle)
            painter.drawText(QRectF(-40, -8, 80, 16), centre, word)
            painter.restore()

    def _draw_rim(self, painter: QPainter, middle: QPointF, radius: float) -> None:
        """The RV insertion points, as small triangles outside the rim; they follow the pointer while it turns them."""
        held = self._turn_from is not None
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("accent" if held else "soft"))
        for _, degrees in INSERTIONS:
            angle = math.radians(degrees + self._turn)
            out = QPointF(math.cos(angle), -math.sin(angle))
            side = QPointF(-out.y(), out.x()) * 5.0
            tip, foot = middle + out * (radius + 1.0), middle + out * (radius + 10.0)
            painter.drawPolygon([tip, foot + side, foot - side])

    # -- mouse and keys ------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a segment, or start dragging the rim."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        radius, degrees = self._polar(event.position())
        segment = self._segment_at(event.position())
        if segment:
            self.set_current(segment)
            self.segment_chosen.emit(segment)
        elif _TURN_FROM <= radius <= _TURN_TO and any(value is not None for value in self._values.values()):
            self._turn_from, self._turn = degrees, 0.0
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Report the segment under the pointer; a dragged rim follows the pointer."""
        radius, degrees = self._polar(event.position())
        if self._turn_from is not None:
            self._turn = (degrees - self._turn_from + 180.0) % 360.0 - 180.0
            self.update()
            return
        on_rim = _TURN_FROM <= radius <= _TURN_TO
        self.setCursor(Qt.CursorShape.SizeAllCursor if on_rim else Qt.CursorShape.PointingHandCursor)
        self._point_at(self._segment_at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let the rim go."""
        turn, held = self._turn, self._turn_from is not None
        self._turn_from, self._turn = None, 0.0
        self.update()
        if held and abs(turn) >= 1.0:
            self.turned.emit(turn)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self._point_at(0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go through the segments, Enter chooses."""
        step = {
            Qt.Key.Key_Right: -1,
            Qt.Key.Key_Left: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_Down: 1,
        }.get(Qt.Key(event.key()))
        if step is not None:
            self.set_current((self._current - 1 + step) % len(SECTORS) + 1)
            self.segment_pointed.emit(self._current)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._current:
            self.segment_chosen.emit(self._current)
        else:
            super().keyPressEvent(event)

    def _point_at(self, segment: int) -> None:
        if segment != self._pointed:
            self._pointed = segment
            self.segment_pointed.emit(segment)
            self.update()


def _path(sector: Sector, middle: QPointF, radius: float) -> QPainterPath:
    outer, inner = sector.outer * radius, sector.inner * radius
    path = QPainterPath()
    box = QRectF(middle.x() - outer, middle.y() - outer, 2 * outer, 2 * outer)
    path.arcMoveTo(box, sector.start_degrees)
    path.arcTo(box, sector.start_degrees, sector.sweep_degrees)
    hole = QRectF(middle.x() - inner, middle.y() - inner, 2 * inner, 2 * inner)
    path.arcTo(hole, sector.start_degrees + sector.sweep_degrees, -sector.sweep_degrees)
    path.closeSubpath()
    return path


class BullsEyePanel(QWidget):
    """The bull's-eye with its choices, the segment under the pointer, and the RV insertion points.

    Args:
        as_found: Resets the RV insertion points to automatic.

    Signals:
        segment_chosen(int): 1 to 16.
        turned(float): The segments were rotated; degrees, counter-clockwise.
    """

    segment_chosen = Signal(int)
    turned = Signal(float)

    def __init__(self, as_found: QAction) -> None:
        super().__init__()
        self._values: Mapping[Shown, Values] = {}
        self._names: Mapping[int, str] = {}
        self._shown = Shown.THICKNESS
        self.eye = BullsEye()
        self.eye.segment_chosen.connect(self.segment_chosen)
        self.eye.segment_chosen.connect(self._show_line)
        self.eye.segment_pointed.connect(self._show_line)
        self.eye.turned.connect(self.turned)
        self._choices = QButtonGroup(self)
        self._choices.setExclusive(True)
        buttons = []
        for index, (each, tip) in enumerate(
            (
                (Shown.THICKNESS, "Wall thickness at end-diastole, in mm"),
                (Shown.THICKENING, "Wall thickening from end-diastole to end-systole, in %"),
            )
        ):
            button = QToolButton()
            button.setText(each.value)
            button.setToolTip(tip)
            button.setAccessibleName(f"Show {each.value.lower()}")
            button.setCheckable(True)
            button.setChecked(each is self._shown)
            button.setProperty("part", "choice")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self._choices.addButton(button, index)
            buttons.append(button)
        self._choices.idToggled.connect(self._choose)
        self._summary = label("", "small")
        self._note = label("", "small", wrap=True)
        back = action_button(as_found)
        back.setProperty("part", "boxed")
        self.setLayout(
            column(row(*buttons, spacing=4), self._summary, self.eye, self._note, row(back, None), spacing=6)
        )
        self.show_wall({}, {}, {}, "The segments are calculated from the label maps at ED and ES.")

    def show_wall(self, thickness_mm: Values, thickening_percent: Values, names: Mapping[int, str], note: str) -> None:
        """Show the wall.

        Args:
            thickness_mm: At end-diastole.
            thickening_percent: From end-diastole to end-systole.
            names: Name of each segment.
            note: How the segments were placed, or why there are none.
        """
        self._values = {Shown.THICKNESS: thickness_mm, Shown.THICKENING: thickening_percent}
        self._names = dict(names)
        self._note.setText(note)
        self._note.setVisible(bool(note))
        self._show()

    @property
    def summary(self) -> str:
        """The text on the segment under the pointer, or the chosen one."""
        return self._summary.text()

    @property
    def note(self) -> str:
        """How the segments were placed, or why there are none."""
        return self._note.text()

    def _choose(self, index: int, on: bool) -> None:
        if on:
            self._shown = list(Shown)[index]
            self._show()

    def _show(self) -> None:
        self.eye.show_values(self._values.get(self._shown, {}), _SCALES[self._shown])
        self._show_line(self.eye.pointed)

    def _show_line(self, segment: int) -> None:
        unit = "mm at ED" if self._shown is Shown.THICKNESS else "% from ED to ES"
        known = [value for value in self.eye.values.values() if value is not None]
        if segment:
            name = self._names.get(segment, "")
            self._summary.setText(f"{segment} {name}: {self.eye.text_of(segment)}")
        elif known:
            mean = sum(known) / len(known)
            digits = 1 if self._shown is Shown.THICKNESS else 0
            self._summary.setText(f"{min(known):.{digits}f} to {max(known):.{digits}f}, mean {mean:.{digits}f} {unit}")
        else:
            self._summary.setText("")
