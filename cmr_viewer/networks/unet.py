"""The segmentation network: a plain 2D U-Net as nnU-Net builds it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ConvBlock(nn.Sequential):
    """Two 3 x 3 convolutions, each with instance norm and leaky ReLU; the first may halve the resolution."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1),
            nn.InstanceNorm2d(outputs, affine=True),
            nn.LeakyReLU(0.01, inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1),
            nn.InstanceNorm2d(outputs, affine=True),
            nn.LeakyReLU(0.01, inplace=True),
        )


class UNet2d(nn.Module):
    """Plain 2D U-Net with deep supervision.

    Args:
        widths: Channels of each stage, from full resolution down; each stage but the first halves the resolution.
        outputs: Number of labels, background included.
        supervised: How many resolutions give an output in training.
        inputs: Number of input channels: the frame, with neighbouring slices around it.

    Source:
        nnU-Net's PlainConvUNet: instance norm, leaky ReLU 0.01, strided convolutions down, transposed convolutions up.
        Isensee et al. 2021.
    """

    def __init__(
        self,
        widths: Sequence[int] = (24, 48, 96, 192, 256),
        outputs: int = 4,
        supervised: int = 3,
        inputs: int = 1,
    ) -> None:
        super().__init__()
        if len(widths) < 2 or outputs < 1 or supervised < 1 or inputs < 1:
            raise ValueError(f"{len(widths)} stages, {outputs} outputs and {supervised} supervised make no U-Net")
        self.stages = nn.ModuleList()
        before = inputs
        for depth, width in enumerate(widths):
            self.stages.append(ConvBlock(before, width, stride=1 if depth == 0 else 2))
            before = width
        ups = range(len(widths) - 1)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(widths[d + 1], widths[d], 2, 2) for d in ups)
        self.merges = nn.ModuleList(ConvBlock(2 * widths[d], widths[d]) for d in ups)
        self.heads = nn.ModuleList(nn.Conv2d(widths[d], outputs, 1) for d in range(min(supervised, len(widths) - 1)))

    @property
    def multiple(self) -> int:
        """Rows and columns of the input must be multiples of this."""
        return int(2 ** (len(self.stages) - 1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, label, row, col) of images (batch, input channel, row, col)."""
        return self.forward_deep(images, outputs=1)[0]

    def forward_deep(self, images: Tensor, outputs: int | None = None) -> list[Tensor]:
        """Logits at each supervised resolution, full resolution first."""
        count = len(self.heads) if outputs is None else outputs
        skips: list[Tensor] = []
        features = images
        for stage in self.stages:
            features = stage(features)
            skips.append(features)
        logits: list[Tensor] = []
        for depth in reversed(range(len(self.ups))):
            features = self.merges[depth](torch.cat([self.ups[depth](features), skips[depth]], dim=1))
            if depth < count:
                logits.append(self.heads[depth](features))
        return logits[::-1]
