"""Dice along the heart, from base to apex."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.evaluate.by_region import counted
from cmr_viewer.evaluate.scores import FrameScore

POINTS = 101
"""Points from the most basal (0 %) to the most apical (100 %) slice with a label."""

DIGITS = 6
"""Decimals that are kept, so that figures.json stays readable."""


@dataclass(frozen=True)
class Curve:
    """Dice of one label at `POINTS` points along the heart.

    Attributes:
        mean: Per point: mean over the stacks that reach it; None where none does.
        sd: Per point: standard deviation (n - 1); None for fewer than two stacks.
        n: Per point: number of stacks.
        stacks: Number of stacks that have the label at all.
    """

    mean: tuple[float | None, ...]
    sd: tuple[float | None, ...]
    n: tuple[int, ...]
    stacks: int

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {"mean": list(self.mean), "sd": list(self.sd), "n": list(self.n), "stacks": self.stacks}


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


def curve_of(scores: Iterable[FrameScore], label: Label) -> Curve:
    """Mean and SD over the stacks, a stack being one phase of one patient.

    Args:
        scores: Scores of all labels: where the heart begins and ends is told by any of them.
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
        nothing = (None,) * POINTS
        return Curve(nothing, nothing, (0,) * POINTS, 0)
    columns = [column[np.isfinite(column)] for column in np.stack(curves).T]
    return Curve(
        mean=tuple(round(float(c.mean()), DIGITS) if c.size else None for c in columns),
        sd=tuple(round(float(c.std(ddof=1)), DIGITS) if c.size > 1 else None for c in columns),
        n=tuple(int(c.size) for c in columns),
        stacks=len(curves),
    )
