"""Whether two means differ by more than chance would."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

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
    """Welch's t-test of two independent sets of different variance.

    Source:
        Welch 1947, Biometrika 34:28-35; degrees of freedom after Welch and Satterthwaite.
    """
    numbers = len(first), len(second)
    if min(numbers) == 0:
        return _test(None, 0.0, 0.0, numbers)
    difference = float(np.mean(first) - np.mean(second))
    if min(numbers) == 1:
        return _test(difference, 0.0, 0.0, numbers)
    a, b = (float(np.var(values, ddof=1)) / len(values) for values in (first, second))
    df = (a + b) ** 2 / (a**2 / (numbers[0] - 1) + b**2 / (numbers[1] - 1)) if a + b > _TINY**2 else 0.0
    return _test(difference, math.sqrt(a + b), df, numbers)


def paired(first: Sequence[float], second: Sequence[float]) -> TTest:
    """Paired Student's t-test of values that belong together one by one.

    Args:
        first: One value per pair.
        second: The other, in the same order.

    Raises:
        ValueError: The numbers of values differ.

    Source:
        Student 1908, Biometrika 6:1-25.
    """
    numbers = len(first), len(second)
    if numbers[0] != numbers[1]:
        raise ValueError(f"{numbers[0]} and {numbers[1]} values are not pairs.")
    if not first:
        return _test(None, 0.0, 0.0, numbers)
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    error = float(differences.std(ddof=1)) / math.sqrt(len(first)) if len(first) > 1 else 0.0
    return _test(float(differences.mean()), error, len(first) - 1.0, numbers)


def _test(difference: float | None, error: float, df: float, numbers: tuple[int, int]) -> TTest:
    """A test of a difference by its standard error; one of no error cannot be tested."""
    if difference is None or error < _TINY:
        return TTest(difference, None, None, None, None, None, *numbers)
    t = difference / error
    reach = float(special.stdtrit(df, 0.975)) * error
    p = 2.0 * float(special.stdtr(df, -abs(t)))
    return TTest(difference, t, df, p, difference - reach, difference + reach, *numbers)


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
