"""What a reader does next: of the steps that are possible, the one that mends most for its time.

A reader who sees where an outline departs from the one that is wanted judges what each tool would mend there. Here that
judgement is made with rulers: outlines as distances from the middle along rays, and what a step would make of those. It
knows nothing of how the program does it; whether a step was good is seen afterwards.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from benchmarks.scripted import pace
from benchmarks.scripted.eyes import (
    ANGLES,
    Rays,
    Run,
    directions,
    enclosed,
    middle_of,
    on_ray,
    radii,
    runs,
)
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, dice

Point = tuple[float, float]

TARGETS = {Label.LVBP: 0.97, Label.LVM: 0.92}
"""Dice at which a reader leaves a structure."""

TOOLS = {"pull": "contour", "redraw": "contour", "draw": "contour", "click": "click", "stroke": "brush"}
"""The tool that a kind of step is done with; the others are keys alone."""

LEAST_GAIN_PX = 5.0
"""A step that would mend fewer pixels of the frame is not worth the while."""

USUAL_PX_PER_S = 5.0
"""Wrong pixels that a reader mends in a second, all in all."""

_DEPARTS_PX = 0.5
_HAND_PX = 0.35
_BESIDE_PX = 13.0
_CLICK_REACH_PX, _CLICK_REACH, _CLICK_MENDS = 3.0, 1.5, 0.7
_RADII = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0)
_REACHES = (2.0, 3.0, 4.0, 6.0, 8.0)
_PULL_REACH = 3.0


@dataclass(frozen=True)
class Sight:
    """What a reader has before them.

    Attributes:
        labels: (row, col) label map on show.
        expert: (row, col) the one that is wanted.
        compared: Structures that the expert drew in this frame.
        zoom: Screen pixels for a pixel of the frame.
        tool: In hand.
        label: Chosen.
        radius_px: Of the brush.
        beside: By the key that copies from there: label maps of the frames beside this one that are done.
    """

    labels: LabelMap
    expert: LabelMap
    compared: frozenset[Label]
    zoom: float
    tool: str
    label: Label
    radius_px: float
    beside: Mapping[str, LabelMap] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        kind: "grow", "shrink", "nudge", "copy", "pull", "redraw", "draw", "click", "remove", "stroke".
        label: The label that is chosen for it; BACKGROUND for a stroke that erases.
        line: (row, col) where the pointer goes.
        times: How often a key is pressed; negative for the opposite.
        keys: The key.
        radius_px: Radius of the brush for it; None where it does not matter.
        inside: Whether a click says inside.
        gain_px: What it is expected to mend.
        seconds: What it is expected to take.
    """

    kind: str
    label: Label
    line: tuple[Point, ...] = ()
    times: int = 0
    keys: str = ""
    radius_px: float | None = None
    inside: bool = True
    gain_px: float = 0.0
    seconds: float = 1.0

    @property
    def mark(self) -> tuple[object, ...]:
        """What a reader remembers of a step that did not help."""
        at = tuple(round(each / 4) for each in self.line[len(self.line) // 2]) if self.line else ()
        return self.kind, self.label, self.keys, self.inside, at


def done(sight: Sight) -> bool:
    """Whether every structure that is compared is as good as wanted."""
    found = [(dice(sight.labels, sight.expert, each), TARGETS[each]) for each in sight.compared]
    return all(value is None or value >= target for value, target in found)


def next_step(sight: Sight, *, with_tools: bool, tried: Set[tuple[object, ...]]) -> Step | None:
    """The step that leaves least to do; None where none is worth the while.

    What a step leaves is judged by its time and by the time that what is left would take at `USUAL_PX_PER_S`. More than
    the target wants is not counted.
    """
    lacking = lacking_px(sight)
    found = [each for each in possible_steps(sight, with_tools=with_tools) if each.mark not in tried]
    worth = [each for each in found if each.gain_px >= LEAST_GAIN_PX]
    return max(worth, key=lambda each: min(each.gain_px, 1.2 * lacking) - USUAL_PX_PER_S * each.seconds, default=None)


def lacking_px(sight: Sight) -> float:
    """Wrong pixels that have to be mended until every structure is as good as wanted, about."""
    lacking = 0.0
    for label in sight.compared:
        value = dice(sight.labels, sight.expert, label)
        size = int((sight.labels == int(label)).sum() + (sight.expert == int(label)).sum())
        lacking += 0.0 if value is None else max(0.0, TARGETS[label] - value) * size
    return max(lacking, LEAST_GAIN_PX)


def possible_steps(sight: Sight, *, with_tools: bool) -> Iterator[Step]:
    """All steps that come to mind."""
    for label in sorted(sight.compared):
        value = dice(sight.labels, sight.expert, label)
        sides = [label] if label is Label.LVBP else [Label.LVBP, Label.LVM]
        if value is not None and value >= TARGETS[label]:
            continue
        for side in sides:
            yield from _steps_at(sight, side, with_tools=with_tools)


def _steps_at(sight: Sight, label: Label, *, with_tools: bool) -> Iterator[Step]:
    shown, wanted = enclosed(sight.labels, label), enclosed(sight.expert, label)
    if not wanted.any():
        if shown.any():
            yield _remove(sight, label, with_tools=with_tools)
        return
    centre = middle_of(wanted)
    now, goal = radii(shown, centre), radii(wanted, centre)
    if with_tools:
        if shown.any():
            yield from _uniform(sight, label, now, goal)
            yield from _pulls(sight, label, centre, now, goal)
            yield from _redraws(sight, label, centre, now, goal)
        yield from _clicks(sight, label)
        yield from _copies(sight, label, centre, now, goal)
        yield _draw(sight, label, centre, now, goal)
    yield from _strokes(sight, label, centre, now, goal)


def _wrong(now: Rays, goal: Rays) -> float:
    return float((0.5 * np.abs(goal**2 - now**2)).sum() * 2 * np.pi / ANGLES)


def _remove(sight: Sight, label: Label, *, with_tools: bool) -> Step:
    shown = enclosed(sight.labels, label)
    if with_tools:
        return _timed(sight, Step("remove", label, keys="Shift+Del", times=1, gain_px=float(shown.sum())))
    centre = middle_of(shown)
    reach = radii(shown, centre)
    wide = next((each for each in _RADII if each >= reach.max() / 2), _RADII[-1])
    line = tuple(on_ray(centre, number, max(0.0, reach[number % ANGLES] - wide)) for number in range(0, ANGLES + 9, 6))
    return _timed(sight, Step("stroke", Label.BACKGROUND, (*line, centre), radius_px=wide, gain_px=float(shown.sum())))


def _uniform(sight: Sight, label: Label, now: Rays, goal: Rays) -> Iterator[Step]:
    """Grow, shrink and nudge: the same all round, or all to one side."""
    wrong = _wrong(now, goal)
    by = round(float(np.median(goal - now)))
    if by:
        kind, key = ("grow", ".") if by > 0 else ("shrink", ",")
        gain = wrong - _wrong(np.maximum(now + by, 0), goal)
        yield _timed(sight, Step(kind, label, keys=key, times=abs(by), gain_px=gain))
    down, right = directions()
    for along, keys in ((down, ("Alt+Down", "Alt+Up")), (right, ("Alt+Right", "Alt+Left"))):
        steps = round(2 * float(((goal - now) * along).mean()))
        if steps:
            gain = wrong - _wrong(np.maximum(now + steps * along, 0), goal)
            yield _timed(sight, Step("nudge", label, keys=keys[steps < 0], times=abs(steps), gain_px=gain))


def _pulls(sight: Sight, label: Label, centre: Point, now: Rays, goal: Rays) -> Iterator[Step]:
    """Pull the contour where it departs most, over as long a part as fits."""
    wrong, departs = _wrong(now, goal), goal - now
    steps = np.hypot(np.diff(np.append(now, now[0])), now * 2 * np.pi / ANGLES)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    for run in runs(now, goal, _DEPARTS_PX)[:5]:
        for at in run.rays[:: max(1, run.count // 6)].tolist():
            apart = np.abs(along[:-1] - along[at])
            apart = np.minimum(apart, along[-1] - apart)
            best: Step | None = None
            for radius in {sight.radius_px, *_REACHES}:
                reach = min(max(_PULL_REACH * radius, 1.5 * abs(departs[at])), along[-1] / 2)
                share = np.clip(1.0 - (apart / reach) ** 2, 0.0, 1.0) ** 2 * np.cos(angle - angle[at])
                gain = wrong - _wrong(np.maximum(now + departs[at] * share, 0), goal)
                line = (on_ray(centre, at, now[at]), on_ray(centre, at, goal[at]))
                step = _timed(sight, Step("pull", label, line, radius_px=radius, gain_px=gain))
                if best is None or step.gain_px / step.seconds > best.gain_px / best.seconds:
                    best = step
            if best is not None:
                yield best


def _redraws(sight: Sight, label: Label, centre: Point, now: Rays, goal: Rays) -> Iterator[Step]:
    """Draw a part of the contour anew; the stroke begins beside the line, as at the line it would pull it."""
    off = _BESIDE_PX / sight.zoom
    for run in runs(now, goal, _DEPARTS_PX)[:4]:
        if run.count >= ANGLES - 20:
            continue
        first = int(run.rays[0])
        start = on_ray(centre, first, now[first] + (off if run.missing else -off))
        rays = [*run.rays.tolist()[2::3], int(run.rays[-1])]
        line = (start, *(on_ray(centre, ray, goal[ray]) for ray in rays))
        hand = _HAND_PX * float(goal[run.rays].sum()) * 2 * np.pi / ANGLES + 2.0
        yield _timed(sight, Step("redraw", label, line, gain_px=run.area_px - hand))


def _copies(sight: Sight, label: Label, centre: Point, now: Rays, goal: Rays) -> Iterator[Step]:
    """Take the outline over from a frame beside this one."""
    for keys, labels in sight.beside.items():
        there = enclosed(labels, label)
        if there.any():
            gain = _wrong(now, goal) - _wrong(radii(there, centre), goal)
            yield _timed(sight, Step("copy", label, keys=keys, times=1, gain_px=gain))


def _draw(sight: Sight, label: Label, centre: Point, now: Rays, goal: Rays) -> Step:
    """Draw the contour anew, all of it."""
    line = tuple(on_ray(centre, number, goal[number % ANGLES]) for number in range(0, ANGLES - 2, 3))
    hand = _HAND_PX * float(goal.sum()) * 2 * np.pi / ANGLES
    return _timed(sight, Step("draw", label, line, gain_px=_wrong(now, goal) - hand))


def _clicks(sight: Sight, label: Label) -> Iterator[Step]:
    """Say inside or outside in the middle of a piece that is wrong."""
    shown, wanted = sight.labels == int(label), sight.expert == int(label)
    if label not in sight.compared or (label is Label.LVM and not shown.any()):
        return
    for wrong, inside in ((wanted & ~shown, True), (shown & ~wanted, False)):
        pieces, count = ndimage.label(wrong)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        for number in np.argsort(-sizes)[:2].tolist() if count else []:
            depth = ndimage.distance_transform_edt(np.pad(pieces == number + 1, 1))[1:-1, 1:-1]
            row, col = np.unravel_index(int(depth.argmax()), depth.shape)
            if sizes[number] >= 25 and depth.max() >= 2.0:
                reach = max(_CLICK_REACH_PX, _CLICK_REACH * float(depth.max()))
                rows, cols = np.nonzero(pieces == number + 1)
                near = int((np.hypot(rows - row, cols - col) <= reach).sum())
                step = Step("click", label, ((float(row), float(col)),), inside=inside, gain_px=_CLICK_MENDS * near)
                yield _timed(sight, step, size_px=2 * float(depth.max()) * sight.zoom)


def _strokes(sight: Sight, label: Label, centre: Point, now: Rays, goal: Rays) -> Iterator[Step]:
    """Paint along the wanted outline, on the side that is wrong: a part of it, or once round."""
    lvm = Label.LVM in sight.compared
    pool = radii(enclosed(sight.expert, Label.LVBP), centre)
    skin = radii(enclosed(sight.expert, Label.LVM), centre) if lvm else pool + 2 * _RADII[-1]
    whole = label is Label.LVM and not (sight.labels == int(Label.LVM)).any()
    if whole:  # what lies inside is painted over afterwards
        pool = np.zeros(ANGLES)
    elif label is Label.LVM:
        now = np.maximum(now, np.minimum(pool, goal))
    found = runs(now, goal, _DEPARTS_PX)
    for missing in (True, False):
        mine = [run for run in found if run.missing is missing]
        if len(mine) > 1:
            area, depth = sum(run.area_px for run in mine), max(run.depth_px for run in mine)
            mine.append(Run(0, ANGLES, missing, area, depth))
        for run in mine[:4] + mine[-1:]:
            paint, side = _paint_for(sight, label, centre, goal, run)
            room = {
                (Label.LVBP, True): goal[run.rays],
                (Label.LVBP, False): (skin - pool)[run.rays] / 2,
                (Label.LVM, True): (goal - pool)[run.rays] / (1 if whole else 2),
                (Label.LVM, False): np.full(run.count, _RADII[-1]),
            }[label, missing].min()
            for radius in {sight.radius_px, *_RADII}:
                if radius > max(room, 1.0) or radius > max(3.0, run.depth_px / 2 + 1.0):
                    continue
                covered = float(np.minimum(np.abs(goal - now)[run.rays], 2 * radius).sum())
                share = covered / max(float(np.abs(goal - now)[run.rays].sum()), 1e-9)
                rays = [*run.rays.tolist(), int(run.rays[-1]) + 1][:: 3 if run.count > 9 else 1]
                line = tuple(on_ray(centre, ray, max(0.0, goal[ray % ANGLES] + side * radius)) for ray in rays)
                spoiled = 0.25 * run.count / ANGLES * 2 * np.pi * float(goal[run.rays].mean())
                gain = share * run.area_px - spoiled
                yield _timed(sight, Step("stroke", paint, line, radius_px=radius, gain_px=gain))


def _paint_for(sight: Sight, label: Label, centre: Point, goal: Rays, run: Run) -> tuple[Label, float]:
    """The label to paint with, and on which side of the wanted outline: -1 inside, +1 outside."""
    if run.missing:
        return label, -1.0
    if label is Label.LVBP:
        return Label.LVM, 1.0
    places = np.round([on_ray(centre, ray, goal[ray] + run.depth_px + 2.0) for ray in run.rays.tolist()]).astype(int)
    places = np.clip(places, 0, np.array(sight.labels.shape) - 1)
    beside = sight.labels[places[:, 0], places[:, 1]]
    return (Label.RVBP if (beside == int(Label.RVBP)).mean() > 0.5 else Label.BACKGROUND), 1.0


def _timed(sight: Sight, step: Step, size_px: float | None = None) -> Step:
    """The step with the seconds that a person takes for it."""
    effort = pace.Effort()
    effort.look()
    effort.press_keys(keys_before(sight, step))
    if step.kind in ("grow", "shrink"):
        effort.press_keys(step.times)
    elif step.kind in ("nudge", "remove", "copy"):
        effort.press_keys(2 * step.times)
    else:
        line = [(col * sight.zoom, row * sight.zoom) for row, col in step.line]
        effort.point(150.0, size_px or target_px(step, sight.zoom))
        if step.kind == "click":
            effort.click()
        else:
            effort.draw(line, sight.zoom)
    return replace(step, seconds=effort.hand_s + effort.mental_s)


def target_px(step: Step, zoom: float) -> float:
    """How large the place is, on the screen, where the pointer has to go."""
    return 16.0 if step.kind == "pull" else 2.0 * zoom


def keys_before(sight: Sight, step: Step) -> int:
    """Keys to press before a step: the tool, the label, the size of the brush."""
    tool = TOOLS.get(step.kind, sight.tool)
    keys = int(tool != sight.tool)
    keys += int(step.label is not sight.label and step.label is not Label.BACKGROUND)
    keys += int(step.kind == "draw")
    if step.radius_px is not None:
        keys += abs(radius_presses(sight.radius_px, step.radius_px))
    return keys


def radius_presses(now: float, wanted: float) -> int:
    """How often the brush is made larger (or, negative, smaller): half pixels below 6, whole ones from there on."""

    def place(radius: float) -> float:
        return 2 * radius if radius <= 6 else 12 + (radius - 6)

    return round(place(wanted) - place(now))
