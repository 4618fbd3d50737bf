"""Which of several times in the files distinguishes the phases of a slice."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

from cmr_viewer.load.dicom.headers import Header, first_known

_Column = tuple[float | None, ...]


def with_telling_clocks(headers: Sequence[Header], series: Sequence[str]) -> list[Header]:
    """Headers with the times that distinguish the frames of their slice.

    Files can contain several times, some of them the same in all frames, such as a trigger time that was never filled
    in next to a trigger delay that states when each frame was acquired. Of the times after the R wave, of the numbers
    of the phases and of the times of day, the one that distinguishes most frames is used, and of equally good ones the
    first. One that is the same in all frames, or that some frames lack, never wins over one that distinguishes them.

    Args:
        headers: Frames.
        series: What the series of each is recognised by.

    Returns:
        The frames in their order; those whose first time is the best one are not changed.
    """
    of_place: dict[object, list[int]] = defaultdict(list)
    for number, (header, own) in enumerate(zip(headers, series, strict=True)):
        of_place[own, header.position, header.orientation].append(number)
    # A series whose frames lie all at places of their own tells its clock as a whole.
    together: dict[object, list[int]] = defaultdict(list)
    for place, numbers in of_place.items():
        together[place if len(numbers) > 1 else series[numbers[0]]].extend(numbers)
    found = list(headers)
    for numbers in together.values():
        for number, header in zip(numbers, _told([headers[n] for n in numbers]), strict=True):
            found[number] = header
    return found


def _told(headers: list[Header]) -> list[Header]:
    times = _telling(h.times_ms for h in headers) or _telling((h.actual_ms,) for h in headers)
    numbers, moments = _telling(h.numbers for h in headers), _telling(h.moments_s for h in headers)
    return [
        _changed(
            header,
            header.trigger_ms if times is None else times[n],
            header.temporal_position if numbers is None else numbers[n],
            header.acquired_at if moments is None else moments[n],
        )
        for n, header in enumerate(headers)
    ]


def _changed(header: Header, trigger_ms: float | None, temporal: float | None, acquired: float | None) -> Header:
    if (trigger_ms, temporal, acquired) == (header.trigger_ms, header.temporal_position, header.acquired_at):
        return header
    return replace(header, trigger_ms=trigger_ms, temporal_position=temporal, acquired_at=acquired)


def _telling(stated: Iterable[Sequence[float | None]]) -> _Column | None:
    """Of what each frame states, one value for each: the column that tells most frames apart, or None."""
    rows = list(stated)
    # Frames of one slice can state their time in different elements.
    columns: list[_Column] = [*zip_longest(*rows), tuple(first_known(row) for row in rows)]
    usable = [column for column in columns if None not in column and len(set(column)) > 1]
    return max(usable, key=lambda column: len(set(column)), default=None)
