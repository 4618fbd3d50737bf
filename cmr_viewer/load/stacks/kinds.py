"""What kind of images DICOM frames are, as their headers tell; names are hints and never decide alone.

Sources:
    Image Type (0008,0008): DICOM PS3.3 C.7.6.1.1.2 and C.8.3.1.1.1; values beyond the standard's as Siemens (ND, DIS2D,
    DIS3D), Philips (M_FFE, PHASE MAP, VELOCITY MAP) and GE write them, after their conformance statements.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cmr_viewer.load.dicom.headers import Header

LEAST_DYNAMIC_STEP_S = 0.35
"""Frames of one slice that are further apart are of different heart beats, as in perfusion and mapping: a beat takes
0.35 s at 170 a minute, and the phases of a cine are 15 to 100 ms apart."""

_NO_MAGNITUDE = re.compile(r"[PRI](_.*)?|PHASE|PHASE.MAP|PHASE CONTRAST M|VELOCITY.*|REAL|IMAGINARY")
_MAP = re.compile(r".*\b(MAP|ECV)\b.*|T1|T2|T2_STAR|SUBTRACTION|MPR|MIP|PROJECTION IMAGE|MINIP")
_CORRECTIONS = ("DIS3D", "DIS2D", "ND")
_OTHER_THAN_CINE = re.compile(
    r"tag(g?ing)?\b|grid|spamm|dense|perf|first.?pass|dynamic|lge\b|psir|delayed|late.?(enh|gad)|\bde\b|molli|mapping|"
    r"t[12]\W?map|flow|venc|phase.?contrast|\bpc\b|localiz|localis|scout|survey|haste|real.?time|\brt\b|angio|\b4d",
    re.IGNORECASE,
)
_LONG_AXIS = re.compile(
    r"[234]\W?ch|(two|three|four)\W?cham|\bh?v?la\b|\blax?\b|lvot|rvot|long.?ax|axial|\btra\b|radial", re.IGNORECASE
)


class ImageKind(NamedTuple):
    """What must be alike for frames to be of one stack.

    Attributes:
        value: Third value of Image Type, such as M, P or OTHER.
        correction: Correction of distortions, where Siemens tells: DIS2D, DIS3D or ND (none); else empty.
        derived: First value of Image Type is DERIVED.
        sequence: Sequence without its numbers, which change with the heart rate.
        modality: DICOM (0008,0060).
    """

    value: str
    correction: str
    derived: bool
    sequence: str
    modality: str


def image_kind(header: Header) -> ImageKind:
    """The kind of a frame."""
    upper = [value.upper() for value in header.image_type]
    return ImageKind(
        header.kind,
        next((value for value in _CORRECTIONS if value in upper), ""),
        bool(upper) and upper[0] == "DERIVED",
        re.sub(r"[\W\d_]+", " ", header.sequence).strip().lower(),
        header.modality,
    )


def is_magnitude(header: Header) -> bool:
    """Whether the values of a frame are brightness, and no phase, velocity, or measured quantity."""
    values = {value.strip().upper() for value in (*header.image_type[2:], header.kind)}
    return not any(_NO_MAGNITUDE.fullmatch(value) or _MAP.fullmatch(value) for value in values)


def names_other_than_cine(header: Header) -> bool:
    """Whether the names of a series are those of something else than a plain cine; a hint."""
    localizer = any("LOCALIZER" in value.upper() for value in header.image_type)
    return localizer or _OTHER_THAN_CINE.search(_names(header)) is not None


def could_be_cine(header: Header) -> bool:
    """Whether a frame shows brightness and its names are not those of something else than a cine."""
    return is_magnitude(header) and not names_other_than_cine(header)


def names_long_axis(header: Header) -> bool:
    """Whether the names of a series are those of another view than the short axis; a hint."""
    return _LONG_AXIS.search(_names(header)) is not None


def _names(header: Header) -> str:
    return f"{header.description} {header.protocol}".replace("_", " ")


def is_dynamic(headers: Sequence[Header]) -> bool:
    """Whether frames of one slice are of different heart beats rather than of one cycle, as in perfusion.

    Args:
        headers: Of one slice, in order of time.
    """
    times = sorted(h.acquired_at for h in headers if h.acquired_at is not None)
    if len(times) < len(headers) or len(times) < 3:
        return False
    if float(np.median(np.diff(times))) < LEAST_DYNAMIC_STEP_S:
        return False
    triggers = [h.trigger_ms for h in headers if h.trigger_ms is not None]
    # A cine that is acquired phase by phase has a trigger time of its own for each.
    return len({round(t) for t in triggers}) < 0.5 * len(headers) or _steps_of_beats(triggers)


def _steps_of_beats(triggers: Sequence[float]) -> bool:
    return len(triggers) > 2 and float(np.median(np.abs(np.diff(sorted(triggers))))) >= 1000 * LEAST_DYNAMIC_STEP_S
