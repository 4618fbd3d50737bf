"""Put trained models into models/: measured on the test part, with plan, weights and card.

    python packaging/ship_models.py TRAINED_FOLDER... --data DIR... --work FOLDER [--results docs/results]

Each trained folder was made by `cmr-viewer train`. A specialist goes into service only if on the validation part it is
better than the baseline on the frames of its own region; that decides active.json, and the test part decides nothing.
The figures of each model are those of the frames that it serves: specialists on the frames of their own reference
region, the baseline on all, the classifier by its regions. The runs of `cmr-viewer evaluate` stay in the work folder
and are not done again; what they found is written into the results folder: the program's own routing beside the
baseline.
"""

import argparse
import dataclasses
import json
import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cmr_viewer.domain.role import Role
from cmr_viewer.doors import compare, evaluate
from cmr_viewer.paths import shipped_models_dir
from cmr_viewer.prepare.plan import CARD_FILE, WEIGHTS_FILE, Plan, read_plan
from cmr_viewer.train.card import card_text

LARGEST_WEIGHTS_MB = 16


SPECIALISTS = (Role.BASE, Role.MIDDLE, Role.APEX)


def measured(models: Path, arguments: Namespace, routing: str, split: str) -> dict[str, Any]:
    """Figures of a models folder on one part of the patients; the run stays in the work folder."""
    folder: Path = arguments.work / f"{split}-{routing}"
    if not (folder / "figures.json").exists():
        options = Namespace(
            data=arguments.data,
            models=models,
            output=folder,
            split=split,
            split_file=None,
            routing=routing,
            save_labels=False,
            device="auto",
        )
        if evaluate.run(options):
            sys.exit("Not all patients could be read.")
    figures: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return figures


def write_results(arguments: Namespace) -> None:
    """The tables and pictures of the test part, for people."""
    work, results = arguments.work, arguments.results
    runs = ("predicted", "reference")
    beside = Namespace(
        baseline=work / "test-baseline",
        runs=[work / f"test-{routing}" for routing in runs],
        names="baseline,program,upper bound",
        output=work / "comparison",
    )
    compare.run(beside)
    parts = [
        "# The shipped models, measured",
        "Test part of [split.json](split.json) only. Made by `python packaging/ship_models.py` with `cmr-viewer "
        "evaluate` and `cmr-viewer compare`; see [../training.md](../training.md).",
        "![Dice from base to apex: baseline, program, upper bound](shipped-curves.svg)",
        "# What the program does",
        (work / "test-predicted" / "tables.md").read_text(encoding="utf-8"),
        "![Bland-Altman plots of the volumes](shipped-bland-altman.svg)",
        "# The program and the upper bound (reference regions) beside the baseline",
        (work / "comparison" / "tables.md").read_text(encoding="utf-8"),
        "# The baseline on every frame",
        (work / "test-baseline" / "tables.md").read_text(encoding="utf-8"),
    ]
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    (results / "shipped-models.md").write_text(text, encoding="utf-8")
    shutil.copyfile(work / "comparison" / "curves.svg", results / "shipped-curves.svg")
    shutil.copyfile(work / "test-predicted" / "bland-altman.svg", results / "shipped-bland-altman.svg")


def figures_of(role: Role, by_routing: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The part of the figures that belongs on a model's card."""
    baseline, reference = by_routing["baseline"], by_routing["reference"]
    if role is Role.CLASSIFIER:
        keys = ("patients", "frames", "region_accuracy", "confusion")
        return {key: reference[key] for key in keys}
    if role is Role.BASELINE:
        return {
            "how": "All frames to this model.",
            **{k: baseline[k] for k in ("patients", "frames", "dice", "stack_dice")},
        }
    dice = {label: {role.value: regions[role.value]} for label, regions in reference["dice"].items()}
    frames = max(summary[role.value]["n"] for summary in dice.values())
    how = f"Frames of the reference region {role.value}."
    return {"how": how, "patients": reference["patients"], "frames": frames, "dice": dice}


def mean_dice(figures: Mapping[str, Any], region: str) -> float:
    """Mean over the structures of the mean Dice of frames of a region."""
    means = [by_region[region]["mean"] for by_region in figures["dice"].values()]
    return sum(m or 0.0 for m in means) / len(means)


def in_service(roles: Sequence[Role], validation: Mapping[str, Mapping[str, Any]]) -> dict[Role, str]:
    """Why each specialist that is better than the baseline goes into service, by role.

    Args:
        roles: Of the trained models.
        validation: Figures on the validation part by routing, "baseline" and "reference".
    """
    reasons = {}
    for role in SPECIALISTS:
        if role not in roles:
            continue
        ours, theirs = (mean_dice(validation[routing], role.value) for routing in ("reference", "baseline"))
        told = f"{role.value}: mean Dice {100 * ours:.2f} %, baseline {100 * theirs:.2f} %, validation part"
        print(f"{told}: {'in service' if ours > theirs else 'not in service'}", flush=True)
        if ours > theirs:
            reasons[role] = told
    return reasons


def write_active(folder: Path, plans: Mapping[Path, Plan], roles: Sequence[Role]) -> None:
    """State which models are in service."""
    active = {plan.role.value: plan.model_id if plan.role in roles else None for plan in plans.values()}
    (folder / "active.json").write_text(json.dumps(active, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Measure and copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", nargs="+", type=Path)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="where the runs are kept")
    parser.add_argument("--results", type=Path, help="where tables and pictures go")
    arguments = parser.parse_args()
    plans: dict[Path, Plan] = {folder: read_plan(folder) for folder in arguments.trained}
    target = shipped_models_dir()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        for source, plan in plans.items():
            shutil.copytree(source, models / plan.model_id)
        roles = [plan.role for plan in plans.values()]
        write_active(models, plans, roles)
        routings = ("baseline", "reference")
        reasons = in_service(roles, {r: measured(models, arguments, r, "validation") for r in routings})
        figures = {r: measured(models, arguments, r, "test") for r in routings}
        write_active(models, plans, [role for role in roles if role not in SPECIALISTS or role in reasons])
        measured(models, arguments, "predicted", "test")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for plan in plans.values():
            size_mb = (models / plan.model_id / WEIGHTS_FILE).stat().st_size / 1e6
            if size_mb > LARGEST_WEIGHTS_MB:
                sys.exit(f"The weights of {plan.model_id} take {size_mb:.1f} MB; the limit is {LARGEST_WEIGHTS_MB} MB.")
            shipped = target / plan.model_id
            shipped.mkdir()
            shutil.copyfile(models / plan.model_id / WEIGHTS_FILE, shipped / WEIGHTS_FILE)
            of_role = figures_of(plan.role, figures)
            if plan.role in SPECIALISTS:
                chosen = reasons.get(plan.role, "not in service: no better than the baseline on the validation part")
                of_role["how"] = f"{of_role['how']} Chosen by {chosen}."
            whole = dataclasses.replace(plan, figures=of_role)
            whole.write(shipped)
            (shipped / CARD_FILE).write_text(card_text(whole), encoding="utf-8")
        shutil.copyfile(models / "active.json", target / "active.json")
    if arguments.results:
        write_results(arguments)


if __name__ == "__main__":
    main()
