"""When each phase of the cine is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal

ASSUMED_CYCLE_MS = 1000.0
"""Length of a cardiac cycle where neither phase times nor heart rate are known: 60 beats a minute."""


@dataclass(frozen=True)
class CineClock:
    """When the phases of one cardiac cycle begin.

    Attributes:
        starts_ms: Per phase, counted from the first.
        cycle_ms: Length of the cycle.
        known: Whether it comes from the files; else it is assumed.
    """

    starts_ms: tuple[float, ...]
    cycle_ms: float
    known: bool

    def phase_at(self, elapsed_ms: float) -> int:
        """The phase to show after a time, cycle after cycle."""
        within = elapsed_ms % self.cycle_ms
        phase = 0
        for index, start in enumerate(self.starts_ms):
            if start <= within:
                phase = index
        return phase

    def until_next_ms(self, elapsed_ms: float) -> float:
        """How long from a time until another phase is due; more than 0."""
        within = elapsed_ms % self.cycle_ms
        for start in self.starts_ms:
            if start > within:
                return start - within
        return self.cycle_ms - within


def cine_clock(phases: int, times_ms: Sequence[float] | None, heart_rate_bpm: float | None) -> CineClock:
    """Clock of a stack.

    The phase times are used where they rise; the last phase lasts until the cycle of the heart rate is over, or as
    long as a phase lasts on average. Without phase times the phases share the cycle evenly.

    Args:
        phases: Number of phases.
        times_ms: Time of each phase after the R wave, or None.
        heart_rate_bpm: Beats a minute, or None.
    """
    rate_ms = 60000.0 / heart_rate_bpm if heart_rate_bpm and 20.0 <= heart_rate_bpm <= 300.0 else None
    rising = times_ms is not None and phases > 1 and all(b > a for a, b in pairwise(times_ms))
    if times_ms is not None and rising:
        starts = tuple(time - times_ms[0] for time in times_ms)
        mean = starts[-1] / (phases - 1)
        cycle = starts[-1] + mean
        if rate_ms is not None and starts[-1] < rate_ms < starts[-1] + 3.0 * mean:
            cycle = rate_ms
        return CineClock(starts, cycle, known=True)
    cycle = rate_ms or ASSUMED_CYCLE_MS
    return CineClock(tuple(cycle * p / phases for p in range(phases)), cycle, known=rate_ms is not None)


def matching_phases(clock: CineClock, other: CineClock) -> tuple[int, ...]:
    """Per phase of one cine: the phase of another that shows the heart at the same part of its cycle.

    Cines of as many phases go together one by one; else the nearest in time, as a part of the cycle, is used.

    Args:
        clock: Of the first cine.
        other: Of the other cine.
    """
    if len(clock.starts_ms) == len(other.starts_ms):
        return tuple(range(len(clock.starts_ms)))
    parts = [start / other.cycle_ms for start in other.starts_ms]
    matched = []
    for start in clock.starts_ms:
        part = start / clock.cycle_ms
        away = [min(abs(part - each), 1.0 - abs(part - each)) for each in parts]
        matched.append(away.index(min(away)))
    return tuple(matched)


class CinePlayer(QObject):
    """Shows the phases when they are due; a late frame is left out, so that the heart never beats slower.

    Signals:
        phase_due(int): The phase to show now.
        running_changed(bool): Play or pause.
    """

    phase_due = Signal(int)
    running_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clock = cine_clock(1, None, None)
        self._speed = 1.0
        self._offset_ms = 0.0
        self._elapsed = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tick)

    @property
    def running(self) -> bool:
        """Whether the cine plays."""
        return self._timer.isActive()

    @property
    def interval_ms(self) -> int:
        """How long the displayed phase stays, at the speed chosen."""
        return self._timer.interval()

    def set_clock(self, clock: CineClock) -> None:
        """Take the times of another stack; stops."""
        self.stop()
        self._clock = clock

    def set_speed(self, speed: float) -> None:
        """How much faster than the heart, 1.0 for true."""
        self._offset_ms = self._now_ms()
        self._elapsed.restart()
        self._speed = speed

    def start(self, phase: int) -> None:
        """Play from a phase on; where there is only one phase, nothing plays."""
        if len(self._clock.starts_ms) < 2:
            self.running_changed.emit(False)
            return
        self._offset_ms = self._clock.starts_ms[phase]
        self._elapsed.restart()
        self._arm()
        self.running_changed.emit(True)

    def stop(self) -> None:
        """Pause."""
        if self._timer.isActive():
            self._timer.stop()
            self.running_changed.emit(False)

    def _now_ms(self) -> float:
        elapsed = self._elapsed.nsecsElapsed() / 1e6 if self._elapsed.isValid() else 0.0
        return self._offset_ms + elapsed * self._speed

    def _arm(self) -> None:
        self._timer.start(max(1, round(self._clock.until_next_ms(self._now_ms()) / self._speed)))

    def _tick(self) -> None:
        phase = self._clock.phase_at(self._now_ms() + 0.5)
        self._arm()
        self.phase_due.emit(phase)
