"""Volumes of both ventricles through the cardiac cycle; ED and ES are dragged on it."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.ui.window.theme import STRUCTURE_COLOURS, colour
from cmr_viewer.ui.window.widgets import DASH

_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 12.0, 40.0, 18.0
_GRIP = QSize(24, 15)
_NEAR_PX = 9.0
MARKS = ("ED", "ES")

Volumes = Sequence[float | None]
"""(phase,); None where a phase is not segmented whole."""


class VolumeCurve(QWidget):
    """LV and RV blood pool through the cycle.

    A click goes to the phase under the pointer; the marks of ED and ES are dragged by their names. What is under the
    pointer is shown in words above the curve.

    Signals:
        phase_chosen(int): The phase under the pointer.
        mark_moved(str, int): "ED" or "ES" was dragged to a phase.
    """

    phase_chosen = Signal(int)
    mark_moved = Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Volumes through the cardiac cycle")
        self.setToolTip("Click: go to the phase\nDrag ED or ES: mark another phase (Alt+D, Alt+S: this one)")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._volumes: Volumes = ()
        self._rv: Volumes = ()
        self._unit = "ml"
        self._times: Sequence[float] | None = None
        self._phase = 0
        self._marks: dict[str, int | None] = dict.fromkeys(MARKS)
        self._hover: int | None = None
        self._dragged: str | None = None
        self._colours: dict[str, QColor] = {
            "LV": QColor(STRUCTURE_COLOURS[Label.LVBP]),
            "RV": QColor(STRUCTURE_COLOURS[Label.RVBP]),
        }

    # -- what is shown -------------------------------------------------------------------------------------------------

    def set_colours(self, colours: Mapping[Label, str]) -> None:
        """Colours of the structures: #rrggbb of LVBP and RVBP."""
        self._colours = {"LV": QColor(colours[Label.LVBP]), "RV": QColor(colours[Label.RVBP])}
        self.update()

    def show_volumes(self, lv: Volumes, unit: str, rv: Volumes = ()) -> None:
        """Volume of each phase; None where it is not segmented. Both as long, or RV empty."""
        self._volumes, self._rv, self._unit = lv, rv, unit
        if self._hover is not None and self._hover >= self.phases:
            self._hover = None
        self._describe()
        self.update()

    def set_times(self, times_ms: Sequence[float] | None) -> None:
        """Time of each phase after the R wave, or None."""
        self._times = times_ms
        self.update()

    def set_phase(self, phase: int) -> None:
        """The displayed phase."""
        self._phase = phase
        self.update()

    def set_marks(self, ed: int | None, es: int | None) -> None:
        """End-diastole and end-systole."""
        if self._dragged is None:
            self._marks = {"ED": ed, "ES": es}
            self._describe()
            self.update()

    @property
    def phases(self) -> int:
        """Number of phases."""
        return len(self._volumes)

    @property
    def curves(self) -> dict[str, Volumes]:
        """Volumes by ventricle, those that there are."""
        return {name: values for name, values in (("LV", self._volumes), ("RV", self._rv)) if len(values)}

    @property
    def marks(self) -> tuple[int | None, int | None]:
        """(ED, ES) as they are drawn."""
        return self._marks["ED"], self._marks["ES"]

    @property
    def pointer_text(self) -> str:
        """What is said of the phase under the pointer; empty where the pointer is elsewhere."""
        return "" if self._hover is None else self.words_of(self._hover)

    def words_of(self, phase: int) -> str:
        """A phase in words: number, time, volumes."""
        words = [f"Phase {phase + 1}"]
        if self._times is not None and phase < len(self._times):
            words.append(f"{self._times[phase]:.0f} ms")
        for name, volumes in self.curves.items():
            volume = volumes[phase]
            words.append(f"{name} {DASH if volume is None else f'{volume:.0f}'}")
        return "   ".join(words) + f" {self._unit}"

    def _describe(self) -> None:
        known = [(mark, at) for mark, at in self._marks.items() if at is not None and self._is_phase(at)]
        parts = [f"{mark} {self.words_of(at)}" for mark, at in known]
        self.setAccessibleDescription(". ".join(parts))

    # -- where things are ----------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Flat."""
        return QSize(240, 164)

    def area(self) -> QRectF:
        """Where the curve is drawn."""
        return QRectF(self.rect()).adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)

    def x_of(self, phase: int) -> float:
        """Where a phase is across the widget."""
        area = self.area()
        return area.left() + area.width() * phase / max(1, self.phases - 1)

    def grip(self, mark: str) -> QRectF:
        """Where "ED" or "ES" is dragged by; empty where it is not known."""
        phase = self._marks[mark]
        if not self._is_phase(phase) or phase is None:
            return QRectF()
        left = min(max(self.x_of(phase) - _GRIP.width() / 2, 0.0), self.width() - float(_GRIP.width()))
        return QRectF(left, _TOP - _GRIP.height() - 2.0, _GRIP.width(), _GRIP.height())

    def _is_phase(self, phase: int | None) -> bool:
        return phase is not None and 0 <= phase < self.phases

    def _phase_at(self, x: float) -> int:
        area = self.area()
        part = (x - area.left()) / max(area.width(), 1.0)
        return min(self.phases - 1, max(0, round(part * (self.phases - 1))))

    def _mark_at(self, at: QPointF) -> str | None:
        for mark in reversed(MARKS):
            box = self.grip(mark)
            if not box.isEmpty() and box.adjusted(-3, -4, 3, 3).contains(at):
                return mark
        return None

    # -- drawing -------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the curve."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("ground"))
        painter.drawRoundedRect(QRectF(self.rect()), 5, 5)
        font = self.font()
        font.setPixelSize(11)
        painter.setFont(font)
        known = [v for volumes in self.curves.values() for v in volumes if v is not None]
        if len(known) < 2:
            painter.setPen(colour("soft"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "The volume curve appears with the label maps")
            return
        highest = _nice(max(known))
        self._draw_axis(painter, highest)
        self._draw_head(painter)
        self._draw_marks(painter)
        if self._hover is not None and self._dragged is None:
            painter.setPen(QPen(colour("soft"), 1))
            x = self.x_of(self._hover)
            painter.drawLine(QPointF(x, self.area().top()), QPointF(x, self.area().bottom()))
        for name, volumes in self.curves.items():
            self._draw_line(painter, self._colours[name], volumes, highest)

    def _y(self, volume: float, highest: float) -> float:
        area = self.area()
        return area.bottom() - area.height() * volume / highest

    def _draw_axis(self, painter: QPainter, highest: float) -> None:
        area = self.area()
        for part in (0.0, 0.5, 1.0):
            y = self._y(part * highest, highest)
            painter.setPen(QPen(colour("line"), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(colour("faint"))
            box = QRectF(0, y - 8, _LEFT - 6, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{part * highest:g}")
        first, last = (1.0, float(self.phases)) if self._times is None else (self._times[0], self._times[-1])
        below = QRectF(area.left() - 2, area.bottom() + 2, area.width() + 12, 14)
        unit = "ms" if self._times is not None else ""
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"{first:.0f}")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{last:.0f} {unit}".strip())

    def _draw_head(self, painter: QPainter) -> None:
        head = QRectF(10, 3, self.width() - 20, 16)
        if self._hover is not None:
            painter.setPen(colour("text"))
            painter.drawText(head, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self.pointer_text)
            return
        painter.setPen(colour("soft"))
        painter.drawText(head, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._unit)
        right = head.right()
        for name in reversed(self.curves):
            width = painter.fontMetrics().horizontalAdvance(name)
            painter.setPen(colour("soft"))
            painter.drawText(QPointF(right - width, head.center().y() + 4), name)
            painter.setPen(QPen(self._colours[name], 2))
            painter.drawLine(
                QPointF(right - width - 18, head.center().y()), QPointF(right - width - 5, head.center().y())
            )
            right -= width + 28

    def _draw_marks(self, painter: QPainter) -> None:
        area = self.area()
        for mark in MARKS:
            phase = self._marks[mark]
            if phase is None or not self._is_phase(phase):
                continue
            held = self._dragged == mark
            x, box = self.x_of(phase), self.grip(mark)
            painter.setPen(QPen(colour("accent" if held else "faint"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, box.bottom()), QPointF(x, area.bottom()))
            painter.setPen(QPen(colour("accent" if held else "edge"), 1))
            painter.setBrush(colour("accent_dark" if held else "raised"))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
            painter.setPen(colour("bright" if held else "text"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, mark)

    def _draw_line(self, painter: QPainter, tint: QColor, volumes: Volumes, highest: float) -> None:
        path, pen_down = QPainterPath(), False
        dots = []
        for phase, volume in enumerate(volumes):
            if volume is None:
                pen_down = False
                continue
            at = QPointF(self.x_of(phase), self._y(volume, highest))
            if pen_down:
                path.lineTo(at)
            else:
                path.moveTo(at)
                path.lineTo(at + QPointF(0.01, 0))
            pen_down = True
            if phase == self._phase:
                dots.append(at)
        pen = QPen(tint, 1.8)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(pen)
        painter.drawPath(path)
        painter.setPen(QPen(colour("ground"), 1.5))
        painter.setBrush(colour("bright"))
        for at in dots:
            painter.drawEllipse(at, 4.5, 4.5)

    # -- the mouse -----------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take a mark, or go to the phase under the pointer."""
        if event.button() != Qt.MouseButton.LeftButton or self.phases < 1:
            return
        self._dragged = self._mark_at(event.position())
        if self._dragged is None:
            self.phase_chosen.emit(self._phase_at(event.position().x()))
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell what is under the pointer; a mark that is held follows it."""
        if self.phases < 1:
            return
        phase = self._phase_at(event.position().x())
        if self._dragged is not None:
            self._marks[self._dragged] = phase
        elif event.buttons() & Qt.MouseButton.LeftButton:
            self.phase_chosen.emit(phase)
        over = self._mark_at(event.position()) is not None or self._dragged is not None
        self.setCursor(Qt.CursorShape.SizeHorCursor if over else Qt.CursorShape.PointingHandCursor)
        self._hover = phase
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Put a mark down."""
        mark, self._dragged = self._dragged, None
        phase = None if mark is None else self._marks[mark]
        if mark is not None and phase is not None:
            self.mark_moved.emit(mark, phase)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self._hover = None
        self.update()


def _nice(value: float) -> float:
    """The next round number from a value on."""
    if value <= 0:
        return 1.0
    magnitude = 1.0
    while value > 10 * magnitude:
        magnitude *= 10
    while value <= magnitude:
        magnitude /= 10
    return next(
        f * magnitude for f in (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 10) if f * magnitude >= value
    )
