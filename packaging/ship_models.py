"""Put trained models into models/: measured on the patients left out, with plan, weights and card.

    python packaging/ship_models.py TRAINED_FOLDER... --data DIR...

Each trained folder was made by `cmr-viewer train`. The figures of each model are those of the frames that it serves:
specialists on the frames of their own reference region, the baseline on all, the classifier by its regions.
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
from cmr_viewer.doors import evaluate
from cmr_viewer.paths import shipped_models_dir
from cmr_viewer.prepare.plan import CARD_FILE, WEIGHTS_FILE, Plan, read_plan
from cmr_viewer.train.card import card_text

LARGEST_WEIGHTS_MB = 16


def measured(models: Path, data: Sequence[Path], routing: str) -> dict[str, Any]:
    """Figures of a models folder on the patients left out."""
    with tempfile.TemporaryDirectory() as folder:
        options = Namespace(
            data=data, models=models, output=Path(folder), split="held-out", routing=routing, device="auto"
        )
        if evaluate.run(options):
            sys.exit("Not all patients could be read.")
        figures: dict[str, Any] = json.loads((Path(folder) / "figures.json").read_text(encoding="utf-8"))
    return figures


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


def main() -> None:
    """Measure and copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", nargs="+", type=Path)
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    arguments = parser.parse_args()
    plans: dict[Path, Plan] = {folder: read_plan(folder) for folder in arguments.trained}
    target = shipped_models_dir()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        for source, plan in plans.items():
            shutil.copytree(source, models / plan.model_id)
        active = {plan.role.value: plan.model_id for plan in plans.values()}
        (models / "active.json").write_text(json.dumps(active, indent=2) + "\n", encoding="utf-8")
        figures = {routing: measured(models, arguments.data, routing) for routing in ("baseline", "reference")}
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for plan in plans.values():
            size_mb = (models / plan.model_id / WEIGHTS_FILE).stat().st_size / 1e6
            if size_mb > LARGEST_WEIGHTS_MB:
                sys.exit(f"The weights of {plan.model_id} take {size_mb:.1f} MB; the limit is {LARGEST_WEIGHTS_MB} MB.")
            shipped = target / plan.model_id
            shipped.mkdir()
            shutil.copyfile(models / plan.model_id / WEIGHTS_FILE, shipped / WEIGHTS_FILE)
            whole = dataclasses.replace(plan, figures=figures_of(plan.role, figures))
            whole.write(shipped)
            (shipped / CARD_FILE).write_text(card_text(whole), encoding="utf-8")
        shutil.copyfile(models / "active.json", target / "active.json")


if __name__ == "__main__":
    main()
