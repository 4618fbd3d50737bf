import os
from pathlib import Path

import pytest

from cmr_viewer.load.names import name_of


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/patient001_frame01.nii.gz", "patient001_frame01"),
        ("/data/a.b.NII", "a.b"),
        ("/data/heart.mha", "heart"),
        ("/data/SCD0000101", "SCD0000101"),
        ("/data/v1.2", "v1.2"),
        ("/data/.nii", ".nii"),
    ],
)
def test_a_study_is_called_by_its_file_or_folder_without_extensions(path, name):
    assert name_of(Path(path)) == name


def test_a_folder_named_by_a_dot_has_its_real_name(tmp_path, monkeypatch):
    folder = tmp_path / "SCD01"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert name_of(Path()) == "SCD01"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"\xc9tude_\xe9", "Étude_é"),
        (b"\x81", "\ufffd"),
        ("Мы".encode("cp1251"), "Ìû"),
        (b"a\nb\t c", "a b c"),
        (b"..nii", "."),
    ],
)
def test_a_name_that_is_no_text_is_shown_as_text_on_one_line(raw, name):
    assert name_of(Path(os.fsdecode(b"/data/" + raw))) == name
    name.encode("utf-8")


def test_the_root_is_a_study_too():
    assert name_of(Path("/")) == "study"
