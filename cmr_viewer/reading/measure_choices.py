"""What a reader said about the measures of a study: facts of the patient, RV insertion points. Without Qt.

It is kept as facts of the study (`store.study_facts`), with reader and time, and can be undone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cmr_viewer.domain.insertion_points import InsertionOrigin, InsertionPoints
from cmr_viewer.domain.patient import UNKNOWN_PATIENT, Patient, patient_from_json
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.study_facts import PATIENT_PREFIX

PATIENT_FACT = f"{PATIENT_PREFIX}facts"
"""Key of the facts of the patient that were typed."""

INSERTIONS_FACT = "insertion_points"
"""Key of the RV insertion points that were set."""


@dataclass(frozen=True)
class Insertions:
    """Where a reader put the RV insertion points.

    Attributes:
        turn_degrees: By how much all are turned from where they were found, against the clock as seen from the apex.
        points: Of single frames; they go before what is found, and are not turned.
    """

    turn_degrees: float = 0.0
    points: Mapping[FrameIndex, InsertionPoints] = field(default_factory=dict)

    @property
    def is_found(self) -> bool:
        """Whether all are where they were found."""
        return self.turn_degrees == 0.0 and not self.points

    def at_phase(self, phase: int) -> dict[int, InsertionPoints]:
        """By slice: points that were set at a phase."""
        return {frame.slice_index: points for frame, points in self.points.items() if frame.phase == phase}

    def as_json(self) -> dict[str, Any]:
        """As JSON values; `insertions_from_json` is the way back."""
        return {
            "turn_degrees": self.turn_degrees,
            "points": [
                {
                    "phase": frame.phase,
                    "slice_index": frame.slice_index,
                    "anterior": list(points.anterior),
                    "inferior": list(points.inferior),
                    "from_apex": points.from_apex,
                }
                for frame, points in sorted(self.points.items())
            ],
        }


_WHOLE_TURN_DEG = 360.0

AS_FOUND = Insertions()
"""Nothing was set."""


def insertions_from_json(values: Mapping[str, Any]) -> Insertions:
    """Read what `Insertions.as_json` wrote; what is absent or of another form counts as not set."""
    turn = values.get("turn_degrees")
    points = {}
    given = values.get("points")
    for one in given if isinstance(given, list) else ():
        try:
            frame = FrameIndex(int(one["phase"]), int(one["slice_index"]))
            anterior, inferior = (_point(one[name]) for name in ("anterior", "inferior"))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        points[frame] = InsertionPoints(anterior, inferior, one.get("from_apex") is not False, InsertionOrigin.READER)
    known = isinstance(turn, int | float) and not isinstance(turn, bool) and abs(turn) <= _WHOLE_TURN_DEG
    return Insertions(float(turn) if known and turn is not None else 0.0, points)


def _point(value: Any) -> tuple[float, float]:
    row, col = value
    point = float(row), float(col)
    if not all(map(math.isfinite, point)):
        raise ValueError(f"{point} is not a point of a frame.")
    return point


@dataclass(frozen=True)
class MeasureChoices:
    """What a reader said of one study.

    Attributes:
        typed: Facts of the patient, where they are not in the files or are wrong there.
        insertions: RV insertion points.
    """

    typed: Patient = UNKNOWN_PATIENT
    insertions: Insertions = AS_FOUND


def choices_of(facts: Mapping[str, Any]) -> MeasureChoices:
    """What a reader said of a study.

    Args:
        facts: Of the study, by key, as `Reading.facts` holds them; what is of another form counts as not said.
    """
    typed, points = facts.get(PATIENT_FACT), facts.get(INSERTIONS_FACT)
    return MeasureChoices(
        patient_from_json(typed) if isinstance(typed, dict) else UNKNOWN_PATIENT,
        insertions_from_json(points) if isinstance(points, dict) else AS_FOUND,
    )


def patient_fact(typed: Patient) -> dict[str, Any] | None:
    """What is kept of facts that a reader typed; None for nothing."""
    said = {name: value for name, value in typed.as_json().items() if value is not None}
    return said or None


def insertions_fact(insertions: Insertions) -> dict[str, Any] | None:
    """What is kept of RV insertion points; None where all are as found."""
    return None if insertions.is_found else insertions.as_json()
