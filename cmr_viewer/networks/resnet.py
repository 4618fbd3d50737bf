"""ResNet18 for region classification."""

from torch import Tensor, nn
from torch.nn import functional

from cmr_viewer.networks.convolution import begin_as_he, conv_norm


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

    Args:
        classes: Number of outputs.
        inputs: Number of input channels: the frame, and neighbours where there are any.

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
        """Logits (batch, class) of images (batch, channel, row, col)."""
        logits: Tensor = self.head(self.features(images))
        return logits
