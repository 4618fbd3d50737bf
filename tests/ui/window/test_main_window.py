import subprocess
import sys

import nibabel
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QDialog

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import RegionPrediction, ReviewStatus
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.promote.records import End, Outcome
from cmr_viewer.ui.dialogs.program_dialogs import NOT_A_DEVICE, About
from cmr_viewer.ui.features.export.feature import export_label_maps
from cmr_viewer.ui.features.keys.feature import KeysSheet
from cmr_viewer.ui.features.measures.feature import MeasuresFeature
from cmr_viewer.ui.features.models.feature import ModelsFeature
from cmr_viewer.ui.features.region.feature import RegionFeature
from cmr_viewer.ui.features.worklist.feature import WorklistFeature
from cmr_viewer.ui.frame.image import ImageFeature
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import PATIENCE_MS, settle

Key, Held = Qt.Key, Qt.KeyboardModifier


def press(qtbot, window: MainWindow, key: Key, held: Held = Held.NoModifier) -> None:
    qtbot.keyClick(window.parts.view, key, held)


def paint(qtbot, window: MainWindow, points, button=Qt.MouseButton.LeftButton) -> None:
    view = window.parts.view
    first, *others = [view.to_widget(point).toPoint() for point in points]
    qtbot.mousePress(view, button, pos=first)
    for at in others:
        qtbot.mouseMove(view, at)
    qtbot.mouseRelease(view, button, pos=others[-1] if others else first)


def labels(window: MainWindow):
    return window.session.study.frame_state(window.desk.frame).labels.copy()


# Opening


def test_the_frame_is_on_show_before_anything_is_computed(window, study_path, qtbot):
    with qtbot.waitSignal(window.session.study.opened, timeout=PATIENCE_MS):
        window.session.opening.open_path(study_path)
    assert window.parts.middle.currentWidget() is window.parts.desk_page
    assert window.session.study.frame_state(window.desk.frame).labels is None
    shown = window.parts.view.grab().toImage()
    across = {shown.pixelColor(x, shown.height() // 2).lightness() for x in range(shown.width())}
    assert len(across) > 20
    assert window.windowTitle().startswith("phantom")


def test_regions_and_label_maps_arrive_in_the_thumbnails(open_window):
    for frame in open_window.session.study.stack.frame_indices:
        state = open_window.session.study.frame_state(frame)
        cell = open_window.parts.strip.cell(frame)
        assert cell.region is state.region
        assert cell.probability == pytest.approx(0.85)
        assert open_window.parts.strip.border_colour(frame).name() == open_window.settings.region_colour(state.region)


def test_what_is_no_study_is_said_over_the_frame(window, tmp_path, qtbot):
    with qtbot.waitSignal(window.session.opening.failed, timeout=PATIENCE_MS):
        window.session.opening.open_path(tmp_path)
    assert window.parts.messages.isVisible()
    assert window.parts.messages.text
    assert window.parts.bell.messages[-1].severity == "error"


def test_a_dropped_file_is_opened(window, study_path, qtbot):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(study_path))])
    drop = QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Held.NoModifier)
    with qtbot.waitSignal(window.session.study.opened, timeout=PATIENCE_MS):
        window.dropEvent(drop)
    assert window.session.study.data.source == study_path


def test_closing_the_study_leads_back_to_the_welcome_page_and_names_it_there(open_window, study_path):
    open_window.actions_by_id["close_study"].trigger()
    assert open_window.parts.middle.currentWidget() is open_window.parts.welcome
    assert open_window.settings.recent_studies == [str(study_path)]
    assert not open_window.actions_by_id["accept"].isEnabled()


def test_the_worklist_shows_the_open_study(open_window):
    assert open_window.feature(WorklistFeature).panel._list.model().rowCount() == 1
    assert "7 slices · 6 phases" in open_window.feature(WorklistFeature).panel._facts.text()


# Going about


def test_arrow_keys_go_through_slices_and_phases(open_window, qtbot):
    start = open_window.desk.frame
    press(qtbot, open_window, Key.Key_Down)
    assert open_window.desk.frame == FrameIndex(start.phase, start.slice_index + 1)
    press(qtbot, open_window, Key.Key_Up)
    press(qtbot, open_window, Key.Key_Up)
    assert open_window.desk.frame == FrameIndex(start.phase, start.slice_index - 1)
    press(qtbot, open_window, Key.Key_Right)
    assert open_window.desk.frame.phase == start.phase + 1
    press(qtbot, open_window, Key.Key_Left)
    press(qtbot, open_window, Key.Key_Left)
    assert open_window.desk.frame.phase == (start.phase - 1) % 6


def test_slices_end_at_base_and_apex(open_window, qtbot):
    for _ in range(10):
        press(qtbot, open_window, Key.Key_Up)
    assert open_window.desk.frame.slice_index == 0
    for _ in range(10):
        press(qtbot, open_window, Key.Key_Down)
    assert open_window.desk.frame.slice_index == 6


def test_d_and_s_go_to_ed_and_es_and_alt_sets_them(open_window, phantom, qtbot):
    press(qtbot, open_window, Key.Key_S)
    assert open_window.desk.frame.phase == phantom.es_phase
    press(qtbot, open_window, Key.Key_D)
    assert open_window.desk.frame.phase == 0
    open_window.desk.go_phase(4)
    press(qtbot, open_window, Key.Key_S, Held.AltModifier)
    assert open_window.session.study.es_phase == 4


def test_space_plays_and_pauses(open_window, qtbot):
    press(qtbot, open_window, Key.Key_Space)
    assert open_window.desk.player.running
    assert open_window.actions_by_id["play"].isChecked()
    before = open_window.desk.frame
    qtbot.waitUntil(lambda: open_window.desk.frame != before, timeout=5000)
    press(qtbot, open_window, Key.Key_Space)
    assert not open_window.desk.player.running
    assert not open_window.actions_by_id["play"].isChecked()


def test_the_keyboard_belongs_to_a_slider_that_has_it(open_window, qtbot):
    before, slider = open_window.desk.frame, open_window.feature(ImageFeature).panel._fill
    slider.setFocus()
    value = slider.value()
    qtbot.keyClick(slider, Key.Key_Right)
    assert slider.value() == value + 1
    assert open_window.desk.frame == before
    assert open_window.settings.overlay_opacity == pytest.approx((value + 1) / 100)


def test_n_goes_to_the_frame_that_is_said_to_be_next(open_window, qtbot):
    wanted = open_window.session.study.next_review(open_window.desk.frame).frame
    assert (
        f"Slice {wanted.slice_index + 1}, phase {wanted.phase + 1}"
        in open_window.feature(WorklistFeature).panel._next.text()
    )
    press(qtbot, open_window, Key.Key_N)
    assert open_window.desk.frame == wanted


# Painting


def test_painting_changes_the_pixels_under_the_pointer_and_no_others(open_window, qtbot):
    before = labels(open_window)
    press(qtbot, open_window, Key.Key_3)
    open_window.desk.set_radius(0.6)
    paint(qtbot, open_window, [(10.0, 30.0), (10.0, 34.0)])
    after = labels(open_window)
    changed = {tuple(p) for p in np.argwhere(before != after).tolist()}
    assert changed == {(10, col) for col in range(30, 35)}
    assert (after[10, 30:35] == int(Label.RVBP)).all()


def test_a_stroke_on_an_accepted_frame_shows_at_once_that_it_is_accepted_no_longer(open_window, qtbot):
    window = open_window
    with qtbot.waitSignal(window.session.study.frames_accepted):
        window.actions_by_id["accept"].trigger()
    qtbot.waitUntil(lambda: "Accepted" in window.parts.view._notes.state)
    window.actions_by_id["label_lvm"].trigger()
    paint(qtbot, window, [(4, 4), (4, 9)])
    assert window.parts.view._notes.state == "Corrected"


def test_undo_brings_the_label_map_back_and_redo_the_stroke(open_window, qtbot):
    before = labels(open_window)
    press(qtbot, open_window, Key.Key_1)
    paint(qtbot, open_window, [(12.0, 30.0), (20.0, 34.0)])
    painted = labels(open_window)
    assert not np.array_equal(before, painted)
    assert "Undo" in open_window.actions_by_id["undo"].text().replace("&", "")
    frame = open_window.desk.frame
    press(qtbot, open_window, Key.Key_Down)
    press(qtbot, open_window, Key.Key_Z, Held.ControlModifier)
    assert open_window.desk.frame == frame
    assert np.array_equal(labels(open_window), before)
    press(qtbot, open_window, Key.Key_Y, Held.ControlModifier)
    assert np.array_equal(labels(open_window), painted)


def test_the_right_button_erases_whatever_label_is_chosen(open_window, phantom, qtbot):
    press(qtbot, open_window, Key.Key_2)
    row, col = np.argwhere(labels(open_window) == int(Label.LVBP))[0]
    paint(qtbot, open_window, [(float(row), float(col))], Qt.MouseButton.RightButton)
    assert labels(open_window)[row, col] == 0


def test_brackets_change_the_brush(open_window, qtbot):
    open_window.desk.set_radius(4.0)
    press(qtbot, open_window, Key.Key_BracketRight)
    assert open_window.desk.radius_px == 4.5
    press(qtbot, open_window, Key.Key_BracketLeft)
    press(qtbot, open_window, Key.Key_BracketLeft)
    assert open_window.desk.radius_px == 3.5


def test_a_label_key_takes_the_brush_and_b_puts_it_away(open_window, qtbot):
    press(qtbot, open_window, Key.Key_2)
    assert open_window.desk.brush_on
    assert open_window.actions_by_id["label_lvm"].isChecked()
    press(qtbot, open_window, Key.Key_B)
    assert not open_window.desk.brush_on


def test_the_label_map_is_copied_to_the_next_slice(open_window, qtbot):
    source, frame = labels(open_window), open_window.desk.frame
    press(qtbot, open_window, Key.Key_C)
    assert open_window.desk.frame == FrameIndex(frame.phase, frame.slice_index + 1)
    assert np.array_equal(labels(open_window), source)


# Regions


def test_the_panel_and_the_strip_say_where_the_stack_overrules_the_frame_alone(open_window, qtbot):
    frame = open_window.desk.frame
    alone = RegionPrediction((0.1, 0.2, 0.61, 0.09), "classifier-1", Region.MIDDLE, (0.05, 0.9, 0.05, 0.0))
    open_window.session.study.reading.frames.receive_region(frame, alone)
    open_window.session.study.carry_out()
    settle(qtbot, open_window)
    assert open_window.feature(RegionFeature).panel._decided.text() == (
        "Set by the classifier. By itself the frame looks like apex (61 %); by its place in the stack it is middle."
    )
    assert open_window.parts.strip.cell(frame).probability == pytest.approx(0.9)
    assert open_window.parts.strip.cell(frame).differs == alone.differs


def test_a_frame_that_the_reader_calls_non_cardiac_loses_its_marks_at_once_and_gets_them_back(open_window, qtbot):
    frame, before = open_window.desk.frame, labels(open_window)
    assert before.any()
    press(qtbot, open_window, Key.Key_4, Held.ShiftModifier)
    assert not open_window.session.study.frame_state(frame).labels.any()
    assert (
        open_window.feature(RegionFeature).panel._reason.text()
        == "Region non-cardiac by the reader; the label map is empty."
    )
    assert open_window.feature(RegionFeature).panel._model.isHidden(), "no model was asked"
    press(qtbot, open_window, Key.Key_Z, Held.ControlModifier)
    assert np.array_equal(labels(open_window), before)


@pytest.mark.parametrize("region", [Region.BASE, Region.APEX])
def test_a_region_button_sets_the_region_and_the_frame_is_segmented_anew(open_window, knowing, region, qtbot):
    frame = open_window.desk.frame
    qtbot.mouseClick(open_window.feature(RegionFeature).panel._buttons[region], Qt.MouseButton.LeftButton)
    settle(qtbot, open_window)
    state = open_window.session.study.frame_state(frame)
    assert (state.region, state.region_by) == (region, "reader")
    assert frame in knowing.segmented
    assert open_window.parts.strip.cell(frame).probability is None
    assert open_window.parts.strip.border_colour(frame).name() == open_window.settings.region_colour(region)
    assert open_window.feature(RegionFeature).panel._buttons[region].isChecked()


def test_shift_and_a_number_set_the_region(open_window, qtbot):
    press(qtbot, open_window, Key.Key_3, Held.ShiftModifier)
    settle(qtbot, open_window)
    assert open_window.session.study.frame_state(open_window.desk.frame).region is Region.APEX


def test_an_edited_label_map_stays_and_the_new_prediction_is_offered_beside_it(open_window, qtbot):
    press(qtbot, open_window, Key.Key_3)
    paint(qtbot, open_window, [(10.0, 30.0), (10.0, 34.0)])
    mine = labels(open_window)
    press(qtbot, open_window, Key.Key_3, Held.ShiftModifier)
    settle(qtbot, open_window)
    assert np.array_equal(labels(open_window), mine)
    bar = open_window.parts.proposal
    assert bar.isVisible()
    assert "apex specialist" in bar._text.text()
    assert open_window.parts.strip.cell(open_window.desk.frame).offered
    press(qtbot, open_window, Key.Key_V)
    assert open_window.parts.view.shows_proposal
    press(qtbot, open_window, Key.Key_T)
    settle(qtbot, open_window)
    assert not np.array_equal(labels(open_window), mine)
    assert not bar.isVisible()
    press(qtbot, open_window, Key.Key_Z, Held.ControlModifier)
    assert np.array_equal(labels(open_window), mine)


def test_keep_mine_drops_the_offer(open_window, qtbot):
    press(qtbot, open_window, Key.Key_3)
    paint(qtbot, open_window, [(10.0, 30.0), (10.0, 34.0)])
    press(qtbot, open_window, Key.Key_1, Held.ShiftModifier)
    settle(qtbot, open_window)
    press(qtbot, open_window, Key.Key_K)
    settle(qtbot, open_window)
    assert not open_window.parts.proposal.isVisible()
    assert not open_window.actions_by_id["proposal_take"].isEnabled()


# Accepting, measuring, keeping


def test_enter_accepts_and_the_progress_follows(open_window, qtbot):
    press(qtbot, open_window, Key.Key_Return)
    settle(qtbot, open_window)
    frame = open_window.desk.frame
    assert open_window.session.study.frame_state(frame).status is ReviewStatus.ACCEPTED
    assert open_window.parts.strip.cell(frame).accepted
    assert open_window.feature(WorklistFeature).panel._review.text() == "1 of 42 accepted"


def test_the_measures_and_the_curve_are_those_of_the_label_maps(open_window, qtbot):
    measures = open_window.session.study.measures
    qtbot.waitUntil(
        lambda: open_window.feature(MeasuresFeature).panel._figures["lv_edv_ml"].text() != "\N{EN DASH}", timeout=5000
    )
    assert (
        open_window.feature(MeasuresFeature).panel._figures["lv_edv_ml"].text() == f"{measures.values['lv_edv_ml']:.0f}"
    )
    curve = open_window.feature(MeasuresFeature).panel.curve.curves["LV"]
    assert len(curve) == 6
    assert curve[measures.ed_phase] == pytest.approx(measures.values["lv_edv_ml"])


def test_exported_label_maps_are_those_on_show_on_the_grid_of_the_input(open_window, study_path, tmp_path, qtbot):
    told = []
    path = tmp_path / "out.nii.gz"
    export_label_maps(open_window.session, open_window.session.study.data, path, lambda *args: told.append(args))
    qtbot.waitUntil(lambda: bool(told), timeout=PATIENCE_MS)
    assert told[0][0] == "info"
    written, given = nibabel.load(path), nibabel.load(study_path)
    assert written.shape == given.shape
    assert np.array_equal(written.affine, given.affine)
    frames = open_window.session.study.stack.frame_indices
    shown = sum(int((open_window.session.study.frame_state(frame).labels > 0).sum()) for frame in frames)
    assert int((np.asarray(written.dataobj) > 0).sum()) == shown


# Models and training


def test_the_models_in_service_are_named(open_window, qtbot):
    panel = open_window.feature(ModelsFeature).panel
    qtbot.waitUntil(lambda: panel.texts(Role.BASE)[0] == "base-1", timeout=5000)
    assert panel.texts(Role.BASE)[1].startswith("Came with the program.")
    assert not panel._rows[Role.BASE]._back.isEnabled()


def test_a_training_is_seen_and_its_end_is_told_with_its_reason(open_window):
    models, line = open_window.feature(ModelsFeature).panel, open_window.feature(ModelsFeature).line
    open_window.retraining.started.emit("base")
    open_window.retraining.progressed.emit(0.5, "Iteration 10 of 20")
    assert not models._training.isHidden()
    assert "Training 50 %" in line.text
    open_window.retraining.finished.emit(Outcome(Role.BASE, End.NOT_PROMOTED, "Too few frames to tell."))
    assert models._training.isHidden()
    assert "Too few frames to tell." in models._outcome.text()
    assert line.key is None


# Dialogs and messages


def dialogs(window: MainWindow, kind):
    return [child for child in window.findChildren(QDialog) if isinstance(child, kind) and child.isVisible()]


def test_f1_shows_the_sheet_of_keys(window, qtbot):
    qtbot.keyClick(window, Key.Key_F1)
    (sheet,) = dialogs(window, KeysSheet)
    sheet.close()


def test_the_about_box_says_that_it_is_no_medical_device(window):
    window.actions_by_id["about"].trigger()
    (about,) = dialogs(window, About)
    assert "not a medical device" in NOT_A_DEVICE
    about.close()


def test_messages_cover_the_frame_without_moving_it(open_window):
    view = open_window.parts.view
    before = view.geometry(), view.to_widget((5.0, 5.0))
    open_window.session.message.emit("warning", "The slices are not evenly spaced.")
    assert open_window.parts.messages.isVisible()
    assert (view.geometry(), view.to_widget((5.0, 5.0))) == before
    assert "1" in open_window.parts.bell.text()
    open_window.parts.bell.open_list()
    assert open_window.parts.bell.text() == ""
    for dialog in dialogs(open_window, QDialog):
        dialog.close()


def test_an_error_stays_until_it_is_closed(window):
    window.show_message("error", "The file cannot be read.")
    window.show_message("info", "Something else.")
    assert window.parts.messages.text == "The file cannot be read."
    window.parts.messages._close()
    window.show_message("info", "Something else.")
    assert window.parts.messages.text == "Something else."


def test_other_colours_are_seen_at_once(open_window):
    frame = open_window.desk.frame
    region = open_window.session.study.frame_state(frame).region
    open_window.settings.region_colours[region.value] = "#abcdef"
    open_window._take_settings()
    assert open_window.parts.strip.border_colour(frame).name() == "#abcdef"
    assert open_window.settings.path.exists()


def test_every_control_has_a_name_and_every_button_a_tip(open_window):
    from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QComboBox, QScrollBar, QTabBar

    for kind in (QAbstractButton, QAbstractSlider, QComboBox):
        for control in open_window.centralWidget().findChildren(kind):
            if isinstance(control, QScrollBar) or control.objectName().startswith("qt_"):
                continue
            if isinstance(control.parent(), QTabBar):
                continue  # Qt's own buttons for tabs that do not fit; ours always do, and they stay hidden
            assert control.accessibleName() or getattr(control, "text", str)(), control
            assert control.toolTip(), (control, control.accessibleName())


def test_the_window_comes_without_torch():
    code = (
        "import sys; import cmr_viewer.ui.window.main_window, cmr_viewer.ui.window.run;"
        "print([m for m in ('torch', 'SimpleITK', 'nibabel', 'pydicom', 'highdicom') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
