"""Values of DICOM elements from their bytes.

Reading is tolerant: anonymised files contain values that the standard does not allow.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from struct import calcsize, iter_unpack
from typing import Any

from cmr_viewer.load.dicom import tags

_PADDING = "\0 \t\r\n"


# The files of a series have most of their values in common: each is converted once.
@lru_cache(4096)
def _plain_text(raw: bytes) -> str | None:
    """A text of ASCII alone, or None where a character set is needed."""
    return raw.decode("ascii").strip(_PADDING) if raw.isascii() and b"\x1b" not in raw else None


@lru_cache(4096)
def _written_numbers(raw: bytes) -> tuple[float, ...] | None:
    """Numbers that are written as text. Some systems write a decimal comma."""
    try:
        found = tuple(map(float, raw.decode("ascii").strip("\0 ").replace(",", ".").split("\\")))
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None


@lru_cache(4096)
def _binary_numbers(raw: bytes, form: str) -> tuple[float, ...] | None:
    found = tuple(float(value) for (value,) in iter_unpack(form, raw[: len(raw) - len(raw) % calcsize(form)]))
    return found if found and all(map(math.isfinite, found)) else None


class Values:
    """Elements by tag, read as the types that the standard gives them.

    Args:
        raw: The bytes of the elements; anything else, such as items of a sequence, counts as absent.
        order: "<" for little endian, ">" for big endian.
    """

    def __init__(self, raw: Mapping[int, Any], order: str) -> None:
        self._raw, self.order = raw, order

    def text(self, tag: int) -> str:
        """A text without padding; empty where it is absent."""
        raw = self._raw.get(tag)
        if not isinstance(raw, bytes):
            return ""
        plain = _plain_text(raw)
        return self._decoded(raw).strip(_PADDING) if plain is None else plain

    def texts(self, tag: int) -> tuple[str, ...]:
        """Texts that are parted by backslashes."""
        text = self.text(tag)
        return tuple(part.strip() for part in text.split("\\")) if text else ()

    def numbers(self, tag: int) -> tuple[float, ...] | None:
        """Finite numbers, or None where they are absent or one is not a finite number."""
        raw = self._raw.get(tag)
        if not isinstance(raw, bytes) or not raw:
            return None
        kind = tags.BINARY.get(tag)
        if kind is None:
            return _written_numbers(raw)
        # Some files write a number in the next larger or smaller size.
        kind = {("H", 4): "I", ("d", 4): "f", ("f", 8): "d"}.get((kind, len(raw)), kind)
        return _binary_numbers(raw, self.order + kind)

    def number(self, tag: int) -> float | None:
        """A single finite number, or None."""
        found = self.numbers(tag)
        return found[0] if found is not None and len(found) == 1 else None

    def vector(self, tag: int, count: int) -> tuple[float, ...] | None:
        """A given count of finite numbers, or None."""
        found = self.numbers(tag)
        return found if found is not None and len(found) == count else None

    def pointers(self, tag: int) -> tuple[int, ...]:
        """Tags that an element of kind AT names."""
        raw = self._raw.get(tag)
        if not isinstance(raw, bytes):
            return ()
        return tuple(
            group << 16 | element for group, element in iter_unpack(self.order + "HH", raw[: len(raw) // 4 * 4])
        )

    def _decoded(self, raw: bytes) -> str:
        """A text of another character set; undecodable bytes are replaced."""
        from pydicom.charset import convert_encodings, decode_bytes  # noqa: PLC0415 - rare, and slow to import

        from cmr_viewer.load.dicom.with_pydicom import tolerant  # noqa: PLC0415 - likewise

        named = self._raw.get(tags.SPECIFIC_CHARACTER_SET)
        names = named.decode("ascii", "replace").strip("\0 ").split("\\") if isinstance(named, bytes) else []
        try:
            with tolerant():
                return str(decode_bytes(raw, convert_encodings(names or ["ISO_IR 100"]), {0x5C}))
        except (LookupError, ValueError):
            return raw.decode("latin-1")


def seconds_of(time: str) -> float | None:
    """A DICOM time (HHMMSS.FFFFFF) as seconds since midnight, or None."""
    try:
        found = int(time[:2]) * 3600.0 + int(time[2:4] or 0) * 60.0 + float(time[4:] or 0)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
