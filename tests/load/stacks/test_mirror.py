import numpy as np
import pytest

from cmr_viewer.load.stacks.dicom_study import read_dicom
from tests.load.stacks.test_stack import assert_geometry_is_true
from tests.phantom import sax_cine
from tests.phantom_dicom import mirrored, write_frames

PHASES, SLICES, ROWS, COLS = 5, 6, 26, 22


@pytest.fixture(scope="module")
def sax():
    return sax_cine(phases=PHASES, slices=SLICES, rows=ROWS, cols=COLS, pixel_spacing_mm=(6.0, 5.5)).stack


@pytest.mark.parametrize("axis", ["rows", "cols"])
def test_frames_stored_as_seen_from_the_base_are_shown_from_the_apex(tmp_path, sax, axis):
    write_frames(tmp_path, mirrored(sax, axis), series="1")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    np.testing.assert_allclose(study.stack.geometry.positions_mm, sax.geometry.positions_mm, atol=1e-3)
    assert "reversed to give the view from the apex" in study.warnings[0]
    assert_geometry_is_true(study.stack, tmp_path)


def test_frames_turned_by_half_a_turn_are_not_mirrored_and_stay(tmp_path, sax):
    half = mirrored(mirrored(sax, "rows"), "cols")
    write_frames(tmp_path, half, series="1")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, half.pixels)
    assert study.warnings == ()
