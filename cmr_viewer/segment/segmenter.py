"""Label maps of frames by one segmentation model: the baseline or a specialist."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.networks.catalogue import SEGMENTERS, build
from cmr_viewer.networks.device import fast_arithmetic
from cmr_viewer.networks.weights import load_weights
from cmr_viewer.prepare.grid import Placement, working_spacing_mm
from cmr_viewer.prepare.neighbours import Slices, network_input, slices_around
from cmr_viewer.prepare.plan import WEIGHTS_FILE, Plan, read_plan
from cmr_viewer.segment.cleanup import clean
from cmr_viewer.segment.nnunet_segmenter import NnUNetSegmenter


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
        plan: What its folder says of it.
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
        shape = (stack.geometry.rows, stack.geometry.cols)
        place = Placement(self.plan.grid, shape, working_spacing_mm(stack.geometry), centre)
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
        shape = (stack.geometry.rows, stack.geometry.cols)
        place = Placement(self.plan.grid, shape, working_spacing_mm(stack.geometry), centre)
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
