import pytest
from PySide6.QtCore import Qt

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.features.worklist.feature import WorklistFeature
from cmr_viewer.ui.features.worklist.page import WorklistPage
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import PATIENCE_MS, settle
from tests.ui.features.worklist.worklist_entries import several

Key, Held = Qt.Key, Qt.KeyboardModifier


def worklist(window: MainWindow) -> WorklistFeature:
    return window.feature(WorklistFeature)


@pytest.fixture
def page(window, qtbot) -> WorklistPage:
    """The page in front, with entries of every kind."""
    shown = worklist(window).page
    window.actions_by_id["worklist"].trigger()
    qtbot.waitUntil(lambda: not window.session.saving.is_busy, timeout=PATIENCE_MS)
    worklist(window).worklist._entries = tuple(several())
    shown.renew()
    return shown


def names(page):
    return [each.name for each in page.model.shown]


def test_the_key_brings_the_page_and_takes_it_away(open_window, qtbot):
    page = worklist(open_window).page
    qtbot.keyClick(open_window.parts.view, Key.Key_L, Held.ControlModifier)
    assert open_window.parts.middle.currentWidget() is page
    assert open_window.actions_by_id["worklist"].isChecked()
    assert page.search.hasFocus()
    assert not open_window.actions_by_id["accept"].isEnabled(), "no frame is in front"
    qtbot.keyClick(page.search, Key.Key_Escape)
    assert open_window.parts.middle.currentWidget() is open_window.parts.desk_page
    assert not open_window.actions_by_id["worklist"].isChecked()
    assert open_window.parts.view.hasFocus()


def test_it_lists_what_the_workspace_holds_and_says_so(open_window, qtbot):
    open_window.actions_by_id["worklist"].trigger()
    page = worklist(open_window).page
    qtbot.waitUntil(lambda: page.model.count == 1, timeout=PATIENCE_MS)
    assert names(page) == ["phantom"]
    assert page._count.text() == "1 study"
    assert page.current.stack_id == open_window.session.study.stack.stack_id


def test_typing_searches_and_down_goes_to_the_table(page, qtbot):
    qtbot.keyClicks(page.search, "zoe")
    assert names(page) == ["alpha", "Bravo"]
    assert page._count.text() == "2 of 6 studies"
    qtbot.keyClick(page.search, Key.Key_Down)
    assert page.table.hasFocus()
    qtbot.keyClick(page.table, Key.Key_Down)
    assert page.current.name == "Bravo"


def test_enter_in_the_search_opens_the_chosen_study(page, qtbot):
    qtbot.keyClicks(page.search, "brav")
    with qtbot.waitSignal(page.study_chosen) as chosen:
        qtbot.keyClick(page.search, Key.Key_Return)
    assert [str(chosen.args[0]), chosen.args[1]] == ["/data/Bravo", "stack-Bravo"]


def test_enter_and_a_double_click_in_the_table_open_it(page, qtbot):
    page.table.setFocus()
    with qtbot.waitSignal(page.study_chosen) as chosen:
        qtbot.keyClick(page.table, Key.Key_Return)
    assert chosen.args[1] is None, "it waits and has no stack yet"
    place = page.table.visualRect(page.model.index(3, 0)).center()
    with qtbot.waitSignal(page.study_chosen) as chosen:
        qtbot.mouseClick(page.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        qtbot.mouseDClick(page.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert chosen.args[1] == "stack-charlie"


def test_a_study_that_waits_is_taken_off_by_delete_and_another_is_not(page, qtbot):
    page.table.setFocus()
    with qtbot.waitSignal(page.study_dismissed) as dismissed:
        qtbot.keyClick(page.table, Key.Key_Delete)
    assert str(dismissed.args[0]) == "/data/delta"
    qtbot.keyClick(page.table, Key.Key_Down)
    with qtbot.assertNotEmitted(page.study_dismissed):
        qtbot.keyClick(page.table, Key.Key_Delete)


def test_filters_leave_what_fits_and_the_head_sorts(page, qtbot):
    page.status.setCurrentText("Accepted")
    assert names(page) == ["Bravo", "echo"]
    page.status.setCurrentIndex(0)
    page.reader.setCurrentText("Adam")
    assert names(page) == ["Bravo", "charlie"]
    page.reader.setCurrentIndex(0)
    page.flagged.setCurrentText("Without a flag")
    assert names(page) == ["delta", "alpha", "foxtrot"]
    page.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert names(page) == ["foxtrot", "delta", "alpha"]


def test_where_nothing_fits_it_says_so(page):
    page.search.setText("nobody at all")
    assert page._empty.isVisible()
    assert page._empty.text() == "No study matches the search and filters."


def test_the_chosen_study_stays_chosen_while_the_list_changes(page):
    page.table.setCurrentIndex(page.model.index(3, 0))
    assert page.current.name == "charlie"
    page.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    page.search.setText("c")
    page.renew()
    assert page.current.name == "charlie"


def test_the_next_unread_study_is_opened_by_its_key(window, program, study_path, tmp_path, qtbot):
    program.start()
    program.session.worklist.add([study_path])
    qtbot.waitUntil(lambda: program.session.worklist.waiting == (study_path,), timeout=PATIENCE_MS)
    with qtbot.waitSignal(program.session.study.analysed, timeout=PATIENCE_MS):
        qtbot.keyClick(window, Key.Key_N, Held.ShiftModifier)
    settle(qtbot, window)
    assert window.session.study.data.source == study_path
    assert window.parts.middle.currentWidget() is window.parts.desk_page
    window.desk.accept()
    settle(qtbot, window)
    window.actions_by_id["next_unread"].trigger()
    assert window.parts.messages.text == "No unread studies left."
    worklist(window).page.search.setText("nobody at all")
    window.actions_by_id["next_unread"].trigger()
    said = "No unread studies left among those that match the search and filters of the worklist."
    assert window.parts.messages.text == said


def test_a_flag_is_kept_and_shown(open_window, qtbot):
    feature, stack = worklist(open_window), open_window.session.study.stack.stack_id
    open_window.actions_by_id["worklist"].trigger()
    qtbot.waitUntil(lambda: feature.page.model.count == 1, timeout=PATIENCE_MS)
    assert open_window.actions_by_id["flag_study"].isEnabled()
    feature.worklist.flag(stack, "  ask  Eve ")
    qtbot.waitUntil(lambda: feature.page.current.flags[:1] == ("ask Eve",), timeout=PATIENCE_MS)
    assert names(feature.page) == ["phantom"]
    feature.worklist.note_failed_checks(stack, 2)
    qtbot.waitUntil(lambda: feature.page.current.flags == ("ask Eve", "2 checks failed"), timeout=PATIENCE_MS)
    feature.worklist.flag(stack, "")
    qtbot.waitUntil(lambda: feature.page.current.flags == ("2 checks failed",), timeout=PATIENCE_MS)


def test_what_the_reader_does_comes_to_the_page(open_window, qtbot):
    feature = worklist(open_window)
    open_window.desk.go(FrameIndex(0, 3))
    open_window.desk.accept()
    settle(qtbot, open_window)
    open_window.actions_by_id["worklist"].trigger()
    qtbot.waitUntil(lambda: feature.page.model.count == 1, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: feature.page.current.status == "Accepted 1/42", timeout=PATIENCE_MS)
    assert feature.page.current.marks.readers == ("R. Eader",)
