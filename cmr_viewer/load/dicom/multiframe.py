"""Files of many frames: Enhanced MR and similar ones, and files with one header for all frames.

Enhanced MR (PS3.3, A.36) states what differs between frames in functional groups (PS3.3, C.7.6.16), one item for each
frame, and what they share in a shared one. Older files have one header only; their frames can be placed where the
header states in what they differ (Frame Increment Pointer, PS3.3, C.7.6.6).
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.elements import (
    DEEPEST,
    ITEM,
    ITEM_END,
    LONGEST_WANTED,
    SEQUENCE_END,
    UNDEFINED,
    Elements,
    Encoding,
    UnusualError,
    Window,
    element_at,
    open_at,
)
from cmr_viewer.load.dicom.headers import NO_PLACE, Header, first_known, header_of
from cmr_viewer.load.dicom.layout import PixelLayout
from cmr_viewer.load.dicom.tags import SEQUENCES
from cmr_viewer.load.dicom.values import Values

Item = dict[int, "bytes | list[Item]"]
"""Elements by tag: the bytes of a value, or the items of a sequence."""

WITHOUT_PLACES = "with several frames but no position for each"
WITHOUT_ALL_PLACES = "with several frames but positions for only some of them"

_GROUPS = (
    *(tags.FRAME_CONTENT_SEQUENCE, tags.PLANE_POSITION_SEQUENCE, tags.PLANE_ORIENTATION_SEQUENCE),
    *(tags.PIXEL_MEASURES_SEQUENCE, tags.PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags.CARDIAC_SYNCHRONIZATION_SEQUENCE),
    *(tags.MR_IMAGE_FRAME_TYPE_SEQUENCE, tags.TEMPORAL_POSITION_SEQUENCE, tags.MR_TIMING_SEQUENCE),
    *(tags.MR_ECHO_SEQUENCE, tags.MR_MODIFIER_SEQUENCE, tags.MR_DIFFUSION_SEQUENCE, tags.CONTRAST_BOLUS_USAGE_SEQUENCE),
)
"""Functional groups whose elements are read; each has one item."""

_TIMES = (
    *(tags.NOMINAL_CARDIAC_TRIGGER_DELAY_TIME, tags.ACTUAL_CARDIAC_TRIGGER_DELAY_TIME, tags.TRIGGER_TIME),
    *(tags.TEMPORAL_POSITION_TIME_OFFSET, tags.TEMPORAL_POSITION_INDEX, tags.NOMINAL_PERCENTAGE_OF_CARDIAC_PHASE),
)
"""What a dimension is indexed by that counts phases."""


def headers_of_frames(path: Path, values: Values, layout: PixelLayout, elements: Elements) -> list[Header] | str:
    """The headers of all frames of a file, in its order, or why the file cannot be used.

    Args:
        path: The file.
        values: Elements of its header, outside sequences.
        layout: How it stores its pixels.
        elements: The same elements, and where its pixels are.

    Raises:
        UnusualError: The header is damaged.
        OSError: The file cannot be read.
    """
    root = _nested(path, elements)
    per_frame = root.get(tags.PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)
    if not isinstance(per_frame, list):
        return _one_header(path, values, layout, root)
    if len(per_frame) < layout.frames:
        return WITHOUT_ALL_PLACES
    in_shared = root.get(tags.SHARED_FUNCTIONAL_GROUPS_SEQUENCE)
    shared = _flat(in_shared[0]) if isinstance(in_shared, list) and in_shared else {}
    in_time = _dimensions_in_time(root, values.order)
    headers = []
    for number, item in enumerate(per_frame[: layout.frames], start=1):
        raw = {**elements.values, **shared, **_flat(item)}
        header = _frame_header(path, Values(raw, values.order), layout, in_time)
        if isinstance(header, str):
            return header if number == 1 else WITHOUT_ALL_PLACES
        headers.append(replace(header, frame_number=number, instance_number=number))
    return headers


def _flat(item: Item) -> dict[int, Any]:
    """The elements of the functional groups of an item, all in one."""
    flat: dict[int, Any] = {}
    private = item.get(tags.PHILIPS_FRAME_SEQUENCE)
    if isinstance(private, list) and private:
        flat.update({tag: private[0][tag] for tag in (tags.TRIGGER_TIME,) if tag in private[0]})
    for tag in _GROUPS:
        group = item.get(tag)
        if isinstance(group, list) and group:
            flat.update(group[0])
    return flat


def _dimensions_in_time(root: Item, order: str) -> list[int]:
    """Which of the dimension index values count phases."""
    sequence = root.get(tags.DIMENSION_INDEX_SEQUENCE)
    pointed = []
    for number, item in enumerate(sequence if isinstance(sequence, list) else []):
        pointers = Values(item, order).pointers(tags.DIMENSION_INDEX_POINTER)
        if pointers and pointers[0] in _TIMES:
            pointed.append(number)
    return pointed


def _frame_header(path: Path, values: Values, layout: PixelLayout, in_time: list[int]) -> Header | str:
    """The header of a frame, of the elements of its functional groups over those of the file."""
    own = replace(
        layout,
        slope=values.number(tags.RESCALE_SLOPE) or 1.0,
        intercept=values.number(tags.RESCALE_INTERCEPT) or 0.0,
    )
    header = header_of(path, values, own)
    if isinstance(header, str):
        return header
    trigger, delay, *other_times = header.times_ms
    times = (delay, trigger, *other_times)
    at, at_date, *moments = header.moments_s
    moments = [*moments, at, at_date]
    identifier, index = header.numbers
    dimensions = values.numbers(tags.DIMENSION_INDEX_VALUES) or ()
    numbers = (index, *(dimensions[d] for d in in_time if d < len(dimensions)), identifier)
    return replace(
        header,
        image_type=values.texts(tags.FRAME_TYPE) or header.image_type,
        trigger_ms=first_known((*times, header.actual_ms)),
        times_ms=times,
        temporal_position=first_known(numbers),
        numbers=numbers,
        acquired_at=first_known(moments),
        moments_s=tuple(moments),
        stack_id=values.text(tags.STACK_ID),
    )


def _one_header(path: Path, values: Values, layout: PixelLayout, root: Mapping[int, Any]) -> list[Header] | str:
    """Frames of a file without functional groups: phases of one plane, or planes at stated places along the normal."""
    header = header_of(path, values, layout)
    if isinstance(header, str):
        return WITHOUT_PLACES if header == NO_PLACE and layout.frames > 1 else header
    if layout.frames == 1:
        return [header]
    rest = Values(root, values.order)
    frames = range(layout.frames)
    along = rest.vector(tags.SLICE_LOCATION_VECTOR, layout.frames)
    if along is not None:
        positions = [_moved(header, place - along[0]) for place in along]
        times: Sequence[float] | None = None
    else:
        steps = _times_ms(rest, layout.frames)
        if steps is None:
            return WITHOUT_PLACES
        positions = [header.position] * layout.frames
        times = steps
    placed = [replace(header, frame_number=n + 1, instance_number=n + 1, position=positions[n]) for n in frames]
    if times is None:
        return placed
    return [replace(h, trigger_ms=time, times_ms=(time,)) for h, time in zip(placed, times, strict=True)]


def _times_ms(values: Values, frames: int) -> list[float] | None:
    """Time of each frame where the frames follow one another in time, or None."""
    pointers = values.pointers(tags.FRAME_INCREMENT_POINTER)
    if tags.FRAME_TIME in pointers:
        step = values.number(tags.FRAME_TIME)
        return [step * n for n in range(frames)] if step is not None and step > 0 else None
    if tags.FRAME_TIME_VECTOR in pointers:
        steps = values.vector(tags.FRAME_TIME_VECTOR, frames)
        if steps is not None and min(steps[1:]) > 0:
            return [math.fsum(steps[: n + 1]) - steps[0] for n in range(frames)]
    return None


def _moved(header: Header, along_mm: float) -> tuple[float, float, float]:
    """The header's position, moved along its normal."""
    a, b, c, d, e, f = header.orientation
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    x, y, z = (p + along_mm * n for p, n in zip(header.position, normal, strict=True))
    return x, y, z


def _nested(path: Path, elements: Elements) -> Item:
    """All elements of a file's header with the items of its sequences (PS3.5, 7.5)."""
    end = elements.pixels_at if elements.pixels_at >= 0 else elements.end
    with open_at(path, elements.deflated) as file:
        file.seek(0)
        data = file.read(end)
    window = Window(io.BytesIO(data), data, len(data))
    # The head of the pixel data's own element is 8 bytes, or 12 where its value representation is explicit.
    last = end - (12 if elements.encoding.explicit else 8) if elements.pixels_at >= 0 else end
    item, _ = _item(window, elements.start, last, elements.encoding, 0)
    return item


def _item(window: Window, at: int, end: int | None, encoding: Encoding, depth: int) -> tuple[Item, int]:
    """The elements of an item up to `end`, or to its delimiter, and where the next one begins."""
    if depth > DEEPEST:
        raise UnusualError("its sequences are nested too deeply")
    item: Item = {}
    while end is None or at < end:
        tag, kind, length, at = element_at(window, at, encoding)
        if tag == ITEM_END:
            return item, at
        if kind == b"SQ" or (not encoding.explicit and tag in SEQUENCES) or length == UNDEFINED:
            # An element of unknown kind and undefined length is a sequence in implicit little endian (PS3.5, 6.2.2).
            inner = Encoding(False, "<") if kind == b"UN" else encoding
            item[tag], at = _items(window, at, None if length == UNDEFINED else at + length, inner, depth)
            continue
        if length <= LONGEST_WANTED:
            place = window.need(at, length)
            item[tag] = window.buffer[place : place + length]
        at += length
    return item, at


def _items(window: Window, at: int, end: int | None, encoding: Encoding, depth: int) -> tuple[list[Item], int]:
    items: list[Item] = []
    while end is None or at < end:
        tag, _, length, at = element_at(window, at, encoding)
        if tag == SEQUENCE_END:
            return items, at
        if tag != ITEM:
            raise UnusualError("a sequence is damaged")
        item, at = _item(window, at, None if length == UNDEFINED else at + length, encoding, depth + 1)
        items.append(item)
    return items, at
