"""Dice per label and region, and how often the region is right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cmr_viewer.domain.agreement import dice
from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.domain.label_map import LabelMap


@dataclass(frozen=True)
class FrameScore:
    """One label in one frame.

    Attributes:
        patient: Pseudonym.
        phase: Phase of the stack.
        slice_index: 0 is the most basal.
        region: Reference region of the frame.
        label: The structure.
        dice: 0.0 to 1.0, or None where neither reference nor prediction has the label.
        reference_pixels: Size of the label in the reference.
        predicted_pixels: Size of the label in the prediction.
    """

    patient: str
    phase: int
    slice_index: int
    region: Region
    label: Label
    dice: float | None
    reference_pixels: int
    predicted_pixels: int


@dataclass(frozen=True)
class Summary:
    """Mean and standard deviation of a set of scores.

    Attributes:
        mean: None where there are no scores.
        sd: Standard deviation of the sample; None for fewer than two scores.
        n: Number of scores.
    """

    mean: float | None
    sd: float | None
    n: int


def score_frame(
    patient: str,
    phase: int,
    slice_index: int,
    region: Region,
    *,
    reference: LabelMap,
    predicted: LabelMap,
    structures: Iterable[Label] = STRUCTURES,
) -> list[FrameScore]:
    """Dice of each structure that the reference tells about, in one frame; both label maps (row, col)."""
    return [
        FrameScore(
            patient,
            phase,
            slice_index,
            region,
            label,
            dice(predicted, reference, label),
            int(np.count_nonzero(reference == int(label))),
            int(np.count_nonzero(predicted == int(label))),
        )
        for label in sorted(structures)
    ]


def summarise(values: Sequence[float]) -> Summary:
    """Mean and standard deviation (n - 1)."""
    if not values:
        return Summary(None, None, 0)
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(float(np.mean(values)), sd, len(values))


def dice_by_region(scores: Iterable[FrameScore]) -> Mapping[tuple[Label, Region], Summary]:
    """Summaries by label and reference region, over the frames where the reference has the label.

    Source:
        Mariscal-Harana et al. 2021, table 1: mean and SD of the Dice of each frame, by cardiac region.
    """
    groups: dict[tuple[Label, Region], list[float]] = {
        (label, region): [] for label in STRUCTURES for region in REGIONS
    }
    for score in scores:
        if score.reference_pixels > 0 and score.dice is not None:
            groups[score.label, score.region].append(score.dice)
    return {key: summarise(values) for key, values in groups.items()}


def stack_dice(scores: Iterable[FrameScore]) -> Mapping[tuple[str, int, Label], float]:
    """Dice of each label over all slices of a phase (3D Dice), by patient, phase and label.

    Worked out from the frames: the sizes add up, and 2 |A and B| is a frame's Dice times its sizes.
    """
    both: dict[tuple[str, int, Label], float] = {}
    sizes: dict[tuple[str, int, Label], int] = {}
    for score in scores:
        key = (score.patient, score.phase, score.label)
        size = score.reference_pixels + score.predicted_pixels
        sizes[key] = sizes.get(key, 0) + size
        both[key] = both.get(key, 0.0) + (score.dice or 0.0) * size
    return {key: both[key] / size for key, size in sizes.items() if size}


def confusion(reference: Sequence[Region], predicted: Sequence[Region]) -> dict[Region, dict[Region, int]]:
    """Number of frames by reference region (outer) and predicted region (inner)."""
    table = {r: dict.fromkeys(REGIONS, 0) for r in REGIONS}
    for r, p in zip(reference, predicted, strict=True):
        table[r][p] += 1
    return table


def accuracy(table: Mapping[Region, Mapping[Region, int]]) -> float | None:
    """Share of frames on the diagonal of a confusion table; None for an empty one."""
    total = sum(sum(row.values()) for row in table.values())
    return sum(table[r][r] for r in table) / total if total else None
