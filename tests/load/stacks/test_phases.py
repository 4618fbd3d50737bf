import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.load.stacks.phases import in_time, match_phases, trigger_factor
from tests.load.stacks.test_groups import header


def slice_of(triggers, *, place=0.0, **changes):
    return [header(place=place, phase=i, **({"trigger_ms": t} | changes)) for i, t in enumerate(triggers)]


def timed(triggers, **changes):
    return in_time(slice_of(triggers, **changes))


def shown(plan, slice_index):
    return [h.trigger_ms for h in plan.frames[slice_index]]


EVEN = [40.0 * p for p in range(20)]


@given(st.permutations(range(8)))
def test_frames_come_by_trigger_time_whatever_their_order(order):
    files = slice_of([50.0 * i for i in range(8)])
    assert [h.trigger_ms for h in in_time([files[i] for i in order]).headers] == [50.0 * i for i in range(8)]


def test_trigger_times_that_begin_in_the_middle_of_the_cycle_are_put_in_order():
    found = timed([600.0, 680.0, 760.0, 40.0, 120.0, 200.0])
    assert found.clock == (40.0, 120.0, 200.0, 600.0, 680.0, 760.0)


def test_a_first_trigger_time_other_than_zero_is_kept():
    plan = match_phases([timed([12.5 + t for t in EVEN]) for _ in range(3)])
    assert plan.times_ms == tuple(12.5 + t for t in EVEN)


def test_equal_trigger_times_leave_the_order_to_the_temporal_position():
    files = [header(phase=i, trigger_ms=0.0, temporal_position=float(9 - i)) for i in range(5)]
    assert [h.temporal_position for h in in_time(files).headers] == [5.0, 6.0, 7.0, 8.0, 9.0]


def test_equal_trigger_times_leave_the_order_to_the_acquisition_time_over_midnight():
    files = [header(phase=i, trigger_ms=None, at=at) for i, at in enumerate((0.5, 86399.0, 0.1, 86399.5))]
    assert [h.acquired_at for h in in_time(files).headers] == [86399.0, 86399.5, 0.1, 0.5]


def test_where_nothing_else_shows_the_instance_number_orders():
    files = [header(phase=9 - i, trigger_ms=0.0, at=7.0) for i in range(4)]
    assert [h.instance_number for h in in_time(files).headers] == [6, 7, 8, 9]


def test_two_frames_of_one_trigger_time_are_in_the_order_of_their_numbers_and_noted():
    found = timed([0.0, 40.0, 40.0, 80.0, 120.0])
    assert [h.instance_number for h in found.headers] == [0, 1, 2, 3, 4]
    plan = match_phases([found, found])
    assert plan.times_ms is None
    assert "same time" in plan.notes[0]


@pytest.mark.parametrize(("scale", "factor"), [(1.0, 1.0), (0.001, 1000.0), (1000.0, 0.001)])
def test_trigger_times_in_seconds_or_microseconds_are_taken_so_and_noted(scale, factor):
    assert trigger_factor([scale * t for t in EVEN]) == factor
    plan = match_phases([timed([scale * t for t in EVEN])] * 2)
    np.testing.assert_allclose(plan.times_ms, EVEN)
    assert bool(plan.notes) == (scale != 1.0)


def test_a_missing_frame_in_the_middle_is_found_and_its_neighbour_shown():
    short = timed([t for t in EVEN if t != 280.0])
    plan = match_phases([timed(EVEN), short, timed(EVEN)])
    expected = [240.0 if t == 280.0 else t for t in EVEN]
    assert shown(plan, 1) == expected
    assert [note.text for note in plan.slice_notes] == [
        "Slice {0} has 19 of 20 phases; its frame nearest in time is shown at phase 8."
    ]


@pytest.mark.parametrize("missing", [0.0, 760.0])
def test_a_missing_first_or_last_frame_is_found(missing):
    plan = match_phases([timed(EVEN), timed([t for t in EVEN if t != missing])])
    assert len(plan.frames[0]) == 20 or plan.times_ms is not None
    plan = match_phases([timed(EVEN), timed([t for t in EVEN if t != missing]), timed(EVEN)])
    assert shown(plan, 1) == [{0.0: 40.0, 760.0: 720.0}[t] if t == missing else t for t in EVEN]


@pytest.mark.parametrize(("missing", "phase"), [(0.0, 1), (280.0, 8), (760.0, 20)])
def test_the_phase_that_is_noted_is_the_one_that_is_missing(missing, phase):
    plan = match_phases([timed(EVEN), timed([t for t in EVEN if t != missing]), timed(EVEN)])
    assert f"frame nearest in time is shown at phase {phase}." in plan.slice_notes[0].text


def test_of_two_neighbours_as_near_as_files_round_times_the_earlier_is_shown():
    even = [round(800.0 / 6 * p, 4) for p in range(6)]
    plan = match_phases([timed(even), timed(even), timed([t for t in even if t != 400.0])])
    assert shown(plan, 2) == [even[2] if t == 400.0 else t for t in even]
    assert "frame nearest in time is shown at phase 4." in plan.slice_notes[0].text


def test_phases_that_last_longer_in_some_slices_are_noted_without_a_heart_rate_that_no_header_gives():
    slow, usual = timed([t * 1.5 for t in EVEN]), timed(EVEN)
    note = match_phases([usual, usual, slow]).notes[0]
    assert "(40 to 60 ms)" in note
    assert "/min" not in note
    assert match_phases([usual, usual, timed([t * 1.1 for t in EVEN])]).notes == []


def test_several_missing_frames_are_found_one_by_one():
    plan = match_phases([timed(EVEN), timed([t for t in EVEN if t not in (80.0, 400.0, 440.0)]), timed(EVEN)])
    kept = [t for t in shown(plan, 1) if t in (80.0, 400.0, 440.0)]
    assert kept == []
    assert [a for a, b in zip(shown(plan, 1), EVEN, strict=True) if a != b] == [40.0, 360.0, 480.0]


def test_slices_of_different_heart_rates_are_matched_by_their_share_of_the_cycle():
    # The same number of phases over a longer cycle: phase by phase.
    slow = timed([t * 1.5 for t in EVEN], heart_rate_bpm=50.0)
    fast = timed(EVEN, heart_rate_bpm=75.0)
    plan = match_phases([fast, fast, slow])
    assert shown(plan, 2) == [t * 1.5 for t in EVEN]
    assert plan.times_ms == tuple(EVEN)
    assert "50 to 75/min" in plan.notes[0]


def test_a_slice_of_fewer_phases_over_a_shorter_cycle_is_stretched():
    # 40 ms a phase at both rates: 16 phases are 640 ms, a beat at 93.75 a minute.
    fast = timed(EVEN[:16], heart_rate_bpm=60000 / 640)
    usual = timed(EVEN, heart_rate_bpm=75.0)
    plan = match_phases([usual, usual, fast])
    expected = [40.0 * int(np.abs(np.arange(16) / 16 - p / 20).argmin()) for p in range(20)]
    assert shown(plan, 2) == expected
    assert expected[10] == 320.0  # half of the cycle


def test_a_slice_of_more_phases_over_the_same_cycle_is_thinned():
    many = timed([20.0 * p for p in range(40)], heart_rate_bpm=75.0)
    plan = match_phases([timed(EVEN), timed(EVEN), many])
    assert shown(plan, 2) == EVEN
    assert "has 40 phases and the others have 20" in plan.slice_notes[0].text


def test_of_equally_common_numbers_of_phases_the_smaller_is_used():
    plan = match_phases([timed(EVEN), timed([32.0 * p for p in range(25)])])
    assert [len(row) for row in plan.frames] == [20, 20]


def test_a_slice_of_less_than_half_of_the_phases_is_left_out():
    plan = match_phases([timed(EVEN), timed(EVEN[:9]), timed(EVEN)])
    assert plan.slices == [0, 2]
    assert plan.slice_notes[0].place == 1


@given(st.lists(st.sets(st.integers(0, 11), min_size=6, max_size=12), min_size=2, max_size=6))
def test_whatever_is_missing_every_slice_has_every_phase_in_order_of_time(present):
    slices = [timed([50.0 * p for p in sorted(chosen)]) for chosen in present]
    plan = match_phases(slices)
    counts = {len(row) for row in plan.frames}
    assert len(counts) == 1
    for row in plan.frames:
        times = [h.trigger_ms for h in row]
        assert times == sorted(times)
    if plan.times_ms is not None:
        assert len(plan.times_ms) == counts.pop()
