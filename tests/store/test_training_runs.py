from pathlib import Path

import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import StoreError
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.events import EventLog, What
from cmr_viewer.store.model_registry import INTERRUPTED, TrainingRuns
from tests.store.saving import abandon


def test_a_run_is_begun_and_finished_and_logged(workspace: Workspace) -> None:
    runs = TrainingRuns(workspace)
    first, second = runs.start(Role.BASE), runs.start(Role.APEX)
    detail = {"dice": [0.9] * 1000, "reason": "Better.", "model_id": "base-2"}
    runs.finish(first, "promoted", detail)
    (run,) = runs.runs(Role.BASE)
    assert (run.id, run.role, run.outcome, run.detail) == (first, Role.BASE, "promoted", detail)
    assert run.finished_at is not None
    assert run.finished_at >= run.started_at
    assert [(one.id, one.outcome) for one in runs.runs()] == [(first, "promoted"), (second, None)]
    found = EventLog(workspace).events()
    assert [one.what for one in found] == [What.TRAINING_STARTED, What.TRAINING_STARTED, What.TRAINING_FINISHED]
    logged = {"reason": "Better.", "model_id": "base-2", "training_run": first, "outcome": "promoted"}
    assert found[-1].detail == logged


def test_what_json_cannot_hold_does_not_end_a_run(workspace: Workspace) -> None:
    runs = TrainingRuns(workspace)
    number = runs.start(Role.BASE)
    for wrong in ({"gain": float("nan")}, {"path": Path("x")}):
        with pytest.raises(StoreError, match="could not be saved as JSON"):
            runs.finish(number, "kept", wrong)
    assert runs.runs()[0].finished_at is None


def test_a_run_ends_once(workspace: Workspace) -> None:
    runs = TrainingRuns(workspace)
    number = runs.start(Role.BASE)
    runs.finish(number, "cancelled")
    for wrong in (number, number + 1):
        with pytest.raises(StoreError, match="is not running"):
            runs.finish(wrong, "promoted")
    assert runs.runs()[0].outcome == "cancelled"
    assert len(EventLog(workspace).events(what=What.TRAINING_FINISHED)) == 1


def test_a_run_that_was_cut_off_is_interrupted_at_the_next_opening(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path, reader="reader")
    runs = TrainingRuns(workspace)
    runs.finish(runs.start(Role.BASE), "kept")
    runs.start(Role.BASE)
    abandon(workspace)
    with open_workspace(tmp_path, reader="reader") as workspace:
        assert workspace.recovery.interrupted_training == (Role.BASE,)
        assert [one.outcome for one in TrainingRuns(workspace).runs()] == ["kept", INTERRUPTED]


def test_what_is_known_at_the_beginning_or_noted_meanwhile_is_there_also_after_an_interruption(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path, reader="reader")
    runs = TrainingRuns(workspace)
    first, second = (runs.start(Role.BASE, {"parent": "base-1", "look": None}) for _ in range(2))
    runs.finish(first, "kept", {"look": 4})
    runs.note(second, {"model_id": "base-2"})
    with pytest.raises(StoreError, match="is not running"):
        runs.note(first, {"look": 8})
    abandon(workspace)
    with open_workspace(tmp_path, reader="reader") as workspace:
        ended, interrupted = TrainingRuns(workspace).runs()
    assert ended.detail == {"parent": "base-1", "look": 4}
    assert interrupted.outcome == INTERRUPTED
    assert interrupted.detail == {"parent": "base-1", "look": None, "model_id": "base-2"}
