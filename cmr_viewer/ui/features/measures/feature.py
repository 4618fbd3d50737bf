# ruff: noqa: E501 - one row per action reads as a table
"""The page of the measures: values, curves, bull's-eye, facts of the patient."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QApplication

from cmr_viewer.domain.label_map import Point
from cmr_viewer.domain.measures.insertion_points import InsertionPoints
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import (
    ALL_MEASURE_NAMES,
    BsaFormula,
    NormalRange,
    PatientMeasures,
    normal_range,
    text_of,
    unit_of,
)
from cmr_viewer.domain.measures.segments_aha import SEGMENT_NAMES
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.study_measures import Curves, patient_in_files
from cmr_viewer.ui.features.measures.bulls_eye import BullsEyePanel
from cmr_viewer.ui.features.measures.measuring import Measuring
from cmr_viewer.ui.features.measures.panel import MeasuresPanel, digits_of
from cmr_viewer.ui.features.measures.patient_dialog import PatientDialog
from cmr_viewer.ui.frame.mouse_tools import Canvas
from cmr_viewer.ui.window.actions import ActionSpec, Menu
from cmr_viewer.ui.window.feature import Context, Feature, Wire, save_settings
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.studies import show_study_dialog

_INSERTIONS = ("insertion_anterior", "insertion_inferior", "insertion_found")


class MeasuresFeature(Feature):
    """Shows the measures, and takes the reader's facts and marks.

    Attributes:
        measuring: What is measured.
        wall_panel: The bull's-eye.
        insertions: Draws the RV insertion points over the frame while the page is shown.
    """

    # fmt: off
    specs = (
        ActionSpec("patient", "Pat&ient and body size…", ("Ctrl+Shift+P",), "Set sex, age, height, weight, heart rate and how papillary muscles are counted", Menu.STUDY, icon="patient", section=2, short="Patient"),
        ActionSpec("copy_measures", "&Copy measures", ("Ctrl+Shift+C",), "Copy all measures to the clipboard as a table", Menu.STUDY, icon="copy", section=2, short="Copy"),
        ActionSpec("insertion_anterior", "Set &anterior RV insertion point here", ("Ctrl+Alt+A",), "Set the anterior RV insertion point under the pointer, at ED or ES", Menu.STUDY, section=3),
        ActionSpec("insertion_inferior", "Set in&ferior RV insertion point here", ("Ctrl+Alt+I",), "Set the inferior RV insertion point under the pointer, at ED or ES", Menu.STUDY, section=3),
        ActionSpec("insertion_found", "Reset RV insertion p&oints to automatic", (), "Calculate the RV insertion points from the label maps again", Menu.STUDY, section=3, short="Reset to automatic"),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.measuring = Measuring(context.session, context.settings, self)
        self.wall_panel = BullsEyePanel(context.actions["insertion_found"])
        self.panel = MeasuresPanel()
        shown = ("patient", "copy_measures", "report")
        self.panel.set_actions([context.actions[name] for name in shown if name in context.actions])
        context.parts.side.add_section(Page.MEASURES, "Measures", self.panel)
        context.parts.side.add_section(Page.MEASURES, "Wall", self.wall_panel)
        self._pointer: Point | None = None
        self.insertions = InsertionOverlay()
        context.parts.view.add_overlay(self.insertions)
        self._show_colours()

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {
            "patient": self.ask_patient,
            "copy_measures": self.copy,
            "insertion_anterior": self.set_anterior,
            "insertion_inferior": self.set_inferior,
            "insertion_found": self.measuring.find_insertions,
        }

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session, desk = self.context.session, self.context.desk
        return (
            (session.study.opened, self._show_study),
            (self.measuring.measured, self._show),
            (self.measuring.wall_measured, self._show_wall),
            (self.measuring.choices_changed, self.context.refresh_possible),
            (session.study.phase_marks_changed, self.context.refresh_possible),
            (session.study.phase_marks_changed, self._show),
            (session.study.phase_marks_changed, self._show_marks),
            (desk.frame_changed, self._show_current),
            (self.context.display.colours_changed, self._show_colours),
            (self.panel.curve.place.message, self.context.show_message),
            (self.panel.phase_chosen, desk.go_phase),
            (self.panel.mark_moved, self._move_mark),
            (self.wall_panel.segment_chosen, self.go_to_segment),
            (self.wall_panel.turned, self.measuring.turn_insertions),
            (self.context.parts.view.pointed, self._note_pointer),
            (self.context.parts.side.currentChanged, self._show_points),
        )

    def drop_study(self) -> None:
        """No values, curves or segments; `measuring` has dropped them by itself."""
        self._pointer = None
        self.panel.curve.set_times(None)
        self.panel.curve.set_phase(0)
        self._show_marks()
        self._show()
        self._show_wall()

    def possible(self) -> Mapping[str, bool]:
        """RV insertion points are those of the frames at ED and ES."""
        session, phase = self.context.session, self.context.desk.frame.phase
        at_mark = session.study.stack is not None and phase in (session.study.ed_phase, session.study.es_phase)
        return {
            "insertion_anterior": at_mark,
            "insertion_inferior": at_mark,
            "insertion_found": not self.measuring.choices.insertions.is_found,
        }

    # -- what is shown -------------------------------------------------------------------------------------------------

    @Slot()
    def _show_study(self) -> None:
        stack = self.context.session.study.stack
        self.panel.curve.set_times(None if stack is None else stack.phase_times_ms)
        self._show_marks()
        self._show()

    @Slot()
    def _show(self) -> None:
        """Values and curves."""
        panel, curves = self.panel, self.measuring.curves
        if curves is None:
            panel.show_measures(None)
            panel.curve.show_volumes((), "ml")
            panel.show_facts("", "")
            panel.show_rates("")
            panel.show_ed_es(None, ())
            return
        measures = self.measuring.measures
        panel.show_measures(measures)
        reading = self.context.session.study.reading
        if reading is not None:
            panel.show_ed_es(reading.ed_es_choice(), reading.ed_es_disagreements())
        normals, why_not = normals_of(measures)
        panel.show_ranges(measures, normals, why_not)
        convention = measures.papillary.text
        panel.show_facts(patient_text(measures), f"{convention[:1].upper()}{convention[1:]}.")
        lv, rv = (
            [float(value) if math.isfinite(value) else None for value in one.volumes_ml]
            for one in (curves.lv, curves.rv)
        )
        panel.curve.show_volumes(lv, curves.unit, rv)
        text, tip = rates_text(curves)
        panel.show_rates(text, tip)

    @Slot()
    def _show_wall(self) -> None:
        wall = self.measuring.wall
        note = wall.note or "The segments are calculated from the label maps at ED and ES."
        self.wall_panel.show_wall(wall.thickness_mm, wall.thickening_percent, SEGMENT_NAMES, note)
        self._show_current()

    @Slot()
    def _show_colours(self) -> None:
        self.panel.curve.set_colours(self.context.display.label_colours)

    @Slot()
    def _show_marks(self) -> None:
        self.panel.curve.set_marks(self.context.session.study.ed_phase, self.context.session.study.es_phase)

    @Slot()
    def _show_current(self) -> None:
        self.panel.curve.set_phase(self.context.desk.frame.phase)
        self._show_points()
        self.context.refresh_possible()

    @Slot()
    def _show_points(self) -> None:
        """Draw the RV insertion points while this page is shown."""
        wanted = self.context.parts.side.shows(Page.MEASURES)
        points = self.measuring.wall.points.get(self.context.desk.frame) if wanted else None
        if points != self.insertions.points:
            self.insertions.points = points
            self.context.parts.view.redraw()

    # -- what the reader does ------------------------------------------------------------------------------------------

    @Slot(str, int)
    def _move_mark(self, mark: str, phase: int) -> None:
        session = self.context.session
        if session.study.stack is not None:
            (session.study.set_ed if mark == "ED" else session.study.set_es)(phase)

    @Slot(int)
    def go_to_segment(self, segment: int) -> None:
        """Show the middle one of the slices that a segment was measured on, at end-diastole or where the reader is."""
        session, desk = self.context.session, self.context.desk
        slices = next((one.slices for one in self.measuring.wall.segments if one.number == segment), ())
        ed, es = session.study.ed_phase, session.study.es_phase
        if not slices or ed is None:
            return
        phase = desk.frame.phase if desk.frame.phase in (ed, es) else ed
        if desk.frame not in {FrameIndex(phase, index) for index in slices}:
            desk.player.stop()
            desk.go(FrameIndex(phase, slices[(len(slices) - 1) // 2]))

    @Slot(object)
    def _note_pointer(self, point: Point | None) -> None:
        self._pointer = point

    @Slot()
    def set_anterior(self) -> None:
        """The anterior RV insertion point is under the pointer."""
        self._set_insertion("anterior")

    @Slot()
    def set_inferior(self) -> None:
        """The inferior RV insertion point is under the pointer."""
        self._set_insertion("inferior")

    def _set_insertion(self, which: str) -> None:
        if self._pointer is None:
            key = self.context.actions[f"insertion_{which}"].shortcut().toString()
            self.context.show_message("info", f"Point at the {which} RV insertion in the frame and press {key}.")
            return
        why_not = self.measuring.set_insertion(self.context.desk.frame, **{which: self._pointer})
        if why_not:
            self.context.show_message("info", why_not)

    @Slot()
    def ask_patient(self) -> None:
        """Ask for facts of the patient."""
        study = self.context.session.study.data
        if study is None:
            return
        measuring = self.measuring
        dialog = PatientDialog(
            patient_in_files(study),
            measuring.choices.typed,
            measuring.formula,
            measuring.convention,
            self.context.window,
        )
        dialog.method_chosen.connect(self.choose_method)
        dialog.typed.connect(measuring.type_patient)
        show_study_dialog(dialog)

    @Slot(object, object)
    def choose_method(self, formula: BsaFormula, convention: PapillaryConvention) -> None:
        """Work measures out by a formula of body surface area and a convention for papillary muscles."""
        settings = self.context.settings
        if (settings.bsa_formula, settings.papillary) == (formula, convention):
            return
        settings.bsa_formula, settings.papillary = formula.value, convention.value
        save_settings(self.context)
        self.measuring.take_settings()

    @Slot()
    def copy(self) -> None:
        """Copy all values to the clipboard, as a table that text editors and spreadsheets take."""
        if self.context.session.study.data is None:
            return
        QApplication.clipboard().setText(table_of(self.measuring.measures))
        self.context.show_message("info", "Measures copied. You can paste the table into a spreadsheet or a document.")


def normals_of(measures: PatientMeasures) -> tuple[dict[str, NormalRange], str]:
    """Normal ranges by name of the measure; and where there is none at all, why."""
    found, reasons = {}, []
    for name in ALL_MEASURE_NAMES:
        normal, reason = normal_range(name, measures.patient, measures.papillary)
        if normal is not None:
            found[name] = normal
        elif reason:
            reasons.append(reason)
    return found, "" if found or not reasons else reasons[0]


def rates_text(curves: Curves) -> tuple[str, str]:
    """Peak rates on a line for each ventricle, or why there are none; and all of it with times and method."""
    lines = []
    for side, curve in (("LV", curves.lv), ("RV", curves.rv)):
        peaks = (("ejection", curve.peak_ejection), ("filling", curve.peak_filling))
        words = [f"{word} {peak.rate_ml_per_s:.0f}" for word, peak in peaks if peak is not None]
        if words and curves.unit == "ml":
            lines.append(f"{side} peak {', '.join(words)} ml/s")
    rates = [f"{text}: {value}" for text, value in curves.rates]
    return "\n".join(lines) or curves.lv.reason, "\n".join([*rates, curves.lv.method]).strip()


def patient_text(measures: PatientMeasures) -> str:
    """What is known of the patient, on a line or two."""
    patient, words = measures.patient, []
    if patient.sex is not None:
        words.append(patient.sex.text)
    for value, form in (
        (patient.age_years, "{:.0f} years"),
        (patient.height_cm, "{:.0f} cm"),
        (patient.weight_kg, "{:.0f} kg"),
        (patient.heart_rate_bpm, "{:.0f} beats/min"),
        (measures.bsa_m2, f"BSA {{:.2f}} m² ({measures.bsa_formula.text})"),
    ):
        if value is not None:
            words.append(form.format(value))
    if words and patient.heart_rate_bpm is None:
        words.append("heart rate not known")
    return " · ".join(words) if words else "No patient data. Enter sex, age and body size."


def table_of(measures: PatientMeasures) -> str:
    """All values as text: tab-separated name, value, unit, normal range; how they were measured below."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(["measure", "value", "unit", "normal low", "normal high"])
    normals, _ = normals_of(measures)
    for name in ALL_MEASURE_NAMES:
        value, normal = measures.values.get(name), normals.get(name)
        shown = "" if value is None else f"{value:.{digits_of(name) + 1}f}"
        limits = ["", ""] if normal is None else [f"{normal.low:g}", f"{normal.high:g}"]
        writer.writerow([text_of(name), shown, unit_of(name), *limits])
    writer.writerow([measures.papillary.text])
    return text.getvalue()


_ARM_PX = 5.0
_TINTS = ((QColor(0, 0, 0, 190), 3.6), (QColor("#ffffff"), 1.6))
"""Colours and widths, the lower first: white with a dark rim is seen on blood and on muscle."""


class InsertionOverlay:
    """Draws the points of the displayed frame; given to `FrameView.add_overlay`.

    Attributes:
        points: What is drawn; None for nothing.
    """

    def __init__(self) -> None:
        self.points: InsertionPoints | None = None

    def __call__(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw a cross at each point, with A for anterior or I for inferior; in the widget's own pixels."""
        if self.points is None:
            return
        painter.resetTransform()
        for letter, point in (("A", self.points.anterior), ("I", self.points.inferior)):
            at = canvas.to_widget(point)
            text = QRectF(at.x() + _ARM_PX, at.y() - _ARM_PX - 14.0, 16.0, 16.0)
            for tint, width in _TINTS:
                painter.setPen(QPen(tint, width))
                for slope in (-_ARM_PX, _ARM_PX):
                    painter.drawLine(at - QPointF(_ARM_PX, slope), at + QPointF(_ARM_PX, slope))
                moved = text.translated(1.0, 1.0) if width > 2 else text
                painter.drawText(moved, Qt.AlignmentFlag.AlignCenter, letter)
