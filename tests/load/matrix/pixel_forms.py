"""Classic MR files in every encoding of header and pixels that is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from tests.load.matrix.form import Form, Written, known, truth_of
from tests.phantom_dicom import Change, write_frames
from tests.phantom_multiframe import LOSSLESS, run_lengths

Frame = NDArray[Any]
IMPLICIT, EXPLICIT, BIG, DEFLATED, RLE = (
    f"1.2.840.10008.1.2{tail}" for tail in ("", ".1", ".2", ".1.99", ".5")
)  # PS3.5, annex A


def encoded(
    syntax: str,
    encode: Callable[[Frame], bytes] | None = None,
    *,
    pixels: Frame | None = None,
    stored: Callable[[Frame], Frame] = lambda frame: frame,
    bits: int | None = None,
    change: Change = lambda data, phase, index: None,
    **truth: Any,
) -> Callable[[Path], Written]:
    """A folder of classic files in a transfer syntax.

    Args:
        syntax: Transfer Syntax UID.
        encode: Encoder of a frame, for encapsulated syntaxes.
        pixels: What must be read; the phantom's pixels where it is not given.
        stored: From a frame as it must be read to the values in the file.
        bits: Bits Stored, where they are not those of the dtype.
        change: Called with each data set in the end.
        truth: Changes of what must be read.
    """

    def written(folder: Path) -> Written:
        stack = known().stack
        values = stack.pixels if pixels is None else pixels

        def store(data: FileDataset, phase: int, index: int) -> None:
            frame = np.ascontiguousarray(stored(values[phase, index]))
            data.file_meta.TransferSyntaxUID = UID(syntax)
            data.BitsAllocated = frame.dtype.itemsize * 8
            data.BitsStored = bits or data.BitsAllocated
            data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(frame.dtype.kind == "i")
            order = ">" if syntax == BIG else "<"
            native = frame.astype(frame.dtype.newbyteorder(order)).tobytes()
            data.PixelData = native if encode is None else encapsulate([bytes(encode(frame))])
            data["PixelData"].VR = "OW" if encode is None else "OB"
            data["PixelData"].is_undefined_length = encode is not None
            change(data, phase, index)

        write_frames(folder, stack, series="1", change=store)
        return folder, truth_of(stack, pixels=values, **truth)

    return written


def _signed() -> Frame:
    """The phantom around zero: -2048 to 2047."""
    return np.asarray(known().stack.pixels.astype(np.int16) - 2048)


def _bytes() -> Frame:
    return np.asarray((known().stack.pixels >> 4).astype(np.uint8))


def _smooth() -> Frame:
    """Frames that lossy compression keeps well: 12 bits."""
    phase, index, row, col = np.indices(known().stack.pixels.shape)
    waves = np.sin(row / 9 + index) * np.cos(col / 7 + phase)
    return np.asarray((2048 + 1500 * waves).astype(np.uint16))


def _elements(**values: Any) -> Change:
    def change(data: FileDataset, phase: int, index: int) -> None:
        for keyword, value in values.items():
            setattr(data, keyword, value)

    return change


def _low_twelve(frame: Frame) -> Frame:
    """Signed values in 12 of 16 bits, the others empty."""
    return np.asarray(frame.view(np.uint16) & 0x0FFF)


def _as_signed(data: FileDataset, phase: int, index: int) -> None:
    data.PixelRepresentation = 1


def _without_preamble(folder: Path) -> Written:
    """Data sets as very old software writes them: no preamble, no meta information, implicit."""
    path, truth = encoded(IMPLICIT)(folder)
    for file in folder.iterdir():
        content = file.read_bytes()
        length = int.from_bytes(content[140:144], "little")
        file.write_bytes(content[144 + length :])
    return path, truth


def _lossless(name: str) -> Callable[[Path], Written]:
    syntax, encode = LOSSLESS[name]
    return encoded(syntax, encode)


def _scaled_by_slice(folder: Path) -> Written:
    stack = known().stack
    slopes = np.array([0.5, 1.0, 2.0, 0.25, 1.5, 0.75, 1.25])

    def change(data: FileDataset, phase: int, index: int) -> None:
        data.RescaleSlope, data.RescaleIntercept = f"{slopes[index]:g}", "-7"

    write_frames(folder, stack, series="1", change=change)
    expected = stack.pixels.astype(np.float32) * slopes.astype(np.float32)[:, None, None] - np.float32(7)
    return folder, truth_of(stack, pixels=expected)


def _padded(padding: int, dtype: str) -> Callable[[Path], Written]:
    """A round field of view with the darkest value of each frame around it, stored as padding."""
    row, col = np.indices(known().stack.pixels.shape[2:])
    outside = ((row - 17.5) / 17) ** 2 + ((col - 15.5) / 15) ** 2 > 1
    pixels = known().stack.pixels.astype(dtype)
    low = np.where(outside, np.iinfo(dtype).max, pixels).min(axis=(2, 3), keepdims=True)
    return encoded(
        EXPLICIT,
        pixels=np.where(outside, low, pixels),
        stored=lambda frame: np.where(outside, padding, frame).astype(dtype),
        change=_elements(PixelPaddingValue=padding),
    )


_SIGNED, _BYTES, _SMOOTH = _signed(), _bytes(), _smooth()
_SV1 = LOSSLESS["JPEG lossless SV1"]

PIXEL_FORMS = [
    Form("implicit little endian", encoded(IMPLICIT)),
    Form("explicit little endian", encoded(EXPLICIT)),
    Form("explicit big endian", encoded(BIG)),
    Form("deflated", encoded(DEFLATED)),
    Form("without preamble and meta information", _without_preamble),
    Form("RLE", encoded(RLE, run_lengths)),
    *(Form(name, _lossless(name)) for name in LOSSLESS),
    Form("JPEG-LS, near-lossless", encoded(
        "1.2.840.10008.1.2.4.81", lambda x: imagecodecs.jpegls_encode(x, level=3), largest_error=3)),
    Form("JPEG 2000, lossy", encoded(
        "1.2.840.10008.1.2.4.91", lambda x: imagecodecs.jpeg2k_encode(x, level=95, codecformat="j2k"),
        pixels=_SMOOTH, largest_error=20)),
    Form("JPEG baseline, 8 bits", encoded(
        "1.2.840.10008.1.2.4.50", lambda x: imagecodecs.jpeg8_encode(x, level=98),
        pixels=(_SMOOTH >> 4).astype(np.uint8), largest_error=6)),
    Form("JPEG extended, 12 bits", encoded(
        "1.2.840.10008.1.2.4.51", lambda x: imagecodecs.jpeg8_encode(x, level=98, bitspersample=12),
        pixels=_SMOOTH, bits=12, largest_error=60)),
    Form("8 bits", encoded(EXPLICIT, pixels=_BYTES)),
    Form("16 bits, signed", encoded(EXPLICIT, pixels=_SIGNED)),
    Form("12 of 16 bits", encoded(EXPLICIT, bits=12)),
    Form("12 of 16 bits, signed", encoded(
        EXPLICIT, pixels=_SIGNED, stored=_low_twelve, bits=12, change=_as_signed)),
    Form("12 of 16 bits, an overlay in the upper ones", encoded(EXPLICIT, stored=lambda x: x | 0x8000, bits=12)),
    Form("12 of 16 bits, signed, JPEG lossless SV1", encoded(
        _SV1[0], _SV1[1], pixels=_SIGNED, stored=_low_twelve, bits=12, change=_as_signed)),
    Form("16 bits, signed, big endian", encoded(BIG, pixels=_SIGNED)),
    Form("32 bits", encoded(EXPLICIT, pixels=known().stack.pixels.astype(np.uint32) * 1000)),
    Form("rescale slope and intercept, others in each slice", _scaled_by_slice),
    Form("MONOCHROME1", encoded(
        EXPLICIT, stored=lambda x: 4095 - x, bits=12, change=_elements(PhotometricInterpretation="MONOCHROME1"))),
    Form("padding around the field of view, far below the image", _padded(-32768, "i2")),
    Form("padding around the field of view, above the image", _padded(65535, "u2")),
]  # fmt: skip
