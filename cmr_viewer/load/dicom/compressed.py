"""Compressed frames: where the fragments of each are in a file, and its stored values.

The first bytes of a frame show how it is compressed; some files have a wrong Transfer Syntax UID.
The size that a compressed image states is compared with the header's before it is decoded. pydicom decodes by the
transfer syntax that the file states.

Fragments are those of DICOM PS3.5, annex A.4.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
        end: Length of the file. Fragments beyond it are left out.
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


RLE = "1.2.840.10008.1.2.5"

_NO_LENGTH = (0x01, *range(0xD0, 0xD9))
_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3, 0xF7)
_LOSSLESS_LS = 0xF7
_END_OF_IMAGE = b"\xff\xd9"


class _CodedSize(NamedTuple):
    """What a compressed image states about itself; JPEG and JPEG-LS know no sign."""

    rows: int
    cols: int
    samples: int
    bits: int
    signed: bool
    codec: str  # "jpeg", "jpegls" or "jpeg2k"


def decode(data: bytes, syntax: str, rows: int, cols: int, bits: int) -> NDArray[Any]:
    """Decode a frame.

    Args:
        data: Its fragments, joined.
        syntax: The file's Transfer Syntax UID; needed for RLE only, whose first bytes do not show it.
        rows: As the header states.
        cols: As the header states.
        bits: Bits Allocated.

    Returns:
        (row, col) of uint8 or uint16, or of int8, int16 where the compressed image states a sign; uint32 of RLE with
        32 bits.

    Raises:
        UnusualError: Its format is unknown, or its size is not the header's.
        RuntimeError, ValueError: It is damaged.
    """
    size = _coded_size(data)
    if size is None:
        if syntax == RLE:
            return _run_lengths(data, rows, cols, bits)
        raise UnusualError("the compression of its image is not supported")
    if (size.rows, size.cols) != (rows, cols):
        raise UnusualError(f"its image is {size.rows} x {size.cols}, but its header states {rows} x {cols}")
    if size.samples != 1 or not 2 <= size.bits <= 16:
        raise UnusualError(f"its image has {size.samples} colour channels of {size.bits} bits")
    # Late, because most files are not compressed.
    import imagecodecs  # noqa: PLC0415

    if size.codec == "jpeg2k":
        pixels = imagecodecs.jpeg2k_decode(data)
    elif size.codec == "jpegls":
        # Of a damaged image without its end marker CharLS reads zeros for many seconds; a second marker does no harm.
        pixels = imagecodecs.jpegls_decode(data + _END_OF_IMAGE)
    else:
        pixels = imagecodecs.jpeg8_decode(data)
    pixels = np.asarray(pixels)
    if pixels.shape != (rows, cols):
        raise UnusualError(f"its image has the shape {pixels.shape}")
    return _signed(pixels, size)


def _signed(pixels: NDArray[Any], size: _CodedSize) -> NDArray[Any]:
    """Values of fewer bits than their dtype, with their sign."""
    if size.signed and pixels.dtype.kind == "u":
        unused = pixels.dtype.itemsize * 8 - size.bits
        return (pixels.view(f"i{pixels.dtype.itemsize}") << unused) >> unused
    return pixels


def _coded_size(data: bytes) -> _CodedSize | None:
    """What a compressed image states about itself, or None where its format is unknown."""
    if data.startswith(b"\x00\x00\x00\x0cjP  "):
        start = data.find(b"\xff\x4f\xff\x51")
        return _jpeg2k_size(data, start) if start >= 0 else None
    if data.startswith(b"\xff\x4f\xff\x51"):
        return _jpeg2k_size(data, 0)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg_size(data)
    return None


def _jpeg_size(data: bytes) -> _CodedSize:
    """From the frame header: ITU-T T.81, B.2.2; of JPEG-LS ITU-T T.87, C.2.2."""
    at = 2
    while at + 10 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _FRAMES:
            rows, cols = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            codec = "jpegls" if marker == _LOSSLESS_LS else "jpeg"
            return _CodedSize(rows, cols, data[at + 9], data[at + 4], False, codec)
        at += 2 if marker in _NO_LENGTH else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise UnusualError("its compressed image is damaged")


def _jpeg2k_size(data: bytes, at: int) -> _CodedSize:
    """From the SIZ marker segment: ITU-T T.800, A.5.1."""
    if at + 44 > len(data):
        raise UnusualError("its compressed image is damaged")

    def number(start: int, length: int) -> int:
        return int.from_bytes(data[at + start : at + start + length], "big")

    cols, rows = number(8, 4) - number(16, 4), number(12, 4) - number(20, 4)
    depth = data[at + 42]
    return _CodedSize(rows, cols, number(40, 2), (depth & 0x7F) + 1, bool(depth & 0x80), "jpeg2k")


def _run_lengths(data: bytes, rows: int, cols: int, bits: int) -> NDArray[Any]:
    """RLE: PS3.5, annex G. One segment for each byte of a value, the highest first."""
    import imagecodecs  # noqa: PLC0415

    size = bits // 8
    starts = [int.from_bytes(data[4 * i : 4 * i + 4], "little") for i in range(16)]
    if len(data) < 64 or starts[0] != size:
        raise UnusualError("its compressed image is damaged")
    bounds = [*starts[1 : size + 1], len(data)]
    if any(first < 64 or last < first for first, last in pairwise(bounds)):
        raise UnusualError("its compressed image is damaged")
    planes = np.empty((size, rows * cols), np.uint8)
    for plane, first, last in zip(planes, bounds, bounds[1:], strict=False):
        values = np.frombuffer(imagecodecs.packbits_decode(data[first:last]), np.uint8)
        if len(values) < rows * cols:
            raise UnusualError("its compressed image is cut short")
        plane[:] = values[: rows * cols]
    return np.ascontiguousarray(planes.T).view(f">u{size}").astype(f"u{size}").reshape(rows, cols)
