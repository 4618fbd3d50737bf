"""A study as the program sees it: stacks with their geometry and times, long-axis cines, the axes of its file."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.patient import UNKNOWN_PATIENT, Patient
from cmr_viewer.errors import GeometryError


@dataclass(frozen=True)
class FileAxes:
    """Which axes of a file are the columns, rows and slices of its frames; frames and voxels are exact inverses.

    Attributes:
        col: Axis of the file along which the column of a frame counts.
        row: Axis along which its row counts.
        across: Axis along which the slices lie.
        cols_reversed: Whether column 0 is the last of its axis.
        rows_reversed: Whether row 0 is the last of its axis.
        empty: Slices of the file, ascending, in the place of missing ones; they do not become frames.
    """

    col: int = 0
    row: int = 1
    across: int = 2
    cols_reversed: bool = False
    rows_reversed: bool = False
    empty: tuple[int, ...] = ()

    def frames_of(self, voxels: NDArray[Any]) -> NDArray[Any]:
        """(i, j, k, t) of a file to (phase, slice, row, col), slices in the file's order, without the empty ones."""
        frames = voxels.transpose(3, self.across, self.row, self.col)[:, self.held(voxels.shape[self.across])]
        return np.ascontiguousarray(self._reversed(frames))

    def voxels_of(self, frames: NDArray[Any]) -> NDArray[Any]:
        """(phase, slice, row, col), slices in the file's order, to (i, j, k, t); the empty ones hold 0."""
        voxels = self._reversed(frames)
        if self.empty:
            count = frames.shape[1] + len(self.empty)
            voxels = np.zeros((frames.shape[0], count, *frames.shape[2:]), frames.dtype)
            voxels[:, self.held(count)] = self._reversed(frames)
        return voxels.transpose(np.argsort((3, self.across, self.row, self.col)))

    def held(self, count: int) -> list[int]:
        """Slices that become frames, of a file of so many."""
        return [k for k in range(count) if k not in self.empty]

    def grid_of(self, affine: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """(4, 4) matrix of (col, row, slice) to the places that an affine gives to voxels (i, j, k).

        Args:
            affine: (4, 4) voxel-to-world matrix of the file.
            shape: (i, j, k, ...) of the file.
        """
        grid = np.asarray(affine, dtype=np.float64)[:, [self.col, self.row, self.across, 3]]
        for column, axis, is_reversed in ((0, self.col, self.cols_reversed), (1, self.row, self.rows_reversed)):
            if is_reversed:
                grid[:, 3] += grid[:, column] * (shape[axis] - 1)
                grid[:, column] *= -1
        return grid

    def _reversed(self, frames: NDArray[Any]) -> NDArray[Any]:
        frames = frames[:, :, ::-1] if self.rows_reversed else frames
        return frames[..., ::-1] if self.cols_reversed else frames


THIRD_ACROSS = FileAxes()
"""Voxel (i, j, k) is column i and row j of slice k."""

Segment = tuple[tuple[float, float], tuple[float, float]]
"""Two (row, col) points of a frame; pixel centres are whole numbers."""

_NEARLY_PARALLEL = 0.1
"""Sine of the angle between two planes under which their line of intersection means nothing."""


@dataclass(frozen=True, eq=False)
class LongAxisView:
    """A cine of one plane along the long axis of the heart.

    Attributes:
        pixels: (phase, row, col), any real dtype; not to be written to.
        geometry: Grid of the plane: a single slice.
        description: The series description, for a reader.
        phase_times_ms: Time of each phase after the R wave, or None where the files do not state it.
    """

    pixels: NDArray[Any]
    geometry: Geometry
    description: str = ""
    phase_times_ms: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        g = self.geometry
        if self.pixels.ndim != 3 or self.pixels.shape[1:] != (g.rows, g.cols) or g.slices != 1 or not len(self.pixels):
            raise GeometryError(f"Pixels of shape {self.pixels.shape} do not fit one plane of {g.rows} x {g.cols}.")

    @property
    def phases(self) -> int:
        """Number of phases."""
        return int(self.pixels.shape[0])


def slice_line(view: Geometry, stack: Geometry, slice_index: int) -> Segment | None:
    """Where a slice crosses a long-axis plane, cut to the frame of the view.

    Args:
        view: Grid of the long-axis plane.
        stack: Grid of the stack.
        slice_index: The slice; its plane counts as endless.

    Returns:
        The ends of the line in the view, or None where the planes are nearly parallel or the line misses the frame.
    """
    normal = stack.normal
    if float(np.linalg.norm(np.cross(normal, view.normal))) < _NEARLY_PARALLEL:
        return None
    # A pixel (row, col) of the view lies on the slice where row * a + col * b = c.
    a = float(normal @ np.asarray(view.col_direction)) * view.pixel_spacing_mm[0]
    b = float(normal @ np.asarray(view.row_direction)) * view.pixel_spacing_mm[1]
    c = float(normal @ (np.asarray(stack.positions_mm[slice_index]) - np.asarray(view.positions_mm[0])))
    low, high_row, high_col = -0.5, view.rows - 0.5, view.cols - 0.5
    ends = []
    if abs(b) > 1e-9:
        ends += [(row, (c - row * a) / b) for row in (low, high_row)]
    if abs(a) > 1e-9:
        ends += [((c - col * b) / a, col) for col in (low, high_col)]
    room = 1e-6
    inside = [(r, k) for r, k in ends if low - room <= r <= high_row + room and low - room <= k <= high_col + room]
    if len(inside) < 2:
        return None
    first = inside[0]
    last = max(inside, key=lambda end: (end[0] - first[0]) ** 2 + (end[1] - first[1]) ** 2)
    return (first, last) if first != last else None


COUNTING = (
    "Names that end in _number, and the slices of notes, count from 1 as in the window: phase 1 is the first, slice 1 "
    "the most basal. Names that end in _index count from 0: source_slice_index is a slice's place in the input."
)
"""How phases and slices are counted in all files that people read; the files contain this text."""


class FrameIndex(NamedTuple):
    """One frame of a stack. `slice_index` 0 is the most basal."""

    phase: int
    slice_index: int

    @property
    def numbers(self) -> tuple[int, int]:
        """Phase and slice as a reader counts them, from 1."""
        return self.phase + 1, self.slice_index + 1


class FrameSource(NamedTuple):
    """Where one frame was read from.

    Attributes:
        path: The file; inside an archive, the archive's path followed by the name inside it.
        frame_number: Frame of a file that holds several, from 1 as DICOM counts them; 1 where there is only one.
        instance_uid: SOP Instance UID, DICOM (0008,0018); empty where there is none.
        class_uid: SOP Class UID, DICOM (0008,0016); empty where there is none.
        origin: (row, col) in the file of the first pixel of the frame; not (0, 0) where rows or columns were reversed,
            cropped or padded to fit the stack.
        step: Rows and columns of the file from one row, col of the frame to the next; negative where they were
            reversed.
    """

    path: Path
    frame_number: int = 1
    instance_uid: str = ""
    class_uid: str = ""
    origin: tuple[float, float] = (0.0, 0.0)
    step: tuple[float, float] = (1.0, 1.0)

    def in_file(self, point: tuple[float, float]) -> tuple[float, float]:
        """Where a (row, col) point of the frame is in the image of its file."""
        return self.origin[0] + self.step[0] * point[0], self.origin[1] + self.step[1] * point[1]

    def in_frame(self, point: tuple[float, float]) -> tuple[float, float]:
        """Where a (row, col) point of the file's image is in the frame."""
        return (point[0] - self.origin[0]) / self.step[0], (point[1] - self.origin[1]) / self.step[1]


@dataclass(frozen=True, eq=False)
class Stack:
    """A short-axis cine stack.

    Attributes:
        pixels: (phase, slice, row, col), any real dtype; slices base to apex, phases in time order; not to be
            written to.
        geometry: Grid of one phase; the same for all.
        phase_times_ms: Time of each phase after the R wave, or None where the files do not state it.
        source_slices: Per slice: its index in the input's own slice order.
        ed_phase: End-diastole as the source states it, or None.
        es_phase: End-systole as the source states it, or None.
        ed_es_by: What in the source states them, in words: "the contour files"; empty where nothing does.
        shows_cycle: Whether the phases are those of one heart cycle, as far as the files show; not for perfusion.
        heart_rate_bpm: From the header, or None.
        description: The series description or file name, for a reader.
        frame_sources: (phase)(slice) where each frame was read from, or empty where frames have no file of their own.
        any_size: Whether a reader allowed volumes that no human heart has (`domain.measures.volumes`).
    """

    pixels: NDArray[Any]
    geometry: Geometry
    phase_times_ms: tuple[float, ...] | None = None
    source_slices: tuple[int, ...] = ()
    ed_phase: int | None = None
    es_phase: int | None = None
    ed_es_by: str = ""
    shows_cycle: bool = True
    heart_rate_bpm: float | None = None
    description: str = ""
    frame_sources: tuple[tuple[FrameSource, ...], ...] = ()
    any_size: bool = False

    def __post_init__(self) -> None:
        g = self.geometry
        if self.pixels.ndim != 4 or self.pixels.shape[1:] != (g.slices, g.rows, g.cols) or self.pixels.shape[0] < 1:
            raise GeometryError(
                f"Pixels of shape {self.pixels.shape} do not fit a grid of {g.slices} slices of {g.rows} x {g.cols}."
            )
        if self.phase_times_ms is not None and len(self.phase_times_ms) != self.phases:
            raise GeometryError(f"{len(self.phase_times_ms)} phase times for {self.phases} phases.")
        if not self.source_slices:
            object.__setattr__(self, "source_slices", tuple(range(g.slices)))
        if sorted(self.source_slices) != list(range(g.slices)):
            raise GeometryError(f"The source slices {self.source_slices} do not name each of {g.slices} slices once.")
        if self.frame_sources and [len(row) for row in self.frame_sources] != [g.slices] * self.phases:
            raise GeometryError(f"The frame sources do not name each of {self.phases} x {g.slices} frames.")

    @property
    def phases(self) -> int:
        """Number of phases."""
        return int(self.pixels.shape[0])

    @property
    def slices(self) -> int:
        """Number of slices."""
        return self.geometry.slices

    @property
    def frame_indices(self) -> list[FrameIndex]:
        """All frames, phase by phase, base to apex."""
        return [FrameIndex(p, s) for p in range(self.phases) for s in range(self.slices)]

    def frame(self, index: FrameIndex) -> NDArray[Any]:
        """Pixels of one frame, (row, col)."""
        return np.asarray(self.pixels[index.phase, index.slice_index])

    @cached_property
    def stack_id(self) -> str:
        """What the stack is recognised by: 32 hex digits over its pixels, shape and positions.

        The same pixels are the same stack, wherever the files are and whatever their names.
        """
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((self.pixels.shape, self.pixels.dtype.str, self.geometry.pixel_spacing_mm)).encode())
        digest.update(np.round(np.asarray(self.geometry.positions_mm), 3).tobytes())
        for phase in self.pixels:  # one by one, so that a reversed view is never copied whole
            digest.update(np.ascontiguousarray(phase).data)
        return digest.hexdigest()


class StackChoice(NamedTuple):
    """A stack, or an acquisition of a slice, that a reader can choose.

    Attributes:
        key: What the choice is recognised by when the study is opened again.
        text: For a reader: description, slices x phases, what distinguishes it from the others.
        opened: Whether this is the one that was opened.
        is_cine: Whether it is a short-axis cine, as far as the files show, and not another stack of several phases.
    """

    key: str
    text: str
    opened: bool = False
    is_cine: bool = True


class RepeatedSlice(NamedTuple):
    """A slice that was acquired more than once.

    Attributes:
        slice_index: The slice, 0 = most basal.
        key: What the place is recognised by when the study is opened again.
        acquisitions: In order of time; the one that was opened is marked.
    """

    slice_index: int
    key: str
    acquisitions: tuple[StackChoice, ...]


@dataclass(frozen=True, eq=False)
class Study:
    """What was opened.

    Attributes:
        name: Pseudonym, folder or file name without extensions; for a reader, never a patient's name.
        source: The file or folder it came from.
        patient_key: What frames of one patient are recognised by across studies: a hash of the patient's identifier, or
            of the name where there is none; empty means the stack itself.
        stacks: Short-axis cine stacks, the suggested one first; at least one.
        warnings: What a reader should know about the load.
        reference: Label maps next to the images, (phase, slice, row, col) uint8 of `Label` for the first
            stack, background at phases that have none; or None.
        reference_phases: Phases of the first stack that have reference label maps.
        format_name: "DICOM", "NIfTI" and so on.
        source_affine: (4, 4) voxel-to-world matrix of the input as its file gives it (RAS for NIfTI), or None.
        source_axes: How the frames of the first stack lie in the axes of a volume file.
        long_axis: Long-axis cines of the same study, to be shown with the lines of the slices on them.
        choices: The stacks in the files, the opened one included; empty where there is only one.
        repeats: Slices that were acquired more than once.
        patient: Sex, age, body size and heart rate as the files state them; never who the patient is.
        others: What to open for the studies of other patients in what the reader opened.
    """

    name: str
    source: Path
    stacks: tuple[Stack, ...]
    patient_key: str = ""
    warnings: tuple[Note, ...] = ()
    reference: NDArray[np.uint8] | None = None
    reference_phases: tuple[int, ...] = ()
    format_name: str = ""
    source_affine: NDArray[np.float64] | None = field(default=None)
    source_axes: FileAxes = THIRD_ACROSS
    long_axis: tuple[LongAxisView, ...] = ()
    choices: tuple[StackChoice, ...] = ()
    repeats: tuple[RepeatedSlice, ...] = ()
    patient: Patient = UNKNOWN_PATIENT
    others: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not self.stacks:
            raise GeometryError(f"The study {self.name} has no stack.")

    @property
    def stack(self) -> Stack:
        """The suggested stack."""
        return self.stacks[0]
