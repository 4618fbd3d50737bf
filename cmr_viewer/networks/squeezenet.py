"""SqueezeNet for region classification."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmr_viewer.networks.convolution import BEGINNING_OF_HEADS


class Fire(nn.Module):
    """Squeezes the channels by 1 x 1 and expands them by 1 x 1 and by 3 x 3, half of the outputs each."""

    def __init__(self, inputs: int, squeezed: int, outputs: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.point = nn.Conv2d(squeezed, outputs // 2, 1)
        self.around = nn.Conv2d(squeezed, outputs // 2, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, row, col) to the same with `outputs` channels."""
        squeezed = functional.relu(self.squeeze(features))
        return functional.relu(torch.cat([self.point(squeezed), self.around(squeezed)], dim=1))


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1: fire modules, and a convolution for a head.

    Args:
        classes: Number of outputs.
        inputs: Number of input channels: the frame, and neighbours where there are any.
        dropout: Share of features left out before the last convolution while training; 0.5 in the paper.

    Source:
        Iandola et al. 2016, SqueezeNet: AlexNet-level accuracy with 50x fewer parameters; version 1.1 of its authors,
        which pools earlier and begins with 64 kernels of 3 x 3. What differs: input channels and outputs.
    """

    def __init__(self, classes: int = 4, inputs: int = 1, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(inputs, 64, 3, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(64, 16, 128),
            Fire(128, 16, 128),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(128, 32, 256),
            Fire(256, 32, 256),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            Fire(256, 48, 384),
            Fire(384, 48, 384),
            Fire(384, 64, 512),
            Fire(512, 64, 512),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(512, classes, 1)
        self._begin()

    def _begin(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.head.weight, 0.0, BEGINNING_OF_HEADS)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, class) of images (batch, channel, row, col)."""
        maps = functional.relu(self.head(self.dropout(self.features(images))))
        return functional.adaptive_avg_pool2d(maps, 1).flatten(1)
