import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cmr_viewer.__main__ import main
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import StoreError
from cmr_viewer.prepare.plan import read_plan
from cmr_viewer.promote.compare import compare_models
from cmr_viewer.promote.gate import Assessment, decide
from cmr_viewer.segment.segmenter import load_segmenter
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import open_workspace, open_workspace_readonly
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.versions import AcceptedSample
from cmr_viewer.train.retrain import accepted_frames
from tests.workspaces import HELD_OUT, TRAINED_ON, make_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of two patients to train on and three held out; only read."""
    return make_workspace(tmp_path_factory.mktemp("retrain") / "workspace", [*TRAINED_ON, *HELD_OUT])


def accepted(workspace: Path, region: Region | None = None) -> list[AcceptedSample]:
    with open_workspace_readonly(workspace) as opened:
        return AnnotationStore(opened).accepted_samples(region)


def child(workspace: Path, models: Path, output: Path, role: str, *extra: str) -> list[str]:
    """The command line that the window starts."""
    given = ["train", "--workspace", str(workspace), "--role", role, "--output", str(output), "--models", str(models)]
    return [*given, "--progress", "json", "--device", "cpu", "--iterations", "3", *extra]


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("role", [Role.MIDDLE, Role.BASELINE])
def test_a_candidate_is_trained_and_held_beside_the_active_model(
    workspace: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], role: Role
) -> None:
    assert main(child(workspace, models_folder, tmp_path / "m", role.value)) == 0
    lines = lines_of(capsys.readouterr().out)
    assert {line["event"] for line in lines[:-1]} == {"progress", "curve"}
    fractions = [line["fraction"] for line in lines if line["event"] == "progress"]
    assert fractions == sorted(fractions)
    done = lines[-1]
    assert done["event"] == "done"
    assert done["folder"] == str(tmp_path / "m")

    plan = load_segmenter(tmp_path / "m", torch.device("cpu")).plan
    assert done["model_id"] == plan.model_id
    assert plan.role is role
    assert plan.training["started_from"] == f"tiny-{role.value}"
    assert plan.training["patients"] == len(TRAINED_ON)
    assert (tmp_path / "m" / "card.md").is_file()

    assessment = Assessment.from_json(done["assessment"])
    held = [
        s for s in accepted(workspace, None if role is Role.BASELINE else Region.MIDDLE) if s.patient_key in HELD_OUT
    ]
    assert (assessment.role, assessment.measure) == (role, "Dice")
    assert (assessment.candidate_id, assessment.active_id) == (plan.model_id, f"tiny-{role.value}")
    assert (assessment.patients, assessment.frames) == (len(HELD_OUT), len(held))
    assert assessment.active["LVBP"] > 0.7
    assert decide(assessment).reason


def test_a_region_without_a_specialist_gets_its_first_from_the_baseline_that_serves_it(
    workspace: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(models_folder, models)
    active = json.loads((models / "active.json").read_text(encoding="utf-8"))
    active["apex"] = None
    (models / "active.json").write_text(json.dumps(active), encoding="utf-8")
    assert main(child(workspace, models, tmp_path / "m", "apex")) == 0
    done = lines_of(capsys.readouterr().out)[-1]
    plan = read_plan(tmp_path / "m")
    assert (plan.role, plan.training["started_from"]) == (Role.APEX, "tiny-baseline")
    assert Assessment.from_json(done["assessment"]).active_id == "tiny-baseline"


def test_the_classifier_is_retrained_on_the_regions_that_the_reader_left(
    workspace: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(child(workspace, models_folder, tmp_path / "m", "classifier")) == 0
    assessment = Assessment.from_json(lines_of(capsys.readouterr().out)[-1]["assessment"])
    assert (assessment.role, assessment.measure, assessment.frames) == (Role.CLASSIFIER, "accuracy", 36)
    assert set(assessment.active) == set(assessment.candidate) == {"all"}


def test_a_candidate_can_be_adopted_and_promoted(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_workspace(tmp_path / "workspace", TRAINED_ON[:1])
    with open_workspace(folder, reader="reader") as opened:
        registry = ModelRegistry(models_folder, opened)
        staging = registry.staging_folder()
        assert main(child(folder, models_folder, staging, "apex")) == 0
        entry = registry.adopt(staging)
        registry.promote(Role.APEX, entry.model_id, "test")
        assert registry.active(Role.APEX).model_id == entry.model_id
    # from now on the promoted one is what is retrained
    assert main(child(folder, models_folder, tmp_path / "next", "apex")) == 0
    assert read_plan(tmp_path / "next").training["started_from"] == entry.model_id


def test_nobody_held_out_gives_an_assessment_that_decides_nothing(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_workspace(tmp_path / "workspace", TRAINED_ON[:1])
    assert main(child(folder, models_folder, tmp_path / "m", "middle")) == 0
    assessment = Assessment.from_json(lines_of(capsys.readouterr().out)[-1]["assessment"])
    assert (assessment.patients, assessment.frames) == (0, 0)
    assert "Too few to decide" in decide(assessment).reason


@pytest.mark.parametrize("status", [None, ReviewStatus.DRAFT])
def test_nothing_accepted_is_noted(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: ReviewStatus | None
) -> None:
    folder = make_workspace(tmp_path / "workspace", [] if status is None else ["p"], status or ReviewStatus.DRAFT)
    assert main(child(folder, models_folder, tmp_path / "m", "base")) == 1
    last = lines_of(capsys.readouterr().out)[-1]
    assert last["event"] == "error"
    assert last["message"] == ("There are no accepted frames of the region base to train on. Accept some frames first.")


def test_too_few_iterations_are_noted_and_not_replaced(
    workspace: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*child(workspace, models_folder, tmp_path / "m", "base"), "--iterations", "0"]) == 1
    assert lines_of(capsys.readouterr().out)[-1]["event"] == "error"


def test_the_workspace_is_only_read(workspace: Path, models_folder: Path, tmp_path: Path) -> None:
    with open_workspace_readonly(workspace) as opened:
        before = len(AnnotationStore(opened).accepted_samples())
    with open_workspace(workspace, reader="window"):
        assert main(child(workspace, models_folder, tmp_path / "m", "base")) == 0
    assert len(accepted(workspace)) == before
    assert not (workspace / "models").exists() or not list((workspace / "models").iterdir())


def test_a_model_beside_itself_neither_gains_nor_loses(workspace: Path, models_folder: Path) -> None:
    frames = accepted_frames(workspace, Role.MIDDLE, models_folder)
    made = compare_models(Role.MIDDLE, frames.active, frames.active, frames.held_out, "cpu")
    assert made.active == made.candidate
    assert set(made.frame_gains) == {0.0}


def test_without_a_workspace_nothing_is_trained(models_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        accepted(tmp_path / "nowhere")
