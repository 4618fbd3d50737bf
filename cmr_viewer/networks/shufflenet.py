"""ShuffleNetV2 for region classification."""

import torch
from torch import Tensor, nn

from cmr_viewer.networks.convolution import begin_as_he, conv_norm

STAGES = ((116, 4), (232, 8), (464, 4))
"""Channels and units of each stage at width 1.0: table 5 of the paper. The first unit of a stage halves the size."""


def shuffle(features: Tensor) -> Tensor:
    """Interleave the first half of the channels with the second: 0 1 2 3 becomes 0 2 1 3."""
    batch, channels, rows, cols = features.shape
    halves = features.view(batch, 2, channels // 2, rows, cols)
    return halves.transpose(1, 2).reshape(batch, channels, rows, cols)


def _branch(inputs: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        *conv_norm(inputs, channels, 1),
        nn.ReLU(inplace=True),
        *conv_norm(channels, channels, 3, stride=stride, groups=channels),
        *conv_norm(channels, channels, 1),
        nn.ReLU(inplace=True),
    )


class Unit(nn.Module):
    """Half of the channels pass as they are, half are convolved, and both are mixed for the next unit.

    The paper's figure 3 (c).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = _branch(channels // 2, channels // 2, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, row, col) to the same."""
        passed, convolved = features.chunk(2, dim=1)
        return shuffle(torch.cat([passed, self.branch(convolved)], dim=1))


class HalvingUnit(nn.Module):
    """All channels go through both branches, each of which halves the size and makes half of the outputs.

    The paper's figure 3 (d).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.branch = _branch(inputs, outputs // 2, 2)
        self.shortcut = nn.Sequential(
            *conv_norm(inputs, inputs, 3, stride=2, groups=inputs),
            *conv_norm(inputs, outputs // 2, 1),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, row, col) to the same with `outputs` channels, at half the size."""
        return shuffle(torch.cat([self.shortcut(features), self.branch(features)], dim=1))


class ShuffleNetV2(nn.Module):
    """ShuffleNetV2 at width 1.0.

    Args:
        classes: Number of outputs.
        inputs: Number of input channels: the frame, and neighbours where there are any.

    Source:
        Ma et al. 2018, ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, table 5. What
        differs: input channels and outputs.
    """

    def __init__(self, classes: int = 4, inputs: int = 1) -> None:
        super().__init__()
        channels = 24
        layers: list[nn.Module] = [
            *conv_norm(inputs, channels, 3, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        for outputs, units in STAGES:
            layers += [HalvingUnit(channels, outputs), *(Unit(outputs) for _ in range(units - 1))]
            channels = outputs
        layers += [*conv_norm(channels, 1024, 1), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(1024, classes)
        begin_as_he(self.modules())

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, class) of images (batch, channel, row, col)."""
        logits: Tensor = self.head(self.features(images))
        return logits
