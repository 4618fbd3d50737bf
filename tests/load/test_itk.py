import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from cmr_viewer.errors import LoadError
from cmr_viewer.load.itk import read_itk
from tests.phantom import sax_cine


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=3, slices=6, rows=40, cols=36, pixel_spacing_mm=(3.0, 2.5))


def image_of(stack, phase):
    """A 3D ITK image of one phase, in patient coordinates (LPS)."""
    g = stack.geometry
    image = sitk.GetImageFromArray(stack.pixels[phase])
    step = np.asarray(g.positions_mm[1]) - np.asarray(g.positions_mm[0])
    columns = [np.asarray(g.row_direction), np.asarray(g.col_direction), step / np.linalg.norm(step)]
    image.SetDirection(np.stack(columns, axis=1).ravel().tolist())
    image.SetOrigin(g.positions_mm[0])
    image.SetSpacing((g.pixel_spacing_mm[1], g.pixel_spacing_mm[0], g.slice_spacing_mm))
    return image


@pytest.mark.parametrize("ending", [".mha", ".mhd", ".nrrd"])
def test_a_3d_image_opens_with_its_geometry(tmp_path, phantom, ending):
    path = tmp_path / f"heart{ending}"
    sitk.WriteImage(image_of(phantom.stack, 0), str(path))
    study = read_itk(path)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[:1])
    np.testing.assert_allclose(study.stack.geometry.positions_mm, phantom.stack.geometry.positions_mm, atol=1e-3)
    assert study.stack.geometry.pixel_spacing_mm == pytest.approx((3.0, 2.5))
    assert (study.name, study.format_name) == ("heart", ending[1:].upper())
    assert study.warnings == ()


def test_a_4d_image_has_phases_on_its_fourth_axis(tmp_path, phantom):
    joined = sitk.JoinSeries([image_of(phantom.stack, phase) for phase in range(3)])
    sitk.WriteImage(joined, str(tmp_path / "cine.mha"))
    study = read_itk(tmp_path / "cine.mha")
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)


def test_many_channels_are_phases(tmp_path):
    phantom = sax_cine(phases=5, slices=6, rows=40, cols=36, pixel_spacing_mm=(3.0, 2.5))
    channels = sitk.Compose([image_of(phantom.stack, phase) for phase in range(5)])
    sitk.WriteImage(channels, str(tmp_path / "sequence.nrrd"))
    np.testing.assert_array_equal(read_itk(tmp_path / "sequence.nrrd").stack.pixels, phantom.stack.pixels)


def test_colour_is_refused(tmp_path, phantom):
    image = sitk.Compose([image_of(phantom.stack, 0)] * 3)
    sitk.WriteImage(image, str(tmp_path / "rgb.mha"))
    with pytest.raises(LoadError, match=r"rgb.mha has 3 channels"):
        read_itk(tmp_path / "rgb.mha")


@pytest.mark.parametrize("name", ["broken.mha", "broken.nrrd"])
def test_a_file_that_is_none_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(LoadError, match=name):
        read_itk(tmp_path / name)
