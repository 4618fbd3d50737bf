"""Volumes, ejection fractions and mass, as the label maps stand now; with the LV volume through the cycle."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from cmr_viewer.domain.measures import Measures
from cmr_viewer.ui.theme import colour
from cmr_viewer.ui.widgets import DASH, column, label

_ROWS = (
    ("EDV", "edv_ml", "ml"),
    ("ESV", "esv_ml", "ml"),
    ("SV", "sv_ml", "ml"),
    ("EF", "ef_percent", "%"),
    ("Mass", "mass_g", "g"),
)


class VolumeCurve(QWidget):
    """LV blood pool through the cycle; a click goes to the phase.

    Signals:
        phase_chosen(int): The phase under the pointer.
    """

    phase_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("LV volume through the cardiac cycle")
        self.setToolTip("LV volume of each phase. Click: go to the phase")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._volumes: Sequence[float | None] = ()
        self._unit = "ml"
        self._phase = 0
        self._marks: tuple[int | None, int | None] = (None, None)

    def show_volumes(self, volumes: Sequence[float | None], unit: str) -> None:
        """Volume of each phase; None where it is not segmented."""
        self._volumes, self._unit = volumes, unit
        self.update()

    def set_phase(self, phase: int) -> None:
        """The phase on show."""
        self._phase = phase
        self.update()

    def set_marks(self, ed: int | None, es: int | None) -> None:
        """End-diastole and end-systole."""
        self._marks = (ed, es)
        self.update()

    def sizeHint(self) -> QSize:
        """Flat."""
        return QSize(200, 76)

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(8, 16, -8, -8)

    def _x(self, phase: int) -> float:
        area, last = self._area(), max(1, len(self._volumes) - 1)
        return area.left() + area.width() * phase / last

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the curve."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("ground"))
        painter.drawRoundedRect(QRectF(self.rect()), 5, 5)
        known = [v for v in self._volumes if v is not None]
        font = self.font()
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(colour("soft"))
        if len(known) < 2:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "The volume curve follows the label maps")
            return
        low, high = min(known), max(known)
        area, span = self._area(), max(high - low, 1e-9)
        painter.drawText(QPointF(8, 12), f"LV {self._unit}")
        painter.drawText(
            QRectF(self.rect()).adjusted(0, 2, -8, 0), Qt.AlignmentFlag.AlignRight, f"{low:.0f} to {high:.0f}"
        )
        for phase, text in zip(self._marks, ("ED", "ES"), strict=True):
            if phase is not None and phase < len(self._volumes):
                painter.setPen(QPen(colour("edge"), 1))
                painter.drawLine(QPointF(self._x(phase), area.top()), QPointF(self._x(phase), area.bottom()))
                painter.setPen(colour("soft"))
                left = self._x(phase) + 3 if self._x(phase) + 24 < area.right() else self._x(phase) - 21
                painter.drawText(QRectF(left, area.bottom() - 10, 30, 14), Qt.AlignmentFlag.AlignLeft, text)
        path, pen_down = QPainterPath(), False
        for phase, volume in enumerate(self._volumes):
            if volume is None:
                pen_down = False
                continue
            at = QPointF(self._x(phase), area.bottom() - area.height() * (volume - low) / span)
            if pen_down:
                path.lineTo(at)
            else:
                path.moveTo(at)
            pen_down = True
            if phase == self._phase:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colour("bright"))
                painter.drawEllipse(at, 4, 4)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour("accent"), 1.8))
        painter.drawPath(path)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the phase under the pointer."""
        if self._volumes:
            area, last = self._area(), len(self._volumes) - 1
            part = (event.position().x() - area.left()) / max(area.width(), 1.0)
            self.phase_chosen.emit(min(last, max(0, round(part * last))))


class MeasuresPanel(QWidget):
    """Measures of the study, and the curve.

    Signals:
        phase_chosen(int): A click into the curve.
    """

    phase_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._figures: dict[str, QLabel] = {}
        self.curve = VolumeCurve()
        self.curve.phase_chosen.connect(self.phase_chosen)
        self._note = label("", "small", wrap=True)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(1)
        for index, side in enumerate(("LV", "RV")):
            head = label(side, "soft")
            head.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(head, 0, 1 + index)
        for line, (text, name, unit) in enumerate(_ROWS, start=1):
            grid.addWidget(label(text, "soft"), line, 0)
            grid.addWidget(label(unit, "soft"), line, 3)
            for index, side in enumerate(("lv", "rv")):
                if f"{side}_{name}" == "rv_mass_g":
                    continue
                figure = label(DASH, "figure")
                figure.setAlignment(Qt.AlignmentFlag.AlignRight)
                figure.setAccessibleName(f"{side.upper()} {text}")
                self._figures[f"{side}_{name}"] = figure
                grid.addWidget(figure, line, 1 + index)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        self.setLayout(column(grid, self.curve, self._note))
        self.show_measures(None)

    def show_measures(self, measures: Measures | None) -> None:
        """Show the measures; None without a study. What is not known says why when the pointer rests on it."""
        reasons: list[str] = []
        for name, figure in self._figures.items():
            value = None if measures is None else measures.values.get(name)
            figure.setText(DASH if value is None else f"{value:.0f}")
            reason = "" if measures is None else measures.reasons.get(name, "")
            figure.setToolTip(reason)
            if value is None and reason and reason not in reasons:
                reasons.append(reason)
        self._note.setText(reasons[0] if reasons else "")
        self._note.setVisible(bool(reasons))
        if measures is not None:
            self.curve.set_marks(measures.ed_phase, measures.es_phase)
