"""Scores gathered by label, reference region and phase."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.evaluate.scores import FrameScore
from cmr_viewer.evaluate.summary import Summary, summarise

CONVENTION = (
    "A frame counts where the reference has the label; a missed label counts as 0. "
    "Frames without the label in the reference do not count in it, however they were predicted: they are counted "
    "beside it (wrongly marked, both empty), and `dice_either` takes the frames where reference or prediction has the "
    "label. HD95 and ASSD need the label in both and the true pixel spacing. SD is that of the sample (n - 1)."
)
"""What the means are over, for whoever reads the results."""


@dataclass(frozen=True)
class RegionSummary:
    """One label over a set of frames.

    Attributes:
        dice: Over the frames where the reference has the label; 0 where the prediction misses it.
        dice_either: Over the frames where reference or prediction has the label.
        hd95_mm: Over the frames where both have the label and the spacing is known.
        assd_mm: Likewise.
        frames: All frames of which the reference tells whether they have the label.
        missed: Frames where the reference alone has the label.
        wrongly_marked: Frames where the prediction alone has the label.
        both_empty: Frames where neither has it.
    """

    dice: Summary
    dice_either: Summary
    hd95_mm: Summary
    assd_mm: Summary
    frames: int
    missed: int
    wrongly_marked: int
    both_empty: int


def select(
    scores: Iterable[FrameScore],
    *,
    label: Label | None = None,
    region: Region | None = None,
    phase_name: str | None = None,
) -> list[FrameScore]:
    """Scores of one label, region or phase; None takes all."""
    return [
        score
        for score in scores
        if (label is None or score.label is label)
        and (region is None or score.place.region is region)
        and (phase_name is None or score.place.phase_name == phase_name)
    ]


def counted(scores: Iterable[FrameScore]) -> list[FrameScore]:
    """Scores that count in a mean Dice: where the reference has the label."""
    return [score for score in scores if score.reference_pixels > 0]


def summary_of(scores: Sequence[FrameScore]) -> RegionSummary:
    """Summary of one label's scores."""
    return RegionSummary(
        dice=summarise(score.dice for score in counted(scores)),
        dice_either=summarise(score.dice for score in scores),
        hd95_mm=summarise(score.hd95_mm for score in scores),
        assd_mm=summarise(score.assd_mm for score in scores),
        frames=len(scores),
        missed=sum(1 for s in scores if s.reference_pixels and not s.predicted_pixels),
        wrongly_marked=sum(1 for s in scores if s.predicted_pixels and not s.reference_pixels),
        both_empty=sum(1 for s in scores if not s.predicted_pixels and not s.reference_pixels),
    )


def dice_by_region(scores: Iterable[FrameScore]) -> Mapping[tuple[Label, Region], Summary]:
    """Dice by label and reference region, over the frames where the reference has the label.

    Source:
        Mariscal-Harana et al. 2021, table 1: mean and SD of the Dice of each frame, by cardiac region.
    """
    groups: dict[tuple[Label, Region], list[float | None]] = {
        (label, region): [] for label in STRUCTURES for region in REGIONS
    }
    for score in counted(scores):
        groups[score.label, score.place.region].append(score.dice)
    return {key: summarise(values) for key, values in groups.items()}
