import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from cmr_viewer.domain.notes import Code
from cmr_viewer.export.nifti import write_nifti_labels
from cmr_viewer.load.images.layouts import read_image
from cmr_viewer.load.labels.volumes import read_label_volume
from tests.load.matrix.form import places_of
from tests.phantom import default_affine, ras_affine, sax_cine, voxels_of

SIZES = (2.4, 2.5, 10.0)


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=2, slices=7, rows=64, cols=60, pixel_spacing_mm=(2.5, 2.4))


def written(path, phantom, affine, *, pixdim=None, unit=None, qform=None):
    """A NIfTI file with an sform, and sizes in its header that need not be those of the sform."""
    image = nibabel.Nifti1Image(voxels_of(phantom.stack.pixels), None)
    if qform is not None:
        image.set_qform(qform, 1)
    image.set_sform(affine, 2)
    image.header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0) if pixdim is None else pixdim
    if unit is not None:
        image.header["xyzt_units"] = unit
    nibabel.save(image, path)
    return path


def unit_affine(stack, noise=0.0):
    affine = ras_affine(stack)
    affine[:3, :3] /= np.linalg.norm(affine[:3, :3], axis=0)
    affine[:3, :3] *= 1.0 + noise
    return affine


def spacing(study):
    g = study.stack.geometry
    return (*g.pixel_spacing_mm[::-1], g.slice_spacing_mm)


def codes_of(study):
    return [note.code for note in study.warnings]


@pytest.mark.parametrize(("unit", "mm"), [(1, 1000.0), (3, 1e-3)])
def test_sizes_in_another_unit_are_converted_and_noted_and_labels_are_written_in_the_unit_of_the_file(
    tmp_path, phantom, unit, mm
):
    affine = np.diag([1 / mm, 1 / mm, 1 / mm, 1.0]) @ ras_affine(phantom.stack)
    study = read_image(written(tmp_path / "a.nii.gz", phantom, affine, unit=unit))
    assert spacing(study) == pytest.approx(SIZES, rel=1e-5)
    np.testing.assert_allclose(places_of(study.stack.geometry), places_of(phantom.stack.geometry), atol=0.01)
    assert codes_of(study) == [Code.SPACING_CONVERTED]
    assert "2.4 x 2.5 x 10 mm" in study.warnings[0]
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels, study)
    labels, source = nibabel.load(tmp_path / "labels.nii.gz"), nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(labels.affine, source.affine)
    assert labels.header.get_xyzt_units() == source.header.get_xyzt_units()
    np.testing.assert_array_equal(read_label_volume(tmp_path / "labels.nii.gz", study).labels, phantom.labels)


@pytest.mark.parametrize(("unit", "mm"), [(1, 1.0), (3, 1.0), (0, 1e3), (0, 1e-3)])
def test_a_unit_that_no_heart_fits_is_not_believed(tmp_path, phantom, unit, mm):
    affine = np.diag([1 / mm, 1 / mm, 1 / mm, 1.0]) @ ras_affine(phantom.stack)
    study = read_image(written(tmp_path / "a.nii.gz", phantom, affine, unit=unit))
    assert spacing(study) == pytest.approx(SIZES, rel=1e-5)
    assert codes_of(study) == [Code.SPACING_CONVERTED]
    assert "no image of a heart" in study.warnings[0]


@pytest.mark.parametrize("noise", [0.0, 3e-7, -4e-4])
def test_an_sform_of_unit_size_gives_way_to_the_size_in_the_header(tmp_path, phantom, noise):
    path = written(tmp_path / "a.nii.gz", phantom, unit_affine(phantom.stack, noise), pixdim=SIZES)
    study = read_image(path)
    assert spacing(study) == pytest.approx(SIZES)
    assert study.stack.geometry.spacing_known
    np.testing.assert_allclose(study.stack.geometry.row_direction, phantom.stack.geometry.row_direction, atol=1e-5)
    assert codes_of(study) == [Code.SPACING_DISAGREES]
    assert "2.4 x 2.5 x 10 in its header. The first is a default" in study.warnings[0]
    write_nifti_labels(tmp_path / "labels.nii.gz", phantom.labels, study)
    labels, source = nibabel.load(tmp_path / "labels.nii.gz"), nibabel.load(path)
    np.testing.assert_array_equal(labels.affine, source.affine)
    np.testing.assert_array_equal(labels.header["pixdim"][1:4], source.header["pixdim"][1:4])


@pytest.mark.parametrize("noise", [0.0, 3e-7, -4e-4])
def test_a_size_of_one_is_a_default_whatever_rounding_left_of_it(tmp_path, phantom, noise):
    study = read_image(written(tmp_path / "a.nii.gz", phantom, unit_affine(phantom.stack, noise)))
    assert not study.stack.geometry.spacing_known
    assert Code.SPACING_UNKNOWN in codes_of(study)


def test_a_header_of_unit_size_gives_way_to_the_sform(tmp_path, phantom):
    study = read_image(written(tmp_path / "a.nii.gz", phantom, ras_affine(phantom.stack), pixdim=(1, 1, 1)))
    assert spacing(study) == pytest.approx(SIZES)
    assert codes_of(study) == [Code.SPACING_DISAGREES]


def test_an_sform_of_unit_size_without_directions_gives_way_to_a_qform(tmp_path, phantom):
    affine = ras_affine(phantom.stack)
    study = read_image(written(tmp_path / "a.nii.gz", phantom, np.eye(4), pixdim=SIZES, qform=affine))
    assert spacing(study) == pytest.approx(SIZES)
    np.testing.assert_allclose(places_of(study.stack.geometry), places_of(phantom.stack.geometry), atol=0.01)
    assert codes_of(study) == [Code.ORIENTATION_DISAGREES]


def test_of_two_sizes_in_another_order_the_one_that_fits_the_shape_counts(tmp_path, phantom):
    path = written(tmp_path / "a.nii.gz", phantom, default_affine(phantom.stack), pixdim=(2.4, 10.0, 2.5))
    study = read_image(path)
    assert spacing(study) == pytest.approx(SIZES)
    assert Code.SPACING_DISAGREES in codes_of(study)


@pytest.mark.parametrize("pixdim", [(2.0, 2.1, 10.0), (2.4, 2.5, 8.0), (2.4 * 1.011, 2.5, 10.0)])
def test_of_two_sizes_that_could_both_be_true_neither_is_believed(tmp_path, phantom, pixdim):
    study = read_image(written(tmp_path / "a.nii.gz", phantom, ras_affine(phantom.stack), pixdim=pixdim))
    assert not study.stack.geometry.spacing_known
    assert Code.SPACING_UNKNOWN in codes_of(study)
    assert "two voxel sizes" in study.warnings[0]


def test_a_difference_below_one_percent_is_rounding(tmp_path, phantom):
    study = read_image(written(tmp_path / "a.nii.gz", phantom, ras_affine(phantom.stack), pixdim=(2.41, 2.5, 10.05)))
    assert study.warnings == ()
    assert study.stack.geometry.spacing_known


def test_an_image_of_many_metres_has_no_known_spacing(tmp_path, phantom):
    affine = np.diag([1000.0, 1000.0, 1000.0, 1.0]) @ ras_affine(phantom.stack)
    study = read_image(written(tmp_path / "a.nii.gz", phantom, affine, unit=2))
    assert not study.stack.geometry.spacing_known
    assert "160 m long" in study.warnings[0]


def test_pixels_that_no_scanner_makes_are_not_believed(tmp_path, phantom):
    affine = np.diag([-2.4, -10.0, 2.5, 1.0])
    study = read_image(written(tmp_path / "a.nii.gz", phantom, affine))
    assert not study.stack.geometry.spacing_known
    assert study.stack.slices == 7
    assert {Code.SPACING_UNKNOWN, Code.SLICE_AXIS_GUESSED} <= set(codes_of(study))


def nrrd(path, phantom, scale, *, fields="", placed=True):
    """A NRRD file of one phase, by hand; ITK knows no units."""
    g = phantom.stack.geometry
    columns = [np.asarray(g.row_direction) * 2.4, np.asarray(g.col_direction) * 2.5, -g.normal * 10.0]
    vectors = " ".join("(" + ",".join(f"{v * scale:.10g}" for v in column) + ")" for column in columns)
    place = (
        f"space: left-posterior-superior\nspace directions: {vectors}\n"
        f"space origin: ({','.join(f'{v * scale:.10g}' for v in g.positions_mm[0])})\n"
    )
    sizes = "spacings: " + " ".join(f"{size * scale:g}" for size in SIZES) + "\n"
    head = f"NRRD0004\ntype: short\ndimension: 3\nsizes: 60 64 7\n{place if placed else sizes}{fields}"
    pixels = np.ascontiguousarray(phantom.stack.pixels[0]).astype("<i2").tobytes()
    path.write_bytes(f"{head}endian: little\nencoding: raw\n\n".encode() + pixels)
    return path


@pytest.mark.parametrize(
    ("fields", "scale", "placed"),
    [
        ('space units: "cm" "cm" "cm"\n', 0.1, True),
        ('space units: "m" "m" "m"\n', 1e-3, True),
        ('space units: "um" "um" "um"\n', 1e3, True),
        ('units: "cm" "cm" "cm"\n', 0.1, False),
    ],
)
def test_units_of_nrrd_are_converted_and_noted(tmp_path, phantom, fields, scale, placed):
    study = read_image(nrrd(tmp_path / "a.nrrd", phantom, scale, fields=fields, placed=placed))
    assert spacing(study) == pytest.approx(SIZES, rel=1e-5)
    assert study.stack.geometry.spacing_known
    assert Code.SPACING_CONVERTED in codes_of(study)
    if placed:
        np.testing.assert_allclose(places_of(study.stack.geometry), places_of(phantom.stack.geometry), atol=0.01)


@pytest.mark.parametrize("fields", ["", 'space units: "mm" "mm" "mm"\n'])
def test_millimetres_of_nrrd_are_no_news(tmp_path, phantom, fields):
    study = read_image(nrrd(tmp_path / "a.nrrd", phantom, 1.0, fields=fields))
    assert study.warnings == ()
    assert spacing(study) == pytest.approx(SIZES)


@pytest.mark.parametrize("fields", ['space units: "pixel" "pixel" "pixel"\n', 'space units: "mm" "mm" "cm"\n'])
def test_units_that_are_no_lengths_or_differ_leave_the_spacing_unknown(tmp_path, phantom, fields):
    study = read_image(nrrd(tmp_path / "a.nrrd", phantom, 1.0, fields=fields))
    assert not study.stack.geometry.spacing_known
    assert Code.SPACING_UNKNOWN in codes_of(study)


@pytest.mark.parametrize("named", ["left-posterior-superior-time", "none"])
def test_phases_lie_on_the_axis_of_nrrd_that_is_a_time(tmp_path, phantom, named):
    g = phantom.stack.geometry
    columns = [np.asarray(g.row_direction) * 2.4, np.asarray(g.col_direction) * 2.5, -g.normal * 10.0]
    vectors = " ".join("(" + ",".join(f"{v:.10g}" for v in column) + ",0)" for column in columns)
    place = f"space: {named}\nspace directions: (0,0,0,40) {vectors}\nspace origin: (1,2,3,0)\n"
    if named == "none":
        place = "spacings: 40 2.4 2.5 10\n"
    pixels = np.ascontiguousarray(phantom.stack.pixels.transpose(1, 2, 3, 0)).astype("<i2").tobytes()
    head = f"NRRD0004\ntype: short\ndimension: 4\nsizes: 2 60 64 7\n{place}kinds: time domain domain domain\n"
    path = tmp_path / "a.nrrd"
    path.write_bytes(f"{head}endian: little\nencoding: raw\n\n".encode() + pixels)
    study = read_image(path)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    assert spacing(study) == pytest.approx(SIZES)


@pytest.mark.parametrize("noise", [0.0, 1e-6])
def test_an_itk_image_of_unit_size_is_a_default(tmp_path, phantom, noise):
    image = sitk.GetImageFromArray(phantom.stack.pixels[0])
    image.SetSpacing((1.0 + noise, 1.0, 1.0))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    study = read_image(tmp_path / "a.mha")
    assert not study.stack.geometry.spacing_known
    assert Code.SPACING_UNKNOWN in codes_of(study)
