import numpy as np
import pytest

from cmr_viewer.load.stacks.planes import line_angle_deg, plane_of, signs, tilt_deg
from tests.load.stacks.test_groups import AXIAL, header

TURNED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def test_the_middle_of_a_frame_is_half_of_its_pixels_from_the_first():
    plane = plane_of(header(orientation=AXIAL, rows=5, cols=3, spacing=(2.0, 1.0), position=(10.0, 20.0, 30.0)))
    np.testing.assert_allclose(plane.centre, (11.0, 24.0, 30.0))
    np.testing.assert_allclose(plane.normal, (0.0, 0.0, 1.0))


def test_directions_are_of_unit_length_where_the_file_rounds_them():
    plane = plane_of(header(orientation=(1.02, 0.0, 0.0, 0.0, 0.98, 0.0)))
    np.testing.assert_allclose((plane.row, plane.col), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))


def test_a_mirrored_plane_is_not_tilted_but_runs_the_other_way():
    plain, turned = plane_of(header(orientation=AXIAL)), plane_of(header(orientation=TURNED))
    assert tilt_deg(turned, plain) == pytest.approx(0.0)
    assert signs(turned, plain) == (1, -1)
    assert signs(plain, plain) == (1, 1)


@pytest.mark.parametrize("degrees", [0.001, 3.0, 89.0])
def test_the_angle_of_lines_is_exact_for_small_and_large_angles(degrees):
    other = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees)), 0.0])
    assert line_angle_deg(np.array([1.0, 0.0, 0.0]), -other) == pytest.approx(degrees, rel=1e-6)
