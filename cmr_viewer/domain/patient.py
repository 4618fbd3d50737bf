"""What of a patient matters to the measures: sex, age, body size, heart rate. Never who the patient is."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any


class Sex(StrEnum):
    """As tables of normal values divide people. DICOM Patient's Sex (0010,0040): F, M; O and nothing are unknown."""

    FEMALE = "female"
    MALE = "male"

    @property
    def text(self) -> str:
        """The word shown to a reader."""
        return self.value.capitalize()


LIMITS: Mapping[str, tuple[float, float]] = {
    "age_years": (0.0, 120.0),
    "height_cm": (30.0, 250.0),
    "weight_kg": (1.0, 400.0),
    "heart_rate_bpm": (20.0, 300.0),
}
"""Smallest and largest possible value of each number; a value outside is a typing error or has another unit.
"""


def plausible(name: str, value: float | None) -> float | None:
    """A number of `LIMITS` where a person can have it, else None."""
    if value is None or isinstance(value, bool):
        return None
    lowest, highest = LIMITS[name]
    return float(value) if lowest <= value <= highest else None  # not a number is not between them either


@dataclass(frozen=True)
class Patient:
    """Facts of a patient that measures are worked out from; each None where it is unknown.

    Numbers that no person can have (`LIMITS`) count as unknown.

    Attributes:
        sex: Female or male.
        age_years: When the study was acquired.
        height_cm: Height.
        weight_kg: Weight.
        heart_rate_bpm: During the cine.
    """

    sex: Sex | None = None
    age_years: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None
    heart_rate_bpm: float | None = None

    def __post_init__(self) -> None:
        for name in LIMITS:
            object.__setattr__(self, name, plausible(name, getattr(self, name)))

    @property
    def is_unknown(self) -> bool:
        """Whether nothing is known."""
        return self == UNKNOWN_PATIENT

    def with_typed(self, typed: "Patient") -> "Patient":
        """The patient with what a reader typed in place of what the files say; None in `typed` leaves what is there."""
        given = {field.name: getattr(typed, field.name) for field in fields(typed)}
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def as_json(self) -> dict[str, Any]:
        """As JSON values; `patient_from_json` is the way back."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


UNKNOWN_PATIENT = Patient()
"""Nothing is known."""


def patient_from_json(values: Mapping[str, Any]) -> Patient:
    """Read what `Patient.as_json` wrote; what is absent or of another form counts as unknown."""
    numbers = {name: values.get(name) for name in LIMITS}
    known = {name: plausible(name, n) for name, n in numbers.items() if isinstance(n, int | float)}
    sex = values.get("sex")
    return Patient(sex=Sex(sex) if isinstance(sex, str) and sex in tuple(Sex) else None, **known)
