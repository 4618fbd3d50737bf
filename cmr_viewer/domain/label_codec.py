"""Label maps and pixels as bytes, compressed and checked.

Layout, little-endian: magic "CMRL" (label map) or "CMRP" (pixels), format version u8, dtype kind u8 and item size u8,
number of axes u8, each axis u32, CRC-32 of the uncompressed values u32; then the values in C order, zlib (RFC 1950).
"""

import struct
import zlib
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.errors import LabelMapError, StoreError

_LABELS, _PIXELS = b"CMRL", b"CMRP"
_VERSION = 1
_HEAD = struct.Struct("<4sBBBB")
_KINDS = "biuf"
_LABEL_LEVEL = 6
_PIXEL_LEVEL = 1  # pixels are noise to zlib: level 6 takes three times as long for some per cent
_MAX_BYTES = 1 << 31


def encode_label_map(labels: LabelMap, *, level: int = _LABEL_LEVEL) -> bytes:
    """Compress a label map.

    Args:
        labels: uint8 of `Label`, any number of axes.
        level: How hard to compress, 1 (fast) to 9.

    Returns:
        Bytes that `decode_label_map` gives back as an equal array.

    Raises:
        LabelMapError: Codes outside `Label`.
    """
    return _encode(_LABELS, as_label_map(labels), level)


def decode_label_map(data: bytes) -> LabelMap:
    """Read what `encode_label_map` wrote.

    Returns:
        uint8 array of the same shape, not writable.

    Raises:
        StoreError: The bytes are incomplete or not a label map.
    """
    values = _decode(_LABELS, data)
    if values.dtype != np.uint8:
        _refuse("its values are not uint8")
    try:
        return as_label_map(values)
    except LabelMapError as error:
        raise StoreError(f"A stored label map is damaged: {error}") from error


def encode_pixels(pixels: NDArray[Any]) -> bytes:
    """Compress the pixels of a frame, bit for bit.

    Args:
        pixels: Any real dtype (bool, integer or floating), any number of axes.

    Returns:
        Bytes that `decode_pixels` gives back as an equal array.

    Raises:
        StoreError: The dtype is not a real one.
    """
    return _encode(_PIXELS, pixels, _PIXEL_LEVEL)


def decode_pixels(data: bytes) -> NDArray[Any]:
    """Read what `encode_pixels` wrote.

    Returns:
        Array of the same shape, kind and item size, in native byte order, not writable.

    Raises:
        StoreError: The bytes are incomplete or not pixels.
    """
    return _decode(_PIXELS, data)


def _encode(magic: bytes, values: NDArray[Any], level: int) -> bytes:
    dtype = values.dtype
    if dtype.kind not in _KINDS or dtype.itemsize > 8:
        raise StoreError(f"Values of type {dtype} cannot be stored. Only real numbers of up to 64 bits can.")
    raw = values.astype(dtype.newbyteorder("<"), copy=False).tobytes(order="C")
    head = _HEAD.pack(magic, _VERSION, _KINDS.index(dtype.kind), dtype.itemsize, values.ndim)
    shape = struct.pack(f"<{values.ndim}II", *values.shape, zlib.crc32(raw))
    return head + shape + zlib.compress(raw, level)


def _decode(magic: bytes, data: bytes) -> NDArray[Any]:
    if len(data) < _HEAD.size:
        _refuse("it is too short")
    found, version, kind, itemsize, ndim = _HEAD.unpack_from(data)
    if found != magic:
        _refuse("it is of another type")
    if version != _VERSION:
        _refuse(f"its format {version} is unknown; update the program")
    start = _HEAD.size + 4 * (ndim + 1)
    if len(data) < start or kind >= len(_KINDS):
        _refuse("its header is incomplete")
    *shape, checksum = struct.unpack_from(f"<{ndim}II", data, _HEAD.size)
    try:
        dtype = np.dtype(f"<{_KINDS[kind]}{itemsize}")
    except TypeError as error:
        raise StoreError("A stored frame is damaged: its number type is unknown.") from error
    raw = _inflate(data[start:], int(np.prod(shape, dtype=object)) * itemsize)
    if zlib.crc32(raw) != checksum:
        _refuse("its checksum does not match")
    values = np.frombuffer(raw, dtype=dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _inflate(data: bytes, size: int) -> bytes:
    """Decompress to exactly `size` bytes; never to more, whatever the data state."""
    if size > _MAX_BYTES:
        _refuse("its size is impossible")
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, size + 1)
    except zlib.error as error:
        raise StoreError(f"A stored frame is damaged: {error}.") from error
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        _refuse("its length does not match")
    return raw


def _refuse(why: str) -> NoReturn:
    raise StoreError(f"A stored frame is damaged: {why}.")
