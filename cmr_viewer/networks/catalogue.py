"""Networks by the name that a plan gives them."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from cmr_viewer.errors import ModelError
from cmr_viewer.networks.densenet import DenseNet
from cmr_viewer.networks.unet import UNet2d

SEGMENTERS: Mapping[str, Callable[..., nn.Module]] = {"unet2d": UNet2d}
CLASSIFIERS: Mapping[str, Callable[..., nn.Module]] = {"densenet121": DenseNet}


def build(architecture: str, options: Mapping[str, Any]) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        architecture: A key of `SEGMENTERS` or `CLASSIFIERS`.
        options: The network's own arguments.

    Raises:
        ModelError: The name or an option is not known.
    """
    constructor = {**SEGMENTERS, **CLASSIFIERS}.get(architecture)
    if constructor is None:
        known = ", ".join([*SEGMENTERS, *CLASSIFIERS])
        raise ModelError(f"The network {architecture!r} is not known; this version has {known}.")
    try:
        return constructor(**options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"The network {architecture!r} cannot be built with {dict(options)}: {error}.") from error
