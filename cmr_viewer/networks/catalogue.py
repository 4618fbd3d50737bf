"""Networks by the name that a plan gives them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from cmr_viewer.errors import ModelError
from cmr_viewer.networks.classifiers import AlexNet, DenseNet, MobileNetV2, ResNet18, ShuffleNetV2, SqueezeNet, Vgg11
from cmr_viewer.networks.unets import UNet2d, plain_conv_unet

SEGMENTERS: Mapping[str, Callable[..., nn.Module]] = {"unet2d": UNet2d, "plain_conv_unet": plain_conv_unet}
CLASSIFIERS: Mapping[str, Callable[..., nn.Module]] = {
    "alexnet": AlexNet,
    "densenet121": DenseNet,
    "mobilenet_v2": MobileNetV2,
    "resnet18": ResNet18,
    "shufflenet_v2": ShuffleNetV2,
    "squeezenet": SqueezeNet,
    "vgg11_bn": Vgg11,
}

MOST_WEIGHTS = 500_000_000
"""More than any network here has. A plan that asks for more is damaged or made to harm: it would take all memory."""


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
        raise ModelError(f"The network {architecture!r} is not known. This version has {known}.")
    try:
        with torch.device("meta"):  # takes no memory
            weights = sum(weight.numel() for weight in constructor(**options).parameters())
        if weights > MOST_WEIGHTS:
            raise ValueError(f"it would have {weights / 1e6:.0f} million weights, and {MOST_WEIGHTS / 1e6:.0f} may be")
        return constructor(**options)
    except (TypeError, ValueError, RuntimeError, MemoryError, ArithmeticError) as error:
        options_text = f"{dict(options)}"
        raise ModelError(f"Could not build the network {architecture!r} with {options_text:.200}: {error}.") from error
