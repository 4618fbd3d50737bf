import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError, TrainingError
from cmr_viewer.networks import catalogue
from cmr_viewer.prepare.plan import WEIGHTS_FILE, Plan, read_plan
from cmr_viewer.progress import Cancelled
from cmr_viewer.segment.segmenter import load_segmenter
from cmr_viewer.train.fit import Fitted, fit
from cmr_viewer.train.samples import Sample, TrainingData, fingerprint
from cmr_viewer.train.spec import TrainingSpec
from cmr_viewer.train.train_model import card_text, draw_curves, plan_of, running_mean, train_model, write_model
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


def train(
    spec: TrainingSpec, samples: list[Sample], folder: Path, origin: Mapping[str, Any] | None = None, **given: Any
) -> Plan:
    data = TrainingData(samples, origin=origin or {})
    return train_model(spec, data, folder, model_id=folder.name, device=CPU, **given)


def fitted() -> Fitted:
    return Fitted(catalogue.build("unet2d", {"widths": [4, 8]}), np.zeros(1, np.float32))


def test_training_starts_from_another_models_weights(samples: list[Sample], tmp_path: Path) -> None:
    train(small(), samples, tmp_path / "a")
    hardly = small(Role.BASE, iterations=1, learning_rate=1e-9)
    plan = train(hardly, samples, tmp_path / "b", start_from=tmp_path / "a")
    images = np.random.default_rng(0).normal(size=(1, 1, 32, 32)).astype(np.float32)
    before = load_segmenter(tmp_path / "a", CPU).probabilities(images)
    after = load_segmenter(tmp_path / "b", CPU).probabilities(images)
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert plan.training["started_from"] == "a"


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_part_of_the_way_back_to_the_weights_that_training_started_from(
    samples: list[Sample], tmp_path: Path, share: float
) -> None:
    train(small(), samples, tmp_path / "a")
    start = load_file(tmp_path / "a" / WEIGHTS_FILE)
    learned = fit(small(), samples, device=CPU, start_from=tmp_path / "a").network.state_dict()
    held = fit(small(start_share=share), samples, device=CPU, start_from=tmp_path / "a").network.state_dict()
    for name, value in learned.items():
        torch.testing.assert_close(held[name], (1 - share) * value + share * start[name].float())


def test_training_cannot_start_from_another_architecture(samples: list[Sample], tmp_path: Path) -> None:
    train(small(), samples, tmp_path / "a")
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
        train(small(), samples, tmp_path / "m", progress=stop)
    assert not (tmp_path / "m").exists()
    assert len(told) == at


def test_the_model_folder_says_what_it_was_trained_on(samples: list[Sample], tmp_path: Path) -> None:
    spec = small(Role.APEX)
    written = train(spec, samples, tmp_path / "m", {"data": ["phantom"]})
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


SPEC = {"iterations": 40, "batch": 16, "optimizer": "sgd", "learning_rate": 0.01, "seed": 3}


def plan(role: Role = Role.APEX, **training: Any) -> Plan:
    whole = {"spec": SPEC, "data": ["acdc"], "samples": 120, "patients": ["a", "b"], "split": "split.json", **training}
    return Plan("apex-9", role, "unet2d", {"inputs": 3}, 1.5, 128, 128, "2026-01-02T03:04:05+00:00", whole)


@pytest.mark.parametrize("role", list(Role))
def test_every_card_says_what_the_model_is_for_and_what_it_is_not(role: Role) -> None:
    text = card_text(plan(role))
    assert text.startswith("# apex-9\n")
    assert role.text in text
    assert "not a medical device" in text
    assert "## Known failures" in text


def test_published_data_bring_their_licence_and_corrections_that_of_the_first_model() -> None:
    text = card_text(plan(data=["acdc", "dsb2_sax", "scd_nifti"]))
    assert [set_ in text for set_ in ("BY-NC-SA", "M&Ms", "Data Science Bowl", "CC0")] == [True, False, True, True]
    assert "non-commercial research only" in text
    own = card_text(plan(data=["accepted frames of a workspace"]))
    assert "non-commercial" not in own
    assert "model that training started from" in own


def test_a_card_tells_how_the_model_was_trained() -> None:
    text = card_text(plan(validation={"frames": 30, "kept_at": 25}))
    assert "120 frames of 2 patients" in text
    assert "Split of the patients: split.json." in text
    assert "128 x 128 at 1.5 mm around the heart, input 3 slices." in text
    assert "40 batches of 16, sgd from 0.01, seed 3" in text
    assert "Weights after batch 25, chosen on 30 validation frames." in text


def test_weights_from_the_public_domain_alone_are_not_said_to_be_restricted() -> None:
    text = card_text(plan(data=["scd", "scd_nifti"], started_from=None))
    assert "CC0" in text
    assert "non-commercial" not in text
    assert "see the card of baseline-4" in card_text(plan(data=["scd"], started_from="baseline-4"))


def test_a_card_of_a_training_that_was_stopped_says_so_and_holds_its_note() -> None:
    text = card_text(plan(batches=25, note="Not in service."))
    assert "25 of 40 planned batches of 16" in text
    assert "\nNot in service.\n" in text


def test_validation_stands_in_a_table_by_set_and_region() -> None:
    by_set = {"dsb2": {"score": 0.8, "dice": {"base": {"LVBP": (0.8125, 9)}}}}
    text = card_text(plan(validation={"frames": 30, "kept_at": 25, "by_set": by_set}))
    assert "| dsb2 | base | 81.2, 9 | - | - |" in text


def test_without_a_validation_part_nothing_is_said_of_it() -> None:
    assert "Chosen on" not in card_text(plan())
    assert "Chosen on" not in card_text(plan(validation={"frames": 0, "kept_at": 40}))


def test_figures_stand_in_a_table_by_region() -> None:
    of_label = {"apex": {"mean": 0.8125, "sd": 0.1, "n": 12}}
    figures = {"patients": 3, "frames": 12, "dice": dict.fromkeys(("LVBP", "LVM", "RVBP"), of_label)}
    whole = Plan("m", Role.APEX, "unet2d", {}, 1.5, 128, 128, figures=figures)
    assert "| LV blood pool | - | - | 81.2 (10.0), 12 |" in card_text(whole)
    assert "Not measured yet." in card_text(plan())


def test_the_running_mean_is_of_the_values_so_far() -> None:
    found = running_mean(np.array([4.0, 2.0, 6.0, 0.0], np.float32), 3)
    assert found.tolist() == pytest.approx([4.0, 3.0, 4.0, 8 / 3])


@pytest.mark.parametrize("validation", [(), ((2, 0.5), (4, 0.75))])
def test_a_picture_is_drawn_with_and_without_validation(
    tmp_path: Path, validation: tuple[tuple[int, float], ...]
) -> None:
    path = tmp_path / "curves.svg"
    losses = np.linspace(1, -1, 5, dtype=np.float32)
    draw_curves(path, losses, validation, title="apex-1", score="Dice of the apex")
    text = path.read_text(encoding="utf-8")
    assert "apex-1" in text
    assert "batches" in text
    assert ("Dice of the apex" in text) is bool(validation)
