"""Studies whose frames come from DICOM files, in the forms that exports must cope with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.study import FrameIndex, FrameSource, Stack, Study
from tests.phantom import MR_IMAGE_STORAGE, UID_ROOT, Phantom, sax_cine, write_dicom_folder

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
PATIENT = {
    "PatientName": "Doe^Jane",
    "PatientID": "HOSPITAL-4711",
    "PatientBirthDate": "19610203",
    "PatientSex": "F",
    "StudyDate": "20210304",
    "StudyTime": "101112",
    "AccessionNumber": "A-0815",
    "StudyID": "S1",
    "StudyDescription": "Cardiac of Jane Doe",
    "ReferringPhysicianName": "Who^Doctor",
    "InstitutionName": "General Hospital",
    "DeviceSerialNumber": "SN-77",
    "AcquisitionDate": "20210304",
    "AcquisitionTime": "101500",
    "FrameOfReferenceUID": UID_ROOT + "9.9",
    "Manufacturer": "Maker",
}


def small_cine(**changes: Any) -> Phantom:
    """Three phases of four slices of 40 x 44, all with labels somewhere."""
    given: dict[str, Any] = {"phases": 3, "slices": 4, "rows": 40, "cols": 44, "pixel_spacing_mm": (3.6, 3.6)}
    return sax_cine(**{**given, **changes})


def dicom_study(
    folder: Path, phantom: Phantom, *, change: Callable[[Dataset], object] | None = None, **writing: Any
) -> Study:
    """Write a phantom as single-frame files and give the study whose frames name them.

    Args:
        folder: Where the files go.
        phantom: What to write.
        change: Called with each file's data set before it is written for good.
        writing: Arguments of `write_dicom_folder`.
    """
    stack = phantom.stack
    paths = write_dicom_folder(folder, stack, **{"extra": PATIENT, "patient_id": PATIENT["PatientID"], **writing})
    by_place: dict[tuple[int, int], FrameSource] = {}
    for number, path in enumerate(paths):
        data = pydicom.dcmread(path)
        data.PatientName = PATIENT["PatientName"]
        if change is not None:
            with pydicom.config.disable_value_validation():
                change(data)
                data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
                data.save_as(path)
        else:
            data.save_as(path)
        by_place[number % stack.phases, number // stack.phases] = FrameSource(
            path, 1, str(data.SOPInstanceUID), str(data.SOPClassUID)
        )
    return study_of(folder, stack, by_place)


def study_of(source: Path, stack: Stack, by_place: dict[tuple[int, int], FrameSource]) -> Study:
    """A study whose frames name their files."""
    sources = tuple(tuple(by_place[p, s] for s in range(stack.slices)) for p in range(stack.phases))
    return Study(name="P1", source=source, stacks=(replace(stack, frame_sources=sources),), format_name="DICOM")


def enhanced_study(folder: Path, phantom: Phantom, *, file_per_slice: bool = False) -> Study:
    """Write a phantom as Enhanced MR: one file, or one for each slice; frames phase by phase within a file."""
    folder.mkdir(parents=True, exist_ok=True)
    stack = phantom.stack
    groups = [[s] for s in range(stack.slices)] if file_per_slice else [list(range(stack.slices))]
    by_place: dict[tuple[int, int], FrameSource] = {}
    for number, slices in enumerate(groups):
        places = [(phase, index) for phase in range(stack.phases) for index in slices]
        data = _enhanced(stack, places, number)
        path = folder / f"multi{number}.dcm"
        data.save_as(path, enforce_file_format=True)
        for frame_number, place in enumerate(places, start=1):
            by_place[place] = FrameSource(path, frame_number, str(data.SOPInstanceUID), ENHANCED_MR)
    return study_of(folder, stack, by_place)


def _enhanced(stack: Stack, places: list[tuple[int, int]], number: int) -> FileDataset:
    g = stack.geometry
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.UID(ENHANCED_MR)
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"{UID_ROOT}5.{number + 1}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword, value in PATIENT.items():
        setattr(data, keyword, value)
    data.SOPClassUID, data.SOPInstanceUID = ENHANCED_MR, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = UID_ROOT + "7", f"{UID_ROOT}6.{number + 1}"
    data.Modality, data.NumberOfFrames = "MR", len(places)
    data.Rows, data.Columns = g.rows, g.cols
    measures, plane, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [f"{v:.6f}" for v in g.pixel_spacing_mm]
    measures.SliceThickness = "8"
    plane.ImageOrientationPatient = [f"{v:.6f}" for v in (*g.row_direction, *g.col_direction)]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    data.SharedFunctionalGroupsSequence = [shared]
    items = []
    for _, index in places:
        position, item = Dataset(), Dataset()
        position.ImagePositionPatient = [f"{v:.4f}" for v in g.positions_mm[index]]
        item.PlanePositionSequence = [position]
        items.append(item)
    data.PerFrameFunctionalGroupsSequence = items
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.PixelData = np.stack([stack.pixels[p, s] for p, s in places]).astype("<i2").tobytes()
    return data


def all_automatic(stack: Stack) -> dict[FrameIndex, Provenance]:
    """Every frame as predicted."""
    return dict.fromkeys(stack.frame_indices, Provenance.AUTOMATIC)


def segmentation_labels(
    path: Path, sources: tuple[tuple[FrameSource, ...], ...], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Label map that a DICOM SEG holds, (phase, slice, row, col), by its references to source images alone.

    Only pydicom reads it, and the frames are placed by SOP Instance UID and frame number.
    """
    data = pydicom.dcmread(path)
    places = {
        (source.instance_uid, source.frame_number): (phase, index)
        for phase, row in enumerate(sources)
        for index, source in enumerate(row)
    }
    labels = np.zeros(shape, np.uint8)
    for bits, item in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        image = item.DerivationImageSequence[0].SourceImageSequence[0]
        place = places[str(image.ReferencedSOPInstanceUID), int(image.get("ReferencedFrameNumber", 1))]
        labels[place][bits == 1] = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    return labels


__all__ = [
    "ENHANCED_MR",
    "MR_IMAGE_STORAGE",
    "PATIENT",
    "all_automatic",
    "dicom_study",
    "enhanced_study",
    "segmentation_labels",
    "small_cine",
    "study_of",
]
