"""Fit a network to samples: the loop over batches, and the loss."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
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
from cmr_viewer.networks.unets import UNet2d
from cmr_viewer.networks.weights import load_weights
from cmr_viewer.prepare.plan import WEIGHTS_FILE, read_plan
from cmr_viewer.progress import Follow, Progress, not_followed, silent
from cmr_viewer.train.augment import Augmentation, augment_batch
from cmr_viewer.train.checkpoint import CHECKPOINT_FILE, TrainingState, copy_of, identity_of, read_checkpoint
from cmr_viewer.train.samples import Sample, end_weights, specialist_weights, with_non_cardiac, with_shares
from cmr_viewer.train.spec import TrainingSpec
from cmr_viewer.train.validate import batch_tensors, validate

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
        best_at: Number of batches after which these weights were the best.
        by_set: Scores of these weights on each set of the validation part, see `validate.ValidationScores`.
    """

    network: nn.Module
    losses: NDArray[np.float32]
    validation: Sequence[tuple[int, float]] = ()
    best_at: int = 0
    by_set: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Learning:
    """What stays the same from batch to batch."""

    spec: TrainingSpec
    samples: Sequence[Sample]
    chances: NDArray[np.float64]
    how: Augmentation
    class_weights: Tensor | None
    device: torch.device

    def step(self, state: TrainingState) -> float:
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

    def _loss(self, state: TrainingState, drawn: Sequence[Sample]) -> Tensor:
        spec, network = self.spec, state.network
        images, labels = (tensor.to(self.device) for tensor in batch_tensors(drawn, spec.context))
        images, labels = augment_batch(images, labels, (spec.rows, spec.cols), self.how, state.generator)
        # Channels last: a CPU needs a fifth less time for a batch of the U-Net, a third less for DenseNet.
        images = images.contiguous(memory_format=torch.channels_last)
        with fast_arithmetic(self.device):
            outputs = network.forward_deep(images) if isinstance(network, UNet2d) else [network(images)]
        if isinstance(network, UNet2d):
            labelled = [[label in s.structures or not label for label in Label] for s in drawn]
            known = torch.tensor(labelled, device=self.device)
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
    follow: Follow = not_followed,
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
        follow: Called with the loss at each per cent, and with the score at each validation.

    Raises:
        TrainingError: There are no samples, the loss or a weight is not a number, memory runs out, or the checkpoint
            belongs to another training.
        Cancelled: From `progress`.
    """
    with plain_out_of_memory():
        return _fitted(spec, samples, device, start_from, validation, checkpoints, progress, follow)


def _fitted(
    spec: TrainingSpec,
    samples: Sequence[Sample],
    device: torch.device,
    start_from: Path | None,
    validation: Sequence[Sample],
    checkpoints: Path | None,
    progress: Progress,
    follow: Follow,
) -> Fitted:
    torch.manual_seed(spec.seed)
    state = _begin(spec, start_from, device)
    identity = "" if checkpoints is None else identity_of(spec, samples)
    if checkpoints is not None and (found := read_checkpoint(checkpoints)) is not None:
        state.restore(found, identity, checkpoints)
    learn = _Learning(
        spec, samples, _chances(spec, samples), _augmentation(spec), _class_weights(spec, samples), device
    )
    clock = _Clock(state.done, spec.iterations)
    while state.done < spec.iterations:
        state.network.train()
        loss = learn.step(state)
        if not np.isfinite(loss):
            raise TrainingError(f"The loss of batch {state.done} is not a number. Try a lower learning rate.")
        if state.done % spec.validate_every == 0 or state.done == spec.iterations:
            _validate(state, spec, validation, device)
            if state.validation and state.validation[-1][0] == state.done:
                follow("validation", *state.validation[-1])
            if checkpoints is not None and state.done < spec.iterations:
                state.checkpoint(identity).write(checkpoints)
        done = state.done / spec.iterations
        if int(100 * done) > int(100 * (state.done - 1) / spec.iterations):
            recent = float(np.mean(state.losses[-20:]))
            _log.info("Batch %d of %d: loss %.3f", state.done, spec.iterations, recent)
            follow("loss", state.done, recent)
        progress(done, f"Training {100 * done:.0f} %{clock.left(state.done)}")
    fitted = _ended(state, spec, checkpoints)
    if start_from is not None and spec.start_share:
        fitted = replace(fitted, network=blended(fitted.network, spec, start_from, spec.start_share))
    weights = fitted.network.state_dict().values()
    if not all(bool(torch.isfinite(one).all()) for one in weights if one.is_floating_point()):
        raise TrainingError("Weights of the trained network are not numbers. Try a lower learning rate.")
    return fitted


def blended(network: nn.Module, spec: TrainingSpec, start_from: Path, share: float) -> nn.Module:
    """A copy of a trained network whose weights lie a share of the way back to those that training started from.

    Args:
        network: On the CPU.
        spec: The spec of that training.
        start_from: The model folder that it started from.
        share: 0 for the network as it is, 1 for the one at the start.
    """
    copy = deepcopy(network)
    theirs = _starting_network(spec, start_from).state_dict()
    with torch.no_grad():
        for name, value in copy.state_dict().items():
            if value.is_floating_point():
                value.lerp_(theirs[name].to(value.dtype), share)
    return copy


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
        state.restore(found, identity_of(spec, samples), checkpoints)
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


def _begin(spec: TrainingSpec, start_from: Path | None, device: torch.device) -> TrainingState:
    network = _starting_network(spec, start_from).to(device)
    return TrainingState(
        network,
        _optimizer(spec, network),
        copy_of(network) if spec.average else {},
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


def _validate(state: TrainingState, spec: TrainingSpec, validation: Sequence[Sample], device: torch.device) -> None:
    """Validate the present weights, and store them if they are the best so far."""
    if not validation:
        return
    weights = state.average or state.network.state_dict()
    present = copy_of(state.network)
    state.network.load_state_dict(weights)
    found = validate(state.network, spec, validation, device)
    if found is not None:
        _log.info("Batch %d: validation %s", state.done, found.text())
        if found.score >= max((s for _, s in state.validation), default=0.0):
            state.best = copy_of(state.network)
            state.best_at, state.best_by_set = state.done, found.by_set
        state.validation.append((state.done, found.score))
    state.network.load_state_dict(present)


def _ended(state: TrainingState, spec: TrainingSpec, checkpoints: Path | None) -> Fitted:
    state.network.load_state_dict(state.best or state.average or state.network.state_dict())
    if checkpoints is not None:
        (checkpoints / CHECKPOINT_FILE).unlink(missing_ok=True)
    losses = np.asarray(state.losses, dtype=np.float32)
    best_at = state.best_at if state.best else state.done
    return Fitted(state.network.eval().cpu(), losses, tuple(state.validation), best_at, state.best_by_set)


@contextmanager
def plain_out_of_memory() -> Iterator[None]:
    """What torch or Python raises where memory runs out becomes an error for a reader.

    Raises:
        TrainingError: Memory ran out in the block.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        on_gpu = "cuda" in str(error).lower()
        where = " of the graphics card" if on_gpu else ""
        do = "Close other programs, train with a smaller batch" + (", or train on the CPU." if on_gpu else ".")
        raise TrainingError(f"Not enough memory{where} to train. {do}") from error


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


def dice_and_cross_entropy(logits: Tensor, labels: Tensor, known: Tensor | None = None) -> Tensor:
    """Soft Dice loss over the batch plus cross-entropy, as nnU-Net adds them.

    Args:
        logits: (batch, label, row, col).
        labels: (batch, row, col) int64.
        known: (batch, label) bool: the labels that the reference of each sample includes, background among them; None
            for all. Another label may lie in its background: its probability counts as background's in the
            cross-entropy, and the sample is left out of that label's Dice.

    Returns:
        Scalar: cross-entropy minus the mean soft Dice of the labels other than background; the smaller the better.
    """
    logits = logits.float()
    if known is not None:
        logits = _unknown_as_background(logits, known)
    cross_entropy = functional.cross_entropy(logits, labels)
    probabilities = torch.softmax(logits, dim=1)[:, 1:]
    target = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].to(probabilities.dtype)
    scored = torch.ones(probabilities.shape[1], dtype=torch.bool, device=logits.device)
    if known is not None:
        scored = known[:, 1:].any(dim=0)
    both = (probabilities * target).sum(dim=(0, 2, 3))
    total = probabilities.sum(dim=(0, 2, 3)) + target.sum(dim=(0, 2, 3))
    dice = (2 * both + 1e-5) / (total + 1e-5)
    return cross_entropy - dice[scored].sum() / scored.sum().clamp_min(1)


def _unknown_as_background(logits: Tensor, known: Tensor) -> Tensor:
    """Logits whose softmax gives background the probability of what is not known, and that nothing."""
    unknown = ~known[:, :, None, None].expand_as(logits)
    background = torch.where(unknown, logits, torch.full_like(logits, -torch.inf))
    background = torch.cat([logits[:, :1], background[:, 1:]], dim=1).logsumexp(dim=1, keepdim=True)
    rest = logits[:, 1:].masked_fill(unknown[:, 1:], -1e4)
    return torch.cat([background, rest], dim=1)


def deep_supervision(outputs: Sequence[Tensor], labels: Tensor, known: Tensor | None = None) -> Tensor:
    """The loss at each resolution, each weighing half of the finer one; the weights add up to 1.

    Args:
        outputs: Logits, full resolution first, each following halved.
        labels: (batch, row, col) int64 at full resolution; coarser ones take every second pixel.
        known: See `dice_and_cross_entropy`.
    """
    total = torch.zeros((), device=labels.device)
    weights = [0.5**level for level in range(len(outputs))]
    for level, logits in enumerate(outputs):
        step = 2**level
        loss = dice_and_cross_entropy(logits, labels[:, ::step, ::step], known)
        total = total + weights[level] / sum(weights) * loss
    return total
