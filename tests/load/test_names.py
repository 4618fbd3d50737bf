from pathlib import Path

import pytest

from cmr_viewer.load.names import name_of, patient_key_of


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


def test_a_patient_key_tells_patients_apart_and_does_not_name_them():
    key = patient_key_of("DOE^JANE")
    assert key == patient_key_of(" DOE^JANE ")
    assert key != patient_key_of("DOE^JOHN")
    assert len(key) == 32
    assert "DOE" not in key
