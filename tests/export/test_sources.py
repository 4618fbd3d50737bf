import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from cmr_viewer.domain.dicom_uid import is_valid_uid
from cmr_viewer.domain.study import FrameSource
from cmr_viewer.errors import StoreError
from cmr_viewer.export.sources import (
    MR_IMAGE_STORAGE,
    SourceReader,
    paths_of,
    read_source_study,
    require_dicom_sources,
)
from cmr_viewer.load.dicom.with_pydicom import tolerant
from cmr_viewer.progress import Cancelled
from tests.phantom import UID_ROOT, Phantom
from tests.phantom_export import ENHANCED_MR, PATIENT, dicom_study, enhanced_study, small_cine


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return small_cine()


def test_patient_study_and_frames_are_as_in_the_files(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path, phantom)
    found = read_source_study(study.stack)
    assert found.notes == ()
    assert {k: str(found.about.get(k)) for k in ("PatientName", "PatientID", "StudyDate", "StudyTime")} == {
        k: PATIENT[k] for k in ("PatientName", "PatientID", "StudyDate", "StudyTime")
    }
    assert (found.study_uid, found.frame_of_reference_uid) == (UID_ROOT + "7", PATIENT["FrameOfReferenceUID"])
    assert found.slice_thickness_mm == 8.0
    frame = found.frames[2][3]
    assert (frame.class_uid, frame.frame_number) == (MR_IMAGE_STORAGE, None)
    assert frame.instance_uid == study.stack.frame_sources[2][3].instance_uid
    assert (frame.rows, frame.cols, frame.spacing_mm) == (40, 44, (3.6, 3.6))
    assert frame.position_mm == pytest.approx(phantom.stack.geometry.positions_mm[3], abs=1e-4)
    assert frame.orientation is not None
    assert frame.orientation[0] == pytest.approx(phantom.stack.geometry.row_direction, abs=1e-6)


def test_frames_of_a_multi_frame_file_are_numbered_and_placed_by_their_own_group(
    tmp_path: Path, phantom: Phantom
) -> None:
    found = read_source_study(enhanced_study(tmp_path, phantom).stack)
    assert found.frames[1][2].class_uid == ENHANCED_MR
    assert [frame.frame_number for row in found.frames for frame in row] == list(range(1, 13))
    assert found.frames[1][2].position_mm == pytest.approx(phantom.stack.geometry.positions_mm[2], abs=1e-4)
    assert found.frames[1][2].spacing_mm == (3.6, 3.6)
    assert found.slice_thickness_mm == 8.0


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyDate", "20120000"),
        ("PatientBirthDate", "00000000"),
        ("StudyTime", "256161"),
        ("PatientSex", "FEMALE"),
        ("AccessionNumber", "A" * 17),
        ("PatientAge", "sixty"),
    ],
)
def test_a_value_that_dicom_does_not_allow_is_left_empty_and_noted(
    tmp_path: Path, phantom: Phantom, keyword: str, value: str
) -> None:
    study = dicom_study(tmp_path, phantom, change=_set(keyword, value))
    found = read_source_study(study.stack)
    assert not found.about.get(keyword)
    assert [note for note in found.notes if keyword in note and "left empty" in note]
    assert not [note for note in found.notes if value in note]


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"])
@pytest.mark.parametrize("value", ["", "2.16.099.012", "no uid"])
def test_an_invalid_uid_is_replaced_by_a_valid_one_and_noted(
    tmp_path: Path, phantom: Phantom, keyword: str, value: str
) -> None:
    found = read_source_study(dicom_study(tmp_path, phantom, change=_set(keyword, value)).stack)
    made = {
        "StudyInstanceUID": found.study_uid,
        "SeriesInstanceUID": found.frames[0][0].series_uid,
        "FrameOfReferenceUID": found.frame_of_reference_uid,
    }[keyword]
    assert is_valid_uid(made)
    assert made == "2.16.99.12" or value != "2.16.099.012"
    assert [note for note in found.notes if note.startswith(keyword)]


def test_instances_without_a_uid_get_one_each(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path, phantom)
    for path in tmp_path.iterdir():
        data = pydicom.dcmread(path)
        del data.SOPInstanceUID
        data.save_as(path)
    sources = tuple(tuple(one._replace(instance_uid="") for one in row) for row in study.stack.frame_sources)
    object.__setattr__(study.stack, "frame_sources", sources)
    found = read_source_study(study.stack)
    uids = {frame.instance_uid for row in found.frames for frame in row}
    assert len(uids) == 12
    assert all(map(is_valid_uid, uids))
    assert len(found.notes) == 1


def test_what_is_not_there_is_none(tmp_path: Path, phantom: Phantom) -> None:
    def strip(data: Dataset) -> None:
        for keyword in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness"):
            delattr(data, keyword)

    found = read_source_study(dicom_study(tmp_path, phantom, change=strip).stack)
    frame = found.frames[0][0]
    assert (frame.spacing_mm, frame.position_mm, frame.orientation, found.slice_thickness_mm) == (None,) * 4


def test_reading_stops_when_it_is_asked_to(tmp_path: Path, phantom: Phantom) -> None:
    def stop(fraction: float, text: str) -> None:
        if fraction > 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_source_study(dicom_study(tmp_path, phantom).stack, stop)


def test_a_missing_file_is_noted(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path, phantom)
    (tmp_path / "5.dcm").unlink()
    with pytest.raises(StoreError, match=r"5\.dcm is needed"):
        read_source_study(study.stack)


def _set(keyword: str, value: str) -> Callable[[Dataset], None]:
    def change(data: Dataset) -> None:
        setattr(data, keyword, value)

    return change


def test_each_file_of_a_stack_is_named_once(tmp_path: Path) -> None:
    phantom = small_cine()
    single = dicom_study(tmp_path / "single", phantom).stack
    assert len(paths_of(single)) == len(set(paths_of(single))) == 12
    assert paths_of(enhanced_study(tmp_path / "multi", phantom).stack) == [tmp_path / "multi" / "multi0.dcm"]


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    path = paths_of(dicom_study(tmp_path, small_cine()).stack)[0]
    with tolerant(), SourceReader() as reader:
        data = reader.read(path, ["Rows", "PixelData"])
        assert (int(data.Rows), "PixelData" in data, "PatientName" in data) == (40, False, False)
        assert "PixelData" in reader.read(path)


@pytest.mark.parametrize("inner", ["a/b/1.dcm", "a\\b\\1.dcm"])
def test_a_file_inside_an_archive_is_read_there(tmp_path: Path, inner: str) -> None:
    path = paths_of(dicom_study(tmp_path / "in", small_cine()).stack)[0]
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.writestr("other", b"")
        archive.writestr(_named(inner), path.read_bytes())
    with tolerant(), SourceReader() as reader:
        assert int(reader.read(tmp_path / "study.zip" / "a" / "b" / "1.dcm", ["Rows"]).Rows) == 40
        assert int(reader.read(path, ["Rows"]).Rows) == 40


def _named(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("plain")
    info.filename = name
    return info


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"7\.dcm is needed for the export, but it is missing"):
        SourceReader().read(tmp_path / "7.dcm")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.writestr("other", b"")
    with pytest.raises(StoreError, match=r"7\.dcm .* but it is missing"):
        SourceReader().read(tmp_path / "study.zip" / "7.dcm")


def test_a_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(StoreError, match=r"1\.dcm .* could not be read"):
        SourceReader().read(tmp_path / "bad.zip" / "1.dcm")


def test_frames_of_other_files_are_refused_with_what_to_do() -> None:
    stack = small_cine().stack
    sources = ((FrameSource(Path("cine.nii.gz")),) * stack.slices,) * stack.phases
    for one in (stack, replace(stack, frame_sources=sources)):
        with pytest.raises(StoreError, match=r"do not come from DICOM files.* as NIfTI"):
            require_dicom_sources(one)
