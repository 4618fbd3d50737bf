import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.wall_thickness import CHORDS, wall_thickness
from tests.domain.rings import ring


@pytest.mark.parametrize(
    ("epi", "endo", "spacing"),
    [(34.0, 25.0, (1.2, 1.2)), (30.0, 22.0, (1.0, 1.6)), (28.0, 8.0, (1.5, 1.5)), (20.0, 5.0, (1.5, 1.5))],
)
def test_a_ring_is_as_thick_as_its_radii_differ(epi, endo, spacing):
    wall = wall_thickness(ring(epi, endo, spacing=spacing), spacing)
    assert wall.thickness_mm.shape == (CHORDS,)
    assert wall.mean_mm == pytest.approx(epi - endo, abs=0.25)
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
    assert (wall.thickness_mm.min(), wall.max_mm) == pytest.approx((epi - endo - d, epi - endo + d), abs=0.5)


def test_where_there_is_no_myocardium_there_is_no_thickness():
    wall = wall_thickness(ring(open_deg=(200.0, 260.0)), (1.2, 1.2))
    missing = np.rad2deg(wall.angles[np.isnan(wall.thickness_mm)])
    assert 0.12 * CHORDS < missing.size < 0.2 * CHORDS
    assert missing.min() > 195.0
    assert missing.max() < 265.0
    assert wall.mean_mm == pytest.approx(9.0, abs=0.4)


def test_ends_of_the_chords_lie_on_the_borders_and_as_far_apart_as_they_say():
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
    assert wall_thickness(ring(25.0, 23.5), (1.2, 1.2)).mean_mm == pytest.approx(1.5, abs=0.4)


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
        assert wall is None or np.isfinite(wall.mean_mm)
