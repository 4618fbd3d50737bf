import numpy as np
import pydicom
import pytest

from cmr_viewer.errors import LoadError
from cmr_viewer.load.stacks.dicom_study import read_dicom, read_dicom_files
from tests.phantom import sax_cine
from tests.phantom_dicom import mirrored, write_frames

PHASES, SLICES, ROWS, COLS = 5, 6, 26, 22


@pytest.fixture(scope="module")
def sax():
    return sax_cine(phases=PHASES, slices=SLICES, rows=ROWS, cols=COLS, pixel_spacing_mm=(6.0, 5.5)).stack


@pytest.mark.parametrize("bad", [1, 3])
def test_a_frame_that_cannot_be_decoded_is_replaced_by_its_neighbour_and_told(tmp_path, sax, bad):
    files = write_frames(tmp_path, sax, series="1")
    for number in range(bad):
        damage(files[2 * PHASES + number])
    study = read_dicom(tmp_path)
    told = " ".join(study.warnings)
    assert files[2 * PHASES].name in told
    if bad == 1:
        np.testing.assert_array_equal(study.stack.pixels[0, 2], sax.pixels[1, 2])
        np.testing.assert_array_equal(study.stack.pixels[1:], sax.pixels[1:])
        assert "Slice 3, phase 1: image damaged; the frame nearest in time is shown instead." in study.warnings
    else:
        np.testing.assert_array_equal(study.stack.pixels, sax.pixels[:, [0, 1, 3, 4, 5]])
        assert "Left out slice 3 of 6: 3 of 5 images are damaged." in study.warnings


def test_where_no_frame_can_be_decoded_a_file_is_named(tmp_path, sax):
    for path in write_frames(tmp_path, sax, series="1"):
        damage(path)
    with pytest.raises(LoadError, match=r"Could not decode the images, for example 1-00.*\.dcm"):
        read_dicom(tmp_path)


def damage(path):
    """Say that the pixels are JPEG 2000, and put what is none in their place."""
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    data.PixelData = pydicom.encaps.encapsulate([b"\0" * 200])
    data["PixelData"].is_undefined_length = True
    data.save_as(path)


def test_the_preview_is_a_middle_slice_as_it_will_be_shown(tmp_path, sax):
    write_frames(tmp_path, mirrored(sax, "cols"), series="1")
    seen = []
    opened = read_dicom_files(tmp_path, preview=seen.append)
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0], opened.study.stack.pixels[0, SLICES // 2])
