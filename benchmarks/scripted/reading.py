"""One scripted reading of a study: frame after frame to the expert's outlines; what it took, and how good it is."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.scripted.eyes import wrong_px
from benchmarks.scripted.hand import Hand
from benchmarks.scripted.pace import Effort
from benchmarks.scripted.strategy import Sight, Step, done, next_step
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, dice
from cmr_viewer.domain.study import FrameIndex

MOST_STEPS = 40
"""In one frame."""


@dataclass(frozen=True)
class Wanted:
    """What the expert drew.

    Attributes:
        labels: (phase, slice, row, col).
        structures: Per frame: what was drawn; an empty set where the expert left a slice of a drawn phase out.
        ed_phase: Phase with epicardium.
        es_phase: Phase without.
    """

    labels: LabelMap
    structures: Mapping[FrameIndex, frozenset[Label]]
    ed_phase: int
    es_phase: int


@dataclass
class FrameRecord:
    """What happened in one frame."""

    phase: int
    slice_index: int
    dice_before: dict[str, float | None]
    dice_after: dict[str, float | None] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    taken_back: dict[str, int] = field(default_factory=dict)
    modelled_s: float = 0.0


@dataclass
class Record:
    """What happened in a reading."""

    way: str
    seed: int
    machine_s: float = 0.0
    waited_s: float = 0.0
    effort: Effort = field(default_factory=Effort)
    frames: list[FrameRecord] = field(default_factory=list)
    steps: Counter[str] = field(default_factory=Counter)
    taken_back: Counter[str] = field(default_factory=Counter)
    gained_px: Counter[str] = field(default_factory=Counter)
    foreseen_px: Counter[str] = field(default_factory=Counter)
    slowest: list[tuple[float, str]] = field(default_factory=list)

    @property
    def modelled_s(self) -> float:
        """Seconds that a person would take, with what they wait for."""
        return self.effort.hand_s + self.effort.mental_s + self.waited_s

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        counts = {name: dict(getattr(self, name)) for name in ("steps", "taken_back", "gained_px", "foreseen_px")}
        plain = replace(self, steps=Counter(), taken_back=Counter(), gained_px=Counter(), foreseen_px=Counter())
        return {**asdict(plain), **counts, "modelled_s": self.modelled_s}


def read_study(hand: Hand, wanted: Wanted, *, with_tools: bool, from_models: bool, seed: int) -> Record:
    """Correct all frames that the expert drew: end-diastole from base to apex, then end-systole back to the base.

    Where there are label maps of models, every frame of the two phases is looked at and accepted. Where there are none,
    those that the expert drew are drawn; with the tools every second slice first, then the others are interpolated and
    corrected.
    """
    record = Record("tools" if with_tools else "brush only", seed, effort=hand.effort)
    began = time.perf_counter()
    hand.look()
    for phase, key in ((wanted.ed_phase, "d"), (wanted.es_phase, "s")):
        if from_models:
            hand.press(key)
        slices = [f.slice_index for f in sorted(wanted.structures) if f.phase == phase]
        slices = slices if phase == wanted.ed_phase else slices[::-1]
        if from_models:
            _correct_all(hand, phase, slices, wanted, record, with_tools=with_tools, accept=True)
            continue
        slices = [index for index in slices if wanted.structures[FrameIndex(phase, index)]]
        if with_tools:
            slices = sorted({*slices[::2], slices[-1]}, key=slices.index)
            _correct_all(hand, phase, slices, wanted, record, with_tools=True, accept=False)
            hand.press("i")
            record.steps["interpolate"] += 1
            low, high = min(slices), max(slices)
            slices = [index for index in range(high, low, -1) if index not in slices]
        _correct_all(hand, phase, slices, wanted, record, with_tools=with_tools, accept=False)
    record.machine_s = time.perf_counter() - began
    record.waited_s = hand.waited_s
    record.slowest = sorted(hand.slowest, reverse=True)[:10]
    return record


def _correct_all(
    hand: Hand, phase: int, slices: list[int], wanted: Wanted, record: Record, *, with_tools: bool, accept: bool
) -> None:
    done_maps: dict[int, LabelMap] = {}
    for index in slices:
        frame = FrameIndex(phase, index)
        _go(hand, frame)
        beside = {
            keys: done_maps[index + step]
            for keys, step in (("Shift+Up", -1), ("Shift+Down", 1))
            if with_tools and index + step in done_maps
        }
        record.frames.append(_correct(hand, frame, wanted, beside, record, with_tools=with_tools, accept=accept))
        done_maps[index] = hand.labels


def _go(hand: Hand, frame: FrameIndex) -> None:
    """Go there with the arrow keys."""
    phase, slice_index = hand.seen["frame"]
    for now, then, keys in ((phase, frame.phase, ("Right", "Left")), (slice_index, frame.slice_index, ("Down", "Up"))):
        if then != now:
            hand.press(keys[then < now], abs(then - now))
    if tuple(hand.seen["frame"]) != (frame.phase, frame.slice_index):
        raise RuntimeError(f"The window shows {hand.seen['frame']}, not {frame}.")


def _correct(
    hand: Hand,
    frame: FrameIndex,
    wanted: Wanted,
    beside: Mapping[str, LabelMap],
    record: Record,
    *,
    with_tools: bool,
    accept: bool,
) -> FrameRecord:
    expert = wanted.labels[frame.phase, frame.slice_index]
    compared = wanted.structures[frame] or frozenset({Label.LVBP, Label.LVM})
    sight = hand.sight(expert, compared, beside)
    told = FrameRecord(frame.phase, frame.slice_index, dice_of(sight))
    before_s = hand.effort.hand_s + hand.effort.mental_s + hand.waited_s
    hand.effort.look()
    tried: set[tuple[object, ...]] = set()
    steps, back = Counter[str](), Counter[str]()
    for _ in range(MOST_STEPS):
        step = None if done(sight) else next_step(sight, with_tools=with_tools, tried=tried)
        if step is None:
            break
        hand.effort.look()
        hand.do(step)
        after = hand.sight(expert, compared, beside)
        gained = wrong_px(sight.labels, expert, compared) - wrong_px(after.labels, expert, compared)
        name = name_of(step)
        steps[name] += 1
        record.foreseen_px[name] += round(step.gain_px)
        what = f"slice {frame.slice_index + 1}, phase {frame.phase + 1}: {name} {step.label.name}"
        print(f"{what}, {step.seconds:.1f} s, mends {gained} px of {step.gain_px:.0f} foreseen", flush=True)
        if gained < 0 or (gained < 0.2 * step.gain_px):
            tried.add(step.mark)
        if gained < 0 and not np.array_equal(sight.labels, after.labels):
            hand.press("Ctrl+z")
            back[name] += 1
            if not np.array_equal(hand.labels, sight.labels):
                raise RuntimeError(f"Undo did not take {name} back in {frame}.")
            after = hand.sight(expert, compared, beside)
        else:
            record.gained_px[name] += gained
        sight = after
    if accept:
        hand.press("Return")
    told.dice_after, told.steps, told.taken_back = dice_of(sight), dict(steps), dict(back)
    told.modelled_s = hand.effort.hand_s + hand.effort.mental_s + hand.waited_s - before_s
    record.steps.update(steps)
    record.taken_back.update(back)
    return told


def name_of(step: Step) -> str:
    """What a step is called in the tables."""
    return "erase" if step.kind == "stroke" and step.label is Label.BACKGROUND else step.kind


def dice_of(sight: Sight) -> dict[str, float | None]:
    """Dice of the structures that are compared."""
    return {each.name: dice(sight.labels, sight.expert, each) for each in sorted(sight.compared)}
