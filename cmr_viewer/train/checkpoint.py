"""A training between two batches, in memory and on disk, so that a training that was stopped can continue.

A checkpoint is one safetensors file: tensors by name, and JSON in its metadata. It is written next to the last one and
then replaces it, so that there is always a complete one.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cmr_viewer.errors import TrainingError
from cmr_viewer.train.samples import Sample
from cmr_viewer.train.spec import TrainingSpec

CHECKPOINT_FILE = "checkpoint.safetensors"


@dataclass
class TrainingState:
    """A training between two batches.

    Attributes:
        network: With the present weights.
        optimizer: Of the network.
        average: Running average of the weights; empty where none is taken.
        generator: Chance of the augmentation.
        chance: Chance of the samples that are drawn.
        losses: Of each batch.
        validation: (batches done, score) of each validation.
        best: The best weights so far; empty before the first validation.
        best_at: Batches after which they were the best.
        best_by_set: Their scores, see `validate.ValidationScores`.
    """

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
        """Number of batches."""
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

    def checkpoint(self, identity: str) -> "TrainingCheckpoint":
        """Everything that the training needs to continue; `identity` as of `identity_of`."""
        tensors: dict[str, Tensor] = {}
        for prefix, group in (("network", self.network.state_dict()), ("average", self.average), ("best", self.best)):
            tensors.update({f"{prefix}.{name}": value for name, value in group.items()})
        for index, of_parameter in self.optimizer.state_dict()["state"].items():
            tensors.update({f"optimizer.{index}.{n}": v for n, v in of_parameter.items() if isinstance(v, Tensor)})
        tensors["chance.torch"] = torch.get_rng_state()
        tensors["chance.augment"] = self.generator.get_state()
        values = {
            "identity": identity,
            "losses": self.losses,
            "validation": self.validation,
            "best_at": self.best_at,
            "best_by_set": self.best_by_set,
            "chance": self.chance.bit_generator.state,
        }
        return TrainingCheckpoint(tensors, values)

    def restore(self, found: "TrainingCheckpoint", identity: str, folder: Path) -> None:
        """Continue from a checkpoint.

        Raises:
            TrainingError: It belongs to another training.
        """
        if found.values.get("identity") != identity:
            raise TrainingError(
                f"The checkpoint in {folder} belongs to a training with another spec or other data. Remove it, or name "
                "a new --output folder."
            )
        self.network.load_state_dict(found.under("network"))
        for name, value in found.under("average").items():
            self.average[name].copy_(value)
        self.best = found.under("best")
        optimizer = self.optimizer.state_dict()
        of_parameters: dict[int, dict[str, Tensor]] = {}
        for name, value in found.under("optimizer").items():
            index, key = name.split(".", 1)
            of_parameters.setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict({**optimizer, "state": of_parameters})
        torch.set_rng_state(found.tensors["chance.torch"])
        self.generator.set_state(found.tensors["chance.augment"])
        self.chance.bit_generator.state = found.values["chance"]
        self.losses = [float(x) for x in found.values["losses"]]
        self.validation = [(int(at), float(score)) for at, score in found.values["validation"]]
        self.best_at = int(found.values["best_at"])
        self.best_by_set = found.values["best_by_set"]


def copy_of(network: nn.Module) -> dict[str, Tensor]:
    """A copy of a network's weights."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def identity_of(spec: TrainingSpec, samples: Sequence[Sample]) -> str:
    """The identity of a training; a checkpoint with another one is refused.

    It names frames and regions but not pixels, whose last bit depends on the number of threads.
    """
    frames = hashlib.blake2b(repr([(s.name, s.region.value) for s in samples]).encode(), digest_size=8).hexdigest()
    return f"{json.dumps(spec.as_dict(), sort_keys=True, default=str)} {frames}"


@dataclass(frozen=True, eq=False)
class TrainingCheckpoint:
    """All that a training needs to continue as if it had not stopped.

    Attributes:
        tensors: Weights, averages, the optimizer's and the generators' states, by name.
        values: The rest, as JSON values.
    """

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names start with `prefix.`, without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): t for name, t in self.tensors.items() if name.startswith(start)}

    def write(self, folder: Path) -> None:
        """Write it to a folder, where it replaces the previous one.

        Raises:
            TrainingError: The file could not be written; the previous one is still there.
        """
        beside = folder / f".{CHECKPOINT_FILE}.part"
        whole = {name: t.detach().cpu().contiguous() for name, t in self.tensors.items()}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(safetensors.torch.save(whole, {"values": json.dumps(self.values)}))
            beside.replace(folder / CHECKPOINT_FILE)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise TrainingError(
                f"Could not write the checkpoint to {folder}: {error}. Free some disk space."
            ) from error


def read_checkpoint(folder: Path) -> TrainingCheckpoint | None:
    """The checkpoint in a folder, or None where there is none.

    Raises:
        TrainingError: It cannot be read.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        tensors = safetensors.torch.load_file(path)
        with safetensors.safe_open(path, framework="pt") as opened:
            values = json.loads((opened.metadata() or {})["values"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise TrainingError(
            f"Could not read the checkpoint {path}: {error}. Remove it to train from the start."
        ) from error
    return TrainingCheckpoint(tensors, values)
