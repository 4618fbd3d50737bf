"""Fit a network to samples."""

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cmr_viewer.domain.anatomy import REGIONS, Label
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError, TrainingError
from cmr_viewer.networks.catalogue import build
from cmr_viewer.networks.device import fast_arithmetic
from cmr_viewer.networks.unet import UNet2d
from cmr_viewer.networks.weights import load_weights
from cmr_viewer.prepare.plan import WEIGHTS_FILE, read_plan
from cmr_viewer.progress import Progress, silent
from cmr_viewer.train.augment import Augmentation, augment_batch
from cmr_viewer.train.checkpoint import CHECKPOINT_FILE, Checkpoint, read_checkpoint
from cmr_viewer.train.losses import deep_supervision
from cmr_viewer.train.samples import Sample
from cmr_viewer.train.sampling import end_weights, specialist_weights, with_non_cardiac, with_shares
from cmr_viewer.train.spec import TrainingSpec
from cmr_viewer.train.validate import batch_tensors, look_at

_log = logging.getLogger(__name__)

CLASSIFIER_MINIMUM_ZOOM = 0.85
"""A classifier must see how large the heart is in the frame; segmentation need not."""


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
        network: In evaluation mode, on the CPU.
        losses: (iteration,) the loss of each batch.
        validation: (batches done, score) of each validation.
        kept_at: Number of batches after which these weights were saved.
        by_set: Scores of these weights on each set of the validation part, see `validate.Look`.
    """

    network: nn.Module
    losses: NDArray[np.float32]
    validation: Sequence[tuple[int, float]] = ()
    kept_at: int = 0
    by_set: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _State:
    """A training between two batches."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]
    generator: torch.Generator
    chance: np.random.Generator
    losses: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_at: int = 0
    best_by_set: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return len(self.losses)

    def follow(self, largest_decay: float) -> None:
        """Move the running average of the weights towards the current ones; faster at the start."""
        decay = min(largest_decay, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:
                    self.average[name].copy_(value)


@dataclass(frozen=True, eq=False)
class _Learning:
    """What stays the same from batch to batch."""

    spec: TrainingSpec
    samples: Sequence[Sample]
    chances: NDArray[np.float64]
    how: Augmentation
    class_weights: Tensor | None
    device: torch.device

    def step(self, state: _State) -> float:
        """Learn from one batch; its loss."""
        spec = self.spec
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(spec, state.done)
        drawn = [self.samples[i] for i in state.chance.choice(len(self.samples), spec.batch, p=self.chances)]
        loss = self._loss(state, drawn)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), 12.0)
        state.optimizer.step()
        state.losses.append(float(loss.detach()))
        if spec.average:
            state.follow(spec.average)
        return state.losses[-1]

    def _loss(self, state: _State, drawn: Sequence[Sample]) -> Tensor:
        spec, network = self.spec, state.network
        images, labels = (tensor.to(self.device) for tensor in batch_tensors(drawn, spec.context))
        images, labels = augment_batch(images, labels, (spec.rows, spec.cols), self.how, state.generator)
        with fast_arithmetic(self.device):
            outputs = network.forward_deep(images) if isinstance(network, UNet2d) else [network(images)]
        if isinstance(network, UNet2d):
            told = [[label in s.structures or not label for label in Label] for s in drawn]
            known = torch.tensor(told, device=self.device)
            return deep_supervision(outputs, labels, None if bool(known.all()) else known)
        target = torch.tensor([REGIONS.index(s.region) for s in drawn], device=self.device)
        weight = None if self.class_weights is None else self.class_weights.to(self.device)
        return functional.cross_entropy(outputs[0].float(), target, weight)


def fit(
    spec: TrainingSpec,
    samples: Sequence[Sample],
    *,
    device: torch.device,
    start_from: Path | None = None,
    validation: Sequence[Sample] = (),
    checkpoints: Path | None = None,
    progress: Progress = silent,
) -> Fitted:
    """Train a network.

    Args:
        spec: What and how.
        samples: Training samples, on `train.samples.sample_grid` of the spec's grid.
        device: Where to train.
        start_from: Model folder whose weights to start from, of the same architecture; None for fresh weights.
        validation: Samples of the validation part; they select the best weights. Without any, the last weights.
        checkpoints: Folder for a checkpoint at each validation; a training continues from a checkpoint in it; the
            checkpoint is removed at the end.
        progress: Called after each batch.

    Raises:
        TrainingError: There are no samples, the loss is not a number, memory runs out, or the checkpoint belongs to
            another training.
        Cancelled: From `progress`.
    """
    torch.manual_seed(spec.seed)
    state = _begin(spec, start_from, device)
    identity = "" if checkpoints is None else _identity(spec, samples)
    if checkpoints is not None and (found := read_checkpoint(checkpoints)) is not None:
        _go_on(state, found, identity, checkpoints)
    learn = _Learning(
        spec, samples, _chances(spec, samples), _augmentation(spec), _class_weights(spec, samples), device
    )
    clock = _Clock(state.done, spec.iterations)
    try:
        while state.done < spec.iterations:
            state.network.train()
            loss = learn.step(state)
            if not np.isfinite(loss):
                raise TrainingError(f"The loss of batch {state.done} is not a number. Try a lower learning rate.")
            if state.done % spec.validate_every == 0 or state.done == spec.iterations:
                _look(state, spec, validation, device)
                if checkpoints is not None and state.done < spec.iterations:
                    _checkpoint(state, identity).write(checkpoints)
            done = state.done / spec.iterations
            if int(100 * done) > int(100 * (state.done - 1) / spec.iterations):
                recent = float(np.mean(state.losses[-20:]))
                _log.info("Batch %d of %d: loss %.3f", state.done, spec.iterations, recent)
            progress(done, f"Training {100 * done:.0f} %{clock.left(state.done)}")
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise TrainingError("Not enough memory to train. Close other programs or use a smaller batch.") from error
    return _ended(state, spec, checkpoints)


def best_so_far(spec: TrainingSpec, samples: Sequence[Sample], checkpoints: Path) -> Fitted:
    """The best weights so far of a stopped training; its checkpoint stays, so that training can continue.

    Args:
        spec: The spec of that training.
        samples: The samples of that training.
        checkpoints: See `fit`.

    Raises:
        TrainingError: There is no checkpoint, it belongs to another training, or it has no validation score yet.
    """
    state = _begin(spec, None, torch.device("cpu"))
    if (found := read_checkpoint(checkpoints)) is not None:
        _go_on(state, found, _identity(spec, samples), checkpoints)
    if not state.best:
        raise TrainingError(
            f"{checkpoints} has no checkpoint with a validation score. Train on, or without --snapshot."
        )
    return _ended(state, spec, None)


class _Clock:
    """Estimates the remaining time of a training from the batches of this run."""

    def __init__(self, begun_at: int, iterations: int) -> None:
        self._begun_at = begun_at
        self._iterations = iterations
        self._began = time.monotonic()

    def left(self, done: int) -> str:
        """The time left in words, as soon as it can be estimated."""
        batches = done - self._begun_at
        if batches < 5 or done == self._iterations:
            return ""
        seconds = (time.monotonic() - self._began) / batches * (self._iterations - done)
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"


def _begin(spec: TrainingSpec, start_from: Path | None, device: torch.device) -> _State:
    network = _starting_network(spec, start_from).to(device)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()} if spec.average else {}
    return _State(
        network,
        _optimizer(spec, network),
        average,
        torch.Generator().manual_seed(spec.seed),
        np.random.default_rng(spec.seed),
    )


def _optimizer(spec: TrainingSpec, network: nn.Module) -> torch.optim.Optimizer:
    rate, decay = spec.learning_rate, spec.weight_decay
    if spec.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), rate, momentum=spec.momentum, nesterov=True, weight_decay=decay)
    kind = torch.optim.Adam if spec.optimizer == "adam" else torch.optim.AdamW
    return kind(network.parameters(), rate, weight_decay=decay)


def learning_rate(spec: TrainingSpec, done: int) -> float:
    """The rate of the batch that follows `done` others: rises over the warm-up, falls to 0 as (1 - done)^0.9."""
    rising = min(1.0, (done + 1) / (spec.warm_up + 1))
    return float(spec.learning_rate * rising * (1 - done / spec.iterations) ** 0.9)


def _chances(spec: TrainingSpec, samples: Sequence[Sample]) -> NDArray[np.float64]:
    regions, groups = [s.region for s in samples], [s.group for s in samples]
    if spec.focus is None and spec.ends_ratio > 1:
        chances = end_weights([s.position for s in samples], spec.ends_ratio)
    else:
        chances = specialist_weights(regions, spec.focus, spec.focus_share)
    if spec.set_shares:
        chances = with_shares(chances, groups, spec.set_shares)
    if spec.non_cardiac_share is not None:
        chances = with_non_cardiac(chances, regions, groups, spec.non_cardiac_share)
    return chances


def _look(state: _State, spec: TrainingSpec, validation: Sequence[Sample], device: torch.device) -> None:
    """Validate the present weights, and store them if they are the best so far."""
    if not validation:
        return
    weights = state.average or state.network.state_dict()
    kept = {name: value.detach().clone() for name, value in state.network.state_dict().items()}
    state.network.load_state_dict(weights)
    look = look_at(state.network, spec, validation, device)
    if look is not None:
        _log.info("Batch %d: validation %s", state.done, look.text())
        if look.score >= max((s for _, s in state.validation), default=0.0):
            state.best = {name: value.detach().clone() for name, value in state.network.state_dict().items()}
            state.best_at, state.best_by_set = state.done, look.by_set
        state.validation.append((state.done, look.score))
    state.network.load_state_dict(kept)


def _ended(state: _State, spec: TrainingSpec, checkpoints: Path | None) -> Fitted:
    state.network.load_state_dict(state.best or state.average or state.network.state_dict())
    if checkpoints is not None:
        (checkpoints / CHECKPOINT_FILE).unlink(missing_ok=True)
    losses = np.asarray(state.losses, dtype=np.float32)
    kept_at = state.best_at if state.best else state.done
    return Fitted(state.network.eval().cpu(), losses, tuple(state.validation), kept_at, state.best_by_set)


def _identity(spec: TrainingSpec, samples: Sequence[Sample]) -> str:
    """The identity of a training; a checkpoint with another one is refused.

    It names frames and regions but not pixels, whose last bit depends on the number of threads.
    """
    frames = hashlib.blake2b(repr([(s.name, s.region.value) for s in samples]).encode(), digest_size=8).hexdigest()
    return f"{json.dumps(spec.as_dict(), sort_keys=True, default=str)} {frames}"


def _checkpoint(state: _State, identity: str) -> Checkpoint:
    tensors: dict[str, Tensor] = {}
    for prefix, group in (("network", state.network.state_dict()), ("average", state.average), ("best", state.best)):
        tensors.update({f"{prefix}.{name}": value for name, value in group.items()})
    for index, of_parameter in state.optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{index}.{n}": v for n, v in of_parameter.items() if isinstance(v, Tensor)})
    tensors["chance.torch"] = torch.get_rng_state()
    tensors["chance.augment"] = state.generator.get_state()
    values = {
        "identity": identity,
        "losses": state.losses,
        "validation": state.validation,
        "best_at": state.best_at,
        "best_by_set": state.best_by_set,
        "chance": state.chance.bit_generator.state,
    }
    return Checkpoint(tensors, values)


def _go_on(state: _State, found: Checkpoint, identity: str, folder: Path) -> None:
    if found.values.get("identity") != identity:
        raise TrainingError(
            f"The checkpoint in {folder} belongs to a training with another spec or other data. Remove it, or name a "
            "new --output folder."
        )
    state.network.load_state_dict(found.under("network"))
    for name, value in found.under("average").items():
        state.average[name].copy_(value)
    state.best = found.under("best")
    optimizer = state.optimizer.state_dict()
    of_parameters: dict[int, dict[str, Tensor]] = {}
    for name, value in found.under("optimizer").items():
        index, key = name.split(".", 1)
        of_parameters.setdefault(int(index), {})[key] = value
    state.optimizer.load_state_dict({**optimizer, "state": of_parameters})
    torch.set_rng_state(found.tensors["chance.torch"])
    state.generator.set_state(found.tensors["chance.augment"])
    state.chance.bit_generator.state = found.values["chance"]
    state.losses = [float(x) for x in found.values["losses"]]
    state.validation = [(int(at), float(score)) for at, score in found.values["validation"]]
    state.best_at = int(found.values["best_at"])
    state.best_by_set = found.values["best_by_set"]


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that memory ran out; on the CPU only the text of the RuntimeError shows it."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text


def _augmentation(spec: TrainingSpec) -> Augmentation:
    how = Augmentation(shift_px=spec.shift_px)
    if spec.role is Role.CLASSIFIER:
        how = replace(how, zoom=(CLASSIFIER_MINIMUM_ZOOM, 1 / CLASSIFIER_MINIMUM_ZOOM))
    return how.changed(**spec.augmentation)


def _starting_network(spec: TrainingSpec, start_from: Path | None) -> nn.Module:
    network = build(spec.architecture, spec.network_options)
    if spec.role is not Role.CLASSIFIER and not isinstance(network, UNet2d):
        raise TrainingError(f"A {spec.architecture} can be imported but not trained here. Train a unet2d.")
    if start_from is not None:
        plan = read_plan(start_from)
        if plan.architecture != spec.architecture:
            raise ModelError(
                f"Training of {spec.architecture} cannot start from {plan.model_id}, a {plan.architecture}."
            )
        load_weights(network, start_from / WEIGHTS_FILE)
    return network


def _class_weights(spec: TrainingSpec, samples: Sequence[Sample]) -> Tensor | None:
    """Weights of a classifier: one over the share of each region, 1 on average; None for equal weights."""
    if not spec.weighted_loss:
        return None
    counts = torch.tensor([max(1, sum(s.region is region for s in samples)) for region in REGIONS]).float()
    return len(samples) / (len(REGIONS) * counts)
