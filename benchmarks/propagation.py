"""How near label maps come to an expert's that were carried along with the heart: through phases, to the next slice.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/propagation.py --acdc ACDC_FOLDER --scd SCD_FOLDER
        [--patients 3] [--slices 5] [--models models]

Needs scikit-image beside the program, for what it is compared with. Three tables, all as Dice in % against the expert:

1. One step from end-diastole to end-systole and back, where there is nothing between (ACDC): the expert's label map of
   the one phase, carried to the other by several ways of finding the motion.
2. The same two phases through all that lie between, in a full cine (SCD; the expert drew LV endocardia): chained steps
   by each way, and `review.propagate` with and without the model's share. "Area" is that of the result over the
   expert's. "Round" is the label map of end-diastole carried once round the cycle, against itself.
3. The expert's label map of a slice copied to its neighbour (ACDC): plain, by a random walker between its eroded inside
   and its dilated outside, and by `review.propagate`.

Means over frames; frames where the expert drew the structure in both.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its usual name
from scipy import ndimage

from cmr_viewer.analyse import analyse, load_models
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import box_around, dice
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.load.datasets import find_labelled
from cmr_viewer.reading.offers import cycle_of
from cmr_viewer.review.click import random_walk
from cmr_viewer.review.motion import LARGE_STEP, SMALL_STEP, find_motion, grey_between
from cmr_viewer.review.outlines import has_closed_ring
from cmr_viewer.review.propagate import (
    AROUND_MM,
    SliceCine,
    chained,
    fields_of,
    labels_of,
    moved,
    propagate,
    refined_copy,
)

Way = Callable[[np.ndarray, np.ndarray], np.ndarray]


def none(target, source):
    return np.zeros((2, *target.shape), np.float32)


def tv_l1(target, source):
    from skimage.registration import optical_flow_tvl1

    return optical_flow_tvl1(target, source, dtype=np.float32)


def lucas_kanade(target, source):
    from skimage.registration import optical_flow_ilk

    return optical_flow_ilk(target, source, radius=7, dtype=np.float32)


def b_spline(target, source):
    fixed, moving = sitk.GetImageFromArray(target), sitk.GetImageFromArray(source)
    found = sitk.BSplineTransformInitializer(fixed, [8, 8])
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsLBFGSB(numberOfIterations=30)
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(found, True)
    method.SetNumberOfThreads(1)
    field = sitk.TransformToDisplacementField(
        method.Execute(fixed, moving), sitk.sitkVectorFloat64, fixed.GetSize(), fixed.GetOrigin(), fixed.GetSpacing()
    )
    return np.moveaxis(sitk.GetArrayFromImage(field), -1, 0)[::-1].astype(np.float32)


def demons(effort) -> Way:
    return lambda target, source: find_motion(target, source, effort)


def box_of(labels, spacing):
    return box_around(labels > 0, round(AROUND_MM / min(spacing)))


def carried(labels, motion, spacing):
    return labels_of(moved(fields_of(labels, spacing), motion), closed=has_closed_ring(labels))


def scores(found, expert, before, structures=STRUCTURES):
    return [
        dice(found, expert, label) if (expert == label).any() and (before == label).any() else np.nan
        for label in structures
    ]


def percent(values) -> str:
    return " / ".join(f"{100 * each:.1f}" for each in np.nanmean(np.asarray(values, dtype=float), axis=0))


def one_step(cases) -> None:
    ways = {
        "plain copy": none,
        "demons, large step (the program's)": demons(LARGE_STEP),
        "TV-L1 (scikit-image)": tv_l1,
        "Lucas-Kanade (scikit-image)": lucas_kanade,
        "B-spline (SimpleITK)": b_spline,
    }
    frames = []
    for case in cases:
        ed, es = case.phases[:2]
        pixels, spacing = case.study.stack.pixels, case.study.stack.geometry.pixel_spacing_mm
        for number in range(case.study.stack.slices):
            for first, second in ((ed, es), (es, ed)):
                before, after = case.labels[first, number], case.labels[second, number]
                if before.any() and after.any():
                    box = box_of(before, spacing)
                    grey = grey_between(np.stack([pixels[second, number][box], pixels[first, number][box]]))
                    frames.append((first == ed, grey, before[box], after[box], spacing))
    print(f"1. One step, ACDC, {len(cases)} patients, {len(frames)} frames. LVBP / LVM / RVBP\n")
    print("| way | ED to ES | ES to ED | ms of one core |\n|---|---|---|---|")
    for name, way in ways.items():
        found, spent = [], 0.0
        for forward, grey, before, after, spacing in frames:
            began = time.process_time()
            motion = way(grey[0], grey[1])
            spent += time.process_time() - began
            found.append((forward, scores(carried(before, motion, spacing), after, before)))
        there = percent([each for forward, each in found if forward])
        back = percent([each for forward, each in found if not forward])
        print(f"| {name} | {there} | {back} | {1000 * spent / len(frames):.0f} |", flush=True)


def cine_cases(folder: Path, slices: int):
    """Per slice with both contours: cine, ED, ES, label maps of the two, which source."""
    for source in find_labelled(folder):
        case = source.read()
        stack = case.study.stack
        times, cycle = cycle_of(stack)
        ed = next(phase for phase in case.phases if Label.LVM in case.phase_structures[phase])
        es = next(phase for phase in case.phases if phase != ed)
        both = [n for n in range(stack.slices) if case.labels[ed, n].any() and case.labels[es, n].any()]
        for number in [both[round(each)] for each in np.linspace(0, len(both) - 1, min(slices, len(both)))]:
            pixels = np.asarray(stack.pixels[:, number])
            cine = SliceCine(pixels, times, cycle, stack.geometry.pixel_spacing_mm)
            yield case, number, cine, ed, es


def walked(cine: SliceCine, labels, first: int, last: int, way: Way, *, held: bool = False):
    """Chained steps from a phase on to another, forwards; round the cycle where they are the same.

    Held to the start, what was reached is compared with the first phase after each step."""
    box = box_of(labels, cine.spacing_mm)
    grey = grey_between(cine.pixels[(slice(None), *box)])
    whole, phase, steps = none(grey[0], grey[0]), first, 0
    while steps == 0 or phase != last:
        following = (phase + 1) % len(grey)
        whole = chained(whole, way(grey[following], grey[phase]))
        if held:
            whole = chained(whole, way(grey[following], moved(grey[first][None], whole)[0]))
        phase, steps = following, steps + 1
    result = np.zeros_like(labels)
    result[box] = carried(labels[box], whole, cine.spacing_mm)
    return result


def through_the_cine(folder: Path, slices: int, models: Path) -> None:
    chosen = json.loads((models / "active.json").read_text())
    loaded = load_models({Role(role): models / name for role, name in chosen.items() if name})
    cases = list(cine_cases(folder, slices))
    drawn: dict[tuple[int, FrameIndex], np.ndarray] = {}
    for case in {id(each[0]): each[0] for each in cases}.values():
        wanted = [FrameIndex(phase, number) for phase in case.phases for number in range(case.study.stack.slices)]
        for result in analyse(case.study.stack, loaded, order=wanted):
            if result.prediction is not None:
                drawn[id(case), result.frame] = result.prediction.labels

    def program(cine, labels, first, last):
        return propagate(cine, {first: labels}, [last])[last]

    table = {
        "plain copy": lambda cine, labels, first, last: labels,
        "demons, chained": lambda *given: walked(*given, demons(SMALL_STEP)),
        "TV-L1, chained": lambda *given: walked(*given, tv_l1),
        "Lucas-Kanade, chained": lambda *given: walked(*given, lucas_kanade),
        "demons, chained and held to the start": lambda *given: walked(*given, demons(SMALL_STEP), held=True),
        "the same, both ways round (the program's)": program,
    }
    print(f"\n2. Through the cine, SCD, {len(cases)} slices of {len(cases[0][2].pixels)} phases. LVBP\n")
    print(
        "| way | ED to ES | area | ES to ED | area | round: LVBP / LVM | s of one core |\n|---|---|---|---|---|---|---|"
    )

    def row(name, way, *, rounds=True):
        there, back, around, areas, spent = [], [], [], ([], []), 0.0
        for case, number, cine, ed, es in cases:
            for kept, area, first, last in ((there, areas[0], ed, es), (back, areas[1], es, ed)):
                before, after = case.labels[first, number], case.labels[last, number]
                began = time.process_time()
                found = way(case, number, cine, before, first, last)
                spent += time.process_time() - began
                kept.append(scores(found, after, before, (Label.LVBP,)))
                area.append((found == Label.LVBP).sum() / (after == Label.LVBP).sum())
            if rounds and (case.labels[ed, number] == Label.LVM).any():
                labels = case.labels[ed, number]
                found = way(case, number, cine, labels, ed, ed)
                around.append(scores(found, labels, labels, (Label.LVBP, Label.LVM)))
        of_round = percent(around) if around else ""
        print(
            f"| {name} | {percent(there)} | {np.mean(areas[0]):.2f} | {percent(back)} | {np.mean(areas[1]):.2f} | "
            f"{of_round} | {spent / (2 * len(cases)):.1f} |",
            flush=True,
        )

    for name, way in table.items():
        rounds = way is not program
        row(name, lambda case, number, *given, way=way: way(*given), rounds=rounds)

    def model(case, number, cine, labels, first, last):
        return drawn[id(case), FrameIndex(last, number)]

    def shared(case, number, cine, labels, first, last):
        return propagate(cine, {first: labels}, [last], drawn={last: model(case, number, cine, labels, first, last)})[
            last
        ]

    row("the models alone", model, rounds=False)
    row("the program's, with the models' share", shared, rounds=False)


def whole_slice(folder: Path) -> None:
    case, number, cine, ed, _ = next(cine_cases(folder, 3))
    told: list[float] = []
    began = time.process_time()
    made = propagate(cine, {ed: case.labels[ed, number]}, range(len(cine.pixels)), progress=lambda *_: told.append(0))
    print(f"\nAll {len(made)} other phases of a slice: {time.process_time() - began:.1f} s of one core.")


def by_random_walk(labels, pixels, spacing):
    """Between what is deep inside each structure of the copy and what is far outside."""
    box = box_of(labels, spacing)
    part, grey = labels[box], grey_between(pixels[box])
    near = np.min(np.abs(fields_of(part, spacing)), axis=0)
    marks = np.where(near > 3.0, part, -1).astype(np.int8)
    soft = np.stack([ndimage.gaussian_filter((part == code).astype(float), 1.5 / spacing[0]) for code in range(4)])
    prior = ((soft + 1e-3) / (soft + 1e-3).sum(axis=0)).astype(np.float32)
    chances = random_walk(grey, marks, prior, edge=0.12, belief=np.full(grey.shape, 0.05, np.float32))
    result = np.zeros_like(labels)
    result[box] = np.argmax(chances, axis=0)
    return result


def to_the_next_slice(cases) -> None:
    ways = {
        "plain copy": lambda labels, source, target, spacing: labels,
        "random walker": lambda labels, source, target, spacing: by_random_walk(labels, target, spacing),
        "refined (the program's)": refined_copy,
    }
    found: dict[str, list] = {name: [] for name in ways}
    spent = dict.fromkeys(ways, 0.0)
    for case in cases:
        pixels, spacing = case.study.stack.pixels, case.study.stack.geometry.pixel_spacing_mm
        for phase in case.phases:
            for number in range(case.study.stack.slices):
                for beside in (number - 1, number + 1):
                    if not 0 <= beside < case.study.stack.slices:
                        continue
                    before, after = case.labels[phase, beside], case.labels[phase, number]
                    if not before.any() or not after.any():
                        continue
                    for name, way in ways.items():
                        began = time.process_time()
                        made = way(before, pixels[phase, beside], pixels[phase, number], spacing)
                        spent[name] += time.process_time() - began
                        found[name].append(scores(made, after, before))
    count = len(found["plain copy"])
    plain = np.nanmean(np.asarray(found["plain copy"], dtype=float), axis=1)
    print(f"\n3. From a slice to the next, ACDC, {len(cases)} patients, {count} frames. LVBP / LVM / RVBP\n")
    print("| way | Dice | better than the plain copy | ms of one core |\n|---|---|---|---|")
    for name, values in found.items():
        better = np.mean(np.nanmean(np.asarray(values, dtype=float), axis=1) > plain)
        print(f"| {name} | {percent(values)} | {100 * better:.0f} % | {1000 * spent[name] / count:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--acdc", type=Path, required=True)
    parser.add_argument("--scd", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=3)
    parser.add_argument("--slices", type=int, default=5)
    parser.add_argument("--models", type=Path, default=Path("models"))
    chosen = parser.parse_args()
    sources = find_labelled(chosen.acdc)
    step = max(1, len(sources) // chosen.patients)
    cases = [source.read() for source in sources[step // 2 :: step][: chosen.patients]]
    one_step(cases)
    through_the_cine(chosen.scd, chosen.slices, chosen.models)
    whole_slice(chosen.scd)
    to_the_next_slice(cases)


if __name__ == "__main__":
    main()
