import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.measures.volume_curve import (
    CURVE_POINTS,
    DIFFERENCES,
    LEAST_PHASES,
    phase_times_of,
    volume_curve,
)

CYCLE = 1000.0


def wave(phases=25, mean=100.0, swing=40.0, cycle=CYCLE):
    """V = mean + swing cos(2 pi t / T): ED at 0, ES at T / 2, both rates 2 pi swing / T at T / 4 and 3 T / 4."""
    times = np.arange(phases) * cycle / phases
    return times, mean + swing * np.cos(2 * np.pi * times / cycle)


@pytest.mark.parametrize("phases", [LEAST_PHASES, 20, 25, 30])
def test_a_cosine_empties_and_fills_as_its_derivative(phases):
    times, volumes = wave(phases)
    curve = volume_curve(volumes, times, CYCLE)
    rate = 2 * np.pi * 40.0 / 1.0  # ml/s for a cycle of 1 s
    assert curve.ed_phase == 0
    assert curve.es_phase == int(np.argmin(volumes))
    assert curve.peak_ejection.rate_ml_per_s == pytest.approx(rate, rel=1e-3)
    assert curve.peak_filling.rate_ml_per_s == pytest.approx(rate, rel=1e-3)
    assert curve.peak_ejection.at_ms == pytest.approx(250.0, abs=CYCLE / CURVE_POINTS)
    assert curve.peak_filling.at_ms == pytest.approx(750.0, abs=CYCLE / CURVE_POINTS)
    assert curve.peak_ejection.after_ms == pytest.approx(250.0, abs=CYCLE / CURVE_POINTS)
    assert curve.peak_filling.after_ms == pytest.approx(750.0 - times[curve.es_phase], abs=CYCLE / CURVE_POINTS)
    assert curve.peak_ejection.volume_ml == pytest.approx(100.0, abs=1.5)
    assert "harmonics" in curve.method
    assert curve.reason == ""
    np.testing.assert_allclose(curve.fitted_ml, np.interp(curve.fitted_times_ms, *wave(2000)), atol=0.2)


def test_a_stack_that_begins_in_systole_has_the_same_rates():
    times, volumes = wave()
    shifted = volume_curve(np.roll(volumes, -8), times, CYCLE)
    assert shifted.ed_phase == 17
    assert shifted.peak_ejection.rate_ml_per_s == pytest.approx(2 * np.pi * 40.0, rel=1e-3)
    assert shifted.peak_ejection.after_ms == pytest.approx(250.0, abs=CYCLE / CURVE_POINTS)


def test_noise_of_a_few_ml_does_not_make_the_rates():
    times, volumes = wave(30)
    noisy = volume_curve(volumes + np.random.default_rng(1).normal(0.0, 1.0, 30), times, CYCLE)
    assert noisy.peak_ejection.rate_ml_per_s == pytest.approx(2 * np.pi * 40.0, rel=0.2)
    assert noisy.peak_filling.rate_ml_per_s == pytest.approx(2 * np.pi * 40.0, rel=0.2)


def test_phases_that_do_not_cover_the_cycle_are_differentiated_between_neighbours():
    times, volumes = wave(25)
    part = volume_curve(volumes[:20], times[:20], CYCLE)
    assert part.method == DIFFERENCES
    assert part.peak_ejection.rate_ml_per_s == pytest.approx(2 * np.pi * 40.0, rel=0.02)
    assert part.peak_ejection.at_ms == pytest.approx(250.0, abs=45.0)
    assert part.peak_filling.rate_ml_per_s == pytest.approx(2 * np.pi * 40.0, rel=0.02)


def test_end_diastole_at_the_end_of_phases_that_do_not_cover_the_cycle_goes_before_the_first():
    times, volumes = wave(25)
    part = volume_curve(np.roll(volumes, 19)[:20], times[:20], CYCLE)  # the largest of a cosine at phase 19 of 25
    assert part.method == DIFFERENCES
    assert part.ed_phase == 19
    assert part.peak_ejection.rate_ml_per_s == pytest.approx(2 * np.pi * 40.0, rel=0.02)
    assert part.peak_ejection.after_ms == pytest.approx(250.0, abs=45.0)


def test_between_phases_that_lie_far_apart_no_series_swings():
    times, volumes = wave(25)
    known = [0, 2, 4, 5, 7, 8, 9, 10, 11, 12, 14, 16, 20]  # as many as the unknowns of six harmonics
    noise = np.where(np.arange(25) % 2, 1.0, -1.0)
    some = np.full(25, np.nan)
    some[known] = (volumes + noise)[known]
    assert volume_curve(some, times, CYCLE).peak_filling.rate_ml_per_s < 2 * np.pi * 40.0 * 1.25


def test_phases_that_are_not_measured_are_left_out():
    times, volumes = wave(25)
    volumes[[5, 15]] = np.nan
    curve = volume_curve(volumes, times, CYCLE)
    assert curve.peak_ejection.rate_ml_per_s == pytest.approx(2 * np.pi * 40.0, rel=1e-3)


@pytest.mark.parametrize(
    ("volumes", "times", "reason"),
    [
        (np.full(20, np.nan), np.arange(20.0), "No phase"),
        (np.zeros(20), np.arange(20.0), "No phase"),
        (np.array([100.0, 40.0]), np.array([0.0, 300.0]), "need 12 phases; 2 available"),
        (wave(20)[1], None, "Neither phase times nor heart rate are stated"),
        (np.full(20, 50.0), np.arange(20.0), "does not change"),
    ],
)
def test_where_there_are_no_rates_it_is_stated_why(volumes, times, reason):
    curve = volume_curve(volumes, times, None if times is None else 20.0)
    assert curve.peak_ejection is None
    assert curve.peak_filling is None
    assert reason in curve.reason
    assert curve.fitted_ml.size == 0


def test_ed_and_es_are_found_without_times_too():
    curve = volume_curve(np.array([90.0, 100.0, np.nan, 30.0]), None, None)
    assert (curve.ed_phase, curve.es_phase) == (1, 3)


def test_times_of_the_files_go_before_the_heart_rate():
    times, cycle = phase_times_of(4, (0.0, 200.0, 400.0, 600.0), 75.0)
    assert times.tolist() == [0.0, 200.0, 400.0, 600.0]
    assert cycle == pytest.approx(800.0)


def test_a_beat_that_is_longer_than_the_phases_is_the_cycle():
    _, cycle = phase_times_of(4, (0.0, 200.0, 400.0, 600.0), 50.0)
    assert cycle == pytest.approx(1200.0)


def test_without_times_the_heart_rate_divides_the_beat_evenly():
    times, cycle = phase_times_of(4, None, 60.0)
    assert times.tolist() == [0.0, 250.0, 500.0, 750.0]
    assert cycle == pytest.approx(1000.0)


@pytest.mark.parametrize("times", [None, (0.0, 0.0, 100.0), (0.0, float("nan"), 100.0)])
def test_without_heart_rate_and_usable_times_nothing_is_known(times):
    assert phase_times_of(3, times, None) == (None, None)


@given(st.floats(0.2, 5.0), st.floats(0.5, 2.0), st.integers(13, 40))
@settings(deadline=None, max_examples=40)
def test_rates_scale_with_volume_and_against_time(volume, time, phases):
    times, volumes = wave(phases)
    volumes = volumes + 5.0 * np.sin(4 * np.pi * times / CYCLE)
    plain = volume_curve(volumes, times, CYCLE)
    scaled = volume_curve(volume * volumes, time * times, time * CYCLE)
    for one, other in ((plain.peak_ejection, scaled.peak_ejection), (plain.peak_filling, scaled.peak_filling)):
        assert other.rate_ml_per_s == pytest.approx(one.rate_ml_per_s * volume / time, rel=1e-6)
        assert other.after_ms == pytest.approx(one.after_ms * time, abs=2 * time * CYCLE / CURVE_POINTS)
