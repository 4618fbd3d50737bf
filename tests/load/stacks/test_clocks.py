"""Which of the times in files tells the phases apart, read from files as systems write them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from cmr_viewer.domain.notes import Code
from cmr_viewer.load.stacks.dicom_study import read_dicom
from tests.phantom import sax_cine
from tests.phantom_dicom import part_of, write_frames
from tests.phantom_multiframe import write_enhanced

PHASES, SLICES = 8, 3
ORDER = (5, 1, 7, 3, 0, 2, 6, 4)
"""Phases in the order of their instance numbers."""


@pytest.fixture(scope="module")
def sax():
    return sax_cine(phases=PHASES, slices=SLICES, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0), above=0, below=0).stack


def clock(phase, seconds=0.03):
    """A time of day, some phases before and some after a full second."""
    return f"1000{9.9 + seconds * phase:09.6f}"


def opened(folder: Path, stack, change, slices=range(SLICES)):
    """A study of files that state their times as `change` does, with image numbers in a false order."""

    def only(data, phase, index):
        del data.TriggerTime
        del data.AcquisitionTime
        change(data, phase, index)

    order = [(p, s) for s in range(len(slices)) for p in ORDER]
    write_frames(folder, part_of(stack, list(slices)), series="1", order=order, change=only)
    return read_dicom(folder)


def stating(**elements):
    def change(data, phase, index):
        for keyword, value in elements.items():
            setattr(data, keyword, value(phase) if callable(value) else value)

    return change


TIMES = [100.0 * p for p in range(PHASES)]
PERCENT = [12.5 * p for p in range(PHASES)]


@pytest.mark.parametrize(
    ("elements", "times_ms"),
    [
        ({"TriggerTime": lambda p: TIMES[p]}, TIMES),
        ({"NominalCardiacTriggerDelayTime": lambda p: TIMES[p]}, TIMES),
        ({"ActualCardiacTriggerDelayTime": lambda p: TIMES[p]}, TIMES),
        ({"TemporalPositionTimeOffset": lambda p: TIMES[p] / 1000}, TIMES),
        ({"TriggerTime": 0, "NominalCardiacTriggerDelayTime": lambda p: TIMES[p]}, TIMES),
        ({"NominalCardiacTriggerDelayTime": 12.0, "TemporalPositionTimeOffset": lambda p: TIMES[p] / 1000}, TIMES),
        ({"TriggerTime": 0, "NominalCardiacTriggerDelayTime": 5.0, "TemporalPositionIndex": lambda p: p + 1}, None),
        ({"NominalPercentageOfCardiacPhase": lambda p: PERCENT[p]}, None),
        ({"NominalPercentageOfCardiacPhase": lambda p: PERCENT[p], "NominalInterval": 800}, TIMES),
        ({"NominalPercentageOfCardiacPhase": lambda p: PERCENT[p], "RRIntervalTimeNominal": 800.0}, TIMES),
        ({"NominalPercentageOfCardiacPhase": lambda p: PERCENT[p], "HeartRate": 75}, TIMES),
        ({"NominalPercentageOfCardiacPhase": lambda p: PERCENT[p], "HeartRate": 0, "NominalInterval": 0}, None),
        ({"TriggerTime": 0, "NominalPercentageOfCardiacPhase": lambda p: PERCENT[p]}, None),
        ({"TemporalPositionIdentifier": lambda p: p + 1}, None),
        ({"TemporalPositionIndex": lambda p: p + 1}, None),
        ({"TemporalPositionIdentifier": 1, "TemporalPositionIndex": lambda p: p + 1}, None),
        ({"AcquisitionTime": clock}, None),
        ({"AcquisitionDateTime": lambda p: f"20200102{clock(p)}+0100"}, None),
        ({"AcquisitionTime": "100000", "FrameAcquisitionDateTime": lambda p: f"20200102{clock(p)}"}, None),
        ({"AcquisitionTime": "100000", "FrameReferenceDateTime": lambda p: f"20200102{clock(p)}"}, None),
    ],
)
def test_the_first_time_that_differs_from_frame_to_frame_orders_them(tmp_path, sax, elements, times_ms):
    study = opened(tmp_path, sax, stating(**elements))
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.phase_times_ms == (None if times_ms is None else pytest.approx(times_ms))
    by_numbers = times_ms is None and any("TemporalPosition" in name for name in elements)
    assert [note.code for note in study.warnings] == [Code.CYCLE_NOT_STATED] * by_numbers


@pytest.mark.parametrize(("images", "stated"), [(PHASES, True), (1, False)])
def test_numbers_of_phases_are_of_one_beat_where_files_state_how_many_images_a_beat_has(tmp_path, sax, images, stated):
    change = stating(TemporalPositionIdentifier=lambda p: p + 1, CardiacNumberOfImages=images)
    study = opened(tmp_path, sax, change)
    assert [note.code for note in study.warnings] == [Code.CYCLE_NOT_STATED] * (not stated)


def test_slices_that_state_their_times_in_different_elements_open_as_one_stack(tmp_path, sax):
    def change(data, phase, index):
        if index == 0:
            data.TriggerTime = TIMES[phase]
        elif index == 1:
            data.TriggerTime, data.NominalCardiacTriggerDelayTime = 0, TIMES[phase]
        else:
            data.NominalPercentageOfCardiacPhase, data.NominalInterval = PERCENT[phase], 800

    study = opened(tmp_path, sax, change)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.phase_times_ms == pytest.approx(TIMES)


def test_a_time_that_some_frames_lack_gives_way_to_one_that_all_have(tmp_path, sax):
    def change(data, phase, index):
        if phase != 3:
            data.TriggerTime = TIMES[phase]
        data.TemporalPositionIndex = phase + 1

    study = opened(tmp_path, sax, change)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)


@pytest.mark.parametrize("lacking", [0, 3, 7])
def test_a_frame_without_any_time_stands_where_a_phase_is_missing_and_that_is_a_guess(tmp_path, sax, lacking):
    def change(data, phase, index):
        if (phase, index) != (lacking, 1):
            data.TriggerTime = TIMES[phase]

    study = opened(tmp_path, sax, change)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.phase_times_ms == pytest.approx(TIMES)
    assert [(note.code, note.slices) for note in study.warnings] == [(Code.PHASE_ORDER_GUESSED, (1,))]


def test_frames_without_any_time_in_all_slices_leave_the_times_unknown(tmp_path, sax):
    def change(data, phase, index):
        if phase != 5:
            data.TriggerTime = 20.0 + TIMES[phase]

    study = opened(tmp_path, sax, change)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.phase_times_ms is None
    assert [note.code for note in study.warnings] == [Code.PHASE_ORDER_GUESSED]


def test_frames_of_one_slice_may_state_their_times_in_different_elements(tmp_path, sax):
    def change(data, phase, index):
        if phase % 2:
            data.TriggerTime = TIMES[phase]
        else:
            data.NominalCardiacTriggerDelayTime = TIMES[phase]

    study = opened(tmp_path, sax, change)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.phase_times_ms == pytest.approx(TIMES)


def test_where_only_the_time_of_the_image_shows_it_orders_and_that_is_a_guess(tmp_path, sax):
    study = opened(tmp_path, sax, stating(ContentTime=clock))
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert [note.code for note in study.warnings] == [Code.PHASE_ORDER_GUESSED]
    assert "images were created" in study.warnings[0]


def test_images_that_were_ready_in_another_order_than_their_neighbours_keep_that_of_their_numbers(tmp_path, sax):
    ready = [0, 1, 3, 2, 4, 6, 5, 7]

    def change(data, phase, index):
        del data.TriggerTime
        del data.AcquisitionTime
        data.ContentTime = clock(ready[phase])

    write_frames(tmp_path, sax, series="1", change=change)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert [note.code for note in study.warnings] == [Code.PHASE_ORDER_GUESSED]
    assert "image numbers" in study.warnings[0]


def test_the_order_of_numbers_alone_is_a_guess_of_the_slices_that_have_nothing_else(tmp_path, sax):
    def change(data, phase, index):
        if index == 1:
            data.TriggerTime = TIMES[phase]

    study = opened(tmp_path, sax, change)
    guesses = [note for note in study.warnings if note.code is Code.PHASE_ORDER_GUESSED]
    assert [note.slices for note in guesses] == [(0,), (2,)]
    np.testing.assert_array_equal(study.stack.pixels[:, 1], sax.pixels[:, 1])
    np.testing.assert_array_equal(study.stack.pixels[:, 0], sax.pixels[list(ORDER), 0])


def test_an_order_that_is_a_guess_in_many_slices_is_one_note(tmp_path):
    many = sax_cine(phases=PHASES, slices=7, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0), above=0, below=0).stack

    def change(data, phase, index):
        if index < 2:
            data.TriggerTime = TIMES[phase]

    study = opened(tmp_path, many, change, slices=range(7))
    (note,) = [note for note in study.warnings if note.code is Code.PHASE_ORDER_GUESSED]
    assert note.startswith("In 5 of 7 slices the phases are in the order of the image numbers")


def test_a_single_phase_has_no_order_to_guess(tmp_path, sax):
    still = dataclasses.replace(sax, pixels=sax.pixels[:1], phase_times_ms=None)
    write_frames(tmp_path, still, series="1")
    assert Code.PHASE_ORDER_GUESSED not in [note.code for note in read_dicom(tmp_path).warnings]


@pytest.mark.parametrize("constant", ["NominalCardiacTriggerDelayTime", "ActualCardiacTriggerDelayTime"])
def test_offsets_of_temporal_positions_show_behind_a_constant_delay_in_enhanced_mr(tmp_path, sax, constant):
    order = [(p, s) for s in range(SLICES) for p in ORDER]

    def offsets(data):
        for item, (phase, _) in zip(data.PerFrameFunctionalGroupsSequence, order, strict=True):
            setattr(item.CardiacSynchronizationSequence[0], constant, 250.0)
            position = Dataset()
            position.TemporalPositionTimeOffset = TIMES[phase] / 1000
            item.TemporalPositionSequence = [position]

    write_enhanced(tmp_path / "a.dcm", sax, order=order, times="none", change=offsets)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.phase_times_ms == pytest.approx(TIMES)


def test_the_share_of_the_cycle_shows_in_enhanced_mr(tmp_path, sax):
    order = [(p, s) for s in range(SLICES) for p in ORDER]

    def shares(data):
        for item, (phase, _) in zip(data.PerFrameFunctionalGroupsSequence, order, strict=True):
            heart = item.CardiacSynchronizationSequence[0]
            heart.NominalPercentageOfCardiacPhase = PERCENT[phase]

    write_enhanced(tmp_path / "a.dcm", sax, order=order, times="none", change=shares)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, sax.pixels)
    assert study.stack.phase_times_ms == pytest.approx(TIMES)  # of an RR interval of 800 ms


@pytest.mark.parametrize(
    ("elements", "rate"),
    [
        ({"HeartRate": 64}, 64.0),
        ({"NominalInterval": 1000}, 60.0),
        ({"RRIntervalTimeNominal": 1200.0}, 50.0),
        ({"CardiacRRIntervalSpecified": 750.0}, 80.0),
        ({"LowRRValue": 950, "HighRRValue": 1050}, 60.0),
        ({"LowRRValue": 500, "HighRRValue": 1500}, None),
        ({"LowRRValue": 0, "HighRRValue": 0}, None),
        ({"HeartRate": 999, "NominalInterval": 1000}, 60.0),
        ({"HeartRate": 1, "NominalInterval": 0}, None),
        ({}, None),
    ],
)
def test_the_heart_rate_is_what_the_files_state_and_nothing_else(tmp_path, elements, rate):
    # 20 phases over 500 ms, as gating that begins at the R wave leaves the end of a beat of 1000 ms out.
    phantom = sax_cine(phases=20, slices=2, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0), above=0, below=0)
    stack = dataclasses.replace(phantom.stack, phase_times_ms=tuple(25.0 * p for p in range(20)))
    write_frames(tmp_path, stack, series="1", change=stating(**elements))
    study = read_dicom(tmp_path)
    assert study.stack.heart_rate_bpm == rate
    assert study.patient.heart_rate_bpm == rate


def test_a_heart_rate_whose_beat_is_over_before_the_last_phase_is_left_aside_and_noted(tmp_path, sax):
    def change(data, phase, index):
        data.TriggerTime, data.HeartRate = TIMES[phase], 180

    write_frames(tmp_path, sax, series="1", change=change)
    study = read_dicom(tmp_path)
    assert study.stack.heart_rate_bpm is None
    assert [note.code for note in study.warnings] == [Code.HEART_RATE_CONTRADICTED]


@pytest.mark.parametrize(
    ("elements", "rate"),
    [
        ({"HeartRate": 75, "NominalInterval": 1000}, None),
        ({"HeartRate": 120, "RRIntervalTimeNominal": 1000.0}, None),
        ({"HeartRate": 64, "NominalInterval": 1000}, 64.0),
        ({"HeartRate": 75, "LowRRValue": 950, "HighRRValue": 1050}, 75.0),
        ({"HeartRate": 75, "CardiacRRIntervalSpecified": 1000.0}, 75.0),
    ],
)
def test_two_heart_rates_that_contradict_one_another_are_left_aside_and_noted(tmp_path, sax, elements, rate):
    stack = dataclasses.replace(sax, phase_times_ms=tuple(50.0 * p for p in range(PHASES)))
    write_frames(tmp_path, stack, series="1", change=stating(**elements))
    study = read_dicom(tmp_path)
    assert study.stack.heart_rate_bpm == rate
    assert [note.code for note in study.warnings] == [Code.HEART_RATE_CONTRADICTED] * (rate is None)
