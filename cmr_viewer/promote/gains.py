"""Gains of a candidate over patients, and the test of them.

Frames of one patient are no independent witnesses, so patients are: the gains of a patient's frames are averaged, and
the test is over patients. A few frames that change by 60 points must not decide alone, so gains are clipped before
they are averaged.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from cmr_viewer.domain.role import Role

CLIP = 0.05
"""The gain of a frame is clipped to 5 points either way before it is averaged over its patient."""

CLASSIFIER_CLIP = 0.25
"""A frame's region is right or wrong, so its gain is -1, 0 or 1; for a classifier, the mean gain of a patient is
clipped instead, to 25 points either way."""

PRIOR_SHARE = 0.4
PRIOR_PATIENTS = 4
"""The variance over patients is estimated as if four more patients had been seen with a standard deviation of 0.4
times the clip (2 points). Four patients that happen to agree are thus no proof."""


@dataclass(frozen=True)
class Change:
    """How a score changes from the active model to the candidate, not clipped.

    Attributes:
        before: Mean over patients of the active model's score.
        after: The same of the candidate.
        gain: Their difference.
        low: Lower end of the gain's 95 % interval over patients (Student's t); -1.0 for a single patient.
        high: Upper end; 1.0 for a single patient.
        patients: Number of patients.
        frames: Number of their frames.
    """

    before: float
    after: float
    gain: float
    low: float
    high: float
    patients: int
    frames: int


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of some frames: each frame's patient, and (frame,) the scores before and after."""

    patients: tuple[str, ...]
    before: NDArray[np.float64]
    after: NDArray[np.float64]

    def clipped_gains(self, role: Role) -> NDArray[np.float64]:
        """(patient,) gains, clipped in each frame, or for a classifier in each patient."""
        gains, clip = self.after - self.before, clip_of(role)
        if role is Role.CLASSIFIER:
            return np.clip(self._by_patient(gains), -clip, clip)
        return self._by_patient(np.clip(gains, -clip, clip))

    def change(self) -> Change:
        """How the score changes, over patients; all zeros without frames."""
        if not self.patients:
            return Change(0.0, 0.0, 0.0, 0.0, 0.0, 0, 0)
        before, after = self._by_patient(self.before), self._by_patient(self.after)
        gains, count = after - before, before.size
        gain, low, high = float(gains.mean()), -1.0, 1.0
        if count > 1:
            half = float(stdtrit(count - 1, 0.975) * gains.std(ddof=1) / math.sqrt(count))
            low, high = gain - half, gain + half
        return Change(float(before.mean()), float(after.mean()), gain, low, high, count, len(self.patients))

    def _by_patient(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        _, index = np.unique(self.patients, return_inverse=True)
        means: NDArray[np.float64] = np.bincount(index, weights=values) / np.bincount(index)
        return means


def clip_of(role: Role) -> float:
    """What gains of a role are clipped to."""
    return CLASSIFIER_CLIP if role is Role.CLASSIFIER else CLIP


def p_value(gains: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """One-sided p of a mean gain above zero: a t-test over patients with a cautious standard deviation.

    Args:
        gains: (..., patients) clipped mean gain of each patient.
        clip: What they were clipped to.

    Returns:
        (...); 1.0 where there are fewer than two patients.

    Source:
        The variance is shrunk towards a prior as in Smyth 2004, Stat Appl Genet Mol Biol 3:3, doi
        10.2202/1544-6115.1027. Unlike there, the prior adds no degrees of freedom, so the test stays cautious where
        the prior is too small.
    """
    patients = gains.shape[-1]
    if patients < 2:
        return np.ones(gains.shape[:-1])
    prior = (PRIOR_SHARE * clip) ** 2
    variance = (PRIOR_PATIENTS * prior + (patients - 1) * gains.var(axis=-1, ddof=1)) / (PRIOR_PATIENTS + patients - 1)
    p: NDArray[np.float64] = stdtr(patients - 1, -gains.mean(axis=-1) / np.sqrt(variance / patients))
    return p
