"""What kind of images DICOM frames are, and what those of one series differ in; names are hints and never decide alone.

Names come in any language, and ordinary words of one are abbreviations in another: `de` and `la` are articles, `Tag` is
a day, `flow comp` is no flow. Words that mean one thing only are hints; others only decide between equals.

Frames of one slice that differ in something other than time are different images, not phases. Echo times, inversion
times, flip angles, b-values and contrast agents of one series are separated here, and so are reconstructions of the
same moments (in phase, water, filtered), which Image Type names.

Sources:
    Image Type (0008,0008): DICOM PS3.3 C.7.6.1.1.2 and C.8.3.1.1.1; values beyond the standard's as Siemens (ND, DIS2D,
    DIS3D), Philips (M_FFE, PHASE MAP, VELOCITY MAP) and GE write them, after their conformance statements.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.stacks.acquisitions import series_keys, words_of
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
    return localizer or _OTHER_THAN_CINE.search(names_in(header)) is not None


def may_name_other_than_sax(header: Header) -> bool:
    """Whether the names hold a word that can mean something else than a short-axis cine, in one language or another."""
    return _MAYBE_OTHER.search(names_in(header)) is not None or names_long_axis(header)


def could_be_cine(header: Header) -> bool:
    """Whether a frame shows brightness and its names are not those of something else than a cine."""
    return is_magnitude(header) and not names_other_than_cine(header)


def names_long_axis(header: Header) -> bool:
    """Whether the names of a series are those of another view than the short axis; a hint."""
    return _LONG_AXIS.search(names_in(header)) is not None


def names_in(header: Header) -> str:
    """Description and protocol of a series, as words."""
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


_SAME = 1.05
"""Numbers that differ by a smaller factor are one: shortest echo times differ a little from slice to slice."""

_ONE_ACQUISITION_S = 1.0
"""Series that begin within this were acquired together: a repeat needs a breath-hold of its own."""

_LEAST = 1e-3
"""Numbers below this are 0."""


@dataclass(frozen=True)
class Weighting:
    """What distinguishes one part of a series from its other parts.

    Attributes:
        name: What differs, such as `echo time`.
        text: What this part has, such as `4.6 ms`.
        number: Which of the parts it is, from 0: the shortest, smallest or first acquired.
        texts: What each part has.
    """

    name: str
    text: str
    number: int
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Trait:
    """Something that frames can differ in.

    Attributes:
        name: For a reader.
        of: Its value of a frame; None where it is not known.
        unit: Of numbers.
    """

    name: str
    of: Callable[[Header], float | str | None]
    unit: str = ""

    def text(self, value: float | str) -> str:
        """A value in words."""
        return (value or "none") if isinstance(value, str) else f"{value:.4g} {self.unit}".strip()


_ECHO_TIME = _Trait("echo time", lambda h: h.echo_ms, "ms")
_TRAITS = (
    _ECHO_TIME,
    _Trait("inversion time", lambda h: h.inversion_ms, "ms"),
    _Trait("b-value", lambda h: h.b_value, "s/mm2"),
    _Trait("flip angle", lambda h: h.flip_deg, "degrees"),
    _Trait("contrast agent", lambda h: h.agent),
)
"""What makes frames of one slice other images, whatever their times are."""

_RECONSTRUCTION = _Trait("reconstruction", lambda h: "\\".join(h.image_type[2:]))
"""What makes frames of the same moments other images."""


def parts_of(headers: Sequence[Header]) -> list[tuple[tuple[Weighting, ...], list[Header]]]:
    """Divide the frames of series that have several cines of other weighting each, such as a cine of two echoes.

    Args:
        headers: Frames of any series of one patient, study and kind.

    Returns:
        Frames with what distinguishes them from others of their series; series of one cine or of images that differ one
        by one, stay whole, with ().
    """
    joined: dict[tuple[tuple[str, int], ...], tuple[tuple[Weighting, ...], list[Header]]] = {}
    for files in _acquired_together(headers):
        # Of series of their own nothing but the echo is known to come of one acquisition.
        own = len({h.series_uid for h in files}) == 1
        traits = (*_TRAITS, _RECONSTRUCTION) if own else (_ECHO_TIME,)
        for weighting, part in _parted(files, (), traits):
            # The second echoes of series that hold one slice each belong together, whatever exactly they are.
            key = tuple((w.name, w.number) for w in weighting if w.number)
            joined.setdefault(key, (weighting, []))[1].extend(part)
            if weighting and not joined[key][0]:
                joined[key] = weighting, joined[key][1]
    return list(joined.values())


def _acquired_together(headers: Sequence[Header]) -> list[list[Header]]:
    """Frames of one series, and of those that were acquired at the same moments in the same places.

    Some scanners export each echo as a series of its own.
    """
    by_series: dict[str, list[Header]] = defaultdict(list)
    for header, series in zip(headers, series_keys(headers), strict=True):
        by_series[series].append(header)
    alike: dict[Hashable, list[tuple[float, list[Header]]]] = defaultdict(list)
    for series, files in by_series.items():
        begun = [h.acquired_at for h in files if h.acquired_at is not None]
        places = Counter((h.position, h.orientation) for h in files)
        known = len(begun) == len(files)
        written = (words_of(files[0]), frozenset(places.items()), files[0].acquired_date) if known else series
        alike[written].append((min(begun, default=0.0), files))
    together: list[list[Header]] = []
    for found in alike.values():
        last = -math.inf
        for at, files in sorted(found, key=lambda pair: (pair[0], pair[1][0].series_number)):
            if at - last > _ONE_ACQUISITION_S:
                together.append([])
            together[-1].extend(files)
            last = at
    return together


def _parted(
    headers: list[Header], known: tuple[Weighting, ...], traits: Sequence[_Trait]
) -> list[tuple[tuple[Weighting, ...], list[Header]]]:
    for trait in traits:
        parts = _by(trait, headers)
        if len(parts) < 2 or not _are_cines(parts, headers):
            continue
        if trait is _RECONSTRUCTION and not _same_moments(parts):
            continue
        texts = tuple(trait.text(value) for value, _ in parts)
        return [
            found
            for number, (_, part) in enumerate(parts)
            for found in _parted(part, (*known, Weighting(trait.name, texts[number], number, texts)), traits)
        ]
    return [(known, headers)]


def _by(trait: _Trait, headers: Sequence[Header]) -> list[tuple[float | str, list[Header]]]:
    """Frames by a trait, ascending, or in the order of their numbers where it is a text; none where it is unknown."""
    known = [(value, header) for header in headers if (value := trait.of(header)) is not None]
    if len(known) < len(headers):
        return []
    if isinstance(known[0][0], str):
        named: dict[str, list[Header]] = defaultdict(list)
        for value, header in sorted(known, key=lambda pair: pair[1].instance_number):
            named[str(value)].append(header)
        return list(named.items())
    parts: list[tuple[float | str, list[Header]]] = []
    last = 0.0
    for value, header in sorted(((float(value), header) for value, header in known), key=lambda pair: pair[0]):
        if not parts or value > max(last, _LEAST) * _SAME:
            parts.append((value, []))
        parts[-1][1].append(header)
        last = value
    return parts


def _are_cines(parts: Sequence[tuple[object, list[Header]]], headers: Sequence[Header]) -> bool:
    """Whether most slices have frames of several parts, and at least two of each of these."""
    slices: dict[Hashable, list[int]] = defaultdict(lambda: [0] * len(parts))
    for number, (_, part) in enumerate(parts):
        for header in part:
            slices[header.position, header.orientation][number] += 1
    parted = [counts for counts in slices.values() if sum(count > 1 for count in counts) > 1]
    return 2 * len(parted) > len(slices) and 2 * sum(map(sum, parted)) > len(headers)


def _same_moments(parts: Sequence[tuple[object, list[Header]]]) -> bool:
    """Whether the parts have frames of the same times at the same places."""
    moments = [
        Counter(
            (h.position, h.trigger_ms, h.temporal_position, None if h.trigger_ms is not None else h.acquired_at)
            for h in part
        )
        for _, part in parts
    ]
    return all(one == other for one, other in pairwise(moments))


def differs_in(headers: Sequence[Header]) -> str:
    """What the frames of one slice differ in one by one, such as `inversion time`; empty where they differ in time.

    Diffusion is weighted in several directions at one b-value; no cine is weighted by it at all.
    """
    for trait in _TRAITS:
        if len(headers) > 1 and 2 * len(_by(trait, headers)) > len(headers):
            return trait.name
    return "diffusion weighting" if any((header.b_value or 0.0) > _LEAST for header in headers) else ""
