import pytest

from cmr_viewer.ui.frame.cine import ASSUMED_CYCLE_MS, CinePlayer, cine_clock


def test_phase_times_are_followed_where_they_are_uneven():
    clock = cine_clock(4, (10.0, 40.0, 130.0, 310.0), None)
    assert clock.known
    assert clock.starts_ms == (0.0, 30.0, 120.0, 300.0)
    assert clock.cycle_ms == 400.0
    assert [clock.phase_at(t) for t in (0, 29, 30, 119, 120, 300, 399, 400, 431)] == [0, 0, 1, 1, 2, 3, 3, 0, 1]
    assert clock.until_next_ms(100.0) == 20.0
    assert clock.until_next_ms(390.0) == 10.0


def test_the_heart_rate_says_how_long_the_last_phase_lasts():
    assert cine_clock(4, (0.0, 200.0, 400.0, 600.0), 60.0).cycle_ms == 1000.0


def test_a_heart_rate_that_does_not_fit_the_times_is_left_aside():
    assert cine_clock(4, (0.0, 200.0, 400.0, 600.0), 120.0).cycle_ms == 800.0


def test_without_times_the_phases_share_the_cycle_of_the_heart_rate():
    clock = cine_clock(5, None, 75.0)
    assert clock.known
    assert clock.starts_ms == (0.0, 160.0, 320.0, 480.0, 640.0)
    assert clock.cycle_ms == 800.0


@pytest.mark.parametrize("times", [None, (0.0, 0.0, 0.0), (3.0, 2.0, 1.0)])
def test_without_any_time_the_cycle_is_assumed_and_said_to_be(times):
    clock = cine_clock(3, times, None)
    assert not clock.known
    assert clock.cycle_ms == ASSUMED_CYCLE_MS


def test_the_timer_waits_as_long_as_the_phase_lasts(qtbot):
    player = CinePlayer()
    player.set_clock(cine_clock(3, (0.0, 500.0, 700.0), None))
    player.start(0)
    assert player.running
    assert 450 <= player.interval_ms <= 500
    player.set_speed(0.5)
    player.start(1)
    assert 350 <= player.interval_ms <= 400
    player.stop()
    assert not player.running


def test_the_phases_come_in_order_and_begin_again(qtbot):
    player = CinePlayer()
    player.set_clock(cine_clock(3, (0.0, 10.0, 20.0), None))
    seen = []
    player.phase_due.connect(seen.append)
    player.start(0)
    qtbot.waitUntil(lambda: len(seen) >= 7, timeout=5000)
    player.stop()
    changes = [b for a, b in zip([0, *seen], seen, strict=False) if a != b]
    assert set(changes) == {0, 1, 2}


def test_one_phase_does_not_play(qtbot):
    player = CinePlayer()
    player.set_clock(cine_clock(1, None, None))
    player.start(0)
    assert not player.running
