import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from cmr_viewer.domain.study import FrameSource
from cmr_viewer.errors import StoreError
from cmr_viewer.export.source_files import SourceReader, paths_of, require_dicom_sources, tolerant
from tests.phantom_export import dicom_study, enhanced_study, small_cine


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
