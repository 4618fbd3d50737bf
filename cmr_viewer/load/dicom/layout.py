"""How a DICOM file stores the pixels of its frames, checked before any memory is allocated for them."""

from dataclasses import dataclass

from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.elements import EXPLICIT_BIG, UNDEFINED, Elements
from cmr_viewer.load.dicom.values import Values

WITHOUT_IMAGE = "without an image"
"""Reason for reports, presentation states and the like, which no reader misses."""

MISSING = "with no image data"
"""Reason for files that should contain an image."""

GE_BIG_ENDIAN_PIXELS = "1.2.840.113619.5.2"
"""GE's private syntax: little endian elements, big endian pixels."""

NATIVE = frozenset(
    {"", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", EXPLICIT_BIG, GE_BIG_ENDIAN_PIXELS}
)
"""Transfer syntaxes whose pixels are not encapsulated."""

_LEAST_COMPRESSED = 1000
"""No real image is compressed by more than this."""

_PLAUSIBLE_BYTES = 64 << 20

_FLOATING = (0x7FE00008, 0x7FE00009)

_NO_IMAGES = ("1.2.840.10008.5.1.4.1.1.66", "1.2.840.10008.5.1.4.1.1.481", "1.2.840.10008.5.1.4.1.1.11")
"""Beginnings of SOP Class UIDs of registrations and segmentations, RT objects, presentation states."""

_IMAGES = ("1.2.840.10008.5.1.4.1.1.4.", "1.2.840.10008.5.1.4.1.1.7.")
"""Beginnings of SOP Class UIDs of MR images and secondary captures."""


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How a file stores the values of a frame.

    Attributes:
        syntax: Transfer Syntax UID (0002,0010) as the file states it; empty where it does not.
        bits: Bits Allocated (0028,0100).
        stored: Bits Stored (0028,0101).
        high: High Bit (0028,0102).
        signed: Pixel Representation (0028,0103).
        floating: Whether the values are Float or Double Float Pixel Data.
        inverted: MONOCHROME1: low values are bright.
        big_endian: Byte order of native values.
        swapped: Whether 8 bit values are in big endian words, so that each two are swapped (PS3.5, 8.1.1).
        slope: Rescale Slope (0028,1053), 1 where absent.
        intercept: Rescale Intercept (0028,1052), 0 where absent.
        at: Where the value of the pixel data begins in the file, in its inflated data set where `deflated`; -1 where
            only pydicom can find it.
        length: Bytes of the pixel data; `UNDEFINED` where they are encapsulated.
        frames: Number of frames in the file.
        deflated: Whether the data set is deflated as a whole.
        padding_from: Lowest stored value that marks places outside of the image, or None where the file names none.
        padding_to: Highest such value. Pixel Padding Value (0028,0120) and Pixel Padding Range Limit (0028,0121), or
            those of floating values (0028,0122 to 0028,0125).
    """

    syntax: str = ""
    bits: int = 16
    stored: int = 16
    high: int = 15
    signed: bool = False
    floating: bool = False
    inverted: bool = False
    big_endian: bool = False
    swapped: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    at: int = -1
    length: int = 0
    frames: int = 1
    deflated: bool = False
    padding_from: float | None = None
    padding_to: float | None = None

    @property
    def is_plain(self) -> bool:
        """Whether stored values are the values."""
        return self.slope == 1 and self.intercept == 0

    @property
    def encapsulated(self) -> bool:
        """Whether the pixels are compressed in fragments."""
        return self.length == UNDEFINED


def layout_of(values: Values, elements: Elements) -> PixelLayout | str:
    """How a file stores its pixels, or why it contains no frame of a stack."""
    rows, cols = values.number(tags.ROWS), values.number(tags.COLUMNS)
    class_uid = values.text(tags.SOP_CLASS_UID)
    if not rows or not cols or class_uid.startswith(_NO_IMAGES):
        return MISSING if f"{class_uid}.".startswith(_IMAGES) else WITHOUT_IMAGE
    samples = values.number(tags.SAMPLES_PER_PIXEL)
    if samples not in (None, 1) or values.text(tags.PHOTOMETRIC_INTERPRETATION) == "PALETTE COLOR":
        return "in colour"
    bits = int(values.number(tags.BITS_ALLOCATED) or 16)
    floating = elements.pixel_tag in _FLOATING
    if bits not in ((32, 64) if floating else (8, 16, 32)):
        return f"with {bits} bits per pixel (not supported)"
    if not elements.pixel_tag:
        return MISSING
    frames = max(1, int(values.number(tags.NUMBER_OF_FRAMES) or 1))
    wanted = int(rows) * int(cols) * bits // 8 * frames
    length = elements.pixels_length
    if length < wanted and elements.syntax not in NATIVE:
        length = UNDEFINED  # encapsulated, by a writer that gave the length of all fragments
    if wrong := _too_small(wanted, length, elements):
        return wrong
    stored, high = _stored_bits(values, bits)
    signed = values.number(tags.PIXEL_REPRESENTATION) == 1
    padding = _padding(values, bits, signed=signed, floating=floating)
    return PixelLayout(
        stored=stored,
        high=high,
        padding_from=min(padding, default=None),
        padding_to=max(padding, default=None),
        syntax=elements.syntax,
        bits=bits,
        signed=signed,
        floating=floating,
        inverted=values.text(tags.PHOTOMETRIC_INTERPRETATION) == "MONOCHROME1",
        big_endian=elements.encoding.order == ">" or elements.syntax == GE_BIG_ENDIAN_PIXELS,
        swapped=bits == 8 and elements.encoding.order == ">" and elements.pixel_kind == b"OW",
        slope=values.number(tags.RESCALE_SLOPE) or 1.0,
        intercept=values.number(tags.RESCALE_INTERCEPT) or 0.0,
        at=elements.pixels_at,
        length=length,
        frames=frames,
        deflated=elements.deflated,
    )


def _too_small(wanted: int, length: int, elements: Elements) -> str:
    """Why a file cannot contain the image that its header states; empty where it can."""
    if elements.pixels_at < 0:
        return ""
    there = elements.end - elements.pixels_at
    most = max(_PLAUSIBLE_BYTES, there * _LEAST_COMPRESSED) if length == UNDEFINED else length
    if wanted > most:
        return "with an impossible image size in the header"
    return "with an incomplete image" if length != UNDEFINED and there < wanted else ""


def _stored_bits(values: Values, bits: int) -> tuple[int, int]:
    """Bits Stored and High Bit; as allocated where they are absent or impossible."""
    stored = int(values.number(tags.BITS_STORED) or bits)
    if not 0 < stored <= bits:
        stored = bits
    high = values.number(tags.HIGH_BIT)
    return stored, stored - 1 if high is None or not stored - 1 <= high < bits else int(high)


def _padding(values: Values, bits: int, *, signed: bool, floating: bool) -> list[float]:
    """The stored value that marks places outside of the image and, where there is one, the limit of such values."""
    if floating and bits == 64:
        wanted = (tags.DOUBLE_FLOAT_PIXEL_PADDING_VALUE, tags.DOUBLE_FLOAT_PIXEL_PADDING_RANGE_LIMIT)
    elif floating:
        wanted = (tags.FLOAT_PIXEL_PADDING_VALUE, tags.FLOAT_PIXEL_PADDING_RANGE_LIMIT)
    else:
        wanted = (tags.PIXEL_PADDING_VALUE, tags.PIXEL_PADDING_RANGE_LIMIT)
    found = [values.number(tag) for tag in wanted]
    if found[0] is None:
        return []
    if signed and not floating:
        # Files write the value as signed or as unsigned, whatever their pixels are: its bits are what counts.
        found = [None if v is None else v - (1 << 16) if 1 << 15 <= v < 1 << 16 else v for v in found]
        found = [None if v is None else v - (1 << 32) if v >= 1 << 31 else v for v in found]
    return [v for v in found if v is not None]
