"""Put trained models into models/: measured on the test part, with plan, weights and card.

    python packaging/ship_models.py TRAINED_FOLDER... --data DIR... --work FOLDER [--results docs/results]

`cmr-viewer train` made each trained folder. A specialist is put in use only if it is measurably better than the
baseline on frames of its own region in the validation part. That decides active.json; the test part decides nothing.
The figures of each model are those of its frames: specialists on the frames of their own reference region, the baseline
on all, the classifier by its regions. The runs of `cmr-viewer evaluate` stay in the work folder and are not repeated;
their results go to the results folder: the program's own routing next to the baseline.
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

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from benchmarks.paper import published  # noqa: E402
from cmr_viewer.commands import compare, evaluate  # noqa: E402
from cmr_viewer.domain.role import SPECIALISTS, Role  # noqa: E402
from cmr_viewer.evaluate.runs import read_run  # noqa: E402
from cmr_viewer.paths import shipped_models_dir  # noqa: E402
from cmr_viewer.prepare.plan import CARD_FILE, WEIGHTS_FILE, Plan, read_plan  # noqa: E402
from cmr_viewer.train.train_model import card_text  # noqa: E402

LARGEST_WEIGHTS_MB = 16


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
        "# Results of the shipped models",
        "Only the test part of [split.json](split.json). Made by `python packaging/ship_models.py` with `cmr-viewer "
        "evaluate` and `cmr-viewer compare`; see [../training.md](../training.md).",
        "![Dice from base to apex: baseline, program, upper bound](shipped-curves.svg)",
        "# What the program does",
        (work / "test-predicted" / "tables.md").read_text(encoding="utf-8"),
        "![Bland-Altman plots of the volumes](shipped-bland-altman.svg)",
        "# The program and the upper bound (reference regions) compared with the baseline",
        (work / "comparison" / "tables.md").read_text(encoding="utf-8"),
        "# The baseline on every frame",
        (work / "test-baseline" / "tables.md").read_text(encoding="utf-8"),
        "# The paper's baseline (its table 1), and what its approaches gained over it (table 3)",
        published.table_1(),
        published.table_3(),
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
            "how": "All frames segmented by this model.",
            **{k: baseline[k] for k in ("patients", "frames", "dice", "stack_dice")},
        }
    dice = {label: {role.value: regions[role.value]} for label, regions in reference["dice"].items()}
    frames = max(summary[role.value]["n"] for summary in dice.values())
    how = f"Frames of the reference region {role.value}."
    return {"how": how, "patients": reference["patients"], "frames": frames, "dice": dice}


def gains(arguments: Namespace, region: str) -> NDArray[np.float64]:
    """The specialist's gain over the baseline, in points of mean Dice, for each patient of the validation part.

    Over all frames of the reference region and all structures that the reference has there.
    """
    runs = [read_run(arguments.work / f"validation-{routing}") for routing in ("baseline", "reference")]
    by_run = [{(s.place.patient, s.place.phase, s.place.slice_index, s.label): s for s in run.scores} for run in runs]
    differences: dict[str, list[float]] = {}
    for key, theirs in by_run[0].items():
        if theirs.place.region.value == region and theirs.reference_pixels:
            ours = by_run[1][key]
            differences.setdefault(key[0], []).append(100 * ((ours.dice or 0.0) - (theirs.dice or 0.0)))
    return np.array([np.mean(of_patient) for of_patient in differences.values()])


def in_service(roles: Sequence[Role], arguments: Namespace) -> dict[Role, str]:
    """Why each specialist that is measurably better than the baseline is put in use, by role.

    Measurably: the mean gain over the patients of the validation part is larger than its standard error.
    """
    reasons = {}
    for role in SPECIALISTS:
        if role not in roles:
            continue
        found = gains(arguments, role.value)
        gain, error = float(found.mean()), float(found.std(ddof=1) / np.sqrt(len(found)))
        gained = (
            f"a gain of {gain:.2f} points of Dice over the baseline on {len(found)} validation patients, "
            f"standard error {error:.2f}"
        )
        print(f"{role.value}: {gained}: {'in use' if gain > error else 'not in use'}", flush=True)
        if gain > error:
            reasons[role] = gained
    return reasons


def write_active(folder: Path, plans: Mapping[Path, Plan], roles: Sequence[Role]) -> None:
    """State which models are in use; a missing specialist is stated as none."""
    active: dict[str, str | None] = {role.value: None for role in SPECIALISTS}
    active |= {plan.role.value: plan.model_id if plan.role in roles else None for plan in plans.values()}
    (folder / "active.json").write_text(json.dumps(active, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Measure and copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", nargs="+", type=Path)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--results", type=Path, help="folder for tables and pictures")
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
        for routing in routings:
            measured(models, arguments, routing, "validation")
        reasons = in_service(roles, arguments)
        write_active(models, plans, [role for role in roles if role not in SPECIALISTS or role in reasons])
        figures = {r: measured(models, arguments, r, "test") for r in routings}
        measured(models, arguments, "predicted", "test")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for plan in plans.values():
            if plan.role in SPECIALISTS and plan.role not in reasons:
                continue
            size_mb = (models / plan.model_id / WEIGHTS_FILE).stat().st_size / 1e6
            if size_mb > LARGEST_WEIGHTS_MB:
                sys.exit(
                    f"The weights of {plan.model_id} are {size_mb:.1f} MB large; the limit is {LARGEST_WEIGHTS_MB} MB."
                )
            shipped = target / plan.model_id
            shipped.mkdir()
            shutil.copyfile(models / plan.model_id / WEIGHTS_FILE, shipped / WEIGHTS_FILE)
            of_role = figures_of(plan.role, figures)
            if plan.role in SPECIALISTS:
                of_role["how"] = f"{of_role['how']} In use because of {reasons[plan.role]}."
            whole = dataclasses.replace(plan, figures=of_role)
            whole.write(shipped)
            (shipped / CARD_FILE).write_text(card_text(whole), encoding="utf-8")
        shutil.copyfile(models / "active.json", target / "active.json")
    if arguments.results:
        write_results(arguments)


if __name__ == "__main__":
    main()
