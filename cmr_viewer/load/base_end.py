"""Which end of a short-axis stack is the base."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.geometry import Vector

TO_APEX: Vector = (0.6, -0.55, -0.55)
"""Direction from the base to the apex of the left ventricle in the patient (LPS), near enough for either end to be
told.

The long axis of the heart points to the left, to the front and down; in adults it varies by some tens of degrees,
while the other end is 180 degrees away (Foster et al. 2005, Clin Physiol Funct Imaging 25:286).
"""

_PHASES_LOOKED_AT = 10
_LEAST_PIXELS = 16


def is_oblique(normal: NDArray[np.float64]) -> bool:
    """Whether a slice normal can be that of real short-axis slices.

    A short-axis plane is oblique to the axes of the body. A normal within 10 degrees of one of them is a sign of a file
    whose orientation was lost and replaced by a default.

    Args:
        normal: Unit vector in patient coordinates, (3,).
    """
    return bool(np.abs(normal).max() < np.cos(np.deg2rad(10.0)))


def points_to_apex(direction: NDArray[np.float64]) -> bool:
    """Whether a direction in the patient (LPS) goes from base to apex rather than back."""
    return float(direction @ np.asarray(TO_APEX)) > 0


def starts_at_base(pixels: NDArray[Any]) -> bool:
    """Guess from the images alone whether the first slice is at the base.

    With several phases: what moves takes a larger part of the frame, and lies further apart, at the base. With one
    phase: the middle of the frame stands out brighter from what is around it at the base, where the blood pools are
    large.

    Args:
        pixels: (phase, slice, row, col), the heart somewhere about the middle of the frame.

    Returns:
        True if the first slice is more likely the basal end, and where nothing can be told.

    Source:
        Chosen on ACDC and M&Ms vendor A against their label maps, and right there for 154 of 155 patients from ED and
        ES together, and for 285 of 310 single phases.
    """
    if pixels.shape[1] < 2 or min(pixels.shape[2:]) < _LEAST_PIXELS:
        return True
    chosen = np.unique(np.linspace(0, pixels.shape[0] - 1, _PHASES_LOOKED_AT).round().astype(int))
    frames = pixels[chosen].astype(np.float32)
    if frames.shape[0] == 1:
        return _trend(_middle_contrast(frames[0])) <= 0
    extent, spread = _motion(frames)
    return _trend(extent) + _trend(spread) <= 0


def _motion(frames: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per slice: how much of the heart's surroundings changes over the phases, and how far from the heart's middle."""
    change = ndimage.gaussian_filter(frames.std(axis=0), (0, 1.5, 1.5))
    rows, cols = change.shape[1:]
    y, x = np.mgrid[:rows, :cols].astype(np.float32)
    middle = np.exp(-(((y - rows / 2) / (rows / 4)) ** 2 + ((x - cols / 2) / (cols / 4)) ** 2) / 2)
    weight = (change.mean(axis=0) * middle) ** 2
    total = float(weight.sum())
    if total <= 0:
        return np.zeros(len(change)), np.zeros(len(change))
    distance = np.hypot(y - (weight * y).sum() / total, x - (weight * x).sum() / total)
    near = distance < 0.36 * min(rows, cols)
    here = change[:, near].astype(np.float64)
    extent = (here > np.percentile(here, 85)).mean(axis=1)
    energy = here**2
    spread = np.sqrt((energy * distance[near] ** 2).sum(axis=1) / np.maximum(energy.sum(axis=1), 1e-12))
    return extent, spread


def _middle_contrast(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Per slice of one phase: mean of the frame's middle less the mean of the ring around it."""
    rows, cols = frames.shape[1:]
    y, x = np.mgrid[:rows, :cols]
    distance = np.hypot(y - rows / 2, x - cols / 2) / min(rows, cols)
    inside, ring = distance < 0.16, (distance >= 0.16) & (distance < 0.32)
    return np.asarray(frames[:, inside].mean(axis=1) - frames[:, ring].mean(axis=1), dtype=np.float64)


def _trend(values: NDArray[np.float64]) -> float:
    """Correlation of values with their index, -1 to 1; 0 where they are all alike."""
    index = np.arange(len(values)) - (len(values) - 1) / 2
    centred = values - values.mean()
    norm = float(np.sqrt((centred**2).sum() * (index**2).sum()))
    return float(centred @ index) / norm if norm > 1e-12 else 0.0
