"""Loss functions."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def dice_and_cross_entropy(logits: Tensor, labels: Tensor, known: Tensor | None = None) -> Tensor:
    """Soft Dice loss over the batch plus cross-entropy, as nnU-Net adds them.

    Args:
        logits: (batch, label, row, col).
        labels: (batch, row, col) int64.
        known: (batch, label) bool: the labels that the reference of each sample tells about, background among them;
            None for all. What it does not tell about may lie in its background: its probability counts as background's
            in the cross-entropy, and the sample is left out of that label's Dice.

    Returns:
        Scalar: cross-entropy minus the mean soft Dice of the labels other than background; the smaller the better.
    """
    logits = logits.float()
    if known is not None:
        logits = _unknown_as_background(logits, known)
    cross_entropy = functional.cross_entropy(logits, labels)
    probabilities = torch.softmax(logits, dim=1)[:, 1:]
    target = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].to(probabilities.dtype)
    told = torch.ones(probabilities.shape[1], dtype=torch.bool, device=logits.device)
    if known is not None:
        told = known[:, 1:].any(dim=0)
    both = (probabilities * target).sum(dim=(0, 2, 3))
    total = probabilities.sum(dim=(0, 2, 3)) + target.sum(dim=(0, 2, 3))
    dice = (2 * both + 1e-5) / (total + 1e-5)
    return cross_entropy - dice[told].sum() / told.sum().clamp_min(1)


def _unknown_as_background(logits: Tensor, known: Tensor) -> Tensor:
    """Logits whose softmax gives background the probability of what is not known, and that nothing."""
    unknown = ~known[:, :, None, None].expand_as(logits)
    background = torch.where(unknown, logits, torch.full_like(logits, -torch.inf))
    background = torch.cat([logits[:, :1], background[:, 1:]], dim=1).logsumexp(dim=1, keepdim=True)
    rest = logits[:, 1:].masked_fill(unknown[:, 1:], -1e4)
    return torch.cat([background, rest], dim=1)


def deep_supervision(outputs: Sequence[Tensor], labels: Tensor, known: Tensor | None = None) -> Tensor:
    """The loss at each resolution, each weighing half of the finer one; the weights add up to 1.

    Args:
        outputs: Logits, full resolution first, each following halved.
        labels: (batch, row, col) int64 at full resolution; coarser ones take every second pixel.
        known: See `dice_and_cross_entropy`.
    """
    total = torch.zeros((), device=labels.device)
    weights = [0.5**level for level in range(len(outputs))]
    for level, logits in enumerate(outputs):
        step = 2**level
        loss = dice_and_cross_entropy(logits, labels[:, ::step, ::step], known)
        total = total + weights[level] / sum(weights) * loss
    return total
