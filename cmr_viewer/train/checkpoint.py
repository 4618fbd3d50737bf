"""The state of a training on disk, so that a training that was ended can continue.

A checkpoint is one safetensors file: tensors by name, and JSON in its metadata. It is written next to the last one and
then replaces it, so that there is always a complete one.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from cmr_viewer.errors import TrainingError

CHECKPOINT_FILE = "checkpoint.safetensors"


@dataclass(frozen=True, eq=False)
class Checkpoint:
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


def read_checkpoint(folder: Path) -> Checkpoint | None:
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
    return Checkpoint(tensors, values)
