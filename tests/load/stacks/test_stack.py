import dataclasses
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmr_viewer.errors import LoadError
from cmr_viewer.load.base_end import BASE_END_GUESSED
from cmr_viewer.load.stacks.dicom_study import read_dicom
from cmr_viewer.load.stacks.groups import group_headers
from cmr_viewer.load.stacks.identity import patient_in
from cmr_viewer.load.stacks.stack import plan_stack
from cmr_viewer.load.stacks.views import find_views
from tests.load.stacks.test_groups import AXIAL as AXIAL_PLANE
from tests.load.stacks.test_groups import LONG_AXIS, SAX, header
from tests.phantom import UID_ROOT, sax_cine
from tests.phantom_dicom import (
    AXIAL,
    brighter,
    cut,
    long_axis_stack,
    mirrored,
    part_of,
    tilted,
    with_phases,
    write_frames,
)

PHASES, SLICES, ROWS, COLS = 5, 6, 26, 22


@pytest.fixture(scope="module")
def sax():
    return sax_cine(phases=PHASES, slices=SLICES, rows=ROWS, cols=COLS, pixel_spacing_mm=(6.0, 5.5)).stack


def assert_geometry_is_true(stack, folder):
    """Every pixel of every frame has the value of its file at the place in the patient where the file has it."""
    g = stack.geometry
    for phase in range(stack.phases):
        for s in range(stack.slices):
            source = stack.frame_sources[phase][s]
            data = pydicom.dcmread(source.path)
            o, at = np.asarray(data.ImageOrientationPatient, float), np.asarray(data.ImagePositionPatient, float)
            spacing = [float(v) for v in data.PixelSpacing]
            for point in ((0, 0), (ROWS - 1, 0), (0, COLS - 1), (11, 7)):
                row, col = source.in_file(point)
                stored = at + o[3:] * row * spacing[0] + o[:3] * col * spacing[1]
                np.testing.assert_allclose(g.to_patient_mm(s, point), stored, atol=1e-3)
                if 0 <= row < data.Rows and 0 <= col < data.Columns:
                    assert stack.pixels[phase, s][point] == data.pixel_array[int(row), int(col)]
                assert source.in_frame((row, col)) == pytest.approx(point)


def test_every_frame_is_traced_to_its_instance(tmp_path, sax):
    files = write_frames(tmp_path, sax, series="1")
    stack = read_dicom(tmp_path).stack
    for phase in range(PHASES):
        for s in range(SLICES):
            source = stack.frame_sources[phase][s]
            number = s * PHASES + phase
            assert source.path == files[number]
            assert source.instance_uid == f"{UID_ROOT}1.{number + 1}"
            assert source.class_uid == "1.2.840.10008.5.1.4.1.1.4"
            assert (source.frame_number, source.origin, source.step) == (1, (0.0, 0.0), (1.0, 1.0))
    assert_geometry_is_true(stack, tmp_path)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rotation=st.floats(-180, 180),
    turned=st.sets(st.sampled_from(["rows", "cols"])),
    odd=st.integers(0, SLICES - 1),
    how=st.sampled_from(["plain", "rows", "cols", "cut"]),
    reversed_numbers=st.booleans(),
)
def test_pixels_stay_where_they_are_in_the_patient(tmp_path_factory, rotation, turned, odd, how, reversed_numbers):
    folder = tmp_path_factory.mktemp("study")
    stack = sax_cine(
        phases=2, slices=SLICES, rows=ROWS, cols=COLS, pixel_spacing_mm=(6.0, 5.5), rotation_deg=rotation
    ).stack
    for axis in turned:
        stack = mirrored(stack, axis)
    order = list(range(SLICES))[:: -1 if reversed_numbers else 1]
    for n, s in enumerate(order):
        one = part_of(stack, [s])
        if s == odd:
            one = {"plain": lambda x: x, "cut": lambda x: cut(x, slice(2, 24), slice(1, 21))}.get(
                how, lambda x: mirrored(x, how)
            )(one)
        write_frames(folder, one, series=f"1.{n + 1}", number=n + 1, description=f"sax {n}", time=f"10{n:02d}00")
    found = read_dicom(folder).stack
    assert found.slices == SLICES
    assert_geometry_is_true(found, folder)
    # Base first, and looked at from the apex: row x column points from the last slice to the first.
    base_to_apex = np.asarray(found.geometry.positions_mm[-1]) - np.asarray(found.geometry.positions_mm[0])
    assert float(found.geometry.normal @ base_to_apex) < 0
    np.testing.assert_allclose(
        [p @ found.geometry.normal for p in np.asarray(found.geometry.positions_mm)],
        [p @ found.geometry.normal for p in np.asarray(sorted_base_first(stack).positions_mm)],
        atol=1e-3,
    )


def sorted_base_first(stack):
    """The phantom's own order is base to apex, whatever was turned round in its frames."""
    return stack.geometry


def test_a_slice_of_another_matrix_is_fitted_and_noted(tmp_path, sax):
    write_frames(tmp_path, part_of(sax, [0, 1, 2, 4, 5]), series="1")
    write_frames(tmp_path, cut(part_of(sax, [3]), slice(2, 24), slice(0, 22)), series="2", number=301)
    study = read_dicom(tmp_path)
    expected = sax.pixels.copy()
    low = expected[:, 3, 2:24].min(axis=(1, 2))
    expected[:, 3, :2], expected[:, 3, 24:] = low[:, None, None], low[:, None, None]
    np.testing.assert_array_equal(study.stack.pixels, expected)
    assert study.warnings == ("Slice 4 has a different matrix (22 x 22) and was cropped or padded at the edges.",)
    assert_geometry_is_true(study.stack, tmp_path)


def test_a_slice_of_another_pixel_spacing_is_interpolated_and_noted(tmp_path, sax):
    one = part_of(sax, [2])
    coarse = dataclasses.replace(
        one, geometry=dataclasses.replace(one.geometry, pixel_spacing_mm=(6.6, 5.5)), pixels=one.pixels * 0 + 50
    )
    write_frames(tmp_path, part_of(sax, [0, 1, 3, 4, 5]), series="1")
    write_frames(tmp_path, coarse, series="2", number=301)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels[:, 2], 50)
    np.testing.assert_array_equal(study.stack.pixels[:, 3], sax.pixels[:, 3])
    assert "Slice 3 has a different pixel spacing (6.6 x 5.5 mm) and was resampled" in study.warnings[0]
    assert study.stack.geometry.pixel_spacing_mm == (6.0, 5.5)


def test_a_tilted_slice_is_taken_as_parallel_and_noted(tmp_path, sax):
    write_frames(tmp_path, part_of(sax, [0, 1, 2, 3, 5]), series="1")
    write_frames(tmp_path, tilted(part_of(sax, [4]), 3.0), series="2", number=301)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.warnings == ("Slice 5 is tilted by 3.0 degrees relative to the others but shown as parallel.",)
    middle = ((ROWS - 1) / 2, (COLS - 1) / 2)
    np.testing.assert_allclose(
        study.stack.geometry.to_patient_mm(4, middle), sax.geometry.to_patient_mm(4, middle), atol=1e-3
    )


def test_slices_that_were_numbered_backwards_still_come_base_first(tmp_path, sax):
    order = [(p, s) for s in reversed(range(SLICES)) for p in range(PHASES)]
    write_frames(tmp_path, sax, series="1", order=order)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.source_slices == tuple(reversed(range(SLICES)))


def lying(stack, *, apex_first):
    """The stack with its orientation lost: along the axes of the body."""
    normal = 10.0 if apex_first else -10.0
    positions = tuple((0.0, 0.0, normal * k) for k in range(stack.slices))
    row, col = AXIAL
    return dataclasses.replace(
        stack,
        geometry=dataclasses.replace(stack.geometry, row_direction=row, col_direction=col, positions_mm=positions),
    )


@pytest.mark.parametrize("apex_first", [False, True])
def test_where_the_orientation_shows_nothing_the_images_show_the_base_and_it_is_noted(tmp_path, apex_first):
    stack = sax_cine(phases=10, slices=8, rows=60, cols=56, pixel_spacing_mm=(3.0, 3.0)).stack
    write_frames(tmp_path, lying(stack, apex_first=apex_first), series="1")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, stack.pixels)
    assert study.warnings == (BASE_END_GUESSED,)
    assert study.stack.frame_sources[0][0].instance_uid == f"{UID_ROOT}1.1"


@pytest.mark.parametrize("base_first", [True, False])
def test_where_the_orientation_shows_nothing_motion_in_long_axis_views_shows_the_base(tmp_path, sax, base_first):
    flat = dataclasses.replace(sax, pixels=sax.pixels * 0 + 100)
    stack = lying(flat, apex_first=False)
    view = long_axis_stack(stack, 0.0, rows=40)
    rng = np.random.default_rng(0)
    pixels = np.full(view.pixels.shape, 200, np.int16)
    moving = slice(0, 8) if base_first else slice(32, 40)
    pixels[:, :, moving] += rng.integers(0, 100, pixels[:, :, moving].shape).astype(np.int16)
    write_frames(tmp_path, stack, series="1")
    write_frames(tmp_path, dataclasses.replace(view, pixels=pixels), series="2", number=2)
    study = read_dicom(tmp_path)
    positions = np.asarray(study.stack.geometry.positions_mm)
    # Rows of the view run along the slices as they were written, from the first (z = 0) downwards.
    assert (positions[0, 2] > positions[-1, 2]) == base_first
    assert BASE_END_GUESSED in study.warnings


def test_slices_of_different_numbers_of_phases_are_matched_in_time(tmp_path, sax):
    times = [160.0 * p for p in range(PHASES)]
    write_frames(tmp_path, part_of(sax, [0, 1, 2, 3, 4]), series="1")
    many = with_phases(part_of(sax, [5]), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [80.0 * p for p in range(10)])
    write_frames(tmp_path, many, series="2", number=301)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.phase_times_ms == tuple(times)
    assert study.warnings == ("Slice 6 has 10 phases and the others have 5; the frames nearest in time are shown.",)


def test_the_dtype_is_that_of_the_files(tmp_path, sax):
    unsigned = dataclasses.replace(sax, pixels=brighter(sax, 0).pixels.astype(np.uint16))
    write_frames(tmp_path, unsigned, series="1")
    assert read_dicom(tmp_path).stack.pixels.dtype == np.uint16


@st.composite
def any_headers(draw):
    """Frames as no scanner writes them."""
    found = []
    for n in range(draw(st.integers(1, 30))):
        orientation = draw(st.sampled_from([SAX, AXIAL_PLANE, LONG_AXIS, tuple(-v for v in SAX)]))
        found.append(
            header(
                str(draw(st.integers(1, 3))),
                draw(st.sampled_from([0.0, 0.4, 3.0, 10.0, 20.0, -1e5])),
                draw(st.integers(0, 4)),
                orientation=orientation,
                at=draw(st.sampled_from([None, 0.0, 10.0, 86399.0])),
                path=Path(f"f{n}"),
                instance_uid=f"i{n}",
                trigger_ms=draw(st.sampled_from([None, 0.0, -50.0, 40.0, 80.0, 1e9, 1e-9])),
                temporal_position=draw(st.sampled_from([None, 1.0, 2.0])),
                rows=draw(st.sampled_from([8, 9, 1])),
                spacing=draw(st.sampled_from([(1.5, 1.5), (1.4, 1.5), (1e-3, 200.0)])),
                heart_rate_bpm=draw(st.sampled_from([None, 60.0, 20.0])),
                slice_spacing_mm=draw(st.sampled_from([None, 8.0, 0.0, -3.0])),
                study_uid=draw(st.sampled_from(["s1", "s2", ""])),
                patient_id=draw(st.sampled_from(["P", "Q", ""])),
            )
        )
    return found


@settings(max_examples=150, deadline=None)
@given(any_headers())
def test_whatever_the_headers_say_each_frame_is_in_one_stack_and_every_stack_can_be_planned(headers):
    groups = group_headers(headers)
    assert sorted(h.path for g in groups for h in g.headers) == sorted(h.path for h in headers)
    for group in groups:
        assert len({patient_in(h) for h in group.headers}) <= 1 or "" in {patient_in(h) for h in group.headers}
        planned = plan_stack([s.suggested for s in group.slices], group.reference.normal)
        phases = {len(row) for row in planned.phases.frames}
        assert len(phases) == 1
        assert len(planned.grid.fits) == len(planned.phases.frames) >= 1
        if planned.phases.times_ms is not None:
            assert len(planned.phases.times_ms) == phases.pop()
        find_views(groups, group)


@pytest.mark.parametrize("bad", [1, 3])
def test_a_frame_that_cannot_be_decoded_is_replaced_by_its_neighbour_and_noted(tmp_path, sax, bad):
    files = write_frames(tmp_path, sax, series="1")
    for number in range(bad):
        damage(files[2 * PHASES + number])
    study = read_dicom(tmp_path)
    noted = " ".join(study.warnings)
    assert files[2 * PHASES].name in noted
    if bad == 1:
        np.testing.assert_array_equal(study.stack.pixels[0, 2], sax.pixels[1, 2])
        np.testing.assert_array_equal(study.stack.pixels[1:], sax.pixels[1:])
        assert "Slice 3, phase 1: image damaged; the frame nearest in time is shown instead." in study.warnings
    else:
        np.testing.assert_array_equal(study.stack.pixels, sax.pixels[:, [0, 1, 3, 4, 5]])
        assert "Left out slice 3 of 6: 3 of 5 images are damaged." in study.warnings


def test_where_no_frame_can_be_decoded_a_file_is_named(tmp_path, sax):
    for path in write_frames(tmp_path, sax, series="1"):
        damage(path)
    with pytest.raises(LoadError, match=r"Could not decode the images, for example 1-00.*\.dcm"):
        read_dicom(tmp_path)


def damage(path):
    """Say that the pixels are JPEG 2000, and put what is none in their place."""
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    data.PixelData = pydicom.encaps.encapsulate([b"\0" * 200])
    data["PixelData"].is_undefined_length = True
    data.save_as(path)


def test_the_preview_is_a_middle_slice_as_it_will_be_shown(tmp_path, sax):
    write_frames(tmp_path, mirrored(sax, "cols"), series="1")
    seen = []
    study = read_dicom(tmp_path, preview=seen.append)
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0], study.stack.pixels[0, SLICES // 2])


@pytest.mark.parametrize("axis", ["rows", "cols"])
def test_frames_stored_as_seen_from_the_base_are_shown_from_the_apex(tmp_path, sax, axis):
    write_frames(tmp_path, mirrored(sax, axis), series="1")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    np.testing.assert_allclose(study.stack.geometry.positions_mm, sax.geometry.positions_mm, atol=1e-3)
    assert "reversed to give the view from the apex" in study.warnings[0]
    assert_geometry_is_true(study.stack, tmp_path)


def test_frames_turned_by_half_a_turn_are_not_mirrored_and_stay(tmp_path, sax):
    half = mirrored(mirrored(sax, "rows"), "cols")
    write_frames(tmp_path, half, series="1")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, half.pixels)
    assert study.warnings == ()
