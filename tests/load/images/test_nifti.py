import gzip
import struct
import tracemalloc

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.notes import Code
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.export.nifti import write_nifti_labels
from cmr_viewer.load.base_end import BASE_END_GUESSED
from cmr_viewer.load.images.layouts import read_image
from cmr_viewer.load.images.nifti import DISAGREE, LABELS_WRITTEN, SKEWED, read_nifti_labels, read_volume
from cmr_viewer.load.images.voxels import SPACING_DEFAULT, SPACING_MISSING
from cmr_viewer.load.stacks.dicom_study import read_dicom
from tests.phantom import default_affine, ras_affine, sax_cine, voxels_of, write_dicom_folder, write_nifti


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=3, slices=7, rows=64, cols=60, pixel_spacing_mm=(2.5, 2.4))


def write_cine(path, phantom, *, apex_first=False):
    stack = phantom.stack
    return write_nifti(path, voxels_of(stack.pixels, apex_first=apex_first), ras_affine(stack, apex_first=apex_first))


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_file_that_seems_to_hold_its_phases_on_the_axis_of_its_slices_is_noted(tmp_path, exchanged):
    heart = sax_cine(phases=8, slices=6, rows=64, cols=60, pixel_spacing_mm=(2.5, 2.4))
    voxels = voxels_of(heart.stack.pixels)
    path = write_nifti(
        tmp_path / "cine.nii.gz", voxels.swapaxes(2, 3) if exchanged else voxels, ras_affine(heart.stack)
    )
    study = read_image(path)
    assert [note.code for note in study.warnings] == [Code.SLICE_AXIS_GUESSED] * exchanged


@pytest.mark.parametrize("apex_first", [False, True])
def test_a_4d_file_comes_base_to_apex_with_its_geometry(tmp_path, phantom, apex_first):
    study = read_image(write_cine(tmp_path / "cine.nii.gz", phantom, apex_first=apex_first))
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
    study = read_image(write_nifti(tmp_path / "a.nii", voxels, np.diag([-1.5, -1.5, 8.0, 1.0])))
    assert study.stack.pixels.shape == (1, 1, 4, 5)
    assert study.stack.pixels[0, 0, 1, 3] == 9


def test_a_3d_file_is_one_phase(tmp_path, phantom):
    voxels = voxels_of(phantom.stack.pixels)[..., 0]
    study = read_image(write_nifti(tmp_path / "ed.nii.gz", voxels, ras_affine(phantom.stack)))
    assert study.stack.phases == 1
    np.testing.assert_array_equal(study.stack.pixels[0], phantom.stack.pixels[0])


def test_a_5d_file_is_refused(tmp_path):
    path = write_nifti(tmp_path / "five.nii", np.zeros((4, 4, 2, 2, 2), np.int16), np.eye(4))
    with pytest.raises(LoadError, match=r"five.nii has 5 axes"):
        read_image(path)


@pytest.mark.parametrize("apex_first", [False, True])
def test_without_orientation_the_base_is_found_from_the_images_with_a_warning(tmp_path, phantom, apex_first):
    voxels = voxels_of(phantom.stack.pixels, apex_first=apex_first)
    study = read_image(write_nifti(tmp_path / "a.nii.gz", voxels, default_affine(phantom.stack)))
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    assert study.warnings == (BASE_END_GUESSED,)
    assert study.stack.geometry.spacing_known


def test_a_voxel_size_of_exactly_one_is_not_believed(tmp_path, phantom):
    path = write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.stack.pixels), np.diag([-1.0, -1.0, 1.0, 1.0]))
    study = read_image(path)
    assert not study.stack.geometry.spacing_known
    assert SPACING_DEFAULT in study.warnings


def test_a_mirrored_file_is_shown_unmirrored_and_written_back_mirrored(tmp_path, phantom):
    # Rows stored bottom to top, as dcm2niix does; the affine tells.
    voxels = voxels_of(phantom.stack.pixels)[:, ::-1]
    affine = ras_affine(phantom.stack)
    affine[:3, 3] += affine[:3, 1] * (voxels.shape[1] - 1)
    affine[:3, 1] *= -1
    study = read_image(write_nifti(tmp_path / "mirrored.nii.gz", voxels, affine))
    assert study.source_axes.rows_reversed
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
    stack = read_image(tmp_path / "a.nii.gz").stack
    assert stack.phase_times_ms == (None if times is None else pytest.approx(times))


def test_scaled_values_become_float32(tmp_path):
    image = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.diag([2.0, 2.0, 8.0, 1.0]))
    image.header.set_slope_inter(0.5, 10.0)
    nibabel.save(image, tmp_path / "a.nii")
    pixels = read_image(tmp_path / "a.nii").stack.pixels
    assert pixels.dtype == np.float32
    assert sorted(pixels.ravel().tolist()) == [10.0, 10.5, 11.0, 11.5, 12.0, 12.5, 13.0, 13.5]


def test_values_that_are_no_numbers_become_zero_with_a_warning(tmp_path):
    voxels = np.ones((4, 4, 2), np.float32)
    voxels[0, 0, 0], voxels[1, 0, 0] = np.nan, np.inf
    study = read_image(write_nifti(tmp_path / "a.nii", voxels, np.diag([2.0, 2.0, 8.0, 1.0])))
    assert np.isfinite(study.stack.pixels).all()
    assert study.stack.pixels.sum() == 30
    assert "2 voxels without a number" in study.warnings[0]


def test_bytes_in_the_other_order_are_read(tmp_path):
    voxels = np.arange(16, dtype=">i2").reshape(4, 2, 2)
    nibabel.save(
        nibabel.Nifti1Image(voxels, np.diag([2.0, 2.0, 8.0, 1.0]), nibabel.Nifti1Header(endianness=">")),
        tmp_path / "a.nii",
    )
    pixels = read_image(tmp_path / "a.nii").stack.pixels
    assert pixels.dtype.isnative
    assert sorted(pixels.ravel().tolist()) == list(range(16))


def test_colour_is_refused(tmp_path):
    rgb = np.zeros((4, 4, 2), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), tmp_path / "rgb.nii")
    with pytest.raises(LoadError, match="no grey values"):
        read_image(tmp_path / "rgb.nii")


@pytest.mark.parametrize("content", [b"", b"not an image at all", gzip.compress(b"\0" * 400, mtime=0)])
def test_a_file_that_is_no_nifti_is_named(tmp_path, content):
    path = tmp_path / "broken.nii.gz"
    path.write_bytes(content)
    with pytest.raises(LoadError, match=r"broken.nii.gz"):
        read_image(path)


def test_a_file_that_is_cut_short_is_named(tmp_path, phantom):
    path = write_cine(tmp_path / "short.nii.gz", phantom)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(LoadError, match=r"short.nii.gz"):
        read_image(path)


def test_a_folder_is_not_named_by_an_error(tmp_path, phantom):
    path = write_cine(tmp_path / "DOE^JANE" / "short.nii", phantom)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(LoadError, match=r"short.nii") as caught:
        read_image(path)
    assert "DOE" not in str(caught.value)


def test_an_affine_without_extent_is_passed_over_for_the_voxel_sizes(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((4, 4, 2), np.int16), None)
    image.set_sform(np.diag([0.0, 1.0, 1.0, 1.0]), 1)
    image.header["pixdim"][1:4] = (1.5, 1.4, 8.0)
    nibabel.save(image, tmp_path / "flat.nii")
    g = read_image(tmp_path / "flat.nii").stack.geometry
    assert g.pixel_spacing_mm == pytest.approx((1.4, 1.5))
    assert g.slice_spacing_mm == pytest.approx(8.0)


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
    write_nifti_labels(tmp_path / "labels.nii.gz", labels, read_image(path))
    written = nibabel.load(tmp_path / "labels.nii.gz")
    assert written.shape == source.shape
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(written.affine, source.affine)
    assert (int(written.header["qform_code"]), int(written.header["sform_code"])) == codes
    np.testing.assert_array_equal(written.header.get_zooms(), source.header.get_zooms())
    expected = voxels_of(labels, apex_first=True)
    np.testing.assert_array_equal(np.asarray(written.dataobj), expected[..., 0] if dimensions == 3 else expected)


def test_labels_that_were_written_are_read_back_as_they_were(tmp_path, phantom):
    study = read_image(write_cine(tmp_path / "a.nii.gz", phantom, apex_first=True))
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels, study)
    np.testing.assert_array_equal(read_nifti_labels(tmp_path / "labels.nii.gz", study), phantom.labels)


def test_labels_of_another_grid_are_refused(tmp_path, phantom):
    study = read_image(write_cine(tmp_path / "a.nii.gz", phantom))
    other = write_nifti(tmp_path / "b.nii.gz", np.zeros((60, 64, 6, 3), np.uint8), ras_affine(phantom.stack))
    with pytest.raises(LabelMapError, match=r"The grid of b.nii.gz differs"):
        read_nifti_labels(other, study)


def test_resampled_labels_are_refused(tmp_path, phantom):
    study = read_image(write_cine(tmp_path / "a.nii.gz", phantom))
    codes = voxels_of(phantom.labels).astype(np.float32) * 0.7
    with pytest.raises(LabelMapError, match="resampled"):
        read_nifti_labels(write_nifti(tmp_path / "b.nii.gz", codes, ras_affine(phantom.stack)), study)


def test_labels_of_another_shape_are_not_written(tmp_path, phantom):
    study = read_image(write_cine(tmp_path / "a.nii.gz", phantom))
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


def test_a_file_whose_directions_are_not_quite_orthonormal_opens(tmp_path, phantom):
    # ITK refuses a deviation of 1e-3; published cardiac sets contain such files.
    affine = ras_affine(phantom.stack)
    affine[:3, 0] += 0.004 * affine[:3, 1] + 0.002 * affine[:3, 2] / 10
    path = tmp_path / "skew.nii.gz"
    nibabel.save(nibabel.Nifti1Image(voxels_of(phantom.stack.pixels), affine), path)
    study = read_image(path)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    np.testing.assert_allclose(study.stack.geometry.row_direction, phantom.stack.geometry.row_direction, atol=0.01)
    assert study.warnings == ()
    np.testing.assert_array_equal(study.source_affine, nibabel.load(path).affine)


def test_axes_that_are_far_from_perpendicular_are_noted(tmp_path, phantom):
    affine = ras_affine(phantom.stack)
    affine[:3, 0] += 0.3 * affine[:3, 1]
    nibabel.save(nibabel.Nifti1Image(voxels_of(phantom.stack.pixels), affine), tmp_path / "skew.nii.gz")
    assert SKEWED in read_image(tmp_path / "skew.nii.gz").warnings


def test_two_orientations_that_disagree_are_noted_and_the_sform_holds(tmp_path, phantom):
    image = nibabel.Nifti1Image(voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    other = ras_affine(phantom.stack)
    other[:3, 3] += 40
    image.set_sform(ras_affine(phantom.stack), 1)
    image.set_qform(other, 1)
    nibabel.save(image, tmp_path / "two.nii.gz")
    study = read_image(tmp_path / "two.nii.gz")
    assert study.warnings == (DISAGREE,)
    np.testing.assert_allclose(study.stack.geometry.positions_mm, phantom.stack.geometry.positions_mm, atol=1e-3)


@pytest.mark.parametrize("kind", ["nii2", "pair", "pair.gz"])
def test_nifti_2_and_pairs_of_files_open(tmp_path, phantom, kind):
    voxels, affine = voxels_of(phantom.stack.pixels), ras_affine(phantom.stack)
    if kind == "nii2":
        nibabel.save(nibabel.Nifti2Image(voxels, affine), tmp_path / "a.nii.gz")
        paths = ["a.nii.gz"]
    else:
        ending = kind[4:]
        nibabel.Nifti1Pair(voxels, affine).to_filename(tmp_path / f"a.img{ending}")
        paths = [f"a.img{ending}", f"a.hdr{ending}"]
    for path in paths:
        study = read_image(tmp_path / path)
        np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
        write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels, study)
        np.testing.assert_array_equal(read_nifti_labels(tmp_path / "labels.nii.gz", study), phantom.labels)


def test_half_a_pair_is_named(tmp_path, phantom):
    nibabel.Nifti1Pair(voxels_of(phantom.stack.pixels), np.eye(4)).to_filename(tmp_path / "a.img")
    (tmp_path / "a.hdr").rename(tmp_path / "b.hdr")
    for name in ("a.img", "b.hdr"):
        with pytest.raises(LoadError, match=name):
            read_image(tmp_path / name)


def test_a_further_axis_of_one_component_is_passed_over(tmp_path, phantom):
    path = write_nifti(tmp_path / "a.nii", voxels_of(phantom.stack.pixels)[..., None], ras_affine(phantom.stack))
    np.testing.assert_array_equal(read_image(path).stack.pixels, phantom.stack.pixels)


def test_a_flat_image_is_one_slice_of_unknown_spacing(tmp_path):
    path = write_nifti(tmp_path / "a.nii", np.ones((4, 5), np.int16), np.diag([-1.5, -1.5, 1.0, 1.0]))
    study = read_image(path)
    assert study.stack.pixels.shape == (1, 1, 5, 4)
    assert not study.stack.geometry.spacing_known
    assert SPACING_MISSING in study.warnings


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_voxel_without_a_size_opens_and_is_noted(tmp_path, phantom, value):
    image = nibabel.Nifti1Image(voxels_of(phantom.stack.pixels), None)
    nibabel.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[88:92] = np.array([value], "<f4").tobytes()
    content[80:84] = np.array([2.0], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(content))
    study = read_image(tmp_path / "a.nii")
    assert not study.stack.geometry.spacing_known
    assert SPACING_MISSING in study.warnings
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    write_nifti_labels(tmp_path / "labels.nii", phantom.labels, study)
    np.testing.assert_array_equal(read_nifti_labels(tmp_path / "labels.nii", study), phantom.labels)


def test_label_maps_say_that_this_program_wrote_them(tmp_path, phantom):
    study = read_image(write_cine(tmp_path / "a.nii.gz", phantom))
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels, study)
    assert read_volume(tmp_path / "labels.nii.gz").description == LABELS_WRITTEN


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_opens_or_states_why_not(tmp_path, data):
    whole = tmp_path / "whole.nii"
    if not whole.exists():
        write_nifti(whole, np.arange(96, dtype=np.int16).reshape(4, 4, 3, 2), np.diag([-1.5, -1.5, 8.0, 1.0]))
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, 351))
        value = data.draw(st.binary(min_size=1, max_size=8))
        content[at : at + len(value)] = value
    content = content[: data.draw(st.sampled_from([len(content), 400, 200]))]
    zipped = data.draw(st.booleans())
    path = tmp_path / ("damaged.nii.gz" if zipped else "damaged.nii")
    path.write_bytes(gzip.compress(bytes(content)) if zipped else bytes(content))
    try:
        study = read_image(path)
    except LoadError as error:
        assert "damaged.nii" in str(error)
    else:
        assert np.isfinite(study.stack.pixels).all()
        write_nifti_labels(tmp_path / "labels.nii", np.zeros(study.stack.pixels.shape, np.uint8), study)


DIM, VOX_OFFSET, EXTENSION = 40, 108, 348


def changed(tmp_path, *changes, zipped=True):
    """A whole file of 4 x 4 x 3 x 2 voxels with bytes of it replaced."""
    path = write_nifti(tmp_path / "whole.nii", np.zeros((4, 4, 3, 2), np.int16), np.diag([-1.5, -1.5, 8.0, 1.0]))
    content = bytearray(path.read_bytes())
    for at, value in changes:
        content[at : at + len(value)] = value
    lie = tmp_path / ("lie.nii.gz" if zipped else "lie.nii")
    lie.write_bytes(gzip.compress(bytes(content)) if zipped else bytes(content))
    return lie


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dims", [(4, 32767, 32767, 32767, 32767), (4, 32767, 32767, 2, 1), (4, 2048, 2048, 100, 1)])
def test_more_voxels_than_the_file_holds_are_refused_before_memory_is_taken(tmp_path, dims, zipped):
    path = changed(tmp_path, (DIM, struct.pack("<5h", *dims)), zipped=zipped)
    tracemalloc.start()
    with pytest.raises(LoadError, match=r"lie.nii.* states .* voxels"):
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_a_long_way_to_the_voxels_is_refused_before_memory_is_taken(tmp_path):
    # What lies before the voxels is read as one extension.
    path = changed(
        tmp_path,
        (VOX_OFFSET, struct.pack("<f", 2.0e9)),
        (EXTENSION, struct.pack("<4b2i", 1, 0, 0, 0, 2_000_000_000 - 352, 6)),
    )
    tracemalloc.start()
    with pytest.raises(LoadError, match=r"lie.nii.gz"):
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_what_follows_the_voxels_is_not_read(tmp_path):
    # A bomb: 200 MB of nothing after the image.
    path = tmp_path / "bomb.nii.gz"
    whole = write_nifti(tmp_path / "whole.nii", np.ones((4, 4, 3), np.int16), np.diag([-1.5, -1.5, 8.0, 1.0]))
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(whole.read_bytes())
        for _ in range(200):
            file.write(b"\0" * 1_000_000)
    tracemalloc.start()
    assert read_image(path).stack.pixels.sum() == 48
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "dims", [(4, 0, 4, 3, 2), (4, -4, 4, 3, 2), (4, -10577, -22629, 3, 2), (0, 4, 4, 3, 2), (200, 4, 4, 3, 2)]
)
def test_sizes_that_cannot_be_are_named(tmp_path, dims):
    path = changed(tmp_path, (DIM, struct.pack("<5h", *dims)), zipped=False)
    tracemalloc.start()
    with pytest.raises(LoadError, match=r"lie.nii"):
        read_image(path)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
