"""Scores of many frames in a few numbers: by label, region and phase, and along the heart from base to apex."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.evaluate.scores import FrameScore

CONVENTION = (
    "A frame counts where the reference has the label; a missed label counts as 0. "
    "Frames without the label in the reference do not count in it, however they were predicted: they are counted "
    "beside it (wrongly marked, both empty), and `dice_either` takes the frames where reference or prediction has the "
    "label. HD95 and ASSD need the label in both and the true pixel spacing. SD is that of the sample (n - 1)."
)
"""What the means are over, for whoever reads the results."""


@dataclass(frozen=True)
class Summary:
    """Mean and standard deviation of a set of scores.

    Attributes:
        mean: None where there are no scores.
        sd: Standard deviation of the sample (n - 1); None for fewer than two scores.
        n: Number of scores.
    """

    mean: float | None
    sd: float | None
    n: int


def summarise(values: Iterable[float | None]) -> Summary:
    """Mean and standard deviation (n - 1) of the values that are not None."""
    known = [value for value in values if value is not None]
    if not known:
        return Summary(None, None, 0)
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Summary(float(np.mean(known)), sd, len(known))


@dataclass(frozen=True)
class RegionSummary:
    """One label over a set of frames.

    Attributes:
        dice: Over the frames where the reference has the label; 0 where the prediction misses it.
        dice_either: Over the frames where reference or prediction has the label.
        hd95_mm: Over the frames where both have the label and the spacing is known.
        assd_mm: Likewise.
        frames: All frames whose reference includes the structure.
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
    """Summary of one label's scores.

    Source:
        Mariscal-Harana et al. 2021, table 1: mean and SD of the Dice of each frame, by cardiac region.
    """
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


POINTS = 101
"""Points from the most basal (0 %) to the most apical (100 %) slice with a label."""

DIGITS = 6
"""Decimals that are written, so that figures.json stays readable."""


@dataclass(frozen=True)
class DiceCurve:
    """Dice of one label at `POINTS` points along the heart.

    Attributes:
        mean: Per point: mean over the stacks that reach it; None where none does.
        sd: Per point: standard deviation (n - 1); None for fewer than two stacks.
        n: Per point: number of stacks.
        stacks: Number of stacks that have the label at all.
    """

    mean: list[float | None]
    sd: list[float | None]
    n: list[int]
    stacks: int


def stack_curve(dice_by_slice: Mapping[int, float], first: int, last: int) -> NDArray[np.float64]:
    """Dice of one label in one stack, interpolated linearly from base to apex.

    Args:
        dice_by_slice: Slice index to Dice, of the slices where the reference has the label; at least one.
        first: The most basal slice with any label in the reference.
        last: The most apical one.

    Returns:
        (POINTS,): values between the label's own first and last slice, NaN beyond them (nothing is extrapolated). The
        single slice of a heart gives its value to all points.

    Source:
        Mariscal-Harana et al. 2021, section 2: linear interpolation with n = 101. The paper does not say what the
        axis runs over; here it is the slices with any label, as for the regions, so that base is 0 to 20 %.
    """
    slices = sorted(dice_by_slice)
    values = [dice_by_slice[s] for s in slices]
    if first == last:
        return np.full(POINTS, values[0])
    at = np.round(np.linspace(first, last, POINTS), 9)  # so that a slice's own point is no rounding error beyond it
    return np.asarray(np.interp(at, slices, values, left=np.nan, right=np.nan))


def curve_of(scores: Iterable[FrameScore], label: Label) -> DiceCurve:
    """Mean and SD over the stacks, a stack being one phase of one patient.

    Args:
        scores: Scores of all labels: where the heart begins and ends follows from any of them.
        label: The structure.
    """
    hearts: dict[tuple[str, int], set[int]] = {}
    of_label: dict[tuple[str, int], dict[int, float]] = {}
    for score in counted(scores):
        hearts.setdefault(score.place.stack, set()).add(score.place.slice_index)
        if score.label is label and score.dice is not None:
            of_label.setdefault(score.place.stack, {})[score.place.slice_index] = score.dice
    curves = [stack_curve(found, min(hearts[key]), max(hearts[key])) for key, found in of_label.items()]
    if not curves:
        return DiceCurve([None] * POINTS, [None] * POINTS, [0] * POINTS, 0)
    columns = [column[np.isfinite(column)] for column in np.stack(curves).T]
    return DiceCurve(
        mean=[round(float(c.mean()), DIGITS) if c.size else None for c in columns],
        sd=[round(float(c.std(ddof=1)), DIGITS) if c.size > 1 else None for c in columns],
        n=[int(c.size) for c in columns],
        stacks=len(curves),
    )
