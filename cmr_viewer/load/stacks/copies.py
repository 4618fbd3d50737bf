"""Images that exist twice: exported again under new UIDs."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.load.dicom.elements import READ_ERRORS
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.dicom.pixels import read_frame
from cmr_viewer.load.stacks.identity import patient_in

_FRAMES_COMPARED = 3


def without_copies(headers: Sequence[Header]) -> tuple[list[Header], list[Note]]:
    """Leave out series whose images are all in another series of the same patient.

    Series count as copies if their frames have the same places and times, one by one, and three of them have the same
    pixels; the first by Series UID stays. Otherwise the reader would have to choose between identical repeats.

    Args:
        headers: All frames.

    Returns:
        The frames without copies, in their order, and the notes on the others.
    """
    by_series: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in headers:
        by_series[patient_in(header), header.series_uid].append(header)
    by_content: dict[object, list[list[Header]]] = defaultdict(list)
    for files in by_series.values():
        by_content[frozenset(_signature(h) for h in files)].append(files)
    dropped: set[int] = set()
    for alike in by_content.values():
        kept: list[list[Header]] = []
        for files in sorted(alike, key=lambda files: files[0].series_uid):
            if any(_same_pixels(files, other) for other in kept):
                dropped.update(id(h) for h in files)
            else:
                kept.append(files)
    left = [h for h in headers if id(h) not in dropped]
    if not dropped:
        return left, []
    text = f"Left out {counted(len(dropped), 'duplicate image')}, stored twice under different UIDs."
    return left, [Note(text, Code.COPIES_LEFT_OUT)]


def _signature(header: Header) -> tuple[object, ...]:
    """What a copy has in common with its original; numbers of series and UIDs are not."""
    return (
        patient_in(header),
        header.orientation,
        tuple(round(v, 2) for v in header.position),
        (header.rows, header.cols, header.spacing, header.kind),
        (header.trigger_ms, header.temporal_position, header.acquired_date, header.acquired_at),
        header.instance_number if header.trigger_ms is None else 0,
    )


def _same_pixels(one: list[Header], other: list[Header]) -> bool:
    if len(one) != len(other):
        return False
    pairs = list(zip(sorted(one, key=_order), sorted(other, key=_order), strict=True))
    chosen = sorted({round(i) for i in np.linspace(0, len(pairs) - 1, _FRAMES_COMPARED)})
    return all(_same_frame(*pairs[i]) for i in chosen)


def _order(header: Header) -> tuple[str, int]:
    return repr(_signature(header)), header.instance_number


def _same_frame(one: Header, other: Header) -> bool:
    try:
        return bool(np.array_equal(read_frame(one), read_frame(other)))
    except READ_ERRORS:
        return False
