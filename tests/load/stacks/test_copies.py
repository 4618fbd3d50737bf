import numpy as np
import pytest

from cmr_viewer.load.stacks.dicom_study import read_dicom
from tests.phantom import UID_ROOT, sax_cine
from tests.phantom_dicom import brighter, write_frames


@pytest.fixture(scope="module")
def stack():
    return sax_cine(phases=3, slices=4, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0)).stack


def test_images_that_were_exported_again_under_new_uids_are_used_once(tmp_path, stack):
    write_frames(tmp_path, stack, series="1", study=UID_ROOT + "7")
    write_frames(tmp_path, stack, series="2", study=UID_ROOT + "8", number=900)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, stack.pixels)
    assert study.warnings == ("Left out 12 duplicate images, stored twice under different UIDs.",)
    assert (study.choices, study.repeats) == ((), ())


def test_the_same_places_and_times_with_other_pixels_are_no_copies(tmp_path, stack):
    write_frames(tmp_path, stack, series="1")
    write_frames(tmp_path, brighter(stack, 1), series="2", number=900)
    study = read_dicom(tmp_path)
    assert len(study.choices) == 2


def test_the_same_file_twice_is_used_once(tmp_path, stack):
    files = write_frames(tmp_path / "a", stack, series="1")
    (tmp_path / "b").mkdir()
    for path in files:
        (tmp_path / "b" / path.name).write_bytes(path.read_bytes())
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, stack.pixels)
    assert study.choices == ()
