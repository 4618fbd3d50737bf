"""The gate: whether a candidate replaces the active model, decided by the figures of both."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError

MIN_PATIENTS = 2
"""With fewer held-out patients there is no decision: a single patient could decide it."""

MIN_FRAMES = 6
"""With fewer held-out frames there is no decision."""

MIN_GAIN = 0.005
"""The least mean gain over the frames for a change; about the difference of two trainings with other seeds."""

MAX_LABEL_LOSS = 0.01
"""No label may lose more than this."""

NO_CHANGE = "No change: the current model stays."
"""Begins the reason, for the reader, where the candidate is not promoted."""


@dataclass(frozen=True)
class Assessment:
    """Both models' figures on the same frames.

    Attributes:
        role: The role they compete for.
        candidate_id: The newly trained model.
        active_id: The model in service.
        patients: Number of patients that were held out.
        frames: Number of their frames.
        measure: What the scores are: "Dice" or "accuracy".
        active: Mean score by label (or over all, under "all"), 0.0 to 1.0.
        candidate: The same of the candidate.
        frame_gains: Per frame: candidate's mean score minus the active model's.
    """

    role: Role
    candidate_id: str
    active_id: str
    patients: int
    frames: int
    measure: str
    active: Mapping[str, float]
    candidate: Mapping[str, float]
    frame_gains: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """JSON values that `from_json` takes."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Assessment":
        """An assessment from JSON values.

        Raises:
            ModelError: Something is missing or of the wrong kind.
        """
        try:
            read = Assessment(
                role=Role(values["role"]),
                candidate_id=str(values["candidate_id"]),
                active_id=str(values["active_id"]),
                patients=int(values["patients"]),
                frames=int(values["frames"]),
                measure=str(values["measure"]),
                active={str(k): float(v) for k, v in values["active"].items()},
                candidate={str(k): float(v) for k, v in values["candidate"].items()},
                frame_gains=tuple(float(g) for g in values["frame_gains"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"Could not read the figures of the new model: {error!r}.") from error
        numbers = (*read.active.values(), *read.candidate.values(), *read.frame_gains)
        if len(read.frame_gains) != read.frames or not all(math.isfinite(number) for number in numbers):
            raise ModelError("Could not read the figures of the new model: there must be one number for each frame.")
        return read


@dataclass(frozen=True)
class Decision:
    """The decision on a candidate.

    Attributes:
        promote: Whether to put it in use.
        reason: Why, with the figures, for a reader.
    """

    promote: bool
    reason: str


def decide(assessment: Assessment) -> Decision:
    """Decide by the figures.

    A candidate is promoted if there are enough held-out patients and frames to decide, its mean gain over the frames is
    `MIN_GAIN` or more and larger than the gain's standard error, and no label loses more than `MAX_LABEL_LOSS`.
    Otherwise the active model stays.
    """
    a = assessment
    if a.patients < MIN_PATIENTS or a.frames < MIN_FRAMES:
        held = f"{_count(a.frames, 'held-out frame')} of {_count(a.patients, 'patient')}"
        return Decision(
            False,
            f"{NO_CHANGE} Too few to decide: {held}, and {MIN_FRAMES} of {MIN_PATIENTS} patients are needed.",
        )
    gains = np.asarray(a.frame_gains, dtype=np.float64)
    gain = float(gains.mean())
    error = float(gains.std(ddof=1) / np.sqrt(gains.size))
    basis = f"on {a.frames} held-out frames of {a.patients} patients"
    change = f"{a.measure} {100 * gain:+.1f} points (standard error {100 * error:.1f}) {basis}"
    losses = {name: a.active[name] - a.candidate[name] for name in a.active if name in a.candidate}
    worst = max(losses, key=lambda name: losses[name], default=None)
    if worst is not None and losses[worst] > MAX_LABEL_LOSS:
        return Decision(False, f"{NO_CHANGE} {worst} loses {100 * losses[worst]:.1f} points; {change}.")
    if not (gain >= MIN_GAIN and gain > error):
        return Decision(False, f"{NO_CHANGE} The candidate is not measurably better; {change}.")
    return Decision(True, f"Promoted: {change}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
