"""Turn a trained-model folder of nnU-Net v2 into a model of this program; nothing in its checkpoint is run."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.networks.catalogue import build
from cmr_viewer.networks.unets import Ensemble
from cmr_viewer.prepare.plan import Plan
from cmr_viewer.segment.nnunet_plans import Outputs, configuration_of, network_options, preparation_of, read_outputs

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
    found: dict[str, Tensor] = {}
    for full, tensor in weights.items():
        name = full
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
        if ".all_modules." not in name and not name.startswith("decoder.encoder."):
            found[name] = tensor
    return found


ARCHITECTURE = "plain_conv_unet"
CHECKPOINT_FILE = "checkpoint_final.pth"


def convert(
    folder: Path,
    *,
    role: Role,
    model_id: str,
    folds: Sequence[str] = (),
    names: Mapping[Label, Sequence[str]] | None = None,
    mirroring: bool = True,
    checkpoint: str = CHECKPOINT_FILE,
) -> tuple[Plan, nn.Module]:
    """Read a trained model of nnU-Net.

    Args:
        folder: With plans.json, dataset.json and fold_0/checkpoint_final.pth.
        role: What the model is to be for.
        model_id: Its name here.
        folds: Which folds, "all" for the one trained on all cases; none named for every numbered one. Several are an
            ensemble, as in nnU-Net.
        names: Names of the labels in dataset.json, where they are not among the known ones.
        mirroring: Whether predictions are averaged over mirrored images as the checkpoint allows; nnU-Net does.
        checkpoint: Name of the checkpoint in each fold.

    Returns:
        Plan and network, to be written as a model folder.

    Raises:
        ModelError: It is no such folder, or a model that cannot be imported, and why.
    """
    if role is Role.CLASSIFIER:
        raise ModelError("A model of nnU-Net segments frames. It cannot be the region classifier.")
    plans, dataset = _read_json(folder, "plans.json"), _read_json(folder, "dataset.json")
    outputs = read_outputs(dataset.get("labels"), names)
    _check_channels(dataset)
    chosen = list(folds) or _folds(folder, checkpoint)
    read = [read_checkpoint(folder / f"fold_{fold}" / checkpoint) for fold in chosen]
    configuration = configuration_of(plans, read[0].configuration)
    axes = read[0].mirror_axes if mirroring else ()
    how = preparation_of(plans, configuration, outputs, axes)
    options = {**network_options(configuration, len(outputs.names)), "members": len(read)}
    network = build(ARCHITECTURE, options)
    members = list(network.members) if isinstance(network, Ensemble) else [network]
    for member, one, fold in zip(members, read, chosen, strict=True):
        _load(member, one, outputs, f"fold_{fold}")
    rows, cols = how.patch if how.transpose == (0, 1, 2) else how.patch[::-1]
    plan = Plan(
        model_id=model_id,
        role=role,
        architecture=ARCHITECTURE,
        options=options,
        spacing_mm=(how.spacing_mm[0] * how.spacing_mm[1]) ** 0.5,
        rows=rows,
        cols=cols,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        training=_origin(plans, dataset, read, chosen, outputs),
        preparation=json.loads(json.dumps(how.as_dict())),
    )
    return plan, network.eval()


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        inner = sorted(p.parent.name for p in folder.glob(f"*/{name}")) if folder.is_dir() else []
        hint = f" Name the folder of one training in it: {', '.join(inner)}." if inner else ""
        raise ModelError(f"{folder} is not a trained model of nnU-Net v2: it has no {name}.{hint}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} has no named values.")
    return values


def _check_channels(dataset: Mapping[str, Any]) -> None:
    channels = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(channels, dict) or len(channels) != 1:
        raise ModelError(f"Only models of one input channel can be imported; dataset.json names {channels}.")


def _folds(folder: Path, checkpoint: str) -> list[str]:
    there = [p.parent.name.removeprefix("fold_") for p in folder.glob(f"fold_*/{checkpoint}")]
    numbered = sorted((fold for fold in there if fold.isdecimal()), key=int)
    if not there:
        raise ModelError(f"{folder} has no finished training: there is no fold_*/{checkpoint} in it.")
    return numbered or sorted(there)


def _load(network: nn.Module, checkpoint: Checkpoint, outputs: Outputs, where: str) -> None:
    """Bring a checkpoint's weights into a network, its outputs in the order of `Label`."""
    order = torch.tensor(outputs.order)
    weights: dict[str, Tensor] = {}
    for name, tensor in checkpoint.weights.items():
        head = name.startswith("decoder.seg_layers.")
        if head and tensor.shape[0] != len(order):
            raise ModelError(f"The model has {tensor.shape[0]} outputs, and dataset.json names {len(order)} labels.")
        weights[name] = (tensor[order] if head else tensor).float()
    wanted = network.state_dict()
    for problem, found in (
        ("without", sorted(wanted.keys() - weights.keys())),
        ("not in the plans:", sorted(weights.keys() - wanted.keys())),
        ("with another shape:", sorted(n for n in wanted.keys() & weights if wanted[n].shape != weights[n].shape)),
    ):
        if found:
            raise ModelError(
                f"The checkpoint in {where} does not fit the network in plans.json: weights {problem} {found[0]} "
                f"({len(found)} such). Its trainer {checkpoint.trainer} may have built another network."
            )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ModelError(f"The checkpoint in {where} has weights that are not numbers.")
    network.load_state_dict(weights)


def _origin(
    plans: Mapping[str, Any],
    dataset: Mapping[str, Any],
    read: Sequence[Checkpoint],
    folds: Sequence[str],
    outputs: Outputs,
) -> dict[str, Any]:
    digest = hashlib.blake2b(digest_size=8)
    for one in read:
        for name, tensor in sorted(one.weights.items()):
            digest.update(name.encode())
            digest.update(tensor.contiguous().numpy().tobytes())
    return {
        "imported_from": "nnU-Net v2",
        "dataset": str(plans.get("dataset_name", "?")),
        "plans": str(plans.get("plans_name", "?")),
        "configuration": read[0].configuration,
        "trainer": read[0].trainer,
        "folds": list(folds),
        "cases": dataset.get("numTraining"),
        "labels": {
            name: label.name for name, label in zip(outputs.names, outputs.labels, strict=True) if label in STRUCTURES
        },
        "not_used": [n for n, label in zip(outputs.names[1:], outputs.labels[1:], strict=True) if not label],
        "weights_fingerprint": digest.hexdigest(),
    }
