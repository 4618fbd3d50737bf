"""Changes to a batch that leave its meaning as it is: geometry and intensity.

No mirroring: it would exchange left and right ventricle.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """How far a batch may be changed; all draws are uniform unless said.

    Attributes:
        rotation_deg: Rotation to either side.
        zoom: Smallest and largest magnification.
        stretch: Largest relative difference of the two axes' magnification.
        shift_px: Shift to either side, in pixels of the grid.
        gamma: Smallest and largest exponent of the normalised intensities.
        noise: Largest standard deviation of Gaussian noise.
        bias: Largest relative strength of a smooth intensity slope.
        blur: Share of samples that are blurred.
    """

    rotation_deg: float = 30.0
    zoom: tuple[float, float] = (0.75, 1.3)
    stretch: float = 0.1
    shift_px: float = 14.0
    gamma: tuple[float, float] = (0.65, 1.5)
    noise: float = 0.15
    bias: float = 0.4
    blur: float = 0.15


NO_AUGMENTATION = Augmentation(0.0, (1.0, 1.0), 0.0, 0.0, (1.0, 1.0), 0.0, 0.0, 0.0)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def augment_batch(
    images: Tensor, labels: Tensor, size: tuple[int, int], how: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cut a batch of samples to the network's grid, each changed in its own way.

    Args:
        images: (batch, 1, row, col) float32, normalised, wider than `size`.
        labels: (batch, row, col) uint8.
        size: (rows, cols) of the network's grid.
        how: How far.
        generator: Source of chance, on the CPU.

    Returns:
        images (batch, 1, *size) float32 and labels (batch, *size) int64, on the device of `images`.
    """
    grid = _sampling_grid(images.shape[0], (images.shape[2], images.shape[3]), size, how, generator).to(images.device)
    changed = functional.grid_sample(images, grid, mode="bilinear", align_corners=True)
    moved = functional.grid_sample(labels[:, None].float(), grid, mode="nearest", align_corners=True)
    return _change_intensity(changed, how, generator), moved[:, 0].long()


def _sampling_grid(
    count: int, source: tuple[int, int], size: tuple[int, int], how: Augmentation, generator: torch.Generator
) -> Tensor:
    angle = _uniform(count, -how.rotation_deg, how.rotation_deg, generator) * math.pi / 180
    zoom = torch.exp(_uniform(count, math.log(how.zoom[0]), math.log(how.zoom[1]), generator))
    stretch = torch.exp(_uniform(count, -how.stretch, how.stretch, generator))
    shift_row = _uniform(count, -how.shift_px, how.shift_px, generator)[:, None, None]
    shift_col = _uniform(count, -how.shift_px, how.shift_px, generator)[:, None, None]
    rows = torch.arange(size[0]) - (size[0] - 1) / 2
    cols = torch.arange(size[1]) - (size[1] - 1) / 2
    r, c = (axis[None] for axis in torch.meshgrid(rows, cols, indexing="ij"))
    scale_row, scale_col = (1 / (zoom * stretch))[:, None, None], (stretch / zoom)[:, None, None]
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    source_row = (cos * r - sin * c) * scale_row + shift_row
    source_col = (sin * r + cos * c) * scale_col + shift_col
    return torch.stack([source_col / ((source[1] - 1) / 2), source_row / ((source[0] - 1) / 2)], dim=-1)


def _change_intensity(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    count, _, rows, cols = images.shape
    device = images.device

    def per_sample(low: float, high: float) -> Tensor:
        return _uniform(count, low, high, generator).to(device)[:, None, None, None]

    low = images.amin(dim=(1, 2, 3), keepdim=True)
    span = (images.amax(dim=(1, 2, 3), keepdim=True) - low).clamp_min(1e-3)
    gamma = torch.exp(per_sample(math.log(how.gamma[0]), math.log(how.gamma[1])))
    changed = ((images - low) / span).pow(gamma)
    if how.bias:
        r = torch.linspace(-1, 1, rows, device=device)[None, None, :, None]
        c = torch.linspace(-1, 1, cols, device=device)[None, None, None, :]
        b = how.bias
        slope = per_sample(-b, b) * r + per_sample(-b, b) * c + per_sample(-b, b) * r * c
        changed = changed * torch.exp(slope)
    if how.blur:
        blurred = functional.avg_pool2d(changed, 3, 1, 1, count_include_pad=False)
        changed = torch.where(per_sample(0.0, 1.0) < how.blur, blurred, changed)
    mean = changed.mean(dim=(1, 2, 3), keepdim=True)
    changed = (changed - mean) / changed.std(dim=(1, 2, 3), keepdim=True).clamp_min(1e-3)
    if how.noise:
        changed = changed + per_sample(0.0, how.noise) * torch.randn(images.shape, generator=generator).to(device)
    return changed
