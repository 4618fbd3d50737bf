import json
import os

import pytest

from cmr_viewer.load.dicom import scan as dicom_index
from cmr_viewer.load.dicom.pixels import read_frame
from cmr_viewer.load.dicom.scan import scan, scan_indexed
from cmr_viewer.progress import silent
from tests.phantom import sax_cine, write_dicom_folder
from tests.phantom_multiframe import write_enhanced


@pytest.fixture
def study(tmp_path):
    """A folder of images, one in two files, with a report and a damaged file."""
    stack = sax_cine(phases=2, slices=2, rows=20, cols=16, pixel_spacing_mm=(4.0, 4.5), above=0, below=0).stack
    folder = tmp_path / "Doe^Jane"
    files = write_dicom_folder(folder, stack, patient_id="JANEDOE77", extra={"SliceLocation": "1"})
    write_enhanced(folder / "many.dcm", stack)
    (folder / "copy.dcm").write_bytes(files[0].read_bytes())
    (folder / "damaged.dcm").write_bytes(b"x")
    return folder


def files_of(folder):
    return sorted(folder.iterdir())


def without_identifier(found):
    return [{**vars(h), "patient_id": ""} for h in found.headers]


def remembered(study, index):
    return scan_indexed(files_of(study), study, index, silent)


@pytest.fixture
def no_scan(monkeypatch):
    def refuse(files, progress):
        raise AssertionError("scanned again")

    return lambda: monkeypatch.setattr(dicom_index, "scan", refuse)


def test_a_folder_seen_before_is_not_scanned_again(study, tmp_path, no_scan):
    remembered(study, tmp_path / "index")
    expected = scan(files_of(study), silent)
    no_scan()
    found = remembered(study, tmp_path / "index")
    assert without_identifier(found) == without_identifier(expected)
    assert [type(h.position) for h in found.headers] == [tuple] * 8
    assert (found.other, found.unreadable, found.copies) == (expected.other, expected.unreadable, expected.copies)
    assert (read_frame(found.headers[0]) == read_frame(expected.headers[0])).all()


def test_the_patient_is_known_by_the_key_alone(study, tmp_path):
    index = tmp_path / "index"
    remembered(study, index)
    found = remembered(study, index)
    assert {h.patient_id for h in found.headers} == {""}
    assert all(h.patient_key for h in found.headers)
    (kept,) = index.iterdir()
    text = kept.read_text() + kept.name
    assert not any(secret in text for secret in ("JANEDOE77", "Doe", "Jane", "many.dcm"))


def test_sex_age_and_body_size_are_remembered_and_the_birth_date_is_not(tmp_path, no_scan):
    stack = sax_cine(phases=1, slices=1, rows=20, cols=16, pixel_spacing_mm=(4.0, 4.5), above=0, below=0).stack
    noted = {"PatientSex": "F", "PatientBirthDate": "19610203", "PatientSize": "1.68", "PatientWeight": "64"}
    folder, index = tmp_path / "in", tmp_path / "index"
    write_dicom_folder(folder, stack, extra={**noted, "AcquisitionDate": "20210304"})
    remembered(folder, index)
    no_scan()
    (header,) = remembered(folder, index).headers
    found = (header.sex, header.age_years, header.height_cm, header.weight_kg)
    assert found == ("female", 60.0, pytest.approx(168.0), 64.0)
    (kept,) = index.iterdir()
    assert "19610203" not in kept.read_text()


@pytest.mark.parametrize("change", ["added", "removed", "changed", "touched", "renamed"])
def test_a_folder_that_has_changed_is_scanned_again(study, tmp_path, change):
    index = tmp_path / "index"
    remembered(study, index)
    file = study / "1.dcm"
    if change == "added":
        (study / "new.dcm").write_bytes(b"x")
    elif change == "removed":
        file.unlink()
    elif change == "changed":
        file.write_bytes(file.read_bytes() + b"\0\0")
    elif change == "touched":
        os.utime(file, ns=(1, 1))
    else:
        file.rename(study / "z.dcm")
    found = remembered(study, index)
    expected = scan(files_of(study), silent)
    assert [h.path for h in found.headers] == [h.path for h in expected.headers]
    assert found.unreadable == expected.unreadable
    assert found.headers[0].patient_id, "this is a fresh scan"


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-1],
        lambda raw: raw.replace(b"SAX cine", b"LAX cine"),
        lambda raw: b"[" * 100_000,
        lambda raw: b"null\nnull",
        lambda raw: raw.partition(b"\n")[0] + b"\n{}",
        lambda raw: b"\xff\xfe" + raw,
    ],
)
def test_a_broken_index_is_ignored_and_written_anew(study, tmp_path, damage, no_scan):
    index = tmp_path / "index"
    remembered(study, index)
    (kept,) = index.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert remembered(study, index).headers[0].patient_id == "JANEDOE77"
    assert kept.read_bytes() == whole
    no_scan()
    assert len(remembered(study, index).headers) == 8


def test_an_index_of_another_form_is_ignored(study, tmp_path):
    index = tmp_path / "index"
    remembered(study, index)
    (kept,) = index.iterdir()
    first, _, body = kept.read_bytes().partition(b"\n")
    kept.write_bytes(json.dumps({**json.loads(first), "form": [0]}).encode() + b"\n" + body)
    assert remembered(study, index).headers[0].patient_id == "JANEDOE77"


def test_without_a_place_to_keep_it_there_is_no_index(study, tmp_path):
    assert len(scan_indexed(files_of(study), study, None, silent).headers) == 8
    (tmp_path / "file").touch()
    assert len(remembered(study, tmp_path / "file").headers) == 8


def test_a_folder_without_dicom_is_not_remembered(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.txt").write_text("hello")
    remembered(tmp_path / "a", tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_the_oldest_indexes_are_forgotten(study, tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_index, "_MOST_INDEXES", 2)
    index = tmp_path / "index"
    index.mkdir()
    for number in range(3):
        (index / f"{number}.json").touch()
        os.utime(index / f"{number}.json", ns=(number, number))
    remembered(study, index)
    assert len(list(index.iterdir())) == 2
    assert (index / "2.json").exists()


def test_indexes_have_only_so_much_room_and_the_latest_stay(study, tmp_path, monkeypatch):
    index = tmp_path / "index"
    remembered(study, index)
    (first,) = index.iterdir()
    os.utime(first, ns=(1, 1))
    monkeypatch.setattr(dicom_index, "_LARGEST_ALL", int(1.5 * first.stat().st_size))
    other = tmp_path / "other"
    study.rename(other)
    remembered(other, index)
    (left,) = index.iterdir()
    assert left != first
