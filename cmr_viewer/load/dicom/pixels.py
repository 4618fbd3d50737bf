"""Pixels of many frames, straight into one array."""

import io
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.load.dicom.compressed import Fragment, decode, frame_fragments
from cmr_viewer.load.dicom.elements import READ_ERRORS, UnusualError, open_at
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.dicom.layout import PixelLayout
from cmr_viewer.load.file_work import SLOW_S, in_order
from cmr_viewer.progress import Progress, silent

Preview = Callable[[NDArray[Any]], None]
"""Called with the first frame (row, col) that is decoded."""

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
    """The dtype of an array for all these frames: whole numbers where none is rescaled, or float32."""
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
        progress: Called with how far the work is.
        preview: Called once, with the first frame that is decoded, from the thread that called.

    Returns:
        The frames that cannot be decoded; there are zeros at their places.

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

    # Decoders work outside the interpreter's lock, so that threads make all but the smallest frames quicker.
    slow_s = _SLOW_DECODER_S if any(place.header.layout.encapsulated for place in places) else SLOW_S
    reasons = in_order(read, places, progress, "Reading images: {} of {} frames", slow_s=slow_s)
    for place, reason in zip(places, reasons, strict=True):
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


_DARK = 0.05
"""Padding that is brighter than the lowest value by at most this share of the image's values is dark."""

_LITTLE_DARKER = 0.25
"""Padding that is darker than the lowest value by at most this share of the image's values spoils no contrast."""


class FrameFiles:
    """Reads frames; has the fragments of the multi-frame file that it read last at hand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fragments: tuple[Path | None, list[tuple[Fragment, ...]]] = None, []
        self._loaded: tuple[Path | None, bytes] = None, b""

    def read(self, header: Header, target: NDArray[Any]) -> None:
        """Decode a frame into its place.

        Raises:
            READ_ERRORS: It cannot be decoded.
        """
        layout = header.layout
        if target.shape != (header.rows, header.cols):
            raise UnusualError(f"its image is {header.rows} x {header.cols}")
        if layout.at < 0:
            _finish(_with_pydicom(header), layout, target)
            return
        with self._open(header) as file:
            if layout.encapsulated:
                _finish(_decoded(file, self._fragments_of(header, file), header), layout, target)
            else:
                _read_native(file, header, target)

    def _open(self, header: Header) -> BinaryIO:
        if not header.layout.deflated:
            return header.path.open("rb", buffering=0)
        with self._lock:
            if self._loaded[0] != header.path:
                with open_at(header.path, True) as file:
                    self._loaded = header.path, file.read()
            return io.BytesIO(self._loaded[1])

    def _fragments_of(self, header: Header, file: BinaryIO) -> tuple[Fragment, ...]:
        layout = header.layout
        end = file.seek(0, 2)
        if layout.frames == 1:
            frames = frame_fragments(file, layout.at, end, 1)
        else:
            with self._lock:
                if self._fragments[0] != header.path:
                    self._fragments = header.path, frame_fragments(file, layout.at, end, layout.frames)
                frames = self._fragments[1]
        if header.frame_number > len(frames):
            raise UnusualError("its image is cut short")
        return frames[header.frame_number - 1]


def _bytes_at(file: BinaryIO, fragment: Fragment) -> bytes:
    file.seek(fragment.at)
    data = file.read(fragment.length)
    if len(data) < fragment.length:
        raise UnusualError("its image is cut short")
    return data


def _read_native(file: BinaryIO, header: Header, target: NDArray[Any]) -> None:
    layout, dtype = header.layout, _dtype_of(header.layout)
    direct = target.dtype == dtype.newbyteorder("=") and target.flags.c_contiguous
    stored = target if direct else np.empty(target.shape, dtype.newbyteorder("="))
    size = stored.nbytes
    file.seek(layout.at + (header.frame_number - 1) * size)
    if layout.swapped:
        _read_swapped(file, layout.at, (header.frame_number - 1) * size, stored)
    else:
        view = memoryview(stored.data).cast("B")
        done = 0
        while done < size:
            count = file.readinto(view[done:])  # type: ignore[attr-defined]  # raw files and BytesIO have it
            if not count:
                raise UnusualError("its image is cut short")
            done += count
    if not dtype.isnative:
        stored.byteswap(inplace=True)
    _finish(stored, layout, target)


def _read_swapped(file: BinaryIO, at: int, first: int, stored: NDArray[Any]) -> None:
    """8 bit values out of big endian words: each two are swapped, across the borders of frames too."""
    start, end = first & ~1, (first + stored.nbytes + 1) & ~1
    file.seek(at + start)
    data = np.frombuffer(file.read(end - start), np.uint8)
    if len(data) < end - start:
        raise UnusualError("its image is cut short")
    swapped = data.reshape(-1, 2)[:, ::-1].reshape(-1)
    stored[...] = swapped[first - start :][: stored.size].view(stored.dtype).reshape(stored.shape)


def _with_pydicom(header: Header) -> NDArray[Any]:
    """The stored values of a file that is encoded in an unusual way."""
    from cmr_viewer.load.dicom.with_pydicom import pixel_data  # noqa: PLC0415 - slow to import, rarely needed

    layout = header.layout
    value, encapsulated = pixel_data(header.path)
    if not encapsulated:
        dtype, count = _dtype_of(layout), header.rows * header.cols
        values = np.frombuffer(value, dtype, count, count * dtype.itemsize * (header.frame_number - 1))
        return values.astype(dtype.newbyteorder("=")).reshape(header.rows, header.cols)
    file = io.BytesIO(value)
    return _decoded(file, frame_fragments(file, 0, len(value), layout.frames)[header.frame_number - 1], header)


def _decoded(file: BinaryIO, fragments: Iterable[Fragment], header: Header) -> NDArray[Any]:
    """The stored values of a compressed frame, with the sign that the header gives them.

    JPEG and JPEG-LS have no sign: they contain the bits of signed values. JPEG 2000 may state one; else that of the
    header counts.

    Raises:
        UnusualError: Values are negative although the header states unsigned ones.
    """
    layout, data = header.layout, b"".join(_bytes_at(file, part) for part in fragments)
    stored = decode(data, layout.syntax, header.rows, header.cols, layout.bits)
    if stored.dtype.kind == "i" and not layout.signed and stored.min() < 0:
        raise UnusualError("its image has negative values, but its header states unsigned ones")
    if stored.dtype.kind == "u" and layout.signed:
        return stored.view(f"i{stored.dtype.itemsize}")
    return stored


def _dtype_of(layout: PixelLayout) -> np.dtype[Any]:
    """The dtype of native stored values, in the file's byte order."""
    kind = "f" if layout.floating else "i" if layout.signed else "u"
    return np.dtype(f"{'>' if layout.big_endian else '<'}{kind}{layout.bits // 8}")


def _finish(stored: NDArray[Any], layout: PixelLayout, target: NDArray[Any]) -> None:
    """Write stored values to their place as they are shown; `stored` may be the place itself, and is changed."""
    # In some files the bits above a value make it one of padding.
    padding = _is_padding(stored, layout) if layout.high == layout.stored - 1 else None
    if stored.dtype.kind == "f":
        np.nan_to_num(stored, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        top: Any = 0
    else:
        _drop_unused_bits(stored, layout)
        top = -1 if stored.dtype.kind == "i" else (1 << min(layout.stored, stored.dtype.itemsize * 8)) - 1
        of_values = _is_padding(stored, layout)
        padding = of_values if padding is None or of_values is None else padding | of_values
    if layout.inverted:
        np.subtract(stored.dtype.type(top), stored, out=stored)
    if layout.is_plain:
        if stored is not target:
            target[...] = stored
    else:
        np.multiply(stored, np.float32(layout.slope), out=target, casting="unsafe")
        target += np.float32(layout.intercept)
    if padding is not None:
        _darken_padding(target, padding)


def _is_padding(stored: NDArray[Any], layout: PixelLayout) -> NDArray[np.bool_] | None:
    """Which stored values mark places outside of the image (PS3.3, C.7.5.1.1.2), or None where the file names none."""
    if layout.padding_from is None or layout.padding_to is None:
        return None
    first, last = layout.padding_from, layout.padding_to
    if stored.dtype.kind in "iu":
        first, last = int(first), int(last)
    return np.asarray(stored == first) if first == last else np.asarray((stored >= first) & (stored <= last))


def _darken_padding(values: NDArray[Any], padding: NDArray[np.bool_]) -> None:
    """Give padding the lowest value of the image, so that it looks as the background of an image without padding.

    Contrast and normalisation then are those of an image whose surroundings are dark, which is what networks were
    trained on. Files name padding values that are also values of the image, such as 0 or the largest value that there
    is. Padding that is dark already is therefore left as it is. Padding among the values of the image is darkened only
    where it extends to the edge of the frame.
    """
    if not padding.any():
        return
    image, marked = values[~padding], values[padding]
    if not image.size:
        values[...] = 0
        return
    low, high = float(image.min()), float(image.max())
    lowest, highest = float(marked.min()), float(marked.max())
    span = high - low
    if highest <= low + _DARK * span and (lowest >= low - _LITTLE_DARKER * span or lowest == 0.0):
        return
    apart = lowest < low or highest > high + _DARK * span
    where = padding if apart else _outside(padding)
    values[where] = image.min()


def _outside(padding: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Padding that extends along its row or column to the edge of the frame; none where no corner is padding.

    That is all outside of a round or straight-edged field of view, whatever its rotation.
    """
    if not padding[[0, 0, -1, -1], [0, -1, 0, -1]].any():
        return np.zeros_like(padding)
    to_edge = [np.logical_and.accumulate(padding[::step], axis=0)[::step] for step in (1, -1)]
    to_edge += [np.logical_and.accumulate(padding[:, ::step], axis=1)[:, ::step] for step in (1, -1)]
    return np.asarray(np.logical_or.reduce(to_edge))


def _drop_unused_bits(stored: NDArray[Any], layout: PixelLayout) -> None:
    """Remove bits above Bits Stored, which may be overlays, and extend the sign; in place.

    Values in the upper bits (High Bit) are moved down. A High Bit that the values contradict, since they use the bits
    below, counts as a mistake.
    """
    bits = stored.dtype.itemsize * 8
    low = layout.high + 1 - layout.stored
    if low > 0 and layout.high < bits and not (stored & ((1 << low) - 1)).any():
        np.right_shift(stored, low, out=stored)
    unused = bits - layout.stored
    if 0 < unused < bits:
        # Shifting up and down again drops the bits above the value and extends its sign.
        np.left_shift(stored, unused, out=stored)
        np.right_shift(stored, unused, out=stored)
