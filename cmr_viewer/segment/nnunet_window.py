"""nnU-Net's sliding window: tiles that overlap, weighted by a Gaussian, each mirrored and averaged.

Source:
    nnU-Net v2 (Apache License 2.0), release 2.8.1: nnUNetPredictor and sliding_window_prediction. Isensee et al. 2021.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import lru_cache
from itertools import chain, combinations
from math import ceil

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

STEP = 0.5
"""Largest distance of neighbouring tiles, in tiles."""

SIGMA = 1 / 8
"""Standard deviation of the weights, in tiles."""

LARGEST_WEIGHT = 10.0
"""At the centre of a tile; keeps the weights at its corners above what half precision drops."""


def predict_logits(network: nn.Module, images: Tensor, patch: tuple[int, int], mirror_axes: Sequence[int]) -> Tensor:
    """Logits of images of any size.

    Args:
        network: In evaluation mode, on the device of the images.
        images: (frame, row, col) float32, all predicted side by side.
        patch: (rows, cols) of a tile.
        mirror_axes: 0 for rows, 1 for columns: mirrored in all combinations and averaged.

    Returns:
        (frame, label, row, col), half precision, in which nnU-Net adds tiles up.
    """
    padded, (top, left) = _padded(images, patch)
    rows, cols = images.shape[1:]
    weights = tile_weights(patch).to(images.device)
    total: Tensor | None = None
    count = torch.zeros(padded.shape[1:], dtype=torch.half, device=images.device)
    # as nnU-Net: mixed precision on CUDA, full precision elsewhere
    fast = torch.autocast("cuda") if images.device.type == "cuda" else nullcontext()
    with torch.inference_mode(), fast:
        for tile in _tiles(padded.shape[1], padded.shape[2], patch):
            made = _mirrored(network, padded[:, *tile][:, None].contiguous(), mirror_axes)
            if total is None:
                shape = (made.shape[0], made.shape[1], *padded.shape[1:])
                total = torch.zeros(shape, dtype=torch.half, device=images.device)
            total[:, :, *tile] += made * weights
            count[tile] += weights
        if total is None:
            raise ValueError("there is no frame to predict")
        total /= count
    return total[:, :, top : top + rows, left : left + cols]


def _padded(images: Tensor, patch: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
    """Images in the middle of zeros, at least as large as a tile; and where in them they begin."""
    lacking = [max(0, tile - size) for tile, size in zip(patch, images.shape[1:], strict=True)]
    top, left = lacking[0] // 2, lacking[1] // 2
    return functional.pad(images, (left, lacking[1] - left, top, lacking[0] - top)), (top, left)


def _tiles(rows: int, cols: int, patch: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    for row in tile_starts(rows, patch[0]):
        for col in tile_starts(cols, patch[1]):
            yield slice(row, row + patch[0]), slice(col, col + patch[1])


def tile_starts(size: int, tile: int) -> list[int]:
    """Where tiles begin on an axis: from end to end, evenly, at most half a tile apart.

    Args:
        size: Of the axis, at least a tile.
        tile: Of a tile.
    """
    count = ceil((size - tile) / (tile * STEP)) + 1
    distance = (size - tile) / (count - 1) if count > 1 else 0.0
    return [round(distance * index) for index in range(count)]


@lru_cache(maxsize=8)
def tile_weights(patch: tuple[int, int]) -> Tensor:
    """(row, col) half precision weights of a tile's predictions: a Gaussian around its centre, nowhere 0."""
    point = np.zeros(patch)
    point[patch[0] // 2, patch[1] // 2] = 1
    wide = ndimage.gaussian_filter(point, [size * SIGMA for size in patch], mode="constant")
    weights = torch.from_numpy(wide / (wide.max() / LARGEST_WEIGHT)).half()
    weights[weights == 0] = weights[weights != 0].min()
    return weights


def _mirrored(network: nn.Module, tiles: Tensor, mirror_axes: Sequence[int]) -> Tensor:
    """Logits of tiles (frame, 1, row, col), averaged over all ways to mirror them."""
    axes = [axis + 2 for axis in mirror_axes]
    made: Tensor = network(tiles)
    ways = list(chain.from_iterable(combinations(axes, count) for count in range(1, len(axes) + 1)))
    for way in ways:
        made = made + torch.flip(network(torch.flip(tiles, way)), way)
    return made / (len(ways) + 1)
