"""Train a model and write its folder: plan, weights, learning curves, and the card.

The card is what people should know about a model before they use it.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cmr_viewer.classify.region_classifier import RegionClassifier
from cmr_viewer.domain.anatomy import STRUCTURES, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.networks.weights import save_weights
from cmr_viewer.prepare.plan import CARD_FILE, PLAN_FILE, WEIGHTS_FILE, Plan
from cmr_viewer.progress import Follow, Progress, not_followed, part, silent
from cmr_viewer.segment.segmenter import FrameSegmenter, Segmenter
from cmr_viewer.train.fit import Fitted, best_so_far, blended, fit
from cmr_viewer.train.samples import TrainingData, fingerprint
from cmr_viewer.train.spec import TrainingSpec

CURVES_FILE = "curves.json"

Model = FrameSegmenter | RegionClassifier
"""A model that is ready to run."""

Weigh = Callable[[Callable[[float], Model]], float]
"""Chooses how much of the weights that training started from stays in a model: it is given the model for each share."""


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
    data: TrainingData,
    folder: Path,
    *,
    model_id: str,
    device: torch.device,
    start_from: Path | None = None,
    snapshot_of: Path | None = None,
    progress: Progress = silent,
    follow: Follow = not_followed,
) -> Plan:
    """Fit a network and write its model folder.

    Args:
        spec: What and how.
        data: What to learn from.
        folder: The new model folder; it also holds checkpoints, from which a stopped training continues.
        model_id: The model's name.
        device: Where to train.
        start_from: See `fit`.
        snapshot_of: Folder of a stopped training: write its best weights so far, and train nothing.
        progress: 0 to 1 over the whole.
        follow: See `fit`.

    Returns:
        The plan that was written.
    """
    if snapshot_of is not None:
        fitted = best_so_far(spec, data.samples, snapshot_of)
    else:
        fitted = fit(
            spec,
            data.samples,
            device=device,
            start_from=start_from,
            validation=data.validation,
            checkpoints=folder,
            progress=part(progress, 0.0, 0.99),
            follow=follow,
        )
    plan = _written(spec, data, fitted, folder, model_id, device, start_from)
    progress(1.0, "Model saved")
    return plan


def refine_model(
    spec: TrainingSpec,
    data: TrainingData,
    folder: Path,
    *,
    model_id: str,
    device: torch.device,
    start_from: Path,
    weigh: Weigh,
    progress: Progress = silent,
    follow: Follow = not_followed,
) -> Plan:
    """Fit a network, let its `start_share` be chosen, and write its model folder; otherwise as `train_model`.

    Args:
        spec: What and how; its own `start_share` does not count.
        data: What to learn from.
        folder: The new model folder.
        model_id: The model's name.
        device: Where to train.
        start_from: See `fit`.
        weigh: Chooses the share.
        progress: 0 to 1 over the whole.
        follow: See `fit`.

    Returns:
        The plan that was written, with the share in its spec.
    """
    whole = replace(spec, start_share=0.0)
    fitted = fit(
        whole, data.samples, device=device, start_from=start_from, progress=part(progress, 0.0, 0.95), follow=follow
    )

    def blend(share: float) -> Fitted:
        return replace(fitted, network=blended(fitted.network, spec, start_from, share))

    share = weigh(lambda share: _ready(replace(spec, start_share=share), blend(share), model_id, device))
    plan = _written(replace(spec, start_share=share), data, blend(share), folder, model_id, device, start_from)
    progress(1.0, "Model saved")
    return plan


def _written(
    spec: TrainingSpec,
    data: TrainingData,
    fitted: Fitted,
    folder: Path,
    model_id: str,
    device: torch.device,
    start_from: Path | None,
) -> Plan:
    """Write a trained network into its model folder."""
    training = {
        "samples": len(data.samples),
        "data_fingerprint": fingerprint(data.samples),
        "started_from": start_from.name if start_from else None,
        "device": device.type,
        "batches": len(fitted.losses),
        "validation": {
            "frames": len(data.validation),
            "kept_at": fitted.best_at,
            "scores": list(fitted.validation)[-1:],
            "by_set": dict(fitted.by_set),
        },
        **data.origin,
    }
    plan = plan_of(spec, model_id, training)
    write_model(folder, plan, fitted)
    return plan


def _ready(spec: TrainingSpec, fitted: Fitted, model_id: str, device: torch.device) -> Model:
    make = RegionClassifier if spec.role is Role.CLASSIFIER else Segmenter
    return make(plan_of(spec, model_id, {}), fitted.network, device)


def trained_model(
    spec: TrainingSpec,
    data: TrainingData,
    *,
    model_id: str,
    device: torch.device,
    start_from: Path,
    progress: Progress = silent,
    follow: Follow = not_followed,
) -> Model:
    """Fit a network and make a model of it that is ready to run, without a folder; see `train_model`."""
    fitted = fit(spec, data.samples, device=device, start_from=start_from, progress=progress, follow=follow)
    return _ready(spec, fitted, model_id, device)


TERMS: Mapping[str, str] = {
    "acdc": "ACDC, CC BY-NC-SA 4.0: **for non-commercial research only**. Cite Bernard et al. 2018, doi "
    "10.1109/TMI.2018.2837502.",
    "mnms": "M&Ms, open to the research community: treated as **for non-commercial research only**. Cite Campello et "
    "al. 2021, doi 10.1109/TMI.2021.3090082.",
    "dsb2": "Second Annual Data Science Bowl (2015), competition rules: **for non-commercial research "
    "only**. Its labels are weak: only the LV cavity, drawn by one non-expert.",
    "scd": "Sunnybrook Cardiac Data, CC0 1.0: public domain, with labels of the LV only. Radau et al. 2009, "
    "http://hdl.handle.net/10380/3070.",
}
"""Terms of published data sets, by the first letters of their folder names."""

STARTED_FROM = "The terms of the model that training started from also apply: see the card of {}."
OWN_CORRECTIONS = (
    "Refined on accepted frames of a workspace. The licence and limits of the model that training started from also "
    "apply: see the card of that model."
)
NOTICE = "Research software, not a medical device: not for diagnosis or treatment."

_PURPOSE = {
    Role.CLASSIFIER: "Classifies each short-axis cine frame as base, middle, apex or non-cardiac.",
    Role.BASELINE: "Segments LV blood pool, LV myocardium and RV blood pool at all levels; locates the heart.",
    Role.BASE: "Segments frames of the base: LV blood pool, LV myocardium and RV blood pool.",
    Role.MIDDLE: "Segments mid-ventricular frames: LV blood pool, LV myocardium and RV blood pool.",
    Role.APEX: "Segments frames of the apex: LV blood pool, LV myocardium and RV blood pool.",
}

_FAILURES = {
    Role.CLASSIFIER: "Confuses neighbouring regions: base with middle or non-cardiac, apex with middle. It sees each "
    "frame without its position in the stack. The program then decides the regions of the whole stack, which corrects "
    "most of these errors.",
    Role.BASELINE: "Weakest in apical frames and in the right ventricle at the base.",
    Role.BASE: "In places it labels outflow tract or atrium as ventricle, or ventricle as one of these.",
    Role.MIDDLE: "Counts papillary muscles as blood pool, as most of its training labels do.",
    Role.APEX: "Misses very small blood pools at end-systole or draws them too large.",
}


def card_text(plan: Plan) -> str:
    """The card of a model, as Markdown.

    Args:
        plan: The model's plan; its figures become tables.
    """
    training = plan.training
    spec: Mapping[str, Any] = training.get("spec", {})
    data = [str(name) for name in training.get("data", [])]
    terms = [text for start, text in TERMS.items() if any(name.startswith(start) for name in data)]
    if terms and training.get("started_from"):
        terms.append(STARTED_FROM.format(training["started_from"]))
    note = training.get("note")
    lines = [
        f"# {plan.model_id}",
        "",
        f"{plan.role.text}. {_PURPOSE[plan.role]}",
        "",
        f"**{NOTICE}**",
        "",
        *([note, ""] if note else []),
        "## Licence",
        "",
        *([f"- {text}" for text in terms] if terms else [OWN_CORRECTIONS]),
        "",
        "## Data and training",
        "",
        f"- Data: {', '.join(data) or 'not stated'}; {training.get('samples', '?')} frames"
        + (f" of {len(training['patients'])} patients." if isinstance(training.get("patients"), list) else "."),
        f"- Split of the patients: {training.get('split') or training.get('held_out') or 'none'}.",
        f"- Network: {plan.architecture}, {plan.rows} x {plan.cols} at {plan.spacing_mm:g} mm around the heart, input "
        f"{1 + 2 * plan.context} {'slices' if plan.context else 'slice'}.",
        f"- {_batches(training, spec)} batches of {spec.get('batch', '?')}, {spec.get('optimizer', 'adamw')} from "
        f"{spec.get('learning_rate', '?')}, seed {spec.get('seed', '?')}, on {training.get('device', '?')}.",
        *_validation(training),
        f"- Started from: {training.get('started_from') or 'nothing'}.",
        f"- Fingerprint of the data: {training.get('data_fingerprint', '?')}; made {plan.created_at}.",
        "",
        "## Figures on patients left out of training",
        "",
        *_figures(plan.figures),
        "",
        "## Known failures",
        "",
        _FAILURES[plan.role],
        "",
    ]
    return "\n".join(lines)


def _validation(training: Mapping[str, Any]) -> list[str]:
    looked: Mapping[str, Any] = training.get("validation") or {}
    if not looked.get("frames"):
        return []
    chosen = f"- Weights after batch {looked['kept_at']}, chosen on {looked['frames']} validation frames."
    by_set: Mapping[str, Any] = looked.get("by_set") or {}
    rows = [
        f"| {name or 'frames'} | {region} | " + " | ".join(_mean(labels.get(label.name)) for label in STRUCTURES) + " |"
        for name, found in by_set.items()
        for region, labels in found.get("dice", {}).items()
    ]
    if not rows:
        return [chosen]
    names = " | ".join(label.name for label in STRUCTURES)
    head = ["", f"| validation, Dice % and frames | region | {names} |", "|---|---|---|---|---|"]
    return [chosen, *head, *rows, ""]


def _mean(found: Sequence[float] | None) -> str:
    return "-" if found is None else f"{100 * found[0]:.1f}, {found[1]}"


def _batches(training: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    planned, done = spec.get("iterations", "?"), training.get("batches")
    return f"{planned}" if done in (None, planned) else f"{done} of {planned} planned"


def _figures(figures: Mapping[str, Any]) -> list[str]:
    if not figures:
        return ["Not measured yet."]
    count = f"{figures.get('patients', '?')} patients, {figures.get('frames', '?')} frames."
    lines = [f"{count} {figures.get('how', '')}".strip()]
    if "dice" in figures:
        lines += ["", "| Dice %, mean (SD), n | base | middle | apex |", "|---|---|---|---|"]
        for label in STRUCTURES:
            row = [_cell(figures["dice"][label.name].get(r.value)) for r in (Region.BASE, Region.MIDDLE, Region.APEX)]
            lines.append(f"| {label.text} | {' | '.join(row)} |")
    if "region_accuracy" in figures:
        lines += ["", f"Correct region in {100 * figures['region_accuracy']:.1f} % of the frames."]
    return lines


def _cell(summary: Mapping[str, Any] | None) -> str:
    if not summary or summary.get("mean") is None:
        return "-"
    sd = "-" if summary.get("sd") is None else f"{100 * summary['sd']:.1f}"
    return f"{100 * summary['mean']:.1f} ({sd}), {summary['n']}"


CURVES_PICTURE = "curves.svg"
SMOOTHED_OVER = 50
"""Batches that the drawn line averages; single batches are drawn thin behind it."""


def running_mean(values: NDArray[np.float32], over: int) -> NDArray[np.float64]:
    """Mean of each value and those before it, `over` at most.

    Args:
        values: (batch,).
        over: Number of values, 1 or more.
    """
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - over)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts), dtype=np.float64)


def draw_curves(
    path: Path, losses: NDArray[np.float32], validation: Sequence[tuple[int, float]], *, title: str, score: str
) -> None:
    """Draw the loss of each batch and the score of each validation.

    Args:
        path: The picture; its suffix sets the format.
        losses: (batch,).
        validation: (batches done, score).
        title: Above the picture.
        score: Name of the score, for the axis.

    Raises:
        OSError: It cannot be written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and needed at the end of a training only

    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.add_subplot()
    batches = np.arange(1, len(losses) + 1)
    axes.plot(batches, losses, color="#9db4c8", linewidth=0.5, label="loss per batch")
    smooth = running_mean(losses, SMOOTHED_OVER)
    axes.plot(batches, smooth, color="#1f5f8b", linewidth=1.6, label=f"mean of {SMOOTHED_OVER} batches")
    axes.set(xlabel="batches", ylabel="loss", title=title)
    axes.grid(alpha=0.25)
    lines, names = axes.get_legend_handles_labels()
    if validation:
        beside = axes.twinx()
        at, scores = zip(*validation, strict=True)
        beside.plot(at, scores, color="#c1440e", marker="o", markersize=3, linewidth=1.2, label=score)
        beside.set_ylabel(score, color="#c1440e")
        more_lines, more_names = beside.get_legend_handles_labels()
        lines, names = [*lines, *more_lines], [*names, *more_names]
    axes.legend(lines, names, loc="center right", frameon=False)
    figure.savefig(path)
