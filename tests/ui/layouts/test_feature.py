import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QEnterEvent, QImage
from PySide6.QtWidgets import QApplication

from cmr_viewer.app.settings import LAYOUTS, Settings
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.features.long_axis.feature import LongAxisFeature
from cmr_viewer.ui.frame.image import ImageFeature
from cmr_viewer.ui.layouts.before_after import BeforeAfterLayout, Earlier
from cmr_viewer.ui.layouts.ed_es import EdEsLayout
from cmr_viewer.ui.layouts.feature import LayoutsFeature
from cmr_viewer.ui.layouts.montage_plan import Columns
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import PATIENCE_MS, settle

LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton
ED, ES = 0, 2
"""The phantom is largest at its first phase and smallest two phases later."""
SLICE = 3


@pytest.fixture
def window(open_window: MainWindow) -> MainWindow:
    assert (open_window.session.study.ed_phase, open_window.session.study.es_phase) == (ED, ES)
    open_window.desk.go(FrameIndex(ED, SLICE))
    return open_window


@pytest.fixture
def feature(window: MainWindow) -> LayoutsFeature:
    return window.feature(LayoutsFeature)


@pytest.fixture
def places(window):
    return window.parts.places


def choose(window: MainWindow, name: str) -> None:
    window.actions_by_id[f"layout_{name}"].trigger()
    QApplication.processEvents()


def enter(widget) -> None:
    """The pointer comes into a widget, as the platform tells it."""
    at = QPointF(widget.rect().center())
    QApplication.sendEvent(widget, QEnterEvent(at, at, QPointF(widget.mapToGlobal(at))))


def labels_of(window: MainWindow, frame: FrameIndex) -> np.ndarray:
    return window.session.study.frame_state(frame).labels.copy()


def at_left(widget, other) -> bool:
    return widget.geometry().right() < other.geometry().left()


# All layouts


def test_each_layout_has_a_key_and_one_is_chosen(window, feature):
    for name in LAYOUTS:
        choose(window, name)
        assert feature.name == name
        assert [each for each in LAYOUTS if window.actions_by_id[f"layout_{each}"].isChecked()] == [name]
        choose(window, name)
        assert feature.name == name


def test_the_layout_is_remembered_and_comes_back_with_the_next_study(window, feature, qtbot, study_path):
    choose(window, "ed_es")
    window.settings.save()
    assert Settings.load(window.settings.path).layout == "ed_es"
    window.actions_by_id["close_study"].trigger()
    feature._show("single")
    with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
        window.session.opening.open_path(study_path)
    settle(qtbot, window)
    assert feature.name == "ed_es"
    assert window.parts.places.second.has_frame


def test_every_layout_lives_through_closing_and_opening_a_study(window, feature, qtbot, study_path):
    for name in LAYOUTS:
        choose(window, name)
        window.actions_by_id["close_study"].trigger()
        assert not window.actions_by_id["layout_montage"].isEnabled()
        with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
            window.session.opening.open_path(study_path)
        settle(qtbot, window)
        assert feature.name == name


def test_the_long_axis_panel_has_room_beside_a_single_frame_only(window):
    told = []
    window.parts.places.alone_changed.connect(told.append)
    choose(window, "ed_es")
    choose(window, "before_after")
    choose(window, "single")
    assert told == [False, True]
    assert not window.feature(LongAxisFeature).has_views


# ED and ES side by side


def test_ed_is_left_and_es_right_and_both_show_their_labels(window, places):
    choose(window, "ed_es")
    assert at_left(places.first, places.second)
    assert places.first.size() == places.second.size()
    np.testing.assert_array_equal(places.second._marks.labels, labels_of(window, FrameIndex(ES, SLICE)))
    assert (places.first._notes.mark, places.second._notes.mark) == ("ED", "ES")


def test_the_side_under_the_pointer_becomes_the_active_one_and_stays_in_its_place(window, places):
    choose(window, "ed_es")
    left, right = places.first.geometry(), places.second.geometry()
    enter(places.second)
    assert window.desk.frame == FrameIndex(ES, SLICE)
    assert (places.first.geometry(), places.second.geometry()) == (right, left)
    assert (places.first._notes.mark, places.second._notes.mark) == ("ES", "ED")
    enter(places.second)
    assert window.desk.frame == FrameIndex(ED, SLICE)
    assert (places.first.geometry(), places.second.geometry()) == (left, right)


def test_the_first_click_in_the_other_side_already_paints(window, places, qtbot):
    window.actions_by_id["brush"].trigger()
    window.actions_by_id["label_rvbp"].trigger()
    choose(window, "ed_es")
    before_ed = labels_of(window, FrameIndex(ED, SLICE))
    at = places.second.to_widget((30.0, 6.0)).toPoint()
    row, col = (round(part) for part in places.second.to_point(QPointF(at)))
    assert labels_of(window, FrameIndex(ES, SLICE))[row, col] != Label.RVBP
    second = places.second
    before_es = labels_of(window, FrameIndex(ES, SLICE))
    qtbot.mousePress(second, LEFT, pos=at)
    assert window.desk.frame == FrameIndex(ES, SLICE)
    for by in (10, 20):  # the platform goes on telling the widget that was pressed, which stands elsewhere by now
        on = second.mapFromGlobal(places.first.mapToGlobal(at + QPoint(by, 0)))
        qtbot.mouseMove(second, on)
    qtbot.mouseRelease(second, LEFT, pos=on)
    after = labels_of(window, FrameIndex(ES, SLICE))
    assert after[row, col] == Label.RVBP
    end = places.first.to_point(QPointF(at + QPoint(20, 0)))[1]
    reach = window.desk.radius_px + 1.0
    painted = np.argwhere(after != before_es)
    assert painted[:, 1].min() >= col - reach and painted[:, 1].max() <= end + reach
    assert window.session.study.can_undo and not window.desk.painting
    np.testing.assert_array_equal(labels_of(window, FrameIndex(ED, SLICE)), before_ed)


def test_slice_keys_move_both_sides(window, places):
    choose(window, "ed_es")
    window.actions_by_id["slice_down"].trigger()
    assert window.desk.frame == FrameIndex(ED, SLICE + 1)
    np.testing.assert_array_equal(places.second._marks.labels, labels_of(window, FrameIndex(ES, SLICE + 1)))
    assert places.second._notes.place.startswith(f"Slice {SLICE + 2} ")


def test_the_key_of_a_mark_makes_its_side_the_active_one(window, places):
    choose(window, "ed_es")
    window.actions_by_id["go_es"].trigger()
    assert at_left(places.second, places.first)
    window.actions_by_id["go_ed"].trigger()
    assert at_left(places.first, places.second)


def test_phase_keys_move_the_active_side_and_say_so(window, places, feature):
    choose(window, "ed_es")
    window.actions_by_id["phase_next"].trigger()
    assert window.desk.frame == FrameIndex(1, SLICE)
    assert at_left(places.first, places.second)
    foot = feature.layouts["ed_es"].foot
    assert foot.sides[0].text() == "Phase 2, not ED · D goes back, Alt+D sets ED here"
    enter(places.second)
    assert window.desk.frame == FrameIndex(ES, SLICE)
    assert places.second._notes.mark == "ED"


def test_a_phase_that_is_marked_where_it_is_becomes_that_side(window, places, feature):
    choose(window, "ed_es")
    window.actions_by_id["phase_previous"].trigger()
    window.actions_by_id["set_ed"].trigger()
    assert window.session.study.ed_phase == 5
    assert at_left(places.first, places.second)
    assert feature.layouts["ed_es"].foot.sides[0].text() == "End-diastole · tools apply here"
    window.actions_by_id["undo"].trigger()


def test_zoom_pan_and_grey_window_are_linked_and_the_cursor_is_seen_in_the_other_side(window, places, qtbot):
    choose(window, "ed_es")
    places.first.zoom(1.7)
    places.first.set_window(321.0, 123.0)
    assert places.second.camera == places.first.camera
    assert places.second.grey_window == (321.0, 123.0)
    places.first.pointed.emit((20.0, 30.0))
    assert places.second._cursor_point == (20.0, 30.0)
    window.actions_by_id["hide_masks"].trigger()
    assert places.second.hides_labels
    window.actions_by_id["zoom_fit"].trigger()
    assert places.second.camera == places.first.camera


def test_measures_follow_a_correction_of_either_side(window, places, qtbot):
    choose(window, "ed_es")
    esv = window.session.study.measures.values["lv_esv_ml"]
    enter(places.second)
    window.actions_by_id["clear_frame"].trigger()
    settle(qtbot, window)
    assert window.session.study.measures.values["lv_esv_ml"] < esv
    window.actions_by_id["go_ed"].trigger()
    assert not places.second._marks.labels.any()
    window.actions_by_id["undo"].trigger()
    assert window.desk.frame == FrameIndex(ES, SLICE)


def test_the_cine_plays_in_the_active_side_and_returns(window, places, qtbot):
    choose(window, "ed_es")
    enter(places.second)
    other = labels_of(window, FrameIndex(ED, SLICE))
    window.actions_by_id["play"].trigger()
    window.desk.player.phase_due.emit(4)
    assert window.desk.frame == FrameIndex(4, SLICE)
    enter(places.second)
    assert window.desk.frame.phase != ED
    np.testing.assert_array_equal(places.second._marks.labels, other)
    window.actions_by_id["play"].trigger()
    qtbot.waitUntil(lambda: window.desk.frame == FrameIndex(ES, SLICE), timeout=PATIENCE_MS)
    assert at_left(places.second, places.first)


def test_a_press_in_the_other_side_stops_the_cine_there(window, places, qtbot):
    choose(window, "ed_es")
    window.actions_by_id["play"].trigger()
    window.desk.player.phase_due.emit(4)
    second = places.second
    qtbot.mouseClick(second, LEFT, pos=second.rect().center())
    assert not window.desk.player.running
    QApplication.processEvents()
    assert window.desk.frame == FrameIndex(ES, SLICE)


def test_before_ed_and_es_are_known_the_other_side_says_why(window, places, monkeypatch):
    session = type(window.session.study)
    monkeypatch.setattr(session, "es_phase", property(lambda self: None))
    choose(window, "ed_es")
    assert not places.second.has_frame
    assert "End-systole is not known yet" in places.second.accessibleDescription()
    assert "Alt+S" in places.second.accessibleDescription()
    enter(places.second)
    assert window.desk.frame == FrameIndex(ED, SLICE)
    monkeypatch.undo()
    window.session.study.phase_marks_changed.emit()
    assert places.second.has_frame


# Before and after


@pytest.fixture
def compared(window, feature, qtbot) -> BeforeAfterLayout:
    choose(window, "before_after")
    return feature.layouts["before_after"]


def test_before_is_left_and_the_present_frame_right(window, places, compared):
    assert at_left(places.second, places.first)
    enter(places.second)
    assert at_left(places.second, places.first)
    assert window.desk.frame == FrameIndex(ED, SLICE)


def test_the_left_side_keeps_the_prediction_while_the_right_is_corrected(window, places, compared, qtbot):
    before = labels_of(window, window.desk.frame)
    window.actions_by_id["clear_frame"].trigger()
    settle(qtbot, window)
    np.testing.assert_array_equal(places.second._marks.labels, before)
    assert not places.first._marks.labels.any()


def test_the_difference_is_told_in_ml_for_the_frame_and_the_study(window, compared, qtbot):
    """A voxel of the phantom is 1.8 x 2.4 mm in its slices; what is cleared is lost at ED and nowhere else."""
    window.session.study.set_ed(ED)  # else the largest of what is left would be ED
    frame = window.desk.frame
    geometry = window.session.study.stack.geometry
    voxel_ml = 1.8 * 2.4 * geometry.slice_spacing_mm / 1000.0
    lost_ml = float((labels_of(window, frame) == Label.LVBP).sum()) * voxel_ml
    assert {compared.foot.figure(name) for name in ("LV pool", "LV EDV", "RV ESV")} == {"0.0"}
    window.actions_by_id["clear_frame"].trigger()
    settle(qtbot, window)
    expected = f"\N{MINUS SIGN}{lost_ml:.1f}"
    assert compared.foot.figure("LV pool") == compared.foot.figure("LV EDV") == expected
    assert compared.foot.figure("LV ESV") == "0.0"


def test_pixels_that_differ_are_shaded_until_the_shading_is_put_off(window, places, compared, qtbot):
    row, col = np.argwhere(labels_of(window, window.desk.frame) == 0)[200]
    window.actions_by_id["hide_masks"].trigger()
    bare = colour_at(places.first, row, col)
    window.actions_by_id["hide_masks"].trigger()
    session = window.session
    session.study.begin_stroke(window.desk.frame, Label.LVM, 1.0, (float(row), float(col)))
    session.study.end_stroke()
    settle(qtbot, window)
    window.feature(ImageFeature).panel.fill_chosen.emit(0.0)
    shaded = colour_at(places.first, row, col)
    assert shaded.blue() > bare.blue() + 60
    assert shaded.blue() > shaded.red()
    compared.foot.shading.click()
    assert colour_at(places.first, row, col).blue() < bare.blue() + 60


def colour_at(view, row: float, col: float):
    image: QImage = view.grab().toImage()
    return image.pixelColor((view.to_widget((float(row), float(col))) * image.devicePixelRatio()).toPoint())


def test_another_earlier_version_is_chosen_and_remembered(window, places, compared, qtbot):
    frame = window.desk.frame
    assert window.session.study.frame_state(frame).status is None
    compared.foot.chooser.setCurrentIndex(list(Earlier).index(Earlier.ACCEPTED))
    compared.foot.chooser.activated.emit(list(Earlier).index(Earlier.ACCEPTED))
    assert window.settings.before == "accepted"
    assert places.second._marks.labels is None
    assert places.second._notes.state == "This frame was never accepted"
    window.actions_by_id["accept"].trigger()
    settle(qtbot, window)
    assert places.second._marks.labels is not None


def test_both_sides_zoom_and_window_together_from_either(window, places, compared, qtbot):
    second = places.second
    centre = second.rect().center()
    qtbot.mousePress(second, MIDDLE, pos=centre)
    qtbot.mouseMove(second, centre + QPoint(25, 10))
    qtbot.mouseRelease(second, MIDDLE, pos=centre + QPoint(25, 10))
    assert places.first.camera == second.camera
    qtbot.mousePress(second, RIGHT, pos=centre)
    qtbot.mouseMove(second, centre + QPoint(25, 10))
    qtbot.mouseRelease(second, RIGHT, pos=centre + QPoint(25, 10))
    assert places.first.grey_window == second.grey_window


def test_nothing_is_shaded_in_other_layouts(window, places, compared):
    assert places.first._overlays.count(compared._paint) == 1
    choose(window, "single")
    assert compared._paint not in places.first._overlays


# Montage


@pytest.fixture
def montage(window, feature, qtbot):
    choose(window, "montage")
    return feature.montage


def click(qtbot, montage, frame: FrameIndex, *, twice: bool = False) -> None:
    montage.view.set_current(frame)
    montage.view._scroll.arrive()
    at = montage.view.cell_rect(frame).center()
    (qtbot.mouseDClick if twice else qtbot.mouseClick)(montage.view.viewport(), LEFT, pos=at)


def test_the_montage_takes_the_place_of_frame_and_strip(window, montage):
    assert montage.view.isVisible() and montage.foot.isVisible()
    assert not window.parts.view.isVisible() and not window.parts.strip.isVisible()
    choose(window, "single")
    assert window.parts.view.isVisible() and window.parts.strip.isVisible()
    assert not montage.view.isVisible()


def test_all_thumbnails_that_are_seen_come_by_themselves(window, montage, qtbot):
    def all_made() -> bool:
        made = montage.view._thumbnails
        seen = montage.view.plan.seen(montage.view.viewport().rect().translated(-montage.view._scrolled()))
        return all(made.made(FrameIndex(column, index)) is not None for index, column in seen)

    qtbot.waitUntil(all_made, timeout=PATIENCE_MS)


def test_a_click_chooses_the_frame_and_keys_act_on_it(window, montage, qtbot):
    frame = FrameIndex(4, 5)
    click(qtbot, montage, frame)
    assert window.desk.frame == frame
    window.actions_by_id["region_apex"].trigger()
    window.actions_by_id["accept"].trigger()
    settle(qtbot, window)
    state = window.session.study.frame_state(frame)
    assert (state.region, state.status) == (Region.APEX, ReviewStatus.ACCEPTED)
    assert montage.view._cell_of(frame).accepted


def test_a_double_click_opens_the_frame_alone(window, montage, feature, qtbot):
    click(qtbot, montage, FrameIndex(2, 1), twice=True)
    assert feature.name == "single"
    assert window.desk.frame == FrameIndex(2, 1)
    assert window.parts.view.isVisible()


def test_arrow_keys_go_through_the_montage(window, montage):
    for action, frame in (
        ("slice_down", FrameIndex(ED, SLICE + 1)),
        ("phase_next", FrameIndex(ED + 1, SLICE + 1)),
        ("slice_up", FrameIndex(ED + 1, SLICE)),
    ):
        window.actions_by_id[action].trigger()
        assert window.desk.frame == montage.view._current == frame


def test_ed_and_es_only_show_two_phases_of_every_slice(window, montage):
    montage.foot.buttons[Columns.ED_ES].click()
    assert montage.view.plan.phases == (ED, ES)
    assert window.settings.montage_columns == "ed_es"
    assert {frame.phase for frame in montage.view.plan.frames} == {ED, ES}
    window.actions_by_id["phase_next"].trigger()
    assert window.desk.frame == FrameIndex(ES, SLICE)
    window.actions_by_id["phase_previous"].trigger()
    assert window.desk.frame == FrameIndex(ED, SLICE)


def test_a_way_to_a_phase_that_is_not_shown_shows_all_phases(window, montage):
    montage.foot.buttons[Columns.ED_ES].click()
    window.desk.go(FrameIndex(4, 1))
    assert montage.columns is Columns.PHASES
    assert montage.view.cell_rect(FrameIndex(4, 1)) is not None


def test_before_ed_and_es_are_known_the_montage_says_why(window, montage, monkeypatch):
    for name in ("ed_phase", "es_phase"):
        monkeypatch.setattr(type(window.session.study), name, property(lambda self: None))
    montage.foot.buttons[Columns.ED_ES].click()
    assert montage.view.plan.phases == ()
    assert "not known yet" in montage.view._message


def test_all_slices_show_the_phase_of_the_chosen_frame(window, montage):
    montage.foot.buttons[Columns.SLICES].click()
    window.actions_by_id["phase_next"].trigger()
    assert montage.view.plan.phases == (ED + 1,)
    assert len(montage.view.plan.frames) == window.session.study.stack.slices


def test_the_cine_moves_all_thumbnails_and_leaves_the_chosen_frame(window, montage, qtbot):
    window.actions_by_id["play"].trigger()
    assert window.desk.player.running
    window.desk.player.phase_due.emit(ED + 2)
    assert window.desk.frame == FrameIndex(ED, SLICE)
    assert montage.view._shown(FrameIndex(1, 0)) == FrameIndex(3, 0)
    assert montage.view._shown(FrameIndex(5, 0)) == FrameIndex(1, 0)
    montage.view.viewport().repaint()
    assert montage.view.painting_ms is not None
    assert montage.foot.text.text().startswith("Playing")
    window.actions_by_id["play"].trigger()
    assert montage.view._shown(FrameIndex(1, 0)) == FrameIndex(1, 0)


def test_a_correction_makes_its_thumbnail_again(window, montage, qtbot):
    frame = window.desk.frame
    qtbot.waitUntil(lambda: montage.view._thumbnails.made(frame) is not None, timeout=PATIENCE_MS)
    before = montage.view._thumbnails.made(frame).toImage()
    window.actions_by_id["clear_frame"].trigger()
    qtbot.waitUntil(lambda: montage.view._thumbnails.made(frame) is not None, timeout=PATIENCE_MS)
    assert montage.view._thumbnails.made(frame).toImage() != before


def test_hidden_masks_are_hidden_in_the_montage(window, montage, qtbot):
    frame = window.desk.frame
    qtbot.waitUntil(lambda: montage.view._thumbnails.made(frame) is not None, timeout=PATIENCE_MS)
    before = montage.view._thumbnails.made(frame).toImage()
    window.actions_by_id["hide_masks"].trigger()
    qtbot.waitUntil(lambda: montage.view._thumbnails.made(frame) is not None, timeout=PATIENCE_MS)
    assert montage.view._thumbnails.made(frame).toImage() != before


def test_the_slider_makes_thumbnails_larger(window, montage):
    side = montage.view.plan.side
    montage.foot.zoom.setValue(200)
    assert montage.view.plan.side == 2 * side


def test_the_layouts_do_not_know_one_another(window, feature):
    assert isinstance(feature.layouts["ed_es"], EdEsLayout)
    for first in LAYOUTS:
        for second in LAYOUTS:
            choose(window, first)
            choose(window, second)
            assert feature.name == second
            assert window.desk.plays_frame is (second != "montage")
