"""The scores of a network on the validation part, during training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.domain.label_map import LabelMap, dice
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


@dataclass(frozen=True)
class ValidationScores:
    """Scores of a network on the validation part.

    Attributes:
        score: One number to choose between states of a network by, 0.0 to 1.0; the larger the better.
        by_set: Its components, as JSON values, by set: its own `score`; for a segmentation model the `dice`, region
            by region the mean of each structure that the references have there and the number of frames, the share of
            cardiac frames left empty by region (`empty`), and of non-cardiac frames drawn on (`marked`).
    """

    score: float
    by_set: Mapping[str, Mapping[str, Any]]

    def text(self) -> str:
        """All of it in one line."""
        sets = []
        for name, found in self.by_set.items():
            parts = [f"{name or 'frames'} {found['score']:.4f}"]
            for region, by_label in found.get("dice", {}).items():
                scores = " ".join(f"{label} {value:.3f}" for label, (value, _) in by_label.items())
                parts.append(f"{region} {scores}, empty {100 * found['empty'][region]:.1f} %")
            if found.get("marked") is not None:
                parts.append(f"non-cardiac marked {100 * found['marked']:.1f} %")
            sets.append("; ".join(parts))
        return f"{self.score:.4f} | " + " | ".join(sets)


def validate(
    network: nn.Module, spec: TrainingSpec, samples: Sequence[Sample], device: torch.device
) -> ValidationScores | None:
    """Validate a network.

    The score is the mean over the sets, so that a small set of another scanner weighs as much as a large one. That of a
    set is for a segmentation model the Dice of each structure that a frame's reference has, averaged over frames and
    then over structures; a specialist is validated on the frames of its own region. For a classifier it is the share of
    frames with the correct region.

    Args:
        network: Is put into evaluation mode.
        spec: What is trained.
        samples: Of the validation part, on the wider grid.
        device: Where to compute.

    Returns:
        The scores, or None without frames.
    """
    chosen = [s for s in samples if spec.focus in (None, s.region)]
    network.eval()
    found: dict[str, _OfSet] = {}
    generator = torch.Generator().manual_seed(0)
    for start in range(0, len(chosen), VALIDATION_BATCH):
        batch = chosen[start : start + VALIDATION_BATCH]
        images, labels = batch_tensors(batch, spec.context)
        images, labels = augment_batch(images, labels, (spec.rows, spec.cols), NO_AUGMENTATION, generator)
        with torch.inference_mode(), fast_arithmetic(device):
            made = network(images.to(device)).argmax(dim=1).cpu().numpy()
        for sample, answer, reference in zip(batch, made, labels.numpy(), strict=True):
            of_set = found.setdefault(sample.group, _OfSet())
            if spec.role is Role.CLASSIFIER:
                of_set.right.append(REGIONS[int(answer)] is sample.region)
            else:
                of_set.add(sample, answer.astype(np.uint8), reference.astype(np.uint8))
    by_set = {name: of_set.as_json() for name, of_set in sorted(found.items())}
    scores = [of_set["score"] for of_set in by_set.values() if of_set["score"] is not None]
    return ValidationScores(float(np.mean(scores)), by_set) if scores else None


@dataclass
class _OfSet:
    """Scores of the frames of one set."""

    right: list[bool] = field(default_factory=list)
    dice: dict[tuple[Region, Label], list[float]] = field(default_factory=dict)
    empty: dict[Region, list[bool]] = field(default_factory=dict)

    def add(self, sample: Sample, drawn: LabelMap, reference: LabelMap) -> None:
        """Count one frame of a segmentation model."""
        known = sorted(sample.structures)
        self.empty.setdefault(sample.region, []).append(not np.isin(drawn, known).any())
        for label in known:
            if (reference == label).any():
                of_label = self.dice.setdefault((sample.region, label), [])
                of_label.append(dice(drawn, reference, label) or 0.0)

    def as_json(self) -> dict[str, Any]:
        if self.right:
            return {"score": float(np.mean(self.right))}
        regions = [r for r in REGIONS if any(region is r for region, _ in self.dice)]
        values = [[v for (_, of), found in self.dice.items() if of is label for v in found] for label in STRUCTURES]
        return {
            "score": float(np.mean([np.mean(v) for v in values if v])) if self.dice else None,
            "dice": {
                r.value: {
                    label.name: (round(float(np.mean(self.dice[r, label])), 4), len(self.dice[r, label]))
                    for label in STRUCTURES
                    if (r, label) in self.dice
                }
                for r in regions
            },
            "empty": {r.value: float(np.mean(self.empty[r])) for r in regions},
            "marked": 1 - float(np.mean(self.empty[Region.NON_CARDIAC])) if Region.NON_CARDIAC in self.empty else None,
        }
