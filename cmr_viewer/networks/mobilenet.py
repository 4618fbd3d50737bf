"""MobileNetV2 for region classification."""

from torch import Tensor, nn

from cmr_viewer.networks.convolution import begin_as_he, conv_norm

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
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

    Args:
        classes: Number of outputs.
        inputs: Number of input channels: the frame, and neighbours where there are any.
        dropout: Share of features left out before the last layer while training.

    Source:
        Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks, table 2. What differs: input
        channels and outputs.
    """

    def __init__(self, classes: int = 4, inputs: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        channels = 32
        layers: list[nn.Module] = [*conv_norm(inputs, channels, 3, stride=2), nn.ReLU6(inplace=True)]
        for expansion, outputs, blocks, stride in STAGES:
            for index in range(blocks):
                layers.append(InvertedResidual(channels, outputs, stride if index == 0 else 1, expansion))
                channels = outputs
        layers += [*conv_norm(channels, 1280, 1), nn.ReLU6(inplace=True)]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(1280, classes)
        begin_as_he(self.modules())

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, class) of images (batch, channel, row, col)."""
        logits: Tensor = self.head(self.dropout(self.features(images)))
        return logits
