import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError, LoadError, UnknownPhaseError
from cmr_viewer.export.nifti import write_nifti_labels
from cmr_viewer.load.images.layouts import read_image
from cmr_viewer.load.labels.volumes import read_label_volume
from tests.phantom import default_affine, ras_affine, sax_cine, voxels_of, write_nifti
from tests.phantom_contours import identified

ACDC = np.array([0, 3, 2, 1], np.uint8)


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=3, slices=7, rows=64, cols=60, pixel_spacing_mm=(2.5, 2.4))


@pytest.fixture(scope="module")
def dicom(phantom):
    return identified(phantom.stack)


@pytest.fixture(params=["placed", "without orientation"])
def nifti(request, tmp_path, phantom):
    """A cine opened from NIfTI, its affine, apex first in the file."""
    affine = ras_affine(phantom.stack, apex_first=True) if request.param == "placed" else default_affine(phantom.stack)
    path = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels, apex_first=True), affine)
    return read_image(path), affine


@pytest.mark.parametrize("codes", [np.arange(4, dtype=np.uint8), ACDC, np.array([0, 50, 100, 150], np.uint8)])
def test_a_label_map_on_the_grid_of_the_images_is_read_whatever_its_codes(tmp_path, phantom, nifti, codes):
    study, affine = nifti
    path = write_nifti(tmp_path / "seg.nii.gz", voxels_of(codes[phantom.labels], apex_first=True), affine)
    imported = read_label_volume(path, study)
    np.testing.assert_array_equal(imported.labels, phantom.labels)
    assert set(imported.structures) == {FrameIndex(p, s) for p in range(3) for s in range(7)}
    assert set(imported.structures.values()) == {frozenset(STRUCTURES)}
    assert imported.warnings == ()


def test_what_the_program_wrote_is_read_back_even_where_places_show_nothing(tmp_path, phantom, nifti):
    study, _ = nifti
    labels = np.where(phantom.labels == Label.RVBP, phantom.labels, 0).astype(np.uint8)
    write_nifti_labels(tmp_path / "rv.nii.gz", labels, study)
    np.testing.assert_array_equal(read_label_volume(tmp_path / "rv.nii.gz", study).labels, labels)


def test_codes_of_nnunet_are_named_beside_the_file(tmp_path, phantom, nifti):
    study, affine = nifti
    # Named against where they lie, so that only the names can have been believed.
    for names in ({"background": 0, "LV": 2, "MYO": 1, "RV": 3}, {"0": "background", "2": "LV", "1": "MLV", "3": "RV"}):
        (tmp_path / "dataset.json").write_text(json.dumps({"labels": names}))
        path = write_nifti(tmp_path / "labelsTr" / "a.nii.gz", voxels_of(phantom.labels, apex_first=True), affine)
        expected = np.array([0, 2, 1, 3], np.uint8)[phantom.labels]
        np.testing.assert_array_equal(read_label_volume(path, study).labels, expected)
        np.testing.assert_array_equal(read_label_volume(path, study, "own").labels, phantom.labels)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_label_map_of_dicom_images_falls_where_it_lies_in_the_patient(tmp_path, phantom, dicom, ending):
    path = tmp_path / f"seg{ending}"
    for phase in (0, 2):
        # Slices from the apex, and rows bottom to top, as converters store them.
        voxels = voxels_of(phantom.labels[[phase]], apex_first=True)[:, ::-1, :, 0]
        affine = ras_affine(phantom.stack, apex_first=True)
        affine[:3, 3] += affine[:3, 1] * 63
        affine[:3, 1] *= -1
        if ending == ".nii.gz":
            write_nifti(path, np.ascontiguousarray(voxels), affine)
        else:
            image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.transpose()))
            lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
            spacing = np.linalg.norm(lps[:3, :3], axis=0)
            image.SetSpacing(spacing.tolist())
            image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
            image.SetOrigin(lps[:3, 3].tolist())
            sitk.WriteImage(image, str(path))
        imported = read_label_volume(path, dicom, phase=phase)
        expected = np.zeros_like(phantom.labels)
        expected[phase] = phantom.labels[phase]
        np.testing.assert_array_equal(imported.labels, expected)
        assert {frame.phase for frame in imported.structures} == {phase}


def test_slices_that_a_label_map_does_not_reach_are_not_stated(tmp_path, phantom, dicom):
    affine = ras_affine(phantom.stack)
    affine[:3, 3] += affine[:3, 2] * 2 + affine[:3, 0] * 5
    path = write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.labels[:, 2:5])[5:], affine)
    imported = read_label_volume(path, dicom)
    expected = phantom.labels.copy()
    expected[:, [0, 1, 5, 6]] = 0
    expected[:, :, :, :5] = 0
    np.testing.assert_array_equal(imported.labels, expected)
    assert {frame.slice_index for frame in imported.structures} == {2, 3, 4}
    assert "does not cover 4 of 7 slices" in imported.warnings[0]


@pytest.mark.parametrize(
    "change", [lambda a: a[:3, 0] * 0.5, lambda a: a[:3, 0] * 1.1, lambda a: a[:3, 0] + 0.1 * a[:3, 1]]
)
def test_another_grid_is_refused(tmp_path, phantom, dicom, change):
    affine = ras_affine(phantom.stack)
    affine[:3, 0] = change(affine)
    path = write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.labels), affine)
    with pytest.raises(LabelMapError, match=r"The grid of a.nii.gz differs"):
        read_label_volume(path, dicom)


def test_a_place_elsewhere_in_the_patient_is_refused(tmp_path, phantom, dicom):
    affine = ras_affine(phantom.stack)
    affine[:3, 3] += affine[:3, 2] * 100
    path = write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.labels), affine)
    with pytest.raises(LabelMapError, match="does not overlap the slices of this study"):
        read_label_volume(path, dicom)


def test_another_shape_without_a_place_is_refused(tmp_path, phantom, nifti):
    study, _ = nifti
    path = write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.labels)[2:], np.diag([-1, -1, 1.0, 1]))
    with pytest.raises(LabelMapError, match=r"a.nii.gz .*(grid|lies)"):
        read_label_volume(path, study)


def test_the_phase_of_a_single_one_follows_from_the_name_or_is_asked_for(tmp_path, phantom, nifti):
    study, affine = nifti
    marked = replace(study, stacks=(replace(study.stack, ed_phase=0, es_phase=2),))
    voxels = voxels_of(phantom.labels[[2]], apex_first=True)[..., 0]
    for name in ("p_ES_gt.nii.gz", "patient001_frame03_gt.nii.gz"):
        labels = read_label_volume(write_nifti(tmp_path / name, voxels, affine), marked).labels
        np.testing.assert_array_equal(labels[2], phantom.labels[2])
        assert not labels[:2].any()
    path = write_nifti(tmp_path / "seg.nii.gz", voxels, affine)
    with pytest.raises(UnknownPhaseError, match="Set the phase"):
        read_label_volume(path, marked)
    with pytest.raises(LabelMapError, match="no phase 9"):
        read_label_volume(path, marked, phase=8)
    both = write_nifti(tmp_path / "two.nii.gz", voxels_of(phantom.labels[[0, 2]], apex_first=True), affine)
    np.testing.assert_array_equal(read_label_volume(both, marked).labels[[0, 2]], phantom.labels[[0, 2]])
    with pytest.raises(LabelMapError, match="2 phases, and the study has 3"):
        read_label_volume(both, study)


def test_phases_without_a_label_are_not_stated(tmp_path, phantom, nifti):
    study, affine = nifti
    labels = phantom.labels.copy()
    labels[1] = 0
    imported = read_label_volume(write_nifti(tmp_path / "a.nii.gz", voxels_of(labels, apex_first=True), affine), study)
    assert {frame.phase for frame in imported.structures} == {0, 2}


def test_segments_of_3d_slicer_are_recognised_by_their_names(tmp_path, phantom, dicom):
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ras_affine(phantom.stack)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    own = voxels_of(phantom.labels[[0]])[..., 0].transpose()
    # Two layers: the first holds the blood pools as 1 and 2, the second the whole ventricle with its wall as 1.
    first = np.array([0, 1, 0, 2], np.uint8)[own]
    second = np.array([0, 1, 1, 0], np.uint8)[own]
    image = sitk.Compose([sitk.GetImageFromArray(first), sitk.GetImageFromArray(second)])
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    for number, (name, layer, value) in enumerate([("LV", 0, 1), ("RV cavity", 0, 2), ("LV epicardium", 1, 1)]):
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_Layer", str(layer))
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
    sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))
    labels = read_label_volume(tmp_path / "a.seg.nrrd", dicom, phase=0).labels
    np.testing.assert_array_equal(labels[0], phantom.labels[0])


def test_values_between_codes_and_empty_files_are_refused(tmp_path, phantom, nifti):
    study, affine = nifti
    halves = voxels_of(phantom.labels).astype(np.float32) / 2
    with pytest.raises(LabelMapError, match="resampled"):
        read_label_volume(write_nifti(tmp_path / "a.nii.gz", halves, affine), study)
    with pytest.raises(LabelMapError, match="no labels"):
        read_label_volume(write_nifti(tmp_path / "b.nii.gz", halves * 0, affine), study)
    (tmp_path / "c.nii.gz").write_bytes(b"")
    with pytest.raises(LoadError, match=r"c.nii.gz"):
        read_label_volume(tmp_path / "c.nii.gz", study)


def test_a_label_map_without_a_place_is_taken_voxel_by_voxel(tmp_path, phantom, dicom):
    image = nibabel.Nifti1Image(voxels_of(phantom.labels), None)
    image.header.set_zooms((2.4, 2.5, 10.0, 1.0))
    nibabel.save(image, tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_label_volume(tmp_path / "a.nii.gz", dicom).labels, phantom.labels)


DEFAULT_PLACES = {
    "identity": np.eye(4),
    "of ITK": np.diag([-1.0, -1.0, 1.0, 1.0]),
    "identity with rounding": np.diag([1.0 + 1e-6, 1.0, 1.0 - 1e-6, 1.0]),
    "origin alone": np.diag([-2.4, -2.5, 10.0, 1.0]),
    "middle": np.array([[-1.0, 0, 0, 29.5], [0, -1, 0, 31.5], [0, 0, 1, -3], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize("place", DEFAULT_PLACES)
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_labels_at_a_default_place_are_laid_on_images_of_their_shape_and_that_is_noted(
    tmp_path, phantom, dicom, place, ending
):
    affine = DEFAULT_PLACES[place]
    image = write_nifti(
        tmp_path / "cine.nii.gz",
        voxels_of(phantom.stack.pixels, apex_first=True),
        ras_affine(phantom.stack, apex_first=True),
    )
    for study, apex_first in ((read_image(image), True), (dicom, False)):
        voxels, path = voxels_of(phantom.labels[[1]], apex_first=apex_first)[..., 0], tmp_path / f"seg{ending}"
        if ending == ".nii.gz":
            write_nifti(path, voxels, affine, qform_code=0, sform_code=2)
        else:
            itk = sitk.GetImageFromArray(np.ascontiguousarray(voxels.transpose()))
            lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
            itk.SetSpacing(np.abs(np.diag(lps))[:3].tolist())
            itk.SetDirection(np.diag(np.sign(np.diag(lps))[:3]).ravel().tolist())
            itk.SetOrigin(lps[:3, 3].tolist())
            sitk.WriteImage(itk, str(path))
        imported = read_label_volume(path, study, phase=1)
        np.testing.assert_array_equal(imported.labels[1], phantom.labels[1])
        assert [note.code for note in imported.warnings] == [Code.LABELS_PLACED_BY_SHAPE]


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([-2.0, -2.5, 10.0, 1.0]),  # another voxel size
        np.array([[-2.4, 0, 0, 90.0], [0, -2.5, 0, 120.0], [0, 0, 10.0, -60], [0, 0, 0, 1]]),  # another place
    ],
)
def test_labels_at_a_place_of_their_own_are_not_laid_on_images_by_their_shape(tmp_path, phantom, affine):
    image = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    path = write_nifti(tmp_path / "seg.nii.gz", voxels_of(phantom.labels), affine)
    with pytest.raises(LabelMapError):
        read_label_volume(path, read_image(image))


def test_labels_of_default_place_and_another_shape_are_refused(tmp_path, phantom):
    image = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    path = write_nifti(tmp_path / "seg.nii.gz", voxels_of(phantom.labels)[:, :, 1:], np.eye(4))
    with pytest.raises(LabelMapError, match="lacks its position"):
        read_label_volume(path, read_image(image))


@pytest.mark.parametrize("off", [1.526e-5, -9e-4])
def test_codes_off_by_rounding_are_whole(tmp_path, phantom, nifti, off):
    study, affine = nifti
    codes = voxels_of(phantom.labels, apex_first=True).astype(np.float32) * np.float32(1 + off / 3)
    imported = read_label_volume(write_nifti(tmp_path / "a.nii.gz", codes, affine), study)
    np.testing.assert_array_equal(imported.labels, phantom.labels)


def test_codes_off_by_the_slope_of_an_integer_file_are_whole(tmp_path, phantom, nifti):
    study, affine = nifti
    image = nibabel.Nifti1Image(voxels_of(phantom.labels, apex_first=True).astype(np.int16) * 10922, affine)
    image.header.set_slope_inter(1 / 10921.9, 0)
    nibabel.save(image, tmp_path / "a.nii.gz")
    imported = read_label_volume(tmp_path / "a.nii.gz", study)
    np.testing.assert_array_equal(imported.labels, phantom.labels)


@pytest.mark.parametrize("off", [2e-3, 0.1, 0.5])
def test_codes_that_are_off_by_more_were_interpolated(tmp_path, phantom, nifti, off):
    study, affine = nifti
    codes = voxels_of(phantom.labels, apex_first=True).astype(np.float32)
    codes[np.nonzero(codes)] += np.float32(off)
    with pytest.raises(LabelMapError, match="resampled"):
        read_label_volume(write_nifti(tmp_path / "a.nii.gz", codes, affine), study)
