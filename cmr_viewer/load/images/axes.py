"""Along which axis of a volume file the slices run, and how its frames are oriented."""

from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import FileAxes
from cmr_viewer.load.base_end import TO_APEX, axis_likeness, is_oblique

_COARSER = 1.5
_FEWER = 0.5
"""Slices of short-axis cines lie at least twice as far apart as pixels, and frames have at least three times as many
rows as there are slices; real stacks do not come nearer than that."""

_CLEARLY_LIKER, _LIKE = 0.25, 0.7
_LEAST_TO_COMPARE, _CLEARLY_ALIKE = 3, 0.67
"""Phases of a cine follow one another closely: its slices differ two to seven times as much as its phases."""

_TO_THE_LEFT, _TO_THE_FEET = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, -1.0])

Vectors = NDArray[np.float64]
"""(3, 3), a column for each axis of the file: the step of a voxel in the patient, LPS, mm."""


def axis_lengths(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) size of a voxel along each axis of space, by a (4, 4) voxel-to-world matrix."""
    return np.asarray(np.linalg.norm(affine[:3, :3], axis=0))


def corners_apart(one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """How far apart two (4, 4) matrices put the corners of an image (i, j, k, ...), at most, in their unit."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray((*shape, 1, 1, 1)[:3]) - 1)
    difference = one - other
    return float(np.linalg.norm(corners @ difference[:3, :3].T + difference[:3, 3], axis=1).max())


def find_slice_axis(shape: tuple[int, ...], steps: Vectors, *, sized: bool, placed: bool) -> tuple[int, bool]:
    """The axis of a volume (i, j, k, ...) that its slices lie along, 0 to 2; and whether it is known, not guessed.

    Slices are further apart than pixels and fewer than rows. Where neither shows it, the axis along the usual long axis
    of the heart is used. `sized` and `placed`: whether the file gives a size to its voxels, and its orientation.
    """
    counts, lengths = np.asarray(shape[:3]), np.linalg.norm(steps, axis=0)
    if (counts == 1).any():
        return (2 if counts[2] == 1 else int(np.flatnonzero(counts == 1)[-1])), True
    by_size = coarsest_axis(lengths) if sized else None
    by_count = shortest_axis(shape)
    if by_size is not None and by_count is not None and by_size != by_count:
        return by_count, False
    for found in (by_size, by_count, _along_the_heart(steps) if placed else None):
        if found is not None:
            return found, True
    odd = [axis for axis in range(3) if len(set(np.delete(counts, axis).tolist())) == 1]
    return (odd[0] if len(odd) == 1 else 2), False


def coarsest_axis(sizes: NDArray[np.float64]) -> int | None:
    """The axis along which voxels are clearly longest, or None."""
    return _standing_out(sizes, _COARSER)


def shortest_axis(shape: tuple[int, ...]) -> int | None:
    """The axis that has clearly fewest voxels, or None."""
    return _standing_out(1.0 / np.asarray(shape[:3]), 1.0 / _FEWER)


def _standing_out(values: NDArray[np.float64], times: float) -> int | None:
    """The axis whose value is at least so many times each other one, or None."""
    largest = int(np.argmax(values))
    return largest if values[largest] >= times * np.delete(values, largest).max() * (1 - 1e-6) else None


def _along_the_heart(steps: Vectors) -> int | None:
    likeness = np.array([axis_likeness(step) for step in steps.T])
    best = int(np.argmax(likeness))
    if not is_oblique(steps[:, best] / np.linalg.norm(steps[:, best])) or likeness[best] < _LIKE:
        return None
    return best if likeness[best] - np.delete(likeness, best).max() >= _CLEARLY_LIKER else None


def axes_across(across: int, steps: Vectors, *, placed: bool) -> FileAxes:
    """How the slices of a volume along an axis become frames.

    Short-axis frames are seen from the apex, with the right ventricle on the left (SCMR), so that a frame must
    not be mirrored. Slices along the third axis give frames as the file stores them, with their rows reversed where
    they are mirrored (converters such as dcm2niix store rows from bottom to top). A tool reoriented files of another
    order: there the columns run to the patient's left and the rows to the feet, as near as the axes allow. Where the
    file does not state its orientation, frames stay as stored, and the last of three axes is the one whose index grows
    fastest in an array of rows and columns.

    Args:
        across: The axis of the slices.
        steps: Of the axes.
        placed: Whether the file states its orientation in the patient.
    """
    normal = steps[:, across] / np.linalg.norm(steps[:, across])
    oriented = placed and is_oblique(normal)
    if across == 2:
        return FileAxes(rows_reversed=oriented and _is_mirrored(steps[:, 0], steps[:, 1]))
    if not oriented:
        return FileAxes(2, 1, 0) if across == 0 else FileAxes(0, 2, 1)
    unit = steps / np.linalg.norm(steps, axis=0)
    best, found = -np.inf, FileAxes()
    for (col, row), (cols_sign, rows_sign) in product(
        permutations([axis for axis in range(3) if axis != across]), product((1, -1), repeat=2)
    ):
        right, down = unit[:, col] * cols_sign, unit[:, row] * rows_sign
        fit = float(right @ _TO_THE_LEFT + down @ _TO_THE_FEET)
        if fit > best and not _is_mirrored(right, down):
            best, found = fit, FileAxes(col, row, across, cols_sign < 0, rows_sign < 0)
    return found


def _is_mirrored(right: NDArray[np.float64], down: NDArray[np.float64]) -> bool:
    """Whether a frame is seen from the base: its columns and rows turn about a normal that points to the apex."""
    return float(np.cross(right, down) @ np.asarray(TO_APEX)) > 0


def slice_axis_note(axes: FileAxes, *, known: bool, chosen: bool) -> Note | None:
    """What a reader should know about the axis of the slices, or None where it is the third, as in most files."""
    which = f"The slices run along axis {axes.across + 1} of the file"
    if chosen:
        return Note(f"{which}, as a reader chose.", Code.SLICE_AXIS)
    if not known:
        text = f"{which}. This is a guess: shape and voxel size fit another axis as well. Check the images."
        return Note(text, Code.SLICE_AXIS_GUESSED)
    if axes.across == 2:
        return None
    return Note(f"{which}. Label maps are written back in the axis order of the file.", Code.SLICE_AXIS)


def exchanged_note(pixels: NDArray[Any]) -> Note | None:
    """A note where slices of a cine (phase, slice, row, col) seem to be its phases, and its phases slices; else None.

    From one phase to the next most of a frame stays as it is; from one slice to the next it does not. Some tools write
    arrays of (slice, phase, row, col), whose phases then lie on the third axis.
    """
    if min(pixels.shape[:2]) < _LEAST_TO_COMPARE:
        return None
    some = pixels[:, :, ::2, ::2].astype(np.float32)
    by_phase, by_slice = (float(np.abs(np.diff(some, axis=axis)).mean()) for axis in (0, 1))
    if by_slice >= _CLEARLY_ALIKE * by_phase:
        return None
    text = (
        "Neighbouring slices look much more alike than neighbouring phases: the file may have its slice axis and its "
        "phase axis exchanged. Check the images."
    )
    return Note(text, Code.SLICE_AXIS_GUESSED)
