import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.errors import StoreError
from cmr_viewer.ui.features.keys.key_bindings import PRESETS, KeyBindings
from cmr_viewer.ui.features.table import ACTIONS
from cmr_viewer.ui.window.actions import Menu


def bindings_of(chosen):
    return KeyBindings(chosen, ACTIONS)


NAMES = [spec.id for spec in ACTIONS]
KEYS = ["Ctrl+F5", "Ctrl+F6", "Ctrl+Alt+J", "B", "Ctrl+Z", "Up", "Shift+Meta+Q"]


def test_keys_that_are_those_of_the_table_are_not_chosen():
    assert bindings_of({}).chosen() == {}
    assert bindings_of({"brush": ["B"]}).chosen() == {}
    assert bindings_of({"brush": ["Ctrl+F5"], "no_such_action": ["Ctrl+F6"]}).chosen() == {"brush": ["Ctrl+F5"]}


def test_an_action_may_have_no_key():
    bindings = bindings_of({"brush": []})
    assert bindings.keys("brush") == ()
    assert bindings.chosen() == {"brush": []}


def test_a_key_is_the_same_however_it_is_written():
    bindings = bindings_of({})
    bindings.set_keys("brush", ["shift+ctrl+j", "Ctrl+Shift+J", "no key at all"])
    assert bindings.keys("brush") == ("Ctrl+Shift+J",)


def test_a_key_given_to_two_actions_is_a_conflict_until_it_is_left_to_one():
    bindings = bindings_of({})
    bindings.set_keys("grid", ["G", "B"])
    assert bindings.conflicts() == {"B": ("brush", "grid")}
    bindings.leave_to("B", "grid")
    assert bindings.conflicts() == {}
    assert bindings.keys("brush") == ()
    assert bindings.keys("grid") == ("G", "B")


def test_a_reset_takes_a_key_back_from_who_has_it():
    bindings = bindings_of({"brush": ["Ctrl+F5"], "grid": ["B"]})
    bindings.reset("brush")
    assert bindings.keys("brush") == ("B",)
    assert bindings.keys("grid") == ()


def test_an_action_that_is_not_there_cannot_be_given_a_key():
    with pytest.raises(KeyError):
        bindings_of({}).set_keys("no_such_action", ["Ctrl+F5"])


@pytest.mark.parametrize("preset", [preset.name for preset in PRESETS])
def test_a_preset_gives_no_key_twice_and_leaves_no_action_without_one(preset):
    bindings, own = bindings_of({}), bindings_of({})
    bindings.use_preset(preset)
    assert bindings.conflicts() == {}
    assert [name for name in NAMES if own.keys(name) and not bindings.keys(name)] == []
    assert bindings.preset == preset


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_names_actions_that_there_are(preset):
    assert set(preset.keys) <= set(NAMES)
    assert not set(preset.taken) & set(preset.moved)


@pytest.mark.parametrize(
    ("preset", "action", "key"),
    [
        ("Segment", "go_ed", "D"),
        ("Segment", "set_es", "Alt+S"),
        ("Segment", "zoom_heart", "Shift+Z"),
        ("Segment", "copy_to_next_slice", "Ctrl+D"),
        ("ITK-SNAP", "hide_masks", "S"),
        ("ITK-SNAP", "slice_up", "PgUp"),
        ("ITK-SNAP", "brush", "4"),
        ("Slicer", "undo", "Z"),
        ("Slicer", "redo", "Y"),
        ("Slicer", "slice_up", "Left"),
        ("Slicer", "zoom_fit", "R"),
    ],
)
def test_a_preset_has_the_keys_of_its_program(preset, action, key):
    bindings = bindings_of({})
    bindings.use_preset(preset)
    assert key in bindings.keys(action)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_no_key_is_one_that_opens_a_menu_else_it_would_do_nothing(preset):
    bindings = bindings_of({})
    bindings.use_preset(preset.name)
    opens = {f"Alt+{menu.value.partition('&')[2][0].upper()}" for menu in Menu}
    assert len(opens) == len(Menu)
    assert not opens & {key for name in bindings.names for key in bindings.keys(name)}


def test_other_keys_are_no_preset():
    assert bindings_of({"brush": ["Ctrl+F5"]}).preset == ""


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(KEYS), max_size=3), max_size=6))
def test_what_is_chosen_makes_the_same_keys_again(chosen):
    bindings = bindings_of(chosen)
    again = bindings_of(bindings.chosen())
    assert [again.keys(name) for name in NAMES] == [bindings.keys(name) for name in NAMES]


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(KEYS), max_size=2), max_size=6), st.data())
def test_leaving_every_conflict_to_one_action_leaves_none(chosen, data):
    bindings = bindings_of(chosen)
    for key, names in bindings.conflicts().items():
        bindings.leave_to(key, data.draw(st.sampled_from(names)))
    assert bindings.conflicts() == {}


def test_keys_come_back_from_their_file(tmp_path):
    path = tmp_path / "keys.json"
    bindings_of({"brush": ["Ctrl+F5", "Ctrl+F6"], "grid": []}).save(path)
    other = bindings_of({"accept": ["Ctrl+F7"]})
    assert other.load(path) == ()
    assert other.chosen() == {"brush": ["Ctrl+F5", "Ctrl+F6"], "grid": []}


def test_actions_that_a_file_does_not_name_keep_their_keys_and_unknown_ones_are_told(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(
        json.dumps({"format": "cmr-viewer-keys", "version": 1, "keys": {"brush": ["Ctrl+F5"], "fly": ["Ctrl+F9"]}})
    )
    bindings = bindings_of({"grid": ["Ctrl+F6"]})
    assert bindings.load(path) == ("fly",)
    assert bindings.chosen() == {"brush": ["Ctrl+F5"], "grid": ["Ctrl+F6"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "not JSON"),
        ("[]", "not a keys file"),
        ('{"format": "cmr-viewer-keys", "version": 2, "keys": {}}', "newer program"),
        ('{"format": "cmr-viewer-keys", "version": 1, "keys": {"brush": "B"}}', "brush are not a list"),
        ('{"format": "cmr-viewer-keys", "version": 1, "keys": {"brush": ["Ctrl+Fly"]}}', "'Ctrl\\+Fly'"),
    ],
)
def test_a_file_that_is_no_file_of_keys_changes_nothing(tmp_path, content, said):
    path = tmp_path / "keys.json"
    path.write_text(content)
    bindings = bindings_of({"grid": ["Ctrl+F6"]})
    with pytest.raises(StoreError, match=said):
        bindings.load(path)
    assert bindings.chosen() == {"grid": ["Ctrl+F6"]}


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"Could not read keys\.json"):
        bindings_of({}).load(tmp_path / "keys.json")
