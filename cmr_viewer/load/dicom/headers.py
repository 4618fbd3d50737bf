"""What is known of each frame of a DICOM file before its pixels are read."""

import logging
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cmr_viewer.domain.patient import plausible
from cmr_viewer.domain.patient_key import patient_key_of
from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.elements import EXPLICIT_BIG, UNDEFINED, Elements
from cmr_viewer.load.dicom.patient_facts import patient_of
from cmr_viewer.load.dicom.values import Values, seconds_of

WITHOUT_IMAGE = "without an image"
"""Reason for reports, presentation states and the like, which no reader misses."""

MISSING = "with no image data"
"""Reason for files that should contain an image."""

NO_PLACE = "without position, orientation or pixel spacing"

GE_BIG_ENDIAN_PIXELS = "1.2.840.113619.5.2"
"""GE's private syntax: little endian elements, big endian pixels."""

NATIVE = frozenset(
    {"", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", EXPLICIT_BIG, GE_BIG_ENDIAN_PIXELS}
)
"""Transfer syntaxes whose pixels are not encapsulated."""

_LEAST_COMPRESSED = 1000
"""No real image is compressed by more than this."""

_WIDEST_RR_LIMITS = 1.3
"""Limits of the accepted RR intervals that are further apart say what was allowed, and not what the heart did."""

_PLAUSIBLE_BYTES = 64 << 20
_FLOATING = (0x7FE00008, 0x7FE00009)
_NO_IMAGES = ("1.2.840.10008.5.1.4.1.1.66", "1.2.840.10008.5.1.4.1.1.481", "1.2.840.10008.5.1.4.1.1.11")
"""Beginnings of SOP Class UIDs of registrations and segmentations, RT objects, presentation states."""

_COMPONENTS = {"MAGNITUDE": "M", "PHASE": "P", "REAL": "R", "IMAGINARY": "I"}
"""Complex Image Component as the third value of a classic Image Type is written."""

_GE_COMPONENTS = {1.0: "P", 2.0: "R", 3.0: "I"}
"""GE's private element likewise; of a magnitude image Image Type says enough."""

_B_VALUES = (tags.DIFFUSION_B_VALUE, tags.SIEMENS_B_VALUE, tags.GE_B_VALUE, tags.PHILIPS_B_VALUE)
_IMAGES = ("1.2.840.10008.5.1.4.1.1.4.", "1.2.840.10008.5.1.4.1.1.7.")
"""Beginnings of SOP Class UIDs of MR images and secondary captures."""


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How a file stores the values of a frame.

    Attributes:
        syntax: Transfer Syntax UID (0002,0010) as the file says; empty where it does not.
        bits: Bits Allocated (0028,0100).
        stored: Bits Stored (0028,0101).
        high: High Bit (0028,0102).
        signed: Pixel Representation (0028,0103).
        floating: Whether the values are Float or Double Float Pixel Data.
        inverted: MONOCHROME1: low values are bright.
        big_endian: Byte order of native values.
        swapped: Whether 8 bit values lie in big endian words, two in each the wrong way round (PS3.5, 8.1.1).
        slope: Rescale Slope (0028,1053), 1 where absent.
        intercept: Rescale Intercept (0028,1052), 0 where absent.
        at: Where the value of the pixel data begins in the file, in its inflated data set where `deflated`; -1 where
            only pydicom can tell.
        length: Bytes of the pixel data; `UNDEFINED` where they are encapsulated.
        frames: Frames that the file holds.
        deflated: Whether the data set is deflated as a whole.
        padding_from: Lowest stored value that marks places outside of the image, or None where the file names none.
        padding_to: Highest such value. Pixel Padding Value (0028,0120) and Pixel Padding Range Limit (0028,0121), or
            those of floating values (0028,0122 to 0028,0125).
    """

    syntax: str = ""
    bits: int = 16
    stored: int = 16
    high: int = 15
    signed: bool = False
    floating: bool = False
    inverted: bool = False
    big_endian: bool = False
    swapped: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    at: int = -1
    length: int = 0
    frames: int = 1
    deflated: bool = False
    padding_from: float | None = None
    padding_to: float | None = None

    @property
    def is_plain(self) -> bool:
        """Whether stored values are the values."""
        return self.slope == 1 and self.intercept == 0

    @property
    def encapsulated(self) -> bool:
        """Whether the pixels are compressed in fragments."""
        return self.length == UNDEFINED


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
        patient_key: As `patient_key_of` makes it of the identifier; empty where there is none.
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
        interval_bpm: Heart rate by Nominal Interval (0018,1062) or R-R Interval Time Nominal (0020,9251), beside which
        `heart_rate_bpm` may be another.
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
    layout: PixelLayout = PixelLayout()

    @property
    def key(self) -> tuple[Path, int]:
        """What the frame is recognised by: its file and its number in it."""
        return self.path, self.frame_number


class _Quiet:
    """pydicom's warnings, switched off while any thread reads; threads may come and go in any order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._undo = ExitStack()

    def enter(self) -> None:
        """Switch them off, unless they are off."""
        import pydicom.config  # noqa: PLC0415 - few files need it, and it is slow to import

        with self._lock:
            self._readers += 1
            if self._readers > 1:
                return
            logger = logging.getLogger("pydicom")
            self._undo.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
            self._undo.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            self._undo.enter_context(pydicom.config.disable_value_validation())

    def leave(self) -> None:
        """Switch them on again, once no thread reads."""
        with self._lock:
            self._readers -= 1
            if not self._readers:
                self._undo.close()


_QUIET = _Quiet()


@contextmanager
def tolerant() -> Iterator[None]:
    """Read files without pydicom's warnings about values that the standard does not allow.

    Anonymised files are full of them, a reader can do nothing about them, and they can quote the file.

    Raises:
        ValueError: In place of pydicom's own exceptions, which have no other base than Exception.
    """
    from pydicom.errors import BytesLengthException, InvalidDicomError  # noqa: PLC0415

    _QUIET.enter()
    try:
        yield
    except (BytesLengthException, InvalidDicomError) as error:
        raise ValueError("pydicom could not read it") from error
    finally:
        _QUIET.leave()


def header_of(path: Path, values: Values, layout: PixelLayout) -> Header | str:
    """The header of a file with one frame, or why it cannot belong to a stack."""
    spacing = values.vector(tags.PIXEL_SPACING, 2)
    orientation = values.vector(tags.IMAGE_ORIENTATION_PATIENT, 6)
    position = values.vector(tags.IMAGE_POSITION_PATIENT, 3)
    if spacing is None or orientation is None or position is None or min(spacing) <= 0 or not is_plane(orientation):
        return NO_PLACE
    image_type = values.texts(tags.IMAGE_TYPE)
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
        heart_rate_bpm=heart_rate(values.number(tags.HEART_RATE), *rr_intervals_ms(values)),
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
        agent=values.text(tags.CONTRAST_BOLUS_AGENT) or _agent_given(values),
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
    """The first number of the first element that holds any."""
    return next((found[0] for tag in named if (found := values.numbers(tag))), None)


def _agent_given(values: Values) -> str:
    given = (values.text(tags.CONTRAST_BOLUS_AGENT_ADMINISTERED), values.text(tags.CONTRAST_BOLUS_AGENT_PHASE))
    return " ".join(given).strip()


def first_known(numbers: Iterable[float | None]) -> float | None:
    """The first number that is there, or None."""
    return next((number for number in numbers if number is not None), None)


def _times_ms(values: Values) -> tuple[float | None, ...]:
    """What a file states about the time of a frame after the R wave, the best first."""
    offset_s = values.number(tags.TEMPORAL_POSITION_TIME_OFFSET)
    percent = values.number(tags.NOMINAL_PERCENTAGE_OF_CARDIAC_PHASE)
    # An interval is more exact than a rate, which files round to whole beats.
    rate = heart_rate(None, *rr_intervals_ms(values)) or heart_rate(values.number(tags.HEART_RATE))
    return (
        values.number(tags.TRIGGER_TIME),
        values.number(tags.NOMINAL_CARDIAC_TRIGGER_DELAY_TIME),
        None if offset_s is None else 1000.0 * offset_s,
        None if percent is None or rate is None else percent * 600.0 / rate,
    )


def rr_intervals_ms(values: Values) -> tuple[float | None, ...]:
    """What a file states about the time between two R waves, the best first.

    These are Nominal Interval (0018,1062), R-R Interval Time Nominal (0020,9251) and Cardiac R-R Interval Specified
    (0018,9070). Low and High R-R Value (0018,1081 and 1082), between which beats were accepted, count with their mean
    where they lie near to one another.
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


def layout_of(values: Values, elements: Elements) -> PixelLayout | str:
    """How a file stores its pixels, or why it contains no frame of a stack."""
    rows, cols = values.number(tags.ROWS), values.number(tags.COLUMNS)
    class_uid = values.text(tags.SOP_CLASS_UID)
    if not rows or not cols or class_uid.startswith(_NO_IMAGES):
        return MISSING if f"{class_uid}.".startswith(_IMAGES) else WITHOUT_IMAGE
    samples = values.number(tags.SAMPLES_PER_PIXEL)
    if samples not in (None, 1) or values.text(tags.PHOTOMETRIC_INTERPRETATION) == "PALETTE COLOR":
        return "in colour"
    bits = int(values.number(tags.BITS_ALLOCATED) or 16)
    floating = elements.pixel_tag in _FLOATING
    if bits not in ((32, 64) if floating else (8, 16, 32)):
        return f"with {bits} bits per pixel (not supported)"
    if not elements.pixel_tag:
        return MISSING
    frames = max(1, int(values.number(tags.NUMBER_OF_FRAMES) or 1))
    wanted = int(rows) * int(cols) * bits // 8 * frames
    length = elements.pixels_length
    if length < wanted and elements.syntax not in NATIVE:
        length = UNDEFINED  # encapsulated, by a writer that gave the length of all fragments
    if wrong := _too_small(wanted, length, elements):
        return wrong
    signed = values.number(tags.PIXEL_REPRESENTATION) == 1
    padding = _padding(values, bits, signed=signed, floating=floating)
    return PixelLayout(
        **_stored_bits(values, bits),
        padding_from=min(padding, default=None),
        padding_to=max(padding, default=None),
        syntax=elements.syntax,
        bits=bits,
        signed=signed,
        floating=floating,
        inverted=values.text(tags.PHOTOMETRIC_INTERPRETATION) == "MONOCHROME1",
        big_endian=elements.encoding.order == ">" or elements.syntax == GE_BIG_ENDIAN_PIXELS,
        swapped=bits == 8 and elements.encoding.order == ">" and elements.pixel_kind == b"OW",
        slope=values.number(tags.RESCALE_SLOPE) or 1.0,
        intercept=values.number(tags.RESCALE_INTERCEPT) or 0.0,
        at=elements.pixels_at,
        length=length,
        frames=frames,
        deflated=elements.deflated,
    )


def _too_small(wanted: int, length: int, elements: Elements) -> str:
    """Why a file cannot hold the image that its header claims; empty where it can."""
    if elements.pixels_at < 0:
        return ""
    there = elements.end - elements.pixels_at
    if length == UNDEFINED:
        return (
            ""
            if wanted <= max(_PLAUSIBLE_BYTES, there * _LEAST_COMPRESSED)
            else "with an impossible image size in the header"
        )
    if length < wanted:
        return "with an impossible image size in the header"
    return "with an incomplete image" if there < wanted else ""


def _stored_bits(values: Values, bits: int) -> dict[str, int]:
    """Bits Stored and High Bit, as allocated where they are absent or cannot be."""
    stored = int(values.number(tags.BITS_STORED) or bits)
    if not 0 < stored <= bits:
        stored = bits
    high = values.number(tags.HIGH_BIT)
    high = stored - 1 if high is None or not stored - 1 <= high < bits else high
    return {"stored": stored, "high": int(high)}


def _padding(values: Values, bits: int, *, signed: bool, floating: bool) -> list[float]:
    """The stored value that marks places outside of the image and, where there is one, the limit of such values."""
    if floating and bits == 64:
        wanted = (tags.DOUBLE_FLOAT_PIXEL_PADDING_VALUE, tags.DOUBLE_FLOAT_PIXEL_PADDING_RANGE_LIMIT)
    elif floating:
        wanted = (tags.FLOAT_PIXEL_PADDING_VALUE, tags.FLOAT_PIXEL_PADDING_RANGE_LIMIT)
    else:
        wanted = (tags.PIXEL_PADDING_VALUE, tags.PIXEL_PADDING_RANGE_LIMIT)
    found = [values.number(tag) for tag in wanted]
    if found[0] is None:
        return []
    if signed and not floating:
        # Files write the value as signed or as unsigned, whatever their pixels are: its bits are what counts.
        found = [None if v is None else v - (1 << 16) if 1 << 15 <= v < 1 << 16 else v for v in found]
        found = [None if v is None else v - (1 << 32) if v >= 1 << 31 else v for v in found]
    return [v for v in found if v is not None]


def is_plane(orientation: tuple[float, ...]) -> bool:
    """Whether two directions are of about unit length and about perpendicular."""
    a, b, c, d, e, f = orientation
    gram = (a * a + b * b + c * c - 1.0, d * d + e * e + f * f - 1.0, a * d + b * e + c * f)
    return max(map(abs, gram)) < 0.1


def heart_rate(rate: float | None, *intervals_ms: float | None) -> float | None:
    """Beats per minute as stated, or from the times between two R waves: the first that a person can have, or None."""
    rates = (rate, *(60000.0 / ms if ms else None for ms in intervals_ms))
    return first_known(plausible("heart_rate_bpm", each) for each in rates)
