"""VGG of 11 layers with batch norm for region classification."""

from torch import Tensor, nn

from cmr_viewer.networks.convolution import begin_as_he

STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))
"""Channels of the convolutions of each stage; a pooling that halves the size follows each: net A of the paper."""


class Vgg11(nn.Module):
    """VGG's net A, a batch norm behind each convolution.

    Args:
        classes: Number of outputs.
        inputs: Number of input channels: the frame, and neighbours where there are any.
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
        for stage in STAGES:
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
        """Logits (batch, class) of images (batch, channel, row, col)."""
        logits: Tensor = self.head(self.features(images))
        return logits
