"""Fit a network to samples, and write the model folder."""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cmr_viewer.domain.anatomy import REGIONS
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError, TrainingError
from cmr_viewer.networks.catalogue import build
from cmr_viewer.networks.device import fast_arithmetic
from cmr_viewer.networks.unet import UNet2d
from cmr_viewer.networks.weights import load_weights, save_weights
from cmr_viewer.prepare.plan import CARD_FILE, PLAN_FILE, WEIGHTS_FILE, Plan, read_plan
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.train.augment import Augmentation, augment_batch
from cmr_viewer.train.card import card_text
from cmr_viewer.train.losses import deep_supervision
from cmr_viewer.train.samples import Sample
from cmr_viewer.train.sampling import specialist_weights
from cmr_viewer.train.spec import TrainingSpec

LOSSES_FILE = "losses.json"
CLASSIFIER_MINIMUM_ZOOM = 0.85
"""A classifier must see how large the heart is in the frame; segmentation need not."""


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
        network: In evaluation mode, on the CPU.
        losses: (iteration,) the loss of each batch.
    """

    network: nn.Module
    losses: NDArray[np.float32]


def fit(
    spec: TrainingSpec,
    samples: Sequence[Sample],
    *,
    device: torch.device,
    start_from: Path | None = None,
    progress: Progress = silent,
) -> Fitted:
    """Train a network.

    Args:
        spec: What and how.
        samples: Training samples, on `train.samples.sample_grid` of the spec's grid.
        device: Where to train.
        start_from: Model folder whose weights to start from, of the same architecture; None for fresh weights.
        progress: Told after each batch.

    Raises:
        TrainingError: No samples, or the loss is no number any more, or no memory is left.
        Cancelled: From `progress`.
    """
    torch.manual_seed(spec.seed)
    network = _starting_network(spec, start_from).to(device)
    generator = torch.Generator().manual_seed(spec.seed)
    chance = np.random.default_rng(spec.seed)
    weights = specialist_weights([s.region for s in samples], spec.focus, spec.focus_share)
    optimizer = torch.optim.AdamW(network.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay)
    how = _augmentation(spec)
    losses = np.zeros(spec.iterations, dtype=np.float32)
    network.train()
    try:
        for step in range(spec.iterations):
            for group in optimizer.param_groups:
                group["lr"] = spec.learning_rate * (1 - step / spec.iterations) ** 0.9
            drawn = [samples[i] for i in chance.choice(len(samples), spec.batch, p=weights)]
            loss = _loss(network, spec, drawn, how, device, generator)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 12.0)
            optimizer.step()
            losses[step] = float(loss.detach())
            if not np.isfinite(losses[step]):
                raise TrainingError(f"Training left the numbers at batch {step + 1}; try a lower learning rate.")
            recent = float(losses[max(0, step - 19) : step + 1].mean())
            progress((step + 1) / spec.iterations, f"Batch {step + 1} of {spec.iterations}, loss {recent:.3f}")
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise TrainingError(
            "There was not enough memory to train. Close other programs or use a smaller batch."
        ) from error
    return Fitted(network.eval().cpu(), losses)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that memory ran out; on the CPU it is a RuntimeError that only its text tells."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text


def _augmentation(spec: TrainingSpec) -> Augmentation:
    how = Augmentation(shift_px=spec.shift_px)
    if spec.role is Role.CLASSIFIER:
        return replace(how, zoom=(CLASSIFIER_MINIMUM_ZOOM, 1 / CLASSIFIER_MINIMUM_ZOOM))
    return how


def _starting_network(spec: TrainingSpec, start_from: Path | None) -> nn.Module:
    network = build(spec.architecture, spec.options)
    if start_from is not None:
        plan = read_plan(start_from)
        if plan.architecture != spec.architecture:
            raise ModelError(
                f"Training of {spec.architecture} cannot start from {plan.model_id}, a {plan.architecture}."
            )
        load_weights(network, start_from / WEIGHTS_FILE)
    return network


def _loss(
    network: nn.Module,
    spec: TrainingSpec,
    drawn: Sequence[Sample],
    how: Augmentation,
    device: torch.device,
    generator: torch.Generator,
) -> Tensor:
    images = torch.from_numpy(np.stack([s.image for s in drawn]))[:, None].to(device)
    labels = torch.from_numpy(np.stack([s.labels for s in drawn])).to(device)
    images, labels = augment_batch(images, labels, (spec.rows, spec.cols), how, generator)
    with fast_arithmetic(device):
        if isinstance(network, UNet2d):
            outputs = network.forward_deep(images)
        else:
            logits = network(images)
    if isinstance(network, UNet2d):
        return deep_supervision(outputs, labels)
    target = torch.tensor([REGIONS.index(s.region) for s in drawn], device=device)
    return functional.cross_entropy(logits.float(), target)


def fingerprint(samples: Sequence[Sample]) -> str:
    """What a set of samples is recognised by: 16 hex digits over images, labels and regions in order."""
    digest = hashlib.blake2b(digest_size=8)
    for sample in samples:
        digest.update(sample.image.tobytes())
        digest.update(sample.labels.tobytes())
        digest.update(sample.region.value.encode())
    return digest.hexdigest()


def write_model(folder: Path, plan: Plan, fitted: Fitted) -> None:
    """Write plan, weights, card and losses of a trained network into a new or empty folder.

    Raises:
        TrainingError: The folder cannot be written; then nothing of the model is left in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(fitted.network, folder / WEIGHTS_FILE)
        (folder / LOSSES_FILE).write_text(json.dumps([round(float(x), 4) for x in fitted.losses]), encoding="utf-8")
        (folder / CARD_FILE).write_text(card_text(plan), encoding="utf-8")
        plan.write(folder)
    except OSError as error:
        for name in (PLAN_FILE, WEIGHTS_FILE, CARD_FILE, LOSSES_FILE):
            with contextlib.suppress(OSError):
                (folder / name).unlink()
        raise TrainingError(f"The trained model cannot be written to {folder}: {error}.") from error


def plan_of(spec: TrainingSpec, model_id: str, training: dict[str, Any]) -> Plan:
    """The plan of a model trained by a spec."""
    return Plan(
        model_id=model_id,
        role=spec.role,
        architecture=spec.architecture,
        options=dict(spec.options),
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
    origin: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> Plan:
    """Fit a network and write its model folder.

    Args:
        spec: What and how.
        samples: See `fit`.
        folder: The new model folder.
        model_id: The model's name.
        device: Where to train.
        start_from: See `fit`.
        origin: What else is to be known of the training: data sets, patients, git revision.
        progress: 0 to 1 over the whole.

    Returns:
        The plan that was written.
    """
    fitted = fit(spec, samples, device=device, start_from=start_from, progress=part(progress, 0.0, 0.99))
    training = {
        "samples": len(samples),
        "data_fingerprint": fingerprint(samples),
        "started_from": start_from.name if start_from else None,
        "device": device.type,
        **(origin or {}),
    }
    plan = plan_of(spec, model_id, training)
    write_model(folder, plan, fitted)
    progress(1.0, "Model written")
    return plan
