"""What is known of each frame of a DICOM file before its pixels are read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from cmr_viewer.domain.patient import Patient, Sex, plausible
from cmr_viewer.domain.patient_key import patient_key_of
from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.layout import PixelLayout
from cmr_viewer.load.dicom.values import Values, seconds_of

NO_PLACE = "without position, orientation or pixel spacing"

_WIDEST_RR_LIMITS = 1.3
"""Limits of the accepted RR intervals that are further apart state what was allowed, not what the heart did."""

_COMPONENTS = {"MAGNITUDE": "M", "PHASE": "P", "REAL": "R", "IMAGINARY": "I"}
"""Complex Image Component as the third value of a classic Image Type is written."""

_GE_COMPONENTS = {1.0: "P", 2.0: "R", 3.0: "I"}
"""GE's private element likewise; for a magnitude image, Image Type is enough."""

_B_VALUES = (tags.DIFFUSION_B_VALUE, tags.SIEMENS_B_VALUE, tags.GE_B_VALUE, tags.PHILIPS_B_VALUE)


@dataclass(frozen=True)
class Header:
    """What is needed of one frame's header; None where it is absent or cannot be understood.

    Attributes:
        path: The file.
        study_uid: DICOM (0020,000D).
        series_uid: DICOM (0020,000E).
        series_number: DICOM (0020,0011).
        instance_uid: DICOM (0008,0018).
        instance_number: DICOM (0020,0013); of many frames in one file, the frame's number.
        description: DICOM (0008,103E).
        kind: Third value of Image Type (0008,0008), such as M for magnitude or P for phase; of Enhanced MR, from
            Complex Image Component (0008,9208); of GE's OTHER, from its private element (0043,102F).
        rows: DICOM (0028,0010).
        cols: DICOM (0028,0011).
        spacing: (row, col) in mm. DICOM (0028,0030).
        orientation: DICOM (0020,0037).
        position: DICOM (0020,0032).
        trigger_ms: Time after the R wave: the first of `times_ms`; of a slice of a stack the first that differs from
            frame to frame.
        temporal_position: Number of the phase, likewise of `numbers`.
        acquired_at: Seconds since midnight, likewise of `moments_s`.
        slice_spacing_mm: Spacing Between Slices (0018,0088), or else Slice Thickness (0018,0050); for a single slice
            only.
        heart_rate_bpm: Heart Rate (0018,1088), or from `rr_intervals_ms`.
        patient_id: DICOM (0010,0020); empty where the header comes from an index.
        patient_key: `patient_key_of` the identifier; empty where there is none.
        frame_number: Frame of a file that holds several, from 1.
        class_uid: DICOM (0008,0016).
        image_type: DICOM (0008,0008).
        protocol: DICOM (0018,1030).
        sequence: Sequence Name (0018,0024), or Pulse Sequence Name (0018,9005).
        acquired_date: Acquisition Date (0008,0022) or Series Date (0008,0021), as in the file.
        modality: DICOM (0008,0060).
        stack_id: DICOM (0020,9056); of Enhanced MR only.
        sex: "female" or "male", from Patient's Sex (0010,0040); empty where it is neither F nor M.
        age_years: Patient's Age (0010,1010), or else from Patient's Birth Date (0010,0030) at the acquisition.
        height_cm: From Patient's Size (0010,1020), which is in metres.
        weight_kg: Patient's Weight (0010,1030).
        echo_ms: Echo Time (0018,0081), or Effective Echo Time (0018,9082).
        inversion_ms: Inversion Time (0018,0082), or the first of Inversion Times (0018,9079).
        flip_deg: Flip Angle (0018,1314).
        b_value: Diffusion b-value (0018,9087) or a vendor's private one, s/mm2.
        agent: Contrast/Bolus Agent (0018,0010); of Enhanced MR (0018,9342) and (0018,9344).
        thickness_mm: Slice Thickness (0018,0050).
        temporal_step_ms: Temporal Resolution (0020,0110).
        interval_bpm: Heart rate by Nominal Interval (0018,1062) or R-R Interval Time Nominal (0020,9251); it may differ
            from `heart_rate_bpm`.
        cycle_images: Cardiac Number of Images (0018,1090): how many phases the file states for a heart beat.
        times_ms: All that the file states about the time after the R wave, the best first: Trigger Time (0018,1060),
        Nominal Cardiac Trigger Delay Time (0020,9153), Temporal Position Time Offset (0020,930D), and the share of
        the cycle where the file states its length.
        actual_ms: Actual Cardiac Trigger Delay Time (0020,9252), which repeats of a phase need not have in common.
        cycle_percent: Nominal Percentage of Cardiac Phase (0020,9241).
        numbers: All that the file states about the number of the phase: Temporal Position Identifier (0020,0100),
            Temporal Position Index (0020,9128), dimension indices of time.
        moments_s: When the frame was acquired, in seconds since midnight: Acquisition Time (0008,0032), Acquisition
            DateTime (0008,002A), Frame Acquisition DateTime (0018,9074), Frame Reference DateTime (0018,9151).
        made_at_s: When the image was made, in seconds since midnight: Content Time (0008,0033).
        layout: How the file stores the values.
    """

    path: Path
    study_uid: str
    series_uid: str
    series_number: int
    instance_uid: str
    instance_number: int
    description: str
    kind: str
    rows: int
    cols: int
    spacing: tuple[float, float]
    orientation: tuple[float, ...]
    position: tuple[float, float, float]
    trigger_ms: float | None
    temporal_position: float | None
    acquired_at: float | None
    slice_spacing_mm: float | None
    heart_rate_bpm: float | None
    patient_id: str
    frame_number: int = 1
    class_uid: str = ""
    image_type: tuple[str, ...] = ()
    protocol: str = ""
    sequence: str = ""
    acquired_date: str = ""
    modality: str = ""
    patient_key: str = ""
    stack_id: str = ""
    sex: str = ""
    age_years: float | None = None
    height_cm: float | None = None
    weight_kg: float | None = None
    echo_ms: float | None = None
    inversion_ms: float | None = None
    flip_deg: float | None = None
    b_value: float | None = None
    agent: str = ""
    thickness_mm: float | None = None
    temporal_step_ms: float | None = None
    interval_bpm: float | None = None
    cycle_images: float | None = None
    times_ms: tuple[float | None, ...] = ()
    actual_ms: float | None = None
    cycle_percent: float | None = None
    numbers: tuple[float | None, ...] = ()
    moments_s: tuple[float | None, ...] = ()
    made_at_s: float | None = None
    layout: PixelLayout = field(default_factory=PixelLayout)

    @property
    def key(self) -> tuple[Path, int]:
        """What the frame is recognised by: its file and its number in it."""
        return self.path, self.frame_number


def header_of(path: Path, values: Values, layout: PixelLayout) -> Header | str:
    """The header of a file with one frame, or why it cannot belong to a stack."""
    spacing = values.vector(tags.PIXEL_SPACING, 2)
    orientation = values.vector(tags.IMAGE_ORIENTATION_PATIENT, 6)
    position = values.vector(tags.IMAGE_POSITION_PATIENT, 3)
    if spacing is None or orientation is None or position is None or min(spacing) <= 0 or not is_plane(orientation):
        return NO_PLACE
    image_type = values.texts(tags.IMAGE_TYPE)
    agent = (tags.CONTRAST_BOLUS_AGENT_ADMINISTERED, tags.CONTRAST_BOLUS_AGENT_PHASE)
    times_ms, actual_ms = _times_ms(values), values.number(tags.ACTUAL_CARDIAC_TRIGGER_DELAY_TIME)
    numbers = (values.number(tags.TEMPORAL_POSITION_IDENTIFIER), values.number(tags.TEMPORAL_POSITION_INDEX))
    moments = _moments_s(values)
    patient_id = values.text(tags.PATIENT_ID)
    patient = patient_of(values, _acquired_date(values))
    return Header(
        path=path,
        study_uid=values.text(tags.STUDY_INSTANCE_UID),
        series_uid=values.text(tags.SERIES_INSTANCE_UID),
        series_number=int(values.number(tags.SERIES_NUMBER) or 0),
        instance_uid=values.text(tags.SOP_INSTANCE_UID),
        instance_number=int(values.number(tags.INSTANCE_NUMBER) or 0),
        description=values.text(tags.SERIES_DESCRIPTION),
        kind=_kind(values, image_type),
        rows=int(values.number(tags.ROWS) or 0),
        cols=int(values.number(tags.COLUMNS) or 0),
        spacing=(spacing[0], spacing[1]),
        orientation=orientation,
        position=(position[0], position[1], position[2]),
        trigger_ms=first_known((*times_ms, actual_ms)),
        temporal_position=first_known(numbers),
        acquired_at=first_known(moments),
        slice_spacing_mm=values.number(tags.SPACING_BETWEEN_SLICES) or values.number(tags.SLICE_THICKNESS),
        heart_rate_bpm=heart_rate(values.number(tags.HEART_RATE), *_rr_intervals_ms(values)),
        patient_id=patient_id,
        class_uid=values.text(tags.SOP_CLASS_UID),
        image_type=image_type,
        protocol=values.text(tags.PROTOCOL_NAME),
        sequence=values.text(tags.SEQUENCE_NAME) or values.text(tags.PULSE_SEQUENCE_NAME),
        acquired_date=_acquired_date(values),
        modality=values.text(tags.MODALITY),
        patient_key=patient_key_of(patient_id) if patient_id else "",
        sex=patient.sex or "",
        age_years=patient.age_years,
        height_cm=patient.height_cm,
        weight_kg=patient.weight_kg,
        echo_ms=_first(values, tags.ECHO_TIME, tags.EFFECTIVE_ECHO_TIME),
        inversion_ms=_first(values, tags.INVERSION_TIME, tags.INVERSION_TIMES),
        flip_deg=_first(values, tags.FLIP_ANGLE),
        b_value=_first(values, *_B_VALUES),
        agent=values.text(tags.CONTRAST_BOLUS_AGENT) or " ".join(map(values.text, agent)).strip(),
        thickness_mm=values.number(tags.SLICE_THICKNESS),
        temporal_step_ms=values.number(tags.TEMPORAL_RESOLUTION),
        interval_bpm=heart_rate(
            None, values.number(tags.NOMINAL_INTERVAL), values.number(tags.RR_INTERVAL_TIME_NOMINAL)
        ),
        cycle_images=values.number(tags.CARDIAC_NUMBER_OF_IMAGES),
        times_ms=times_ms,
        actual_ms=actual_ms,
        cycle_percent=values.number(tags.NOMINAL_PERCENTAGE_OF_CARDIAC_PHASE),
        numbers=numbers,
        moments_s=moments,
        made_at_s=seconds_of(values.text(tags.CONTENT_TIME)),
        layout=layout,
    )


def _kind(values: Values, image_type: tuple[str, ...]) -> str:
    """What of the signal a frame shows."""
    component = _COMPONENTS.get(values.text(tags.COMPLEX_IMAGE_COMPONENT))
    if component is not None:
        return component
    kind = image_type[2] if len(image_type) > 2 else ""
    private = values.number(tags.GE_COMPONENT)
    return _GE_COMPONENTS.get(private, kind) if private is not None and kind in ("", "OTHER") else kind


def _first(values: Values, *named: int) -> float | None:
    """The first number of the first element that has any."""
    return next((found[0] for tag in named if (found := values.numbers(tag))), None)


def first_known(numbers: Iterable[float | None]) -> float | None:
    """The first number that is known, or None."""
    return next((number for number in numbers if number is not None), None)


def _times_ms(values: Values) -> tuple[float | None, ...]:
    """What a file states about the time of a frame after the R wave, the best first."""
    offset_s = values.number(tags.TEMPORAL_POSITION_TIME_OFFSET)
    percent = values.number(tags.NOMINAL_PERCENTAGE_OF_CARDIAC_PHASE)
    # An interval is more exact than a rate, which files round to whole beats.
    rate = heart_rate(None, *_rr_intervals_ms(values)) or heart_rate(values.number(tags.HEART_RATE))
    return (
        values.number(tags.TRIGGER_TIME),
        values.number(tags.NOMINAL_CARDIAC_TRIGGER_DELAY_TIME),
        None if offset_s is None else 1000.0 * offset_s,
        None if percent is None or rate is None else percent * 600.0 / rate,
    )


def _rr_intervals_ms(values: Values) -> tuple[float | None, ...]:
    """What a file states about the time between two R waves, the best first.

    These are Nominal Interval (0018,1062), R-R Interval Time Nominal (0020,9251) and Cardiac R-R Interval Specified
    (0018,9070). Low and High R-R Value (0018,1081 and 1082), between which beats were accepted, count with their mean
    where they are near one another.
    """
    low, high = values.number(tags.LOW_RR_VALUE), values.number(tags.HIGH_RR_VALUE)
    near = low is not None and high is not None and 0 < low <= high <= _WIDEST_RR_LIMITS * low
    return (
        values.number(tags.NOMINAL_INTERVAL),
        values.number(tags.RR_INTERVAL_TIME_NOMINAL),
        values.number(tags.CARDIAC_RR_INTERVAL_SPECIFIED),
        (low + high) / 2.0 if near and low is not None and high is not None else None,
    )


def _moments_s(values: Values) -> tuple[float | None, ...]:
    """When a frame was acquired. Of a date with time (YYYYMMDDHHMMSS.FFFFFF&ZZXX) the time counts."""
    dated = (tags.ACQUISITION_DATETIME, tags.FRAME_ACQUISITION_DATETIME, tags.FRAME_REFERENCE_DATETIME)
    times = (values.text(tag)[8:].partition("+")[0].partition("-")[0] for tag in dated)
    return (seconds_of(values.text(tags.ACQUISITION_TIME)), *map(seconds_of, times))


def _acquired_date(values: Values) -> str:
    own = values.text(tags.ACQUISITION_DATE) or values.text(tags.ACQUISITION_DATETIME)[:8]
    return own or values.text(tags.SERIES_DATE)


def is_plane(orientation: tuple[float, ...]) -> bool:
    """Whether two directions are of about unit length and about perpendicular."""
    a, b, c, d, e, f = orientation
    gram = (a * a + b * b + c * c - 1.0, d * d + e * e + f * f - 1.0, a * d + b * e + c * f)
    return max(map(abs, gram)) < 0.1


def heart_rate(rate: float | None, *intervals_ms: float | None) -> float | None:
    """Beats per minute as stated, or from the times between two R waves: the first that a person can have, or None."""
    rates = (rate, *(60000.0 / ms if ms else None for ms in intervals_ms))
    return first_known(plausible("heart_rate_bpm", each) for each in rates)


_AGE = re.compile(r"(\d{1,3})([DWMY]?)")
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7.0, "M": 12.0, "Y": 1.0, "": 1.0}
_SEXES = {"F": Sex.FEMALE, "M": Sex.MALE}
_CM_FROM = 3.0
"""No person is as tall as this in metres: larger numbers are centimetres, against the standard."""


def patient_of(values: Values, acquired_date: str) -> Patient:
    """What a header states about its patient; nothing that identifies the patient.

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
    """Whole years between two dates, or None where one of them is not a date."""
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
