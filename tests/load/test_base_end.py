import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.geometry import is_oblique
from cmr_viewer.domain.study import LongAxisView
from cmr_viewer.load.base_end import (
    TO_APEX,
    axis_likeness,
    points_to_apex,
    shows_the_apex,
    starts_at_base,
    views_motion,
)
from cmr_viewer.load.stacks.stack import reversed_stack
from tests.phantom import sax_cine
from tests.phantom_dicom import long_axis_stack, mirrored

# Normals (row x column) of the short-axis stacks of two patients of the Sunnybrook set; they point from apex to base.
REAL_NORMALS = [(-0.672, 0.666, 0.323), (-0.619, 0.668, 0.413)]


@pytest.mark.parametrize("normal", REAL_NORMALS)
def test_real_short_axis_normals_show_base_and_apex(normal):
    assert not points_to_apex(np.asarray(normal))
    assert points_to_apex(-np.asarray(normal))
    assert is_oblique(np.asarray(normal))


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, -1, 0), (0, 0, 1), (0.1, 0.05, 0.99)])
def test_a_normal_along_an_axis_of_the_body_is_not_that_of_a_short_axis_stack(axis):
    vector = np.asarray(axis, float)
    assert not is_oblique(vector / np.linalg.norm(vector))


@settings(deadline=None)
@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: abs(np.dot(v, TO_APEX)) > 1e-3))
def test_exactly_one_of_a_direction_and_its_opposite_points_to_the_apex(direction):
    vector = np.asarray(direction)
    assert points_to_apex(vector) != points_to_apex(-vector)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("phases", [1, 2, 12])
def test_the_base_of_the_phantom_is_found_from_its_images(seed, phases):
    pixels = sax_cine(seed=seed, phases=phases).stack.pixels
    assert starts_at_base(pixels)
    assert not starts_at_base(pixels[:, ::-1])


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (1, 3, 8, 8), (2, 3, 8, 8)])
def test_images_that_show_nothing_stay_in_order(shape):
    assert starts_at_base(np.zeros(shape, np.int16))


@pytest.mark.parametrize("normal", REAL_NORMALS)
def test_real_short_axis_normals_are_trusted(normal):
    assert shows_the_apex(np.asarray(normal))
    assert axis_likeness(np.asarray(normal)) > 0.9


@pytest.mark.parametrize("direction", [(0, 0, 1), (-0.6, -0.5, -0.3), (0, 0, 0)])
def test_a_lost_orientation_and_a_heart_on_the_right_side_are_not_trusted(direction):
    assert not shows_the_apex(np.asarray(direction, float))


def test_the_end_beyond_which_more_moves_in_a_view_is_found_whatever_its_direction():
    stack = sax_cine(phases=2, slices=5, rows=32, cols=32, pixel_spacing_mm=(4.0, 4.0)).stack
    plane = long_axis_stack(stack, 30.0, rows=40)
    pixels = np.full(plane.pixels.shape, 100, np.int16)
    # Rows run from base to apex, 4 mm each; the slices cover the 40 mm in the middle.
    pixels[::2, :, :12] += 60
    for turned in (plane, mirrored(plane, "rows"), mirrored(plane, "cols")):
        upside_down = turned.geometry.col_direction != plane.geometry.col_direction
        frames = pixels[:, 0, ::-1] if upside_down else pixels[:, 0]
        view = LongAxisView(frames, turned.geometry)
        assert views_motion([view], stack.geometry) > 0.9
        assert views_motion([view], reversed_stack(stack).geometry) < -0.9


def test_views_that_do_not_move_or_are_not_there_show_nothing():
    stack = sax_cine(phases=1, slices=5, rows=32, cols=32, pixel_spacing_mm=(4.0, 4.0)).stack
    plane = long_axis_stack(stack, 0.0, rows=40)
    assert views_motion([LongAxisView(plane.pixels[:, 0] * 0, plane.geometry)], stack.geometry) == 0.0
    assert views_motion([], stack.geometry) == 0.0
