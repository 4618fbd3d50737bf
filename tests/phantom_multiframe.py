"""Writers of the phantom as one file of many frames, and as files of every encoding of pixels that is read."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import UID, ExplicitVRLittleEndian

from cmr_viewer.domain.study import Stack
from tests.phantom import UID_ROOT

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
CLASSIC_MR = "1.2.840.10008.5.1.4.1.1.4"

LOSSLESS: dict[str, tuple[str, Callable[[NDArray[Any]], bytes]]] = {
    "JPEG lossless": ("1.2.840.10008.1.2.4.57", lambda x: imagecodecs.jpeg8_encode(x, lossless=True, predictor=4)),
    "JPEG lossless SV1": ("1.2.840.10008.1.2.4.70", lambda x: imagecodecs.jpeg8_encode(x, lossless=True, predictor=1)),
    "JPEG-LS": ("1.2.840.10008.1.2.4.80", imagecodecs.jpegls_encode),
    "JPEG 2000": (
        "1.2.840.10008.1.2.4.90",
        lambda x: imagecodecs.jpeg2k_encode(x, level=0, reversible=True, codecformat="j2k"),
    ),
    "HTJ2K": ("1.2.840.10008.1.2.4.201", lambda x: imagecodecs.htj2k_encode(x, reversible=True)),
}
"""Transfer syntax and encoder of unsigned frames, by name."""


def base_dataset(stack: Stack, class_uid: str, syntax: str = ExplicitVRLittleEndian) -> FileDataset:
    """What any file of the phantom states, without a place and without pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(class_uid)
    meta.MediaStorageSOPInstanceUID = UID(UID_ROOT + "9.1")
    meta.TransferSyntaxUID = UID(syntax)
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = class_uid, UID_ROOT + "9.1"
    data.StudyInstanceUID, data.SeriesInstanceUID = UID_ROOT + "9", UID_ROOT + "9.2"
    data.Modality, data.SeriesDescription, data.SeriesNumber, data.InstanceNumber = "MR", "SAX cine", 3, 1
    data.PatientID = data.PatientName = "PHANTOM01"
    data.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    data.Rows, data.Columns = stack.geometry.rows, stack.geometry.cols
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    signed = stack.pixels.dtype.kind == "i"
    data.BitsAllocated = data.BitsStored = stack.pixels.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(signed)
    return data


def write_enhanced(
    path: Path,
    stack: Stack,
    *,
    order: Sequence[tuple[int, int]] | None = None,
    times: str = "trigger",
    slopes: Sequence[float] | None = None,
    syntax: str = ExplicitVRLittleEndian,
    encode: Callable[[NDArray[Any]], bytes] | None = None,
    extended: bool = False,
    change: Callable[[FileDataset], None] = lambda data: None,
) -> list[tuple[int, int]]:
    """Write a stack as one Enhanced MR file.

    Args:
        path: The file.
        stack: uint16 or int16 pixels, with phase times.
        order: (phase, slice) of each frame; slice by slice where it is not given.
        times: "trigger" for Nominal Cardiac Trigger Delay Time, "index" for Temporal Position Index, "dimension" for a
            dimension index alone, "private" for Philips' private Trigger Time, "none".
        slopes: Rescale Slope of each frame, or none.
        syntax: Transfer syntax.
        encode: Encoder of a frame, for encapsulated syntaxes.
        extended: Whether to write an extended offset table.
        change: Called with the data set before it is written.

    Returns:
        (phase, slice) of each frame.
    """
    order = order or [(p, s) for s in range(stack.slices) for p in range(stack.phases)]
    data = base_dataset(stack, ENHANCED_MR, syntax)
    data.NumberOfFrames = len(order)
    shared = Dataset()
    measures = Dataset()
    measures.PixelSpacing = [f"{v:.6f}" for v in stack.geometry.pixel_spacing_mm]
    measures.SliceThickness = "8"
    shared.PixelMeasuresSequence = [measures]
    orientation = Dataset()
    g = stack.geometry
    orientation.ImageOrientationPatient = [f"{v:.6f}" for v in (*g.row_direction, *g.col_direction)]
    shared.PlaneOrientationSequence = [orientation]
    data.SharedFunctionalGroupsSequence = [shared]
    pointers = []
    for pointer in (0x00209056, 0x00209057, 0x00209153 if times != "dimension" else 0x00209128):
        item = Dataset()
        item.DimensionIndexPointer = pointer
        pointers.append(item)
    data.DimensionIndexSequence = pointers
    data.PerFrameFunctionalGroupsSequence = [
        _frame_item(stack, phase, index, times, None if slopes is None else slopes[n])
        for n, (phase, index) in enumerate(order)
    ]
    frames = [np.ascontiguousarray(stack.pixels[phase, index]) for phase, index in order]
    _set_pixels(data, frames, encode, extended)
    change(data)
    _save(data, path)
    return list(order)


def _frame_item(stack: Stack, phase: int, index: int, times: str, slope: float | None) -> Dataset:
    item, place, content = Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = [f"{v:.4f}" for v in stack.geometry.positions_mm[index]]
    item.PlanePositionSequence = [place]
    content.StackID, content.InStackPositionNumber = "1", index + 1
    content.DimensionIndexValues = [1, index + 1, phase + 1]
    if times == "index":
        content.TemporalPositionIndex = phase + 1
    item.FrameContentSequence = [content]
    time = 0.0 if stack.phase_times_ms is None else stack.phase_times_ms[phase]
    heart = Dataset()
    if times == "trigger":
        heart.NominalCardiacTriggerDelayTime = time
    heart.RRIntervalTimeNominal = 800.0
    item.CardiacSynchronizationSequence = [heart]
    if times == "private":
        inner = Dataset()
        inner.TriggerTime = f"{time:.4f}"
        item.add_new(0x20050014, "LO", "Philips MR Imaging DD 005")
        item.add_new(0x2005140F, "SQ", [inner])
    kind = Dataset()
    kind.FrameType, kind.ComplexImageComponent = ["ORIGINAL", "PRIMARY", "CARDIAC", "NONE"], "MAGNITUDE"
    item.MRImageFrameTypeSequence = [kind]
    if slope is not None:
        scale = Dataset()
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = str(slope), "0", "US"
        item.PixelValueTransformationSequence = [scale]
    return item


def write_single(
    path: Path,
    stack: Stack,
    *,
    syntax: str = ExplicitVRLittleEndian,
    encode: Callable[[NDArray[Any]], bytes] | None = None,
    fragment: int | None = None,
    change: Callable[[FileDataset], None] = lambda data: None,
) -> Path:
    """Write the first frame of a stack as a classic file.

    Args:
        path: The file.
        stack: Its first frame is written.
        syntax: Transfer syntax.
        encode: Encoder, for encapsulated syntaxes.
        fragment: Fragments to cut the compressed frame into.
        change: Called with the data set before it is written.
    """
    data = base_dataset(stack, CLASSIC_MR, syntax)
    g = stack.geometry
    data.PixelSpacing = [f"{v:.6f}" for v in g.pixel_spacing_mm]
    data.ImageOrientationPatient = [f"{v:.6f}" for v in (*g.row_direction, *g.col_direction)]
    data.ImagePositionPatient = [f"{v:.4f}" for v in g.positions_mm[0]]
    data.TriggerTime = "0"
    _set_pixels(data, [np.ascontiguousarray(stack.pixels[0, 0])], encode, False, fragment or 1)
    change(data)
    _save(data, path)
    return path


def _set_pixels(
    data: FileDataset,
    frames: Sequence[NDArray[Any]],
    encode: Callable[[NDArray[Any]], bytes] | None,
    extended: bool,
    fragments: int = 1,
) -> None:
    if encode is None:
        order = ">" if data.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.2" else "<"
        data.PixelData = b"".join(frame.astype(frame.dtype.newbyteorder(order)).tobytes() for frame in frames)
    elif extended:
        data.PixelData, data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = encapsulate_extended(
            [bytes(encode(frame)) for frame in frames]
        )
    else:
        data.PixelData = encapsulate([bytes(encode(frame)) for frame in frames], fragments_per_frame=fragments)
    data["PixelData"].VR = "OW" if encode is None else "OB"
    data["PixelData"].is_undefined_length = encode is not None


def _save(data: FileDataset, path: Path) -> None:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def run_lengths(frame: NDArray[Any]) -> bytes:
    """A frame of 8 or 16 bits as RLE (PS3.5, annex G): one segment for each byte of a value, the highest first."""
    planes = frame.astype(frame.dtype.newbyteorder(">")).view(np.uint8).reshape(*frame.shape, -1)
    segments = []
    for number in range(planes.shape[-1]):
        # A run never goes beyond its row (G.3.1).
        packed = b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in planes[..., number])
        segments.append(packed + b"\0" * (len(packed) % 2))
    starts = np.zeros(16, "<u4")
    starts[0] = len(segments)
    starts[1 : len(segments) + 1] = 64 + np.cumsum([0, *map(len, segments[:-1])])
    return starts.tobytes() + b"".join(segments)
