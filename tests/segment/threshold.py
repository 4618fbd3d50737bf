"""A segmentation network that needs no training: what is brighter than a threshold is one label."""

import torch
from torch import Tensor, nn

from cmr_viewer.domain.anatomy import Label


class Threshold(nn.Module):
    """Logits that say one label where the normalised intensity is above a threshold, else background.

    Args:
        above: Threshold, in standard deviations.
        label: The label's code.
    """

    def __init__(self, above: float = 1.0, label: int = Label.LVBP) -> None:
        super().__init__()
        self.above = nn.Parameter(torch.tensor(above))
        self.label = label

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, 4, row, col)."""
        logits = torch.zeros(images.shape[0], 4, *images.shape[2:])
        logits[:, self.label] = 8 * (images[:, 0] - self.above)
        logits[:, [code for code in range(1, 4) if code != self.label]] = -50.0
        return logits
