"""One frame of a DICOM file into its place in an array."""

import io
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.load.dicom.codecs import decode
from cmr_viewer.load.dicom.elements import UnusualError, open_at
from cmr_viewer.load.dicom.fragments import Fragment, frame_fragments
from cmr_viewer.load.dicom.headers import Header, PixelLayout, tolerant


class FrameFiles:
    """Reads frames; keeps what was found out about the file of many frames that was read last."""

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
                data = b"".join(_bytes_at(file, part) for part in self._fragments_of(header, file))
                stored = decode(data, layout.syntax, header.rows, header.cols, layout.bits)
                _finish(_as_header_says(stored, layout), layout, target)
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
    layout = header.layout
    if layout.floating:
        dtype = np.dtype(f"{'>' if layout.big_endian else '<'}f{layout.bits // 8}")
    else:
        dtype = np.dtype(f"{'>' if layout.big_endian else '<'}{'i' if layout.signed else 'u'}{layout.bits // 8}")
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
    """8 bit values out of big endian words: each two lie the wrong way round, over the borders of frames too."""
    start, end = first & ~1, (first + stored.nbytes + 1) & ~1
    file.seek(at + start)
    data = np.frombuffer(file.read(end - start), np.uint8)
    if len(data) < end - start:
        raise UnusualError("its image is cut short")
    turned = data.reshape(-1, 2)[:, ::-1].reshape(-1)
    stored[...] = turned[first - start :][: stored.size].view(stored.dtype).reshape(stored.shape)


def _with_pydicom(header: Header) -> NDArray[Any]:
    """The stored values of a file that is encoded in an unusual way."""
    import pydicom  # noqa: PLC0415 - few files need it, and it is slow to import

    layout = header.layout
    with tolerant():
        data = pydicom.dcmread(header.path, force=True)
        value = data.PixelData
        if not getattr(data["PixelData"], "is_undefined_length", False):
            dtype = np.dtype(f"{'>' if layout.big_endian else '<'}{'i' if layout.signed else 'u'}{layout.bits // 8}")
            count = header.rows * header.cols
            values = np.frombuffer(value, dtype, count, count * dtype.itemsize * (header.frame_number - 1))
            return values.astype(dtype.newbyteorder("=")).reshape(header.rows, header.cols)
        file = io.BytesIO(value)
        parts = frame_fragments(file, 0, len(value), layout.frames)[header.frame_number - 1]
    stored = decode(
        b"".join(_bytes_at(file, part) for part in parts), layout.syntax, header.rows, header.cols, layout.bits
    )
    return _as_header_says(stored, layout)


def _as_header_says(stored: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """Decoded values with the sign that the header gives them.

    JPEG and JPEG-LS know no sign: signed values are in them as their bits. JPEG 2000 states one of its own; where it
    states none, the header's holds.

    Raises:
        UnusualError: Values are negative where the header says that none are.
    """
    if stored.dtype.kind == "i" and not layout.signed and stored.min() < 0:
        raise UnusualError("its image has negative values, and its header says that it has none")
    if stored.dtype.kind == "u" and layout.signed:
        return stored.view(f"i{stored.dtype.itemsize}")
    return stored


def _finish(stored: NDArray[Any], layout: PixelLayout, target: NDArray[Any]) -> None:
    """Stored values as they are to be shown, into their place; `stored` may be the place itself, and is written to."""
    if stored.dtype.kind == "f":
        np.nan_to_num(stored, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        top: Any = 0
    else:
        _drop_unused_bits(stored, layout)
        top = -1 if stored.dtype.kind == "i" else (1 << min(layout.stored, stored.dtype.itemsize * 8)) - 1
    if layout.inverted:
        np.subtract(stored.dtype.type(top), stored, out=stored)
    if layout.is_plain:
        if stored is not target:
            target[...] = stored
        return
    np.multiply(stored, np.float32(layout.slope), out=target, casting="unsafe")
    target += np.float32(layout.intercept)


def _drop_unused_bits(stored: NDArray[Any], layout: PixelLayout) -> None:
    """Take away bits above Bits Stored, which may hold overlays, and extend the sign; in place.

    Values that lie in the upper bits (High Bit) are moved down. A High Bit that the values contradict, since they use
    the bits below, is taken for a mistake.
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
