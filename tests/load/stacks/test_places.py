"""How near frames are of one slice, and slices that move with the heart."""

import dataclasses

import numpy as np
import pytest

from cmr_viewer.domain.notes import Code
from cmr_viewer.load.stacks.dicom_study import read_dicom
from cmr_viewer.load.stacks.groups import group_headers
from cmr_viewer.load.stacks.places import line_angle_deg, plane_of, signs, tilt_deg
from tests.load.stacks.test_groups import AXIAL, header
from tests.phantom import sax_cine
from tests.phantom_dicom import part_of, write_frames
from tests.phantom_multiframe import write_enhanced

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


PHASES, SLICES = 10, 5


@pytest.fixture(scope="module")
def sax():
    return sax_cine(phases=PHASES, slices=SLICES, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0), above=0, below=0).stack


def spaced(stack, spacing_mm):
    """The stack with its slices at other distances."""
    g = stack.geometry
    first = np.asarray(g.positions_mm[0])
    # The normal points from apex to base.
    positions = tuple(tuple((first - g.normal * spacing_mm * s).tolist()) for s in range(stack.slices))
    return dataclasses.replace(stack, geometry=dataclasses.replace(g, positions_mm=positions))


def stating(spacing_mm):
    def change(data, phase, index):
        data.SliceThickness = data.SpacingBetweenSlices = f"{spacing_mm:g}"

    return change


@pytest.mark.parametrize("spacing_mm", [0.8, 0.5, 0.3, 0.1])
def test_slices_of_small_animals_stay_apart(tmp_path, sax, spacing_mm):
    write_frames(tmp_path, spaced(sax, spacing_mm), series="1", change=stating(spacing_mm))
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.geometry.slice_spacing_mm == pytest.approx(spacing_mm, abs=1e-4)
    assert study.repeats == ()


@pytest.mark.parametrize("spacing_mm", [0.5, 0.1])
def test_slices_of_small_animals_stay_apart_where_each_is_a_series(tmp_path, sax, spacing_mm):
    stack = spaced(sax, spacing_mm)
    for s in range(SLICES):
        one = part_of(stack, [s])
        write_frames(tmp_path, one, series=f"1.{s}", number=s, time=f"10{s:02d}00", change=stating(spacing_mm))
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.repeats == ()


def test_slices_of_small_animals_stay_apart_where_no_spacing_is_stated(tmp_path, sax):
    def change(data, phase, index):
        del data.SliceThickness

    write_frames(tmp_path, spaced(sax, 0.4), series="1", change=change)
    np.testing.assert_array_equal(read_dicom(tmp_path).stack.pixels, sax.pixels)


def test_a_repeat_that_lies_a_little_beside_its_slice_is_no_slice_of_its_own():
    headers = [
        header("1", place, phase, at=100.0 * place + phase / 100)
        for place in (0.0, 0.3, 10.0, 20.0, 30.0)
        for phase in range(PHASES)
    ]
    (group,) = group_headers(headers)
    assert [len(s.acquisitions) for s in group.slices] == [2, 1, 1, 1]


def test_repeats_of_all_slices_a_little_beside_them_are_no_slices_of_their_own():
    headers = [
        header("1", place + again, phase, at=1000.0 * bool(again) + place + phase / 100)
        for place in (0.0, 10.0, 20.0, 30.0)
        for again in (0.0, 0.3)
        for phase in range(PHASES)
    ]
    (group,) = group_headers(headers)
    assert [len(s.acquisitions) for s in group.slices] == [2, 2, 2, 2]


def motion_mm(phase, s):
    """Places of a slice that follows the heart: the base by 12 mm to the apex and back, the apex hardly."""
    return (12.0 - 2.0 * s) * (1 - np.cos(2 * np.pi * phase / PHASES)) / 2


def following(stack, times_differ=False):
    """Changes the place of each frame, and in some slices its time, as breath-holds of other heart rates do."""
    g = stack.geometry

    def change(data, phase, index):
        position = np.asarray(g.positions_mm[index]) - g.normal * motion_mm(phase, index)
        data.ImagePositionPatient = [f"{v:.6f}" for v in position]
        if times_differ:
            data.TriggerTime = f"{float(data.TriggerTime) * (1 + 0.02 * index):.4f}"

    return change


def assert_slices_follow(study, sax):
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    (note,) = [note for note in study.warnings if note.code is Code.SLICES_MOVE]
    assert note.slices == tuple(range(SLICES))
    assert "12.0 mm" in note
    np.testing.assert_allclose(study.stack.geometry.positions_mm, sax.geometry.positions_mm, atol=1e-3)


@pytest.mark.parametrize("by_phase", [False, True])
@pytest.mark.parametrize("acquired", [False, True])
def test_slices_that_follow_the_heart_are_joined_by_their_numbers_where_nothing_states_a_phase(
    tmp_path, sax, by_phase, acquired
):
    move = following(sax)

    def change(data, phase, index):
        move(data, phase, index)
        del data.TriggerTime
        data.AcquisitionTime = f"1000{index:02d}.{50 * phase:03d}" if acquired else "100000"

    order = [(p, s) for p in range(PHASES) for s in range(SLICES)] if by_phase else None
    write_frames(tmp_path, sax, series="1", order=order, change=change)
    study = read_dicom(tmp_path)
    assert_slices_follow(study, sax)
    assert (Code.PHASE_ORDER_GUESSED in [note.code for note in study.warnings]) is not acquired


@pytest.mark.parametrize("spacing_mm", [2.0, 8.0])
@pytest.mark.parametrize("first", [range(0, 12), [*range(0, 12, 2), *range(1, 12, 2)]])
def test_single_images_without_times_are_no_slices_that_follow_the_heart(spacing_mm, first):
    headers = [
        header(place=place * spacing_mm, phase=number, trigger_ms=None, slice_spacing_mm=spacing_mm)
        for number, place in enumerate(first)
    ]
    (group,) = group_headers(headers)
    assert (len(group.slices), group.phases) == (12, 1)


@pytest.mark.parametrize("by_phase", [False, True])
def test_slices_that_follow_the_heart_are_joined_by_their_order_at_each_phase(tmp_path, sax, by_phase):
    order = [(p, s) for p in range(PHASES) for s in range(SLICES)] if by_phase else None
    write_frames(tmp_path, sax, series="1", order=order, change=following(sax))
    assert_slices_follow(read_dicom(tmp_path), sax)


def test_slices_that_follow_the_heart_at_other_heart_rates_are_joined_by_their_numbers(tmp_path, sax):
    write_frames(tmp_path, sax, series="1", change=following(sax, times_differ=True))
    assert_slices_follow(read_dicom(tmp_path), sax)


def test_slices_that_follow_the_heart_are_joined_where_each_is_a_series(tmp_path, sax):
    for s in range(SLICES):
        one = part_of(sax, [s])

        def change(data, phase, index, s=s):
            following(sax)(data, phase, s)

        write_frames(tmp_path, one, series=f"1.{s}", number=s, time=f"10{s:02d}00", change=change)
    assert_slices_follow(read_dicom(tmp_path), sax)


@pytest.mark.parametrize("by_phase", [False, True])
@pytest.mark.parametrize("most_mm", [2.0, 7.0])
def test_one_slice_that_moves_among_others_that_stay_is_joined(tmp_path, sax, most_mm, by_phase):
    g = sax.geometry

    def change(data, phase, index):
        if index == 2:
            along = most_mm * np.sin(np.pi * phase / PHASES)
            data.ImagePositionPatient = [f"{v:.6f}" for v in np.asarray(g.positions_mm[2]) - g.normal * along]

    order = [(p, s) for p in range(PHASES) for s in range(SLICES)] if by_phase else None
    write_frames(tmp_path, sax, series="1", order=order, change=change)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert [(note.code, note.slices) for note in study.warnings] == [(Code.SLICES_MOVE, (2,))]


def test_slices_that_follow_the_heart_are_joined_in_enhanced_mr(tmp_path, sax):
    g = sax.geometry

    def follow(data):
        items = data.PerFrameFunctionalGroupsSequence
        for item, (phase, s) in zip(items, [(p, s) for s in range(SLICES) for p in range(PHASES)], strict=True):
            position = np.asarray(g.positions_mm[s]) - g.normal * motion_mm(phase, s)
            item.PlanePositionSequence[0].ImagePositionPatient = [f"{v:.6f}" for v in position]

    write_enhanced(tmp_path / "a.dcm", sax, change=follow)
    assert_slices_follow(read_dicom(tmp_path), sax)


def test_a_frame_that_lies_beside_its_slice_completes_it_and_is_noted(tmp_path, sax):
    g = sax.geometry

    def change(data, phase, index):
        if (phase, index) == (4, 2):
            position = np.asarray(g.positions_mm[2]) + g.normal * 1.5
            data.ImagePositionPatient = [f"{v:.6f}" for v in position]

    write_frames(tmp_path, sax, series="1", change=change)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert [(note.code, note.slices) for note in study.warnings] == [(Code.SLICES_MOVE, (2,))]


def test_single_images_of_many_slices_with_times_of_their_own_are_no_slice_that_moves():
    headers = [header("1", 2.0 * n, n, trigger_ms=600.0 + 3 * n, slice_spacing_mm=None) for n in range(10)]
    (group,) = group_headers(headers)
    assert len(group.slices) == 10
