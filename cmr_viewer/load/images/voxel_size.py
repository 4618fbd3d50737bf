"""The size of the voxels of an image file in mm: units, sizes that contradict one another, sizes that are defaults."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.load.images.axes import axis_lengths, coarsest_axis, shortest_axis

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
