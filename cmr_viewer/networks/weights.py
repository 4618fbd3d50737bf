"""Weights on disk: safetensors, convolution kernels in half precision."""

from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cmr_viewer.errors import ModelError


def save_weights(network: nn.Module, path: Path, *, halve: bool = True) -> None:
    """Write a network's weights; kernels and matrices as float16 where they fit, the small rest as it is.

    Running statistics and biases stay in single precision, because they can lie outside what float16 holds and weigh
    next to nothing.

    Args:
        network: The network.
        path: The new file.
        halve: False to write every weight as it is.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        small = tensor.detach().cpu().contiguous()
        halved = small.half() if halve and small.is_floating_point() and small.ndim >= 2 else None
        fits = halved is not None and bool(torch.isfinite(halved).all())
        tensors[name] = halved if halved is not None and fits else small.clone()
    path.write_bytes(safetensors.torch.save(tensors))  # save_file would make a file that its owner alone may read


def load_weights(network: nn.Module, path: Path) -> None:
    """Read weights into a network, as float32.

    Raises:
        ModelError: The file cannot be read or holds another network's weights.
    """
    try:
        tensors = safetensors.torch.load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"The weights in {path} cannot be read: {error}. Copy the model folder again.") from error
    full = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    if not all(torch.isfinite(t).all() for t in full.values() if t.is_floating_point()):
        raise ModelError(f"The weights in {path} contain values that are not numbers. Copy the model folder again.")
    try:
        network.load_state_dict(full)
    except RuntimeError as error:
        raise ModelError(
            f"The weights in {path} do not match the network in its plan. Copy the model folder again."
        ) from error
