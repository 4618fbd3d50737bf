import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.load.dicom_groups import by_position, group_headers
from cmr_viewer.load.dicom_headers import Header

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
    return len(group.slices), {len(files) for files in group.slices}


def test_slices_ascend_along_the_normal_with_files_nearer_than_half_a_millimetre_together():
    slices = by_position([header(place=p) for p in (20.0, 0.3, 10.0, 0.0)])
    assert [len(files) for files in slices] == [2, 1, 1]


def test_orientations_that_differ_by_rounding_are_one_plane():
    # 0.345 rounds to either side at two digits.
    one = series(1, [0], orientation=(0.3449, *SAX[1:]))
    other = series(2, [10], orientation=(0.3451, *SAX[1:]))
    (group,) = group_headers(one + other)
    assert shape(group) == (2, {10})


@pytest.mark.parametrize(
    "changes",
    [{"rows": 9}, {"kind": "P"}, {"spacing": (1.4, 1.4)}, {"study_uid": "8"}, {"orientation": AXIAL}],
)
def test_another_matrix_kind_spacing_study_or_plane_is_another_stack(changes):
    assert len(group_headers(series(1, [0, 10]) + series(2, [20], **changes))) == 2


def test_two_halves_of_a_stack_are_joined_where_they_overlap_the_later_slice_is_taken():
    lower = series(1, [0, 10, 20], at=100.0)
    upper = series(2, [20, 30, 40, 50], at=200.0)
    (group,) = group_headers(lower + upper)
    assert shape(group) == (6, {10})
    assert group.replaced == 1
    assert group.slices[2][0].series_uid == "2"


def test_a_slice_that_was_repeated_later_takes_the_place_of_the_first():
    stack = series(1, [0, 10, 20], at=100.0)
    (group,) = group_headers(stack + series(2, [10], at=200.0, description="SAX cine 12"))
    assert [files[0].series_uid for files in group.slices] == ["1", "2", "1"]
    assert group.replaced == 1


def test_a_slice_of_another_description_at_the_same_place_is_left_alone():
    stack = series(1, [0, 10, 20], at=100.0)
    groups = group_headers(stack + series(2, [10], at=200.0, description="tagging"))
    assert [shape(group) for group in groups] == [(3, {10}), (1, {10})]


def test_a_whole_stack_that_was_repeated_is_another_and_the_later_comes_first():
    groups = group_headers(series(1, [0, 10, 20], at=100.0) + series(2, [0, 10, 20], at=200.0))
    assert [group.slices[0][0].series_uid for group in groups] == ["2", "1"]


def test_still_images_of_the_same_plane_are_not_joined_to_a_cine():
    groups = group_headers(series(1, range(0, 50, 10), phases=1) + series(2, [0, 10]))
    assert [shape(group) for group in groups] == [(2, {10}), (5, {1})]


@pytest.mark.parametrize("other", [AXIAL, SAGITTAL, LONG_AXIS])
def test_the_plane_across_the_heart_comes_before_more_frames_of_another(other):
    more = [dataclasses.replace(h, study_uid="9") for h in series(2, range(0, 200, 10), orientation=other)]
    groups = group_headers(more + series(1, [0, 10, 20]))
    assert [shape(group)[0] for group in groups] == [3, 20]


def test_a_group_is_told_by_its_description_or_series_number():
    assert group_headers(series(1, [0, 10]))[0].text == "SAX cine (2 x 10)"
    assert group_headers(series(4, [0, 10], description=""))[0].text == "series 4 (2 x 10)"
