"""Pixels of many frames, straight into one array."""

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.load.dicom.frames import FrameFiles
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.file_work import SLOW_S, in_order
from cmr_viewer.progress import Progress, silent

Preview = Callable[[NDArray[Any]], None]
"""Called with the first frame (row, col) that is decoded."""

READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    RuntimeError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What decoders raise for images that are cut short, damaged or of an unknown format."""

_SLOW_DECODER_S = 0.0005


class Place(NamedTuple):
    """A frame, and where it belongs in an array.

    Attributes:
        header: The frame.
        at: Index of the leading axes, such as (phase, slice).
    """

    header: Header
    at: tuple[int, ...]


class Damaged(NamedTuple):
    """A frame that cannot be decoded.

    Attributes:
        header: The frame.
        reason: For a reader, without the file's name.
    """

    header: Header
    reason: str


def pixel_dtype(headers: Iterable[Header]) -> np.dtype[Any]:
    """The dtype of an array that holds all these frames: whole numbers where none is rescaled, or float32."""
    forms = {(x.floating or not x.is_plain, x.signed, x.bits) for x in (header.layout for header in headers)}
    if any(scaled for scaled, _, _ in forms):
        return np.dtype(np.float32)
    kinds = {np.dtype(f"{'i' if signed else 'u'}{bits // 8}") for _, signed, bits in forms}
    return np.dtype(np.result_type(*kinds)) if kinds else np.dtype(np.uint16)


def read_into(
    pixels: NDArray[Any], places: Sequence[Place], progress: Progress = silent, preview: Preview | None = None
) -> list[Damaged]:
    """Decode frames into their places: rescaled, MONOCHROME1 inverted so that high is bright.

    Args:
        pixels: (..., row, col) of `pixel_dtype`; the frames of `places` are written, all else is left alone.
        places: Frames; they are decoded in this order. A frame may be in several places.
        progress: Told how far the work is.
        preview: Called once, with the first frame that is decoded, from the thread that called.

    Returns:
        The frames that cannot be decoded; their places hold zeros.

    Raises:
        Cancelled: `progress` asked to stop.
    """
    files = FrameFiles()
    damaged = []

    def read(place: Place) -> str:
        target = pixels[place.at]
        try:
            files.read(place.header, target)
        except READ_ERRORS as error:
            target[...] = 0
            return str(error) or "its image is damaged"
        return ""

    def tell(done: int) -> None:
        progress(done / max(1, len(places)), f"Reading images: {done} of {len(places)} frames")

    # Decoders work outside the interpreter's lock, so that threads make all but the smallest frames quicker.
    slow_s = _SLOW_DECODER_S if any(place.header.layout.encapsulated for place in places) else SLOW_S
    for place, reason in zip(places, in_order(read, places, tell, slow_s=slow_s), strict=True):
        if reason:
            damaged.append(Damaged(place.header, reason))
        elif preview is not None:
            preview(pixels[place.at])
            preview = None
    return damaged


def read_frame(header: Header) -> NDArray[Any]:
    """One frame (row, col) of `pixel_dtype`.

    Raises:
        READ_ERRORS: It cannot be decoded.
    """
    pixels = np.empty((header.rows, header.cols), pixel_dtype([header]))
    FrameFiles().read(header, pixels)
    return pixels
