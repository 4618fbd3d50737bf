"""Frames of one slice that differ in something other than time: different images, not phases.

Echo times, inversion times, flip angles, b-values and contrast agents of one series are separated here, and so are
reconstructions of the same moments (in phase, water, filtered), which Image Type names. Frames of different heart beats
are a matter of time (`kinds.is_dynamic`).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.stacks.acquisitions import series_keys, words_of

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
