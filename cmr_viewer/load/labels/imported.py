"""Label maps of a study from another program, and contours before they become label maps.

`domain.polygons` decides which pixels one contour encloses. All contours of one label in one frame count together: what
is inside two of them is outside (a hole), separate parts add up. Labels are painted in the order RVBP, LVM, LVBP: the
myocardium is what the epicardium encloses less what the endocardium does, and the right ventricle is what the left one
leaves.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.dicom_uid import valid_uid
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.domain.polygons import Points, fill_polygons
from cmr_viewer.domain.study import FrameIndex, FrameSource, Stack, Study
from cmr_viewer.errors import LabelMapError
from cmr_viewer.progress import Progress, silent

FARTHEST = 1e6
"""Coordinates beyond this many pixels belong to no frame."""

MOST_POINTS = 4_000_000
"""A contour of more points than this is refused."""

PAINTING_ORDER = (Label.RVBP, Label.LVM, Label.LVBP)
"""What is painted later covers what was painted before."""


def checked_points(values: NDArray[np.float64], what: str) -> Points:
    """The points (point, 2) of a contour, x and y in pixels, once checked; `what` is its name in messages.

    Raises:
        LabelMapError: Fewer than three points, values that are not numbers, or far outside any frame.
    """
    if values.ndim != 2 or values.shape[1:] != (2,) or len(values) < 3:
        raise LabelMapError(f"{what} has {counted(len(values), 'point')}; it needs at least three.")
    if len(values) > MOST_POINTS:
        raise LabelMapError(f"{what} has {len(values)} points, more than any reader draws.")
    if not np.isfinite(values).all():
        raise LabelMapError(f"{what} has points that are not numbers.")
    if np.abs(values).max() > FARTHEST:
        raise LabelMapError(f"{what} is far outside any frame.")
    return np.asarray(values, dtype=np.float64)


def paint(contours: Mapping[Label, Sequence[Points]], shape: tuple[int, int]) -> LabelMap:
    """(row, col) label map of one frame from the contours that enclose each label; the epicardium encloses LVM."""
    labels = np.zeros(shape, dtype=np.uint8)
    for label in PAINTING_ORDER:
        if label in contours:
            labels[fill_polygons(contours[label], shape)] = int(label)
    return labels


_EDGE = 0.51
"""How far outside the outermost pixel centres a contour may run and still be within its frame: along the edge of the
frame, half a pixel away, and a hundredth for files that round."""


@dataclass(frozen=True, eq=False)
class ImportedLabels:
    """Label maps of the first stack of a study, from a file of another program.

    Attributes:
        labels: (phase, slice, row, col) uint8 of `Label`, slices and phases as in the stack; background where the
            file states nothing.
        structures: Per frame in the file: the labels that it states there. The absence of any other label means
            nothing; frames that are not in the file were not drawn.
        provenance: What the label maps are, for a reader: "cvi42 workspace", "DICOM SEG: model X".
        warnings: What a reader should know.
        made: How they were made, as the source states; None where it does not.
    """

    labels: LabelMap
    structures: Mapping[FrameIndex, frozenset[Label]]
    provenance: str
    warnings: tuple[Note, ...] = ()
    made: Provenance | None = None


class FrameLookup:
    """Finds frames of a stack by the SOP Instance UID and frame number of their source."""

    def __init__(self, stack: Stack) -> None:
        self._frames: dict[tuple[str, int], FrameIndex] = {}
        self._of_uid: dict[str, list[FrameIndex]] = {}
        for phase, row in enumerate(stack.frame_sources):
            for slice_index, source in enumerate(row):
                if not source.instance_uid:
                    continue
                frame = FrameIndex(phase, slice_index)
                # A file may refer to an image with an invalid UID by the valid one that replaces it.
                for uid in {source.instance_uid, valid_uid(source.instance_uid)}:
                    self._frames[uid, source.frame_number] = frame
                    self._of_uid.setdefault(uid, []).append(frame)

    @property
    def knows_instances(self) -> bool:
        """Whether the stack came from files with SOP Instance UIDs."""
        return bool(self._frames)

    def frame(self, instance_uid: str, frame_number: int | None = None) -> FrameIndex | None:
        """The frame of an instance; without a number only where the instance is one frame of the stack."""
        if frame_number is not None:
            return self._frames.get((instance_uid, frame_number))
        frames = self._of_uid.get(instance_uid, [])
        return frames[0] if len(frames) == 1 else None


def points_in_frame(points: NDArray[np.float64], source: FrameSource) -> NDArray[np.float64]:
    """Points of a file's image as points of its frame, whose rows or columns may have been reversed or cropped.

    Both are (point, 2), x (column) and y (row).
    """
    row, col = source.in_frame((0.0, 0.0))
    to_row, to_col = source.in_frame((1.0, 1.0))
    return np.asarray(points * (to_col - col, to_row - row) + (col, row), dtype=np.float64)


def source_of(stack: Stack, frame: FrameIndex) -> FrameSource:
    """Where a frame came from; an empty source where the stack does not state it."""
    return stack.frame_sources[frame.phase][frame.slice_index] if stack.frame_sources else FrameSource(Path())


class DrawnContours:
    """Contours by frame and label, gathered from a file, and what was wrong with some of them."""

    def __init__(self, stack: Stack) -> None:
        self._shape: tuple[int, ...] = stack.pixels.shape
        self._contours: dict[FrameIndex, dict[Label, list[Points]]] = {}
        self._faults: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._contours)

    def add(self, frame: FrameIndex, label: Label, points: NDArray[np.float64]) -> None:
        """Add a contour (point, 2) of x and y in pixels; an impossible one is left out and counted."""
        try:
            checked = checked_points(points, "A contour")
        except LabelMapError as error:
            self._faults["Left out {}. " + str(error)] += 1
            return
        rows, cols = self._shape[2:]
        if (checked < -_EDGE).any() or (checked > (cols - 1 + _EDGE, rows - 1 + _EDGE)).any():
            low, high = checked.min(axis=0), checked.max(axis=0)
            if (high <= -0.5).any() or low[0] >= cols - 0.5 or low[1] >= rows - 0.5:
                self._faults["Left out {} outside the frame."] += 1
                return
            self._faults["Cropped {} at the edge of the frame."] += 1
        self._contours.setdefault(frame, {}).setdefault(label, []).append(checked)

    @property
    def warnings(self) -> list[Note]:
        """What was wrong with contours, with counts."""
        faults = self._faults.items()
        return [Note(text.format(counted(count, "contour")), Code.LABELS_LEFT_OUT) for text, count in faults]

    def painted(self, provenance: str, warnings: list[Note], progress: Progress = silent) -> ImportedLabels:
        """Label maps of all contours."""
        labels = np.zeros(self._shape, dtype=np.uint8)
        notes = [*warnings, *self.warnings]
        nothing = 0
        for number, (frame, contours) in enumerate(self._contours.items()):
            progress(number / len(self._contours), "Painting contours")
            painted = paint(contours, (self._shape[2], self._shape[3]))
            labels[frame.phase, frame.slice_index] = painted
            nothing += not painted.any()
        if nothing:
            text = f"In {counted(nothing, 'frame')}, the contours enclose no pixel centre."
            notes.append(Note(text, Code.LABELS_LEFT_OUT))
        structures = {frame: frozenset(contours) for frame, contours in sorted(self._contours.items())}
        return ImportedLabels(labels, structures, provenance, tuple(notes))


def without_empty(imported: ImportedLabels, name: str, study_name: str) -> ImportedLabels:
    """The labels of a file without the structures that have no pixel in it, so that these replace nothing.

    Raises:
        LabelMapError: No structure has any pixel.
    """
    stated = frozenset[Label]().union(*imported.structures.values())
    present = {label for label in stated if (imported.labels == int(label)).any()}
    if not present:
        raise LabelMapError(
            f"No label in {name} falls on a pixel of {study_name}. Nothing was changed. Check that the file belongs to "
            "this study."
        )
    empty = sorted(stated - present)
    if not empty:
        return imported
    names = " and ".join(label.name for label in empty)
    text = f"{name} contains no pixel of {names}. The label maps of {names} in this study stay unchanged."
    structures = {frame: there for frame, labels in imported.structures.items() if (there := labels & present)}
    notes = (*imported.warnings, Note(text, Code.STRUCTURES_EMPTY))
    return replace(imported, structures=structures, warnings=notes)


def require_match(name: str, study: Study, *, found: int, missing: int, what: str) -> list[Note]:
    """Notes on how much of a file belongs to a study.

    Args:
        name: The file's name.
        study: The study.
        found: How many contours or frames of the file belong to frames of the study.
        missing: How many do not.
        what: "contours" or "frames".

    Raises:
        LabelMapError: None belongs to the study.
    """
    if found:
        text = f"Left out {missing} of {found + missing} {what} in {name}, drawn on images outside this stack."
        return [Note(text, Code.LABELS_LEFT_OUT)] if missing else []
    if not missing:
        raise LabelMapError(f"{name} contains no {what} of the left or right ventricle on short-axis frames.")
    if not FrameLookup(study.stack).knows_instances:
        raise LabelMapError(
            f"{name} identifies images by DICOM UIDs, but {study.name} has none. Open the DICOM files instead."
        )
    raise LabelMapError(
        f"None of the {missing} {what} in {name} belongs to an image of {study.name}: they were drawn on another "
        "study, another stack or copies with new UIDs. Open the images that they were drawn on."
    )
