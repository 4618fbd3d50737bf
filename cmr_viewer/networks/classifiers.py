"""The networks for region classification: AlexNet, DenseNet, MobileNetV2, ResNet18, ShuffleNetV2, SqueezeNet and VGG.

Each takes `classes` (the number of outputs) and `inputs` (the number of input channels: the frame, and neighbours where
there are any), and reads images (batch, channel, row, col) of any size from 64 x 64 into logits (batch, class). Where
one has `dropout`, it is the share of features that training leaves out before the head. The names of the weights are
those of the model folders; a change of them needs new folders.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmr_viewer.errors import ModelError

BEGINNING_OF_HEADS = 0.01
"""Standard deviation of the normal distribution that weights of fully connected layers are first drawn from."""


def conv_norm(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias that keeps the size but for its stride, and the batch norm that makes up for the bias.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Rows and columns of the kernel, odd.
        stride: In rows and columns.
        groups: Parts of the channels that are convolved apart; `inputs` of them make the convolution depthwise.
    """
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


def begin_as_he(modules: Iterable[nn.Module]) -> None:
    """Draw the weights of convolutions so that gradients keep their size on the way back; biases begin as 0.

    Fully connected layers begin with small weights, so that all classes are about as likely at first.

    Source:
        He et al. 2015, Delving Deep into Rectifiers, section 2.2, equation 14.
    """
    for module in modules:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, BEGINNING_OF_HEADS)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


ALEXNET_SMALLEST_PX = 63
"""The fewest rows and columns that leave one point behind all convolutions and poolings."""


class AlexNet(nn.Module):
    """AlexNet: five convolutions without normalisation and three fully connected layers.

    Args:
        dropout: Share of features left out before the two hidden layers while training; 0.5 in the paper.
        hidden: Features of each hidden layer; 4096 in the paper.

    Source:
        Krizhevsky, Sutskever, Hinton 2012, ImageNet Classification with Deep Convolutional Neural Networks, in the
        form for one device of Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks: 64,
        192, 384, 256 and 256 channels, no grouped convolutions, no response normalisation. What differs: input
        channels, outputs, and features are averaged to 6 x 6 before the hidden layers, so that frames of any size from
        63 x 63 can be read. Weights begin as torch's own layers do, and not with one deviation for all layers.
    """

    def __init__(self, classes: int = 4, inputs: int = 1, dropout: float = 0.5, hidden: int = 4096) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(inputs, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.AdaptiveAvgPool2d(6),
            nn.Flatten(),
        )
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 36, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, class) of images (batch, channel, row, col).

        Raises:
            ModelError: Fewer rows or columns than `ALEXNET_SMALLEST_PX`.
        """
        rows, cols = images.shape[-2:]
        if min(rows, cols) < ALEXNET_SMALLEST_PX:
            raise ModelError(
                f"AlexNet needs frames of at least {ALEXNET_SMALLEST_PX} x {ALEXNET_SMALLEST_PX}, not {rows} x {cols}. "
                "Use a larger grid."
            )
        logits: Tensor = self.head(self.features(images))
        return logits


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
        blocks: Layers of each dense block.
        growth: Channels that each layer adds.

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
        """Logits of images."""
        features = functional.relu(self.features(images))
        pooled = functional.adaptive_avg_pool2d(features, 1).flatten(1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


_MOBILENET_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels out, blocks, stride of the first block: table 2 of the paper."""


class InvertedResidual(nn.Module):
    """Expands the channels, convolves each by itself, and projects them back without an activation.

    The block's input is added to its output where both have one shape.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = expansion * inputs
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [*conv_norm(inputs, inner, 1), nn.ReLU6(inplace=True)]
        layers += [*conv_norm(inner, inner, 3, stride=stride, groups=inner), nn.ReLU6(inplace=True)]
        layers += conv_norm(inner, outputs, 1)
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, row, col) to the same with `outputs` channels, divided by the stride."""
        made: Tensor = self.layers(features)
        return features + made if self.adds else made


class MobileNetV2(nn.Module):
    """MobileNetV2 at width 1.0.

    Source:
        Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks, table 2. What differs: input
        channels and outputs.
    """

    def __init__(self, classes: int = 4, inputs: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        channels = 32
        layers: list[nn.Module] = [*conv_norm(inputs, channels, 3, stride=2), nn.ReLU6(inplace=True)]
        for expansion, outputs, blocks, stride in _MOBILENET_STAGES:
            for index in range(blocks):
                layers.append(InvertedResidual(channels, outputs, stride if index == 0 else 1, expansion))
                channels = outputs
        layers += [*conv_norm(channels, 1280, 1), nn.ReLU6(inplace=True)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(1280, classes)
        begin_as_he(self.modules())

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        logits: Tensor = self.head(self.dropout(self.features(images)))
        return logits


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions whose output is added to their input.

    Where the shape changes, the input is brought to the new one by a 1 x 1 convolution (the paper's option B).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        first = [*conv_norm(inputs, outputs, 3, stride=stride), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*first, *conv_norm(outputs, outputs, 3))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Sequential() if same else nn.Sequential(*conv_norm(inputs, outputs, 1, stride=stride))

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, row, col) to the same with `outputs` channels, divided by the stride."""
        return functional.relu(self.layers(features) + self.shortcut(features))


class ResNet18(nn.Module):
    """ResNet of 18 layers.

    Source:
        He et al. 2016, Deep Residual Learning for Image Recognition, table 1. What differs: input channels and outputs.
    """

    def __init__(self, classes: int = 4, inputs: int = 1) -> None:
        super().__init__()
        channels = 64
        layers: list[nn.Module] = [
            *conv_norm(inputs, channels, 7, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            layers += [BasicBlock(channels, outputs, stride), BasicBlock(outputs, outputs, 1)]
            channels = outputs
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(channels, classes)
        begin_as_he(self.modules())

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        logits: Tensor = self.head(self.features(images))
        return logits


_SHUFFLENET_STAGES = ((116, 4), (232, 8), (464, 4))
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


class ShuffleUnit(nn.Module):
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
        for outputs, units in _SHUFFLENET_STAGES:
            layers += [HalvingUnit(channels, outputs), *(ShuffleUnit(outputs) for _ in range(units - 1))]
            channels = outputs
        layers += [*conv_norm(channels, 1024, 1), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(1024, classes)
        begin_as_he(self.modules())

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        logits: Tensor = self.head(self.features(images))
        return logits


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
        """Logits of images."""
        maps = functional.relu(self.head(self.dropout(self.features(images))))
        return functional.adaptive_avg_pool2d(maps, 1).flatten(1)


_VGG_STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))
"""Channels of the convolutions of each stage; a pooling that halves the size follows each: net A of the paper."""


class Vgg11(nn.Module):
    """VGG's net A, a batch norm behind each convolution.

    Args:
        dropout: Share of features left out behind the two hidden layers while training; 0.5 in the paper.
        hidden: Features of each hidden layer; 4096 in the paper.

    Source:
        Simonyan, Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition, table 1, net A.
        Batch norm: Ioffe, Szegedy 2015. What differs: input channels, outputs, and features are averaged to 7 x 7
        before the hidden layers, so that frames of any size from 32 x 32 can be read.
    """

    def __init__(self, classes: int = 4, inputs: int = 1, dropout: float = 0.5, hidden: int = 4096) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = inputs
        for stage in _VGG_STAGES:
            for outputs in stage:
                convolution = nn.Conv2d(channels, outputs, 3, padding=1)
                layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
                channels = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(7), nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(channels * 49, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )
        begin_as_he(self.modules())

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        logits: Tensor = self.head(self.features(images))
        return logits
