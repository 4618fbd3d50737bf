from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal
from pydicom.dataset import Dataset

from cmr_viewer.domain.dicom_uid import is_valid_uid
from cmr_viewer.errors import StoreError
from cmr_viewer.export.deidentify import (
    SECRET_FILE,
    Dates,
    Deidentifier,
    fresh_secret,
    saved_secret,
    write_deidentified_images,
)
from cmr_viewer.load.dicom.with_pydicom import tolerant
from cmr_viewer.progress import Cancelled
from tests.phantom import UID_ROOT, Phantom
from tests.phantom_export import ENHANCED_MR, MR_IMAGE_STORAGE, PATIENT, dicom_study, enhanced_study, small_cine

SECRET = b"a secret that nobody can guess.."
IDENTIFYING = (
    "Jane",
    "Doe",
    "HOSPITAL",
    "19610203",
    "A-0815",
    "Doctor",
    "General Hospital",
    "SN-77",
    "private",
    "2021",
)


def image(class_uid: str = MR_IMAGE_STORAGE) -> Dataset:
    data = Dataset()
    for keyword, value in PATIENT.items():
        setattr(data, keyword, value)
    data.SOPClassUID, data.SOPInstanceUID = class_uid, UID_ROOT + "1"
    data.StudyInstanceUID, data.SeriesInstanceUID = UID_ROOT + "2", UID_ROOT + "3"
    data.OtherPatientIDs, data.PatientComments, data.ImageComments = "HOSPITAL-1", "Jane", "of Doe"
    data.OperatorsName, data.SeriesDescription, data.ProtocolName = "Doctor^Any", "Doe SAX", "Doe protocol"
    data.Rows, data.TriggerTime, data.SliceThickness = 40, "12.5", "8"
    data.add_new(0x00091001, "LO", "private Jane")
    data.add_new(0x00090010, "LO", "MAKER private")
    data.add_new(0x60003000, "OB", b"overlay!")
    data.add_new(0x60004000, "LT", "overlay of Jane")
    return data


def referring(data: Dataset) -> Dataset:
    item, inner = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = MR_IMAGE_STORAGE, UID_ROOT + "1"
    inner.SourceImageSequence = [item]
    inner.OperatorsName = "Doctor^Inner"
    inner.add_new(0x00091001, "LO", "private Jane")
    data.DerivationImageSequence = [inner]
    return data


def texts(data: Dataset) -> str:
    return " ".join(str(element.value) for element in data.iterall() if element.VR != "SQ")


@pytest.mark.parametrize("class_uid", [MR_IMAGE_STORAGE, ENHANCED_MR])
def test_nothing_that_identifies_is_left(class_uid: str) -> None:
    data = referring(image(class_uid))
    Deidentifier(SECRET).apply(data)
    left = texts(data)
    for text in (*IDENTIFYING, UID_ROOT):
        assert text not in left, text
    assert not [element for element in data.iterall() if element.tag.is_private]
    assert 0x60003000 not in data
    assert (data.Rows, data.TriggerTime, data.SliceThickness) == (40, 12.5, 8.0)


def test_it_is_said_that_and_how_it_was_done() -> None:
    data = image()
    Deidentifier(SECRET).apply(data)
    assert data.PatientIdentityRemoved == "YES"
    assert data.DeidentificationMethod[0] == "DICOM PS3.15 E.1 Basic Profile"
    codes = [(item.CodeValue, item.CodingSchemeDesignator) for item in data.DeidentificationMethodCodeSequence]
    assert codes == [("113100", "DCM")]
    assert data.LongitudinalTemporalInformationModified == "REMOVED"


def test_types_of_attributes_decide_between_removing_and_replacing() -> None:
    classic, enhanced = image(), image(ENHANCED_MR)
    Deidentifier(SECRET).apply(classic)
    Deidentifier(SECRET).apply(enhanced)
    for keyword in ("InstitutionName", "DeviceSerialNumber", "ProtocolName", "AcquisitionDate", "SeriesDescription"):
        assert keyword not in classic
    assert (enhanced.InstitutionName, enhanced.DeviceSerialNumber) == ("ANONYMIZED", "ANONYMIZED")
    assert not enhanced.AcquisitionDate
    for data in (classic, enhanced):
        for keyword in ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientSex"):
            assert data[keyword].is_empty


def test_uids_are_mapped_the_same_wherever_they_stand() -> None:
    data, remover = referring(image(ENHANCED_MR)), Deidentifier(SECRET)
    remover.apply(data)
    mapped = remover.uid(UID_ROOT + "1")
    assert is_valid_uid(mapped)
    assert data.SOPInstanceUID == mapped
    item = data.DerivationImageSequence[0].SourceImageSequence[0]
    assert (item.ReferencedSOPInstanceUID, item.ReferencedSOPClassUID) == (mapped, MR_IMAGE_STORAGE)
    assert len({data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID}) == 4


def test_the_secret_alone_decides() -> None:
    one, same, other = Deidentifier(SECRET), Deidentifier(SECRET), Deidentifier(fresh_secret())
    assert one.uid("1.2") == same.uid("1.2") != other.uid("1.2")
    assert one.pseudonym("HOSPITAL-4711") == same.pseudonym("HOSPITAL-4711 ") != other.pseudonym("HOSPITAL-4711")
    assert one.pseudonym("A") != one.pseudonym("B")
    with pytest.raises(StoreError, match="secret"):
        Deidentifier(b"short")


def test_one_patient_has_one_pseudonym_and_one_shift_of_dates() -> None:
    remover = Deidentifier(SECRET, Dates.SHIFTED)
    first, later, other = image(), image(), image()
    later.StudyDate = "20210314"
    other.PatientID = "HOSPITAL-9999"
    for data in (first, later, other):
        remover.apply(data)
    assert first.PatientID == later.PatientID == str(first.PatientName).rstrip("^")
    assert first.PatientID != other.PatientID
    days = [pydicom.valuerep.DA(data.StudyDate) for data in (first, later)]
    assert (days[1] - days[0]).days == 10
    original = pydicom.valuerep.DA("20210304")
    assert 1 <= (original - days[0]).days <= 3650
    assert first.StudyDate != other.StudyDate
    assert first.StudyTime == PATIENT["StudyTime"]
    assert first.PatientBirthDate == ""
    assert first.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [item.CodeValue for item in first.DeidentificationMethodCodeSequence] == ["113100", "113107"]


@pytest.mark.parametrize(("keyword", "value"), [("StudyDate", "20120000"), ("StudyTime", "Jane")])
def test_dates_and_times_that_cannot_be_shifted_are_removed(keyword: str, value: str) -> None:
    data = image()
    with tolerant():
        setattr(data, keyword, value)
        Deidentifier(SECRET, Dates.SHIFTED).apply(data)
    assert not data[keyword].value


def test_dates_with_times_are_shifted_too() -> None:
    data = image(ENHANCED_MR)
    data.AcquisitionDateTime = "20210304101500.5"
    Deidentifier(SECRET, Dates.SHIFTED).apply(data)
    assert data.AcquisitionDateTime[:8] == data.StudyDate
    assert data.AcquisitionDateTime[8:] == "101500.5"


def test_a_file_keeps_its_encoding_and_loses_who_sent_it(tmp_path: Path) -> None:
    data = pydicom.FileDataset("", image(), preamble=b"Jane" * 32, file_meta=pydicom.dataset.FileMetaDataset())
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.SourceApplicationEntityTitle = "DOE_AE"
    data.save_as(tmp_path / "1.dcm", enforce_file_format=True)
    read = pydicom.dcmread(tmp_path / "1.dcm")
    Deidentifier(SECRET).apply(read)
    read.save_as(tmp_path / "2.dcm", enforce_file_format=True)
    raw = (tmp_path / "2.dcm").read_bytes()
    for text in (*IDENTIFYING, "DOE_AE"):
        assert text.encode() not in raw
    again = pydicom.dcmread(tmp_path / "2.dcm")
    assert again.file_meta.MediaStorageSOPInstanceUID == again.SOPInstanceUID
    assert again.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian


def test_an_earlier_method_stays_named() -> None:
    data = image()
    data.DeidentificationMethod = "By hand"
    Deidentifier(SECRET).apply(data)
    assert data.DeidentificationMethod[0] == "By hand"
    assert len(data.DeidentificationMethod) == 3


def test_an_object_of_our_own_keeps_its_uids_and_pseudonym() -> None:
    data = referring(image(ENHANCED_MR))
    remover = Deidentifier(SECRET)
    remover.apply(data)
    before = {k: data[k].value for k in ("SOPInstanceUID", "PatientID", "PatientName", "FrameOfReferenceUID")}
    data.ContentDate, data.ContentTime, data.SeriesDescription = "20260102", "101010", "masks"
    equipment: Any = Dataset()
    equipment.ContributionDateTime = "20260102101010"
    data.ContributingEquipmentSequence = [equipment]
    remover.apply_to_own(data)
    assert {k: data[k].value for k in before} == before
    assert data.ContentDate == "19000101"
    assert "20260102" not in texts(data)


def test_a_workspace_keeps_its_secret(tmp_path: Path) -> None:
    first = saved_secret(tmp_path)
    assert len(first) == 32
    assert saved_secret(tmp_path) == first
    assert saved_secret(tmp_path / "other") != first
    assert first.hex() == (tmp_path / SECRET_FILE).read_text()


@pytest.mark.parametrize("content", ["", "no hex", "abcd"])
def test_a_damaged_secret_is_noted_and_not_written_over(tmp_path: Path, content: str) -> None:
    (tmp_path / SECRET_FILE).write_text(content)
    with pytest.raises(StoreError, match="secret"):
        saved_secret(tmp_path)
    assert (tmp_path / SECRET_FILE).read_text() == content


REMOVER = Deidentifier(b"a secret that nobody can guess..")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return small_cine()


def test_images_keep_their_pixels_and_geometry_and_lose_the_patient(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    made = write_deidentified_images(tmp_path / "out", study.stack, REMOVER)
    assert (made.written, made.notes) == (12, ())
    copies = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in copies][:2] == ["image_0001.dcm", "image_0002.dcm"]
    for index, path in zip(study.stack.frame_indices, copies, strict=True):
        data = pydicom.dcmread(path)
        source = study.stack.frame_sources[index.phase][index.slice_index]
        assert data.SOPInstanceUID == REMOVER.uid(source.instance_uid)
        assert_array_equal(data.pixel_array, phantom.stack.pixels[index])
        position = np.asarray(data.ImagePositionPatient, float)
        assert position == pytest.approx(np.asarray(phantom.stack.geometry.positions_mm[index.slice_index]), abs=1e-3)
        raw = path.read_bytes()
        assert not [
            value for value in PATIENT.values() if len(value) > 3 and value.encode() in raw and value != "Maker"
        ]


def test_a_multi_frame_file_is_copied_once(tmp_path: Path, phantom: Phantom) -> None:
    study = enhanced_study(tmp_path / "in", phantom)
    assert write_deidentified_images(tmp_path / "out", study.stack, REMOVER).written == 1
    data = pydicom.dcmread(tmp_path / "out" / "image_0001.dcm")
    assert_array_equal(data.pixel_array, phantom.stack.pixels.reshape(12, 40, 44))


def test_images_with_burned_in_text_are_left_out_and_noted(tmp_path: Path, phantom: Phantom) -> None:
    def burn(data: Dataset) -> None:
        data.BurnedInAnnotation = "YES" if data.InstanceNumber <= 2 else "NO"

    study = dicom_study(tmp_path / "in", phantom, change=burn)
    made = write_deidentified_images(tmp_path / "out", study.stack, REMOVER)
    assert (made.written, made.burned_in) == (10, 2)
    assert "Left out 2 source images with text burned" in made.notes[0]
    assert len(list((tmp_path / "out").iterdir())) == 10


def test_captures_that_do_not_say_are_copied_and_noted(tmp_path: Path, phantom: Phantom) -> None:
    def capture(data: Dataset) -> None:
        data.ImageType = ["DERIVED", "SECONDARY", "M"]

    study = dicom_study(tmp_path / "in", phantom, change=capture)
    made = write_deidentified_images(tmp_path / "out", study.stack, REMOVER)
    assert (made.written, made.doubtful) == (12, 12)
    assert "Check 12 source images" in made.notes[0]


def test_a_missing_image_stops_it(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    (tmp_path / "in" / "3.dcm").unlink()
    with pytest.raises(StoreError, match=r"3\.dcm is needed"):
        write_deidentified_images(tmp_path / "out", study.stack, REMOVER)


def test_it_stops_when_it_is_asked_to(tmp_path: Path, phantom: Phantom) -> None:
    def stop(fraction: float, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_deidentified_images(tmp_path / "out", dicom_study(tmp_path / "in", phantom).stack, REMOVER, stop)
