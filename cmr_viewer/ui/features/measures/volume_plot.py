"""Volumes of both ventricles through the cardiac cycle; ED and ES are moved on it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.ui.window.plots import PlotPlace, Table, cosmetic
from cmr_viewer.ui.window.theme import STRUCTURE_COLOURS, colour
from cmr_viewer.ui.window.widgets import DASH, TAKES_ARROWS, column, label

_HEIGHT = 164
_ROOM = 1.28
"""The y axis ends so much above the largest volume; the names of ED and ES stand there."""

MARKS = ("ED", "ES")

Volumes = Sequence[float | None]
"""(phase,); None where a phase is not segmented whole."""


class VolumePlot(QWidget):
    """LV and RV blood pool through the cycle.

    A click goes to the phase under the pointer; the lines of ED and ES are dragged. With the keyboard, Tab chooses ED,
    then ES, and the arrow keys move it. The line of text above describes what is under the pointer.

    Signals:
        phase_chosen(int): The phase under the pointer.
        mark_moved(str, int): "ED" or "ES" was moved to a phase.

    Attributes:
        place: Where it is drawn.
    """

    phase_chosen = Signal(int)
    mark_moved = Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Volumes through the cardiac cycle")
        self.setToolTip(
            "Click: go to the phase\nDrag ED or ES: mark another phase (Alt+D, Alt+S: this one)\n"
            "Tab and arrow keys: move ED or ES\nRight-click: save the plot"
        )
        self.setProperty(TAKES_ARROWS, True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._volumes: dict[str, Volumes] = {"LV": (), "RV": ()}
        self._unit = "ml"
        self._times: Sequence[float] | None = None
        self._phase = 0
        self._marks: dict[str, int | None] = dict.fromkeys(MARKS)
        self._hover: int | None = None
        self._dragged: str | None = None
        self._chosen: str | None = None
        self._colours: dict[str, QColor] = {
            "LV": QColor(STRUCTURE_COLOURS[Label.LVBP]),
            "RV": QColor(STRUCTURE_COLOURS[Label.RVBP]),
        }
        self._head = label("", "small")
        self._head.setTextFormat(Qt.TextFormat.RichText)
        self._head.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.place = PlotPlace("Volumes through the cardiac cycle", self, height=_HEIGHT, mouse=False)
        self.setLayout(column(self._head, self.place, spacing=2))
        self._changed()

    # -- what is shown -------------------------------------------------------------------------------------------------

    def set_colours(self, colours: Mapping[Label, str]) -> None:
        """Colours of the structures: #rrggbb of LVBP and RVBP."""
        self._colours = {"LV": QColor(colours[Label.LVBP]), "RV": QColor(colours[Label.RVBP])}
        self._changed()

    def show_volumes(self, lv: Volumes, unit: str, rv: Volumes = ()) -> None:
        """Volume of each phase; None where it is not segmented. Both as long, or RV empty."""
        self._volumes, self._unit = {"LV": lv, "RV": rv}, unit
        if self._hover is not None and self._hover >= self.phases:
            self._hover = None
        self._describe()
        self._changed()

    def set_times(self, times_ms: Sequence[float] | None) -> None:
        """Time of each phase after the R wave, or None."""
        self._times = times_ms
        self._changed()

    def set_phase(self, phase: int) -> None:
        """The phase on show."""
        self._phase = phase
        if self.place.layout_widget is not None and self.place.isVisible():
            self._show_phase()

    def set_marks(self, ed: int | None, es: int | None) -> None:
        """End-diastole and end-systole."""
        if self._dragged is None:
            self._marks = {"ED": ed, "ES": es}
            self._describe()
            self._changed()

    @property
    def phases(self) -> int:
        """Number of phases."""
        return len(self._volumes["LV"])

    @property
    def curves(self) -> dict[str, Volumes]:
        """Volumes by ventricle, those that there are."""
        return {name: values for name, values in self._volumes.items() if len(values)}

    @property
    def marks(self) -> tuple[int | None, int | None]:
        """(ED, ES) as they are drawn."""
        return self._marks["ED"], self._marks["ES"]

    @property
    def pointer_text(self) -> str:
        """The phase under the pointer in words; empty where the pointer is elsewhere."""
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
        self.setAccessibleDescription(". ".join(f"{mark} {self.words_of(at)}" for mark, at in known))

    def _changed(self) -> None:
        known = sum(volume is not None for volumes in self.curves.values() for volume in volumes)
        self.place.show_text("" if known > 1 else "The volume curve appears with the label maps")
        self._show_head()

    def _show_head(self) -> None:
        if self.place.text:
            self._head.setText("")
        elif self._hover is not None:
            self._head.setText(self.pointer_text.replace("   ", "&nbsp;&nbsp; "))
        else:
            names = "&nbsp;&nbsp; ".join(
                f'<span style="color:{self._colours[name].name()}">\N{EM DASH}</span> {name}' for name in self.curves
            )
            self._head.setText(f"Volume, {self._unit} &nbsp;&nbsp; {names}")

    # -- drawing -------------------------------------------------------------------------------------------------------

    def make(self, place: PlotPlace, pg: Any) -> None:
        """Make the curves, the lines of ED and ES, the line at the pointer and the dots of the phase on show."""
        self._plot = place.axes(0, bottom="Time", unit="s")
        self._lines = {name: self._plot.plot(connect="finite") for name in self._volumes}
        self._lone = pg.ScatterPlotItem(size=3, pen=None, useCache=False)
        self._dots = pg.ScatterPlotItem(size=9, useCache=False)
        self._pointer = pg.InfiniteLine(angle=90)
        options = {"position": 0.92, "anchors": [(0.5, 0.5), (0.5, 0.5)]}
        self._at = {mark: pg.InfiniteLine(angle=90, label=mark, labelOpts=dict(options)) for mark in MARKS}
        for item in (self._pointer, *self._at.values(), self._lone, self._dots):
            self._plot.addItem(item, ignoreBounds=True)

    def draw(self) -> None:
        """Bring values, marks and colours into them."""
        xs = self._xs()
        axis = self._plot.getAxis("bottom")
        axis.setLabel("Time" if self._times is not None else "Phase", units="s" if self._times is not None else None)
        axis.enableAutoSIPrefix(self._times is not None)
        spots: list[dict[str, Any]] = []
        for name, line in self._lines.items():
            ys = [float("nan") if volume is None else volume for volume in self._volumes[name]]
            line.setData(xs[: len(ys)], ys)
            line.setPen(cosmetic(self._colours[name], 1.8))
            spots += [{"pos": (xs[at], ys[at]), "brush": self._colours[name]} for at in _lone(self._volumes[name])]
        self._lone.setData(spots)
        highest = max(volume for volumes in self.curves.values() for volume in volumes if volume is not None)
        self._plot.setYRange(0.0, max(highest, 1e-6) * _ROOM, padding=0)
        self._plot.setXRange(xs[0], xs[-1] if len(xs) > 1 else xs[0] + 1.0, padding=0.05)
        self._dots.setPen(cosmetic(colour("ground"), 1.5))
        self._dots.setBrush(colour("bright"))
        for mark, item in self._at.items():
            phase, held = self._marks[mark], mark in (self._dragged, self._chosen)
            item.setVisible(self._is_phase(phase))
            if phase is not None and self._is_phase(phase):
                item.setValue(xs[phase])
            item.setPen(cosmetic(colour("accent" if held else "faint"), 1, dashed=True))
            item.label.setColor(colour("bright" if held else "text"))
            item.label.fill = QBrush(colour("accent_dark" if held else "raised"))
            item.label.border = cosmetic(colour("accent" if held else "edge"), 1)
            item.label.setFont(self.font())
        self._show_phase()
        self._show_pointer()

    def _show_phase(self) -> None:
        if not self._is_phase(self._phase):
            self._dots.setData([])
            return
        x = self._xs()[self._phase]
        here = [volumes[self._phase] for volumes in self.curves.values()]
        self._dots.setData([{"pos": (x, volume)} for volume in here if volume is not None])

    def _show_pointer(self) -> None:
        self._pointer.setVisible(self._hover is not None and self._dragged is None)
        if self._hover is not None:
            self._pointer.setPen(cosmetic(colour("soft"), 1))
            self._pointer.setValue(self._xs()[self._hover])

    def table(self) -> Table:
        """Phase, time and volumes."""
        heads = ["phase", *(["time (ms)"] if self._times is not None else [])]
        heads += [f"{name} volume ({self._unit})" for name in self.curves]
        times = [()] * self.phases if self._times is None else [(time,) for time in self._times]
        volumes = zip(*self.curves.values(), strict=True)
        rows = [(number, *time, *each) for number, (time, each) in enumerate(zip(times, volumes, strict=False), 1)]
        return Table(heads, rows)

    # -- where things are ----------------------------------------------------------------------------------------------

    def _xs(self) -> Sequence[float]:
        """Of each phase: seconds after the R wave, or its number where times are not known."""
        if self._times is not None and len(self._times) == self.phases:
            return [time / 1000.0 for time in self._times]
        return [float(phase + 1) for phase in range(self.phases)]

    def area(self) -> QRectF:
        """Where the curve is drawn; empty while nothing is."""
        if not self.place.draw_now():
            return QRectF()
        box = self._plot.getViewBox()
        inner = self.place.layout_widget.mapFromScene(box.sceneBoundingRect()).boundingRect()
        return QRectF(inner.translated(self.place.pos()))

    def x_of(self, phase: int) -> float:
        """Where a phase is across the widget."""
        area, (left, right) = self.area(), self._plot.getViewBox().viewRange()[0]
        return float(area.left() + area.width() * (self._xs()[phase] - left) / (right - left))

    def grip(self, mark: str) -> QRectF:
        """Where the name of "ED" or "ES" is; empty where it is not known."""
        phase = self._marks[mark]
        area = self.area()
        if not self._is_phase(phase) or phase is None or area.isEmpty():
            return QRectF()
        return QRectF(self.x_of(phase) - 12.0, area.top(), 24.0, 22.0)

    def _is_phase(self, phase: int | None) -> bool:
        return phase is not None and 0 <= phase < self.phases

    def _phase_at(self, x: float) -> int:
        area, (left, right) = self.area(), self._plot.getViewBox().viewRange()[0]
        at = left + (x - area.left()) / max(area.width(), 1.0) * (right - left)
        xs = self._xs()
        return min(range(len(xs)), key=lambda phase: abs(xs[phase] - at))

    def _mark_at(self, at: QPointF) -> str | None:
        """The mark whose name is under the pointer, or None."""
        return next((mark for mark in reversed(MARKS) if self.grip(mark).adjusted(-3, -4, 3, 3).contains(at)), None)

    # -- mouse and keys ------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take a mark, or go to the phase under the pointer."""
        if event.button() != Qt.MouseButton.LeftButton or self.area().isEmpty():
            return
        self._dragged = self._mark_at(event.position())
        if self._dragged is None:
            self.phase_chosen.emit(self._phase_at(event.position().x()))
        self._changed()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Describe what is under the pointer; a mark that is held follows it."""
        if self.area().isEmpty():
            return
        phase = self._phase_at(event.position().x())
        if self._dragged is not None:
            self._marks[self._dragged] = phase
        elif event.buttons() & Qt.MouseButton.LeftButton:
            self.phase_chosen.emit(phase)
        over = self._mark_at(event.position()) is not None or self._dragged is not None
        self.setCursor(Qt.CursorShape.SizeHorCursor if over else Qt.CursorShape.PointingHandCursor)
        if self._dragged is not None:
            self._changed()
        self._point_at(phase)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Put a mark down."""
        mark, self._dragged = self._dragged, None
        phase = None if mark is None else self._marks[mark]
        if mark is not None and phase is not None:
            self.mark_moved.emit(mark, phase)
        self._changed()

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the pointer any more."""
        self._point_at(None)

    def _point_at(self, phase: int | None) -> None:
        self._hover = phase
        self._show_head()
        if self.place.layout_widget is not None:
            self._show_pointer()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The menu of the plot."""
        self.place.contextMenuEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tab has come: to ED first, backwards to ES."""
        super().focusInEvent(event)
        self._chosen = MARKS[-1] if event.reason() is Qt.FocusReason.BacktabFocusReason else MARKS[0]
        self._changed()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """No mark is chosen any more."""
        super().focusOutEvent(event)
        self._chosen = None
        self._changed()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes from ED to ES before it goes on."""
        before, after = MARKS if forward else reversed(MARKS)
        if self.hasFocus() and self._chosen == before:
            self._chosen = after
            self._changed()
            return True
        return super().focusNextPrevChild(forward)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the chosen mark by a phase."""
        by = {Qt.Key.Key_Left: -1, Qt.Key.Key_Down: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: 1}.get(Qt.Key(event.key()))
        phase = None if self._chosen is None else self._marks[self._chosen]
        if by is None or self._chosen is None or phase is None or self.phases < 2:
            super().keyPressEvent(event)
            return
        self.mark_moved.emit(self._chosen, (phase + by) % self.phases)


def _lone(volumes: Volumes) -> list[int]:
    """Phases without a neighbour to draw a line to."""
    known = [phase for phase, volume in enumerate(volumes) if volume is not None]
    near = {phase for pair in pairwise(known) if pair[1] - pair[0] == 1 for phase in pair}
    return [phase for phase in known if phase not in near]
