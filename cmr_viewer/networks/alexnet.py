"""AlexNet for region classification."""

from torch import Tensor, nn

from cmr_viewer.errors import ModelError

SMALLEST_PX = 63
"""The fewest rows and columns that leave one point behind all convolutions and poolings."""


class AlexNet(nn.Module):
    """AlexNet: five convolutions without normalisation and three fully connected layers.

    Args:
        classes: Number of outputs.
        inputs: Number of input channels: the frame, and neighbours where there are any.
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
            ModelError: Fewer rows or columns than `SMALLEST_PX`.
        """
        rows, cols = images.shape[-2:]
        if min(rows, cols) < SMALLEST_PX:
            raise ModelError(
                f"AlexNet needs frames of at least {SMALLEST_PX} x {SMALLEST_PX}, not {rows} x {cols}. "
                "Use a larger grid."
            )
        logits: Tensor = self.head(self.features(images))
        return logits
