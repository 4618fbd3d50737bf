"""Writers of what other programs make of a study: contours and segments, by hand and not with the code under test."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from cmr_viewer.domain.study import FrameSource, Stack, Study
from tests.phantom import MR_IMAGE_STORAGE, UID_ROOT

SEG_STORAGE, LABELMAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
RTSTRUCT_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
LV, MYO, RV = "saendocardialContour", "saepicardialContour", "sarvendocardialContour"

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<Workspace:Workspace xmlns:Workspace="http://www.circlecvi.com/cvi42/Workspace/"'
    ' xmlns:Hash="http://www.circlecvi.com/cvi42/Workspace/Hash/"'
    ' xmlns:List="http://www.circlecvi.com/cvi42/Workspace/List/"'
    ' xmlns:Point="http://www.circlecvi.com/cvi42/Workspace/Point/">\n'
)


def uid_of(phase: int, index: int) -> str:
    """SOP Instance UID of a frame of `identified`."""
    return f"{UID_ROOT}11.{phase + 1}.{index + 1}"


def identified(stack: Stack, name: str = "P1") -> Study:
    """A study of the stack whose frames say that they came from one DICOM file each, numbered slice by slice from 1."""
    sources = tuple(
        tuple(
            FrameSource(
                Path(name, f"{1 + phase + index * stack.phases}.dcm"), 1, uid_of(phase, index), MR_IMAGE_STORAGE
            )
            for index in range(stack.slices)
        )
        for phase in range(stack.phases)
    )
    return Study(name, Path(name), (replace(stack, frame_sources=sources),), format_name="DICOM")


def square(low: float, high: float) -> list[tuple[float, float]]:
    """(x, y) corners of a square."""
    return [(low, low), (high, low), (high, high), (low, high)]


def circle(x: float, y: float, radius: float, points: int = 720) -> list[tuple[float, float]]:
    """(x, y) points of a circle."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return list(zip((x + radius * np.cos(angle)).tolist(), (y + radius * np.sin(angle)).tolist(), strict=True))


def write_cvi42(
    path: Path, contours: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], *, resolution: float = 4
) -> Path:
    """Write a workspace: per SOP Instance UID, contours by name in pixels; points are kept times the resolution."""
    images = []
    for uid, named in contours.items():
        items = []
        for name, points in named.items():
            listed = "".join(
                f"<List:item><Point:x>{x * resolution:.12g}</Point:x>"
                f"<Point:y>{y * resolution:.12g}</Point:y></List:item>\n"
                for x, y in points
            )
            items.append(
                f'<Hash:item Hash:key="{name}" Hash:count="4"><Hash:item Hash:key="IsManuallyDrawn">true</Hash:item>'
                f'<Hash:item Hash:key="Points" List:count="{len(points)}">{listed}</Hash:item>'
                '<Hash:item Hash:key="PixelSize"><Size:width xmlns:Size="s">1.5</Size:width></Hash:item>'
                f'<Hash:item Hash:key="SubpixelResolution">{resolution:g}</Hash:item></Hash:item>\n'
            )
        images.append(
            f'<Hash:item Hash:key="{uid}"><Hash:item Hash:key="Contours" Hash:count="{len(named)}">'
            f'{"".join(items)}</Hash:item><Hash:item Hash:key="Window"><Point:x>1</Point:x></Hash:item></Hash:item>\n'
        )
    body = (
        '<Hash:item Hash:key="StudyMapStates" List:count="1"><List:item><Hash:item Hash:key="StudyUid">1.2</Hash:item>'
        f'<Hash:item Hash:key="ImageStates">{"".join(images)}</Hash:item></List:item></Hash:item>'
    )
    path.write_text(f"{_HEAD}{body}</Workspace:Workspace>\n", encoding="utf-8")
    return path


def _object(sop_class: str, syntax: UID = ExplicitVRLittleEndian) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(UID_ROOT + "12.1")
    meta.TransferSyntaxUID = syntax
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = sop_class, UID_ROOT + "12.1"
    data.PatientID, data.StudyInstanceUID, data.SeriesInstanceUID = "PHANTOM01", UID_ROOT + "1", UID_ROOT + "2"
    return data


def _item(**values: Any) -> Dataset:
    data = Dataset()
    for keyword, value in values.items():
        setattr(
            data,
            keyword,
            Items(value) if isinstance(value, list) and value and isinstance(value[0], Dataset) else value,
        )
    return data


def write_seg(
    path: Path,
    study: Study,
    masks: Mapping[tuple[int, int, int], NDArray[Any]],
    *,
    names: Sequence[str] = ("LV blood pool", "LV myocardium", "RV blood pool"),
    codes: Sequence[tuple[str, str]] = (),
    references: bool = True,
    planes: bool = True,
    kind: str = "BINARY",
    temporal: bool = False,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Write a Segmentation.

    Args:
        path: The file.
        study: From `identified`.
        masks: By (segment from 1, phase, slice): (row, col) masks; for a label map, the segment is 0.
        names: Labels of the segments.
        codes: (scheme, value) of the segments' types.
        references: Name the source image of each frame.
        planes: Say where frames lie.
        kind: BINARY, FRACTIONAL or LABELMAP.
        temporal: Give the phase of each frame as its temporal position.
        changes: Elements to set in the end.
    """
    g = study.stack.geometry
    data = _object(LABELMAP_STORAGE if kind == "LABELMAP" else SEG_STORAGE)
    stacked = np.stack([np.asarray(mask) for mask in masks.values()])
    data.Modality, data.SegmentationType, data.NumberOfFrames = "SEG", kind, len(stacked)
    data.Rows, data.Columns, data.SamplesPerPixel, data.PixelRepresentation = *stacked.shape[1:], 1, 0
    data.PhotometricInterpretation = "MONOCHROME2"
    bits = 1 if kind == "BINARY" else 8
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    if kind == "FRACTIONAL":
        data.MaximumFractionalValue = 200
    data.SegmentSequence = Items()
    for number, name in enumerate(names, start=1):
        segment = _item(SegmentNumber=number, SegmentLabel=name, SegmentAlgorithmType="AUTOMATIC")
        segment.SegmentAlgorithmName = "Net 7"
        if codes:
            scheme, value = codes[number - 1]
            segment.SegmentedPropertyTypeCodeSequence = Items([_item(CodingSchemeDesignator=scheme, CodeValue=value)])
        data.SegmentSequence.append(segment)
    shared = Dataset()
    if planes:
        orientation = [*g.row_direction, *g.col_direction]
        shared.PlaneOrientationSequence = Items(
            [_item(ImageOrientationPatient=[f"{v:.10g}"[:16] for v in orientation])]
        )
        shared.PixelMeasuresSequence = Items([_item(PixelSpacing=list(g.pixel_spacing_mm))])
    data.SharedFunctionalGroupsSequence = Items([shared])
    data.PerFrameFunctionalGroupsSequence = Items()
    for segment_number, phase, index in masks:
        group = Dataset()
        if kind != "LABELMAP":
            group.SegmentIdentificationSequence = Items([_item(ReferencedSegmentNumber=segment_number)])
        if references:
            source = _item(ReferencedSOPClassUID=MR_IMAGE_STORAGE, ReferencedSOPInstanceUID=uid_of(phase, index))
            group.DerivationImageSequence = Items([_item(SourceImageSequence=[source])])
        if planes:
            place = [f"{v:.10g}"[:16] for v in g.positions_mm[index]]
            group.PlanePositionSequence = Items([_item(ImagePositionPatient=place)])
        if temporal:
            group.FrameContentSequence = Items([_item(TemporalPositionIndex=phase + 1)])
        data.PerFrameFunctionalGroupsSequence.append(group)
    pixels = np.packbits(stacked.ravel() > 0, bitorder="little") if bits == 1 else stacked.astype(np.uint8)
    data.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    data["PixelData"].VR = "OB"
    for keyword, value in (changes or {}).items():
        setattr(data, keyword, value)
    data.save_as(path, enforce_file_format=True)
    return path


def write_rtstruct(
    path: Path,
    study: Study,
    contours: Sequence[tuple[str, int, int, Sequence[tuple[float, float]]]],
    *,
    references: bool = True,
    off_plane_mm: float = 0.0,
) -> Path:
    """Write a Structure Set of (ROI name, phase, slice, (x, y) points in pixels) contours."""
    g = study.stack.geometry
    # Only an implicit syntax holds contours of more than 64 kB.
    data = _object(RTSTRUCT_STORAGE, ImplicitVRLittleEndian)
    data.Modality, data.StructureSetLabel = "RTSTRUCT", "Reader A"
    names = list(dict.fromkeys(name for name, *_ in contours))
    data.StructureSetROISequence = Items([_item(ROINumber=n, ROIName=name) for n, name in enumerate(names, start=1)])
    data.ROIContourSequence = Items()
    for number, name in enumerate(names, start=1):
        listed = []
        for _, phase, index, points in (contour for contour in contours if contour[0] == name):
            place = [g.to_patient_mm(index, (y, x)) + off_plane_mm * g.normal for x, y in points]
            contour = _item(ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=len(points))
            contour.ContourData = [f"{v:.10g}"[:16] for point in place for v in point]
            if references:
                image = _item(ReferencedSOPClassUID=MR_IMAGE_STORAGE, ReferencedSOPInstanceUID=uid_of(phase, index))
                contour.ContourImageSequence = Items([image])
            listed.append(contour)
        data.ROIContourSequence.append(_item(ReferencedROINumber=number, ContourSequence=listed))
    data.save_as(path, enforce_file_format=True)
    return path
