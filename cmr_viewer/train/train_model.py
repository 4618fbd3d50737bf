"""Train a model and write its folder: plan, weights, card and learning curves."""

import contextlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.networks.weights import save_weights
from cmr_viewer.prepare.plan import CARD_FILE, PLAN_FILE, WEIGHTS_FILE, Plan
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.train.card import card_text
from cmr_viewer.train.curves import CURVES_PICTURE, draw_curves
from cmr_viewer.train.fit import Fitted, fit
from cmr_viewer.train.samples import Sample, fingerprint
from cmr_viewer.train.spec import TrainingSpec

CURVES_FILE = "curves.json"


def write_model(folder: Path, plan: Plan, fitted: Fitted) -> None:
    """Write plan, weights, card and curves of a trained network into a new or empty folder.

    Raises:
        TrainingError: The folder cannot be written; then nothing of the model is left in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(fitted.network, folder / WEIGHTS_FILE)
        curves = {
            "loss": [round(float(x), 4) for x in fitted.losses],
            "validation": list(fitted.validation),
            "by_set": dict(fitted.by_set),
        }
        (folder / CURVES_FILE).write_text(json.dumps(curves), encoding="utf-8")
        score = "share of correct regions" if plan.role is Role.CLASSIFIER else "mean Dice (validation)"
        draw_curves(folder / CURVES_PICTURE, fitted.losses, fitted.validation, title=plan.model_id, score=score)
        (folder / CARD_FILE).write_text(card_text(plan), encoding="utf-8")
        plan.write(folder)
    except OSError as error:
        for name in (PLAN_FILE, WEIGHTS_FILE, CARD_FILE, CURVES_FILE, CURVES_PICTURE):
            with contextlib.suppress(OSError):
                (folder / name).unlink()
        raise TrainingError(f"Could not write the trained model to {folder}: {error}. Free some disk space.") from error


def plan_of(spec: TrainingSpec, model_id: str, training: dict[str, Any]) -> Plan:
    """The plan of a model trained by a spec."""
    return Plan(
        model_id=model_id,
        role=spec.role,
        architecture=spec.architecture,
        options=dict(spec.network_options),
        spacing_mm=spec.spacing_mm,
        rows=spec.rows,
        cols=spec.cols,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        training={"spec": spec.as_dict(), **training},
    )


def train_model(
    spec: TrainingSpec,
    samples: Sequence[Sample],
    folder: Path,
    *,
    model_id: str,
    device: torch.device,
    start_from: Path | None = None,
    validation: Sequence[Sample] = (),
    origin: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> Plan:
    """Fit a network and write its model folder.

    Args:
        spec: What and how.
        samples: See `fit`.
        folder: The new model folder; it also holds checkpoints, from which a stopped training continues.
        model_id: The model's name.
        device: Where to train.
        start_from: See `fit`.
        validation: See `fit`.
        origin: Other facts of the training: data sets, patients, git revision.
        progress: 0 to 1 over the whole.

    Returns:
        The plan that was written.
    """
    fitted = fit(
        spec,
        samples,
        device=device,
        start_from=start_from,
        validation=validation,
        checkpoints=folder,
        progress=part(progress, 0.0, 0.99),
    )
    plan = save_fitted(
        spec,
        samples,
        folder,
        fitted,
        model_id=model_id,
        device=device,
        start_from=start_from,
        validation=validation,
        origin=origin,
    )
    progress(1.0, "Model saved")
    return plan


def save_fitted(
    spec: TrainingSpec,
    samples: Sequence[Sample],
    folder: Path,
    fitted: Fitted,
    *,
    model_id: str,
    device: torch.device,
    start_from: Path | None = None,
    validation: Sequence[Sample] = (),
    origin: dict[str, Any] | None = None,
) -> Plan:
    """Write the model folder of a network that was fitted; arguments as of `train_model`."""
    training = {
        "samples": len(samples),
        "data_fingerprint": fingerprint(samples),
        "started_from": start_from.name if start_from else None,
        "device": device.type,
        "batches": len(fitted.losses),
        "validation": {
            "frames": len(validation),
            "kept_at": fitted.kept_at,
            "scores": list(fitted.validation)[-1:],
            "by_set": dict(fitted.by_set),
        },
        **(origin or {}),
    }
    plan = plan_of(spec, model_id, training)
    write_model(folder, plan, fitted)
    return plan
