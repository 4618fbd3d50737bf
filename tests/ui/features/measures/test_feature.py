"""The page of the measures in the window."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.study_measures import AS_FOUND, Insertions
from cmr_viewer.ui.features.measures.bulls_eye import Shown
from cmr_viewer.ui.features.measures.feature import MeasuresFeature
from cmr_viewer.ui.features.measures.patient_dialog import PatientDialog
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import settle

DASH = "\N{EN DASH}"


def feature_of(window: MainWindow) -> MeasuresFeature:
    return window.feature(MeasuresFeature)


def measured(qtbot, window: MainWindow) -> MeasuresFeature:
    feature = feature_of(window)
    qtbot.waitUntil(lambda: not feature.measuring.is_measuring and bool(feature.measuring.wall.segments), timeout=20000)
    settle(qtbot, window)
    return feature


def ml_of_a_voxel(phantom) -> float:
    geometry = phantom.stack.geometry
    return geometry.pixel_spacing_mm[0] * geometry.pixel_spacing_mm[1] * geometry.slice_spacing_mm / 1000.0


def test_the_curves_are_the_volumes_of_both_ventricles(open_window, qtbot):
    measured(qtbot, open_window)
    session, curve = open_window.session, open_window.feature(MeasuresFeature).panel.curve
    stack = session.study.stack
    pixel = np.prod(stack.geometry.pixel_spacing_mm) * stack.geometry.slice_spacing_mm / 1000.0
    for name, label in (("LV", Label.LVBP), ("RV", Label.RVBP)):
        for phase in range(stack.phases):
            shown = [session.study.frame_state(FrameIndex(phase, index)).labels for index in range(stack.slices)]
            voxels = sum(int((labels == label).sum()) for labels in shown)
            assert curve.curves[name][phase] == pytest.approx(voxels * pixel)


def test_the_curve_follows_a_stroke_before_the_brush_is_lifted(open_window, qtbot):
    measured(qtbot, open_window)
    desk, curve = open_window.desk, open_window.feature(MeasuresFeature).panel.curve
    before = curve.curves["RV"][desk.frame.phase]
    desk.choose_label(Label.RVBP)
    desk.begin_stroke(3.0, 3.0, False)
    desk.extend_stroke(3.0, 12.0)
    qtbot.waitUntil(lambda: curve.curves["RV"][desk.frame.phase] > before, timeout=5000)
    assert desk.painting
    desk.end_stroke()


def test_without_body_size_indexed_values_say_why_they_are_missing(open_window, qtbot):
    feature = measured(qtbot, open_window)
    reasons = feature.measuring.measures.reasons
    assert "height and weight" in reasons["lv_edv_index_ml_per_m2"]
    assert "height and weight" in open_window.feature(MeasuresFeature).panel._figures["lv_edv_ml"].toolTip()


def test_typed_facts_index_the_values_and_can_be_undone(open_window, qtbot):
    feature, session = measured(qtbot, open_window), open_window.session
    feature.measuring.type_patient(Patient(sex=Sex.MALE, age_years=50, height_cm=180, weight_kg=80, heart_rate_bpm=60))
    measures = feature.measuring.measures
    assert measures.bsa_m2 == pytest.approx(2.0)  # sqrt(180 * 80 / 3600)
    assert measures.values["lv_edv_index_ml_per_m2"] == pytest.approx(session.study.measures.values["lv_edv_ml"] / 2.0)
    assert measures.values["lv_co_l_per_min"] == pytest.approx(session.study.measures.values["lv_sv_ml"] * 60 / 1000)
    assert session.study.undo_text == "patient data"
    session.study.undo()
    assert feature.measuring.measures.bsa_m2 is None


def test_typed_facts_are_there_when_the_study_is_opened_again(open_window, study_path, qtbot):
    feature, session = measured(qtbot, open_window), open_window.session
    feature.measuring.type_patient(Patient(height_cm=180, weight_kg=80))
    feature.measuring.set_insertions(Insertions(12.0))
    settle(qtbot, open_window)
    session.close_study()
    assert feature.measuring.choices.typed == Patient()
    with qtbot.waitSignal(session.study.restored, timeout=20000):
        session.opening.open_path(study_path)
    qtbot.waitUntil(lambda: feature.measuring.choices.typed == Patient(height_cm=180, weight_kg=80), timeout=5000)
    assert feature.measuring.choices.insertions == Insertions(12.0)


def test_a_value_outside_its_normal_range_is_marked(open_window, qtbot):
    feature = measured(qtbot, open_window)
    feature.measuring.type_patient(Patient(sex=Sex.FEMALE, age_years=50, height_cm=170, weight_kg=65))
    cell = open_window.feature(MeasuresFeature).panel._cells["lv_ef_percent"]
    measures = feature.measuring.measures
    low, high = 61 - 1.96 * 5, 61 + 1.96 * 5  # Petersen et al. 2017: 61 % with an SD of 5 % in women
    ef = measures.values["lv_ef_percent"]
    assert cell.gauge.place == pytest.approx((ef - low) / (high - low))
    assert cell.gauge.is_outside == (not low <= ef <= high)
    assert "Petersen" in cell.figure.toolTip()


def test_dragging_es_on_the_curve_marks_another_phase(open_window, qtbot):
    measured(qtbot, open_window)
    session, curve = open_window.session, open_window.feature(MeasuresFeature).panel.curve
    open_window.parts.side.show_measures()
    es = session.study.es_phase
    wanted = es - 1
    grip = curve.grip("ES").center().toPoint()
    qtbot.mousePress(curve, Qt.MouseButton.LeftButton, pos=grip)
    qtbot.mouseMove(curve, QPoint(round(curve.x_of(wanted)), grip.y()))
    assert session.study.es_phase == es
    qtbot.mouseRelease(curve, Qt.MouseButton.LeftButton, pos=QPoint(round(curve.x_of(wanted)), grip.y()))
    assert session.study.es_phase == wanted
    assert curve.marks[1] == wanted
    assert open_window.actions_by_id["undo"].isEnabled()


def test_a_click_on_the_curve_goes_to_the_phase_and_the_pointer_tells_it(open_window, qtbot):
    measured(qtbot, open_window)
    open_window.parts.side.show_measures()
    QApplication.processEvents()  # the page is laid out when it is first shown
    curve = open_window.feature(MeasuresFeature).panel.curve
    qtbot.waitUntil(lambda: curve.area().width() > 150, timeout=5000)
    at = QPoint(round(curve.x_of(4)), round(curve.area().bottom()) - 2)
    qtbot.mouseMove(curve, at)
    qtbot.waitUntil(lambda: curve.pointer_text.startswith("Phase 5"), timeout=5000)
    assert "LV" in curve.pointer_text
    assert "RV" in curve.pointer_text
    qtbot.mouseClick(curve, Qt.MouseButton.LeftButton, pos=at)
    assert open_window.desk.frame.phase == 4


def test_the_bulls_eye_shows_what_was_measured(open_window, qtbot):
    feature = measured(qtbot, open_window)
    eye = feature.wall_panel.eye
    wall = feature.measuring.wall
    assert eye.values == wall.thickness_mm
    thick = [value for value in wall.thickness_mm.values() if value is not None]
    assert thick
    assert all(2.0 < value < 25.0 for value in thick)
    feature.wall_panel._choices.button(list(Shown).index(Shown.THICKENING)).click()
    assert eye.values == wall.thickening_percent


def test_a_click_on_a_segment_goes_to_a_slice_it_was_measured_on(open_window, qtbot):
    feature = measured(qtbot, open_window)
    open_window.parts.side.show_measures()
    segment = next(one for one in feature.measuring.wall.segments if one.slices)
    other = next(index for index in range(open_window.session.study.stack.slices) if index not in segment.slices)
    open_window.desk.go_slice(other)
    eye = feature.wall_panel.eye
    qtbot.mouseClick(eye, Qt.MouseButton.LeftButton, pos=eye.point_of(segment.number).toPoint())
    assert open_window.desk.frame.slice_index in segment.slices
    assert open_window.desk.frame.phase in (open_window.session.study.ed_phase, open_window.session.study.es_phase)
    assert str(segment.number) in feature.wall_panel.summary


def test_turning_the_rim_turns_the_insertion_points_and_as_found_takes_it_back(open_window, qtbot):
    feature = measured(qtbot, open_window)
    open_window.parts.side.show_measures()
    eye = feature.wall_panel.eye
    middle, radius = eye._circle()
    right, above = QPointF(radius * 1.08, 0.0), QPointF(0.0, -radius * 1.08)
    qtbot.mousePress(eye, Qt.MouseButton.LeftButton, pos=(middle + right).toPoint())
    qtbot.mouseMove(eye, (middle + above).toPoint())
    qtbot.mouseRelease(eye, Qt.MouseButton.LeftButton, pos=(middle + above).toPoint())
    assert feature.measuring.choices.insertions.turn_degrees == pytest.approx(90.0, abs=2.0)
    qtbot.waitUntil(lambda: "by the reader" in feature.wall_panel.note, timeout=20000)
    open_window.actions_by_id["insertion_found"].trigger()
    assert feature.measuring.choices.insertions == AS_FOUND
    qtbot.waitUntil(lambda: "automatic, from the label maps" in feature.wall_panel.note, timeout=20000)


def test_an_insertion_point_is_set_where_the_pointer_is(open_window, qtbot):
    feature, session = measured(qtbot, open_window), open_window.session
    open_window.desk.go(FrameIndex(session.study.ed_phase, 3))
    open_window.parts.view.pointed.emit((20.0, 18.0))
    open_window.actions_by_id["insertion_anterior"].trigger()
    points = feature.measuring.choices.insertions.points
    assert points[FrameIndex(session.study.ed_phase, 3)].anterior == (20.0, 18.0)
    session.study.undo()
    assert feature.measuring.choices.insertions == AS_FOUND


def test_insertion_points_are_drawn_over_ed_and_es_while_the_measures_are_on_show(open_window, qtbot):
    feature = measured(qtbot, open_window)
    frame = FrameIndex(open_window.session.study.ed_phase, 3)
    open_window.desk.go(frame)
    assert feature.insertions.points is None
    open_window.actions_by_id["page_measures"].trigger()
    assert feature.insertions.points == feature.measuring.wall.points[frame]
    view = open_window.parts.view
    row, col = feature.insertions.points.anterior
    at = view.to_widget((row, col)).toPoint()
    assert view.grab().toImage().pixelColor(at).lightness() > 200
    other = next(
        p for p in range(6) if p not in (open_window.session.study.ed_phase, open_window.session.study.es_phase)
    )
    open_window.desk.go_phase(other)
    assert feature.insertions.points is None


def test_insertion_points_are_set_at_ed_and_es_only(open_window, qtbot):
    measured(qtbot, open_window)
    session = open_window.session
    other = next(
        p for p in range(session.study.stack.phases) if p not in (session.study.ed_phase, session.study.es_phase)
    )
    open_window.desk.go_phase(other)
    assert not open_window.actions_by_id["insertion_anterior"].isEnabled()
    open_window.desk.go_phase(session.study.ed_phase)
    assert open_window.actions_by_id["insertion_anterior"].isEnabled()


def test_papillary_muscles_in_the_mass_move_volume_from_the_pool_to_the_wall(open_window, qtbot):
    feature = measured(qtbot, open_window)
    before = feature.measuring.measures
    feature.choose_method(before.bsa_formula, PapillaryConvention.IN_MASS)
    qtbot.waitUntil(lambda: feature.measuring.measures.values["lv_edv_ml"] is not None, timeout=20000)
    after = feature.measuring.measures
    moved_ml = before.values["lv_edv_ml"] - after.values["lv_edv_ml"]
    assert moved_ml >= 0
    assert after.values["lv_mass_g"] - before.values["lv_mass_g"] == pytest.approx(1.05 * moved_ml)
    assert "mass" in open_window.feature(MeasuresFeature).panel._method.text()


def test_the_copied_table_holds_every_value(open_window, qtbot):
    feature = measured(qtbot, open_window)
    open_window.actions_by_id["copy_measures"].trigger()
    lines = [line.split("\t") for line in QApplication.clipboard().text().splitlines()]
    edv = next(line for line in lines if line[0] == "LV EDV")
    assert float(edv[1]) == pytest.approx(feature.measuring.measures.values["lv_edv_ml"], abs=0.05)
    assert edv[2] == "ml"
    assert lines[-1] == ["papillary muscles in the blood pool"]


def test_the_dialog_tells_only_what_differs_from_the_files(app, qtbot):
    in_files = Patient(sex=Sex.FEMALE, height_cm=170.4, heart_rate_bpm=61.6)
    dialog = PatientDialog(in_files, Patient(), *_METHOD)
    qtbot.addWidget(dialog)
    told = []
    dialog.typed.connect(told.append)
    dialog._numbers["weight_kg"].setValue(72.5)
    dialog.accept()
    assert told == [Patient(weight_kg=72.5)]


def test_the_dialog_shows_the_body_surface_area_of_what_is_typed(app, qtbot):
    dialog = PatientDialog(Patient(), Patient(), *_METHOD)
    qtbot.addWidget(dialog)
    assert "not known" in dialog.bsa_text
    dialog._numbers["height_cm"].setValue(180)
    dialog._numbers["weight_kg"].setValue(80)
    assert dialog.bsa_text == "2.00 m²"
    dialog._use_the_files()
    assert dialog.entered == Patient()


def test_without_a_study_nothing_is_shown(open_window, qtbot):
    feature = measured(qtbot, open_window)
    open_window.session.close_study()
    panel = open_window.feature(MeasuresFeature).panel
    assert all(figure.text() == DASH for figure in panel._figures.values())
    assert panel.curve.phases == 0
    assert not any(feature.wall_panel.eye.values.values())


def _method():
    from cmr_viewer.domain.measures.patient_measures import BsaFormula

    return BsaFormula.MOSTELLER, PapillaryConvention.IN_BLOOD_POOL


_METHOD = _method()


def test_a_marked_ed_that_disagrees_with_the_curve_is_shown_and_a_click_takes_the_other(open_window, qtbot):
    measured(qtbot, open_window)
    session, panel = open_window.session, open_window.feature(MeasuresFeature).panel
    ed, es = session.study.ed_phase, session.study.es_phase
    text, button, whole = panel._disagreements["ED"]
    assert whole.isHidden() and "largest LV blood pool" in panel._ed_es.text()
    session.study.set_ed(es)
    assert not whole.isHidden()
    assert f"ED is phase {es + 1} as set by the reader." in text.text()
    assert button.text() == f"Use phase {ed + 1} as ED"
    button.click()
    assert session.study.ed_phase == ed and whole.isHidden()
    session.study.undo()
    assert session.study.ed_phase == es and not whole.isHidden()
