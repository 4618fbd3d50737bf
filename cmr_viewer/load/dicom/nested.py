"""Elements of a DICOM file with the items of its sequences (PS3.5, 7.5), for files that hold many frames."""

import io
from pathlib import Path

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
from cmr_viewer.load.dicom.tags import SEQUENCES

Item = dict[int, "bytes | list[Item]"]
"""Elements by tag: the bytes of a value, or the items of a sequence."""


def read_nested(path: Path, elements: Elements) -> Item:
    """All elements of a file's header with the items of its sequences, for files of many frames.

    Raises:
        UnusualError: The header is damaged.
        OSError: The file cannot be read.
    """
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
            # An element of unknown kind and undefined length holds a sequence in implicit little endian (PS3.5, 6.2.2).
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
