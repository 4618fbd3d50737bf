"""The segmentation networks: the program's own plain 2D U-Net, and those of nnU-Net that are imported.

The names of weights are those of the model folders and of nnU-Net's checkpoints; a change of them needs new folders.

Source:
    PlainConvUNet and ResidualEncoderUNet of the package dynamic_network_architectures (Apache License 2.0), as nnU-Net
    v2 configures them. Isensee et al. 2021; residual encoders: Isensee et al. 2024, "nnU-Net Revisited".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

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


Pair = Sequence[int]
"""Rows and columns."""


@dataclass(frozen=True)
class Form:
    """What a network is built from.

    Attributes:
        features: Channels of each stage, full resolution first.
        kernels: (row, col) of each stage's convolutions, odd.
        strides: (row, col) by which each stage reduces the resolution; (1, 1) for the first.
        counts: Convolutions, or residual blocks, of each stage on the way down.
        decoder_counts: Convolutions of each stage on the way up, lowest resolution first; one fewer than stages.
        outputs: Number of labels, background included.
        residual: Whether the encoder is a residual one.
        bias: Whether convolutions have biases.
        epsilon: Of the instance norms.
        slope: Of the leaky ReLUs below 0; 0 for plain ReLUs.

    Raises:
        ValueError: The numbers make no network.
    """

    features: Sequence[int]
    kernels: Sequence[Pair]
    strides: Sequence[Pair]
    counts: Sequence[int]
    decoder_counts: Sequence[int]
    outputs: int = 4
    residual: bool = False
    bias: bool = True
    epsilon: float = 1e-5
    slope: float = 0.01

    def __post_init__(self) -> None:
        stages = len(self.features)
        lengths = {len(self.kernels), len(self.strides), len(self.counts), len(self.decoder_counts) + 1}
        pairs = [*self.kernels, *self.strides]
        if stages < 2 or lengths != {stages} or any(len(pair) != 2 for pair in pairs):
            raise ValueError(f"{stages} stages need as many kernels, strides and counts, each kernel and stride a pair")
        numbers = [
            *self.features,
            *self.counts,
            *self.decoder_counts,
            self.outputs,
            *(n for pair in pairs for n in pair),
        ]
        if min(numbers) < 1 or any(n % 2 == 0 for kernel in self.kernels for n in kernel):
            raise ValueError("channels, strides and counts must be positive and kernels odd")

    @property
    def multiples(self) -> tuple[int, int]:
        """Rows and columns of the input must be multiples of these."""
        rows, cols = (prod(stride[axis] for stride in self.strides) for axis in (0, 1))
        return rows, cols


class ConvNorm(nn.Module):
    """One convolution with instance norm and, if `active`, a leaky ReLU."""

    def __init__(
        self,
        form: Form,
        inputs: int,
        outputs: int,
        kernel: Pair,
        stride: Pair = (1, 1),
        *,
        bias: bool = True,
        active: bool = True,
    ) -> None:
        super().__init__()
        (rows, cols), step = kernel, (stride[0], stride[1])
        padding = ((rows - 1) // 2, (cols - 1) // 2)
        self.conv = nn.Conv2d(inputs, outputs, (rows, cols), step, padding, bias=form.bias and bias)
        self.norm = nn.InstanceNorm2d(outputs, eps=form.epsilon, affine=True)
        self.nonlin: nn.Module = nn.LeakyReLU(form.slope, inplace=True) if active else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Features (batch, channel, row, col)."""
        return torch.as_tensor(self.nonlin(self.norm(self.conv(features))))


class ConvStack(nn.Module):
    """Convolutions one after the other; the first may reduce the resolution."""

    def __init__(self, form: Form, count: int, inputs: int, outputs: int, kernel: Pair, stride: Pair = (1, 1)) -> None:
        super().__init__()
        rest = (ConvNorm(form, outputs, outputs, kernel) for _ in range(count - 1))
        self.convs = nn.Sequential(ConvNorm(form, inputs, outputs, kernel, stride), *rest)

    def forward(self, features: Tensor) -> Tensor:
        """Features (batch, channel, row, col)."""
        return torch.as_tensor(self.convs(features))


class ResidualBlock(nn.Module):
    """Two convolutions beside a skip, averaged where the resolution falls and projected where the channels change."""

    def __init__(self, form: Form, inputs: int, outputs: int, kernel: Pair, stride: Pair = (1, 1)) -> None:
        super().__init__()
        self.conv1 = ConvNorm(form, inputs, outputs, kernel, stride)
        self.conv2 = ConvNorm(form, outputs, outputs, kernel, active=False)
        self.nonlin2 = nn.LeakyReLU(form.slope, inplace=True)
        step = (stride[0], stride[1])
        shortcut: list[nn.Module] = [nn.AvgPool2d(step, step)] if prod(step) != 1 else []
        if inputs != outputs:
            shortcut.append(ConvNorm(form, inputs, outputs, (1, 1), bias=False, active=False))
        self.skip = nn.Sequential(*shortcut)

    def forward(self, features: Tensor) -> Tensor:
        """Features (batch, channel, row, col)."""
        return torch.as_tensor(self.nonlin2(self.conv2(self.conv1(features)) + self.skip(features)))


class ResidualStack(nn.Module):
    """Residual blocks one after the other; the first may reduce the resolution."""

    def __init__(self, form: Form, count: int, inputs: int, outputs: int, kernel: Pair, stride: Pair) -> None:
        super().__init__()
        rest = (ResidualBlock(form, outputs, outputs, kernel) for _ in range(count - 1))
        self.blocks = nn.Sequential(ResidualBlock(form, inputs, outputs, kernel, stride), *rest)

    def forward(self, features: Tensor) -> Tensor:
        """Features (batch, channel, row, col)."""
        return torch.as_tensor(self.blocks(features))


class Encoder(nn.Module):
    """The way down; a residual encoder begins with a stem at full resolution."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        first = form.features[0]
        self.stem: nn.Module = ConvStack(form, 1, 1, first, form.kernels[0]) if form.residual else nn.Identity()
        before = [first if form.residual else 1, *form.features[:-1]]
        stages: list[nn.Module] = []
        shapes = zip(form.counts, before, form.features, form.kernels, form.strides, strict=True)
        for count, inputs, outputs, kernel, stride in shapes:
            if form.residual:
                stages.append(ResidualStack(form, count, inputs, outputs, kernel, stride))
            else:
                stages.append(nn.Sequential(ConvStack(form, count, inputs, outputs, kernel, stride)))
        self.stages = nn.Sequential(*stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of each stage, full resolution first."""
        features = self.stem(images)
        skips: list[Tensor] = []
        for stage in self.stages:
            features = stage(features)
            skips.append(features)
        return skips


class Decoder(nn.Module):
    """The way up. There is a head at each resolution, as in the checkpoints; the last one alone is used."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.transpconvs, self.stages, self.seg_layers = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        levels = range(len(form.features) - 1, 0, -1)
        for (below, here), level, count in zip(pairwise(form.features[::-1]), levels, form.decoder_counts, strict=True):
            step = (form.strides[level][0], form.strides[level][1])
            self.transpconvs.append(nn.ConvTranspose2d(below, here, step, step, bias=form.bias))
            self.stages.append(ConvStack(form, count, 2 * here, here, form.kernels[level - 1]))
            self.seg_layers.append(nn.Conv2d(here, form.outputs, 1))

    def forward(self, skips: Sequence[Tensor]) -> Tensor:
        """Logits at full resolution."""
        features = skips[-1]
        for up, merge, skip in zip(self.transpconvs, self.stages, skips[-2::-1], strict=True):
            features = merge(torch.cat((up(features), skip), 1))
        return torch.as_tensor(self.seg_layers[-1](features))


class PlainConvUNet(nn.Module):
    """nnU-Net's 2D U-Net for images of one channel, with a plain or a residual encoder."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.multiples = form.multiples
        self.encoder = Encoder(form)
        self.decoder = Decoder(form)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, label, row, col) of images (batch, 1, row, col)."""
        return torch.as_tensor(self.decoder(self.encoder(images)))


class Ensemble(nn.Module):
    """Networks of one form whose logits are averaged, as nnU-Net does with its folds."""

    def __init__(self, form: Form, count: int) -> None:
        super().__init__()
        self.multiples = form.multiples
        self.members = nn.ModuleList(PlainConvUNet(form) for _ in range(count))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, label, row, col) of images (batch, 1, row, col)."""
        return torch.stack([member(images) for member in self.members]).mean(dim=0)


def plain_conv_unet(members: int = 1, **form: Any) -> nn.Module:
    """One network, or an ensemble.

    Args:
        members: Number of networks.
        **form: See `Form`.

    Raises:
        TypeError, ValueError: These make no network.
    """
    if members < 1:
        raise ValueError(f"{members} networks make no ensemble")
    shape = Form(**form)
    return PlainConvUNet(shape) if members == 1 else Ensemble(shape, members)
