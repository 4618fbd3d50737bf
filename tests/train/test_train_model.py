import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError, TrainingError
from cmr_viewer.networks import catalogue
from cmr_viewer.prepare.plan import read_plan
from cmr_viewer.progress import Cancelled
from cmr_viewer.segment.segmenter import load_segmenter
from cmr_viewer.train.fit import Fitted, fit
from cmr_viewer.train.samples import Sample, fingerprint
from cmr_viewer.train.spec import TrainingSpec
from cmr_viewer.train.train_model import plan_of, train_model, write_model
from tests.phantom import sax_cine
from tests.tiny_models import phantom_samples, tiny_spec

CPU = torch.device("cpu")


def small(role: Role = Role.BASELINE, **changes: object) -> TrainingSpec:
    """A spec that is trained in a moment."""
    options = {"blocks": [1], "growth": 2} if role is Role.CLASSIFIER else {"widths": [4, 8]}
    return tiny_spec(role, **{"options": options, "iterations": 4, "batch": 2, **changes})


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return phantom_samples(sax_cine(phases=2, slices=6, seed=5), small())


def fitted() -> Fitted:
    return Fitted(catalogue.build("unet2d", {"widths": [4, 8]}), np.zeros(1, np.float32))


def test_training_starts_from_another_models_weights(samples: list[Sample], tmp_path: Path) -> None:
    train_model(small(), samples, tmp_path / "a", model_id="a", device=CPU)
    hardly = small(Role.BASE, iterations=1, learning_rate=1e-9)
    plan = train_model(hardly, samples, tmp_path / "b", model_id="b", device=CPU, start_from=tmp_path / "a")
    images = np.random.default_rng(0).normal(size=(1, 1, 32, 32)).astype(np.float32)
    before = load_segmenter(tmp_path / "a", CPU).probabilities(images)
    after = load_segmenter(tmp_path / "b", CPU).probabilities(images)
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert plan.training["started_from"] == "a"


def test_training_cannot_start_from_another_architecture(samples: list[Sample], tmp_path: Path) -> None:
    train_model(small(), samples, tmp_path / "a", model_id="a", device=CPU)
    with pytest.raises(ModelError, match="cannot start from a, a unet2d"):
        fit(small(Role.CLASSIFIER), samples, device=CPU, start_from=tmp_path / "a")


@pytest.mark.parametrize("at", [1, 3])
def test_cancelling_passes_through_and_writes_nothing(samples: list[Sample], tmp_path: Path, at: int) -> None:
    told: list[float] = []

    def stop(fraction: float, text: str) -> None:
        told.append(fraction)
        if len(told) == at:
            raise Cancelled

    with pytest.raises(Cancelled):
        train_model(small(), samples, tmp_path / "m", model_id="m", device=CPU, progress=stop)
    assert not (tmp_path / "m").exists()
    assert len(told) == at


def test_the_model_folder_says_what_it_was_trained_on(samples: list[Sample], tmp_path: Path) -> None:
    spec = small(Role.APEX)
    written = train_model(spec, samples, tmp_path / "m", model_id="m", device=CPU, origin={"data": ["phantom"]})
    plan = read_plan(tmp_path / "m")
    assert plan == written
    assert (plan.model_id, plan.role, plan.rows, plan.cols, plan.spacing_mm) == ("m", Role.APEX, 32, 32, 4.0)
    assert plan.training["samples"] == len(samples)
    assert plan.training["data"] == ["phantom"]
    assert plan.training["data_fingerprint"] == fingerprint(samples)
    assert plan.training["spec"] == json.loads(json.dumps(spec.as_dict()))
    assert len(json.loads((tmp_path / "m" / "curves.json").read_text(encoding="utf-8"))["loss"]) == 4
    assert (tmp_path / "m" / "card.md").read_text(encoding="utf-8").startswith("# m\n")


def test_a_place_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("in the way", encoding="utf-8")
    with pytest.raises(TrainingError, match="Could not write the trained model"):
        write_model(tmp_path / "m", plan_of(small(), "m", {}), fitted())


@pytest.mark.parametrize("name", ["weights.safetensors", "curves.json", "card.md", "plan.json"])
def test_a_file_that_cannot_be_written_is_told_and_nothing_of_the_model_is_left(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(TrainingError, match="Could not write the trained model"):
        write_model(tmp_path, plan_of(small(), "m", {}), fitted())
    assert [p.name for p in tmp_path.iterdir()] == [name]
