"""How a candidate does beside the active model, on frames of patients that neither was trained on here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cmr_viewer.domain.agreement import dice
from cmr_viewer.domain.anatomy import STRUCTURES, Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError


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


def assess_label_maps(
    role: Role,
    *,
    candidate_id: str,
    active_id: str,
    patients: Sequence[str],
    reference: Sequence[LabelMap],
    candidate: Sequence[LabelMap],
    active: Sequence[LabelMap],
) -> Assessment:
    """Compare two segmentation models by Dice.

    Args:
        role: The role they compete for.
        candidate_id: The newly trained model.
        active_id: The model in service.
        patients: Patient of each frame.
        reference: Accepted label map of each frame, (row, col).
        candidate: What the candidate makes of it.
        active: What the active model makes of it.
    """
    of_candidate = [_frame_dice(made, kept) for made, kept in zip(candidate, reference, strict=True)]
    of_active = [_frame_dice(made, kept) for made, kept in zip(active, reference, strict=True)]
    gains = tuple(
        float(np.mean(list(c.values())) - np.mean(list(a.values()))) if c and a else 0.0
        for c, a in zip(of_candidate, of_active, strict=True)
    )
    return Assessment(
        role,
        candidate_id,
        active_id,
        patients=len(set(patients)),
        frames=len(reference),
        measure="Dice",
        active=_means(of_active),
        candidate=_means(of_candidate),
        frame_gains=gains,
    )


def assess_regions(
    *,
    candidate_id: str,
    active_id: str,
    patients: Sequence[str],
    reference: Sequence[Region],
    candidate: Sequence[Region],
    active: Sequence[Region],
) -> Assessment:
    """Compare two classifiers by the share of frames whose region they find; arguments as `assess_label_maps`."""
    right_c = [float(c is r) for c, r in zip(candidate, reference, strict=True)]
    right_a = [float(a is r) for a, r in zip(active, reference, strict=True)]
    return Assessment(
        Role.CLASSIFIER,
        candidate_id,
        active_id,
        patients=len(set(patients)),
        frames=len(reference),
        measure="accuracy",
        active={"all": float(np.mean(right_a))} if right_a else {},
        candidate={"all": float(np.mean(right_c))} if right_c else {},
        frame_gains=tuple(c - a for c, a in zip(right_c, right_a, strict=True)),
    )


def _frame_dice(made: LabelMap, kept: LabelMap) -> dict[str, float]:
    """Dice of the labels that are in either map; an empty frame that is left empty counts as 1 under "empty"."""
    scores = {label.name: dice(made, kept, label) for label in STRUCTURES}
    found = {name: score for name, score in scores.items() if score is not None}
    return found or {"empty": 1.0}


def _means(frames: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted({name for frame in frames for name in frame})
    return {name: float(np.mean([frame[name] for frame in frames if name in frame])) for name in names}
