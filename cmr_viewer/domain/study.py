"""A study as the program sees it: stacks of frames with their geometry and times."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.file_axes import THIRD_ACROSS, FileAxes
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.patient import UNKNOWN_PATIENT, Patient
from cmr_viewer.domain.view import LongAxisView
from cmr_viewer.errors import GeometryError

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
        origin: (row, col) in the file of the first pixel of the frame; not (0, 0) where rows or columns were turned
            round, cut off or filled up to fit the stack.
        step: Rows and columns of the file from one row, col of the frame to the next; negative where they were turned
            round.
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
        phase_times_ms: Time of each phase after the R wave, or None where the files do not tell.
        source_slices: Per slice: its index in the input's own slice order.
        ed_phase: End-diastole as the source states it, or None.
        es_phase: End-systole as the source states it, or None.
        ed_es_by: What in the source states them, in words: "the contour files"; empty where nothing does.
        shows_cycle: Whether the phases are those of one heart cycle, as far as the files tell: not so for perfusion.
        heart_rate_bpm: From the header, or None.
        description: The series description or file name, for a reader.
        frame_sources: (phase)(slice) where each frame was read from, or empty where frames have no file of their own.
        any_size: Whether a reader allowed volumes that no human heart has (`domain.plausible`).
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

        The same pixels are the same stack, wherever the files lie and whatever they are called.
        """
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((self.pixels.shape, self.pixels.dtype.str, self.geometry.pixel_spacing_mm)).encode())
        digest.update(np.round(np.asarray(self.geometry.positions_mm), 3).tobytes())
        for phase in self.pixels:  # one by one, so that a view that is turned round is never copied whole
            digest.update(np.ascontiguousarray(phase).data)
        return digest.hexdigest()


class StackChoice(NamedTuple):
    """A stack, or an acquisition of a slice, that a study offers.

    Attributes:
        key: What the choice is recognised by when the study is opened again.
        text: For a reader: description, slices x phases, what tells it from the others.
        opened: Whether this is the one that was opened.
        is_cine: Whether it is a short-axis cine, as far as the files tell, and not another stack of several phases.
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
        reference: Label maps that lie beside the images, (phase, slice, row, col) uint8 of `Label` for the first
            stack, background at phases that have none; or None.
        reference_phases: Phases of the first stack that have reference label maps.
        format_name: "DICOM", "NIfTI" and so on.
        source_affine: (4, 4) voxel-to-world matrix of the input as its file gives it (RAS for NIfTI), or None.
        source_axes: How the frames of the first stack lie in the axes of a volume file.
        long_axis: Long-axis cines of the same study, to be shown with the lines of the slices on them.
        choices: The stacks that the files offer, the opened one included; empty where there is only one.
        repeats: Slices that were acquired more than once.
        patient: Sex, age, body size and heart rate as the files tell them; never who the patient is.
        others: Where the studies of other patients are opened from that lie in what the reader pointed at.
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
