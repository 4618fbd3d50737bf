"""The elements of a DICOM file that a stack needs, read without building a data set of all of them.

A header scan needs some forty elements of files that contain hundreds, and the start of the pixel data. It walks over
the elements in place and skips the others; pydicom makes a data set of them all, which takes longer, and trusts what
the file states about itself. The bytes themselves show how elements are encoded; some files have a wrong
Transfer Syntax UID.

The encoding is that of DICOM PS3.5, chapter 7 (elements, sequences), annex A (transfer syntaxes), and PS3.10, chapter 7
(the file's preamble and meta information).
"""

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple

from cmr_viewer.load.dicom.tags import WANTED

UNDEFINED = 0xFFFFFFFF
"""Length of a value that ends at a delimiter. PS3.5, 7.1.1."""

DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float Pixel Data, Double Float Pixel Data, Pixel Data."""

MOST_INFLATED = 512 << 20
"""Bytes that a deflated data set may have; more counts as a decompression bomb."""

_LONG = frozenset(b"OB OW OF OD OL OV SQ UC UN UR UT SV UV".split())
_SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_CHUNK = 16384
LONGEST_WANTED = 1 << 16
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
DEEPEST = 16

READ_ERRORS = (
    *(OSError, EOFError, ValueError, LookupError, AttributeError, TypeError, AssertionError, RuntimeError),
    *(ArithmeticError, MemoryError, struct.error, zlib.error),
)
"""What decoders and pydicom raise for files that are cut short, damaged or of an unknown format."""


class UnusualError(ValueError):
    """The bytes are not encoded as DICOM requires, or in a way that this module does not read."""


class Encoding(NamedTuple):
    """How the elements of a data set are encoded.

    Attributes:
        explicit: Whether each element names its value representation.
        order: "<" for little endian, ">" for big endian.
    """

    explicit: bool
    order: str


@dataclass(frozen=True, slots=True)
class Elements:
    """Elements of a file up to its pixel data.

    Attributes:
        values: Bytes of the wanted elements, by tag.
        encoding: How they are encoded.
        syntax: Transfer Syntax UID (0002,0010) as the file states it; empty where it does not.
        pixel_tag: Which of `PIXEL_TAGS` the file has; 0 for none.
        pixel_kind: Its value representation; empty where the file does not name it.
        pixels_at: Where the value of the pixel data begins; counted in the inflated data set where `deflated`.
        pixels_length: Its length as the file states it; `UNDEFINED` for encapsulated pixels.
        end: Length of the file, or of the inflated data set.
        start: Where the data set begins.
        deflated: Whether the data set is deflated as a whole.
        unusual: Whether only pydicom could read them, which skips what is damaged.
    """

    values: Mapping[int, bytes]
    encoding: Encoding
    syntax: str
    pixel_tag: int
    pixel_kind: bytes
    pixels_at: int
    pixels_length: int
    end: int
    start: int
    deflated: bool
    unusual: bool = False


class Window:
    """A part of a file in memory that moves with what is read."""

    def __init__(self, file: BinaryIO, start: bytes, size: int) -> None:
        self.file, self.buffer, self.base, self.size = file, start, 0, size

    def need(self, at: int, count: int) -> int:
        """Bring `count` bytes from the file position `at` into the buffer; gives their place in it.

        Raises:
            UnusualError: The file ends before.
        """
        place = at - self.base
        if place >= 0 and place + count <= len(self.buffer):
            return place
        if at < 0 or at + count > self.size:
            raise UnusualError("the file ends within an element")
        self.file.seek(at)
        self.buffer, self.base = self.file.read(max(count, _CHUNK)), at
        if len(self.buffer) < count:
            raise UnusualError("the file ends within an element")
        return 0


def is_dicom(start: bytes) -> bool:
    """Whether a file with this beginning (132 bytes or more) is DICOM, with its preamble or plausibly without one."""
    if start[128:132] == b"DICM":
        return True
    # Without a preamble a file begins with (0002,0000) or an element of group 0008 whose length is plausible.
    if start[:2] not in (b"\x02\x00", b"\x08\x00", b"\x00\x08") or len(start) < 12:
        return False
    encoding = _encoding_at(start, 0)
    if encoding is None:
        return False
    little = start[:2] != b"\x00\x08"
    element = int.from_bytes(start[2:4], "little" if little else "big")
    if encoding.explicit:
        return element <= 0x1200
    return element <= 0x0018 and int.from_bytes(start[4:8], "little" if little else "big") <= 256


def read_elements(file: BinaryIO, size: int, start: bytes) -> Elements:
    """Read the wanted elements of an open file of a size in bytes, whose first bytes were read already.

    Raises:
        UnusualError: The file is cut short in its header, or encoded in a way that this module does not read.
        OSError: It cannot be read.
    """
    window = Window(file, start, size)
    syntax, at = _meta(window)
    encoding = _encoding(window, at)
    if syntax == DEFLATED or encoding is None:
        try:
            inflated = inflate(file, at, size)
            inside = Window(io.BytesIO(inflated), inflated, len(inflated))
            within = _encoding(inside, 0)
        except UnusualError:
            if encoding is None:
                raise
        else:
            if within is None:
                raise UnusualError("the encoding of its data set is unknown")
            return _walk(inside, 0, within, syntax, deflated=True)
    return _walk(window, at, encoding, syntax, deflated=False)


def open_at(path: Path, elements_deflated: bool) -> BinaryIO:
    """Open a file so that positions count as in its `Elements`.

    Raises:
        OSError: It cannot be read.
        UnusualError: It is deflated and damaged.
    """
    file = path.open("rb", buffering=0)
    if not elements_deflated:
        return file
    with file:
        size = path.stat().st_size
        window = Window(file, file.read(_CHUNK), size)
        return io.BytesIO(inflate(file, _meta(window)[1], size))


def inflate(file: BinaryIO, at: int, size: int) -> bytes:
    """The data set of a deflated file (PS3.5, A.5).

    Raises:
        UnusualError: It is damaged, or larger than `MOST_INFLATED`.
    """
    file.seek(at)
    expand = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = expand.decompress(file.read(size - at), MOST_INFLATED)
    except zlib.error as error:
        raise UnusualError("its deflated data set is damaged") from error
    if expand.unconsumed_tail:
        raise UnusualError("its deflated data set is larger than any image")
    return data


def _meta(window: Window) -> tuple[str, int]:
    """Transfer syntax and where the data set begins. Meta information is explicit little endian always."""
    at = 132 if window.size >= 132 and window.buffer[128:132] == b"DICM" else 0
    syntax = ""
    unpack = Struct("<HH2sH").unpack_from
    while at + 8 <= window.size:
        place = window.need(at, min(12, window.size - at))
        group, element, kind, length = unpack(window.buffer, place)
        if group != 2:
            break
        head = 8
        if kind in _LONG:
            length, head = int.from_bytes(window.buffer[place + 8 : place + 12], "little"), 12
        elif kind not in _SHORT:
            raise UnusualError("its meta information is damaged")
        if element == 0x10:
            place = window.need(at + head, length)
            syntax = window.buffer[place : place + length].decode("ascii", "replace").strip("\0 ")
        at += head + length
    return syntax, at


def _encoding(window: Window, at: int) -> Encoding | None:
    if at + 8 > window.size:
        raise UnusualError("it contains no elements")
    place = window.need(at, 8)
    return _encoding_at(window.buffer, place)


def _encoding_at(buffer: bytes, place: int) -> Encoding | None:
    """How a data set is encoded that begins here, or None where it is not one.

    A data set begins with a low even group: 0008 as a rule.
    """
    little, big = (int.from_bytes(buffer[place : place + 2], order) for order in ("little", "big"))
    if little == big or min(little, big) > 0x0040 or min(little, big) % 2:
        return None
    order = "<" if little < big else ">"
    kind = buffer[place + 4 : place + 6]
    return Encoding(kind in _LONG or kind in _SHORT, order)


def _walk(  # noqa: C901, PLR0912 - one flat loop: calls would cost more than what they do
    window: Window, at: int, encoding: Encoding, syntax: str, *, deflated: bool
) -> Elements:
    """Go over the elements of a data set to its pixel data or its end."""
    explicit, order = encoding
    short = Struct(order + "HH2sH").unpack_from
    plain = Struct(order + "HHI").unpack_from
    long = Struct(order + "I").unpack_from
    values: dict[int, bytes] = {}
    start, size, previous = at, window.size, 0
    buffer, base, filled = window.buffer, window.base, len(window.buffer)
    while at + 8 <= size:
        place = at - base
        if place < 0 or place + 12 > filled:
            place = window.need(at, min(12, size - at))
            buffer, base, filled = window.buffer, window.base, len(window.buffer)
        if explicit:
            group, element, kind, length = short(buffer, place)
            head = 8
            if kind in _LONG:
                if place + 12 > filled:
                    raise UnusualError("the file ends within an element")
                length, head = long(buffer, place + 8)[0], 12
            elif kind not in _SHORT:
                raise UnusualError("an element has an unknown type")
        else:
            group, element, length = plain(buffer, place)
            kind, head = b"", 8
        tag = group << 16 | element
        if tag <= previous:
            raise UnusualError("its elements are out of order")
        previous = tag
        at += head
        if tag in WANTED and length <= LONGEST_WANTED:
            place += head
            if place + length > filled:
                place = window.need(at, length)
                buffer, base, filled = window.buffer, window.base, len(window.buffer)
            values[tag] = buffer[place : place + length]
            at += length
        elif tag in PIXEL_TAGS:
            return Elements(values, encoding, syntax, tag, kind, at, length, size, start, deflated)
        elif length == UNDEFINED:
            at = _end_of_sequence(window, at, encoding, 0)
            buffer, base, filled = window.buffer, window.base, len(window.buffer)
        else:
            at += length
    if at > size or not previous:
        raise UnusualError("the file ends within its header")
    return Elements(values, encoding, syntax, 0, b"", -1, 0, size, start, deflated)


def element_at(window: Window, at: int, encoding: Encoding) -> tuple[int, bytes, int, int]:
    """(tag, value representation, length, where the value begins) of an element, or of an item or delimiter."""
    endian = "little" if encoding.order == "<" else "big"
    place = window.need(at, 8)
    head = window.buffer[place : place + 8]
    tag = int.from_bytes(head[:2], endian) << 16 | int.from_bytes(head[2:4], endian)  # type: ignore[arg-type]
    if not encoding.explicit or tag >> 16 == 0xFFFE:
        return tag, b"", int.from_bytes(head[4:], endian), at + 8  # type: ignore[arg-type]
    kind = head[4:6]
    if kind in _SHORT:
        return tag, kind, int.from_bytes(head[6:], endian), at + 8  # type: ignore[arg-type]
    if kind not in _LONG:
        raise UnusualError("an element has an unknown type")
    place = window.need(at + 8, 4)
    return tag, kind, int.from_bytes(window.buffer[place : place + 4], endian), at + 12  # type: ignore[arg-type]


def _end_of_sequence(window: Window, at: int, encoding: Encoding, depth: int) -> int:
    """Where the element after a sequence of undefined length begins."""
    if depth > DEEPEST:
        raise UnusualError("its sequences are nested too deeply")
    while True:
        tag, _, length, at = element_at(window, at, encoding)
        if tag == SEQUENCE_END:
            return at
        if tag != ITEM:
            raise UnusualError("a sequence is damaged")
        if length != UNDEFINED:
            at += length
            continue
        while True:
            tag, _, length, at = element_at(window, at, encoding)
            if tag == ITEM_END:
                break
            at = _end_of_sequence(window, at, encoding, depth + 1) if length == UNDEFINED else at + length
