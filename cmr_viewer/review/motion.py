"""The motion of the heart from one frame of a slice to another, from the images alone.

Thirion's demons with symmetric forces, from coarse to fine, by SimpleITK. docs/propagation.md compares them with other
methods; scikit-image's optical flow is as accurate and no faster (docs/decisions/0021-libraries.md).

Source:
    J.-P. Thirion. "Image matching as a diffusion process: an analogy with Maxwell's demons." Med Image Anal
    2(3):243-260, 1998. T. Vercauteren, X. Pennec, A. Perchant, N. Ayache. "Diffeomorphic demons: efficient
    non-parametric image registration." NeuroImage 45(1):S61-S72, 2009 (symmetric forces).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.errors import LabelMapError

Motion = NDArray[np.float32]
"""(2, row, col) where a point of the target came from: x was at x + motion, in pixels down and to the right."""

SHRINKS = (4, 2, 1)
"""The levels: every fourth pixel, every second, all."""

_SMALLEST = 16
"""Rows and columns that a level must have."""


@dataclass(frozen=True)
class MotionSearch:
    """How a motion is looked for.

    Attributes:
        iterations: At each level.
        smoothing_px: Standard deviation of the Gaussian that keeps the motion smooth, in pixels of each level.
    """

    iterations: int
    smoothing_px: float


SMALL_STEP = MotionSearch(10, 2.0)
"""From a phase to the next of some twenty."""

LARGE_STEP = MotionSearch(60, 1.5)
"""From end-diastole to end-systole at once, and from a slice to its neighbour."""


def grey_between(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Pixels of frames of one slice on a common scale: 0 at the 1st percentile, 1 at the 99th, cut off beyond.

    Args:
        pixels: Any shape and real dtype.
    """
    values = np.asarray(pixels, dtype=np.float32)
    low, high = np.percentile(values, [1.0, 99.0])
    if high <= low:
        return np.zeros_like(values)
    return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0), dtype=np.float32)


def find_motion(target: NDArray[np.float32], source: NDArray[np.float32], search: MotionSearch = SMALL_STEP) -> Motion:
    """Find how the heart moved from one frame to another.

    Args:
        target: (row, col) frame that something is to be carried to, by `grey_between`.
        source: (row, col) frame that it comes from, of the same shape and scale.
        search: How it is looked for.

    Returns:
        The motion: target(x) looks like source(x + motion(x)).

    Raises:
        LabelMapError: The shapes differ.
    """
    import SimpleITK as sitk  # noqa: N813, PLC0415 - its usual name; it would keep the window waiting

    if target.shape != source.shape:
        raise LabelMapError(
            f"Could not register frames of shapes {target.shape} and {source.shape}: the shapes differ."
        )
    fixed, moving = sitk.GetImageFromArray(target), sitk.GetImageFromArray(source)
    found: Any = None
    for shrink in SHRINKS:
        if shrink > 1 and min(target.shape) // shrink < _SMALLEST:
            continue
        levels = [_level(sitk, image, shrink) for image in (fixed, moving)]
        demons = sitk.FastSymmetricForcesDemonsRegistrationFilter()
        demons.SetNumberOfIterations(search.iterations)
        demons.SetSmoothDisplacementField(True)
        demons.SetStandardDeviations(search.smoothing_px)
        demons.SetNumberOfThreads(1)  # frames are small: more threads cost more than they save
        if found is not None:
            found = sitk.Resample(found, levels[0], sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkVectorFloat64)
            levels.append(found)
        found = demons.Execute(*levels)
    across_down = np.asarray(sitk.GetArrayFromImage(found), dtype=np.float32)
    return np.ascontiguousarray(np.moveaxis(across_down, -1, 0)[::-1])


def _level(sitk: Any, image: Any, shrink: int) -> Any:
    if shrink == 1:
        return image
    return sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, 0.5 * shrink), [shrink, shrink])
