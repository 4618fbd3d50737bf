import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from cmr_viewer.__main__ import main
from cmr_viewer.commands.train import _follow_input, resting
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.role import Role
from cmr_viewer.prepare.plan import read_plan
from cmr_viewer.promote.gate import Assessment, decide
from cmr_viewer.segment.segmenter import load_segmenter
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.model_registry import ModelRegistry
from tests.workspaces import PATIENTS, make_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of four corrected patients; only read."""
    return make_workspace(tmp_path_factory.mktemp("retrain") / "workspace", PATIENTS[:4])


def child(workspace: Path, models: Path, output: Path, role: str, *extra: str) -> list[str]:
    """The command line that the window starts."""
    given = ["train", "--workspace", str(workspace), "--role", role, "--output", str(output), "--models", str(models)]
    return [*given, "--progress", "json", "--device", "cpu", "--iterations", "3", "--batch", "2", *extra]


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
    assert plan.training["patients"] == 4
    assert (tmp_path / "m" / "card.md").is_file()

    assessment = Assessment.from_json(done["assessment"])
    assert (assessment.role, assessment.measure) == (role, "Dice")
    assert (assessment.candidate_id, assessment.active_id) == (plan.model_id, f"tiny-{role.value}")
    assert assessment.patients == 4
    decision = decide(assessment, ())
    assert decision.look == 4 and decision.total.before > 0.7


def test_values_of_the_command_line_go_before_the_recipe(workspace: Path, models_folder: Path, tmp_path: Path) -> None:
    command = child(workspace, models_folder, tmp_path / "m", "base", "--learning-rate", "0.002", "--seed", "7")
    assert main(command) == 0
    spec = read_plan(tmp_path / "m").training["spec"]
    found = {name: spec[name] for name in ("learning_rate", "seed", "iterations", "batch")}
    assert found == {"learning_rate": 0.002, "seed": 7, "iterations": 3, "batch": 2}


def test_a_candidate_can_be_adopted_and_promoted(models_folder: Path, tmp_path: Path) -> None:
    folder = make_workspace(tmp_path / "workspace", PATIENTS[:1])
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


@pytest.mark.parametrize("status", [None, ReviewStatus.DRAFT])
def test_nothing_accepted_is_noted(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: ReviewStatus | None
) -> None:
    folder = make_workspace(tmp_path / "workspace", [] if status is None else ["p"], status or ReviewStatus.DRAFT)
    assert main(child(folder, models_folder, tmp_path / "m", "base")) == 1
    last = lines_of(capsys.readouterr().out)[-1]
    assert last["event"] == "error"
    assert last["message"] == (
        "There are no corrected frames of the region base to train on. Correct and accept some frames first."
    )


def test_too_few_iterations_are_noted_and_not_replaced(
    workspace: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*child(workspace, models_folder, tmp_path / "m", "base"), "--iterations", "0"]) == 1
    assert lines_of(capsys.readouterr().out)[-1]["event"] == "error"


def test_a_disk_that_is_full_is_noted(
    workspace: Path,
    models_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cmr_viewer.learn.write_changes", full)
    assert main(child(workspace, models_folder, tmp_path / "m", "base")) == 1
    last = lines_of(capsys.readouterr().out)[-1]
    assert last["event"] == "error" and "No space left on device" in last["message"]


def test_a_training_rests_at_a_word_and_ends_with_its_program(monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on, ended = threading.Event(), []
    may_go_on.set()
    states: list[bool] = []

    class Told(io.StringIO):
        def readline(self, *_: Any) -> str:
            states.append(may_go_on.is_set())
            return super().readline()

    monkeypatch.setattr("sys.stdin", Told("pause\ngo on\npause\n"))
    monkeypatch.setattr(os, "_exit", ended.append)
    _follow_input(may_go_on)
    assert states == [True, False, True, False] and ended == [1]

    told: list[tuple[float, str]] = []
    progress = resting(lambda *given: told.append(given), may_go_on)
    waiting = threading.Thread(target=progress, args=(0.5, "Training"))
    waiting.start()
    assert told == []
    may_go_on.set()
    waiting.join(20)
    assert told == [(0.5, "Training")]
