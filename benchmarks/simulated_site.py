"""A simulated site: patients that no model has seen, a reader who corrects to the reference, and what learning gains.

    python benchmarks/simulated_site.py run SITE FOLDER... --output FILE.json [--patients 0,5,10,20,40] [--test 40]
        [--frames N] [--order queue|random] [--roles base,apex,middle,baseline,classifier] [--set NAME=VALUE ...]
        [--judge N] [--old FOLDER ...]
    python benchmarks/simulated_site.py report FILE.json...

Sites, each with the patients of the FOLDERs that no model in use was trained or chosen on:

    as-is       as they are: a data set that the models were not trained on
    contrast    every stack with another contrast curve, a field of brightness and fewer pixels, the same for all
    convention  the most basal labelled slice of each phase is not labelled: this site begins one slice further down

`run` analyses patients with the models in use, accepts the reference as the correction, and trains on the first 5, 10,
20, 40 of them, each time from the shipped models, with the program's own recipe; then it segments the test patients as
the program does. `--frames` lets the reader correct so many frames of each patient alone, those that the review queue
puts first, or random ones. `--judge N` also lets the gate judge at N patients, by cross-fit. `--old` names data sets
whose validation patients show what is forgotten. `report` prints tables in Markdown.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the program itself, before torch is imported
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.analyse import Models, analyse, by_frame, load_models, own_flow
from cmr_viewer.commands.import_labels import import_stack
from cmr_viewer.domain.anatomy import STRUCTURES, Region, reference_regions
from cmr_viewer.domain.label_map import dice
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.learn import Guards, read_lesson, retrain
from cmr_viewer.load.datasets import LabelledStack, find_labelled
from cmr_viewer.networks.device import choose_device
from cmr_viewer.prepare.plan import read_plan
from cmr_viewer.promote.gate import decide
from cmr_viewer.reading.stakes import FrameSnapshot, Memory, Snapshot, stakes_of_frames
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.guard import GUARD_FILE, read_guard
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.train.retrain import retraining_spec
from cmr_viewer.train.samples import TrainingData
from cmr_viewer.train.split import hash_of, read_split
from cmr_viewer.train.train_model import refine_model

ROOT = Path(__file__).resolve().parents[1]
ROLES = (Role.BASE, Role.APEX, Role.MIDDLE, Role.BASELINE, Role.CLASSIFIER)
HEART = (Region.BASE, Region.MIDDLE, Region.APEX)


def with_contrast(labelled: LabelledStack) -> LabelledStack:
    """As another scanner would show it: shadows darker, a bright corner, less resolution."""
    stack = labelled.study.stack
    pixels = stack.pixels.astype(np.float32)
    low, high = np.percentile(pixels, (0.5, 99.5))
    shown = np.clip((pixels - low) / max(1e-6, float(high - low)), 0, 1) ** 1.8
    rows, cols = (np.linspace(-1, 1, n, dtype=np.float32) for n in shown.shape[2:])
    shown = shown * np.exp(0.6 * rows[:, None] - 0.4 * cols[None, :])
    shown = ndimage.gaussian_filter(shown, (0, 0, 0.9, 0.9))
    new = replace(stack, pixels=np.round(1000 * shown).astype(np.uint16))
    return replace(labelled, study=replace(labelled.study, stacks=(new,)))


def with_convention(labelled: LabelledStack) -> LabelledStack:
    """Without the labels of the most basal slice of each phase."""
    labels = labelled.labels.copy()
    for phase in labelled.phases:
        present = [s for s, one in enumerate(labels[phase]) if one.any()]
        if len(present) > 4:
            labels[phase, present[0]] = 0
    return replace(labelled, labels=labels)


CHANGES = {"as-is": lambda labelled: labelled, "contrast": with_contrast, "convention": with_convention}


def patients_of(folders: Sequence[Path], site: str, models: Path) -> list[tuple[str, list[LabelledStack]]]:
    """The patients that no model in use has seen and that do not guard, in the order of a hash of their names."""
    plans = [read_plan(entry.folder).training for entry in ModelRegistry(models, None).active_all().values()]
    seen = {name for plan in plans for part in ("patients", "validation_patients") for name in plan.get(part, ())}
    seen |= {one.patient_key.removeprefix("guard-") for one in read_guard(models / GUARD_FILE)}
    found: dict[str, list[LabelledStack]] = {}
    for folder in folders:
        for source in find_labelled(folder):
            if source.name not in seen:
                found.setdefault(source.name, []).append(CHANGES[site](source.read()))
    return sorted(found.items(), key=lambda one: hash_of(one[0]))


def to_correct(labelled: LabelledStack, models: Models, count: int, order: str, rng: Any) -> set[FrameIndex]:
    """The frames that a reader corrects who has time for so many of a patient."""
    stack = labelled.study.stack
    frames = [FrameIndex(p, s) for p in labelled.phases for s in range(stack.slices)]
    if order == "random":
        return {frames[i] for i in rng.permutation(len(frames))[:count]}
    regions, made = by_frame(analyse(stack, models))
    shown = {f: FrameSnapshot(regions[f].region, False, regions[f], made[f].model_id, False, None) for f in regions}
    snapshot = Snapshot(
        changed={f: (made[f].labels, regions[f].region) for f in regions},
        frames=shown,
        known={},
        ed=labelled.phases[0],
        es=labelled.phases[-1],
        slice_ml=np.full(stack.slices, 0.01),
    )
    *_, last = stakes_of_frames(Memory(), own_flow(), stack, models, None, snapshot, lambda _f, _t: None)
    return set(sorted(frames, key=lambda f: -last.stakes[f].ml)[:count])


def rows_of(name: str, labelled: LabelledStack, models: Models) -> Iterator[dict[str, Any]]:
    """Each labelled frame of a stack as the program serves it, beside the reference."""
    stack = labelled.study.stack
    regions, made = by_frame(analyse(stack, models))
    for phase in labelled.phases:
        known = sorted(labelled.phase_structures[phase])
        reference = reference_regions([bool(one.any()) for one in labelled.labels[phase]])
        for s in range(stack.slices):
            true, drawn = labelled.labels[phase, s], made[FrameIndex(phase, s)].labels
            yield {
                "patient": name,
                "phase": phase,
                "region": reference[s].value,
                "found": regions[FrameIndex(phase, s)].region.value,
                "dice": {k.name: round(dice(drawn, true, k) or 0.0, 4) for k in known if (true == k).any()},
                "marked": bool(np.isin(drawn, known).any()),
                "cavity": [int((drawn == STRUCTURES[0]).sum()), int((true == STRUCTURES[0]).sum())],
            }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of a set of rows; Dice over frames, in points."""
    found: dict[str, Any] = {"patients": len({r["patient"] for r in rows}), "frames": len(rows)}
    for region in HEART:
        here = [r for r in rows if r["region"] == region.value]
        by_label = {
            k.name: [r["dice"][k.name] for r in here if k.name in r["dice"]] for k in STRUCTURES
        }  # fmt: skip
        found[region.value] = {name: round(100 * float(np.mean(v)), 1) for name, v in by_label.items() if v}
        found[f"empty {region.value}"] = [sum(not r["marked"] for r in here), len(here)]
    outside = [r["marked"] for r in rows if r["region"] == Region.NON_CARDIAC.value]
    found["wrongly marked"] = [sum(outside), len(outside)]
    found["regions"] = round(100 * float(np.mean([r["region"] == r["found"] for r in rows])), 1)
    errors = list(_ef_errors(rows))
    found["LVEF error"] = round(float(np.mean(np.abs(errors))), 2) if errors else None
    return found


def _ef_errors(rows: list[dict[str, Any]]) -> Iterator[float]:
    for patient in dict.fromkeys(r["patient"] for r in rows):
        by_phase: dict[int, NDArray[np.int64]] = {}
        for r in rows:
            if r["patient"] == patient:
                by_phase[r["phase"]] = by_phase.get(r["phase"], np.zeros(2, np.int64)) + np.array(r["cavity"])
        if len(by_phase) == 2 and all(volumes.all() for volumes in by_phase.values()):
            largest = np.max(list(by_phase.values()), axis=0)
            smallest = np.min(list(by_phase.values()), axis=0)
            found, true = 100 * (1 - smallest / largest)
            yield float(found - true)


def run(arguments: argparse.Namespace) -> None:
    """Simulate a site and write the figures."""
    shipped, roles = arguments.models, [Role(name) for name in arguments.roles.split(",")]
    in_use = {role: entry.folder for role, entry in ModelRegistry(shipped, None).active_all().items()}
    models = load_models(in_use)
    everyone = patients_of(arguments.folders, arguments.site, shipped)
    test, learning = everyone[: arguments.test], everyone[arguments.test :]
    old = [
        (source.name, [source.read()])
        for folder in arguments.old
        for source in find_labelled(folder)
        if read_split(ROOT / "docs" / "results" / "split.json").part_of(source.name) == "validation"
    ]
    changes = {name: json.loads(value) for name, value in (one.split("=") for one in arguments.set)}
    rng = np.random.default_rng(0)
    written: dict[str, Any] = {
        "site": arguments.site,
        "data": [folder.name for folder in arguments.folders],
        "order": arguments.order if arguments.frames else "all frames",
        "frames": arguments.frames,
        "changes": changes,
        "steps": [],
    }
    with tempfile.TemporaryDirectory() as place:
        workspace, read = Path(place) / "workspace", 0
        for count in (int(n) for n in arguments.patients.split(",")):
            with open_workspace(workspace, reader="simulated") as opened:
                for name, stacks in learning[read:count]:
                    for one in stacks:
                        few = (
                            to_correct(one, models, arguments.frames, arguments.order, rng)
                            if arguments.frames
                            else None
                        )
                        import_stack(opened, one, name, models, few)
            read = max(read, count)
            folders, seconds, judged = dict(in_use), {}, {}
            for role in roles if count else ():
                began = time.perf_counter()
                folder = Path(place) / f"{role.value}-{count}"
                if count == arguments.judge:
                    made = retrain(workspace, role, folder, model_id=folder.name, shipped=shipped, changes=changes)
                    verdict = decide(made, ())
                    judged[role.value] = verdict.as_json()
                else:
                    learn(workspace, role, folder, shipped, changes, folders)
                seconds[role.value] = round(time.perf_counter() - began)
                folders[role] = folder
            served = load_models(folders)
            step: dict[str, Any] = {"patients": count, "seconds": seconds, "verdicts": judged}
            print(json.dumps(step), flush=True)
            step["site"] = summary([r for name, stacks in test for one in stacks for r in rows_of(name, one, served)])
            if old:
                step["old"] = summary([r for name, stacks in old for one in stacks for r in rows_of(name, one, served)])
            if judged:
                better = {r: folders[r] for r in roles if judged[r.value]["promote"]}
                gated = load_models({**in_use, **better})
                step["gated"] = summary([r for name, st in test for one in st for r in rows_of(name, one, gated)])
            written["steps"].append(step)
            arguments.output.write_text(json.dumps(written, indent=1), encoding="utf-8")
            print(json.dumps(step), flush=True)


def learn(
    workspace: Path, role: Role, folder: Path, shipped: Path, changes: dict[str, Any], folders: dict[Role, Path]
) -> None:
    """The candidate that `learn.retrain` would make beside those of `folders`, without its judges."""
    lesson = read_lesson(workspace, role, shipped)
    lesson = replace(lesson, in_use={each: replace(lesson.active, folder=place) for each, place in folders.items()})
    models = load_models(folders)
    plan = replace(read_plan(lesson.active.folder), role=role)
    samples = lesson.samples(retraining_spec(plan, 0), models)
    spec = retraining_spec(plan, len(samples), **changes)
    made = refine_model(
        spec,
        TrainingData(samples),
        folder,
        model_id=folder.name,
        device=choose_device("auto"),
        start_from=lesson.active.folder,
        weigh=Guards(lesson, models, changes.get("start_share")).weigh,
    )
    print(role.value, len(samples), "samples, share of the active weights", made.training["spec"]["start_share"])


def report(arguments: argparse.Namespace) -> None:
    """Print the figures as tables."""
    for path in arguments.files:
        one = json.loads(path.read_text(encoding="utf-8"))
        print(f"\n### {one['site']}: {', '.join(one['data'])}, {one['order']}, {one['changes'] or 'own recipe'}\n")
        print(
            "| patients corrected | base | middle | apex | empty base | regions | wrongly marked | LVEF error | "
            "seconds |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for step in one["steps"]:
            for part in ("site", "gated", "old"):
                if part in step:
                    print(f"| {step['patients']}{'' if part == 'site' else f', {part}'} | {_cells(step[part])} | "
                          f"{sum(step['seconds'].values())} |")  # fmt: skip
            for role, verdict in step["verdicts"].items():
                print(f"\n{role}: {verdict['reason']}")


def _cells(found: dict[str, Any]) -> str:
    dices = [" ".join(f"{value:.1f}" for value in found[region.value].values()) for region in HEART]
    empty, marked = found["empty base"], found["wrongly marked"]
    return " | ".join(
        [*dices, f"{empty[0]} of {empty[1]}", f"{found['regions']:.1f} %", f"{marked[0]} of {marked[1]}",
         "-" if found["LVEF error"] is None else f"{found['LVEF error']:.1f}"]
    )  # fmt: skip


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("run")
    command.add_argument("site", choices=tuple(CHANGES))
    command.add_argument("folders", type=Path, nargs="+")
    command.add_argument("--output", type=Path, required=True)
    command.add_argument("--patients", default="0,5,10,20,40")
    command.add_argument("--test", type=int, default=40)
    command.add_argument("--frames", type=int, default=0)
    command.add_argument("--order", choices=("queue", "random"), default="queue")
    command.add_argument("--roles", default=",".join(role.value for role in ROLES))
    command.add_argument("--set", action="append", default=[])
    command.add_argument("--judge", type=int, default=-1)
    command.add_argument("--old", type=Path, nargs="+", default=[])
    command.add_argument("--models", type=Path, default=ROOT / "models")
    command.set_defaults(run=run)
    command = commands.add_parser("report")
    command.add_argument("files", type=Path, nargs="+")
    command.set_defaults(run=report)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
