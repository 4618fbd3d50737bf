"""How good a network is on the validation part, while it is trained."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cmr_viewer.domain.agreement import dice
from cmr_viewer.domain.anatomy import REGIONS
from cmr_viewer.domain.role import Role
from cmr_viewer.networks.device import fast_arithmetic
from cmr_viewer.train.augment import NO_AUGMENTATION, augment_batch
from cmr_viewer.train.samples import Sample
from cmr_viewer.train.spec import TrainingSpec

VALIDATION_BATCH = 16


def batch_tensors(samples: Sequence[Sample], context: int) -> tuple[Tensor, Tensor]:
    """Images (batch, channel, row, col) float32 and labels (batch, row, col) uint8 of samples, on the wider grid."""
    images = torch.from_numpy(np.stack([s.channels(context) for s in samples]))
    return images, torch.from_numpy(np.stack([s.labels for s in samples]))


def validation_score(
    network: nn.Module, spec: TrainingSpec, samples: Sequence[Sample], device: torch.device
) -> float | None:
    """One number to choose between states of a network by; the larger the better.

    For a segmentation model the Dice of each structure that a frame's reference has, averaged over frames and then over
    structures; a specialist is looked at on the frames of its own region. For a classifier the share of frames whose
    region it finds.

    Args:
        network: Is put into evaluation mode.
        spec: What is trained.
        samples: Of the validation part, on the wider grid.
        device: Where to compute.

    Returns:
        0.0 to 1.0, or None where there is nothing to look at.
    """
    looked_at = [s for s in samples if spec.focus in (None, s.region)]
    network.eval()
    right: list[bool] = []
    by_label: dict[int, list[float]] = {}
    generator = torch.Generator().manual_seed(0)
    for start in range(0, len(looked_at), VALIDATION_BATCH):
        batch = looked_at[start : start + VALIDATION_BATCH]
        images, labels = batch_tensors(batch, spec.context)
        images, labels = augment_batch(images, labels, (spec.rows, spec.cols), NO_AUGMENTATION, generator)
        with torch.inference_mode(), fast_arithmetic(device):
            found = network(images.to(device)).argmax(dim=1).cpu().numpy()
        if spec.role is Role.CLASSIFIER:
            right += [REGIONS[int(index)] is s.region for index, s in zip(found, batch, strict=True)]
            continue
        for sample, label_map, reference in zip(batch, found.astype(np.uint8), labels.numpy(), strict=True):
            for label in sample.structures:
                if (reference == label).any():
                    by_label.setdefault(label, []).append(dice(label_map, reference.astype(np.uint8), label) or 0.0)
    if right:
        return float(np.mean(right))
    return float(np.mean([np.mean(values) for values in by_label.values()])) if by_label else None
