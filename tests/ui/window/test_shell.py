from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QInputDialog

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.ui.features.keys.feature import KeysFeature, KeysSheet
from cmr_viewer.ui.features.keys.keys_dialog import KeysDialog
from cmr_viewer.ui.features.worklist.feature import WorklistFeature
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.shell import ShellFeature
from cmr_viewer.ui.window.theme import PALETTE, apply_theme, shown_theme
from tests.ui.conftest import PATIENCE_MS, settle

Key, Held = Qt.Key, Qt.KeyboardModifier


def shell(window: MainWindow) -> ShellFeature:
    return window.feature(ShellFeature)


@pytest.fixture(autouse=True)
def theme_as_before(app):
    yield
    apply_theme(app, "system")


# Palette


def test_ctrl_k_finds_an_action_and_enter_does_it(open_window, qtbot):
    palette = shell(open_window).palette
    qtbot.keyClick(open_window.parts.view, Key.Key_K, Held.ControlModifier)
    qtbot.keyClicks(palette.search, "hide masks")
    qtbot.keyClick(palette.search, Key.Key_Return)
    assert open_window.actions_by_id["hide_masks"].isChecked()
    assert open_window.parts.view.hasFocus()
    assert open_window.settings.recent_actions == ["hide_masks"]
    qtbot.keyClick(open_window.parts.view, Key.Key_K, Held.ControlModifier)
    assert palette.hits[0].name == "hide_masks", "taken lately"


def test_typing_in_the_palette_does_nothing_to_the_frame(open_window, qtbot):
    before = open_window.desk.frame
    open_window.actions_by_id["command_palette"].trigger()
    qtbot.keyClicks(shell(open_window).palette.search, "dsn1b ")
    qtbot.keyClick(shell(open_window).palette.search, Key.Key_Down)
    assert open_window.desk.frame == before
    assert not open_window.desk.player.running


def test_keys_that_move_in_the_search_line_move_nothing_else(open_window, qtbot):
    frame = open_window.desk.frame
    before = open_window.session.study.frame_state(frame).labels.copy()
    open_window.actions_by_id["command_palette"].trigger()
    search = shell(open_window).palette.search
    qtbot.keyClicks(search, "ab")
    for held in (Held.NoModifier, Held.ShiftModifier, Held.ControlModifier):
        for key in (Key.Key_Left, Key.Key_Left, Key.Key_Right, Key.Key_Home, Key.Key_End):
            qtbot.keyClick(search, key, held)
    assert open_window.desk.frame == frame and not open_window.session.study.can_undo
    assert (open_window.session.study.frame_state(frame).labels == before).all()
    qtbot.keyClick(search, Key.Key_Left, Held.ShiftModifier)
    assert search.selectedText() == "b"


def test_what_is_not_possible_says_when_it_is(window):
    window.actions_by_id["command_palette"].trigger()
    why_not = {command.name: command.why_not for command in shell(window).palette.hits}
    assert why_not["accept"] == "available when the frame has a region"
    assert why_not["undo"] == "available when there is something to undo"
    assert why_not["open_demo"] == ""


def test_the_palette_shows_the_keys_that_the_reader_has(window):
    window.settings.key_bindings = {"open_demo": ["Ctrl+F7"]}
    window.feature(KeysFeature).take_keys()
    window.actions_by_id["command_palette"].trigger()
    assert next(each.keys for each in shell(window).palette.hits if each.name == "open_demo") == "Ctrl+F7"


def test_a_study_that_waits_is_opened_from_the_palette(window, program, study_path, qtbot):
    program.start()
    program.session.worklist.add([study_path])
    qtbot.waitUntil(lambda: program.session.worklist.waiting == (study_path,), timeout=PATIENCE_MS)
    window.actions_by_id["command_palette"].trigger()
    palette = shell(window).palette
    qtbot.keyClicks(palette.search, "phantom")
    assert palette.hits[0].place == "Study, waiting"
    with qtbot.waitSignal(program.session.study.analysed, timeout=PATIENCE_MS):
        qtbot.keyClick(palette.search, Key.Key_Return)
    settle(qtbot, window)
    assert program.session.study.data.source == study_path


def test_a_recent_study_is_found_once(open_window, study_path):
    feature = shell(open_window)
    open_window.actions_by_id["command_palette"].trigger()
    feature.palette.search.setText("phantom")
    studies = [each for each in feature.palette.hits if each.name.startswith("study:")]
    assert [each.place for each in studies] == ["Recent study"]


def test_studies_may_change_while_the_palette_is_open(window, program):
    row = StudyRow("a" * 32, "patient042", "/nowhere/042", "", datetime(2026, 1, 1, tzinfo=UTC), 6, 0, 0, 2, 3)
    program.session.worklist._studies = (row,)
    window.actions_by_id["command_palette"].trigger()
    palette = shell(window).palette
    palette.search.setText("patient")
    program.session.worklist._studies = (row, replace(row, stack_id="b" * 32, name="patient043"))
    palette.search.setText("patient04")
    assert [each.text for each in palette.hits] == ["patient042", "patient043"]


# Keys


def test_keys_that_are_changed_work_at_once_and_are_on_the_sheet(open_window, qtbot):
    open_window.actions_by_id["change_keys"].trigger()
    (dialog,) = open_window.findChildren(KeysDialog)
    dialog._on_preset("ITK-SNAP")
    dialog.accept()
    before = open_window.desk.frame.slice_index
    qtbot.keyClick(open_window.parts.view, Key.Key_PageDown)
    assert open_window.desk.frame.slice_index == before + 1
    assert open_window.actions_by_id["hide_masks"].toolTip().endswith("(S)")
    qtbot.keyClick(open_window.parts.view, Key.Key_S)
    assert open_window.actions_by_id["hide_masks"].isChecked()
    open_window.actions_by_id["keys"].trigger()
    (sheet,) = open_window.findChildren(KeysSheet)
    texts = [each.text() for each in sheet.findChildren(type(open_window.feature(WorklistFeature).panel._next))]
    assert "PgDown or Down" in texts
    assert open_window.settings.load(open_window.settings.path).key_bindings["hide_masks"] == ["S"]


# Theme


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_switched_at_run_time_and_kept(open_window, theme):
    open_window.actions_by_id[f"theme_{theme}"].trigger()
    assert shown_theme() == theme
    assert open_window.palette().window().color().name() == PALETTE["panel"]
    assert open_window.settings.load(open_window.settings.path).theme == theme
    shown = open_window.feature(WorklistFeature).panel.grab().toImage()
    assert (shown.pixelColor(2, 2).lightness() > 128) == (theme == "light")


def test_images_stay_on_black_in_the_light_theme(open_window):
    open_window.actions_by_id["theme_light"].trigger()
    view = open_window.parts.view.grab().toImage()
    assert max(view.pixelColor(x, view.height() - 4).lightness() for x in range(20, 60)) < 40
    strip = open_window.parts.strip.grab().toImage()
    assert strip.pixelColor(2, strip.height() // 2).lightness() < 60


def test_icons_follow_the_theme(open_window):
    button = next(each for each in open_window.findChildren(type(open_window.parts.bell)))

    def ink():
        image = button.icon().pixmap(32, 32).toImage()
        inked = [image.pixelColor(x, y) for x in range(32) for y in range(32) if image.pixelColor(x, y).alpha() == 255]
        return {each.name() for each in inked}

    open_window.actions_by_id["theme_dark"].trigger()
    dark = ink()
    open_window.actions_by_id["theme_light"].trigger()
    assert ink() and not ink() & dark


def test_by_default_the_theme_is_the_systems_and_dark_where_that_does_not_say(window, app):
    assert window.settings.theme == "system"
    assert window.actions_by_id["theme_system"].isChecked()
    assert shown_theme() == "dark"


def test_the_theme_chosen_in_the_settings_is_shown(window):
    window.settings.theme = "light"
    window._take_settings()
    assert shown_theme() == "light"
    assert window.actions_by_id["theme_light"].isChecked()


# Words


def test_the_frame_says_what_it_shows(open_window, qtbot):
    view = open_window.parts.view
    open_window.desk.go_phase(0)
    open_window.desk.step_slice(1)
    qtbot.waitUntil(lambda: "Slice 5 of 7, phase 1 of 6, end-diastole." in view.accessibleDescription())
    assert "Region middle, 85 percent." in view.accessibleDescription()
    assert "Not reviewed." in view.accessibleDescription()
    open_window.desk.accept()
    settle(qtbot, open_window)
    qtbot.waitUntil(lambda: view.accessibleDescription().endswith("Accepted."))
    open_window.session.study.set_region(open_window.desk.frame, Region.APEX)
    qtbot.waitUntil(lambda: "Region apex, set by the reader." in view.accessibleDescription())
    open_window.actions_by_id["close_study"].trigger()
    qtbot.waitUntil(lambda: view.accessibleDescription() == "No study is open.")


# Flags


def test_the_open_study_is_flagged_with_a_word(open_window, qtbot):
    feature = open_window.feature(WorklistFeature)
    open_window.actions_by_id["flag_study"].trigger()
    (dialog,) = [each for each in open_window.findChildren(QInputDialog) if each.isVisible()]
    dialog.setTextValue("ask Eve")
    dialog.accept()
    open_window.actions_by_id["worklist"].trigger()
    qtbot.waitUntil(lambda: feature.page.current is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: feature.page.current.flags[:1] == ("ask Eve",), timeout=PATIENCE_MS)


def test_without_a_study_nothing_can_be_flagged(window):
    assert not window.actions_by_id["flag_study"].isEnabled()
    assert QApplication.activeModalWidget() is None


def test_failed_checks_of_the_open_study_stand_in_the_worklist(open_window, qtbot):
    feature, session = open_window.feature(WorklistFeature), open_window.session
    qtbot.waitUntil(lambda: session.study.review_order.is_ready, timeout=PATIENCE_MS)
    frames = session.study.stack.frame_indices
    failing = sum(not each.is_note for frame in frames for each in session.study.review_order.findings.get(frame, ()))
    assert failing > 0, "the phantom's specialists move their label maps"
    open_window.actions_by_id["worklist"].trigger()
    said = "1 check failed" if failing == 1 else f"{failing} checks failed"
    qtbot.waitUntil(lambda: feature.page.current is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: feature.page.current.flags == (said,), timeout=PATIENCE_MS)
