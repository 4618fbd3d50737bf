import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.load.base_end import TO_APEX, is_oblique, points_to_apex, starts_at_base
from tests.phantom import sax_cine

# Normals (row x column) of the short-axis stacks of two patients of the Sunnybrook set; they point from apex to base.
REAL_NORMALS = [(-0.672, 0.666, 0.323), (-0.619, 0.668, 0.413)]


@pytest.mark.parametrize("normal", REAL_NORMALS)
def test_real_short_axis_normals_are_told_from_base_to_apex(normal):
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
def test_images_that_tell_nothing_stay_in_order(shape):
    assert starts_at_base(np.zeros(shape, np.int16))
