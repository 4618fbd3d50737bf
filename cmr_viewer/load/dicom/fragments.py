"""Where each frame of encapsulated pixel data lies: DICOM PS3.5, annex A.4."""

from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from cmr_viewer.load.dicom.elements import UNDEFINED, UnusualError

_ITEM = b"\xfe\xff\x00\xe0"
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")
"""First bytes of JPEG and JPEG-LS, JPEG 2000, and JPEG 2000 in a JP2 file."""


class Fragment(NamedTuple):
    """A part of a frame.

    Attributes:
        at: Where its bytes begin in the file.
        length: How many there are.
    """

    at: int
    length: int


def frame_fragments(file: BinaryIO, at: int, end: int, frames: int) -> list[tuple[Fragment, ...]]:
    """Find the fragments of each frame.

    Args:
        file: The file.
        at: Where the value of the pixel data begins.
        end: Length of the file. Of fragments that go beyond it, none is given.
        frames: How many frames the file states.

    Returns:
        The fragments of each frame in order; fewer frames where the file is cut short.

    Raises:
        UnusualError: The fragments are damaged, or cannot be assigned to frames.
        OSError: The file cannot be read.
    """
    items = _items(file, at, end)
    if not items:
        raise UnusualError("its image is empty")
    table, fragments = items[0], items[1:]
    if frames == 1:
        return [tuple(fragments)] if fragments else []
    if len(fragments) == frames:
        return [(fragment,) for fragment in fragments]
    starts = _table(file, table)
    if len(starts) != frames:
        starts = _marked(file, fragments)
    if len(starts) > frames or not starts:
        if len(fragments) < frames:
            return [(fragment,) for fragment in fragments]
        raise UnusualError("its frames cannot be separated")
    return _grouped(fragments, starts, items[1].at - 8 if fragments else 0)


def _items(file: BinaryIO, at: int, end: int) -> list[Fragment]:
    """The offset table and the fragments. The end of the file serves for the delimiter that ends them."""
    items: list[Fragment] = []
    while at + 8 <= end:
        file.seek(at)
        head = file.read(8)
        if head[:4] != _ITEM:
            if not items:
                raise UnusualError("its compressed image is damaged")
            break
        length = int.from_bytes(head[4:], "little")
        at += 8
        if length == UNDEFINED or at + length > end:
            break
        items.append(Fragment(at, length))
        at += length
    return items


def _table(file: BinaryIO, table: Fragment) -> list[int]:
    """Offsets of the first fragment of each frame, from the first fragment's item; empty where there are none."""
    file.seek(table.at)
    data = file.read(table.length)
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data) // 4 * 4, 4)]


def _marked(file: BinaryIO, fragments: Sequence[Fragment]) -> list[int]:
    """Offsets of the fragments that begin as a compressed image does."""
    starts = []
    for fragment in fragments:
        file.seek(fragment.at)
        if file.read(8).startswith(_STARTS):
            starts.append(fragment.at - fragments[0].at)
    return starts


def _grouped(fragments: Sequence[Fragment], starts: Sequence[int], origin: int) -> list[tuple[Fragment, ...]]:
    frames: list[list[Fragment]] = []
    wanted = set(starts)
    for fragment in fragments:
        if fragment.at - 8 - origin in wanted:
            frames.append([])
        if not frames:
            raise UnusualError("its frames cannot be separated")
        frames[-1].append(fragment)
    return [tuple(frame) for frame in frames]
