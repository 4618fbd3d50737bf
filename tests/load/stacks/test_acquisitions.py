import dataclasses

import pytest

from cmr_viewer.load.stacks.acquisitions import units_of
from cmr_viewer.load.stacks.groups import group_headers
from cmr_viewer.load.stacks.places import plane_of
from tests.load.stacks.test_groups import header, series


def acquired_twice(phases=10, again=10, **changes):
    """A series whose slice at 10 was acquired again, numbered after the others."""
    first = series(1, [0, 10, 20], phases)
    numbers = [dataclasses.replace(h, instance_number=n) for n, h in enumerate(first)]
    repeat = [header("1", 10.0, phase, **changes) for phase in range(again)]
    return numbers + [dataclasses.replace(h, instance_number=100 + n) for n, h in enumerate(repeat)]


@pytest.mark.parametrize("changes", [{}, {"at": 60.0}])
def test_a_slice_acquired_twice_within_a_series_is_a_repeat(changes):
    (group,) = group_headers(acquired_twice(**changes))
    assert [len(s.acquisitions) for s in group.slices] == [1, 2, 1]
    assert {h.instance_number // 100 for h in group.slices[1].suggested.headers} == {1}


def test_a_slice_that_was_broken_off_within_a_series_is_a_repeat_that_is_not_suggested():
    (group,) = group_headers(acquired_twice(again=4))
    assert [len(a.headers) for a in group.slices[1].acquisitions] == [10, 4]
    assert {h.instance_number // 100 for h in group.slices[1].suggested.headers} == {0}


def test_all_slices_acquired_twice_within_a_series_are_repeats():
    files = [
        dataclasses.replace(h, instance_number=n + 100 * again)
        for again in (0, 1)
        for n, h in enumerate(series(1, [0, 10, 20]))
    ]
    (group,) = group_headers(files)
    assert [len(s.acquisitions) for s in group.slices] == [2, 2, 2]


def test_trigger_times_that_are_rounded_to_the_same_value_are_no_repeats():
    files = [dataclasses.replace(h, trigger_ms=60.0 * (h.instance_number // 2)) for h in series(1, [0, 10, 20])]
    (group,) = group_headers(files)
    assert [len(s.acquisitions) for s in group.slices] == [1, 1, 1]
    assert [h.instance_number for h in group.slices[0].suggested.headers] == list(range(10))


@pytest.mark.parametrize(("step_ms", "count"), [(50.0, 1), (0.0, 6)])
def test_series_of_one_phase_each_are_one_where_their_times_differ(step_ms, count):
    files = [
        header(str(phase), 10.0 * place, phase, trigger_ms=250.0 + step_ms * phase)
        for phase in range(6)
        for place in range(3)
    ]
    assert len({unit.series for unit in units_of(files, plane_of(files[0]))}) == count
