import numpy as np
import pytest

from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.patient import Patient
from cmr_viewer.domain.patient_key import patient_key_of
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.images.layouts import read_image, read_patient
from cmr_viewer.load.names import recognise_file, recognise_patient
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
    study = read_image(acdc / "patient001_frame01.nii.gz")
    assert (study.stack.phases, study.stack.ed_phase, study.stack.es_phase) == (1, 0, None)
    np.testing.assert_array_equal(study.reference, phantom.labels[:1])
    assert study.name == "patient001_frame01"


def test_acdc_s_info_file_shows_height_and_weight(acdc, mnms):
    folder = read_patient(acdc, recognise_patient(acdc))
    single = read_image(acdc / "patient001_frame01.nii.gz")
    assert folder.patient == single.patient == Patient(height_cm=170.0, weight_kg=70.0)
    assert read_patient(mnms, recognise_patient(mnms)).patient.is_unknown


@pytest.mark.parametrize("text", ["ED: 1\nES: 4\n", "ED: 1\nES: 4\nHeight: tall\nWeight:\n"])
def test_an_info_file_without_height_and_weight_leaves_them_unknown(acdc, text):
    (acdc / "Info.cfg").write_text(text)
    assert read_patient(acdc, recognise_patient(acdc)).patient.is_unknown


def test_a_single_es_file_is_marked_as_es(mnms):
    study = read_image(mnms / "A0B1C2_sa_ES.nii.gz")
    assert (study.stack.ed_phase, study.stack.es_phase) == (None, 0)


def test_without_an_info_file_nothing_is_known_of_the_phase(acdc):
    (acdc / "Info.cfg").unlink()
    marked = recognise_file(acdc / "patient001_frame01.nii.gz")
    assert marked.mark == ""
    study = read_image(marked.image)
    assert (study.stack.ed_phase, study.stack.es_phase) == (None, None)
    assert recognise_patient(acdc) == []


def test_files_of_one_patient_share_a_patient_key(acdc):
    keys = {read_image(f.image).patient_key for f in recognise_patient(acdc)}
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
    with pytest.raises(LoadError, match="different grids"):
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


@pytest.mark.parametrize("patient", ["SC-HF-I-12", "site-03-0001", "A1"])
def test_a_pseudonym_of_the_mnms_layout_may_hold_hyphens(tmp_path, phantom, patient):
    folder = write_mnms_patient(tmp_path, phantom, patient=patient)
    assert [(marked.mark, marked.patient) for marked in recognise_patient(folder)] == [("ED", patient), ("ES", patient)]


def test_a_folder_of_two_patients_is_not_one_patient(tmp_path, phantom):
    one, two = write_mnms_patient(tmp_path, phantom), write_mnms_patient(tmp_path, phantom, patient="Z9Y8X7")
    for path in two.iterdir():
        path.rename(one / path.name)
    assert recognise_patient(one) == []


def test_a_single_ed_file_notes_the_es_file_beside_it_also_among_other_patients(tmp_path, phantom):
    one, two = write_mnms_patient(tmp_path, phantom), write_mnms_patient(tmp_path, phantom, patient="Z9Y8X7")
    for path in two.iterdir():
        path.rename(one / path.name)
    for patient in ("A0B1C2", "Z9Y8X7"):
        study = read_image(one / f"{patient}_sa_ED.nii.gz")
        (note,) = [note for note in study.warnings if note.code is Code.IMAGES_BESIDE]
        assert f"{patient}_sa_ES.nii.gz" in note
    (one / "A0B1C2_sa_ES.nii.gz").unlink()
    alone = read_image(one / "A0B1C2_sa_ED.nii.gz")
    assert Code.IMAGES_BESIDE not in [note.code for note in alone.warnings]


def test_an_uncompressed_file_finds_its_label_map(tmp_path, phantom):
    affine = default_affine(phantom.stack)
    frames, codes = voxels_of(phantom.stack.pixels[:1])[..., 0], voxels_of(phantom.labels[:1])[..., 0]
    write_nifti(tmp_path / "A1_sa_ED.nii", frames, affine)
    gt = write_nifti(tmp_path / "A1_sa_ED_gt.nii", codes, affine)
    assert recognise_file(tmp_path / "A1_sa_ED.nii").labels == gt


def write_acdc_cine(folder, phantom, *, apex_first=True):
    voxels = voxels_of(phantom.stack.pixels, apex_first=apex_first)
    return write_nifti(folder / "patient001_4d.nii.gz", voxels, default_affine(phantom.stack))


@pytest.mark.parametrize("opened", ["folder", "file"])
def test_the_cine_of_acdc_is_opened_with_ed_es_and_label_maps_at_their_phases(acdc, phantom, opened):
    path = write_acdc_cine(acdc, phantom)
    files = recognise_patient(acdc)
    study = read_patient(acdc, files) if opened == "folder" else read_image(path)
    es = phantom.es_phase
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    assert (study.stack.ed_phase, study.stack.es_phase) == (0, es)
    assert study.reference_phases == (0, es)
    np.testing.assert_array_equal(study.reference[[0, es]], phantom.labels[[0, es]])
    assert not np.delete(study.reference, [0, es], axis=0).any()
    assert study.patient_key == patient_key_of("acdc/patient001")
    assert study.source == (acdc if opened == "folder" else path)


def test_the_cine_of_acdc_alone_is_marked_by_its_info_file(acdc, phantom):
    write_acdc_cine(acdc, phantom)
    for path in acdc.glob("*frame*"):
        path.unlink()
    study = read_patient(acdc, recognise_patient(acdc))
    assert (study.stack.ed_phase, study.stack.es_phase) == (0, phantom.es_phase)
    assert study.reference is None


def test_a_frame_that_is_not_of_the_cine_is_noted(acdc, phantom):
    write_acdc_cine(acdc, phantom)
    frame = acdc / "patient001_frame01.nii.gz"
    write_nifti(frame, voxels_of(phantom.stack.pixels[:1] + 1, apex_first=True)[..., 0], default_affine(phantom.stack))
    study = read_patient(acdc, recognise_patient(acdc))
    assert "patient001_frame01.nii.gz differs from the phase" in " ".join(study.warnings)
    frame.write_bytes(b"")
    study = read_patient(acdc, recognise_patient(acdc))
    assert "Left out patient001_frame01.nii.gz" in " ".join(study.warnings)
    assert study.reference_phases == (phantom.es_phase,)


def test_a_damaged_cine_leaves_ed_and_es_with_a_warning(acdc, phantom):
    path = write_acdc_cine(acdc, phantom)
    path.write_bytes(path.read_bytes()[:3000])
    study = read_patient(acdc, recognise_patient(acdc))
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[[0, phantom.es_phase]])
    assert study.reference_phases == (0, 1)
    assert "Only ED and ES are open. Could not read patient001_4d.nii.gz" in study.warnings[-1]


@pytest.mark.parametrize("opened", ["folder", "file"])
def test_the_original_layout_of_mnms_is_a_cine_with_label_maps_at_ed_and_es(tmp_path, phantom, opened):
    folder, es = tmp_path / "A0B1C2", phantom.es_phase
    labels = np.zeros_like(phantom.labels)
    labels[[1, es]] = phantom.labels[[1, es]]
    affine = default_affine(phantom.stack)
    path = write_nifti(folder / "A0B1C2_sa.nii.gz", voxels_of(phantom.stack.pixels), affine)
    write_nifti(folder / "A0B1C2_sa_gt.nii.gz", voxels_of(labels), affine)
    files = recognise_patient(folder)
    study = read_patient(folder, files) if opened == "folder" else read_image(path)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    np.testing.assert_array_equal(study.reference, labels)
    assert (study.stack.ed_phase, study.stack.es_phase, study.reference_phases) == (1, es, (1, es))
    assert study.patient_key == patient_key_of("mnms/A0B1C2")


def test_mnms_2_is_a_cine_with_its_ed_es_and_long_axis_view(tmp_path, phantom):
    folder, es, affine = tmp_path / "001", phantom.es_phase, default_affine(phantom.stack)
    write_nifti(folder / "001_SA_CINE.nii.gz", voxels_of(phantom.stack.pixels), affine)
    long_axis = phantom.stack.pixels[:, 3:4, ::2]
    for mark, phase in (("ED", 0), ("ES", es)):
        write_nifti(folder / f"001_SA_{mark}.nii.gz", voxels_of(phantom.stack.pixels[[phase]])[..., 0], affine)
        write_nifti(folder / f"001_SA_{mark}_gt.nii.gz", voxels_of(phantom.labels[[phase]])[..., 0], affine)
        write_nifti(folder / f"001_LA_{mark}.nii.gz", voxels_of(long_axis[[phase]])[..., 0], affine)
        write_nifti(folder / f"001_LA_{mark}_gt.nii.gz", voxels_of(long_axis[[phase]])[..., 0], affine)
    study = read_patient(folder, recognise_patient(folder))
    assert (study.stack.ed_phase, study.stack.es_phase, study.reference_phases) == (0, es, (0, es))
    np.testing.assert_array_equal(study.reference[es], phantom.labels[es])
    np.testing.assert_array_equal(study.long_axis[0].pixels, long_axis[[0, es], 0])
    write_nifti(folder / "001_LA_CINE.nii.gz", voxels_of(long_axis), affine)
    study = read_patient(folder, recognise_patient(folder))
    np.testing.assert_array_equal(study.long_axis[0].pixels, long_axis[:, 0])
    (folder / "001_LA_CINE.nii.gz").write_bytes(b"none")
    study = read_patient(folder, recognise_patient(folder))
    assert study.long_axis == ()
    assert "long-axis view" in study.warnings[-1]
