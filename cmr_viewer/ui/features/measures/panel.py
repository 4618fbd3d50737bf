"""Volumes, ejection fractions, output and mass from the current label maps, with the curves over the cycle."""

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QSizePolicy, QWidget

from cmr_viewer.domain.measures.ed_es import Disagreement, EdEs, Mark
from cmr_viewer.domain.measures.patient_measures import INDEXED, NormalRange, PatientMeasures, text_of, unit_of
from cmr_viewer.domain.measures.volumes import Measures
from cmr_viewer.ui.features.measures.volume_plot import VolumePlot
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import DASH, action_button, column, label, row

_ROWS = (
    ("EDV", "edv_ml", "ml"),
    ("ESV", "esv_ml", "ml"),
    ("SV", "sv_ml", "ml"),
    ("EF", "ef_percent", "%"),
    ("CO", "co_l_per_min", "l/min"),
    ("Mass", "mass_g", "g"),
)
_INDEX_OF = {whole: index for index, whole in INDEXED.items()}
"""Name of the indexed measure by that of what is indexed."""

_INDEX_WIDTH = 30
"""Of the column of indexed values, in pixels; it is there only where something is indexed."""


def digits_of(name: str) -> int:
    """Decimals that a measure is shown with."""
    return 1 if "_l_per_min" in name else 0


class Gauge(QWidget):
    """A value against its normal range: a band in the middle third, a dot for the value."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._place: float | None = None

    def show_value(self, value: float | None, normal: NormalRange | None) -> None:
        """Show a value; nothing where it or the range is not known."""
        self._place = None
        if value is not None and normal is not None and normal.high > normal.low:
            self._place = (value - normal.low) / (normal.high - normal.low)
        self.update()

    @property
    def place(self) -> float | None:
        """0 at the lower limit, 1 at the upper one; None where nothing is shown."""
        return self._place

    @property
    def is_outside(self) -> bool:
        """Whether the value is outside its normal range."""
        return self._place is not None and not 0.0 <= self._place <= 1.0

    def sizeHint(self) -> QSize:
        """A thin line."""
        return QSize(40, 7)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw track, band and dot."""
        if self._place is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        left, width, middle = 3.0, self.width() - 6.0, self.height() / 2
        painter.setBrush(colour("line"))
        painter.drawRoundedRect(QRectF(left, middle - 1, width, 2), 1, 1)
        painter.setBrush(colour("edge"))
        painter.drawRoundedRect(QRectF(left + width / 3, middle - 1.5, width / 3, 3), 1.5, 1.5)
        at = left + width * min(1.0, max(0.0, (1.0 + self._place) / 3.0))
        painter.setBrush(colour("warn" if self.is_outside else "good"))
        painter.drawEllipse(QRectF(at - 3, middle - 3, 6, 6))


class _Cell(QWidget):
    """One value with its indexed value beside it and a gauge below."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.figure = label(DASH, "figure")
        self.figure.setAccessibleName(text_of(name))
        self.index = label("", "small")
        self.index.setAccessibleName(text_of(_INDEX_OF[name]) if name in _INDEX_OF else "")
        self.gauge = Gauge()
        self.index.setFixedWidth(_INDEX_WIDTH)
        self.index.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        line = row(None, self.figure, self.index, spacing=4)
        self.setLayout(column(line, self.gauge, spacing=0))


class MeasuresPanel(QWidget):
    """Measures of the study, and the curves.

    Signals:
        phase_chosen(int): A click into the curve.
        mark_moved(str, int): "ED" or "ES" was dragged to a phase.
    """

    phase_chosen = Signal(int)
    mark_moved = Signal(str, int)

    def __init__(self) -> None:
        super().__init__()
        self._cells: dict[str, _Cell] = {}
        self._others: dict[Mark, int] = {}
        self._figures: dict[str, QLabel] = {}
        self._heads: list[QLabel] = []
        self.curve = VolumePlot()
        self.curve.phase_chosen.connect(self.phase_chosen)
        self.curve.mark_moved.connect(self.mark_moved)
        self._note = label("", "small", wrap=True)
        self._ed_es = label("", "small", wrap=True)
        self._ed_es.setAccessibleName("Source of ED and ES")
        self._disagreements: dict[Mark, tuple[QLabel, QPushButton, QWidget]] = {}
        for mark in ("ED", "ES"):
            self._disagreements[mark] = self._disagreement(mark)
        self._patient = label("", "small", wrap=True)
        self._rates = label("", "small", wrap=True)
        self._method = label("", "small", wrap=True)
        self._buttons = row(spacing=4)
        self.setLayout(
            column(
                self._grid(),
                self._note,
                *(whole for _, _, whole in self._disagreements.values()),
                self._method,
                self._patient,
                self._buttons,
                self.curve,
                self._rates,
                self._ed_es,
                spacing=7,
            )
        )
        self.show_measures(None)
        for empty in (self._patient, self._rates, self._method, self._ed_es):
            empty.hide()

    def _disagreement(self, mark: Mark) -> tuple[QLabel, QPushButton, QWidget]:
        text, button = label("", "warn", wrap=True), QPushButton()
        button.setAccessibleName(f"Use the other phase as {mark}")
        button.setToolTip("You can undo this")
        button.clicked.connect(partial(self._take_other, mark))
        whole = QWidget()
        whole.setLayout(column(text, row(button, None), spacing=4))
        whole.hide()
        return text, button, whole

    def _take_other(self, mark: Mark) -> None:
        self.mark_moved.emit(mark, self._others[mark])

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        for index, side in enumerate(("LV", "RV")):
            per_m2 = label("/m²", "small")
            per_m2.setFixedWidth(_INDEX_WIDTH)
            per_m2.setAlignment(Qt.AlignmentFlag.AlignRight)
            per_m2.setToolTip("Divided by body surface area")
            self._heads.append(per_m2)
            grid.addLayout(row(None, label(side, "soft"), per_m2, spacing=4), 0, 1 + index)
        top = Qt.AlignmentFlag.AlignTop
        for line, (text, name, unit) in enumerate(_ROWS, start=1):
            grid.addWidget(label(text, "soft"), line, 0, top)
            grid.addWidget(label(unit, "soft"), line, 3, top)
            for index, side in enumerate(("lv", "rv")):
                whole = f"{side}_{name}"
                if whole == "rv_mass_g":
                    continue
                cell = _Cell(whole)
                self._cells[whole], self._figures[whole] = cell, cell.figure
                grid.addWidget(cell, line, 1 + index)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        return grid

    def set_actions(self, actions: Sequence[QAction]) -> None:
        """Put buttons of actions below the values."""
        for action in actions:
            button = action_button(action)
            button.setProperty("part", "boxed")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)  # three with icons are wider than the side
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self._buttons.addWidget(button)

    # -- values --------------------------------------------------------------------------------------------------------

    def show_measures(self, measures: Measures | PatientMeasures | None) -> None:
        """Show the measures; None without a study. The tooltip of an unknown measure gives the reason."""
        reasons: list[str] = []
        for name, cell in self._cells.items():
            value = None if measures is None else measures.values.get(name)
            cell.figure.setText(DASH if value is None else f"{value:.{digits_of(name)}f}")
            indexed = _INDEX_OF.get(name, "")
            per_m2 = None if measures is None else measures.values.get(indexed)
            cell.index.setText("" if per_m2 is None else f"{per_m2:.{digits_of(indexed)}f}")
            reason = "" if measures is None else measures.reasons.get(name, "")
            cell.figure.setToolTip(reason)
            cell.setToolTip(reason)
            if value is None and reason and reason not in reasons:
                reasons.append(reason)
        indexed_too = measures is not None and any(measures.values.get(name) is not None for name in INDEXED)
        for place in (*self._heads, *(cell.index for cell in self._cells.values())):
            place.setVisible(indexed_too)
        self._note.setText(reasons[0] if reasons else "")
        self._note.setVisible(bool(reasons))
        if measures is not None:
            self.curve.set_marks(measures.ed_phase, measures.es_phase)

    def show_ed_es(self, choice: EdEs | None, found: Sequence[Disagreement]) -> None:
        """Show the source of ED and ES, and where the volumes disagree, with a button for the other phase.

        Args:
            choice: ED and ES; None without a study.
            found: Where the volumes disagree.
        """
        shown, words = {one.mark: one for one in found}, []
        for mark in self._disagreements:
            phase = None if choice is None or mark in shown else choice.phase_of(mark)
            if choice is not None and phase is not None:
                words.append(f"{mark} is phase {phase + 1} {choice.source_text(mark)}.")
        self._ed_es.setText(" ".join(words))
        self._ed_es.setVisible(bool(words))
        for mark, (text, button, whole) in self._disagreements.items():
            one = shown.get(mark)
            whole.setVisible(one is not None)
            text.setText("" if one is None else one.text)
            button.setText("" if one is None else f"Use phase {one.other + 1} as {mark}")
            if one is not None:
                self._others[mark] = one.other

    def show_ranges(self, measures: PatientMeasures, normals: Mapping[str, NormalRange], why_not: str) -> None:
        """Show the values against their normal ranges.

        Args:
            measures: As they are shown.
            normals: By name; of indexed measures too, which go before the others.
            why_not: Why there are none, for the tips; empty where there are.
        """
        for name, cell in self._cells.items():
            indexed = _INDEX_OF.get(name, "")
            shown = indexed if indexed in normals and measures.values.get(indexed) is not None else name
            normal = normals.get(shown)
            cell.gauge.show_value(measures.values.get(shown), normal)
            words = [_sentence(one, measures, normals.get(one)) for one in (name, indexed) if one]
            if normal is None and why_not and measures.values.get(name) is not None:
                words.append(why_not)
            tip = "\n".join(word for word in words if word)
            cell.setToolTip(tip)
            cell.figure.setToolTip(tip)
            cell.figure.setAccessibleDescription(tip)

    def show_facts(self, patient: str, method: str) -> None:
        """Show the patient's data, and how papillary muscles are counted; empty texts are hidden."""
        for place, text in ((self._patient, patient), (self._method, method)):
            place.setText(text)
            place.setVisible(bool(text))

    def show_rates(self, text: str, tip: str = "") -> None:
        """Show how fast the ventricles empty and fill; the tooltip gives the method."""
        self._rates.setText(text)
        self._rates.setToolTip(tip)
        self._rates.setVisible(bool(text))


def _sentence(name: str, measures: PatientMeasures, normal: NormalRange | None) -> str:
    """A measure in words: value, normal range and its source, or why it is not known."""
    value, unit, digits = measures.values.get(name), unit_of(name), digits_of(name)
    if value is None:
        reason = measures.reasons.get(name, "")
        return f"{text_of(name)}: {reason}" if reason else ""
    text = f"{text_of(name)} {value:.{digits}f} {unit}"
    if normal is None:
        return text
    range_ = f"{normal.low:.{digits}f} to {normal.high:.{digits}f} {unit}"
    return f"{text}, {normal.place_of(value)} the normal range of {range_} ({normal.holds_for}; {normal.source})"
