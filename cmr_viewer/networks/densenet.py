"""DenseNet for region classification."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class DenseLayer(nn.Module):
    """Adds `growth` channels, made from all channels before it through a bottleneck."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        bottleneck = 4 * growth
        self.layers = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, bottleneck, 1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(inplace=True),
            nn.Conv2d(bottleneck, growth, 3, padding=1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, row, col) to the same with `growth` channels more."""
        return torch.cat([features, self.layers(features)], dim=1)


class Transition(nn.Sequential):
    """Halves channels and resolution between dense blocks."""

    def __init__(self, inputs: int) -> None:
        super().__init__(
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, inputs // 2, 1, bias=False),
            nn.AvgPool2d(2, 2),
        )


class DenseNet(nn.Module):
    """DenseNet-BC; with its defaults DenseNet121.

    Args:
        classes: Number of outputs.
        blocks: Layers of each dense block.
        growth: Channels that each layer adds.
        dropout: Share of features left out before the last layer while training.
        inputs: Number of input channels: the frame, and neighbours where there are any.

    Source:
        Huang et al. 2017, Densely Connected Convolutional Networks, table 1. What differs: input channels, outputs, and
        dropout before the last layer, which the paper's networks for large data sets do not have.
    """

    def __init__(
        self,
        classes: int = 4,
        blocks: Sequence[int] = (6, 12, 24, 16),
        growth: int = 32,
        dropout: float = 0.2,
        inputs: int = 1,
    ) -> None:
        super().__init__()
        channels = 2 * growth
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, channels, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        for index, count in enumerate(blocks):
            for _ in range(count):
                layers.append(DenseLayer(channels, growth))
                channels += growth
            if index + 1 < len(blocks):
                layers.append(Transition(channels))
                channels //= 2
        layers.append(nn.BatchNorm2d(channels))
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, class) of images (batch, channel, row, col)."""
        features = functional.relu(self.features(images))
        pooled = functional.adaptive_avg_pool2d(features, 1).flatten(1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits
