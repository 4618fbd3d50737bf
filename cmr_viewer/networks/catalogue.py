"""Networks by the name that a plan gives them."""

from collections.abc import Callable, Mapping
from typing import Any

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
        return constructor(**options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"Could not build the network {architecture!r} with {dict(options)}: {error}.") from error
