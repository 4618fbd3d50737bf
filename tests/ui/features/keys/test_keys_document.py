from pathlib import Path

import pytest

import cmr_viewer
from benchmarks.write_keys import BEGIN, END, rewritten, tables
from cmr_viewer.errors import StoreError
from cmr_viewer.ui.features.table import ACTIONS
from cmr_viewer.ui.window.actions import mouse_of

DOCUMENT = Path(cmr_viewer.__file__).parent.parent / "docs" / "keys.md"


def test_the_document_lists_exactly_the_keys_of_the_program():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert rewritten(text) == text, "run: python benchmarks/write_keys.py docs/keys.md"


def test_every_action_has_one_row():
    rows = [line for line in tables().splitlines() if line.startswith("| ") and not line.startswith("| action")]
    assert len(rows) == len(ACTIONS) + len(mouse_of(ACTIONS)) + 1


def test_a_row_names_the_key_in_every_preset():
    (row,) = [line for line in tables().splitlines() if line.startswith("| Undo ")]
    assert row == "| Undo | `Ctrl+Z` | `Ctrl+Z` | `Ctrl+Z` | `Z`, `Ctrl+Z` |"


def test_what_stands_around_the_tables_is_kept():
    text = f"before\n{BEGIN}\noutdated\n{END}\nafter"
    made = rewritten(text)
    assert made.startswith("before\n") and made.endswith("\nafter") and "outdated" not in made


def test_a_document_without_a_place_for_them_is_refused():
    with pytest.raises(StoreError, match="no place"):
        rewritten("# Keys")
