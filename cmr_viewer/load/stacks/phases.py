"""Frames of a slice in time order, and the phases of slices that were not acquired alike.

docs/loading/stacks.md describes the policy for readers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.notes import Code, Note, numbered
from cmr_viewer.load.dicom.headers import Header

Measure = Literal["trigger", "percent", "temporal", "acquired", "made", "number"]

DAY_S = 86400.0
_LONGEST_IN_SECONDS = 3.0
_SHORTEST_STEP_IN_US = 10000.0
_UNLIKE_RATES = 1.2
_LEAST_AGREEMENT = 0.9
_LEAST_KNOWN = 0.75
_MOST_NOTED_ONE_BY_ONE = 3
_EVEN = 0.25
_SHARE_DIGITS = 4
"""Shares of the cycle are compared to a tenth of a millisecond, as files round times: of two frames that are equally
near the earlier is shown."""

_GUESSES: dict[str, str] = {
    "made": "the phases are in the order in which the images were created, because nothing else orders them. Check it.",
    "filled": "frames without a time fill the missing phases. Check their order.",
    "number": "the phases are in the order of the image numbers, because nothing else orders them. Check it.",
}
"""The note where the order of phases is a guess."""


class SliceNote(NamedTuple):
    """A note on a slice, before the order of the slices is known.

    Attributes:
        place: Index of the slice in the order in which they were given.
        text: With `{0}` for the number of the slice, and `{1}` for how many the files have.
        code: What it is about.
        phases: Phases at which another frame of the slice is shown in place of its own.
    """

    place: int
    text: str
    code: Code
    phases: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Timed:
    """Frames of one slice in time order.

    Attributes:
        headers: The frames.
        clock: What they were ordered by, ascending; in ms for trigger times, seconds for acquisition times.
        measure: What the clock is.
        unit_changed: Trigger times were in another unit than the ms of the standard.
        ties: Frames with the same time are in the order of their numbers.
        filled: Frames without a time fill the missing phases.
    """

    headers: tuple[Header, ...]
    clock: tuple[float, ...]
    measure: Measure
    unit_changed: bool = False
    ties: bool = False
    filled: bool = False

    @property
    def step(self) -> float:
        """Usual distance of the clock from frame to frame; 0 for a single frame."""
        return float(np.median(np.diff(self.clock))) if len(self.clock) > 1 else 0.0


def in_time(headers: Sequence[Header]) -> Timed:
    """Order frames of one slice.

    By the first of these that differs between all frames: the time after the R wave, the share of the cycle, the number
    of the phase, the time of acquisition. Else by times after the R wave of which most differ; else by the time at
    which the images were made, or by InstanceNumber.
    """
    clocks: dict[Measure, list[float | None]] = {
        "trigger": [h.trigger_ms for h in headers],
        "percent": [h.cycle_percent for h in headers],
        "temporal": [h.temporal_position for h in headers],
        "acquired": over_midnight([h.acquired_at for h in headers]),
    }
    for measure, values in clocks.items():
        if None not in values and len(set(values)) == len(values):
            return _timed(headers, [float(v) for v in values if v is not None], measure)
    triggers = clocks["trigger"]
    filled = _filled(headers, triggers)
    if filled is not None:
        return replace(_timed(headers, filled, "trigger"), filled=True)
    if None not in triggers and 2 * len(set(triggers)) > len(triggers) > 2:
        return _timed(headers, [float(v) for v in triggers if v is not None], "trigger", ties=True)
    numbers = [float(h.instance_number) for h in headers]
    made = over_midnight([h.made_at_s for h in headers])
    if None not in made and len(set(made)) == len(made) and not _agree(made, numbers):
        return _timed(headers, [float(v) for v in made if v is not None], "made")
    return _timed(headers, numbers, "number", ties=len(set(numbers)) < len(numbers))


def _filled(headers: Sequence[Header], triggers: Sequence[float | None]) -> list[float] | None:
    """Trigger times where few frames have none: these fill the missing phases, in the order of their numbers.

    None where most frames have no time, where the times of the others are not all their own and evenly spaced, or where
    not as many phases are missing as frames have no time.
    """
    known = sorted(time for time in triggers if time is not None)
    lacking = sorted((n for n, t in enumerate(triggers) if t is None), key=lambda n: headers[n].instance_number)
    if not lacking or len(known) < _LEAST_KNOWN * len(triggers) or len(set(known)) < len(known) or len(known) < 3:
        return None
    step = float(np.median(np.diff(known)))
    places = (np.asarray(known) - known[0]) / step
    known_at = np.rint(places).astype(int)
    if np.abs(places - known_at).max() > _EVEN:
        return None
    first = -int(np.rint(known[0] / step)) if known[0] > 0 else 0
    free = sorted(set(range(max(first, known_at[0] - len(lacking)), known_at[-1])) - set(known_at.tolist()))
    free = free or list(range(known_at[-1] + 1, known_at[-1] + 1 + len(lacking)))
    if len(free) != len(lacking):
        return None
    found = dict(zip(lacking, (known[0] + step * place for place in free), strict=True))
    return [found[n] if time is None else time for n, time in enumerate(triggers)]


def _agree(made: Sequence[float | None], numbers: Sequence[float]) -> bool:
    """Whether images were made in the order of their numbers, but for some that overtook their neighbours.

    Scanners make the images of a slice side by side, so that neighbours can be ready in the wrong order; their numbers
    are right.
    """
    if len(set(numbers)) < len(numbers):
        return False
    one, other = (np.argsort(np.argsort(np.asarray(each, dtype=np.float64))) for each in (made, numbers))
    return bool(np.corrcoef(one, other)[0, 1] > _LEAST_AGREEMENT)


def _timed(headers: Sequence[Header], clock: list[float], measure: Measure, *, ties: bool = False) -> Timed:
    order = sorted(range(len(headers)), key=lambda i: (clock[i], headers[i].series_number, headers[i].instance_number))
    ordered = tuple(clock[i] for i in order)
    factor = trigger_factor(ordered) if measure == "trigger" else 1.0
    in_order = tuple(headers[i] for i in order)
    return Timed(in_order, tuple(c * factor for c in ordered), measure, factor != 1.0, ties)


def trigger_factor(triggers: Sequence[float]) -> float:
    """What trigger times of one slice are multiplied with to be in ms: 1000 where they are in seconds, 0.001 in us.

    At least five phases within 3 ms, or 10 s apart from one another, cannot be those of a heart.
    """
    if len(triggers) < 5:
        return 1.0
    if 0 < max(triggers) - min(triggers) <= _LONGEST_IN_SECONDS:
        return 1000.0
    return 0.001 if float(np.median(np.diff(sorted(triggers)))) > _SHORTEST_STEP_IN_US else 1.0


def over_midnight(times: Sequence[float | None]) -> list[float | None]:
    """Times of day in seconds, with those after midnight after those before it."""
    known = [t for t in times if t is not None]
    if not known or max(known) - min(known) < DAY_S / 2:
        return list(times)
    return [t + DAY_S if t is not None and t < DAY_S / 2 else t for t in times]


@dataclass(frozen=True, eq=False)
class PhasePlan:
    """Which frame is shown at each slice and phase.

    Attributes:
        frames: (slice)(phase), slices in the order in which they were given, without those left out.
        slices: Per slice of `frames`: its index among those given.
        times_ms: Time of each phase after the R wave, or None where the files do not state them.
        slice_notes: Notes on a slice.
        notes: Notes on the stack.
    """

    frames: list[list[Header]]
    slices: list[int]
    times_ms: tuple[float, ...] | None
    slice_notes: list[SliceNote]
    notes: list[Note]


def match_phases(slices: Sequence[Timed]) -> PhasePlan:
    """Bring all slices to the usual number of phases.

    Phases are matched by their share of the cycle. Nothing is interpolated: where a slice has no frame at a phase, the
    nearest of its own frames is shown, and frames beyond the usual number are left out. A slice with less than half of
    the usual number of frames is left out. Notes report all three.
    """
    usual = _usual(slices)
    plan = PhasePlan([], [], None, _order_notes(slices), _stack_notes(slices))
    complete = [timed for timed in slices if len(timed.headers) == usual]
    for place, timed in enumerate(slices):
        count = len(timed.headers)
        if 2 * count < usual:
            text = f"Left out slice {{0}} of {{1}}: it has too few phases ({count} of {usual})."
            plan.slice_notes.append(SliceNote(place, text, Code.SLICE_LEFT_OUT))
            continue
        chosen, lacking = list(range(usual)), list[int]()
        if count != usual:
            chosen, lacking = _nearest(timed, complete, usual)
            plan.slice_notes.append(
                SliceNote(place, _unequal(lacking, count, usual), Code.PHASES_UNEQUAL, tuple(lacking))
            )
        plan.frames.append([timed.headers[i] for i in chosen])
        plan.slices.append(place)
    return replace(plan, times_ms=_times_ms(complete))


def _usual(slices: Sequence[Timed]) -> int:
    """The most common number of frames; of equally common ones the smaller, so that no frame is shown twice."""
    counts = Counter(len(timed.headers) for timed in slices)
    return min(counts, key=lambda count: (-counts[count], count))


def _unequal(lacking: list[int], count: int, usual: int) -> str:
    if count > usual:
        return f"Slice {{0}} has {count} phases and the others have {usual}; the frames nearest in time are shown."
    named = numbered("phase", lacking) if len(lacking) <= 4 else f"{len(lacking)} phases"
    return f"Slice {{0}} has {count} of {usual} phases; its frame nearest in time is shown at {named}."


def _nearest(timed: Timed, complete: Sequence[Timed], usual: int) -> tuple[list[int], list[int]]:
    """Per phase, the frame of a slice that is nearest by its share of the cycle; and the phases that have none."""
    shares = _shares_of_cycle(timed, complete, usual)
    away = np.abs(shares - np.arange(usual)[:, None] / usual).round(_SHARE_DIGITS)
    chosen = [int(frame) for frame in away.argmin(axis=1)]
    # A frame that is shown at several phases is missing at all but the one that it is nearest to.
    lacking = [p for p, frame in enumerate(chosen) if min(_shown_at(frame, chosen), key=lambda q: away[q, frame]) != p]
    return chosen, lacking


def _shown_at(frame: int, chosen: Sequence[int]) -> list[int]:
    """The phases at which a frame is shown."""
    return [phase for phase, shown in enumerate(chosen) if shown == frame]


def _shares_of_cycle(timed: Timed, complete: Sequence[Timed], usual: int) -> NDArray[np.float64]:
    """(frame,) when in the cycle each frame of a slice is, 0 to 1, beside slices with the usual number of frames.

    Gaps in the clock are frames that are missing; a cycle that is short of frames at its end is distinguished from a
    faster heart by the heart rate, or else by the distance of the phases.
    """
    count, step = len(timed.headers), timed.step
    if step <= 0:
        return np.arange(count) / count
    index = (np.asarray(timed.clock) - timed.clock[0]) / step
    alike = [other for other in complete if other.measure == timed.measure and other.step > 0]
    same_step = bool(alike) and abs(step / float(np.median([other.step for other in alike])) - 1) < 0.1
    if alike and same_step and timed.measure in ("trigger", "temporal"):
        late = (timed.clock[0] - float(np.median([other.clock[0] for other in alike]))) / step
        index = index + max(0.0, float(np.round(late)))
    length = max(float(count), float(np.round(index[-1])) + 1)
    rate = _rate(timed)
    if count > usual:
        return np.asarray(index / length)
    if rate is not None and timed.measure == "trigger":
        length = max(length, min(float(np.round(60000.0 / rate / step)), float(usual)))
    elif same_step:
        length = max(length, float(usual))
    return np.asarray(index / length)


def _rate(timed: Timed) -> float | None:
    rates = [h.heart_rate_bpm for h in timed.headers if h.heart_rate_bpm is not None]
    return float(np.median(rates)) if rates else None


def _steps_ms(slices: Sequence[Timed]) -> list[float]:
    """Usual time from phase to phase of slices with the usual number of frames."""
    usual = _usual(slices)
    steps = [t.step for t in slices if t.measure == "trigger" and not t.ties and len(t.headers) == usual]
    return [step for step in steps if step > 0]


def _times_ms(complete: Sequence[Timed]) -> tuple[float, ...] | None:
    stated = [timed for timed in complete if not timed.filled]
    if not stated or any(timed.measure != "trigger" or timed.ties for timed in stated):
        return None
    times = np.median(np.asarray([timed.clock for timed in stated], dtype=np.float64), axis=0)
    if len(times) > 1 and not (np.diff(times) > 0).all():
        return None
    return tuple(float(t) for t in times)


def _stack_notes(slices: Sequence[Timed]) -> list[Note]:
    notes = []
    if any(timed.unit_changed for timed in slices):
        text = "Trigger times are not in ms. They were read as seconds or microseconds, whichever fits a heart beat."
        notes.append(Note(text, Code.TIME_UNIT_GUESSED))
    if any(timed.ties for timed in slices):
        text = "Frames with the same time are in the order of their image numbers. Check the order of the phases."
        notes.append(Note(text, Code.PHASE_ORDER_GUESSED))
    if not _order_notes(slices):
        for kind, count in Counter(kind for _, kind in _guessed(slices)).items():
            where = "all" if count == len(slices) else f"{count} of {len(slices)}"
            notes.append(Note(f"In {where} slices {_GUESSES[kind]}", Code.PHASE_ORDER_GUESSED))
    if len({timed.measure for timed in slices}) > 1:
        text = "Slices are ordered by different kinds of time. Check that their phases match."
        notes.append(Note(text, Code.PHASE_TIMES_DIFFER))
    rates = [rate for timed in slices if (rate := _rate(timed)) is not None]
    steps = [] if rates else _steps_ms(slices)
    matched = "Phases are matched by their position in the cardiac cycle."
    if rates and max(rates) > _UNLIKE_RATES * min(rates):
        span = f"{min(rates):.0f} to {max(rates):.0f}/min"
        notes.append(Note(f"The heart rate differs between slices ({span}). {matched}", Code.HEART_RATE_DIFFERS))
    if steps and max(steps) > _UNLIKE_RATES * min(steps):
        span = f"{min(steps):.0f} to {max(steps):.0f} ms"
        notes.append(Note(f"A phase lasts longer in some slices ({span}). {matched}", Code.HEART_RATE_DIFFERS))
    return notes


def _order_notes(slices: Sequence[Timed]) -> list[SliceNote]:
    """Notes on slices whose order of phases is a guess, if these are only some of the slices."""
    guessed = _guessed(slices)
    if len(guessed) == len(slices) or len(guessed) > _MOST_NOTED_ONE_BY_ONE:
        return []
    return [SliceNote(place, f"In slice {{0}} {_GUESSES[what]}", Code.PHASE_ORDER_GUESSED) for place, what in guessed]


def _guessed(slices: Sequence[Timed]) -> list[tuple[int, str]]:
    """Slices whose phases are ordered by a guess."""
    guesses = [(n, "filled" if t.filled else t.measure) for n, t in enumerate(slices) if len(t.headers) > 1]
    return [(n, guess) for n, guess in guesses if guess in _GUESSES]
