"""Contours of a DICOM RT Structure Set (PS3.3, A.19) as label maps of a stack.

Structures are recognised by their ROI names, or else by their codes, label and description. A contour belongs
to the image that it names (SOP Instance UID and frame number); where it names none, to the slice in whose plane its
points lie. Points are in the patient, in mm, and are put into the pixels of the slice; then the rule of `polygons`
holds.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import LabelMapError, UnknownPhaseError
from cmr_viewer.load.dicom.with_pydicom import read_object
from cmr_viewer.load.labels.grid import in_pixels, slice_in_plane
from cmr_viewer.load.labels.imported import DrawnContours, FrameLookup, ImportedLabels, require_match
from cmr_viewer.load.labels.meaning import concepts_of, label_of_segment
from cmr_viewer.progress import Progress, part, silent

STRUCTURE_SET_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
"""RT Structure Set Storage (PS3.4, B.5)."""

_CONTOUR_DATA = Tag(0x3006, 0x0050)
_TYPES = ("RTROIIdentificationCodeSequence", "AnatomicRegionSequence")
_PLANAR = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "INTERPOLATED_PLANAR", "")


def read_rtstruct(path: Path, study: Study, phase: int | None = None, progress: Progress = silent) -> ImportedLabels:
    """Label maps of a study from an RT Structure Set.

    Args:
        path: The object.
        study: The study that it was drawn on.
        phase: The phase of contours that name no image, or None.
        progress: Called with how far the work is.

    Raises:
        LoadError: The object cannot be read.
        UnknownPhaseError: Contours name no image, and their phase is unknown.
        LabelMapError: It contains no structure of the program, or was drawn on another study.
    """
    with read_object(path, "an RT Structure Set") as data:
        return _drawn(path, data, _structures(data), study, phase, progress)


def _structures(data: Dataset) -> dict[int, tuple[str, Label | None]]:
    """Per ROI number: its name, and what it is."""
    observed = {int(one.get("ReferencedROINumber", -1)): one for one in data.get("RTROIObservationsSequence") or []}
    found = {}
    for roi in data.StructureSetROISequence:
        number, name = int(roi.ROINumber), str(roi.get("ROIName", "") or "")
        seen = observed.get(number, Dataset())
        others = (str(text or "") for text in (seen.get("ROIObservationLabel"), roi.get("ROIDescription")))
        found[number] = (name, label_of_segment((name, *others), concepts_of(seen, _TYPES)))
    return found


def _drawn(
    path: Path,
    data: Dataset,
    structures: dict[int, tuple[str, Label | None]],
    study: Study,
    phase: int | None,
    progress: Progress,
) -> ImportedLabels:
    stack, lookup, outlines = study.stack, FrameLookup(study.stack), DrawnContours(study.stack)
    found = missing = 0
    passed: list[str] = []
    for roi in data.get("ROIContourSequence") or []:
        name, label = structures.get(int(roi.ReferencedROINumber), ("", None))
        if label is None or label == Label.BACKGROUND:
            passed.append(name or "unnamed")
            continue
        for contour in roi.get("ContourSequence") or []:
            if str(contour.get("ContourGeometricType", "") or "").upper() not in _PLANAR:
                continue
            progress(0.5, f"Reading contours of {path.name}")
            points_mm = _points(contour)
            frame = _frame_of(contour, points_mm, stack, lookup, phase, path)
            if frame is None:
                missing += 1
                continue
            found += 1
            outlines.add(frame, label, in_pixels(points_mm, stack.geometry, frame.slice_index))
    if not found and not missing:
        raise LabelMapError(
            f"{path.name} has no contour of the left or right ventricle (its structures: "
            f"{', '.join(passed[:5]) or 'none'}). Name them LV endocardium, LV epicardium, RV endocardium."
        )
    notes = require_match(path.name, study, found=found, missing=missing, what="contours")
    if not outlines:
        raise LabelMapError(f"{path.name} contains no usable contour. " + " ".join(outlines.warnings))
    if passed:
        text = f"Structures left out: {', '.join(passed[:5])}" + (" and more." if len(passed) > 5 else ".")
        notes.append(Note(text, Code.STRUCTURES_LEFT_OUT))
    title = str(data.get("StructureSetLabel", "") or data.get("ManufacturerModelName", "") or "").strip()
    name = f"RTSTRUCT: {title[:80]}" if title else "RTSTRUCT"
    return outlines.painted(name, notes, part(progress, 0.5, 1.0))


def _points(contour: Dataset) -> NDArray[np.float64]:
    """(point, 3) points in the patient, mm; read at once, since a contour may hold a million of them.

    Invalid numbers give invalid points, so that the contour is left out and counted.
    """
    raw = contour.get_item(_CONTOUR_DATA)
    value = getattr(raw, "value", None)
    texts = value.split(b"\\") if isinstance(value, bytes) else list(value or [])
    try:
        numbers = np.array([float(text) for text in texts], dtype=np.float64)
    except (TypeError, ValueError):
        return np.full((3, 3), np.nan)
    return numbers.reshape(-1, 3) if numbers.size % 3 == 0 else np.full((3, 3), np.nan)


def _frame_of(
    contour: Dataset,
    points_mm: NDArray[np.float64],
    stack: Stack,
    lookup: FrameLookup,
    phase: int | None,
    path: Path,
) -> FrameIndex | None:
    """The frame that a contour was drawn on, or None where the stack does not hold it."""
    images = contour.get("ContourImageSequence") or []
    uids = [str(image.get("ReferencedSOPInstanceUID", "") or "") for image in images]
    if any(uids):
        for uid, image in zip(uids, images, strict=True):
            number = image.get("ReferencedFrameNumber")
            frame = lookup.frame(uid, None if number is None else int(number))
            if frame is not None:
                return frame
        return None
    index = slice_in_plane(points_mm, stack.geometry)
    if index is None:
        return None
    if phase is None and stack.phases > 1:
        raise UnknownPhaseError(
            f"{path.name} does not state the phase of its contours, and the study has {stack.phases} phases. Set it."
        )
    if phase is not None and not 0 <= phase < stack.phases:
        raise LabelMapError(f"The study has no phase {phase + 1}; it has {counted(stack.phases, 'phase')}.")
    return FrameIndex(phase or 0, index)
