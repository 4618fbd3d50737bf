"""Headers of classic single-frame MR files, and the pixels of one file.

Elements are read one by one and tolerantly: anonymised files hold dates and UIDs that the standard does not allow.
"""

import logging
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.config
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError

from cmr_viewer.progress import Progress

_KEYWORDS = [
    "ImageType",
    "SOPInstanceUID",
    "AcquisitionTime",
    "SeriesDescription",
    "PatientID",
    "TriggerTime",
    "NominalInterval",
    "HeartRate",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "TemporalPositionIdentifier",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SamplesPerPixel",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
]
_PIXEL_KEYWORDS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleIntercept",
    "RescaleSlope",
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PlanarConfiguration",
]
READ_ERRORS = (
    InvalidDicomError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What pydicom and its decoders raise for files that are cut short, damaged or of no known kind."""

WITHOUT_IMAGE = "without an image"
"""Reason for reports, presentation states and the like, which nobody misses."""

_NATIVE_SYNTAXES = {"1.2.840.10008.1.2": "<", "1.2.840.10008.1.2.1": "<", "1.2.840.10008.1.2.2": ">"}


@dataclass(frozen=True)
class Header:
    """What is needed of one file's header; None where it is absent or cannot be understood.

    Attributes:
        path: The file.
        study_uid: DICOM (0020,000D).
        series_uid: DICOM (0020,000E).
        series_number: DICOM (0020,0011).
        instance_uid: DICOM (0008,0018).
        instance_number: DICOM (0020,0013).
        description: DICOM (0008,103E).
        kind: Third value of Image Type (0008,0008), such as M for magnitude or P for phase.
        rows: DICOM (0028,0010).
        cols: DICOM (0028,0011).
        spacing: (row, col) in mm. DICOM (0028,0030).
        orientation: DICOM (0020,0037).
        position: DICOM (0020,0032).
        trigger_ms: DICOM (0018,1060).
        temporal_position: DICOM (0020,0100).
        acquired_at: Seconds since midnight. DICOM (0008,0032).
        slice_spacing_mm: Spacing Between Slices (0018,0088), or else Slice Thickness (0018,0050); for a single slice
            only.
        heart_rate_bpm: DICOM (0018,1088), or from Nominal Interval (0018,1062).
        patient_id: DICOM (0010,0020).
    """

    path: Path
    study_uid: str
    series_uid: str
    series_number: int
    instance_uid: str
    instance_number: int
    description: str
    kind: str
    rows: int
    cols: int
    spacing: tuple[float, float]
    orientation: tuple[float, ...]
    position: tuple[float, float, float]
    trigger_ms: float | None
    temporal_position: float | None
    acquired_at: float | None
    slice_spacing_mm: float | None
    heart_rate_bpm: float | None
    patient_id: str


@dataclass(frozen=True)
class Scan:
    """What a folder holds.

    Attributes:
        headers: Files that can be a frame of a stack.
        other: Readable DICOM files that cannot, by reason.
        unreadable: Files that say or look as if they are DICOM and cannot be read.
    """

    headers: list[Header]
    other: dict[str, list[Path]]
    unreadable: list[Path]

    @property
    def any_dicom(self) -> bool:
        """Whether there was any DICOM file, whole or not."""
        return bool(self.headers or self.other or self.unreadable)


@contextmanager
def tolerant() -> Iterator[None]:
    """Read files without pydicom's remarks about values that the standard does not allow.

    Anonymised files are full of them, a reader can do nothing about them, and they can quote the file.
    """
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def scan_folder(folder: Path, progress: Progress) -> Scan:
    """Read the headers of all DICOM files in a folder and the folders inside it; other files are passed over.

    Raises:
        Cancelled: `progress` asked to stop.
    """
    scan = Scan([], {}, [])
    paths = list(_files(folder))
    seen: set[str] = set()
    for number, path in enumerate(paths):
        if number % 16 == 0:
            progress(number / max(1, len(paths)), "Reading DICOM headers")
        _scan_file(path, scan, seen)
    return scan


def looks_like_dicom(path: Path) -> bool:
    """Whether a file has the DICOM prefix (PS3.10, 7.1), or a name of DICOM and no prefix, as old exports do."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM" or path.suffix.lower() in (".dcm", ".ima")


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(root, name)


def _scan_file(path: Path, scan: Scan, seen: set[str]) -> None:
    if not looks_like_dicom(path):
        return
    try:
        data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_KEYWORDS, force=True)
        header = _header(path, data)
    except READ_ERRORS:
        scan.unreadable.append(path)
        return
    if isinstance(header, str):
        scan.other.setdefault(header, []).append(path)
    elif header.instance_uid not in seen:
        if header.instance_uid:
            seen.add(header.instance_uid)
        scan.headers.append(header)


def _header(path: Path, data: FileDataset) -> Header | str:
    """The header of a file, or why it cannot be a frame of a stack."""
    rows, cols = _number(data, "Rows"), _number(data, "Columns")
    if not rows or not cols:
        if not data:
            raise ValueError("no DICOM elements")
        return WITHOUT_IMAGE
    if (_number(data, "NumberOfFrames") or 1) > 1:
        return "with many frames in one file (enhanced MR), which are not read"
    if (_number(data, "SamplesPerPixel") or 1) != 1:
        return "in colour"
    spacing = _numbers(data, "PixelSpacing", 2)
    orientation, position = _numbers(data, "ImageOrientationPatient", 6), _numbers(data, "ImagePositionPatient", 3)
    if spacing is None or orientation is None or position is None or min(spacing) <= 0 or not _is_plane(orientation):
        return "without position, orientation or pixel spacing"
    return Header(
        path=path,
        study_uid=_text(data, "StudyInstanceUID"),
        series_uid=_text(data, "SeriesInstanceUID"),
        series_number=int(_number(data, "SeriesNumber") or 0),
        instance_uid=_text(data, "SOPInstanceUID"),
        instance_number=int(_number(data, "InstanceNumber") or 0),
        description=_text(data, "SeriesDescription"),
        kind=_third(data.get("ImageType")),
        rows=int(rows),
        cols=int(cols),
        spacing=(spacing[0], spacing[1]),
        orientation=orientation,
        position=(position[0], position[1], position[2]),
        trigger_ms=_number(data, "TriggerTime"),
        temporal_position=_number(data, "TemporalPositionIdentifier"),
        acquired_at=_seconds(_text(data, "AcquisitionTime")),
        slice_spacing_mm=_number(data, "SpacingBetweenSlices") or _number(data, "SliceThickness"),
        heart_rate_bpm=_heart_rate(data),
        patient_id=_text(data, "PatientID"),
    )


def _third(values: Any) -> str:
    """The third of several values; empty where there are fewer."""
    return str(values[2]) if values is not None and not isinstance(values, str) and len(values) > 2 else ""


def _text(data: FileDataset, keyword: str) -> str:
    value = data.get(keyword)
    return "" if value is None else str(value).strip()


def _number(data: FileDataset, keyword: str) -> float | None:
    """A single number, or None where it is absent, empty or no number."""
    try:
        value = float(data.get(keyword))
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def _numbers(data: FileDataset, keyword: str, count: int) -> tuple[float, ...] | None:
    try:
        values = tuple(float(v) for v in data.get(keyword))
    except (TypeError, ValueError):
        return None
    return values if len(values) == count and bool(np.isfinite(values).all()) else None


def _is_plane(orientation: tuple[float, ...]) -> bool:
    """Whether two directions are of about unit length and about perpendicular."""
    row, col = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    gram = np.array([row @ row, col @ col, row @ col])
    return bool(np.abs(gram - np.array([1.0, 1.0, 0.0])).max() < 0.1)


def _seconds(text: str) -> float | None:
    """A DICOM time (HHMMSS.FFFFFF) as seconds since midnight."""
    try:
        return int(text[:2]) * 3600.0 + int(text[2:4] or 0) * 60.0 + float(text[4:] or 0)
    except ValueError:
        return None


def _heart_rate(data: FileDataset) -> float | None:
    rate = _number(data, "HeartRate")
    if rate is None or rate <= 0:
        interval = _number(data, "NominalInterval")
        rate = 60000.0 / interval if interval is not None and interval > 0 else None
    return rate if rate is not None and 20 <= rate <= 300 else None


def read_pixels(path: Path) -> tuple[NDArray[Any], float, float]:
    """Stored values of a file as they are to be shown, and how to scale them.

    MONOCHROME1 is turned round, so that high is bright. Bits above Bits Stored are not part of the values.

    Returns:
        (row, col) stored values, Rescale Slope (1 where absent) and Rescale Intercept (0 where absent).

    Raises:
        READ_ERRORS: The file cannot be read or decoded.
    """
    data = pydicom.dcmread(path, specific_tags=_PIXEL_KEYWORDS, force=True)
    slope, intercept = _number(data, "RescaleSlope"), _number(data, "RescaleIntercept")
    syntax = str(getattr(data.file_meta, "TransferSyntaxUID", "1.2.840.10008.1.2"))
    allocated = int(data.get("BitsAllocated", 16))
    if syntax in _NATIVE_SYNTAXES and allocated in (8, 16) and "PixelData" in data:
        pixels = _native_pixels(data, allocated, _NATIVE_SYNTAXES[syntax])
    else:
        pixels = np.asarray(data.pixel_array)
    if pixels.shape != (data.Rows, data.Columns):
        raise ValueError(f"pixels of shape {pixels.shape}")
    if data.get("PhotometricInterpretation") == "MONOCHROME1" and pixels.dtype.kind in "iu":
        stored = int(data.get("BitsStored", allocated))
        pixels = pixels.dtype.type(-1 if pixels.dtype.kind == "i" else (1 << stored) - 1) - pixels
    return pixels, 1.0 if slope is None or slope == 0 else slope, intercept or 0.0


def _native_pixels(data: FileDataset, allocated: int, order: str) -> NDArray[Any]:
    signed = int(data.get("PixelRepresentation", 0)) == 1
    dtype = np.dtype(f"{order}{'i' if signed else 'u'}{allocated // 8}")
    rows, cols = int(data.Rows), int(data.Columns)
    pixels = np.frombuffer(data.PixelData, dtype, count=rows * cols).reshape(rows, cols)
    pixels = pixels.astype(dtype.newbyteorder("="), copy=False)
    unused = allocated - int(data.get("BitsStored", allocated))
    # Shifting up and down again drops overlay bits above the value and extends its sign.
    return (pixels << unused) >> unused if 0 < unused < allocated else pixels
