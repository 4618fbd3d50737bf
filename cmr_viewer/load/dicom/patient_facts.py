"""Sex, age and body size of a patient from a DICOM header; nothing that identifies the patient."""

import re
from datetime import date

from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.values import Values

_AGE = re.compile(r"(\d{1,3})([DWMY]?)")
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7.0, "M": 12.0, "Y": 1.0, "": 1.0}
_SEXES = {"F": Sex.FEMALE, "M": Sex.MALE}
_CM_FROM = 3.0
"""No person is as tall as this in metres: larger numbers are centimetres, against the standard."""


def patient_of(values: Values, acquired_date: str) -> Patient:
    """What a header states about its patient.

    The birth date gives the age where the file does not state it, and is not stored. Values that no person can have
    count as unknown; de-identified files are full of zeros.

    Args:
        values: Elements of the header.
        acquired_date: Of the acquisition, as in the file (YYYYMMDD).

    Returns:
        Without a heart rate, which belongs to the acquisition.

    Source:
        DICOM PS3.3, C.7.1.1 (Patient Module) and C.7.2.2 (Patient Study Module); PS3.5, 6.2 for age strings.
    """
    sex = _SEXES.get(values.text(tags.PATIENT_SEX).upper())
    age = age_in_years(values.text(tags.PATIENT_AGE))
    if age is None:
        age = _years_between(values.text(tags.PATIENT_BIRTH_DATE), acquired_date)
    size = values.number(tags.PATIENT_SIZE)
    height = None if size is None else round(size * 100.0, 2) if size < _CM_FROM else size
    return Patient(sex=sex, age_years=age, height_cm=height, weight_kg=values.number(tags.PATIENT_WEIGHT))


def age_in_years(text: str) -> float | None:
    """An age string (053Y, 018M, 003W, 010D) in years, or None. Some systems leave out the unit: years.

    "000Y", as de-identified files write it, counts as unknown.
    """
    match = _AGE.fullmatch(text.strip().upper())
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    return number / _PER_YEAR[unit] if number else None


def _years_between(born: str, acquired: str) -> float | None:
    """Whole years between two dates, or None where one of them is none."""
    first, last = _date(born), _date(acquired)
    if first is None or last is None or last < first:
        return None
    return float(last.year - first.year - ((last.month, last.day) < (first.month, first.day)))


def _date(text: str) -> date | None:
    digits = text.replace(".", "").replace("-", "")  # YYYY.MM.DD was allowed in ACR-NEMA
    if not re.fullmatch(r"\d{8}", digits):
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
