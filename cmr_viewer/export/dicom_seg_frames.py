"""The frames of a DICOM Segmentation: which there are, their positions, references and pixels.

They lie on the pixel grids of the source images. The program may reverse rows or columns of a frame for display, crop a
border or pad one; each frame's source states how (`FrameSource.origin`, `FrameSource.step`). Nothing is resampled, so
the way back is exact.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.valuerep import format_number_as_ds

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.geometry import Geometry, Vector
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, FrameSource, Stack
from cmr_viewer.errors import GeometryError, StoreError
from cmr_viewer.export.sources import SourceFrame, SourceStudy


def on_source_grid(labels: LabelMap, stack: Stack, source: SourceStudy) -> LabelMap:
    """Label maps of all frames on the pixel grid of their sources."""
    found: list[list[LabelMap]] = []
    for phase, row in enumerate(source.frames):
        sources = stack.frame_sources[phase]
        found.append(
            [
                to_source_grid(labels[phase, index], stack.geometry, index, sources[index], one)
                for index, one in enumerate(row)
            ]
        )
    shapes = {one.shape for row in found for one in row}
    if len(shapes) > 1:
        texts = ", ".join(f"{rows} x {cols}" for rows, cols in sorted(shapes))
        raise StoreError(
            f"The source images of this stack have different matrices ({texts}), but a DICOM segmentation has one. "
            "Export the label maps as NIfTI."
        )
    return np.asarray(found)


def frames_with_pixels(grid: LabelMap, stack: Stack) -> Iterator[tuple[Label, FrameIndex]]:
    """Frames of the segmentation in the order of its dimensions: segment, position along the normal, time."""
    order = _along_normal(stack)
    for label in STRUCTURES:
        present = (grid == int(label)).any(axis=(2, 3))
        if not present.any():
            present[0, order[0]] = True
        yield from (
            (label, FrameIndex(int(phase), index)) for index in order for phase in np.flatnonzero(present[:, index])
        )


def _along_normal(stack: Stack) -> list[int]:
    """Slices in ascending order along the normal of the stack."""
    along = np.asarray(stack.geometry.positions_mm) @ stack.geometry.normal
    return [int(index) for index in np.argsort(along, kind="stable")]


def packed(grid: LabelMap, frames: Sequence[tuple[Label, FrameIndex]]) -> bytes:
    """Pixel Data: one bit a pixel, the first pixel in the lowest bit, frames without gaps (PS3.5, section 8.1.1)."""
    parts = []
    for start in range(0, len(frames), 8):  # eight frames always end at a whole byte
        bits = [(grid[index] == int(label)).ravel() for label, index in frames[start : start + 8]]
        parts.append(np.packbits(np.concatenate(bits), bitorder="little").tobytes())
    data = b"".join(parts)
    return data + b"\0" * (len(data) % 2)


class Places:
    """Items of the per-frame functional groups."""

    def __init__(self, stack: Stack, source: SourceStudy, *, common: bool) -> None:
        self._stack, self._source, self._common = stack, source, common
        self._purpose = _code(codes.cid7202.SourceImageForImageProcessingOperation)
        self._kind = _code(codes.cid7203.SegmentationImageDerivation)
        self._rank = {index: rank for rank, index in enumerate(_along_normal(stack), start=1)}

    def orientation(self, index: FrameIndex) -> tuple[Vector, Vector]:
        """Row and column direction of a frame's source; the stack's where its header does not state it."""
        found = self._of(index).orientation
        if found is not None:
            return found
        g, step = self._stack.geometry, self._stack.frame_sources[index.phase][index.slice_index].step
        return _turned(g.row_direction, step[1]), _turned(g.col_direction, step[0])

    def cosines(self, index: FrameIndex) -> list[float]:
        """Image Orientation (0020,0037) of a frame, six numbers."""
        return [float(value) for direction in self.orientation(index) for value in direction]

    def position_mm(self, index: FrameIndex) -> Vector:
        """Centre of the first pixel of a frame's source; from the stack where its header does not state it."""
        source = self._stack.frame_sources[index.phase][index.slice_index]
        found = self._of(index).position_mm
        if found is not None:
            return found
        x, y, z = self._stack.geometry.to_patient_mm(index.slice_index, source.in_frame((0.0, 0.0)))
        return float(x), float(y), float(z)

    def item(self, label: Label, index: FrameIndex) -> Dataset:
        """Where a frame is, what it shows and what it was drawn on."""
        item = Dataset()
        content = Dataset()
        content.DimensionIndexValues = [int(label), self._rank[index.slice_index], index.phase + 1]
        content.TemporalPositionIndex = index.phase + 1
        content.StackID = "1"
        content.InStackPositionNumber = self._rank[index.slice_index]
        item.FrameContentSequence = [content]
        position = Dataset()
        position.ImagePositionPatient = decimal_texts(self.position_mm(index))
        item.PlanePositionSequence = [position]
        if not self._common:
            plane = Dataset()
            plane.ImageOrientationPatient = decimal_texts(
                [v for direction in self.orientation(index) for v in direction]
            )
            item.PlaneOrientationSequence = [plane]
        segment = Dataset()
        segment.ReferencedSegmentNumber = int(label)
        item.SegmentIdentificationSequence = [segment]
        item.DerivationImageSequence = [self._derivation(index)]
        return item

    def _of(self, index: FrameIndex) -> SourceFrame:
        return self._source.frames[index.phase][index.slice_index]

    def _derivation(self, index: FrameIndex) -> Dataset:
        frame = self._of(index)
        image = Dataset()
        image.ReferencedSOPClassUID = frame.class_uid
        image.ReferencedSOPInstanceUID = frame.instance_uid
        if frame.frame_number is not None:
            image.ReferencedFrameNumber = frame.frame_number
        image.SpatialLocationsPreserved = "YES"
        image.PurposeOfReferenceCodeSequence = [self._purpose]
        derivation = Dataset()
        derivation.DerivationCodeSequence = [self._kind]
        derivation.SourceImageSequence = [image]
        return derivation


def _turned(direction: Vector, step: float) -> Vector:
    return direction if step > 0 else (-direction[0], -direction[1], -direction[2])


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def pixel_spacing_mm(stack: Stack, source: SourceStudy) -> tuple[float, float]:
    """(row, col) in mm: the sources' own, or the stack's where they do not state it."""
    return source.frames[0][0].spacing_mm or stack.geometry.pixel_spacing_mm


def slice_spacing_mm(stack: Stack) -> float | None:
    """Distance of slice centres; None for a single slice of unknown spacing."""
    try:
        return stack.geometry.slice_spacing_mm
    except GeometryError:
        return None


def decimal_texts(values: Sequence[float]) -> Any:
    """Numbers as Decimal Strings of at most 16 characters (PS3.5, section 6.2); a single one for a single number."""
    texts = [format_number_as_ds(float(value)) for value in values]
    return texts if len(texts) > 1 else texts[0]


_WHOLE = 0.01
"""Pixels by which a place may miss a whole number."""


def to_source_grid(
    labels: LabelMap, geometry: Geometry, slice_index: int, source: FrameSource, frame: SourceFrame
) -> LabelMap:
    """Label map of a frame on the pixel grid of its source.

    Args:
        labels: (row, col) on the stack's grid.
        geometry: The stack's grid.
        slice_index: The slice, for messages.
        source: Where the frame was read from.
        frame: What the header of its file states.

    Returns:
        (row, col) on the source's grid; background where the stack does not reach.

    Raises:
        StoreError: The frame was resampled, or its header contradicts its source, or a label extends beyond the
            source.
    """
    _check_directions(geometry, slice_index, source, frame)
    shape = (frame.rows or geometry.rows, frame.cols or geometry.cols)
    if (source.origin, source.step, shape) == ((0.0, 0.0), (1.0, 1.0), labels.shape):
        return labels
    rows, cols = (_places(source, axis, labels.shape[axis], slice_index) for axis in (0, 1))
    row_in, col_in = (rows >= 0) & (rows < shape[0]), (cols >= 0) & (cols < shape[1])
    result = np.zeros(shape, dtype=np.uint8)
    result[np.ix_(rows[row_in], cols[col_in])] = labels[np.ix_(row_in, col_in)]
    if np.count_nonzero(result) != np.count_nonzero(labels):
        _refuse(slice_index, "a label extends beyond its image")
    return result


def _places(source: FrameSource, axis: int, count: int, slice_index: int) -> NDArray[np.int64]:
    """Row or column in the file of each row or column of a frame."""
    exact = source.origin[axis] + source.step[axis] * np.arange(count)
    places = np.rint(exact)
    if abs(abs(source.step[axis]) - 1.0) * count > _WHOLE or np.abs(exact - places).max() > _WHOLE:
        _refuse(slice_index, "its frames were resampled")
    return np.asarray(places, dtype=np.int64)


def _check_directions(geometry: Geometry, slice_index: int, source: FrameSource, frame: SourceFrame) -> None:
    """Raise where the header's directions are not those of the stack, reversed as the source states.

    A mirrored label map looks complete and would be wrong.
    """
    if frame.orientation is None:
        return
    row, col = (np.asarray(direction) for direction in frame.orientation)
    along_cols = float(row @ np.asarray(geometry.row_direction)) * source.step[1]
    along_rows = float(col @ np.asarray(geometry.col_direction)) * source.step[0]
    if min(along_rows, along_cols) <= 0:
        _refuse(slice_index, "its orientation is not that of its source images")


def _refuse(slice_index: int, why: str) -> NoReturn:
    raise StoreError(
        f"Could not map the label maps of slice {slice_index + 1} back to its source images: {why}. "
        "Export them as NIfTI."
    )
