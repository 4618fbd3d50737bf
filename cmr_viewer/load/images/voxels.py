"""The voxels of an image file: along which axis the slices run, how frames are oriented, and the size of voxels in mm.

Files name several units, give sizes that contradict one another, or sizes that are defaults.
"""

from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import is_oblique
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import FileAxes
from cmr_viewer.load.base_end import TO_APEX, axis_likeness

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


SAME_SIZE = 0.01
"""Share by which two statements of one size may differ."""

UNITS_MM = {
    **dict.fromkeys(["mm", "millimeter", "millimeters", "millimetre", "millimetres"], 1.0),
    **dict.fromkeys(["cm", "centimeter", "centimeters", "centimetre", "centimetres"], 10.0),
    **dict.fromkeys(["m", "meter", "meters", "metre", "metres"], 1000.0),
    **dict.fromkeys(["um", "µm", "μm", "micron", "microns", "micrometer", "micrometers", "micrometre"], 1e-3),
    **dict.fromkeys(["nm", "nanometer", "nanometers", "nanometre", "nanometres"], 1e-6),
    **dict.fromkeys(["in", "inch", "inches"], 25.4),
}
_NO_UNIT = ("", "unknown", "none", "???")

SPACING_DEFAULT = Note(
    "The file gives a voxel size of 1 x 1 x 1 mm, which is a default and not a measurement, so results in ml, g and mm "
    "are withheld. Correct the spacing.",
    Code.SPACING_UNKNOWN,
)
SPACING_MISSING = Note(
    "The file gives no voxel size, so results in ml, g and mm are withheld. Correct the spacing.", Code.SPACING_UNKNOWN
)

_LEAST_EXTENT_MM, _MOST_EXTENT_MM = 10.0, 1000.0
"""The longest side of an image of a heart, from a mouse's to the bore of a scanner."""

Sizes = NDArray[np.float64]
"""(3,) size of a voxel along the axes of a file."""


class InMm(NamedTuple):
    """A (4, 4) affine in mm, whether the lengths of its axes are believable, and notes."""

    affine: NDArray[np.float64]
    sized: bool
    notes: tuple[Note, ...] = ()


def is_default(sizes: Sizes) -> bool:
    """Whether voxels measure 1 x 1 x 1, which programs write where they know no size; rounding errors are ignored."""
    return bool(np.abs(sizes - 1.0).max() <= SAME_SIZE)


def text_of(sizes: Sizes) -> str:
    """A size for a reader."""
    return " x ".join(f"{size:.4g}" for size in sizes)


def possible_mm(unit: str) -> tuple[float, ...]:
    """How many mm a number may mean, the likeliest first: by the unit that a file names, or those that files omit."""
    stated = UNITS_MM.get(unit.strip().lower())
    return (1.0, 1000.0, 1e-3) if stated is None else (stated, 1.0)


def in_mm(affine: NDArray[np.float64], sizes: Sizes | None, shape: tuple[int, ...], unit: str) -> InMm:
    """An affine in mm, with the voxel size that is used.

    The unit that the file names holds if an image of a heart can be as large as that; else mm, and where it names
    none, also m and micron.

    Args:
        affine: (4, 4) voxel-to-world matrix in the unit of the file.
        sizes: Voxel size in that unit; None where it is not known: then that of the affine stays.
        shape: (i, j, k, ...).
        unit: The unit that the file names; empty or "unknown" for none.
    """
    word = unit.strip().lower()
    if word not in UNITS_MM and word not in _NO_UNIT:
        text = (
            f'The file gives its voxel size in an unknown unit, "{unit[:20]}", so results in ml, g and mm are withheld.'
        )
        return InMm(affine, False, (Note(f"{text} Correct the spacing.", Code.SPACING_UNKNOWN),))
    lengths = axis_lengths(affine)
    counted = lengths if sizes is None else sizes
    resized = affine @ np.diag([*(counted / lengths), 1.0])
    if sizes is not None and is_default(sizes):
        return InMm(resized, False, (SPACING_DEFAULT,))
    stated, *others = possible_mm(word)
    longest = float((counted * np.asarray((*shape, 1, 1, 1)[:3])).max())
    fits = [mm for mm in (stated, *others) if _LEAST_EXTENT_MM <= longest * mm <= _MOST_EXTENT_MM]
    mm = fits[0] if fits else stated
    scaled = np.diag([mm, mm, mm, 1.0]) @ resized
    if longest * mm > _MOST_EXTENT_MM:
        text = (
            f"With a voxel size of {text_of(counted * mm)} mm the image would be {longest * mm / 1000:.3g} m long, so "
            "results in ml, g and mm are withheld. Correct the spacing."
        )
        return InMm(scaled, False, (Note(text, Code.SPACING_UNKNOWN),))
    if mm == stated == 1.0:
        return InMm(scaled, sizes is not None)
    if mm == stated:
        text = f"The file gives its voxel size in {word}. It was converted to {text_of(counted * mm)} mm."
    else:
        text = (
            f"The file gives a voxel size of {text_of(counted)} {word if word in UNITS_MM else 'without a unit'}, "
            f"which no image of a heart has. It was read as {text_of(counted * mm)} mm. Check the spacing."
        )
    return InMm(scaled, sizes is not None, (Note(text, Code.SPACING_CONVERTED),))


def settled_sizes(
    by_affine: Sizes, by_header: Sizes | None, shape: tuple[int, ...]
) -> tuple[Sizes | None, Note | None]:
    """The voxel size of a file that may state it twice: by its affine, and by its header's own sizes.

    Returns:
        The size, or None where the two differ and both could be right; and what a reader should know, or None.
    """
    if by_header is None or np.allclose(by_affine, by_header, rtol=SAME_SIZE, atol=0):
        return by_affine, None
    both = f"The file gives two voxel sizes: {text_of(by_affine)} in its affine and {text_of(by_header)} in its header."
    left = [sizes for sizes in (by_affine, by_header) if not is_default(sizes) and _fits_shape(sizes, shape)]
    if len(left) != 1:
        text = f"{both} It is unknown which is right, so results in ml, g and mm are withheld. Correct the spacing."
        return None, Note(text, Code.SPACING_UNKNOWN)
    why = (
        "is a default"
        if any(is_default(sizes) for sizes in (by_affine, by_header))
        else "does not fit the shape of the image"
    )
    text = f"{both} The {'first' if left[0] is by_header else 'second'} {why}, so the other is used. Check the spacing."
    return left[0], Note(text, Code.SPACING_DISAGREES)


def _fits_shape(sizes: Sizes, shape: tuple[int, ...]) -> bool:
    """Whether voxels are longest along the axis that has the fewest of them, where both stand out."""
    coarse, few = coarsest_axis(sizes), shortest_axis((*shape, 1, 1, 1)[:3])
    return coarse is None or few is None or coarse == few
