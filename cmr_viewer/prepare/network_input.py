"""A frame with the slices around it, normalised, as a network sees them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.prepare.grid import Placement

Slices = Sequence[NDArray[Any] | None]
"""Pixels (row, col) of neighbouring slices at one phase, base side first, the frame itself in the middle; None beyond
the stack's ends."""


def offsets(context: int) -> range:
    """Distances in slices of the channels of a network with this many neighbours to either side."""
    return range(-context, context + 1)


def slices_around(stack: Stack, frame: FrameIndex, context: int) -> list[NDArray[Any] | None]:
    """A frame's pixels between those of its neighbours at the same phase.

    Args:
        stack: The stack.
        frame: The frame.
        context: Number of neighbouring slices to either side; 0 for the frame alone.
    """
    around = [frame.slice_index + offset for offset in offsets(context)]
    return [stack.frame(FrameIndex(frame.phase, s)) if 0 <= s < stack.slices else None for s in around]


def network_input(slices: Slices, place: Placement) -> NDArray[np.float32]:
    """Bring a frame and its neighbours onto a grid, each normalised by itself; zeros for a neighbour that is not there.

    Returns:
        (channel, grid row, grid col) float32.
    """
    inside = place.coverage() > 0.5
    empty = np.zeros((place.grid.rows, place.grid.cols), dtype=np.float32)
    return np.stack([empty if s is None else normalise(place.to_grid(s), inside) for s in slices])


def channels(
    image: NDArray[np.float32], neighbours: Mapping[int, NDArray[np.float32]], context: int
) -> NDArray[np.float32]:
    """Input channels from images that are on the grid already.

    Args:
        image: (row, col) of the frame.
        neighbours: (row, col) by distance in slices; -1 is the next towards the base.
        context: Number of neighbouring slices to either side.

    Returns:
        (channel, row, col); zeros for a neighbour that is not there.
    """
    empty = np.zeros_like(image)
    return np.stack([image if o == 0 else neighbours.get(o, empty) for o in offsets(context)])


CLIP_PERCENTILES = (0.5, 99.5)


def normalise(
    values: NDArray[Any],
    inside: NDArray[np.bool_] | None = None,
    clip_percentiles: tuple[float, float] = CLIP_PERCENTILES,
) -> NDArray[np.float32]:
    """Clip the tails and bring to mean 0 and standard deviation 1, over the pixels inside the frame.

    Args:
        values: (row, col), any real dtype, in scanner units.
        inside: (row, col): where the frame is; the rest becomes 0. None for everywhere.
        clip_percentiles: Tails to clip, in percent.

    Returns:
        (row, col) float32; zeros where all pixels are equal.

    Source:
        z-score of each image, as nnU-Net does for MR (Isensee et al. 2021).
    """
    image = np.asarray(values, dtype=np.float32)
    where = np.ones(image.shape, dtype=bool) if inside is None else inside
    pixels = image[where]
    if not pixels.size:
        return np.zeros(image.shape, dtype=np.float32)
    low, high = np.percentile(pixels, clip_percentiles)
    clipped = np.clip(pixels, low, high)
    deviation = float(clipped.std())
    result = np.zeros(image.shape, dtype=np.float32)
    if deviation > 1e-6 * max(1.0, abs(float(clipped.mean()))):
        result[where] = (clipped - clipped.mean()) / deviation
    return result
