"""Changes to a batch that do not change its labels: geometry and intensity."""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from cmr_viewer.errors import TrainingError


@dataclass(frozen=True)
class Augmentation:
    """Limits of the changes to a batch; all random values are uniform unless stated.

    Attributes:
        rotation_deg: Rotation to either side.
        any_rotation: Share of samples that are turned by any angle instead: a scanner's in-plane orientation depends
            on the planned plane, and files without orientation may be rotated by 90 degrees.
        mirror: Share of samples that are mirrored. Labels name structures and not sides of the image, so they stay
            correct. Default 0.
        zoom: Smallest and largest magnification.
        stretch: Largest relative difference of the two axes' magnification.
        shift_px: Shift to either side, in pixels of the grid.
        breath_px: Shift of a neighbouring slice against the frame to either side, as between breath-holds.
        no_neighbour: Share of samples without neighbouring slices.
        gamma: Smallest and largest exponent of the normalised intensities.
        noise: Largest standard deviation of Gaussian noise.
        curve: Largest natural logarithm, to either side, of how much steeper or flatter a random contrast curve is in
            one part of the intensities than in another; the curve always rises.
        bias: Largest relative strength of a smooth intensity slope.
        coil: Largest natural logarithm, to either side, of a smooth field of brightness with several hills.
        blur: Share of samples that are blurred.
        coarse: Share of samples that lose resolution, as if acquired with fewer pixels.
        coarsest: Largest factor by which they lose it.
        narrow: Share of samples with a narrower field of view: beyond it lies what lies beyond a frame, which is 0, and
            no label.
        narrowest: Largest part of the grid that such a sample loses at each side.
    """

    rotation_deg: float = 30.0
    any_rotation: float = 0.0
    mirror: float = 0.0
    zoom: tuple[float, float] = (0.75, 1.3)
    stretch: float = 0.1
    shift_px: float = 14.0
    breath_px: float = 2.0
    no_neighbour: float = 0.1
    gamma: tuple[float, float] = (0.65, 1.5)
    noise: float = 0.15
    curve: float = 0.0
    bias: float = 0.4
    coil: float = 0.0
    blur: float = 0.15
    coarse: float = 0.0
    coarsest: float = 2.0
    narrow: float = 0.0
    narrowest: float = 0.2

    def changed(self, **values: object) -> "Augmentation":
        """With some values changed, as a spec names them.

        Raises:
            TrainingError: A name is not known, or a value is not a number or pair of numbers.
        """
        known = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise TrainingError(f"The augmentation {name!r} is not known. Choose from {', '.join(known)}.")
            pair = isinstance(known[name], tuple)
            given = tuple(value) if isinstance(value, list | tuple) else (value,)
            if len(given) != (2 if pair else 1) or not all(
                isinstance(v, int | float) and math.isfinite(v) for v in given
            ):
                raise TrainingError(f"The augmentation {name} must be {'two numbers' if pair else 'a number'}.")
            known[name] = given if pair else given[0]
        return Augmentation(**known)


NO_AUGMENTATION = Augmentation(
    rotation_deg=0.0,
    zoom=(1.0, 1.0),
    stretch=0.0,
    shift_px=0.0,
    breath_px=0.0,
    no_neighbour=0.0,
    gamma=(1.0, 1.0),
    noise=0.0,
    bias=0.0,
    blur=0.0,
)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def augment_batch(
    images: Tensor, labels: Tensor, size: tuple[int, int], how: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cut a batch of samples to the network's grid, each changed in its own way.

    Args:
        images: (batch, channel, row, col) float32, normalised, wider than `size`; the frame is the middle channel, a
            channel of zeros is a neighbouring slice that is not there.
        labels: (batch, row, col) uint8.
        size: (rows, cols) of the network's grid.
        how: How far.
        generator: Source of chance, on the CPU.

    Returns:
        images (batch, channel, *size) float32 and labels (batch, *size) int64, on the device of `images`.
    """
    grid = _sampling_grid(images.shape[0], (images.shape[2], images.shape[3]), size, how, generator).to(images.device)
    present = images.flatten(2).any(dim=2)
    changed = _sample_channels(images, grid, how, generator)
    moved = functional.grid_sample(labels[:, None].float(), grid, mode="nearest", align_corners=True)
    changed = _change_intensity(changed, how, generator)
    middle = images.shape[1] // 2
    shown = torch.rand(present.shape, generator=generator).to(images.device) >= how.no_neighbour
    shown[:, middle] = True
    changed = changed * (present & shown)[:, :, None, None]
    if how.narrow:
        seen = _field_of_view(images.shape[0], size, how, generator).to(images.device)
        changed, moved = changed * seen, moved * seen
    return changed, moved[:, 0].long()


def _field_of_view(count: int, size: tuple[int, int], how: Augmentation, generator: torch.Generator) -> Tensor:
    """(batch, 1, row, col): 1 inside a rectangle and 0 beyond it; all 1 for the samples that are not made narrower."""
    narrower = torch.rand(count, generator=generator) < how.narrow
    inside = torch.ones(count, 1, *size)
    for axis, pixels in ((2, size[0]), (3, size[1])):
        lost = [_uniform(count, 0.0, how.narrowest, generator) * pixels * narrower for _ in range(2)]
        at = torch.arange(pixels)[None]
        seen = (at >= lost[0][:, None]) & (at < pixels - lost[1][:, None])
        inside = inside * (seen[:, None, :, None] if axis == 2 else seen[:, None, None, :])
    return inside


def _sample_channels(images: Tensor, grid: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    count, channels, rows, cols = images.shape
    if channels == 1 or not how.breath_px:
        return functional.grid_sample(images, grid, mode="bilinear", align_corners=True)
    sampled = []
    for channel in range(channels):
        of_channel = grid
        if channel != channels // 2:
            apart = [_uniform(count, -how.breath_px, how.breath_px, generator) / ((n - 1) / 2) for n in (cols, rows)]
            of_channel = grid + torch.stack(apart, dim=-1)[:, None, None].to(grid.device)
        one = images[:, channel : channel + 1]
        sampled.append(functional.grid_sample(one, of_channel, mode="bilinear", align_corners=True))
    return torch.cat(sampled, dim=1)


def _sampling_grid(
    count: int, source: tuple[int, int], size: tuple[int, int], how: Augmentation, generator: torch.Generator
) -> Tensor:
    angle = _uniform(count, -how.rotation_deg, how.rotation_deg, generator)
    turned = torch.rand(count, generator=generator) < how.any_rotation
    angle = torch.where(turned, _uniform(count, -180.0, 180.0, generator), angle) * math.pi / 180
    side = torch.where(torch.rand(count, generator=generator) < how.mirror, -1.0, 1.0)
    zoom = torch.exp(_uniform(count, math.log(how.zoom[0]), math.log(how.zoom[1]), generator))
    stretch = torch.exp(_uniform(count, -how.stretch, how.stretch, generator))
    shift_row = _uniform(count, -how.shift_px, how.shift_px, generator)[:, None, None]
    shift_col = _uniform(count, -how.shift_px, how.shift_px, generator)[:, None, None]
    rows = torch.arange(size[0]) - (size[0] - 1) / 2
    cols = torch.arange(size[1]) - (size[1] - 1) / 2
    r, c = (axis[None] for axis in torch.meshgrid(rows, cols, indexing="ij"))
    scale_row, scale_col = (1 / (zoom * stretch))[:, None, None], (side * stretch / zoom)[:, None, None]
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    source_row = (cos * r - sin * c) * scale_row + shift_row
    source_col = (sin * r + cos * c) * scale_col + shift_col
    return torch.stack([source_col / ((source[1] - 1) / 2), source_row / ((source[0] - 1) / 2)], dim=-1)


def _change_intensity(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    count, _, rows, cols = images.shape
    device = images.device

    def per_sample(low: float, high: float) -> Tensor:
        return _uniform(count, low, high, generator).to(device)[:, None, None, None]

    low = images.amin(dim=(2, 3), keepdim=True)
    span = (images.amax(dim=(2, 3), keepdim=True) - low).clamp_min(1e-3)
    gamma = torch.exp(per_sample(math.log(how.gamma[0]), math.log(how.gamma[1])))
    changed = ((images - low) / span).pow(gamma)
    if how.curve:
        changed = _contrast_curve(changed, how.curve, generator)
    if how.coil:
        hills = _uniform(count * 16, -how.coil, how.coil, generator).view(count, 1, 4, 4)
        field = functional.interpolate(hills, size=(rows, cols), mode="bicubic", align_corners=True)
        changed = changed * torch.exp(field).to(device)
    if how.bias:
        r = torch.linspace(-1, 1, rows, device=device)[None, None, :, None]
        c = torch.linspace(-1, 1, cols, device=device)[None, None, None, :]
        b = how.bias
        slope = per_sample(-b, b) * r + per_sample(-b, b) * c + per_sample(-b, b) * r * c
        changed = changed * torch.exp(slope)
    if how.blur:
        blurred = functional.avg_pool2d(changed, 3, 1, 1, count_include_pad=False)
        changed = torch.where(per_sample(0.0, 1.0) < how.blur, blurred, changed)
    if how.coarse:
        changed = _lose_resolution(changed, how, generator)
    mean = changed.mean(dim=(2, 3), keepdim=True)
    changed = (changed - mean) / changed.std(dim=(2, 3), keepdim=True).clamp_min(1e-3)
    if how.noise:
        changed = changed + per_sample(0.0, how.noise) * torch.randn(images.shape, generator=generator).to(device)
    return changed


CURVE_PARTS = 6
"""Parts of a contrast curve, each straight."""


def _contrast_curve(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Intensities of 0 to 1 by a random rising curve from 0 to 1, one for all channels of a sample."""
    count = images.shape[0]
    rises = torch.exp(_uniform(count * CURVE_PARTS, -strength, strength, generator)).view(count, CURVE_PARTS)
    rises = (rises / rises.sum(dim=1, keepdim=True)).to(images.device)
    starts = functional.pad(rises.cumsum(dim=1), (1, 0))[:, :-1]
    flat = images.flatten(1) * CURVE_PARTS
    part = flat.long().clamp(0, CURVE_PARTS - 1)
    return (starts.gather(1, part) + rises.gather(1, part) * (flat - part)).view_as(images)


def _lose_resolution(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Some samples at fewer pixels and back; one factor for all of them in a batch."""
    factor = float(_uniform(1, 1.0, how.coarsest, generator))
    chosen = torch.rand(images.shape[0], generator=generator) < how.coarse
    if not chosen.any():
        return images
    size = (images.shape[2], images.shape[3])
    fewer = (max(2, round(size[0] / factor)), max(2, round(size[1] / factor)))
    small = functional.interpolate(images[chosen], size=fewer, mode="bilinear", antialias=True)
    changed = images.clone()
    changed[chosen] = functional.interpolate(small, size=size, mode="bilinear")
    return changed
