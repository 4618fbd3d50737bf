"""Frames of one slice that were acquired together, as opposed to a repeat of the same slice."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, zip_longest

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.load.dicom.headers import Header, first_known
from cmr_viewer.load.stacks.phases import Timed, in_time
from cmr_viewer.load.stacks.places import Plane, plane_of, slices_of

_LEAST_PHASES = 5
"""Series of one phase each are phases of a cine if there are at least so many."""

Recency = tuple[str, float, int, int]
"""Date, seconds since midnight, series and instance number: later acquisitions compare as larger."""


def _recency_of(h: Header) -> Recency:
    return h.acquired_date, h.acquired_at or 0.0, h.series_number, h.instance_number


def hashed(*parts: object) -> str:
    """A key of 16 hex digits that reveals nothing of its parts and does not depend on the place of the files."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=8, person=b"cmr-choice").hexdigest()


@dataclass(frozen=True, eq=False)
class Acquisition:
    """Frames of one slice that were acquired together.

    Attributes:
        timed: The frames in time order.
        along: Place of the middle of the frames along the normal of the stack, mm.
    """

    timed: Timed
    along: float

    @property
    def headers(self) -> tuple[Header, ...]:
        """The frames in time order."""
        return self.timed.headers

    @property
    def first(self) -> Header:
        """A frame, for what all have in common."""
        return self.timed.headers[0]

    @cached_property
    def plane(self) -> Plane:
        """Its plane."""
        return plane_of(self.first)

    @cached_property
    def recency(self) -> Recency:
        """How late it was acquired."""
        return max(map(_recency_of, self.headers))

    @cached_property
    def start(self) -> Recency:
        """When its first frame was acquired."""
        return min(map(_recency_of, self.headers))

    @cached_property
    def key(self) -> str:
        """What it is recognised by."""
        first = self.first
        number = min(h.instance_number for h in self.headers)
        return hashed(first.series_uid, first.acquired_at, number, [round(v) for v in self.plane.centre.tolist()])


@dataclass(frozen=True, eq=False)
class SeriesSlices:
    """The acquisitions of one series in one plane, ascending along the normal.

    Attributes:
        acquisitions: One for each slice, and more of a slice that the series repeats.
        series: What the series is recognised by.
    """

    acquisitions: tuple[Acquisition, ...]
    series: str

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """Places along the normal of the stack, mm, (acquisition,)."""
        return np.array([a.along for a in self.acquisitions])

    @cached_property
    def phases(self) -> float:
        """Usual number of frames of a slice."""
        return float(np.median([len(a.headers) for a in self.acquisitions]))

    @cached_property
    def words(self) -> str:
        """The description without numbers: `SAX cine 3` and `SAX cine 4` are slices of one stack."""
        return words_of(self.acquisitions[0].first)

    @cached_property
    def start(self) -> Recency:
        """When it was begun."""
        return min(a.start for a in self.acquisitions)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return sum(len(a.headers) for a in self.acquisitions)


def units_of(headers: Sequence[Header], reference: Plane) -> list[SeriesSlices]:
    """Acquisitions of frames that may belong to one stack, by series, with places along the normal of a plane."""
    by_series: dict[tuple[str, object], list[Header]] = defaultdict(list)
    keys = series_keys(headers)
    frames_of_all = with_best_clocks(headers, keys)
    for header, series in zip(frames_of_all, keys, strict=True):
        direction = tuple(round(v, 2) for v in header.orientation)
        by_series[series, (header.rows, header.cols, header.spacing, direction)].append(header)
    units = []
    for (series, _), files in by_series.items():
        places = slices_of(files, reference, frames_of_all)
        usual = Counter(len(frames) for _, frames in places).most_common(1)[0][0]
        acquisitions = [Acquisition(t, along) for along, frames in places for t in _split_repeats(frames, usual)]
        units.append(SeriesSlices(tuple(acquisitions), series))
    return units


def series_keys(headers: Sequence[Header]) -> list[str]:
    """Series UIDs; or series numbers and descriptions where every file has a Series UID of its own, or none has."""
    uids = {h.series_uid for h in headers}
    if len(headers) > 1 and (len(uids) == len(headers) or uids == {""}):
        return [f"{h.series_number}/{h.description}" for h in headers]
    joined = _series_of_phases(headers)
    return [joined.get(h.series_uid, h.series_uid) for h in headers]


def _series_of_phases(headers: Sequence[Header]) -> dict[str, str]:
    """Series that hold one phase each of the same slices, as some archives split a cine; by UID, the UID of the first.

    Each has one frame at every place, all are at the same places and of the same words, and the trigger times of no two
    overlap. Repeats of a slice and perfusion have equal trigger times.
    """
    by_series: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        by_series[header.series_uid].append(header)
    alike: dict[object, list[tuple[float, float, str]]] = defaultdict(list)
    for uid, files in by_series.items():
        places = {h.position for h in files}
        triggers = [h.trigger_ms for h in files if h.trigger_ms is not None]
        if 1 < len(places) == len(files) == len(triggers):
            written = (words_of(files[0]), frozenset(places), files[0].orientation, files[0].rows, files[0].cols)
            alike[written].append((min(triggers), max(triggers), uid))
    joined = {}
    for found in alike.values():
        found.sort()
        if len(found) >= _LEAST_PHASES and all(one[1] < other[0] for one, other in pairwise(found)):
            joined.update({uid: found[0][2] for _, _, uid in found})
    return joined


def words_of(header: Header) -> str:
    """The description without numbers."""
    return re.sub(r"[\W\d_]+", " ", header.description).strip().lower()


def _split_repeats(frames: list[Header], usual: int) -> list[Timed]:
    """The acquisitions of one slice within one series.

    Repeats show as trigger times, or temporal positions, that occur several times, if the frames of one repeat were
    acquired or numbered after those of the other, or the slice has more frames than usual; or else as a number of
    frames that is a multiple of the usual one.
    """
    in_order = sorted(frames, key=_moment)
    for attribute in ("trigger_ms", "cycle_percent", "temporal_position"):
        values = [getattr(h, attribute) for h in in_order]
        distinct = len(set(values))
        if None in values or distinct < 3 or 4 * (len(frames) - distinct) < distinct:
            continue
        repeats = _ranked(in_order, values)
        apart = all(_moment(a[-1]) < _moment(b[0]) for a, b in pairwise(repeats))
        if apart or len(frames) > 1.2 * usual:
            return [in_time(repeat) for repeat in repeats]
    if 1 < usual < len(frames) and len(frames) % usual == 0:
        blocks = [in_order[i : i + usual] for i in range(0, len(in_order), usual)]
        if all((a[-1].acquired_at or 0.0) <= (b[0].acquired_at or 0.0) for a, b in pairwise(blocks)):
            return [in_time(block) for block in blocks]
    return [in_time(frames)]


def _moment(header: Header) -> tuple[str, float, int]:
    return header.acquired_date, header.acquired_at or 0.0, header.instance_number


def _ranked(in_order: list[Header], values: list[float]) -> list[list[Header]]:
    """Of the frames with equal times the first go to the first acquisition, and so on; each in its given order."""
    seen: Counter[float] = Counter()
    repeats: list[list[Header]] = []
    for header, value in zip(in_order, values, strict=True):
        if seen[value] == len(repeats):
            repeats.append([])
        repeats[seen[value]].append(header)
        seen[value] += 1
    return repeats


_Column = tuple[float | None, ...]


def with_best_clocks(headers: Sequence[Header], series: Sequence[str]) -> list[Header]:
    """Headers, in their order, with the times that distinguish the frames of their slice, given the series of each.

    Files can contain several times, some of them the same in all frames, such as a trigger time that was never filled
    in next to a trigger delay that states when each frame was acquired. Of the times after the R wave, of the numbers
    of the phases and of the times of day, the one that distinguishes most frames is used, and of equally good ones the
    first. One that is the same in all frames, or that some frames lack, never wins over one that distinguishes them.
    """
    of_place: dict[object, list[int]] = defaultdict(list)
    for number, (header, own) in enumerate(zip(headers, series, strict=True)):
        of_place[own, header.position, header.orientation].append(number)
    # A series with one frame at each place is judged as a whole.
    together: dict[object, list[int]] = defaultdict(list)
    for place, numbers in of_place.items():
        together[place if len(numbers) > 1 else series[numbers[0]]].extend(numbers)
    found = list(headers)
    for numbers in together.values():
        here = [headers[n] for n in numbers]
        times = _best_column(h.times_ms for h in here) or _best_column((h.actual_ms,) for h in here)
        phases, moments = _best_column(h.numbers for h in here), _best_column(h.moments_s for h in here)
        for place, (number, header) in enumerate(zip(numbers, here, strict=True)):
            trigger = header.trigger_ms if times is None else times[place]
            phase = header.temporal_position if phases is None else phases[place]
            moment = header.acquired_at if moments is None else moments[place]
            if (trigger, phase, moment) != (header.trigger_ms, header.temporal_position, header.acquired_at):
                found[number] = replace(header, trigger_ms=trigger, temporal_position=phase, acquired_at=moment)
    return found


def _best_column(stated: Iterable[Sequence[float | None]]) -> _Column | None:
    """Of what each frame states, one value for each: the column that differs between most frames, or None."""
    rows = list(stated)
    # Frames of one slice can state their time in different elements.
    columns: list[_Column] = [*zip_longest(*rows), tuple(first_known(row) for row in rows)]
    usable = [column for column in columns if None not in column and len(set(column)) > 1]
    return max(usable, key=lambda column: len(set(column)), default=None)
