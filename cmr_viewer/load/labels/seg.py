"""DICOM Segmentation objects (PS3.3, A.51) as label maps of a stack.

Segments are recognised by their coded type, or else by their label. A frame belongs to the image frame that it names as
its source (SOP Instance UID and frame number); where it names none, to the slice and phase at which it lies in the
patient. Binary, fractional and label-map objects are read. Of a fractional object, pixels with half of its maximum and
more count; the maximum is the stated one (0062,000E), or the largest value where that one is exceeded, or where no
value comes up to half of it: masks of 0 and 1 are written with a stated maximum of 255.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import Mask
from cmr_viewer.domain.notes import Code, Note, listed
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import LabelMapError, UnknownPhaseError
from cmr_viewer.load.dicom.with_pydicom import read_object
from cmr_viewer.load.labels.grid import IN_PLANE_MM, place, slice_in_plane
from cmr_viewer.load.labels.imported import PAINTING_ORDER, FrameLookup, ImportedLabels, require_match, source_of
from cmr_viewer.load.labels.meaning import concepts_of, label_of_segment
from cmr_viewer.progress import Progress, part, silent

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage (PS3.4, B.5)."""

_MOST_MOTION_MM = 25.0
"""Slices that follow the heart move by no more: its base moves by up to 20 mm."""

_MOST_PIXELS, _MOST_DECODED = 1 << 31, 1 << 29
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
_TYPES = ("SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence")


@dataclass(frozen=True, eq=False)
class _Part:
    """One frame of the object with a structure of the program.

    Attributes:
        label: The structure.
        mask: (row, col).
        number: Which frame of the object it is, from 0.
    """

    label: Label
    mask: Mask
    number: int


def read_dicom_seg(path: Path, study: Study, phase: int | None = None, progress: Progress = silent) -> ImportedLabels:
    """Label maps of a study from a DICOM Segmentation.

    Args:
        path: The object.
        study: The study that it was made on.
        phase: The phase that its frames belong to where they do not state it, or None.
        progress: Called with how far the work is.

    Raises:
        LoadError: The object cannot be read.
        UnknownPhaseError: It contains one phase, and which one is unknown.
        LabelMapError: It contains no structure of the program, or belongs to another study or grid.
    """
    with read_object(path, "a DICOM Segmentation") as data:
        meaning, unknown = _segments(data)
        if not meaning:
            raise LabelMapError(
                f"{path.name} has no segment of the left or right ventricle (its segments: "
                f"{', '.join(unknown[:5]) or 'none'}). Name them LV blood pool, LV myocardium, RV blood pool."
            )
        parts, notes = _parts(data, meaning, path, part(progress, 0.1, 0.5))
        if unknown:
            notes = [Note(f"Segments left out: {listed(unknown, 5)}.", Code.STRUCTURES_LEFT_OUT), *notes]
        known = frozenset(meaning.values())
        placed = _placed(path, data, parts, study, phase, notes, known, part(progress, 0.5, 1.0))
        return replace(placed, made=_made(data, meaning))


def _segments(data: Dataset) -> tuple[dict[int, Label], list[str]]:
    """Segment number to label, and the names of segments that mean nothing here."""
    meaning: dict[int, Label] = {}
    unknown = []
    for segment in data.SegmentSequence:
        name = str(segment.get("SegmentLabel", "") or "")
        names = (name, str(segment.get("SegmentDescription", "") or ""))
        label = label_of_segment(names, concepts_of(segment, _TYPES))
        if label == Label.BACKGROUND:
            continue
        if label is None:
            unknown.append(name or f"number {segment.get('SegmentNumber')}")
        else:
            meaning[int(segment.SegmentNumber)] = label
    return meaning, unknown


def _made(data: Dataset, meaning: dict[int, Label]) -> Provenance | None:
    """Segment Algorithm Type (0062,0008) of the segments that are used; None where it is not stated."""
    found = {
        str(segment.get("SegmentAlgorithmType", "") or "").strip().upper()
        for segment in data.SegmentSequence
        if int(segment.get("SegmentNumber", 0) or 0) in meaning
    }
    if not found or not found <= set(Provenance):
        return None
    return Provenance(found.pop()) if len(found) == 1 else Provenance.SEMIAUTOMATIC


def _parts(data: Dataset, meaning: dict[int, Label], path: Path, progress: Progress) -> tuple[list[_Part], list[Note]]:
    """Frames of the object with a structure, in painting order, and notes on how they became masks."""
    rows, cols, frames = int(data.Rows), int(data.Columns), int(data.get("NumberOfFrames", 1) or 1)
    if rows * cols * frames > _MOST_PIXELS or min(rows, cols, frames) < 1:
        raise LabelMapError(
            f"{path.name} states {frames} frames of {rows} x {cols}, which is impossible. Check the file."
        )
    groups = data.PerFrameFunctionalGroupsSequence
    if len(groups) != frames:
        raise LabelMapError(f"{path.name} describes {len(groups)} of its {frames} frames; it is damaged.")
    read = _frame_reader(data, rows, cols, frames)
    kind = str(data.get("SegmentationType", "BINARY")).upper()
    notes: list[Note] = []
    least = 1
    if kind == "FRACTIONAL":
        largest = max((int(read(number).max()) for number in range(frames)), default=0)
        least, note = _threshold(data, largest, path)
        notes.append(note)
    parts = []
    for number, group in enumerate(groups):
        progress(number / frames, f"Reading segments: {number} of {frames} frames")
        values = read(number)
        if kind == "LABELMAP":
            held = [_Part(label, values == code, number) for code, label in meaning.items()]
            # A frame without any structure states that there is none.
            parts += [one for one in held if one.mask.any()] or held[:1]
            continue
        label = meaning.get(_segment_of(data, group))
        if label is not None:
            parts.append(_Part(label, values >= least, number))
    return sorted(parts, key=lambda part: PAINTING_ORDER.index(part.label)), notes


def _threshold(data: Dataset, largest: int, path: Path) -> tuple[int, Note]:
    """The least value that counts in a fractional object with this largest pixel value, and a note on it."""
    stated = int(data.get("MaximumFractionalValue", 0) or 0)
    believed = stated > 0 and stated <= 2 * largest and largest <= stated
    least = max(1, ((stated if believed else largest) + 1) // 2)
    kind = str(data.get("SegmentationFractionalType", "") or "").strip().lower()
    text = f"{path.name} contains fractional segments" + (f" ({kind})" if kind in ("probability", "occupancy") else "")
    if believed or not largest:
        text += f". Pixels with a value of {least} or more, of {stated or largest}, belong to a segment."
    else:
        text += (
            f" with a stated maximum of {stated or 'nothing'} and a largest value of {largest}. Pixels with a value of "
            f"{least} or more belong to a segment. Review the label maps."
        )
    return least, Note(text, Code.SEGMENT_THRESHOLD)


def _segment_of(data: Dataset, group: Dataset) -> int:
    for where in (group, _shared(data)):
        if items := where.get("SegmentIdentificationSequence"):
            return int(items[0].ReferencedSegmentNumber)
    return -1


def _shared(data: Dataset) -> Dataset:
    items = data.get("SharedFunctionalGroupsSequence")
    return items[0] if items else Dataset()


def _frame_reader(data: Dataset, rows: int, cols: int, frames: int) -> Any:
    """A function that gives the (row, col) values of a frame by number."""
    syntax = str(getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", _NATIVE[0]))
    bits = int(data.get("BitsAllocated", 1))
    if syntax in _NATIVE and bits in (1, 8, 16):
        stored = np.frombuffer(data.PixelData, dtype=np.uint8)
        if stored.size * 8 < rows * cols * frames * bits:
            raise ValueError("pixels are missing")
        if bits == 1:
            return lambda number: _unpacked(stored, number * rows * cols, rows * cols).reshape(rows, cols)
        whole = stored[: rows * cols * frames * bits // 8].view(f"<u{bits // 8}").reshape(frames, rows, cols)
    else:
        if rows * cols * frames > _MOST_DECODED:
            raise ValueError("more pixels than any such object contains")
        whole = np.asarray(data.pixel_array).reshape(frames, rows, cols)
    return lambda number: whole[number]


def _unpacked(stored: NDArray[np.uint8], first: int, count: int) -> NDArray[np.uint8]:
    """Bits of one frame; frames follow one another without padding, the lowest bit first (PS3.5, 8.1.1)."""
    begin = first // 8
    bits = np.unpackbits(stored[begin : (first + count + 7) // 8], bitorder="little")
    return np.asarray(bits[first - begin * 8 :][:count])


def _placed(
    path: Path,
    data: Dataset,
    parts: list[_Part],
    study: Study,
    phase: int | None,
    notes: list[Note],
    known: frozenset[Label],
    progress: Progress,
) -> ImportedLabels:
    stack, lookup = study.stack, FrameLookup(study.stack)
    groups = data.PerFrameFunctionalGroupsSequence
    labels = np.zeros(stack.pixels.shape, dtype=np.uint8)
    stated: set[FrameIndex] = set()
    found = missing = 0
    unreferenced: list[_Part] = []
    for done, one in enumerate(parts):
        progress(done / len(parts), f"Finding the frames of {path.name}")
        sources = _sources(groups[one.number])
        frames = [frame for uid, number in sources if (frame := lookup.frame(uid, number)) is not None]
        if not sources:
            unreferenced.append(one)
            continue
        missing += not frames
        found += bool(frames)
        for frame in frames:
            mask = _on_frame(one, _plane(data, groups[one.number]), stack, frame, path)
            labels[frame.phase, frame.slice_index][mask] = int(one.label)
            stated.add(frame)
    if unreferenced:
        found += _by_place(path, data, unreferenced, stack, phase, labels, stated, progress)
    notes = [*require_match(path.name, study, found=found, missing=missing, what="frames"), *notes]
    # In the frames of the object, every known segment is stated: where it has no pixel, there is none.
    structures = dict.fromkeys(sorted(stated), known)
    return ImportedLabels(labels, structures, _provenance(data), tuple(notes))


def _sources(group: Dataset) -> list[tuple[str, int | None]]:
    """(SOP Instance UID, frame number or None) of the image frames that a frame was made from."""
    found: list[tuple[str, int | None]] = []
    for derivation in group.get("DerivationImageSequence") or []:
        for source in derivation.get("SourceImageSequence") or []:
            uid, numbers = str(source.get("ReferencedSOPInstanceUID", "")), source.get("ReferencedFrameNumber")
            if numbers is None:
                found.append((uid, None))
            else:
                each = numbers if isinstance(numbers, Sequence) and not isinstance(numbers, str) else [numbers]
                found += [(uid, int(number)) for number in each]
    return [(uid, number) for uid, number in found if uid]


def _plane(data: Dataset, group: Dataset) -> NDArray[np.float64] | None:
    """(4, 4) pixel (col, row, -) to patient matrix, LPS, of a frame, or None where it does not state it."""
    values = []
    for sequence, keyword, count in (
        ("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        ("PixelMeasuresSequence", "PixelSpacing", 2),
        ("PlanePositionSequence", "ImagePositionPatient", 3),
    ):
        items = group.get(sequence) or _shared(data).get(sequence)
        numbers = items[0].get(keyword) if items else None
        if numbers is None or len(numbers) != count:
            return None
        values.append(np.array([float(v) for v in numbers]))
    orientation, spacing, position = values
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = orientation[:3] * spacing[1], orientation[3:] * spacing[0]
    affine[:3, 2], affine[:3, 3] = np.cross(orientation[:3], orientation[3:]), position
    return affine


def _on_frame(part: _Part, affine: NDArray[np.float64] | None, stack: Stack, frame: FrameIndex, path: Path) -> Mask:
    """The mask of a frame that names its source, on the frame's grid."""
    g, source = stack.geometry, source_of(stack, frame)
    whole = source.origin == (0.0, 0.0) and source.step == (1.0, 1.0)
    same = whole and part.mask.shape == (g.rows, g.cols)
    if same and (affine is None or _respaced(affine, stack)):
        return part.mask
    if affine is not None:
        return _on_slice(part, affine, stack, frame.slice_index, path)
    if whole:
        size = f"{part.mask.shape[0]} x {part.mask.shape[1]} pixels, but the images have {g.rows} x {g.cols}"
        raise LabelMapError(f"{path.name} has frames of {size}. Open the images that it was made for.")
    at_row = np.rint(source.origin[0] + source.step[0] * np.arange(g.rows)).astype(int)[:, None]
    at_col = np.rint(source.origin[1] + source.step[1] * np.arange(g.cols)).astype(int)[None, :]
    there = (at_row >= 0) & (at_col >= 0) & (at_row < part.mask.shape[0]) & (at_col < part.mask.shape[1])
    return np.asarray(part.mask[np.where(there, at_row, 0), np.where(there, at_col, 0)] & there)


def _is_own_grid(affine: NDArray[np.float64], g: Geometry, slice_index: int) -> bool:
    """Whether the first, last-in-row and last-in-column pixels lie where those of a slice do, to a tenth of a pixel.

    A frame that names its image may lie above or below the place of the slice: slices that follow the heart do.
    """
    own = [g.to_patient_mm(slice_index, corner) for corner in ((0, 0), (0, g.cols - 1), (g.rows - 1, 0))]
    other = [affine[:3, 3] + affine[:3, :2] @ corner for corner in ((0, 0), (g.cols - 1, 0), (0, g.rows - 1))]
    apart = np.array(other) - np.array(own)
    along = float((apart @ g.normal).mean())
    beside = apart - along * g.normal
    return abs(along) <= _MOST_MOTION_MM and bool(np.abs(beside).max() < 0.1 * min(g.pixel_spacing_mm))


def _respaced(affine: NDArray[np.float64], stack: Stack) -> bool:
    """Whether a plane runs as the stack does and only its pixel spacing is another: a reader corrected it."""
    g = stack.geometry
    row_mm, col_mm = np.linalg.norm(affine[:3, 1]), np.linalg.norm(affine[:3, 0])
    if not (row_mm > 0 and col_mm > 0):
        return not g.spacing_known
    along = min(
        affine[:3, 0] @ np.asarray(g.row_direction) / col_mm, affine[:3, 1] @ np.asarray(g.col_direction) / row_mm
    )
    apart = np.abs(np.array([row_mm, col_mm]) / np.array(g.pixel_spacing_mm) - 1.0).max()
    return bool(along > 0.999 and apart > 0.005) or not g.spacing_known


def _on_slice(part: _Part, affine: NDArray[np.float64], stack: Stack, slice_index: int, path: Path) -> Mask:
    """The mask of a frame on the grid of a slice, by where it lies in the patient."""
    g = stack.geometry
    if part.mask.shape == (g.rows, g.cols) and _is_own_grid(affine, g, slice_index):
        return part.mask
    # The plane is made thick enough for positions that were rounded.
    thick = affine.copy()
    thick[:3, 2] *= 2.5 * IN_PLANE_MM
    own = replace(g, positions_mm=(g.positions_mm[slice_index],))
    placed = place(part.mask.T[:, :, None, None].astype(np.int64), thick, own, path.name)
    return np.asarray(placed.frames[0, 0] > 0)


def _by_place(
    path: Path,
    data: Dataset,
    parts: list[_Part],
    stack: Stack,
    phase: int | None,
    labels: NDArray[np.uint8],
    stated: set[FrameIndex],
    progress: Progress,
) -> int:
    """Paint frames that name no source, by where they lie; gives how many there were.

    Of the frames of one structure at one place there must be as many as phases, in their order, or one alone of a
    phase that is known.
    """
    groups = data.PerFrameFunctionalGroupsSequence
    at_place: dict[tuple[int, Label], list[tuple[_Part, Mask]]] = {}
    for done, one in enumerate(parts):
        progress(done / len(parts), f"Finding the slices of {path.name}")
        affine = _plane(data, groups[one.number])
        if affine is None:
            raise LabelMapError(f"{path.name} states neither the images that it belongs to nor its position.")
        rows, cols = one.mask.shape
        corners = np.array([[0, 0, 0, 1], [cols - 1, 0, 0, 1], [0, rows - 1, 0, 1], [cols - 1, rows - 1, 0, 1]])
        index = slice_in_plane((corners @ affine.T)[:, :3], stack.geometry)
        if index is None:
            raise LabelMapError(
                f"The planes of {path.name} are not those of this study's slices. Open the study that it was made for."
            )
        at_place.setdefault((index, one.label), []).append((one, _on_slice(one, affine, stack, index, path)))
    for (index, label), drawn in at_place.items():
        ordered = sorted(drawn, key=lambda item: (_temporal(groups[item[0].number]), item[0].number))
        phases = _phases_of([_temporal(groups[one.number]) for one, _ in ordered], stack.phases, phase, path)
        for at, (_, mask) in zip(phases, ordered, strict=True):
            labels[at, index][mask] = int(label)
            stated.add(FrameIndex(at, index))
    return len(parts)


def _temporal(group: Dataset) -> int:
    content = group.get("FrameContentSequence")
    return int(content[0].get("TemporalPositionIndex", 0) or 0) if content else 0


def _phases_of(temporal: list[int], phases: int, phase: int | None, path: Path) -> list[int]:
    if len(temporal) == 1 and phase is not None and 0 <= phase < phases:
        return [phase]
    if len(temporal) == phases:
        return list(range(phases))
    if all(1 <= index <= phases for index in temporal) and len(set(temporal)) == len(temporal):
        return [index - 1 for index in temporal]
    kind = UnknownPhaseError if len(temporal) == 1 and phase is None else LabelMapError
    raise kind(
        f"{path.name} does not state the phases of its frames ({len(temporal)} at one position, {phases} phases). Set "
        "the phase, or export it with references to the images."
    )


def _provenance(data: Dataset) -> str:
    """What made the segments, in words: their algorithm, else the object's description or maker."""
    names = {
        str(segment.get("SegmentAlgorithmName", "") or "").strip()
        for segment in data.SegmentSequence
        if str(segment.get("SegmentAlgorithmType", "")).upper() != "MANUAL"
    } - {""}
    maker = str(data.get("ManufacturerModelName", "") or data.get("Manufacturer", "") or "").strip()
    detail = ", ".join(sorted(names)) or maker
    return f"DICOM SEG: {detail[:80]}" if detail else "DICOM SEG"
