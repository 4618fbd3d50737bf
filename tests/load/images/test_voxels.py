from itertools import permutations, product

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from nibabel.orientations import apply_orientation, inv_ornt_aff

from cmr_viewer.domain.notes import Code
from cmr_viewer.export.nifti import write_nifti_labels
from cmr_viewer.load.base_end import ROTATED
from cmr_viewer.load.images.layouts import read_image
from cmr_viewer.load.images.voxels import find_slice_axis
from cmr_viewer.load.labels.volumes import read_label_volume
from tests.load.matrix.form import places_of
from tests.phantom import default_affine, ras_affine, sax_cine, voxels_of, write_nifti

TURNS = [
    np.array(list(zip(order, flips, strict=True)))
    for order, flips in product(permutations(range(3)), product((1, -1), repeat=3))
]
"""Every way in which the axes of a volume can be ordered and counted, as nibabel states it."""


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=3, slices=7, rows=64, cols=60, pixel_spacing_mm=(2.5, 2.4))


def codes_of(study):
    return [note.code for note in study.warnings]


def turned(voxels, affine, turn):
    """Voxels and affine of the same image with its axes in another order, by nibabel."""
    return (
        np.ascontiguousarray(apply_orientation(voxels, turn)),
        np.asarray(affine) @ inv_ornt_aff(turn, voxels.shape[:3]),
    )


@pytest.mark.parametrize("dimensions", [3, 4])
@pytest.mark.parametrize("turn", [t for t in TURNS if t[2, 0] != 2], ids=str)
def test_a_file_turned_to_other_axes_opens_as_the_same_frames_and_labels_go_back_onto_its_grid(
    tmp_path, phantom, turn, dimensions
):
    kept = (...,) if dimensions == 4 else (..., 0)
    voxels, affine = turned(voxels_of(phantom.stack.pixels)[kept], ras_affine(phantom.stack), turn)
    path = write_nifti(tmp_path / "a.nii.gz", voxels, affine)
    study = read_image(path)
    phases = 3 if dimensions == 4 else 1
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[:phases])
    np.testing.assert_allclose(places_of(study.stack.geometry), places_of(phantom.stack.geometry), atol=1e-3)
    assert study.stack.geometry.pixel_spacing_mm == pytest.approx((2.5, 2.4))
    assert codes_of(study) == [Code.SLICE_AXIS]
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels[:phases], study)
    written = nibabel.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(written.affine, nibabel.load(path).affine)
    expected, _ = turned(voxels_of(phantom.labels)[kept], affine, turn)
    np.testing.assert_array_equal(np.asarray(written.dataobj), expected)
    read = read_label_volume(tmp_path / "labels.nii.gz", study)
    np.testing.assert_array_equal(read.labels, phantom.labels[:phases])
    assert read.warnings == ()


@pytest.mark.parametrize("turn", [t for t in TURNS if t[2, 0] == 2], ids=str)
def test_slices_on_the_third_axis_are_no_news_and_frames_are_never_mirrored(tmp_path, phantom, turn):
    voxels, affine = turned(voxels_of(phantom.stack.pixels), ras_affine(phantom.stack), turn)
    study = read_image(write_nifti(tmp_path / "a.nii.gz", voxels, affine))
    assert study.warnings == ()
    first, shown = phantom.stack.pixels[0, 0], study.stack.pixels[0, 0]
    assert any(np.array_equal(np.rot90(first, quarter), shown) for quarter in range(4))


@pytest.mark.parametrize("ending", [".mha", ".nrrd"])
@pytest.mark.parametrize("order", [(0, 2, 1), (2, 1, 0), (1, 2, 0)])
def test_slices_are_found_by_the_directions_of_an_itk_image(tmp_path, phantom, ending, order):
    g = phantom.stack.geometry
    image = sitk.GetImageFromArray(phantom.stack.pixels[0])
    step = np.asarray(g.positions_mm[1]) - np.asarray(g.positions_mm[0])
    columns = [np.asarray(g.row_direction), np.asarray(g.col_direction), step / np.linalg.norm(step)]
    image.SetDirection(np.stack(columns, axis=1).ravel().tolist())
    image.SetOrigin(g.positions_mm[0])
    image.SetSpacing((2.4, 2.5, 10.0))
    sitk.WriteImage(sitk.PermuteAxes(image, order), str(tmp_path / f"a{ending}"))
    study = read_image(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(study.stack.pixels[0], phantom.stack.pixels[0])
    np.testing.assert_allclose(places_of(study.stack.geometry), places_of(g), atol=1e-3)
    assert codes_of(study) == [Code.SLICE_AXIS]
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels[:1], study)
    back = sitk.PermuteAxes(sitk.ReadImage(str(tmp_path / "labels.nii.gz")), np.argsort(order).tolist())
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), phantom.labels[0])
    np.testing.assert_allclose(back.GetOrigin(), g.positions_mm[0], atol=1e-3)


@pytest.mark.parametrize("affine", [np.eye(4), np.diag([10.0, 2.5, 2.4, 1.0])])
def test_an_array_of_slices_rows_and_columns_that_was_saved_as_it_is_opens_as_these(tmp_path, phantom, affine):
    path = write_nifti(tmp_path / "a.nii.gz", np.ascontiguousarray(phantom.stack.pixels.transpose(1, 2, 3, 0)), affine)
    study = read_image(path)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    assert Code.SLICE_AXIS in codes_of(study)
    assert study.stack.geometry.spacing_known == (affine[0, 0] == 10.0)


@pytest.mark.parametrize("across", [0, 1, 2])
def test_one_slice_of_a_cine_lies_across_the_axis_of_one_voxel(tmp_path, phantom, across):
    turn = np.array([[0, 1], [1, 1], [2, 1]])
    turn[[across, 2], 0] = turn[[2, across], 0]
    voxels, affine = turned(voxels_of(phantom.stack.pixels[:, 3:4]), ras_affine(phantom.stack), turn)
    study = read_image(write_nifti(tmp_path / "a.nii.gz", voxels, affine))
    assert study.stack.pixels.shape[:2] == (3, 1)
    assert sorted(study.stack.pixels.shape[2:]) == [60, 64]


STEPS = np.array([[0.77038, -0.15161, 0.6195], [0.618446, 0.41389, -0.668], [0.155046, -0.897613, -0.4127]])
"""Columns: directions of rows and columns of a real stack, and from base to apex."""


@pytest.mark.parametrize(
    ("shape", "sizes", "found"),
    [
        ((256, 256, 12), (1.4, 1.4, 10), (2, True)),
        ((12, 256, 256), (10, 1.4, 1.4), (0, True)),
        ((128, 64, 100), (1.4, 4.0, 1.4), (1, True)),  # many slices, but clearly coarser
        ((160, 20, 160), (1.5, 1.5, 1.5), (1, True)),  # equal sizes, but clearly fewer
        ((96, 8, 96), (1.4, 1.4, 10), (1, False)),  # they contradict one another
    ],
)
def test_slices_are_coarser_or_fewer(shape, sizes, found):
    assert find_slice_axis(shape, np.diag(sizes), sized=True, placed=False) == found


@pytest.mark.parametrize("across", [0, 1, 2])
def test_where_voxels_are_cubes_the_axis_of_the_heart_shows(across):
    order = [0, 1]
    order.insert(across, 2)
    steps = STEPS[:, order] * 1.5
    assert find_slice_axis((96, 96, 96), steps, sized=True, placed=True) == (across, True)
    assert find_slice_axis((96, 96, 96), steps, sized=True, placed=False) == (2, False)


@pytest.mark.parametrize(("shape", "across"), [((80, 80, 80), 2), ((70, 100, 100), 0), ((100, 70, 100), 1)])
def test_a_guessed_axis_is_noted_as_one_and_a_reader_chooses_another(tmp_path, shape, across):
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros(shape, np.int16), np.diag([-1.5, -1.5, 1.5, 1.0]))
    study = read_image(path)
    assert study.source_axes.across == across
    assert Code.SLICE_AXIS_GUESSED in codes_of(study)
    for axis in range(3):
        chosen = read_image(path, slice_axis=axis)
        assert (chosen.source_axes.across, chosen.stack.slices) == (axis, shape[axis])
        assert Code.SLICE_AXIS in codes_of(chosen)
        assert Code.SLICE_AXIS_GUESSED not in codes_of(chosen)


@pytest.mark.parametrize("apex_first", [False, True])
@pytest.mark.parametrize("phases", [1, 3])
def test_a_place_in_the_axes_of_another_format_is_recognised_and_noted(tmp_path, phantom, apex_first, phases):
    # The LPS numbers of DICOM and ITK written into a NIfTI file as they are.
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ras_affine(phantom.stack, apex_first=apex_first)
    path = write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.stack.pixels[:phases], apex_first=apex_first), lps)
    study = read_image(path)
    assert study.warnings == (ROTATED,)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[:phases])
    np.testing.assert_allclose(places_of(study.stack.geometry), places_of(phantom.stack.geometry), atol=1e-3)
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels[:phases], study)
    written = nibabel.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(written.affine, nibabel.load(path).affine)
    np.testing.assert_array_equal(
        np.asarray(written.dataobj), voxels_of(phantom.labels[:phases], apex_first=apex_first)
    )
    np.testing.assert_array_equal(read_label_volume(tmp_path / "labels.nii.gz", study).labels, phantom.labels[:phases])


def rotated(affine, degrees, axis):
    """The patient turned about an axis of the body, (4, 4)."""
    angle, turn = np.deg2rad(degrees), np.eye(4)
    one, other = [a for a in range(3) if a != axis]
    turn[one, one] = turn[other, other] = np.cos(angle)
    turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
    return turn @ affine


@pytest.mark.parametrize(("axis", "degrees"), [(2, -25), (2, 25), (0, -20), (0, 15), (1, -20), (1, 15)])
def test_hearts_that_lie_otherwise_than_most_are_not_taken_for_turned(tmp_path, phantom, axis, degrees):
    affine = rotated(ras_affine(phantom.stack), degrees, axis)
    study = read_image(write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.stack.pixels), affine))
    assert study.warnings == ()
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)


def test_a_heart_on_the_right_side_and_a_file_without_orientation_are_not_taken_for_turned(tmp_path, phantom):
    right = np.diag([-1.0, 1.0, 1.0, 1.0]) @ ras_affine(phantom.stack)
    for affine in (right, default_affine(phantom.stack)):
        study = read_image(write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.stack.pixels), affine))
        assert ROTATED not in study.warnings
