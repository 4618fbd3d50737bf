import numpy as np
import pytest
from scipy import ndimage

from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.motion import LARGE_STEP, find_motion, grey_between


def blobs(size=72):
    """A smooth picture with structure everywhere."""
    noise = np.random.default_rng(3).normal(size=(size, size))
    return grey_between(ndimage.gaussian_filter(noise, 4.0))


def test_a_picture_that_did_not_change_did_not_move():
    assert np.abs(find_motion(blobs(), blobs())).max() < 1e-3


def test_a_shift_is_found_down_and_to_the_right_with_its_sign():
    source = blobs()
    target = ndimage.shift(source, (2.0, -1.0), order=1, mode="nearest")
    motion = find_motion(target, source, LARGE_STEP)
    inside = motion[:, 16:-16, 16:-16]
    assert np.median(inside[0]) == pytest.approx(-2.0, abs=0.3)
    assert np.median(inside[1]) == pytest.approx(1.0, abs=0.3)


def test_a_disc_that_shrinks_is_followed_towards_its_middle():
    rows, cols = np.indices((64, 64))
    away = np.hypot(rows - 32, cols - 32)
    large, small = (ndimage.gaussian_filter((away < radius).astype(np.float32), 1.0) for radius in (14, 11))
    motion = find_motion(small, large, LARGE_STEP)
    assert motion[1, 32, 32 + 11] == pytest.approx(3.0, abs=0.8)
    assert motion[0, 32 - 11, 32] == pytest.approx(-3.0, abs=0.8)


def test_frames_of_different_shapes_are_refused():
    with pytest.raises(LabelMapError, match="shapes"):
        find_motion(blobs(), blobs()[:-1])


def test_a_frame_of_a_few_pixels_is_looked_at_on_its_finest_level_only():
    assert find_motion(np.zeros((12, 9), np.float32), np.zeros((12, 9), np.float32)).shape == (2, 12, 9)


def test_the_grey_scale_runs_from_the_first_to_the_last_percentile():
    values = np.arange(101, dtype=np.int16)
    grey = grey_between(values)
    assert grey[1] == 0.0 and grey[99] == 1.0 and grey[50] == pytest.approx(0.5)
    assert not grey_between(np.full((3, 3), 7)).any()
