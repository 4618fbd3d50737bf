import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.promote.gate import Assessment
from cmr_viewer.promote.records import End, Records, RetrainingRun, Trained
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns
from tests.workspaces import make_workspace

CLEAR = (0.04, 0.05, 0.06, 0.04, 0.05, 0.06)
BETTER = Assessment(Role.BASE, "base-2", "base-1", 3, 6, "Dice", {"LVBP": 0.8}, {"LVBP": 0.85}, CLEAR)
ALIKE = replace(BETTER, candidate={"LVBP": 0.8}, frame_gains=(0.0,) * 6)


def make_model(folder: Path, model_id: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps({"model_id": model_id, "role": "base"}), encoding="utf-8")
    (folder / "weights.safetensors").write_bytes(b"0")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace in which 12 frames of a patient are drawn and accepted, 2 of the base at each of two phases."""
    with open_workspace(make_workspace(tmp_path / "workspace", ["patient001"]), reader="R. Eader") as opened:
        yield opened


@pytest.fixture
def records(tmp_path: Path, workspace: Workspace) -> Records:
    make_model(tmp_path / "shipped" / "base-1", "base-1")
    registry = ModelRegistry(tmp_path / "shipped", workspace)
    return Records(AnnotationStore(workspace), registry, TrainingRuns(workspace))


def begun(records: Records) -> RetrainingRun:
    """A run whose child has written the candidate."""
    run = records.begin(Role.BASE, 1)
    make_model(run.staging, "base-2")
    return run


def test_a_specialist_learns_from_its_region_and_the_others_from_all(records: Records) -> None:
    counts = {role: records.corrections(role) for role in Role}
    assert counts[Role.CLASSIFIER] == counts[Role.BASELINE] == 12
    assert 0 < counts[Role.BASE] < 12
    assert records.corrections_waiting() == counts


def test_corrections_of_before_the_last_training_do_not_wait(records: Records) -> None:
    records.conclude(records.begin(Role.BASE, 1), Trained(cancelled=True))
    waiting = records.corrections_waiting()
    assert waiting[Role.BASE] == 0 and waiting[Role.APEX] > 0


def test_too_few_corrections_are_refused_and_nothing_is_left(records: Records, workspace: Workspace) -> None:
    with pytest.raises(TrainingError, match=r"Too few accepted corrections of region base for retraining: \d+, and 99"):
        records.begin(Role.BASE, 99)
    assert records.runs.runs() == [] and not list(workspace.models_folder.glob(".staging-*"))


def test_a_better_candidate_is_put_in_service(records: Records) -> None:
    run = begun(records)
    outcome = records.conclude(run, Trained(BETTER.as_json()))
    assert (outcome.end, outcome.model_id) == (End.PROMOTED, "base-2")
    assert outcome.reason.startswith("Promoted: Dice +5.0 points")
    assert records.registry.active(Role.BASE).model_id == "base-2"
    (row,) = records.runs.runs()
    assert (row.outcome, row.detail) == ("promoted", {"reason": outcome.reason, "model_id": "base-2"})
    assert not run.staging.exists()


def test_a_candidate_that_is_not_better_is_recorded_and_the_active_model_stays(records: Records) -> None:
    outcome = records.conclude(begun(records), Trained(ALIKE.as_json()))
    assert outcome.end is End.NOT_PROMOTED and "not measurably better" in outcome.reason
    assert records.registry.active(Role.BASE).model_id == "base-1"
    (row,) = records.registry.history(Role.BASE)
    assert (row.kind, row.model_id, row.reason) == ("keep", "base-2", outcome.reason)
    assert [one.outcome for one in records.runs.runs()] == ["kept"]


@pytest.mark.parametrize(
    ("trained", "end", "reason"),
    [
        (Trained(cancelled=True), End.CANCELLED, "Training was cancelled."),
        (Trained(reason="The child crashed."), End.FAILED, "The child crashed."),
        (Trained({}), End.FAILED, "Could not read the figures of the new model"),
        (Trained(replace(BETTER, role=Role.APEX).as_json()), End.FAILED, "for the role Apex specialist, not Base"),
    ],
)
def test_without_a_candidate_the_active_model_stays(records: Records, trained: Trained, end: End, reason: str) -> None:
    run = begun(records)
    outcome = records.conclude(run, trained)
    assert outcome.end is end and reason in outcome.reason
    assert outcome.reason.endswith("No change: the current model stays.")
    assert records.registry.active(Role.BASE).model_id == "base-1" and not run.staging.exists()
    assert [one.outcome for one in records.runs.runs()] == [str(end)]
