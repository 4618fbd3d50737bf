"""Label maps of frames by a model imported from nnU-Net, as nnU-Net's own predictor makes them.

Its window slides over a frame in tiles that overlap, weighted by a Gaussian, each mirrored and averaged.

Source:
    nnU-Net v2 (Apache License 2.0), release 2.8.1: nnUNetPredictor and sliding_window_prediction. Isensee et al. 2021.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import lru_cache
from itertools import chain, combinations
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import GeometryError, ModelError
from cmr_viewer.prepare.grid import Placement, working_spacing_mm
from cmr_viewer.prepare.network_input import Slices
from cmr_viewer.prepare.plan import Plan
from cmr_viewer.segment.nnunet_preparation import (
    UNKNOWN_SLICE_SPACING_MM,
    PreparedPhase,
    Triple,
    frame_labels,
    frame_probabilities,
    prepare_phase,
    read_preparation,
)

PHASES_IN_MEMORY = 16
"""Number of prepared phases in memory, so that single frames of a phase need not prepare it again; about 3 MB each."""


class NnUNetSegmenter:
    """A model imported from nnU-Net, ready to run.

    nnU-Net sees one phase of a stack at a time: it crops and normalises the phase as a whole, and then segments its
    slices one by one, over their whole field of view. Label maps are what its own predictor gives: they are not
    cleaned.

    Attributes:
        plan: From its folder.
    """

    def __init__(self, plan: Plan, network: nn.Module, device: torch.device) -> None:
        """Take a network into service.

        Raises:
            ModelError: The plan's preparation cannot be understood, or does not fit the network.
        """
        self.plan = plan
        self._how = read_preparation(plan.preparation)
        multiples = getattr(network, "multiples", (1, 1))
        if any(size % multiple for size, multiple in zip(self._how.patch, multiples, strict=True)):
            raise ModelError(f"A patch of {self._how.patch} is not a multiple of {multiples}, which the network needs.")
        self._network = network.eval().to(device)
        self._device = device
        self._phases: OrderedDict[tuple[str, int], PreparedPhase] = OrderedDict()

    def predict_frames(self, stack: Stack, frames: Sequence[FrameIndex], centre: tuple[float, float]) -> list[LabelMap]:
        """Segment some frames of a stack.

        Args:
            stack: The stack.
            frames: Which frames; those of one phase are quicker together.
            centre: Of the heart; not needed by a network that sees the whole frame.

        Returns:
            One (row, col) label map per frame, on the frame's own pixels.
        """
        found: dict[FrameIndex, LabelMap] = {}
        for number in dict.fromkeys(frame.phase for frame in frames):
            levels = sorted({frame.slice_index for frame in frames if frame.phase == number})
            maps = self._segment(self._phase(stack, number), levels)
            found.update({FrameIndex(number, level): labels for level, labels in zip(levels, maps, strict=True)})
        return [found[frame] for frame in frames]

    def predict(self, frames: Sequence[tuple[Slices, Placement]]) -> list[LabelMap]:
        """Segment frames whose phase is not at hand, each as a stack of one slice.

        Args:
            frames: Pixels of a frame, alone or in the middle of neighbours that are not looked at, each with a
                placement, of which the pixel spacing alone is used.

        Returns:
            One (row, col) label map per frame, on the frame's own pixels.
        """
        found = []
        for slices, place in frames:
            pixels = slices[len(slices) // 2]
            if pixels is None:
                raise GeometryError("The frame to segment has no pixels.")
            phase = prepare_phase(pixels[None], (UNKNOWN_SLICE_SPACING_MM, *place.pixel_spacing_mm), self._how)
            found += self._segment(phase, [0])
        return found

    def _phase(self, stack: Stack, number: int) -> PreparedPhase:
        key = (stack.stack_id, number)
        phase = self._phases.pop(key, None)
        if phase is None:
            phase = prepare_phase(np.asarray(stack.pixels[number]), _spacing_mm(stack.geometry), self._how)
        self._phases[key] = phase
        while len(self._phases) > PHASES_IN_MEMORY:
            self._phases.popitem(last=False)
        return phase

    def frame_probabilities(self, stack: Stack, frame: FrameIndex, centre: tuple[float, float]) -> NDArray[np.float16]:
        """How probable each label is in a frame.

        Args:
            stack: The stack.
            frame: Which frame.
            centre: Of the heart; not needed.

        Returns:
            (label, row, col) in the order of `Label`, on the frame's own pixels, adding up to 1.
        """
        phase = self._phase(stack, frame.phase)
        logits = self._logits(phase, [frame.slice_index]).get(frame.slice_index)
        if logits is None:
            found = np.zeros((len(Label), stack.geometry.rows, stack.geometry.cols), dtype=np.float16)
            found[0] = 1.0
            return found
        return frame_probabilities(logits, phase, self._how)

    def _segment(self, phase: PreparedPhase, levels: Sequence[int]) -> list[LabelMap]:
        """Label maps of some slices of a phase; those that are zero all over are background."""
        shape = phase.shape[1:] if self._how.transpose == (0, 1, 2) else phase.shape[:0:-1]
        found = {level: empty_label_map(*shape) for level in levels}
        for level, logits in self._logits(phase, levels).items():
            found[level] = frame_labels(logits, phase, self._how)
        return [found[level] for level in levels]

    def _logits(self, phase: PreparedPhase, levels: Sequence[int]) -> dict[int, NDArray[np.float16]]:
        """Logits of those of some slices of a phase that are not zero all over."""
        box = phase.box[0]
        inside = [level for level in levels if box.start <= level < box.stop]
        if not inside:
            return {}
        images = torch.from_numpy(phase.image[[level - box.start for level in inside]]).to(self._device)
        logits = predict_logits(self._network, images, self._how.patch, self._how.mirror_axes).cpu().numpy()
        return dict(zip(inside, logits, strict=True))


def _spacing_mm(geometry: Geometry) -> Triple:
    """Spacing of slices, rows and columns."""
    try:
        slices = geometry.slice_spacing_mm if geometry.spacing_known else UNKNOWN_SLICE_SPACING_MM
    except GeometryError:
        slices = UNKNOWN_SLICE_SPACING_MM
    return (slices, *working_spacing_mm(geometry))


STEP = 0.5
"""Largest distance of neighbouring tiles, in tiles."""

SIGMA = 1 / 8
"""Standard deviation of the weights, in tiles."""

LARGEST_WEIGHT = 10.0
"""At the centre of a tile; large enough that half precision does not drop the weights at its corners."""


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
