"""Read a checkpoint of nnU-Net v2 without running anything that is in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from cmr_viewer.errors import ModelError

_PREFIXES = ("module.", "_orig_mod.")
"""What parallel and compiled training put before the names of weights."""


class _Ignored:
    """Stands for NumPy's scalars and arrays, which the log of the training is full of and nothing here needs."""

    def __init__(self, *_arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_STAND_INS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Ignored, name)
    for name in (
        "numpy.dtype",
        "numpy.ndarray",
        "numpy._core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct",
    )
]
"""All that is let in beyond torch's own list; NumPy itself is not called."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What is needed of a checkpoint.

    Attributes:
        weights: By name, each once: PlainConvUNet lists its convolutions two and its encoder three times.
        trainer: Name of the trainer class.
        configuration: Name of the configuration in the plans.
        mirror_axes: Axes of a patch over which predictions may be mirrored; empty for none.
    """

    weights: Mapping[str, Tensor]
    trainer: str
    configuration: str
    mirror_axes: tuple[int, ...]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a `checkpoint_final.pth`.

    Raises:
        ModelError: It is missing, damaged, no checkpoint of nnU-Net, or holds objects that could run code.
    """
    if not path.is_file():
        raise ModelError(f"The checkpoint {path} does not exist. Name the folder of a finished training.")
    try:
        with torch.serialization.safe_globals(_STAND_INS):
            values = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        first = str(error).strip().splitlines()
        raise ModelError(
            f"The checkpoint {path} is damaged, or holds objects other than weights and plain values and is not "
            f"opened, because they could run code ({first[-1] if first else 'no reason given'})."
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        why = str(error).strip().splitlines()[:1]
        raise ModelError(
            f"The checkpoint {path} cannot be read ({''.join(why) or type(error).__name__}). Copy it again."
        ) from error
    return _checked(values, path)


def _checked(values: object, path: Path) -> Checkpoint:
    needed = ("network_weights", "trainer_name", "init_args")
    if not isinstance(values, dict) or any(name not in values for name in needed):
        raise ModelError(f"{path} is not a checkpoint of nnU-Net v2: it lacks {', '.join(needed)}.")
    weights, about = values["network_weights"], values["init_args"]
    configuration = about.get("configuration") if isinstance(about, dict) else None
    tensors = isinstance(weights, dict) and all(
        isinstance(n, str) and isinstance(t, Tensor) for n, t in weights.items()
    )
    axes = values.get("inference_allowed_mirroring_axes") or ()
    if not tensors or not isinstance(configuration, str) or not all(type(axis) is int for axis in axes):
        raise ModelError(f"{path} is not a checkpoint of nnU-Net v2 that this version can read.")
    return Checkpoint(_each_once(weights), str(values["trainer_name"]), configuration, tuple(axes))


def _each_once(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kept: dict[str, Tensor] = {}
    for full, tensor in weights.items():
        name = full
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
        if ".all_modules." not in name and not name.startswith("decoder.encoder."):
            kept[name] = tensor
    return kept
