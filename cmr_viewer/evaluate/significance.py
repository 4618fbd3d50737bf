"""Whether two means differ by more than chance would."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from warnings import catch_warnings

import numpy as np

from cmr_viewer.evaluate.scores import FrameScore

LEVEL = 0.01
"""A difference is marked where p is below this, as in Mariscal-Harana et al. 2021."""

_TINY = 1e-12


@dataclass(frozen=True)
class TTest:
    """A two-sided t-test.

    Attributes:
        difference: Mean of the first minus mean of the second; None where one is empty.
        t: The statistic; None, as is all below, where there are fewer than two values or none of them varies.
        df: Degrees of freedom.
        p: Probability of a difference at least as large, if there were none.
        low: Lower end of the 95 % confidence interval of the difference.
        high: Upper end.
        n_first: Values of the first.
        n_second: Values of the second.
    """

    difference: float | None
    t: float | None
    df: float | None
    p: float | None
    low: float | None
    high: float | None
    n_first: int
    n_second: int

    @property
    def significant(self) -> bool:
        """Whether p is below `LEVEL`."""
        return self.p is not None and self.p < LEVEL

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {**self.__dict__, "significant": self.significant}


def welch(first: Sequence[float], second: Sequence[float]) -> TTest:
    """Welch's t-test of two independent sets of different variance, by `scipy.stats.ttest_ind`.

    Source:
        Welch 1947, Biometrika 34:28-35; degrees of freedom after Welch and Satterthwaite.
    """
    from scipy import stats  # noqa: PLC0415 - a second to import, and few comparisons need it

    if not first or not second:
        return _untested(None, first, second)
    difference = float(np.mean(first) - np.mean(second))
    if min(len(first), len(second)) == 1 or max(np.ptp(first), np.ptp(second)) < _TINY:
        return _untested(difference, first, second)
    with catch_warnings(action="ignore", category=RuntimeWarning):  # that one of the two sets does not vary
        return _tested(difference, stats.ttest_ind(first, second, equal_var=False), first, second)


def paired(first: Sequence[float], second: Sequence[float]) -> TTest:
    """Paired Student's t-test of values that belong together one by one, by `scipy.stats.ttest_rel`.

    Args:
        first: One value per pair.
        second: The other, in the same order.

    Raises:
        ValueError: The numbers of values differ.

    Source:
        Student 1908, Biometrika 6:1-25.
    """
    from scipy import stats  # noqa: PLC0415 - a second to import, and few comparisons need it

    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are not pairs.")
    if not first:
        return _untested(None, first, second)
    differences = np.subtract(first, second)
    difference = float(differences.mean())
    if len(first) == 1 or np.ptp(differences) < _TINY:
        return _untested(difference, first, second)
    return _tested(difference, stats.ttest_rel(first, second), first, second)


def _untested(difference: float | None, first: Sequence[float], second: Sequence[float]) -> TTest:
    """A difference of too few values, or of values that do not vary."""
    return TTest(difference, None, None, None, None, None, len(first), len(second))


def _tested(difference: float, found: Any, first: Sequence[float], second: Sequence[float]) -> TTest:
    interval = found.confidence_interval(0.95)
    t, df, p, low, high = map(float, (found.statistic, found.df, found.pvalue, *interval))
    return TTest(difference, t, df, p, low, high, len(first), len(second))


def dice_by_patient(scores: Iterable[FrameScore]) -> Mapping[str, float]:
    """Mean Dice of each patient's frames.

    Frames of one patient resemble one another, and a test over frames takes them for independent: its p is too small.
    A test over the patients' means does not.
    """
    frames: dict[str, list[float]] = {}
    for score in scores:
        if score.dice is not None:
            frames.setdefault(score.place.patient, []).append(score.dice)
    return {patient: float(np.mean(values)) for patient, values in frames.items()}
