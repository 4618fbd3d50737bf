import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from cmr_viewer import paths
from cmr_viewer.errors import LoadError, NotAStudyError
from cmr_viewer.load.study import open_study, reversed_slices, study_name
from cmr_viewer.progress import Cancelled
from tests.phantom import (
    ras_affine,
    sax_cine,
    voxels_of,
    write_acdc_patient,
    write_dicom_folder,
    write_mnms_patient,
    write_nifti,
)


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=3, slices=6, rows=40, cols=36, pixel_spacing_mm=(4.0, 4.0))


def test_a_dicom_folder_or_one_of_its_files_opens_the_stack(tmp_path, phantom):
    files = write_dicom_folder(tmp_path / "case", phantom.stack)
    for path in (tmp_path / "case", files[3]):
        study = open_study(path)
        np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
        assert (study.name, study.format_name) == ("case", "DICOM")


def test_a_nifti_file_opens(tmp_path, phantom):
    path = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    np.testing.assert_array_equal(open_study(path).stack.pixels, phantom.stack.pixels)


def test_an_itk_file_opens(tmp_path):
    sitk.WriteImage(sitk.Image([8, 7, 2], sitk.sitkInt16), str(tmp_path / "a.mha"))
    assert open_study(tmp_path / "a.mha").stack.pixels.shape == (1, 2, 7, 8)


@pytest.mark.parametrize("write", [write_acdc_patient, write_mnms_patient])
def test_a_patient_folder_opens_with_its_reference(tmp_path, phantom, write):
    study = open_study(write(tmp_path, phantom))
    np.testing.assert_array_equal(study.reference, phantom.labels[[0, phantom.es_phase]])


def test_a_single_file_of_a_patient_opens_with_its_reference(tmp_path, phantom):
    study = open_study(write_acdc_patient(tmp_path, phantom) / "patient001_frame01.nii.gz")
    np.testing.assert_array_equal(study.reference, phantom.labels[:1])
    assert study.stack.ed_phase == 0


def test_label_maps_beside_other_files_are_not_taken_for_a_reference(tmp_path, phantom):
    affine = ras_affine(phantom.stack)
    write_nifti(tmp_path / "cine_gt.nii.gz", voxels_of(phantom.labels), affine)
    path = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), affine)
    assert open_study(path).reference is None


@pytest.mark.parametrize(
    ("name", "message"),
    [("absent", "does not exist"), ("notes.txt", "no DICOM, NIfTI, MHA or NRRD"), ("empty", "no DICOM images")],
)
def test_what_is_no_study_is_refused_in_words(tmp_path, name, message):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAStudyError, match=message):
        open_study(tmp_path / name)


def test_a_folder_of_image_files_says_to_open_one_of_them(tmp_path, phantom):
    write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    with pytest.raises(NotAStudyError, match=r"cine.nii.gz: open that file"):
        open_study(tmp_path)


def test_a_file_that_says_dicom_and_is_not_is_refused(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"x")
    with pytest.raises(LoadError, match=r"a.dcm"):
        open_study(tmp_path / "a.dcm")


def test_a_stop_goes_through(tmp_path, phantom):
    def stop(fraction, text):
        raise Cancelled

    with pytest.raises(Cancelled):
        open_study(write_acdc_patient(tmp_path, phantom), stop)


def test_a_study_is_named_without_extensions(tmp_path):
    assert study_name(tmp_path / "patient001_frame01.nii.gz") == "patient001_frame01"


def test_reversing_slices_turns_everything_that_has_slices(tmp_path, phantom):
    study = open_study(write_acdc_patient(tmp_path, phantom))
    turned = reversed_slices(study)
    np.testing.assert_array_equal(turned.stack.pixels, study.stack.pixels[:, ::-1])
    np.testing.assert_array_equal(turned.reference, study.reference[:, ::-1])
    assert turned.stack.source_slices == study.stack.source_slices[::-1]
    assert turned.stack.geometry.positions_mm == study.stack.geometry.positions_mm[::-1]
    assert np.shares_memory(turned.stack.pixels, study.stack.pixels)
    assert (turned.stack.ed_phase, turned.name) == (study.stack.ed_phase, study.name)


def test_reversing_slices_twice_changes_nothing(tmp_path, phantom):
    study = open_study(write_mnms_patient(tmp_path, phantom))
    again = reversed_slices(reversed_slices(study))
    np.testing.assert_array_equal(again.stack.pixels, study.stack.pixels)
    assert again.stack.geometry == study.stack.geometry
    assert again.stack.stack_id == study.stack.stack_id
    fields = [f.name for f in dataclasses.fields(study.stack) if f.name not in ("pixels", "geometry")]
    assert all(getattr(again.stack, name) == getattr(study.stack, name) for name in fields)


def test_the_demo_study_opens_with_its_contours():
    study = open_study(paths.demo_study_dir())
    assert study.stack.pixels.shape == (20, 13, 256, 256)
    assert study.stack.geometry.slice_spacing_mm == pytest.approx(10.0, abs=1e-3)
    assert study.stack.geometry.pixel_spacing_mm == (1.367188, 1.367188)
    assert (study.stack.ed_phase, study.stack.es_phase) == (19, 6)
    assert study.reference_phases == (6, 19)
    assert study.stack.source_slices == tuple(range(13))
    assert study.warnings == ()
