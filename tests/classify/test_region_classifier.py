import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cmr_viewer.classify.region_classifier import RegionClassifier, load_classifier
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.networks.classifiers import DenseNet
from cmr_viewer.networks.weights import save_weights
from cmr_viewer.prepare.grid import Grid, Placement
from cmr_viewer.prepare.plan import PLAN_FILE, WEIGHTS_FILE, Plan

CPU = torch.device("cpu")
GRID = Grid(2.0, 32, 32)


def plan(role: Role = Role.CLASSIFIER, architecture: str = "densenet121", **options: Any) -> Plan:
    return Plan("regions-1", role, architecture, options, GRID.spacing_mm, GRID.rows, GRID.cols)


class BySide(nn.Module):
    """Logits of 0, except for one region: base for a bright top, middle left, apex bottom, non-cardiac right."""

    def forward(self, images: Tensor) -> Tensor:
        sides = [images[..., :16, :], images[..., :16], images[..., 16:, :], images[..., 16:]]
        return torch.stack([side.mean(dim=(1, 2, 3)) for side in sides], dim=1) * 10


def bright(side: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    frame = np.zeros((32, 32), np.uint16)
    side(frame)[:] = 900
    return frame


PLACE = Placement(GRID, (32, 32), (2.0, 2.0), (15.5, 15.5))


def test_the_probabilities_are_in_the_order_of_the_regions() -> None:
    frames = [
        bright(lambda f: f[:16]),
        bright(lambda f: f[:, :16]),
        bright(lambda f: f[16:]),
        bright(lambda f: f[:, 16:]),
    ]
    made = RegionClassifier(plan(), BySide(), CPU).predict([([frame], PLACE) for frame in frames])
    assert [one.region for one in made] == [Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC]
    for one in made:
        assert sum(one.probabilities) == pytest.approx(1.0, abs=1e-9)
        assert one.model_id == "regions-1"


def test_the_probabilities_are_the_softmax_of_the_logits() -> None:
    class Fixed(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.log(torch.tensor([[0.1, 0.2, 0.3, 0.4]])).expand(images.shape[0], 4)

    (made,) = RegionClassifier(plan(), Fixed(), CPU).predict([([np.eye(32)], PLACE)])
    assert made.probabilities == pytest.approx((0.1, 0.2, 0.3, 0.4), abs=1e-6)


def test_frames_of_a_batch_do_not_influence_one_another() -> None:
    torch.manual_seed(0)
    classifier = RegionClassifier(plan(), DenseNet(blocks=(1,), growth=4).train(), CPU)
    rng = np.random.default_rng(0)
    frames = [([rng.integers(0, 999, (32, 32))], PLACE) for _ in range(3)]
    together = classifier.predict(frames)
    for frame, expected in zip(frames, together, strict=True):
        assert classifier.predict([frame])[0].probabilities == pytest.approx(expected.probabilities, abs=1e-5)


def write(folder: Path, what: Plan, network: nn.Module) -> Path:
    folder.mkdir()
    what.write(folder)
    save_weights(network, folder / WEIGHTS_FILE)
    return folder


def test_a_classifier_is_read_with_the_options_of_its_plan(tmp_path: Path) -> None:
    network = DenseNet(blocks=(1, 1), growth=4)
    folder = write(tmp_path / "c", plan(blocks=[1, 1], growth=4), network)
    (made,) = load_classifier(folder, CPU).predict([([np.eye(32)], PLACE)])
    (expected,) = RegionClassifier(plan(), network, CPU).predict([([np.eye(32)], PLACE)])
    assert made.probabilities == pytest.approx(expected.probabilities, abs=1e-3)


def test_a_segmentation_model_is_no_classifier(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", plan(Role.BASE, "unet2d"), nn.Linear(1, 1))
    with pytest.raises(ModelError, match="not a region classifier but base specialist"):
        load_classifier(folder, CPU)


def test_a_classifier_of_an_unknown_network_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", plan(architecture="unet2d"), nn.Linear(1, 1))
    with pytest.raises(ModelError, match=r"'unet2d'.*densenet121.* only"):
        load_classifier(folder, CPU)


def test_a_classifier_of_other_classes_is_refused(tmp_path: Path) -> None:
    network = DenseNet(classes=3, blocks=(1,), growth=4)
    folder = write(tmp_path / "c", plan(blocks=[1], growth=4, classes=3), network)
    with pytest.raises(ModelError, match="do not match"):
        load_classifier(folder, CPU)


def test_options_that_are_no_mapping_are_reported(tmp_path: Path) -> None:
    folder = write(tmp_path / "c", plan(), nn.Linear(1, 1))
    values = json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))
    (folder / PLAN_FILE).write_text(json.dumps({**values, "options": [1, 2]}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"plan\.json"):
        load_classifier(folder, CPU)
