"""Label maps of frames by one segmentation model: the baseline or a specialist."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.networks.catalogue import SEGMENTERS, build
from cmr_viewer.networks.device import fast_arithmetic
from cmr_viewer.networks.weights import load_weights
from cmr_viewer.prepare.grid import Placement
from cmr_viewer.prepare.intensity import normalise
from cmr_viewer.prepare.plan import WEIGHTS_FILE, Plan, read_plan
from cmr_viewer.segment.cleanup import clean


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
            images: (frame, grid row, grid col), normalised; rows and columns multiples of 16.

        Returns:
            (frame, label, grid row, grid col) float32.
        """
        with torch.inference_mode(), fast_arithmetic(self._device):
            logits = self._network(torch.from_numpy(images)[:, None].to(self._device))
        return np.asarray(torch.softmax(logits.float(), dim=1).cpu().numpy(), dtype=np.float32)

    def predict(self, frames: Sequence[tuple[NDArray[Any], Placement]]) -> list[LabelMap]:
        """Segment a batch of frames.

        Args:
            frames: Pixels (row, col) in scanner units, each with the placement of one same grid on it.

        Returns:
            One (row, col) label map per frame, on the frame's own pixels, cleaned.
        """
        images = np.stack([normalise(place.to_grid(pixels), place.coverage() > 0.5) for pixels, place in frames])
        probabilities = self.probabilities(images)
        return [
            clean(place.probabilities_to_frame(of_frame))
            for (_, place), of_frame in zip(frames, probabilities, strict=True)
        ]


def load_segmenter(folder: Path, device: torch.device) -> Segmenter:
    """Read a segmentation model's folder.

    Raises:
        ModelError: It is none, or cannot be read.
    """
    plan = read_plan(folder)
    if plan.role is Role.CLASSIFIER:
        raise ModelError(f"The model in {folder} is no segmentation model but {plan.role.text.lower()}.")
    if plan.architecture not in SEGMENTERS:
        raise ModelError(
            f"The model in {folder} needs the network {plan.architecture!r}, and this version segments with "
            f"{', '.join(SEGMENTERS)} only."
        )
    network = build(plan.architecture, plan.options)
    multiple = getattr(network, "multiple", 1)
    if plan.rows % multiple or plan.cols % multiple:
        raise ModelError(
            f"The model in {folder} cannot run: its grid of {plan.rows} x {plan.cols} is no multiple of {multiple}."
        )
    load_weights(network, folder / WEIGHTS_FILE)
    return Segmenter(plan, network, device)
