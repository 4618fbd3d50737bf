"""The region of frames, with probabilities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cmr_viewer.domain.anatomy import REGIONS
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.networks.catalogue import CLASSIFIERS, build
from cmr_viewer.networks.device import fast_arithmetic
from cmr_viewer.networks.weights import load_weights
from cmr_viewer.prepare.grid import Placement
from cmr_viewer.prepare.network_input import Slices, network_input, slices_around
from cmr_viewer.prepare.plan import WEIGHTS_FILE, Plan, read_plan


class RegionClassifier:
    """A classifier ready to run.

    Attributes:
        plan: From its folder.
    """

    def __init__(self, plan: Plan, network: nn.Module, device: torch.device) -> None:
        self.plan = plan
        self._network = network.eval().to(device)
        self._device = device

    def predict_frames(
        self, stack: Stack, frames: Sequence[FrameIndex], centre: tuple[float, float]
    ) -> list[RegionPrediction]:
        """Classify a batch of a stack's frames, each by itself.

        Args:
            stack: The stack.
            frames: Which frames.
            centre: (row, col) of the heart in pixels.

        Returns:
            One prediction per frame.
        """
        place = self.plan.grid.placed_on(stack.geometry, centre)
        return self.predict([(slices_around(stack, frame, self.plan.context), place) for frame in frames])

    def predict(self, frames: Sequence[tuple[Slices, Placement]]) -> list[RegionPrediction]:
        """Classify a batch of frames.

        Args:
            frames: Pixels of a frame and its neighbours in scanner units, as many as the plan's context asks for, each
                with the placement of the plan's grid on it.

        Returns:
            One prediction per frame.
        """
        images = np.stack([network_input(slices, place) for slices, place in frames])
        with torch.inference_mode(), fast_arithmetic(self._device):
            logits = self._network(torch.from_numpy(images).to(self._device))
        probabilities = torch.softmax(logits.double(), dim=1).cpu().numpy()
        return [RegionPrediction((p[0], p[1], p[2], p[3]), self.plan.model_id) for p in probabilities.tolist()]


def load_classifier(folder: Path, device: torch.device) -> RegionClassifier:
    """Read a classifier's model folder.

    Raises:
        ModelError: It is none, or cannot be read.
    """
    plan = read_plan(folder)
    if plan.role is not Role.CLASSIFIER:
        raise ModelError(f"The model in {folder} is not a region classifier but {plan.role.text.lower()}.")
    if plan.architecture not in CLASSIFIERS:
        raise ModelError(
            f"The model in {folder} needs the network {plan.architecture!r}. This version classifies with "
            f"{', '.join(CLASSIFIERS)} only."
        )
    network = build(plan.architecture, {**plan.options, "classes": len(REGIONS)})
    load_weights(network, folder / WEIGHTS_FILE)
    return RegionClassifier(plan, network, device)
