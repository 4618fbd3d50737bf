"""What kind of images DICOM frames are, by their headers; names are hints and never decide alone.

Names come in any language, and ordinary words of one are abbreviations in another: `de` and `la` are articles, `Tag` is
a day, `flow comp` is no flow. Words that mean one thing only are hints; others only decide between equals.

Sources:
    Image Type (0008,0008): DICOM PS3.3 C.7.6.1.1.2 and C.8.3.1.1.1; values beyond the standard's as Siemens (ND, DIS2D,
    DIS3D), Philips (M_FFE, PHASE MAP, VELOCITY MAP) and GE write them, after their conformance statements.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.stacks.phases import over_midnight, trigger_factor

LEAST_DYNAMIC_STEP_S = 0.35
"""Frames of one slice that are further apart come from different heart beats, as in perfusion and mapping: a beat takes
0.35 s at 170 a minute, and the phases of a cine are 15 to 100 ms apart."""

LONGEST_CYCLE_MS = 1700.0
"""A heart that beats 35 times a minute."""

LEAST_PHASE_STEP_MS = 10.0
"""Phases of a cine are further apart."""

_LEAST_SLICE_STEP_MS = 50.0
"""Slices of perfusion that one heart beat images one after the other are further apart in time."""

_NO_MAGNITUDE = re.compile(r"[PRI](_.*)?|PHASE|PHASE.MAP|PHASE CONTRAST M|VELOCITY.*|REAL|IMAGINARY")
_MAP = re.compile(r".*\b(MAP|ECV)\b.*|T1|T2|T2_STAR|SUBTRACTION|MPR|MIP|PROJECTION IMAGE|MINIP")
_CORRECTIONS = ("DIS3D", "DIS2D", "ND")
_OTHER_THAN_CINE = re.compile(
    r"tagging|tagged|spamm|tag.?grid|grid.?tag|perfu[sz]|perf[üu]zyon|first.?pass|\blge\b|psir|delayed.?enh|late.?(enh|gad)|molli\b|look.?locker|"
    r"mapping|\bt[12]\W?map|\bvenc|flow(?!.?(comp|komp))|phase.?contrast|localiz|localis|lokalis|scout|survey|haste|real.?time|"
    r"angio",
    re.IGNORECASE,
)
_MAYBE_OTHER = re.compile(r"\btag\b|grid|dense|\bperf\b|dynamic|\bpc\b|\brt\b|\b4d", re.IGNORECASE)
_LONG_AXIS = re.compile(
    r"(?<!\d)[234]\W?(ch|kamm|kam[eor]|cav|c[aâ]m|jam|bo[sş]l)|(two|three|four|zwei|drei|vier)\W?(cham|kamm)|"
    r"\b[hv]la\b|\blax\b|lvot|rvot|long.?ax|lange.?a(chse|s\b)|grand.?axe|eje.?largo|eixo.?longo|asse.?lungo|"
    r"axial|\btra\b|radial",
    re.IGNORECASE,
)


class ImageKind(NamedTuple):
    """What must be alike for frames to be of one stack.

    Attributes:
        value: Third value of Image Type, such as M, P or OTHER.
        correction: Correction of distortions, where Siemens states it: DIS2D, DIS3D or ND (none); else empty.
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
    """Whether the names of a series hold a word that means something else than a plain cine, and nothing but that."""
    localizer = any("LOCALIZER" in value.upper() for value in header.image_type)
    return localizer or _OTHER_THAN_CINE.search(_names(header)) is not None


def may_name_other_than_sax(header: Header) -> bool:
    """Whether the names hold a word that can mean something else than a short-axis cine, in one language or another."""
    return _MAYBE_OTHER.search(_names(header)) is not None or names_long_axis(header)


def could_be_cine(header: Header) -> bool:
    """Whether a frame shows brightness and its names are not those of something else than a cine."""
    return is_magnitude(header) and not names_other_than_cine(header)


def names_long_axis(header: Header) -> bool:
    """Whether the names of a series are those of another view than the short axis; a hint."""
    return _LONG_AXIS.search(_names(header)) is not None


def _names(header: Header) -> str:
    return f"{header.description} {header.protocol}".replace("_", " ")


def is_dynamic(headers: Sequence[Header]) -> bool:
    """Whether frames of one slice come from different heart beats rather than one cycle, as in perfusion.

    Trigger times that count on from beat to beat show it, or a temporal resolution of a beat, or times of acquisition
    that are a beat apart; but a cine that is acquired phase by phase has trigger times that rise through the cycle.
    Those of perfusion are all about the same. The times at which images were made show nothing: some scanners make
    those of a cine a second apart.
    """
    if len(headers) < 3:
        return False
    triggers = [h.trigger_ms for h in headers if h.trigger_ms is not None]
    if len(triggers) == len(headers) and _steps_of_beats(triggers):
        return True
    has_phases = len(triggers) == len(headers) and float(np.ptp(triggers)) >= LEAST_PHASE_STEP_MS * (len(headers) - 1)
    resolution = headers[0].temporal_step_ms
    if resolution is not None and resolution >= 1000 * LEAST_DYNAMIC_STEP_S and not has_phases:
        return True
    times = [
        (at, header.trigger_ms)
        for at, header in zip(over_midnight([h.acquired_at for h in headers]), headers, strict=True)
        if at is not None
    ]
    times.sort(key=lambda pair: pair[0])
    if len(times) < len(headers) or float(np.median(np.diff([at for at, _ in times]))) < LEAST_DYNAMIC_STEP_S:
        return False
    in_order = [trigger for _, trigger in times if trigger is not None]
    return len(in_order) < len(headers) or not _rises_through_the_cycle(in_order)


def has_fixed_delays(slices: Sequence[Sequence[Header]]) -> bool:
    """Whether each slice has one time after the R wave for all its frames, and each slice another.

    So it is in perfusion: each heart beat images all slices, one after the other. A trigger time that was never filled
    in is the same in all slices.
    """
    delays: list[float] = []
    for headers in slices:
        triggers = [h.trigger_ms for h in headers if h.trigger_ms is not None]
        if len(headers) < 3 or len(triggers) < len(headers) or float(np.ptp(triggers)) >= LEAST_PHASE_STEP_MS:
            return False
        delays.append(float(np.median(triggers)))
    return len(delays) > 1 and float(np.diff(sorted(delays)).min()) >= _LEAST_SLICE_STEP_MS


def _steps_of_beats(triggers: Sequence[float]) -> bool:
    """Whether trigger times of one slice are a beat apart and go on for longer than one."""
    steps = np.diff(sorted(triggers)) * trigger_factor(triggers)
    return float(np.median(steps)) >= 1000 * LEAST_DYNAMIC_STEP_S and float(steps.sum()) > LONGEST_CYCLE_MS


def _rises_through_the_cycle(triggers: Sequence[float]) -> bool:
    """Whether trigger times rise with the acquisition, apart from jitter, by what the phases of a cine are apart."""
    steps = np.diff(triggers)
    rising = int((steps > 0).sum()) >= 0.9 * len(steps)
    return rising and triggers[-1] - triggers[0] >= LEAST_PHASE_STEP_MS * len(steps)
