"""From scanner units to what a network expects."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
