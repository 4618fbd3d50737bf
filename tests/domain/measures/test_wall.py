import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.measures.wall import CHORDS, RAYS, angle_of, lv_centre, lv_outline, ray_angles, wall_thickness
from tests.domain.measures.rings import CENTRE, ring


@pytest.mark.parametrize(
    ("epi", "endo", "spacing"),
    [(34.0, 25.0, (1.2, 1.2)), (30.0, 22.0, (1.0, 1.6)), (28.0, 8.0, (1.5, 1.5)), (20.0, 5.0, (1.5, 1.5))],
)
def test_a_ring_is_as_thick_as_its_radii_differ(epi, endo, spacing):
    wall = wall_thickness(ring(epi, endo, spacing=spacing), spacing)
    assert wall.thickness_mm.shape == (CHORDS,)
    assert np.nanmean(wall.thickness_mm) == pytest.approx(epi - endo, abs=0.25)
    assert wall.thickness_mm == pytest.approx(np.full(CHORDS, epi - endo), abs=0.6 * max(spacing))


@pytest.mark.parametrize("towards_deg", [0.0, 75.0, 200.0])
def test_of_offset_discs_each_chord_has_the_length_of_the_formula(towards_deg):
    """A chord through the line half way between two circles, perpendicular to it.

    The line half way between circles of radii r and R, centres d apart, is the ellipse with these centres as foci and
    half axes a = (R + r) / 2 and b = sqrt(a^2 - (d / 2)^2): each of its points is as far from one circle as from the
    other. Its normal meets both circles; the distance of the two points is the chord.
    """
    epi, endo, d = 34.0, 25.0, 4.0
    way = np.deg2rad(towards_deg)
    spacing = (0.8, 0.8)
    labels = ring(
        epi, endo, spacing=spacing, offset_mm=(d * np.sin(way), d * np.cos(way)), centre=(95.2, 94.9), size=192
    )
    wall = wall_thickness(labels, spacing)
    a = (epi + endo) / 2.0
    b = np.sqrt(a**2 - (d / 2.0) ** 2)
    u = np.linspace(0.0, 2.0 * np.pi, 721)
    x, y = d / 2.0 + a * np.cos(u), b * np.sin(u)  # the endocardium's centre is the origin
    nx, ny = np.cos(u) / a, np.sin(u) / b
    length = np.hypot(nx, ny)
    nx, ny = nx / length, ny / length

    def reach(cx: float, radius: float) -> np.ndarray:
        along = (x - cx) * nx + y * ny
        return -along + np.sqrt(along**2 - ((x - cx) ** 2 + y**2 - radius**2))

    true = reach(d, epi) - reach(0.0, endo)
    at = (np.arctan2(y, x) + way) % (2.0 * np.pi)
    order = np.argsort(at)
    expected = np.interp(wall.angles, at[order], true[order], period=2.0 * np.pi)
    assert wall.thickness_mm == pytest.approx(expected, abs=0.55)
    assert np.abs(wall.thickness_mm - expected).mean() < 0.2
    ends = wall.thickness_mm.min(), wall.thickness_mm.max()
    assert ends == pytest.approx((epi - endo - d, epi - endo + d), abs=0.5)


def test_where_there_is_no_myocardium_there_is_no_thickness():
    wall = wall_thickness(ring(open_deg=(200.0, 260.0)), (1.2, 1.2))
    missing = np.rad2deg(wall.angles[np.isnan(wall.thickness_mm)])
    assert 0.12 * CHORDS < missing.size < 0.2 * CHORDS
    assert missing.min() > 195.0
    assert missing.max() < 265.0
    assert np.nanmean(wall.thickness_mm) == pytest.approx(9.0, abs=0.4)


def test_ends_of_the_chords_lie_on_the_borders_and_as_far_apart_as_their_lengths():
    spacing = (1.0, 1.6)
    wall = wall_thickness(ring(30.0, 22.0, spacing=spacing), spacing)
    across = (wall.epi - wall.endo) * spacing
    assert np.hypot(*across.T) == pytest.approx(wall.thickness_mm, abs=1e-9)
    from_centre = np.hypot(*((wall.epi - wall.outline.centre) * spacing).T)
    assert from_centre == pytest.approx(np.full(CHORDS, 30.0), abs=0.7)
    assert (np.diff(wall.angles) > 0).all()


def test_without_a_ring_there_is_nothing_to_measure():
    assert wall_thickness(np.zeros((30, 30), np.uint8), (1.0, 1.0)) is None


def test_a_wall_of_one_pixel_is_measured():
    assert np.nanmean(wall_thickness(ring(25.0, 23.5), (1.2, 1.2)).thickness_mm) == pytest.approx(1.5, abs=0.4)


@given(st.floats(0.6, 2.5), st.floats(0.5, 3.0), st.floats(10.0, 25.0), st.floats(4.0, 12.0))
@settings(deadline=None, max_examples=12)
def test_the_spacing_scales_the_thickness(spacing, factor, endo, wall):
    labels = ring(endo + wall, endo, spacing=(spacing, spacing), size=128)
    if (labels[[0, -1]] != 0).any() or (labels == Label.LVBP).sum() < 30:
        return
    small = wall_thickness(labels, (spacing, spacing))
    large = wall_thickness(labels, (factor * spacing, factor * spacing))
    assert large.thickness_mm == pytest.approx(factor * small.thickness_mm, rel=1e-6)


def test_a_speck_of_myocardium_between_two_chords_is_no_wall():
    y, x = np.mgrid[:200, :200] - 100
    pool = np.where(np.hypot(y, x) < 60, Label.LVBP, Label.BACKGROUND).astype(np.uint8)
    for turn in np.linspace(0.0, 2 * np.pi, 24):
        labels = pool.copy()
        labels[round(100 + 60.5 * np.sin(turn)), round(100 + 60.5 * np.cos(turn))] = Label.LVM
        wall = wall_thickness(labels, (1.0, 1.0))
        assert wall is None or np.isfinite(np.nanmean(wall.thickness_mm))


@pytest.mark.parametrize("spacing", [(1.2, 1.2), (1.0, 1.7)])
def test_a_ring_has_the_radii_of_its_circles(spacing):
    outline = lv_outline(ring(30.0, 20.0, spacing=spacing), spacing)
    assert outline.centre == pytest.approx(CENTRE, abs=0.05)
    assert outline.endo_mm == pytest.approx(np.full(RAYS, 20.0), abs=0.4 * max(spacing))
    assert outline.epi_mm == pytest.approx(np.full(RAYS, 30.0), abs=0.4 * max(spacing))
    assert outline.endo_mm.mean() == pytest.approx(20.0, abs=0.08)
    assert outline.epi_mm.mean() == pytest.approx(30.0, abs=0.08)
    assert outline.has_wall.all()


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
    assert outline.has_wall.mean() == pytest.approx(300.0 / 360.0, abs=0.03)
    assert not outline.has_wall[230]
    assert outline.has_wall[[30, 120, 330]].all()
    assert outline.epi_mm[230] == pytest.approx(34.0, abs=0.8), "carried over from both sides"


def test_points_on_the_borders_lie_at_their_angle_and_radius():
    outline = lv_outline(ring(), (1.2, 1.2))
    row, col = outline.on_epicardium(np.pi / 2)
    assert (row, col) == pytest.approx((CENTRE[0] + 34.0 / 1.2, CENTRE[1]), abs=0.5)
    assert outline.angle_of((row, col)) == pytest.approx(np.pi / 2, abs=1e-6)


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
