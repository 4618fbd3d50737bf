import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialogButtonBox

from cmr_viewer.app.settings import Settings
from cmr_viewer.ui.features.keys.feature import sheet_groups
from cmr_viewer.ui.features.keys.key_bindings import KeyBindings
from cmr_viewer.ui.features.keys.keys_dialog import YOURS, KeysDialog
from cmr_viewer.ui.features.table import ACTIONS


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(reader="R. Eader", path=tmp_path / "settings.json")


@pytest.fixture
def dialog(app, settings, qtbot) -> KeysDialog:
    made = KeysDialog(settings, ACTIONS)
    qtbot.addWidget(made)
    made.show()
    return made


def ok(dialog):
    return dialog._buttons.button(QDialogButtonBox.StandardButton.Ok)


def choose(dialog, name):
    dialog._select(name)
    assert dialog.chosen == name


def test_every_action_is_listed_with_its_keys(dialog):
    assert dialog.model.rowCount() == len(ACTIONS)
    place = dialog.model.row_of("undo")
    assert [dialog.model.index(place, at).data() for at in range(3)] == ["Undo", "Edit", "Ctrl+Z"]


def test_a_search_finds_by_name_menu_and_key(dialog):
    dialog.search.setText("ctrl+z")
    assert {dialog.model.spec(dialog.model.index(row, 0)).id for row in range(dialog.model.rowCount())} == {"undo"}
    assert dialog.chosen == "undo"
    dialog.search.setText("slice base")
    assert dialog.model.row_of("slice_up") is not None
    dialog.search.setText("nothing like it")
    assert dialog.model.rowCount() == 0 and dialog.chosen == ""
    dialog.search.clear()
    assert dialog.model.rowCount() == len(ACTIONS)


def test_a_key_is_pressed_and_taken(dialog, settings, qtbot):
    choose(dialog, "brush")
    dialog.edits[0].setFocus()
    qtbot.keyClick(dialog.edits[0], Qt.Key.Key_F7, Qt.KeyboardModifier.ControlModifier)
    assert dialog.bindings.keys("brush") == ("Ctrl+F7",)
    dialog.accept()
    assert settings.key_bindings == {"brush": ["Ctrl+F7"]}


def test_a_second_key_stands_beside_the_first(dialog):
    choose(dialog, "brush")
    dialog.edits[1].setKeySequence(QKeySequence("Ctrl+F7"))
    assert dialog.bindings.keys("brush") == ("B", "Ctrl+F7")


def test_a_key_of_another_action_must_be_taken_from_it_first(dialog, settings):
    choose(dialog, "grid")
    dialog.edits[0].setKeySequence(QKeySequence("B"))
    assert dialog._clash.text() == 'B is also assigned to "Brush".'
    assert not ok(dialog).isEnabled()
    dialog.accept()
    assert settings.key_bindings == {}, "it is not accepted while a key is given twice"
    dialog._resolve.click()
    assert ok(dialog).isEnabled()
    dialog.accept()
    assert settings.key_bindings == {"grid": ["B"], "brush": []}


def test_a_conflict_elsewhere_is_told_too(dialog):
    choose(dialog, "grid")
    dialog.edits[0].setKeySequence(QKeySequence("B"))
    choose(dialog, "undo")
    assert dialog._clash.text().startswith("B is assigned to ")
    assert dialog._resolve.isHidden()


def test_one_action_or_all_are_reset(dialog):
    for name, key in (("brush", "Ctrl+F7"), ("grid", "Ctrl+F8")):
        choose(dialog, name)
        dialog.edits[0].setKeySequence(QKeySequence(key))
    dialog._reset.click()
    assert dialog.bindings.chosen() == {"brush": ["Ctrl+F7"]}
    assert dialog.presets.currentText() == YOURS
    dialog._reset_all.click()
    assert dialog.bindings.chosen() == {}
    assert dialog.presets.currentText() == "CMR Viewer"


def test_a_preset_is_taken_and_its_keys_are_on_the_sheet(dialog, settings):
    dialog._on_preset("Slicer")
    dialog.accept()
    assert settings.key_preset == "Slicer"
    assert settings.key_bindings["undo"] == ["Z", "Ctrl+Z"]
    edit = dict(next(lines for heading, lines in sheet_groups(ACTIONS, settings.key_bindings) if heading == "Edit"))
    assert edit["Undo"] == "Z or Ctrl+Z"


def test_cancel_leaves_the_settings(dialog, settings):
    dialog._on_preset("ITK-SNAP")
    dialog.reject()
    assert settings.key_bindings == {}


def test_keys_are_taken_from_a_file_and_what_is_wrong_with_it_is_said(dialog, tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    KeyBindings({"brush": ["Ctrl+F7"]}, ACTIONS).save(good)
    bad.write_text("{}")
    dialog.take_file(bad)
    assert "not a keys file" in dialog.text
    dialog.take_file(good)
    assert dialog.text == "The keys in good.json were imported."
    assert dialog.bindings.chosen() == {"brush": ["Ctrl+F7"]}
