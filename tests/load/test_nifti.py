import gzip

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.dicom import read_dicom
from cmr_viewer.load.nifti import (
    BASE_END_GUESSED,
    SPACING_UNKNOWN,
    affine_of_stack,
    frames_of_voxels,
    read_nifti,
    read_nifti_labels,
    rows_reversed,
    voxels_of_frames,
    write_nifti_labels,
)
from tests.phantom import default_affine, ras_affine, sax_cine, voxels_of, write_dicom_folder, write_nifti


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=3, slices=7, rows=64, cols=60, pixel_spacing_mm=(2.5, 2.4))


def write_cine(path, phantom, *, apex_first=False):
    stack = phantom.stack
    return write_nifti(path, voxels_of(stack.pixels, apex_first=apex_first), ras_affine(stack, apex_first=apex_first))


@pytest.mark.parametrize("apex_first", [False, True])
def test_a_4d_file_comes_base_to_apex_with_its_geometry(tmp_path, phantom, apex_first):
    study = read_nifti(write_cine(tmp_path / "cine.nii.gz", phantom, apex_first=apex_first))
    g, expected = study.stack.geometry, phantom.stack.geometry
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    assert study.stack.pixels.dtype == np.int16
    assert g.pixel_spacing_mm == pytest.approx((2.5, 2.4))
    assert g.slice_spacing_mm == pytest.approx(10.0)
    np.testing.assert_allclose(g.positions_mm, expected.positions_mm, atol=1e-3)
    np.testing.assert_allclose(g.row_direction, expected.row_direction, atol=1e-5)
    np.testing.assert_allclose(g.col_direction, expected.col_direction, atol=1e-5)
    assert study.stack.source_slices == (tuple(range(7))[::-1] if apex_first else tuple(range(7)))
    assert study.warnings == ()
    assert (study.name, study.format_name) == ("cine", "NIfTI")


def test_voxel_i_is_the_column_and_voxel_j_the_row(tmp_path):
    voxels = np.zeros((5, 4, 1), np.uint8)
    voxels[3, 1, 0] = 9
    study = read_nifti(write_nifti(tmp_path / "a.nii", voxels, np.diag([-1.5, -1.5, 8.0, 1.0])))
    assert study.stack.pixels.shape == (1, 1, 4, 5)
    assert study.stack.pixels[0, 0, 1, 3] == 9


def test_a_3d_file_is_one_phase(tmp_path, phantom):
    voxels = voxels_of(phantom.stack.pixels)[..., 0]
    study = read_nifti(write_nifti(tmp_path / "ed.nii.gz", voxels, ras_affine(phantom.stack)))
    assert study.stack.phases == 1
    np.testing.assert_array_equal(study.stack.pixels[0], phantom.stack.pixels[0])


def test_a_5d_file_is_refused(tmp_path):
    path = write_nifti(tmp_path / "five.nii", np.zeros((4, 4, 2, 2, 2), np.int16), np.eye(4))
    with pytest.raises(LoadError, match=r"five.nii has 5 axes"):
        read_nifti(path)


@pytest.mark.parametrize("apex_first", [False, True])
def test_without_orientation_the_base_is_found_from_the_images_with_a_warning(tmp_path, phantom, apex_first):
    voxels = voxels_of(phantom.stack.pixels, apex_first=apex_first)
    study = read_nifti(write_nifti(tmp_path / "a.nii.gz", voxels, default_affine(phantom.stack)))
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    assert study.warnings == (BASE_END_GUESSED,)
    assert study.stack.geometry.spacing_known


def test_a_voxel_size_of_exactly_one_is_not_believed(tmp_path, phantom):
    path = write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.stack.pixels), np.diag([-1.0, -1.0, 1.0, 1.0]))
    study = read_nifti(path)
    assert not study.stack.geometry.spacing_known
    assert SPACING_UNKNOWN in study.warnings


def test_a_mirrored_file_is_shown_unmirrored_and_written_back_mirrored(tmp_path, phantom):
    # Rows stored bottom to top, as dcm2niix does; the affine tells.
    voxels = voxels_of(phantom.stack.pixels)[:, ::-1]
    affine = ras_affine(phantom.stack)
    affine[:3, 3] += affine[:3, 1] * (voxels.shape[1] - 1)
    affine[:3, 1] *= -1
    assert rows_reversed(affine)
    study = read_nifti(write_nifti(tmp_path / "mirrored.nii.gz", voxels, affine))
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    np.testing.assert_allclose(study.stack.geometry.positions_mm, phantom.stack.geometry.positions_mm, atol=1e-3)
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels, study)
    written = nibabel.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), voxels_of(phantom.labels)[:, ::-1])
    np.testing.assert_array_equal(written.affine, nibabel.load(study.source).affine)


@pytest.mark.parametrize(
    ("step", "unit", "times"),
    [(0.04, "sec", (0.0, 40.0, 80.0)), (40.0, "msec", (0.0, 40.0, 80.0)), (1.0, "sec", None), (0.04, None, None)],
)
def test_phase_times_follow_from_the_header_where_they_are_those_of_a_cine(tmp_path, phantom, step, unit, times):
    image = nibabel.Nifti1Image(voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = step
    nibabel.save(image, tmp_path / "a.nii.gz")
    stack = read_nifti(tmp_path / "a.nii.gz").stack
    assert stack.phase_times_ms == (None if times is None else pytest.approx(times))


def test_scaled_values_become_float32(tmp_path):
    image = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.diag([2.0, 2.0, 8.0, 1.0]))
    image.header.set_slope_inter(0.5, 10.0)
    nibabel.save(image, tmp_path / "a.nii")
    pixels = read_nifti(tmp_path / "a.nii").stack.pixels
    assert pixels.dtype == np.float32
    assert sorted(pixels.ravel().tolist()) == [10.0, 10.5, 11.0, 11.5, 12.0, 12.5, 13.0, 13.5]


def test_values_that_are_no_numbers_become_zero_with_a_warning(tmp_path):
    voxels = np.ones((4, 4, 2), np.float32)
    voxels[0, 0, 0], voxels[1, 0, 0] = np.nan, np.inf
    study = read_nifti(write_nifti(tmp_path / "a.nii", voxels, np.diag([2.0, 2.0, 8.0, 1.0])))
    assert np.isfinite(study.stack.pixels).all()
    assert study.stack.pixels.sum() == 30
    assert "2 voxels that are no numbers" in study.warnings[0]


def test_bytes_in_the_other_order_are_read(tmp_path):
    voxels = np.arange(16, dtype=">i2").reshape(4, 2, 2)
    nibabel.save(
        nibabel.Nifti1Image(voxels, np.diag([2.0, 2.0, 8.0, 1.0]), nibabel.Nifti1Header(endianness=">")),
        tmp_path / "a.nii",
    )
    pixels = read_nifti(tmp_path / "a.nii").stack.pixels
    assert pixels.dtype.isnative
    assert sorted(pixels.ravel().tolist()) == list(range(16))


def test_colour_is_refused(tmp_path):
    rgb = np.zeros((4, 4, 2), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), tmp_path / "rgb.nii")
    with pytest.raises(LoadError, match="no grey values"):
        read_nifti(tmp_path / "rgb.nii")


@pytest.mark.parametrize("content", [b"", b"not an image at all", gzip.compress(b"\0" * 400)])
def test_a_file_that_is_no_nifti_is_named(tmp_path, content):
    path = tmp_path / "broken.nii.gz"
    path.write_bytes(content)
    with pytest.raises(LoadError, match=r"broken.nii.gz"):
        read_nifti(path)


def test_a_file_that_is_cut_short_is_named(tmp_path, phantom):
    path = write_cine(tmp_path / "short.nii.gz", phantom)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(LoadError, match=r"short.nii.gz"):
        read_nifti(path)


def test_an_affine_without_extent_is_refused(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((4, 4, 2), np.int16), None)
    image.set_sform(np.diag([0.0, 1.0, 1.0, 1.0]), 1)
    nibabel.save(image, tmp_path / "flat.nii")
    with pytest.raises(LoadError, match=r"flat.nii has no usable affine"):
        read_nifti(tmp_path / "flat.nii")


@pytest.mark.parametrize("dimensions", [3, 4])
@pytest.mark.parametrize("codes", [(1, 0), (0, 2), (1, 1)])
def test_labels_are_written_with_the_shape_affine_and_codes_of_the_input(tmp_path, phantom, dimensions, codes):
    voxels = voxels_of(phantom.stack.pixels, apex_first=True)
    labels = phantom.labels
    if dimensions == 3:
        voxels, labels = voxels[..., 0], labels[:1]
    affine = ras_affine(phantom.stack, apex_first=True)
    path = write_nifti(tmp_path / "a.nii.gz", voxels, affine, qform_code=codes[0], sform_code=codes[1])
    source = nibabel.load(path)
    write_nifti_labels(tmp_path / "labels.nii.gz", labels, read_nifti(path))
    written = nibabel.load(tmp_path / "labels.nii.gz")
    assert written.shape == source.shape
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(written.affine, source.affine)
    assert (int(written.header["qform_code"]), int(written.header["sform_code"])) == codes
    np.testing.assert_array_equal(written.header.get_zooms(), source.header.get_zooms())
    expected = voxels_of(labels, apex_first=True)
    np.testing.assert_array_equal(np.asarray(written.dataobj), expected[..., 0] if dimensions == 3 else expected)


def test_labels_that_were_written_are_read_back_as_they_were(tmp_path, phantom):
    study = read_nifti(write_cine(tmp_path / "a.nii.gz", phantom, apex_first=True))
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels, study)
    np.testing.assert_array_equal(read_nifti_labels(tmp_path / "labels.nii.gz", study), phantom.labels)


def test_labels_of_another_grid_are_refused(tmp_path, phantom):
    study = read_nifti(write_cine(tmp_path / "a.nii.gz", phantom))
    other = write_nifti(tmp_path / "b.nii.gz", np.zeros((60, 64, 6, 3), np.uint8), ras_affine(phantom.stack))
    with pytest.raises(LabelMapError, match=r"b.nii.gz has another grid"):
        read_nifti_labels(other, study)


def test_resampled_labels_are_refused(tmp_path, phantom):
    study = read_nifti(write_cine(tmp_path / "a.nii.gz", phantom))
    codes = voxels_of(phantom.labels).astype(np.float32) * 0.7
    with pytest.raises(LabelMapError, match="resampled"):
        read_nifti_labels(write_nifti(tmp_path / "b.nii.gz", codes, ras_affine(phantom.stack)), study)


def test_labels_of_another_shape_are_not_written(tmp_path, phantom):
    study = read_nifti(write_cine(tmp_path / "a.nii.gz", phantom))
    with pytest.raises(LabelMapError, match="does not fit"):
        write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels[:1], study)
    assert not (tmp_path / "labels.nii.gz").exists()


@pytest.mark.parametrize("positions_reversed", [False, True])
def test_labels_of_a_dicom_study_are_written_in_its_slice_order_with_its_geometry(
    tmp_path, phantom, positions_reversed
):
    write_dicom_folder(tmp_path / "study", phantom.stack, positions_reversed=positions_reversed)
    study = read_dicom(tmp_path / "study")
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels, study)
    written = nibabel.load(tmp_path / "labels.nii.gz")
    expected = ras_affine(phantom.stack, apex_first=positions_reversed)
    np.testing.assert_allclose(written.affine, expected, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(written.dataobj), voxels_of(phantom.labels, apex_first=positions_reversed))


def test_the_affine_of_a_stack_puts_every_slice_where_it_is(phantom):
    affine, g = affine_of_stack(phantom.stack), phantom.stack.geometry
    for k in (0, 3, 6):
        ras = affine @ np.array([5.0, 2.0, k, 1.0])
        np.testing.assert_allclose(ras[:3] * [-1, -1, 1], g.to_patient_mm(k, (2.0, 5.0)), atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)),
    angles=st.tuples(*[st.floats(-np.pi, np.pi)] * 3),
    flips=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
)
def test_frames_and_voxels_are_exact_inverses_for_every_orientation(shape, angles, flips):
    a, b, c = angles
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_y @ about_x @ np.diag(flips)
    voxels = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(voxels_of_frames(frames_of_voxels(voxels, affine), affine), voxels)
