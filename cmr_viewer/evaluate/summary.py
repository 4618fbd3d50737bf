"""Mean, standard deviation and number of a set of scores."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


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
