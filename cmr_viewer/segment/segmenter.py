"""Label maps of frames by one segmentation model, the baseline or a specialist; and with one, where the heart is."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.networks.catalogue import SEGMENTERS, build
from cmr_viewer.networks.device import fast_arithmetic
from cmr_viewer.networks.weights import load_weights
from cmr_viewer.prepare.grid import Grid, Placement, frame_centre, working_spacing_mm
from cmr_viewer.prepare.network_input import Slices, network_input, slices_around
from cmr_viewer.prepare.plan import WEIGHTS_FILE, Plan, read_plan
from cmr_viewer.segment.nnunet_segmenter import NnUNetSegmenter

_EIGHT = np.ones((3, 3), dtype=bool)


def largest_component(mask: Mask) -> Mask:
    """The largest 8-connected component of a (row, col) mask; the first of equals."""
    components, count = ndimage.label(mask, structure=_EIGHT)
    if count <= 1:
        return mask
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    return np.asarray(components == int(sizes.argmax()))


def clean(labels: LabelMap) -> LabelMap:
    """One left ventricle, one right ventricle, no holes inside the epicardium.

    Args:
        labels: (row, col) label map; it is not changed.

    Returns:
        A new label map: the left ventricle (blood pool and myocardium together) and the right blood pool each reduced
        to the largest component; background that the left ventricle encloses becomes blood pool.
    """
    left = largest_component((labels == Label.LVBP) | (labels == Label.LVM))
    right = largest_component(labels == Label.RVBP)
    result = np.where(left | right, labels, 0).astype(np.uint8)
    holes = ndimage.binary_fill_holes(left) & ~left & (result == Label.BACKGROUND)
    result[holes] = Label.LVBP
    return result


class FrameSegmenter(Protocol):
    """What every segmentation model can do, the program's own as those that were imported."""

    @property
    def plan(self) -> Plan:
        """The model's plan, from its folder."""

    def predict_frames(self, stack: Stack, frames: Sequence[FrameIndex], centre: tuple[float, float]) -> list[LabelMap]:
        """Segment a batch of a stack's frames, around the heart's centre; see `Segmenter`."""

    def predict(self, frames: Sequence[tuple[Slices, Placement]]) -> list[LabelMap]:
        """Segment a batch of frames whose stack is not at hand; see `Segmenter`."""

    def frame_probabilities(self, stack: Stack, frame: FrameIndex, centre: tuple[float, float]) -> NDArray[np.float16]:
        """How probable each label is in a frame; see `Segmenter`."""


class Segmenter:
    """A segmentation model ready to run.

    Attributes:
        plan: From its folder.
    """

    def __init__(self, plan: Plan, network: nn.Module, device: torch.device) -> None:
        self.plan = plan
        self._network = network.eval().to(device)
        self._device = device

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of each label on the grid.

        Args:
            images: (frame, channel, grid row, grid col), normalised; rows and columns multiples of 16.

        Returns:
            (frame, label, grid row, grid col) float32.
        """
        with torch.inference_mode(), fast_arithmetic(self._device):
            logits = self._network(torch.from_numpy(images).to(self._device))
        return np.asarray(torch.softmax(logits.float(), dim=1).cpu().numpy(), dtype=np.float32)

    def predict_frames(self, stack: Stack, frames: Sequence[FrameIndex], centre: tuple[float, float]) -> list[LabelMap]:
        """Segment a batch of a stack's frames.

        Args:
            stack: The stack.
            frames: Which frames.
            centre: (row, col) of the heart in pixels.

        Returns:
            As `predict`.
        """
        place = self.plan.grid.placed_on(stack.geometry, centre)
        return self.predict([(slices_around(stack, frame, self.plan.context), place) for frame in frames])

    def frame_probabilities(self, stack: Stack, frame: FrameIndex, centre: tuple[float, float]) -> NDArray[np.float16]:
        """How probable each label is in a frame.

        Args:
            stack: The stack.
            frame: Which frame.
            centre: (row, col) of the heart in pixels.

        Returns:
            (label, row, col) in the order of `Label`, on the frame's own pixels, adding up to 1; background where the
            model does not look.
        """
        place = self.plan.grid.placed_on(stack.geometry, centre)
        image = network_input(slices_around(stack, frame, self.plan.context), place)
        found = place.on_frame(self.probabilities(image[None])[0])
        found[0] += 1.0 - found.sum(axis=0)
        return found.astype(np.float16)

    def predict(self, frames: Sequence[tuple[Slices, Placement]]) -> list[LabelMap]:
        """Segment a batch of frames.

        Args:
            frames: Pixels of a frame and its neighbours in scanner units, as many as the plan's context asks for, each
                with the placement of one same grid on it.

        Returns:
            One (row, col) label map per frame, on the frame's own pixels, cleaned.
        """
        images = np.stack([network_input(slices, place) for slices, place in frames])
        probabilities = self.probabilities(images)
        return [
            clean(place.probabilities_to_frame(of_frame))
            for (_, place), of_frame in zip(frames, probabilities, strict=True)
        ]


def load_segmenter(folder: Path, device: torch.device) -> FrameSegmenter:
    """Read a segmentation model's folder.

    Raises:
        ModelError: It is none, or cannot be read.
    """
    plan = read_plan(folder)
    if plan.role is Role.CLASSIFIER:
        raise ModelError(f"The model in {folder} is not a segmentation model but {plan.role.text.lower()}.")
    if plan.architecture not in SEGMENTERS:
        raise ModelError(
            f"The model in {folder} needs the network {plan.architecture!r}. This version segments with "
            f"{', '.join(SEGMENTERS)} only."
        )
    network = build(plan.architecture, plan.options)
    if plan.preparation:
        load_weights(network, folder / WEIGHTS_FILE)
        return NnUNetSegmenter(plan, network, device)
    multiple = getattr(network, "multiple", 1)
    if plan.rows % multiple or plan.cols % multiple:
        raise ModelError(
            f"The model in {folder} cannot run: its grid of {plan.rows} x {plan.cols} is not a multiple of {multiple}."
        )
    load_weights(network, folder / WEIGHTS_FILE)
    return Segmenter(plan, network, device)


FIELD_OF_VIEW_MM = 384.0
"""Width of the grid to look on: more than the field of view of a short-axis cine."""

GRID_MULTIPLE = 32
"""Rows and columns of the wide grid are a multiple of this, so that every network can halve it."""

SEARCHED_LEVELS = (0.3, 0.45, 0.6)
"""Where in the stack to look, from base 0 to apex 1: levels that show both ventricles."""

CENTRED_LEVELS = (0.2, 0.35, 0.5, 0.65)
"""Where to look again once it is roughly known where the heart is."""

SMALLEST_HEART_MM2 = 400.0
"""What is smaller in a searched frame is no heart."""


def wide_grid(spacing_mm: float) -> Grid:
    """A grid over the whole field of view, at the spacing that a model was trained on."""
    count = GRID_MULTIPLE * math.ceil(FIELD_OF_VIEW_MM / spacing_mm / GRID_MULTIPLE)
    return Grid(spacing_mm, count, count)


def heart_centre(stack: Stack, segmenter: FrameSegmenter) -> tuple[float, float]:
    """Find the heart with a segmentation model on the whole field of view.

    Args:
        stack: The stack; a few frames at the first phase are looked at.
        segmenter: A baseline.

    Returns:
        (row, col) in pixels: the middle of what is segmented on the model's own grid, laid around the median over a few
        frames of the middle of what is segmented on the whole field of view; the middle of the frame where nothing is
        found. On the whole field of view a model that was trained around hearts is at times off by some centimetres.
    """
    rows, cols = stack.geometry.rows, stack.geometry.cols
    spacing = working_spacing_mm(stack.geometry)
    middle = frame_centre(rows, cols)
    levels = _frames_at(stack, SEARCHED_LEVELS)
    place = wide_grid(segmenter.plan.spacing_mm).placed_on(stack.geometry, middle)
    context = segmenter.plan.context
    seen = [(slices_around(stack, frame, context), place) for frame in levels]
    found = [clean(labels) for labels in segmenter.predict(seen)]
    smallest = SMALLEST_HEART_MM2 / (spacing[0] * spacing[1])
    centres = [np.argwhere(labels > 0).mean(axis=0) for labels in found if np.count_nonzero(labels) >= smallest]
    if not centres:
        return middle
    row, col = np.median(np.asarray(centres), axis=0)
    again = segmenter.predict_frames(stack, _frames_at(stack, CENTRED_LEVELS), (float(row), float(col)))
    marked = np.argwhere(np.stack([clean(labels) for labels in again]) > 0)
    if len(marked) >= smallest:
        row, col = marked[:, 1:].mean(axis=0)
    return float(row), float(col)


def _frames_at(stack: Stack, levels: Sequence[float]) -> list[FrameIndex]:
    """Frames of the first phase at levels from base 0 to apex 1."""
    return [FrameIndex(0, s) for s in sorted({round(level * (stack.slices - 1)) for level in levels})]
