import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.stacks.groups import group_headers

# Rows and columns of a short-axis plane, an axial plane and a long-axis (four-chamber) plane.
SAX = (0.77038, 0.618446, 0.155046, -0.15161, 0.41389, -0.897613)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
LONG_AXIS = (0.68, 0.73, 0.0, 0.3, -0.28, -0.91)


def header(series="1", place=0.0, phase=0, *, orientation=SAX, at=0.0, **changes) -> Header:
    o = np.asarray(orientation)
    position = np.cross(o[:3], o[3:]) * place
    fields = {
        "path": Path(f"{series}-{place}-{phase}"),
        "study_uid": "9",
        "series_uid": series,
        "series_number": int(series),
        "instance_uid": f"{series}.{place}.{phase}",
        "instance_number": phase,
        "description": "SAX cine",
        "kind": "M",
        "rows": 8,
        "cols": 8,
        "spacing": (1.5, 1.5),
        "orientation": tuple(orientation),
        "position": tuple(position.tolist()),
        "trigger_ms": 30.0 * phase,
        "temporal_position": None,
        "acquired_at": at,
        "slice_spacing_mm": 8.0,
        "heart_rate_bpm": None,
        "patient_id": "P",
    }
    return Header(**(fields | changes))


def series(number, places, phases=10, **changes):
    return [header(str(number), float(place), phase, **changes) for place in places for phase in range(phases)]


def shape(group):
    return len(group.slices), {len(s.suggested.headers) for s in group.slices}


def of_series(group):
    return [s.suggested.first.series_uid for s in group.slices]


def test_slices_ascend_along_the_normal_with_frames_nearer_than_half_a_millimetre_together():
    (group,) = group_headers([header("1", place=p, phase=n) for n, p in enumerate((20.0, 0.3, 10.0, 0.0))])
    assert [len(s.suggested.headers) for s in group.slices] == [2, 1, 1]
    assert [round(s.along) for s in group.slices] == [0, 10, 20]


def test_orientations_that_differ_by_rounding_are_one_plane():
    # 0.345 rounds to either side at two digits.
    one = series(1, [0], orientation=(0.3449, *SAX[1:]))
    other = series(2, [10], orientation=(0.3451, *SAX[1:]))
    (group,) = group_headers(one + other)
    assert shape(group) == (2, {10})


@pytest.mark.parametrize("changes", [{"kind": "P"}, {"study_uid": "8"}, {"orientation": AXIAL}, {"patient_id": "Q"}])
def test_another_kind_study_plane_or_patient_is_another_stack(changes):
    assert len(group_headers(series(1, [0, 10]) + series(2, [20, 30], **changes))) == 2


@pytest.mark.parametrize("changes", [{"rows": 9}, {"spacing": (1.4, 1.4)}])
def test_another_matrix_or_spacing_completes_a_stack_of_the_same_description_alone(changes):
    assert [shape(g) for g in group_headers(series(1, [0, 10]) + series(2, [20], **changes))] == [(3, {10})]
    other = series(2, [20], description="tagging", **changes)
    assert [shape(g) for g in group_headers(series(1, [0, 10]) + other)] == [(2, {10}), (1, {10})]


def test_two_halves_of_a_stack_are_joined_and_where_they_overlap_the_later_slice_is_suggested():
    lower = series(1, [0, 10, 20], at=100.0)
    upper = series(2, [20, 30, 40, 50], at=200.0)
    (group,) = group_headers(lower + upper)
    assert shape(group) == (6, {10})
    assert [len(s.acquisitions) for s in group.slices] == [1, 1, 2, 1, 1, 1]
    assert of_series(group)[2] == "2"


def test_slices_that_interleave_are_one_stack():
    (group,) = group_headers(series(1, [0, 20, 40], at=100.0) + series(2, [10, 30, 50], at=200.0))
    assert shape(group) == (6, {10})


@pytest.mark.parametrize("place", [10, 12])
def test_a_slice_that_was_repeated_later_is_suggested_also_where_it_moved_a_little(place):
    stack = series(1, [0, 10, 20], at=100.0)
    (group,) = group_headers(stack + series(2, [place], at=200.0, description="SAX cine 12"))
    assert of_series(group) == ["1", "2", "1"]
    assert [a.first.series_uid for a in group.slices[1].acquisitions] == ["1", "2"]


def test_a_repeat_that_was_broken_off_is_not_suggested():
    (group,) = group_headers(series(1, [0, 10, 20], at=100.0) + series(2, [10], phases=6, at=200.0))
    assert of_series(group) == ["1", "1", "1"]


def test_a_slice_of_another_description_at_the_same_place_is_left_alone():
    stack = series(1, [0, 10, 20], at=100.0)
    groups = group_headers(stack + series(2, [10], at=200.0, description="tagging"))
    assert [shape(group) for group in groups] == [(3, {10}), (1, {10})]


def test_a_whole_stack_that_was_repeated_is_another_and_the_later_comes_first():
    groups = group_headers(series(1, [0, 10, 20], at=100.0) + series(2, [0, 10, 20], at=200.0))
    assert [of_series(group)[0] for group in groups] == ["2", "1"]


def passes(*orders):
    """Slices as series of their own, acquired one after another: a list of places for each pass."""
    places = [place for order in orders for place in order]
    return [h for n, place in enumerate(places, start=1) for h in series(n, [place], at=60.0 * n)]


def test_two_passes_of_one_series_per_slice_are_two_stacks():
    groups = group_headers(passes([0, 10, 20, 30], [0, 10, 20, 30]))
    assert [of_series(g) for g in groups] == [["5", "6", "7", "8"], ["1", "2", "3", "4"]]


def test_a_second_pass_that_was_planned_anew_is_not_mixed_with_the_first():
    groups = group_headers(passes([0, 10, 20, 30], [3, 13, 23, 33]))
    assert [of_series(g) for g in groups] == [["5", "6", "7", "8"], ["1", "2", "3", "4"]]


def test_slices_that_were_each_acquired_twice_are_repeats():
    (group,) = group_headers(passes([0, 0, 10, 10, 20, 20, 30, 30]))
    assert of_series(group) == ["2", "4", "6", "8"]


def test_a_pass_that_was_broken_off_early_and_begun_again_is_one_stack():
    (group,) = group_headers(passes([0, 10], [0, 10, 20, 30, 40, 50]))
    assert of_series(group) == ["3", "4", "5", "6", "7", "8"]


def test_a_few_slices_repeated_at_the_end_are_repeats():
    (group,) = group_headers(passes([0, 10, 20, 30, 40, 50], [20, 40]))
    assert of_series(group) == ["1", "2", "7", "4", "8", "6"]


def test_still_images_of_the_same_plane_are_not_joined_to_a_cine():
    groups = group_headers(series(1, range(0, 50, 10), phases=1) + series(2, [0, 10]))
    assert [shape(group) for group in groups] == [(2, {10}), (5, {1})]


def test_perfusion_of_more_frames_comes_after_the_cine():
    beats = [
        header("2", float(place), beat, at=300.0 + 0.9 * beat, trigger_ms=200.0, description="SAX")
        for place in (0, 15, 30, 45)
        for beat in range(50)
    ]
    groups = group_headers(beats + series(1, [0, 10, 20]))
    assert [(g.is_cine, g.is_dynamic) for g in groups] == [(True, False), (False, True)]


@pytest.mark.parametrize("other", [AXIAL, SAGITTAL, LONG_AXIS])
def test_the_plane_across_the_heart_comes_before_more_frames_of_another(other):
    more = [dataclasses.replace(h, study_uid="9") for h in series(2, range(0, 200, 10), orientation=other)]
    groups = group_headers(more + series(1, [0, 10, 20]))
    assert [shape(group)[0] for group in groups] == [3, 20]


def test_a_group_is_recognised_by_its_description_or_series_number():
    assert group_headers(series(1, [0, 10]))[0].text == "SAX cine (2 x 10)"
    assert group_headers(series(4, [0, 10], description=""))[0].text == "series 4 (2 x 10)"


def test_a_group_of_many_series_is_recognised_by_what_their_descriptions_share():
    files = [h for n in (1, 2, 3) for h in series(n, [10 * n], description=f"cine_sax_{n}")]
    assert group_headers(files)[0].text == "cine_sax (3 x 10)"


def test_planes_tilted_by_a_few_degrees_are_one_stack_and_by_more_are_not():
    def turned(degrees):
        angle = np.deg2rad(degrees)
        row, col = np.asarray(SAX[:3]), np.asarray(SAX[3:])
        return (*SAX[:3], *(np.cos(angle) * col + np.sin(angle) * np.cross(row, col)).tolist())

    assert len(group_headers(series(1, [0, 10]) + series(2, [20], orientation=turned(4.0)))) == 1
    assert len(group_headers(series(1, [0, 10]) + series(2, [20], orientation=turned(7.0)))) == 2


def test_keys_do_not_depend_on_where_files_lie_or_in_which_order_they_come():
    files = series(1, [0, 10, 20]) + series(2, [0, 10, 20], at=200.0)
    elsewhere = [dataclasses.replace(h, path=Path("/else") / h.path) for h in reversed(files)]
    one, other = group_headers(files), group_headers(elsewhere)
    assert [g.key for g in one] == [g.key for g in other]
    assert len({g.key for g in one}) == 2
    assert [s.key for s in one[0].slices] == [s.key for s in other[0].slices]
    assert [s.suggested.key for s in one[0].slices] == [s.suggested.key for s in other[0].slices]


def test_a_parallel_plane_far_away_of_another_name_is_left_alone():
    far = series(2, [90], description="Ao valve")
    assert [shape(g) for g in group_headers(series(1, [0, 10, 20]) + far)] == [(3, {10}), (1, {10})]
    near = series(2, [30], description="basal")
    assert [shape(g) for g in group_headers(series(1, [0, 10, 20]) + near)] == [(4, {10})]


def test_images_with_distortions_corrected_come_before_the_same_without():
    nd = series(1, [0, 10, 20], at=9.0, image_type=("ORIGINAL", "PRIMARY", "M", "ND"))
    corrected = series(2, [0, 10, 20], at=9.0, image_type=("ORIGINAL", "PRIMARY", "M", "DIS2D"))
    assert [of_series(g)[0] for g in group_headers(nd + corrected)] == ["2", "1"]


@pytest.mark.parametrize(
    "name", ["CINE EJE CORTO DE VI", "SAX dynamic cine", "cine tra", "SAX realtime", "SAX tagging"]
)
def test_no_name_puts_a_full_stack_behind_a_test_of_two_slices(name):
    full = series(2, range(0, 60, 10), at=100.0, description=name)
    groups = group_headers(series(1, [10, 20], at=50.0, description="cine test") + full)
    assert [of_series(g)[0] for g in groups] == ["2", "1"]
    later = group_headers(series(1, [10, 20], at=500.0, description="cine test") + full)
    assert [of_series(g)[0] for g in later] == ["2", "1"]


@pytest.mark.parametrize("name", ["SAX tagging", "real-time SAX", "SA perfusion", "SA grid"])
def test_of_two_stacks_that_cover_the_heart_the_one_that_is_named_otherwise_comes_second(name):
    cine, other = series(1, range(0, 60, 10), at=50.0), series(2, range(0, 60, 10), at=100.0, description=name)
    assert [of_series(g)[0] for g in group_headers(cine + other)] == ["1", "2"]


def test_a_stack_with_phase_times_comes_before_one_without_that_covers_the_heart_too():
    without = series(2, range(0, 60, 10), phases=20, at=100.0, trigger_ms=500.0, description="SAX b")
    groups = group_headers(without + series(1, range(0, 60, 10), at=50.0))
    assert [(of_series(g)[0], g.has_phase_times) for g in groups] == [("1", True), ("2", False)]


def test_a_full_stack_without_phase_times_comes_before_a_test_with_them():
    full = [dataclasses.replace(h, trigger_ms=None) for h in series(2, range(0, 60, 10), description="SAX b")]
    assert [of_series(g)[0] for g in group_headers(full + series(1, [10, 20], at=100.0))] == ["2", "1"]
