import os
from pathlib import Path

import pytest

from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.errors import LoadError, UnknownCodesError, in_one_line
from cmr_viewer.file_names import path_of_text, readable, text_of_path

LATIN_1 = os.fsdecode(b"/data/\xc9tude_\xe9")


def test_bytes_that_are_no_text_are_shown_as_letters():
    assert readable(LATIN_1) == "/data/Étude_é"
    assert readable("心 ok") == "心 ok"
    assert readable("\ud800") == "\ufffd"


@pytest.mark.parametrize("text", ["/data/a", LATIN_1, "/data/心", os.fsdecode(b"\xff"), "/a\nb", ""])
def test_a_path_comes_back_from_its_text_whatever_its_bytes(text):
    held = text_of_path(Path(text))
    held.encode("utf-8")
    assert path_of_text(held) == Path(text)


def test_messages_and_notes_can_be_written_whatever_file_they_name():
    for text in (
        str(LoadError(f"{LATIN_1} is gone.")),
        str(UnknownCodesError(LATIN_1, {})),
        Note(LATIN_1, Code.FILES_UNREADABLE),
        in_one_line(FileNotFoundError(2, "No such file", LATIN_1)),
        in_one_line(ValueError(LATIN_1)),
    ):
        assert "Étude_é" in text.encode("utf-8").decode()
