from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.measures.insertion_points import find_insertion_points
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.wall import lv_outline
from cmr_viewer.domain.patient import Patient
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.reading.study_measures import (
    AS_FOUND,
    Insertions,
    WallMaterial,
    counts_by_convention,
    curves_of,
    patient_in_files,
    point_set,
    wall_of,
)

SPACING = (1.5, 1.5)
SLICES, SIZE = 6, 96


def ring(inner_mm: float, outer_mm: float) -> np.ndarray:
    """A round LV with a wall of one thickness, and an RV to the left of it over 120 degrees."""
    row, col = np.mgrid[:SIZE, :SIZE]
    y, x = (row - 48.0) * SPACING[0], (col - 52.0) * SPACING[1]
    radius, angle = np.hypot(x, y), np.degrees(np.arctan2(y, -x))
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[(radius >= outer_mm) & (radius < outer_mm + 14) & (np.abs(angle) <= 60)] = Label.RVBP
    labels[radius < outer_mm] = Label.LVM
    labels[radius < inner_mm] = Label.LVBP
    return labels


@pytest.fixture(scope="module")
def stack() -> Stack:
    """Seen from the apex: row x column points to the base."""
    positions = tuple((0.0, 0.0, 50.0 - 10.0 * index) for index in range(SLICES))
    geometry = Geometry(SIZE, SIZE, SPACING, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions)
    return Stack(np.zeros((10, SLICES, SIZE, SIZE), np.int16), geometry)


def wall_material(stack: Stack, insertions: Insertions = AS_FOUND) -> WallMaterial:
    maps = {FrameIndex(0, index): ring(20.0, 29.0) for index in range(SLICES)}
    maps |= {FrameIndex(4, index): ring(14.0, 27.5) for index in range(SLICES)}
    return WallMaterial(stack, 0, 4, maps, {}, insertions)


def test_a_wall_of_one_thickness_is_measured_in_every_segment(stack):
    wall = wall_of(wall_material(stack))
    assert [one.number for one in wall.segments] == list(range(1, 18))
    for number in range(1, 17):
        assert wall.thickness_mm[number] == pytest.approx(9.0, abs=0.5)
        assert wall.thickening_percent[number] == pytest.approx(50.0, abs=9.0)  # 13.5 mm against 9 mm
    assert wall.thickness_mm[17] is None
    assert "automatic" in wall.note


def test_one_thick_place_moves_to_the_next_segment_when_points_are_turned(stack):
    """A bulge stays where it is; seen from the apex, points turned anticlockwise make it lie further round."""
    material = wall_material(stack)
    row, col = np.mgrid[:SIZE, :SIZE]
    y, x = (row - 48.0) * SPACING[0], (col - 52.0) * SPACING[1]
    top = (np.abs(np.degrees(np.arctan2(x, -y))) < 20) & (np.hypot(x, y) < 34) & (np.hypot(x, y) >= 28)
    for frame, labels in material.label_maps.items():
        if frame.phase == 0:
            labels[top] = Label.LVM
    as_found = wall_of(material).thickness_mm
    thickest = max(range(7, 13), key=lambda number: as_found[number])
    turned = wall_of(replace(material, insertions=Insertions(60.0))).thickness_mm
    now = max(range(7, 13), key=lambda number: turned[number])
    assert (now - thickest) % 6 == 5  # segments count against the clock, so each is now further round
    assert wall_of(replace(material, insertions=Insertions(360.0))).thickness_mm == pytest.approx(as_found, abs=1e-6)


def test_the_note_says_that_a_reader_turned_the_points(stack):
    assert "turned by 30" in wall_of(wall_material(stack, Insertions(30.0))).note


def test_without_ed_or_spacing_the_wall_says_why_it_is_not_measured(stack):
    material = wall_material(stack)
    assert "End-diastole" in wall_of(replace(material, ed_phase=None)).note
    unknown = replace(stack, geometry=replace(stack.geometry, spacing_known=False))
    assert "spacing" in wall_of(replace(material, stack=unknown)).note
    assert "No RV insertion points" in wall_of(replace(material, label_maps={})).note


def test_a_point_that_a_reader_sets_is_saved_and_the_other_stays(stack):
    labels = ring(20.0, 29.0)
    found = find_insertion_points(labels, SPACING)
    assert found is not None
    set_ = point_set(AS_FOUND, FrameIndex(0, 2), labels, stack, anterior=(20.0, 40.0))
    assert set_ is not None
    assert set_.points[FrameIndex(0, 2)].anterior == (20.0, 40.0)
    assert set_.points[FrameIndex(0, 2)].inferior == found.inferior


def test_a_point_cannot_be_set_where_the_other_is_not_known(stack):
    labels = ring(20.0, 29.0)
    labels[labels == Label.RVBP] = 0
    assert point_set(AS_FOUND, FrameIndex(0, 2), labels, stack, anterior=(1.0, 1.0)) is None


def test_turned_points_stay_on_the_epicardium(stack):
    labels = ring(20.0, 29.0)
    set_ = point_set(Insertions(40.0), FrameIndex(0, 1), labels, stack, inferior=(70.0, 40.0))
    assert set_ is not None
    outline = lv_outline(labels, SPACING)
    found = find_insertion_points(labels, SPACING)
    assert outline is not None
    assert found is not None
    before = outline.angle_of(found.anterior)
    after = outline.angle_of(set_.points[FrameIndex(0, 1)].anterior)
    assert np.degrees(before - after) % 360 == pytest.approx(40.0, abs=1.0)


def test_curves_are_millilitres_of_the_counts(stack):
    counts = np.zeros((10, 4), np.int64)
    counts[:, Label.LVBP] = np.arange(100, 110) * 100
    counts[:, Label.RVBP] = 5000
    counts[3] = -1
    curves = curves_of(counts, stack, Patient())
    ml = 1.5 * 1.5 * 10.0 / 1000.0
    assert curves.lv.volumes_ml[0] == pytest.approx(10000 * ml)
    assert np.isnan(curves.lv.volumes_ml[3])
    assert curves.rv.volumes_ml[9] == pytest.approx(5000 * ml)
    assert curves.unit == "ml"


def test_a_cosine_has_its_peak_rates_where_its_slope_is_steepest(stack):
    """V(t) = 100 + 40 cos(2 pi t / T): the steepest slope is 40 * 2 pi / T, a quarter of a cycle after ED and ES."""
    beat_ms = 1000.0
    phases = np.arange(20) * beat_ms / 20
    voxels = (100 + 40 * np.cos(2 * np.pi * phases / beat_ms)) / (1.5 * 1.5 * 10.0 / 1000.0)
    counts = np.zeros((20, 4), np.int64)
    counts[:, Label.LVBP] = np.round(voxels)
    timed = replace(stack, pixels=np.repeat(stack.pixels, 2, axis=0), phase_times_ms=tuple(phases))
    curves = curves_of(counts, timed, Patient(heart_rate_bpm=60.0))
    steepest = 40 * 2 * np.pi / 1.0
    assert curves.lv.peak_ejection.rate_ml_per_s == pytest.approx(steepest, rel=0.01)
    assert curves.lv.peak_ejection.after_ms == pytest.approx(250.0, abs=10.0)
    assert curves.lv.peak_filling.rate_ml_per_s == pytest.approx(steepest, rel=0.01)
    assert [text for text, _ in curves.rates][:2] == ["LV peak ejection rate", "LV peak filling rate"]


def test_dark_pixels_of_the_pool_count_as_wall_by_the_other_convention(stack):
    labels = ring(20.0, 29.0)
    pixels = np.where(labels == Label.LVBP, 1000, 200).astype(np.int16)
    pixels[44:48, 50:54] = 200  # a papillary muscle of 16 pixels
    lit = replace(stack, pixels=np.broadcast_to(pixels, (10, SLICES, SIZE, SIZE)))
    frame = FrameIndex(0, 0)
    as_drawn = counts_by_convention(lit, {frame: labels}, PapillaryConvention.IN_BLOOD_POOL)[frame]
    in_mass = counts_by_convention(lit, {frame: labels}, PapillaryConvention.IN_MASS)[frame]
    assert (in_mass - as_drawn).tolist() == [0, -16, 16, 0]


def test_the_heart_rate_of_the_cine_stands_in_for_one_that_is_not_said(stack, tmp_path):
    cine = replace(stack, heart_rate_bpm=72.0)
    assert patient_in_files(Study("one", tmp_path, (cine,))).heart_rate_bpm == 72.0
    said = Study("one", tmp_path, (cine,), patient=Patient(heart_rate_bpm=64.0))
    assert patient_in_files(said).heart_rate_bpm == 64.0
