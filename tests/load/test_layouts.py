import numpy as np
import pytest

from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.layouts import read_marked_file, read_patient, recognise_file, recognise_patient
from cmr_viewer.load.names import patient_key_of
from tests.phantom import (
    default_affine,
    sax_cine,
    voxels_of,
    write_acdc_patient,
    write_mnms_patient,
    write_nifti,
)


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=6, slices=7, rows=64, cols=60, pixel_spacing_mm=(2.5, 2.4))


@pytest.fixture
def acdc(tmp_path, phantom):
    return write_acdc_patient(tmp_path, phantom, apex_first=True)


@pytest.fixture
def mnms(tmp_path, phantom):
    return write_mnms_patient(tmp_path, phantom)


@pytest.mark.parametrize("layout", ["acdc", "mnms"])
def test_a_patient_folder_opens_as_ed_and_es_with_its_label_maps(request, phantom, layout):
    folder = request.getfixturevalue(layout)
    study = read_patient(folder, recognise_patient(folder))
    both = [0, phantom.es_phase]
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[both])
    np.testing.assert_array_equal(study.reference, phantom.labels[both])
    assert study.reference_phases == (0, 1)
    assert (study.stack.ed_phase, study.stack.es_phase) == (0, 1)
    assert study.stack.source_slices == tuple(range(7))[::-1]
    assert study.name == folder.name
    assert study.stack.geometry.spacing_known == (layout == "acdc")


def test_a_single_acdc_file_is_ed_by_its_info_file(acdc, phantom):
    study = read_marked_file(recognise_file(acdc / "patient001_frame01.nii.gz"))
    assert (study.stack.phases, study.stack.ed_phase, study.stack.es_phase) == (1, 0, None)
    np.testing.assert_array_equal(study.reference, phantom.labels[:1])
    assert study.name == "patient001_frame01"


def test_a_single_es_file_is_marked_as_es(mnms):
    study = read_marked_file(recognise_file(mnms / "A0B1C2_sa_ES.nii.gz"))
    assert (study.stack.ed_phase, study.stack.es_phase) == (None, 0)


def test_without_an_info_file_nothing_is_known_of_the_phase(acdc):
    (acdc / "Info.cfg").unlink()
    marked = recognise_file(acdc / "patient001_frame01.nii.gz")
    assert marked.mark == ""
    study = read_marked_file(marked)
    assert (study.stack.ed_phase, study.stack.es_phase) == (None, None)
    assert recognise_patient(acdc) == []


def test_files_of_one_patient_share_a_patient_key(acdc):
    keys = {read_marked_file(f).patient_key for f in recognise_patient(acdc)}
    assert keys == {read_patient(acdc, recognise_patient(acdc)).patient_key} == {patient_key_of("acdc/patient001")}


def test_without_label_maps_there_is_no_reference(tmp_path, phantom):
    folder = write_acdc_patient(tmp_path, phantom, labels=False)
    study = read_patient(folder, recognise_patient(folder))
    assert study.reference is None
    assert study.reference_phases == ()


def test_label_maps_at_one_phase_only_are_the_reference_of_that_phase(acdc, phantom):
    next(acdc.glob("*frame01_gt*")).unlink()
    study = read_patient(acdc, recognise_patient(acdc))
    assert study.reference_phases == (1,)
    assert not study.reference[0].any()
    np.testing.assert_array_equal(study.reference[1], phantom.labels[phantom.es_phase])


def test_ed_and_es_on_different_grids_are_refused(acdc, phantom):
    es = acdc / f"patient001_frame{phantom.es_phase + 1:02d}.nii.gz"
    write_nifti(es, voxels_of(phantom.stack.pixels[:1, :6])[..., 0], default_affine(phantom.stack))
    with pytest.raises(LoadError, match="same grid"):
        read_patient(acdc, recognise_patient(acdc))


def test_label_maps_that_do_not_fit_are_refused(acdc, phantom):
    gt = acdc / "patient001_frame01_gt.nii.gz"
    write_nifti(gt, np.zeros((10, 10, 7), np.uint8), default_affine(phantom.stack))
    with pytest.raises(LabelMapError, match=r"frame01_gt"):
        read_patient(acdc, recognise_patient(acdc))


def test_an_unknown_code_in_a_label_map_is_refused(mnms, phantom):
    codes = voxels_of(phantom.labels[:1], apex_first=True)[..., 0].copy()
    codes[0, 0, 0] = 5
    write_nifti(mnms / "A0B1C2_sa_ED_gt.nii.gz", codes, np.diag([-1.0, -1.0, 1.0, 1.0]))
    with pytest.raises(LabelMapError, match="5"):
        read_patient(mnms, recognise_patient(mnms))


@pytest.mark.parametrize(
    "name", ["cine.nii.gz", "patient001_frame01_gt.nii.gz", "A0B1C2_sa_ED_gt.nii.gz", "x_sa_MID.nii"]
)
def test_other_names_follow_no_layout(tmp_path, name):
    assert recognise_file(tmp_path / name) is None


def test_a_folder_of_two_patients_is_not_one_patient(tmp_path, phantom):
    one, two = write_mnms_patient(tmp_path, phantom), write_mnms_patient(tmp_path, phantom, patient="Z9Y8X7")
    for path in two.iterdir():
        path.rename(one / path.name)
    assert recognise_patient(one) == []


def test_an_uncompressed_file_finds_its_label_map(tmp_path, phantom):
    affine = default_affine(phantom.stack)
    frames, codes = voxels_of(phantom.stack.pixels[:1])[..., 0], voxels_of(phantom.labels[:1])[..., 0]
    write_nifti(tmp_path / "A1_sa_ED.nii", frames, affine)
    gt = write_nifti(tmp_path / "A1_sa_ED_gt.nii", codes, affine)
    assert recognise_file(tmp_path / "A1_sa_ED.nii").labels == gt
