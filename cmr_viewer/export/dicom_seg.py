"""Label maps as one DICOM Segmentation (PS3.3, A.51) of a whole cine: 2D + time.

Segments are binary and numbered as the labels are: 1 LVBP, 2 LVM, 3 RVBP. Each frame refers to the SOP Instance, and
in a multi-frame file to the frame, that it was drawn on, and lies on that image's own pixel grid. Dimensions are the
segment, the position, and the time (Temporal Position Index (0020,9128)). Frames of a segment without any pixel are
left out, as is usual; a segment that is nowhere has one empty frame.

highdicom makes the object with its modules. It knows no series in time, and wants all sources from one series, so it
is given one frame; the others, and the references, are added here.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom import UID, AlgorithmIdentificationSequence, PixelMeasuresSequence, PlaneOrientationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from cmr_viewer import NOTICE, __version__
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.domain.notes import Code as NoteCode
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.export.deidentify import Deidentifier, deidentifier_of
from cmr_viewer.export.dicom_seg_frames import (
    Places,
    decimal_texts,
    frames_with_pixels,
    on_source_grid,
    packed,
    pixel_spacing_mm,
    slice_spacing_mm,
)
from cmr_viewer.export.formats import Job
from cmr_viewer.export.sources import MR_IMAGE_STORAGE, SourceStudy, read_source_study
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.store.atomic import write_file_atomically

PROGRAM = "CMR Viewer"
SERIES_NUMBER = 9001

TYPES: Mapping[Label, Code] = {
    Label.LVBP: codes.SCT.LeftVentricle,
    Label.LVM: codes.SCT.LeftVentricleMyocardium,
    Label.RVBP: codes.SCT.RightVentricle,
}
"""DICOM PS3.16, CID 7152 and CID 12305. Where the myocardium is a segment of its own, that of the ventricle is its
cavity; the segment's label names it."""

_LONGEST_PARAMETERS = 10_000
_LONGEST_TEXT = 64
"""Characters of a Long String (PS3.5, section 6.2)."""

_COLOURS = {Label.LVBP: (224, 62, 62), Label.LVM: (70, 190, 90), Label.RVBP: (70, 120, 230)}
_DIRECTIONS_ALIKE = 1e-4


@dataclass(frozen=True)
class SegmentOrigin:
    """How the segments were made.

    Attributes:
        provenance: Of all frames together; SEMIAUTOMATIC where they differ.
        model_ids: Models whose predictions are in them.
        reader: Who corrected them; empty for no one, or to be left out.
        drawn_by: What drew them, where that was not this program.
    """

    provenance: Provenance = Provenance.SEMIAUTOMATIC
    model_ids: tuple[str, ...] = ()
    reader: str = ""
    drawn_by: str = ""


def origin_of(
    provenances: Mapping[FrameIndex, Provenance],
    model_ids: Mapping[FrameIndex, str],
    *,
    reader: str = "",
    drawn_by: str = "",
) -> SegmentOrigin:
    """The origin of all segments from those of the frames.

    Args:
        provenances: Of frames that have a label map.
        model_ids: Of frames that began as a prediction.
        reader: Who corrected them.
        drawn_by: What drew them, where that was not this program.
    """
    found = set(provenances.values())
    one = found.pop() if len(found) == 1 else Provenance.SEMIAUTOMATIC
    return SegmentOrigin(one, tuple(sorted(set(model_ids.values()))), reader, drawn_by)


def write_segmentation(
    path: Path,
    labels: LabelMap,
    stack: Stack,
    source: SourceStudy,
    origin: SegmentOrigin,
    progress: Progress = silent,
    *,
    deidentifier: Deidentifier | None = None,
) -> None:
    """Write a DICOM SEG, completely or not at all.

    Args:
        path: The file.
        labels: (phase, slice, row, col) of the stack.
        stack: The stack.
        source: From `read_source_study`, of the same stack.
        origin: How the label maps were made.
        progress: Called as frames are added.
        deidentifier: What de-identified `source`; it also removes when the segmentation was made.

    Raises:
        LabelMapError: Wrong codes or shape.
        StoreError: The frames lie on no common grid, or the file cannot be written.
        Cancelled: `progress` asked to stop; nothing is written.
    """
    dataset = segmentation_of(labels, stack, source, origin, progress)
    if deidentifier is not None:
        deidentifier.apply_to_own(dataset)
    write_file_atomically(path, lambda beside: dataset.save_as(beside, enforce_file_format=True))


def segmentation_of(
    labels: LabelMap, stack: Stack, source: SourceStudy, origin: SegmentOrigin, progress: Progress = silent
) -> Dataset:
    """The DICOM SEG that `write_segmentation` writes."""
    checked = as_label_map(labels, stack.pixels.shape)
    grid = on_source_grid(checked, stack, source)
    dataset = _frame_of_one(stack, source, origin, grid.shape[2:])
    frames = list(frames_with_pixels(grid, stack))
    _add_shared_groups(dataset, stack, source)
    _add_dimensions(dataset)
    _add_references(dataset, source)
    places = Places(stack, source, common="PlaneOrientationSequence" in dataset.SharedFunctionalGroupsSequence[0])
    items = []
    for number, (label, index) in enumerate(frames):
        if number % 64 == 0:
            progress(0.9 * number / len(frames), "Describing frames")
        items.append(places.item(label, index))
    dataset.PerFrameFunctionalGroupsSequence = items
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = packed(grid, frames)
    progress(1.0, "Writing the segmentation")
    return dataset


def _frame_of_one(stack: Stack, source: SourceStudy, origin: SegmentOrigin, shape: tuple[int, ...]) -> Segmentation:
    """A segmentation of a single empty frame, with all its modules."""
    places = Places(stack, source, common=True)
    frame = source.frames[0][0]
    header = Dataset()
    header.update(source.about)
    for keyword in _NEEDED:
        if keyword not in header:
            setattr(header, keyword, "")
    header.Modality = "MR"
    header.SOPClassUID = MR_IMAGE_STORAGE
    header.SOPInstanceUID = frame.instance_uid
    header.StudyInstanceUID = source.study_uid
    header.SeriesInstanceUID = frame.series_uid
    header.FrameOfReferenceUID = source.frame_of_reference_uid
    header.Rows, header.Columns = shape
    header.ImagePositionPatient = decimal_texts(places.position_mm(FrameIndex(0, 0)))
    header.ImageOrientationPatient = decimal_texts(
        [v for direction in places.orientation(FrameIndex(0, 0)) for v in direction]
    )
    header.PixelSpacing = decimal_texts(pixel_spacing_mm(stack, source))
    header.SliceThickness = decimal_texts([source.slice_thickness_mm or slice_spacing_mm(stack) or 1.0])
    with _quiet():
        return Segmentation(
            source_images=[header],
            pixel_array=np.zeros((1, *shape), dtype=np.uint8),
            segmentation_type="BINARY",
            segment_descriptions=[_segment(label, origin) for label in STRUCTURES],
            series_instance_uid=UID(),
            series_number=SERIES_NUMBER,
            sop_instance_uid=UID(),
            instance_number=1,
            manufacturer=PROGRAM,
            manufacturer_model_name=PROGRAM,
            software_versions=__version__,
            device_serial_number="0",
            content_label="CMR_VIEWER",
            content_description=NOTICE,
            content_creator_name=_person(origin.reader),
            series_description="LV and RV label maps (research)",
            specific_character_set="ISO_IR 192",
            transfer_syntax_uid=ExplicitVRLittleEndian,
            omit_empty_frames=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Highdicom warns of names that have one part only, and quotes the patient's in the log."""
    logger = logging.getLogger("highdicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


_NEEDED = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


def _person(reader: str) -> str | None:
    """A reader's name as a Person Name: at most 64 characters, without the signs that part names."""
    name = " ".join("".join(" " if sign in "^=\\" or not sign.isprintable() else sign for sign in reader).split())
    return f"{name[:60]}^" if name else None


def _segment(label: Label, origin: SegmentOrigin) -> SegmentDescription:
    algorithm = None
    if origin.provenance is not Provenance.MANUAL:
        models = " ".join(origin.model_ids)[:_LONGEST_PARAMETERS]
        algorithm = AlgorithmIdentificationSequence(
            name=origin.drawn_by.replace("\\", " ")[:_LONGEST_TEXT] or PROGRAM,
            family=codes.cid7162.ArtificialIntelligence,
            version="unknown" if origin.drawn_by else __version__,
            source=None if origin.drawn_by else PROGRAM,
            parameters={"models": models} if models else None,
        )
    return SegmentDescription(
        segment_number=int(label),
        segment_label=label.text,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=TYPES[label],
        algorithm_type=str(origin.provenance),
        algorithm_identification=algorithm,
        display_color=CIELabColor.from_rgb(*_COLOURS[label]),
    )


def _add_shared_groups(dataset: Segmentation, stack: Stack, source: SourceStudy) -> None:
    """Pixel measures, and the orientation where all sources have the same."""
    shared = Dataset()
    spacing = slice_spacing_mm(stack)
    shared.PixelMeasuresSequence = PixelMeasuresSequence(
        pixel_spacing=pixel_spacing_mm(stack, source),
        slice_thickness=source.slice_thickness_mm or spacing or 1.0,
        spacing_between_slices=spacing,
    )
    places = Places(stack, source, common=True)
    found: NDArray[np.float64] = np.asarray([places.cosines(index) for index in stack.frame_indices])
    if np.abs(found - found[0]).max() < _DIRECTIONS_ALIKE:
        shared.PlaneOrientationSequence = PlaneOrientationSequence("PATIENT", [float(v) for v in found[0]])
    dataset.SharedFunctionalGroupsSequence = [shared]


def _add_dimensions(dataset: Segmentation) -> None:
    """Segment, position and time, in this order."""
    organization = dataset.DimensionOrganizationSequence[0].DimensionOrganizationUID
    items = []
    for pointer, group, text in (
        ("ReferencedSegmentNumber", "SegmentIdentificationSequence", "Segment"),
        ("ImagePositionPatient", "PlanePositionSequence", "Position"),
        ("TemporalPositionIndex", "FrameContentSequence", "Phase"),
    ):
        item = Dataset()
        item.DimensionOrganizationUID = organization
        item.DimensionIndexPointer = tag_for_keyword(pointer)
        item.FunctionalGroupPointer = tag_for_keyword(group)
        item.DimensionDescriptionLabel = text
        items.append(item)
    dataset.DimensionIndexSequence = items  # type: ignore[assignment]


def _add_references(dataset: Segmentation, source: SourceStudy) -> None:
    """All images of the stack, by series: the Common Instance Reference Module (PS3.3, C.12.2)."""
    series: dict[str, dict[str, Dataset]] = {}
    for frame in (one for row in source.frames for one in row):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = frame.class_uid, frame.instance_uid
        series.setdefault(frame.series_uid, {}).setdefault(frame.instance_uid, item)
    dataset.SourceImageSequence = [item for items in series.values() for item in items.values()]
    references = []
    for uid, items in series.items():
        one = Dataset()
        one.SeriesInstanceUID = uid
        one.ReferencedInstanceSequence = list(items.values())
        references.append(one)
    dataset.ReferencedSeriesSequence = references


def write_seg(job: Job, progress: Progress) -> None:
    """The segmentation of an export."""
    results, stack, remover = job.results, job.study.stack, deidentifier_of(job.anonymity)
    source = read_source_study(stack, part(progress, 0.0, 0.4), change=None if remover is None else remover.apply)
    job.notes.extend(Note(text, NoteCode.EXPORT_CHANGED) for text in source.notes)
    reader = "" if remover is not None else results.reader
    origin = origin_of(results.provenances, results.model_ids, reader=reader, drawn_by=results.drawn_by)
    path = job.folder / "segmentation.dcm"
    write_segmentation(path, results.labels, stack, source, origin, part(progress, 0.4, 1.0), deidentifier=remover)
