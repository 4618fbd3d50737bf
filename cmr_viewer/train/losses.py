"""What training makes small."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def dice_and_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Soft Dice loss over the batch plus cross-entropy, as nnU-Net adds them.

    Args:
        logits: (batch, label, row, col).
        labels: (batch, row, col) int64.

    Returns:
        Scalar: cross-entropy minus the mean soft Dice of the labels other than background; the smaller the better.
    """
    logits = logits.float()
    cross_entropy = functional.cross_entropy(logits, labels)
    probabilities = torch.softmax(logits, dim=1)[:, 1:]
    target = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].to(probabilities.dtype)
    both = (probabilities * target).sum(dim=(0, 2, 3))
    total = probabilities.sum(dim=(0, 2, 3)) + target.sum(dim=(0, 2, 3))
    dice = (2 * both + 1e-5) / (total + 1e-5)
    return cross_entropy - dice.mean()


def deep_supervision(outputs: Sequence[Tensor], labels: Tensor) -> Tensor:
    """The loss at each resolution, each weighing half of the finer one; the weights add up to 1.

    Args:
        outputs: Logits, full resolution first, each following halved.
        labels: (batch, row, col) int64 at full resolution; coarser ones take every second pixel.
    """
    total = torch.zeros((), device=labels.device)
    weights = [0.5**level for level in range(len(outputs))]
    for level, logits in enumerate(outputs):
        step = 2**level
        total = total + weights[level] / sum(weights) * dice_and_cross_entropy(logits, labels[:, ::step, ::step])
    return total
