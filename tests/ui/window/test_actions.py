from collections import Counter

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenu

from cmr_viewer.ui.features.keys.feature import sheet_groups
from cmr_viewer.ui.features.table import ACTIONS
from cmr_viewer.ui.window.actions import Menu, build_actions, mouse_of, shown_keys, tip_of
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.theme import icon


def test_no_two_actions_share_a_key():
    keys = Counter(QKeySequence(key).toString() for spec in ACTIONS for key in spec.keys)
    assert {key: count for key, count in keys.items() if count > 1} == {}


def test_no_two_actions_share_an_id_or_a_text_in_a_menu():
    assert max(Counter(spec.id for spec in ACTIONS).values()) == 1
    assert max(Counter((spec.menu, spec.text) for spec in ACTIONS).values()) == 1


def test_no_two_actions_of_a_menu_share_a_mnemonic():
    for menu in Menu:
        texts = [spec.text for spec in ACTIONS if spec.menu is menu and "&" in spec.text]
        letters = [text[text.index("&") + 1].lower() for text in texts]
        assert {letter: n for letter, n in Counter(letters).items() if n > 1} == {}, menu


@pytest.mark.parametrize(
    ("action", "key"),
    [
        ("slice_up", "Up"),
        ("slice_down", "Down"),
        ("phase_previous", "Left"),
        ("phase_next", "Right"),
        ("go_ed", "D"),
        ("go_es", "S"),
        ("set_ed", "Alt+D"),
        ("set_es", "Alt+S"),
        ("hide_masks", "H"),
        ("play", "Space"),
        ("play", "P"),
        ("label_lvbp", "1"),
        ("label_lvm", "2"),
        ("label_rvbp", "3"),
        ("label_erase", "0"),
        ("region_base", "Shift+1"),
        ("region_non_cardiac", "Shift+4"),
        ("brush_smaller", "["),
        ("brush_larger", "]"),
        ("brush", "B"),
        ("copy_to_next_slice", "C"),
        ("next_review", "N"),
        ("accept", "Return"),
        ("accept", "Enter"),
        ("undo", "Ctrl+Z"),
        ("redo", "Ctrl+Shift+Z"),
        ("redo", "Ctrl+Y"),
        ("keys", "F1"),
    ],
)
def test_the_keys_are_those_that_readers_know(action, key):
    assert key in next(spec.keys for spec in ACTIONS if spec.id == action)


def test_every_icon_of_the_table_can_be_drawn(app):
    for spec in ACTIONS:
        if spec.icon:
            image = icon(spec.icon).pixmap(32, 32).toImage()
            assert any(image.pixelColor(x, y).alpha() for x in range(32) for y in range(32)), spec.icon


def test_the_sheet_lists_every_action_and_the_mouse():
    groups = sheet_groups(ACTIONS, {})
    listed = [text for _, lines in groups for text, _ in lines]
    for spec in ACTIONS:
        assert spec.plain_text in listed
    assert len(listed) == len(ACTIONS) + len(mouse_of(ACTIONS))


def test_a_tip_names_the_key():
    spec = next(spec for spec in ACTIONS if spec.id == "brush")
    assert tip_of(spec, ("B",)).endswith("(B)")
    assert tip_of(spec, ()) == spec.tip


def test_the_readers_own_keys_go_before_the_tables(app, window):
    actions = build_actions(window, ACTIONS, {"brush": ["F5"]})
    assert [key.toString() for key in actions["brush"].shortcuts()] == ["F5"]
    assert "F5" in actions["brush"].toolTip()
    assert shown_keys(["F5", "F5"]) == "F5"


def test_every_action_is_in_a_menu_and_does_something(window: MainWindow):
    in_menus = set()
    for menu in window.menuBar().findChildren(QMenu):
        in_menus |= {action.objectName() for action in menu.actions()}
    for spec in ACTIONS:
        action = window.actions_by_id[spec.id]
        assert spec.id in in_menus
        assert action.receivers("2triggered(bool)") + action.receivers("2toggled(bool)") > 0, spec.id
