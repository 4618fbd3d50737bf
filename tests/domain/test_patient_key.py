from pathlib import Path

import pytest

from cmr_viewer.domain.patient_key import (
    identifies_no_one,
    is_identifier,
    is_of_generic_name,
    patient_key_at,
    patient_key_of,
)


def key_of(text):
    path = Path(text)
    return patient_key_at(path.parent, path.name.removesuffix(".gz").removesuffix(".nii"))


def test_a_patient_key_distinguishes_patients_and_does_not_name_them():
    key = patient_key_of("DOE^JANE")
    assert key == patient_key_of(" DOE^JANE ")
    assert key != patient_key_of("DOE^JOHN")
    assert len(key) == 32
    assert "DOE" not in key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/d/patient001_frame01.nii.gz", "/d/patient001_4d.nii.gz"),
        ("/a/patient001_ED.nii", "/b/patient001_ES.nii"),
        ("/x/p1/ED.nii.gz", "/x/p1/ES.nii.gz"),
        ("/x/p1/ED.nii.gz", "/x/p1/cine.nii.gz"),
        ("/d/anna_ED.nii", "/d/anna_ES.nii"),
        ("/d/anna_frame01.nii", "/d/anna_frame12.nii"),
        ("/x/p1/session1/cine", "/x/p1/session2/cine"),
        ("/x/sub-01/ses-1/sub-01_ses-1_cine.nii.gz", "/x/sub-01/ses-2/sub-01_ses-2_cine.nii.gz"),
        ("/i/case_0012_0000.nii.gz", "/j/case_0012.nii.gz"),
        ("/a/A1D0Q7_sa.nii.gz", "/b/A1D0Q7_sa_ED.nii.gz"),
        ("/x/Smith/dicom", "/x/Smith/sax"),
        ("/q/SCD0000101", "/r/SCD0000101_4d.nii"),
        ("/x/HC12/cine.nii.gz", "/x/HC12/ed.nii.gz"),
    ],
)
def test_files_of_one_patient_are_one_patients(one, other):
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/x/p1/cine.nii.gz", "/x/p2/cine.nii.gz"),
        ("/x/Smith/dicom", "/x/Jones/dicom"),
        ("/x/study1/cine.nii", "/x/study2/cine.nii"),
        ("/tmp/pytest-123/test_a0/study1/cine", "/tmp/pytest-123/test_a0/study2/cine"),
        ("/x/A/p1/cine", "/x/B/p1/cine"),
        ("/x/1.nii.gz", "/x/2.nii.gz"),
        ("/x/cine1.nii.gz", "/x/cine2.nii.gz"),
        ("/x/2024/anna.nii", "/x/2024/bert.nii"),
        ("/x/20240102/cine.nii", "/x/20240103/cine.nii"),
        ("/x/p1/dicom/cine/img", "/x/p2/dicom/cine/img"),
        ("/x/a/sax_4d.nii", "/x/b/sax_4d.nii"),
        ("/x/patient1/ED.nii", "/x/patient2/ED.nii"),
        ("/x/patient001/cine", "/x/patient002/cine"),
        ("/x/001/cine", "/x/002/cine"),
        ("/x/01/cine", "/x/02/cine"),
        ("/x/Müller/cine", "/x/Muller/cine"),
        ("/x/王/cine", "/x/李/cine"),
        ("'/x/\\udce9/cine'", "'/x/\\udce8/cine'"),
        ("/d/anna.nii", "/d/bert.nii"),
        ("/x/v1/anna/cine", "/x/v1/bert/cine"),
        ("/x/p1/p1.nii", "/x/p2/p2.nii"),
        ("/x/IM0001", "/y/IM0001"),
        ("/x/image001.nii", "/y/image001.nii"),
        ("/s/scan0005.nii", "/t/scan0005.nii"),
        ("/x/A/series0005", "/x/B/series0005"),
        ("/x/sub-01/cine", "/x/sub-02/cine"),
    ],
)
def test_files_of_one_name_in_folders_of_two_patients_are_two_patients(one, other):
    assert key_of(one) != key_of(other)


def test_a_name_of_generic_words_alone_still_has_a_key():
    assert len({key_of("/cine.nii"), key_of("/data/cine.nii"), patient_key_of("")}) == 3


@pytest.mark.parametrize(
    ("name", "so"),
    [
        ("patient001", True),
        ("A1D0Q7", True),
        ("1.2.840.113", True),
        ("cine2", False),
        ("p1", False),
        ("20240105", False),
    ],
)
def test_an_identifier_has_three_digits_and_is_no_date(name, so):
    assert is_identifier(name) is so


@pytest.mark.parametrize("text", ["ANONYMOUS", "Anonymized", "0000", "unknown", "n/a", " anonymous "])
def test_an_id_that_every_patient_gets_identifies_no_one(text):
    assert identifies_no_one(patient_key_of(text))
    assert not identifies_no_one(patient_key_of("DOE^JANE"))


def test_a_key_of_a_name_alone_is_known_for_what_it_is():
    assert is_of_generic_name(patient_key_of("cine"), "other")
    assert is_of_generic_name(patient_key_of("p1_cine"), "p1_cine")
    assert not is_of_generic_name(patient_key_of("DOE^JANE"), "cine")
