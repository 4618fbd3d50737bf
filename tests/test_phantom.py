"""The phantom against formulas worked out apart from it: other tests rest on its volumes."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from tests.phantom import Phantom, clinical_cine, contraction, sax_cine
from tests.phantom_heart import BALANCED, CONTRASTS, FAINT_BLOOD, LARGE_NUMBERS, Anatomy, CrossSection

LABELS = (Label.LVBP, Label.LVM, Label.RVBP)
FINE: dict[str, Any] = {"rows": 192, "cols": 176, "pixel_spacing_mm": (0.9, 0.9), "phases": 3}


def drawn_areas_mm2(phantom: Phantom, label: Label) -> NDArray[np.float64]:
    """(phase, slice) area of a label by its pixels."""
    row_mm, col_mm = phantom.stack.geometry.pixel_spacing_mm
    return np.asarray((phantom.labels == label).sum(axis=(2, 3)) * row_mm * col_mm, np.float64)


def centroid(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(row, col) of the middle of a mask."""
    return np.argwhere(mask).mean(axis=0)


def whole_heart(slice_spacing_mm: float, **anatomy: Any) -> tuple[Phantom, float]:
    """A heart in so thin slices that their sum is an integral, and its length at ED in mm."""
    slices = round(80 / slice_spacing_mm)
    phantom = sax_cine(
        phases=3,
        slices=slices,
        slice_spacing_mm=slice_spacing_mm,
        above=0,
        below=0,
        rows=8,
        cols=8,
        pixel_spacing_mm=(20.0, 20.0),
        anatomy=Anatomy(**anatomy),
    )
    # from a quarter of a slice above the first centre to half of one below the last
    return phantom, (slices - 0.5 + 0.25) * slice_spacing_mm


def test_the_cycle_goes_from_ed_to_es_and_back() -> None:
    # 5 phases: ES at 40 %; half a cosine down over two steps, up again over three
    assert contraction(5) == pytest.approx([0.0, 0.5, 1.0, 0.75, 0.25])
    assert contraction(1).tolist() == [0.0]
    assert sax_cine(phases=5, rows=24, cols=24, pixel_spacing_mm=(7.0, 7.0)).es_phase == 2


def test_the_most_basal_slice_at_ed_has_the_areas_of_its_outlines() -> None:
    phantom = sax_cine(phases=1)
    # the base plane lies 2.5 mm above its centre, the apex 65 mm below
    s = 2.5 / 67.5
    endo2, epi = 25.0**2 * (1 - (s / 0.9) ** 2), 34.0 * np.sqrt(1 - s**2)
    width = 24.0 * (1 - s / 0.8)
    expected = [0.0, np.pi * endo2, np.pi * (epi**2 - endo2), np.pi / 3 * (2 * epi * width + width**2)]
    assert phantom.areas_mm2[0, 1] == pytest.approx(expected)
    assert not phantom.areas_mm2[0, [0, 8]].any()


def test_thin_slices_add_up_to_the_volume_of_the_solid() -> None:
    phantom, length_mm = whole_heart(0.25)
    # radii at the base 25 and 34 mm: pi r^2 L times the integral of 1 - (s / 0.9)^2 up to 0.9, of 1 - s^2 up to 1
    lvbp = np.pi * 25**2 * length_mm * 0.6 / 1000
    lvm = np.pi * 34**2 * length_mm * 2 / 3 / 1000 - lvbp
    # the sector: L pi / 3 times the integral of 2 R W + W^2 up to 0.8; first those of sqrt(1 - s^2) and s sqrt(1 - s^2)
    root, s_root = (0.8 * 0.6 + np.arcsin(0.8)) / 2, (1 - 0.6**3) / 3
    rvbp = length_mm * np.pi / 3 * (2 * 34 * 24 * (root - s_root / 0.8) + 24**2 * 0.8 / 3) / 1000
    for label, volume_ml in zip(LABELS, (lvbp, lvm, rvbp), strict=True):
        assert phantom.volume_ml(0, label) == pytest.approx(volume_ml, rel=0.005)


def test_a_more_pointed_apex_has_the_volume_of_its_solid() -> None:
    phantom, length_mm = whole_heart(0.25, taper=2.0)
    # the integral of (1 - s^2)^2 up to 1 is 8 / 15
    lvbp = np.pi * 25**2 * length_mm * 0.9 * 8 / 15 / 1000
    assert phantom.volume_ml(0, Label.LVBP) == pytest.approx(lvbp, rel=0.005)
    assert phantom.volume_ml(0, Label.LVM) == pytest.approx(np.pi * 34**2 * length_mm * 8 / 15 / 1000 - lvbp, rel=0.005)


def test_a_wider_right_ventricle_is_an_annular_sector_of_that_width() -> None:
    phantom = sax_cine(phases=1, anatomy=Anatomy(rv=1.5))
    s = 2.5 / 67.5
    epi, width = 34.0 * np.sqrt(1 - s**2), 1.5 * 24.0 * (1 - s / 0.8)
    assert phantom.areas_mm2[0, 1, Label.RVBP] == pytest.approx(np.pi / 3 * (2 * epi * width + width**2))
    assert np.array_equal(phantom.areas_mm2[..., :3], sax_cine(phases=1).areas_mm2[..., :3])


def test_volumes_grow_with_the_square_of_the_size() -> None:
    plain, large = sax_cine(phases=3), sax_cine(phases=3, anatomy=Anatomy(size=1.1))
    assert large.areas_mm2 == pytest.approx(1.21 * plain.areas_mm2)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"anatomy": Anatomy(outflow_deg=80.0)},
        {"anatomy": Anatomy(crescent=True)},
        {"anatomy": Anatomy(taper=1.5, size=0.9)},
        {"rotation_deg": 33.0},
        {"breath_shift_mm": 4.0},
        {"anatomy": Anatomy(outflow_deg=60.0, crescent=True), "rotation_deg": -140.0, "breath_shift_mm": 3.0},
        {"pixel_spacing_mm": (0.9, 1.1)},
    ],
    ids=["plain", "outflow", "crescent", "taper", "rotated", "shifted", "all", "oblong pixels"],
)
def test_label_maps_have_the_exact_areas_to_within_the_pixels_on_outlines(options: dict[str, Any]) -> None:
    phantom = sax_cine(**{**FINE, **options})
    g = phantom.stack.geometry
    for label in LABELS:
        drawn = drawn_areas_mm2(phantom, label)
        # errors of pixels on an outline cancel but for a share of its length
        assert np.abs(drawn - phantom.areas_mm2[..., label]).max() < 15.0
        volume_ml = drawn.sum(axis=1) * g.slice_spacing_mm / 1000.0
        for phase in range(phantom.stack.phases):
            assert volume_ml[phase] == pytest.approx(phantom.volume_ml(phase, label), rel=0.008)


def test_cavities_are_larger_at_ed_than_at_es_and_the_myocardium_stays_about_alike() -> None:
    for phantom in (sax_cine(), sax_cine(anatomy=Anatomy(crescent=True, outflow_deg=70.0)), whole_heart(1.0)[0]):
        es = phantom.es_phase
        edv, esv = (phantom.volume_ml(phase, Label.LVBP) for phase in (0, es))
        assert 50.0 < 100.0 * (edv - esv) / edv < 80.0
        assert phantom.volume_ml(0, Label.RVBP) > 1.4 * phantom.volume_ml(es, Label.RVBP)
        assert phantom.volume_ml(es, Label.LVM) == pytest.approx(phantom.volume_ml(0, Label.LVM), rel=0.2)
        assert all(phantom.volume_ml(p, Label.LVBP) <= edv for p in range(phantom.stack.phases))


@pytest.mark.parametrize(("shortening_mm", "lost"), [(0.0, 0), (2.0, 0), (12.0, 1), (14.0, 2)])
def test_slices_that_the_base_plane_passes_on_its_way_down_leave_the_heart(shortening_mm: float, lost: int) -> None:
    # slice centres at 0, 10, 20 mm below the first; the base plane 2.5 mm above it at ED
    phantom = sax_cine(phases=3, shortening_mm=shortening_mm)
    es = phantom.es_phase
    assert (phantom.first_cardiac[0], phantom.last_cardiac[0]) == (1, 7)
    assert (phantom.first_cardiac[es], phantom.last_cardiac[es]) == (1 + lost, 7)
    assert not phantom.labels[es, : 1 + lost].any()


def test_the_left_ventricle_tapers_and_its_last_slice_is_muscle_alone() -> None:
    phantom = sax_cine(phases=1)
    lv = drawn_areas_mm2(phantom, Label.LVBP)[0] + drawn_areas_mm2(phantom, Label.LVM)[0]
    assert (np.diff(lv[1:8]) < 0).all()
    assert set(np.unique(phantom.labels[0, 7])) == {Label.BACKGROUND, Label.LVM}
    pointed = sax_cine(phases=1, anatomy=Anatomy(taper=2.0))
    # (1 - s^2)^2 in place of 1 - s^2
    s = (60.0 + 2.5) / 67.5
    shrunk = pointed.areas_mm2[0, 7, Label.LVM] / phantom.areas_mm2[0, 7, Label.LVM]
    assert shrunk == pytest.approx(1 - s**2)


@pytest.mark.parametrize("open_deg", [40.0, 90.0, 150.0])
def test_the_ring_of_myocardium_is_open_over_the_angle_that_is_stated(open_deg: float) -> None:
    phantom = sax_cine(**FINE, anatomy=Anatomy(outflow_deg=open_deg, outflow_mm=15.0))
    # centres 2.5 and 12.5 mm below the base plane at ED; the next one is 22.5 mm below
    assert phantom.open_deg[0].tolist() == [0.0, open_deg, open_deg, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    middle = centroid(phantom.labels[0, 5] == Label.LVBP)
    away = (np.indices(phantom.labels.shape[2:]) - middle[:, None, None]) * 0.9
    radius = np.hypot(*away)
    for index in (1, 2, 3):
        section = CrossSection.at((index * 10 - 7.5) / 67.5, 0.0, 0.0, Anatomy())
        wall = (radius > 0.5 * (section.endo + section.epi) + 1.0) & (radius < section.epi - 1.0)
        gap = wall & (phantom.labels[0, index] == Label.BACKGROUND)
        assert 360.0 * gap.sum() / wall.sum() == pytest.approx(phantom.open_deg[0, index], abs=3.0)
        if gap.any():
            down, right = (centroid(gap) - middle) * 0.9
            # 75 degrees from the left towards the top
            assert np.rad2deg(np.arctan2(-down, -right)) == pytest.approx(75.0, abs=2.0)


def test_an_open_ring_lets_the_blood_pool_out_and_a_closed_one_does_not() -> None:
    phantom = sax_cine(**FINE, anatomy=Anatomy(outflow_deg=70.0))
    pieces = [ndimage.label(phantom.labels[0, index] != Label.LVM)[1] for index in range(1, 6)]
    assert pieces == [1, 2, 2, 2, 2]
    assert phantom.open_deg[phantom.es_phase].max() == 70.0


def test_the_outflow_tract_moves_area_from_the_wall_to_the_blood_pool() -> None:
    plain, opened = sax_cine(phases=1), sax_cine(phases=1, anatomy=Anatomy(outflow_deg=90.0))
    s = 2.5 / 67.5
    endo, epi = 25.0 * np.sqrt(1 - (s / 0.9) ** 2), 34.0 * np.sqrt(1 - s**2)
    more = opened.areas_mm2[0, 1] - plain.areas_mm2[0, 1]
    middle = (endo + epi) / 2
    assert more[Label.LVM] == pytest.approx(-np.pi * (epi**2 - endo**2) / 4)
    assert more[Label.LVBP] == pytest.approx(np.pi * (middle**2 - endo**2) / 4)
    assert more[Label.RVBP] == 0.0


@pytest.mark.parametrize(("epi", "width"), [(34.0, 24.0), (30.0, 6.0), (28.0, 0.5)])
def test_the_crescents_area_is_the_integral_over_the_angle(epi: float, width: float) -> None:
    # the circle through the point at the left and those at 75 degrees to both sides of it: x^2 + y^2 + p x + q = 0
    end = np.deg2rad(75.0)
    points = np.array([[-epi - width, 0.0], [-epi * np.cos(end), epi * np.sin(end)]])
    p, q = np.linalg.solve(np.stack([points[:, 0], np.ones(2)], axis=1), -(points**2).sum(axis=1))
    centre = p / 2  # to the left
    disc2 = centre**2 - q
    angle = np.linspace(-end, end, 20001)
    outer = centre * np.cos(angle) + np.sqrt(disc2 - (centre * np.sin(angle)) ** 2)
    section = CrossSection(20.0, epi, width, crescent=True)
    assert section.areas_mm2()[Label.RVBP] == pytest.approx(np.trapezoid((outer**2 - epi**2) / 2, angle), rel=1e-6)


def test_the_crescent_is_widest_at_the_left_and_ends_in_points() -> None:
    section = CrossSection(20.0, 30.0, 20.0, crescent=True)
    angle = np.deg2rad(np.array([0.0, 30.0, 60.0, 74.5, 76.0]))[:, None]
    radius = np.arange(30.0, 60.0, 0.05)[None]
    width = (section.labels(radius * np.sin(angle), -radius * np.cos(angle)) == Label.RVBP).sum(axis=1) * 0.05
    assert width[0] == pytest.approx(20.0, abs=0.1)
    assert (np.diff(width) < 0).all()
    assert width[3] < 1.0
    assert width[4] == 0.0


def test_papillary_muscles_are_dark_in_the_image_and_blood_in_the_label_map() -> None:
    quiet: dict[str, Any] = {"phases": 1, "noise": 0.0, "bias": 0.0}
    plain, none = sax_cine(**quiet), sax_cine(**quiet, anatomy=Anatomy(papillary=0.0))
    large = sax_cine(**quiet, anatomy=Anatomy(papillary=1.5))
    assert np.array_equal(plain.labels, none.labels)
    blood = plain.labels[0, 4] == Label.LVBP
    assert set(np.unique(none.stack.pixels[0, 4][blood])) == {700}
    assert set(np.unique(plain.stack.pixels[0, 4][blood])) == {200, 700}
    dark = [int((p.stack.pixels[0, 4][blood] == 200).sum()) for p in (plain, large)]
    # two discs of 3 mm radius
    assert dark[0] * 1.8**2 == pytest.approx(2 * np.pi * 3.0**2, rel=0.2)
    assert dark[1] > 1.7 * dark[0]


def test_noise_has_the_deviation_that_is_stated() -> None:
    first, second = sax_cine(phases=2, slices=5, noise=20.0).stack.pixels[:, 0].astype(float)
    bright = (first > 300) & (second > 300)
    # above the base nothing moves: what differs is twice the noise that changes with the phase
    assert (first - second)[bright].std() == pytest.approx(20.0 * np.sqrt(2), rel=0.1)


def test_the_bias_field_is_smooth_and_as_strong_as_stated() -> None:
    phantom = sax_cine(phases=1, noise=0.0, bias=0.5, anatomy=Anatomy(papillary=0.0))
    even = sax_cine(phases=1, noise=0.0, bias=0.0, anatomy=Anatomy(papillary=0.0))
    field = phantom.stack.pixels[0, 3] / even.stack.pixels[0, 3]
    assert 0.5 <= field.min() < 0.85
    assert 1.3 < field.max() <= 1.5
    blood = ndimage.binary_erosion(phantom.labels[0, 3] == Label.LVBP)
    # no steeper than 0.5 / 90 mm in y and 0.5 / 110 mm in x, but for rounding to whole numbers
    steps = np.hypot(*np.gradient(field, 1.8))
    assert 0.0 < steps[blood].max() < 0.5 / 90 * 1.3 + 2 / 700


def test_a_quarter_turn_turns_labels_and_pixels_clockwise() -> None:
    square: dict[str, Any] = {"phases": 2, "rows": 90, "cols": 90, "noise": 0.0}
    upright, turned = sax_cine(**square), sax_cine(**square, rotation_deg=90.0)
    for one, other in ((upright.labels, turned.labels), (upright.stack.pixels, turned.stack.pixels)):
        assert (np.rot90(one, -1, axes=(2, 3)) != other).mean() < 1e-3
    assert np.array_equal(upright.areas_mm2, turned.areas_mm2)


@pytest.mark.parametrize("rotation_deg", [20.0, 90.0, -135.0, 180.0])
def test_a_turned_picture_shows_the_heart_at_the_same_place_in_the_patient(rotation_deg: float) -> None:
    def places(phantom: Phantom) -> NDArray[np.float64]:
        g = phantom.stack.geometry
        found = []
        for label in (Label.RVBP, Label.LVBP):
            row, col = centroid(phantom.labels[0, 3] == label)
            along_row = np.asarray(g.row_direction) * col * g.pixel_spacing_mm[1]
            along_col = np.asarray(g.col_direction) * row * g.pixel_spacing_mm[0]
            found.append(np.asarray(g.positions_mm[3]) + along_row + along_col)
        return np.stack(found)

    upright, turned = sax_cine(phases=1), sax_cine(phases=1, rotation_deg=rotation_deg)
    assert places(turned) == pytest.approx(places(upright), abs=0.5)
    a, b = upright.stack.geometry, turned.stack.geometry
    assert np.allclose(np.cross(a.row_direction, a.col_direction), np.cross(b.row_direction, b.col_direction))
    cosine = np.dot(a.row_direction, b.row_direction)
    assert cosine == pytest.approx(np.cos(np.deg2rad(rotation_deg)))


def test_each_slice_is_shifted_by_what_is_stated_and_keeps_its_areas() -> None:
    still, moved = sax_cine(phases=1), sax_cine(phases=1, breath_shift_mm=5.0)
    assert not still.shifts_mm.any()
    assert 2.0 < np.abs(moved.shifts_mm).max() <= 5.0
    assert np.array_equal(still.areas_mm2, moved.areas_mm2)
    for index in range(1, 7):
        shift = centroid(moved.labels[0, index] > 0) - centroid(still.labels[0, index] > 0)
        assert shift * 1.8 == pytest.approx(moved.shifts_mm[index], abs=0.3)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_contrast_changes_the_intensities_and_nothing_else(contrast: Any) -> None:
    phantom = sax_cine(phases=1, bias=0.0, contrast=contrast)
    assert np.array_equal(phantom.labels, sax_cine(phases=1).labels)
    pixels, labels = phantom.stack.pixels[0, 2:6], phantom.labels[0, 2:6]
    medians = [float(np.median(pixels[labels == label])) for label in LABELS]
    expected = [contrast.gain * value for value in (contrast.lvbp, contrast.lvm, contrast.rvbp)]
    # noise of 12 each, from phase to phase and fixed, over hundreds of pixels
    assert medians == pytest.approx(expected, abs=3.0 * contrast.gain + 0.5)


def test_contrasts_differ_in_what_makes_segmentation_hard() -> None:
    assert FAINT_BLOOD.lvbp / FAINT_BLOOD.lvm < 0.5 * BALANCED.lvbp / BALANCED.lvm
    assert sax_cine(phases=1, contrast=LARGE_NUMBERS).stack.pixels.max() > 2500


def test_the_seed_decides_all_that_is_drawn() -> None:
    first, same, other = clinical_cine(4), clinical_cine(4), clinical_cine(5)
    assert np.array_equal(first.stack.pixels, same.stack.pixels)
    assert np.array_equal(first.labels, same.labels)
    assert first.stack.pixels.shape != other.stack.pixels.shape or not np.array_equal(first.labels, other.labels)


@pytest.mark.parametrize("seed", range(6))
def test_a_clinical_phantom_is_known_as_exactly_as_the_plain_one(seed: int) -> None:
    phantom = clinical_cine(seed, phases=2)
    assert phantom.open_deg[0].max() >= 40.0
    assert np.abs(phantom.shifts_mm).max() <= 3.0
    border = np.ones(phantom.labels.shape[2:], bool)
    border[1:-1, 1:-1] = False
    assert not phantom.labels[..., border].any()
    for label in LABELS:
        drawn_ml = drawn_areas_mm2(phantom, label)[0].sum() * phantom.stack.geometry.slice_spacing_mm / 1000
        assert drawn_ml == pytest.approx(phantom.volume_ml(0, label), rel=0.03)


def test_what_is_given_is_not_drawn() -> None:
    phantom = clinical_cine(3, phases=1, slices=7, rotation_deg=0.0, anatomy=Anatomy())
    assert phantom.labels.shape[:2] == (1, 7)
    assert not phantom.open_deg.any()
