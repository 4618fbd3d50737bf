from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal
from pydicom.dataset import Dataset

from cmr_viewer.errors import StoreError
from cmr_viewer.export.deidentify import Deidentifier
from cmr_viewer.export.dicom_copies import write_deidentified_images
from cmr_viewer.progress import Cancelled
from tests.phantom import Phantom
from tests.phantom_export import PATIENT, dicom_study, enhanced_study, small_cine

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


def test_images_with_burned_in_text_are_left_out_and_told(tmp_path: Path, phantom: Phantom) -> None:
    def burn(data: Dataset) -> None:
        data.BurnedInAnnotation = "YES" if data.InstanceNumber <= 2 else "NO"

    study = dicom_study(tmp_path / "in", phantom, change=burn)
    made = write_deidentified_images(tmp_path / "out", study.stack, REMOVER)
    assert (made.written, made.burned_in) == (10, 2)
    assert "Left out 2 source images with text burned" in made.notes[0]
    assert len(list((tmp_path / "out").iterdir())) == 10


def test_captures_that_do_not_say_are_copied_and_told(tmp_path: Path, phantom: Phantom) -> None:
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
