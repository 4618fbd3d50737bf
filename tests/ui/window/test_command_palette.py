import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QWidget

from cmr_viewer.ui.window.command_palette import Command, CommandPalette, found

COMMANDS = [
    Command("slice_up", "Slice towards base", "Go", "Up"),
    Command("slice_down", "Slice towards apex", "Go", "Down"),
    Command("accept", "Accept frame", "Review", "Return"),
    Command("undo", "Undo", "Edit", "Ctrl+Z", "available when there is something to undo"),
    Command("study:a", "patient042", "Study, begun"),
]


def names(query, recent=()):
    return [command.name for command, _ in found(query, COMMANDS, recent)]


def test_without_a_query_everything_is_there_and_what_was_taken_lately_first():
    assert names("") == [command.name for command in COMMANDS]
    assert names("", ["accept", "slice_down"])[:2] == ["accept", "slice_down"]


def test_what_was_taken_lately_goes_before_what_fits_as_well():
    assert names("slice")[0] == "slice_up"
    assert names("slice", ["slice_down"])[0] == "slice_down"


def test_a_command_is_found_by_its_menu_too_behind_those_called_so():
    assert names("review") == ["accept"]
    assert names("042") == ["study:a"]


def test_nothing_is_found_by_what_is_nowhere():
    assert names("zzz") == []


@pytest.fixture
def window(app, qtbot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.field = QLineEdit(made)
    made.show()
    qtbot.waitExposed(made)
    made.field.setFocus()
    return made


@pytest.fixture
def palette(window, qtbot) -> CommandPalette:
    made = CommandPalette(window)
    made.ask(COMMANDS, ())
    return made


def current(palette):
    return palette.hits[palette.list.currentIndex().row()].name


def test_typing_finds_arrows_choose_and_enter_takes(palette, window, qtbot):
    qtbot.keyClicks(palette.search, "slice")
    assert current(palette) == "slice_up"
    qtbot.keyClick(palette.search, Qt.Key.Key_Down)
    assert current(palette) == "slice_down"
    with qtbot.waitSignal(palette.chosen) as taken:
        qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert taken.args == ["slice_down"]
    assert not palette.isVisible()
    assert window.field.hasFocus(), "the keyboard goes back where it was"


def test_up_from_the_first_line_goes_to_the_last(palette, qtbot):
    qtbot.keyClick(palette.search, Qt.Key.Key_Up)
    assert current(palette) == "study:a"


def test_escape_closes_without_taking(palette, window, qtbot):
    with qtbot.assertNotEmitted(palette.chosen):
        qtbot.keyClick(palette.search, Qt.Key.Key_Escape)
    assert not palette.isVisible() and window.field.hasFocus()


def test_what_is_not_possible_says_why_and_is_not_taken(palette, qtbot):
    qtbot.keyClicks(palette.search, "undo")
    with qtbot.assertNotEmitted(palette.chosen):
        qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert palette.isVisible()
    assert palette._hint.text() == "Available when there is something to undo."


def test_a_click_takes(palette, qtbot):
    place = palette.list.visualRect(palette.list.model().index(2, 0)).center()
    with qtbot.waitSignal(palette.chosen) as taken:
        qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert taken.args == ["accept"]


def test_a_screen_reader_hears_name_menu_key_and_why_not(palette):
    index = palette.list.model().index(3, 0)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == (
        "Undo, Edit, Ctrl+Z, available when there is something to undo"
    )


def test_it_closes_when_the_keyboard_goes_elsewhere(palette, window):
    window.field.setFocus()
    assert not palette.isVisible()
