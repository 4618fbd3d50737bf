import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.lv_outline import RAYS, angle_of, lv_centre, lv_outline, ray_angles
from tests.domain.rings import CENTRE, ring


@pytest.mark.parametrize("spacing", [(1.2, 1.2), (1.0, 1.7)])
def test_a_ring_has_the_radii_of_its_circles(spacing):
    outline = lv_outline(ring(30.0, 20.0, spacing=spacing), spacing)
    assert outline.centre == pytest.approx(CENTRE, abs=0.05)
    assert outline.endo_mm == pytest.approx(np.full(RAYS, 20.0), abs=0.4 * max(spacing))
    assert outline.epi_mm == pytest.approx(np.full(RAYS, 30.0), abs=0.4 * max(spacing))
    assert outline.endo_mm.mean() == pytest.approx(20.0, abs=0.08)
    assert outline.epi_mm.mean() == pytest.approx(30.0, abs=0.08)
    assert outline.wall_share == 1.0


def test_an_ellipse_has_the_radii_of_its_axes():
    y, x = np.mgrid[:128, :128] - 63.7
    labels = np.select([np.hypot(y / 20, x / 16) < 1, np.hypot(y / 30, x / 26) < 1], [Label.LVBP, Label.LVM], 0).astype(
        np.uint8
    )
    outline = lv_outline(labels, (1.0, 1.0))
    assert outline.endo_mm[[0, 90, 180, 270]] == pytest.approx([16, 20, 16, 20], abs=0.4)
    assert outline.epi_mm[[0, 90, 180, 270]] == pytest.approx([26, 30, 26, 30], abs=0.4)


def test_where_the_ring_is_open_there_is_no_wall():
    outline = lv_outline(ring(open_deg=(200.0, 260.0)), (1.2, 1.2))
    assert outline.wall_share == pytest.approx(300.0 / 360.0, abs=0.03)
    assert not outline.has_wall[230]
    assert outline.has_wall[[30, 120, 330]].all()
    assert outline.epi_mm[230] == pytest.approx(34.0, abs=0.8), "carried over from both sides"


def test_points_on_the_borders_lie_at_their_angle_and_radius():
    outline = lv_outline(ring(), (1.2, 1.2))
    row, col = outline.on_epicardium(np.pi / 2)
    assert (row, col) == pytest.approx((CENTRE[0] + 34.0 / 1.2, CENTRE[1]), abs=0.5)
    assert outline.angle_of((row, col)) == pytest.approx(np.pi / 2, abs=1e-6)
    assert outline.on_endocardium(0.0) == pytest.approx((CENTRE[0], CENTRE[1] + 25.0 / 1.2), abs=0.5)


def test_islands_far_from_the_ring_do_not_count():
    labels = ring(20.0, 12.0)
    labels[2:4, 2:4] = Label.LVM
    assert lv_outline(labels, (1.2, 1.2)).epi_mm.max() < 21.0


def test_a_papillary_muscle_drawn_as_myocardium_does_not_end_the_blood_pool():
    labels = ring(30.0, 22.0)
    row, col = round(CENTRE[0]), round(CENTRE[1]) + 8
    labels[row - 2 : row + 3, col : col + 4] = Label.LVM
    assert lv_outline(labels, (1.2, 1.2)).endo_mm.min() > 21.0


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((20, 20), np.uint8),
        np.where(ring() == Label.LVBP, 0, ring()).astype(np.uint8),
        np.where(ring() == Label.LVM, 0, ring()).astype(np.uint8),
    ],
)
def test_without_blood_pool_or_myocardium_there_is_no_outline(labels):
    assert lv_outline(labels, (1.0, 1.0)) is None


def test_a_blood_pool_in_two_parts_has_no_outline():
    labels = np.zeros((40, 40), np.uint8)
    labels[5:35, 5:35] = Label.LVM
    labels[18:22, 6:10] = labels[18:22, 30:34] = Label.LVBP
    assert lv_outline(labels, (1.0, 1.0)) is None


def test_the_blood_pool_may_reach_the_edge_of_the_frame():
    labels = ring()[50:]
    assert lv_outline(labels, (1.2, 1.2)) is not None


def test_angles_are_measured_in_mm():
    assert angle_of((12.0, 11.0), (10.0, 10.0), (1.0, 2.0)) == pytest.approx(np.pi / 4)
    assert ray_angles()[90] == pytest.approx(np.pi / 2)


def test_the_centre_is_that_of_the_blood_pool():
    assert lv_centre(ring(offset_mm=(3.0, 3.0))) == pytest.approx(CENTRE, abs=0.1)
    assert lv_centre(np.zeros((4, 4), np.uint8)) is None
