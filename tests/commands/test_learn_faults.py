"""`cmr-viewer learn` where memory or disk run out, the clock is set back, others are at work, or files are foreign."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import Connection, event

from cmr_viewer import learn
from cmr_viewer.__main__ import main
from cmr_viewer.analyse import own_flow
from cmr_viewer.commands import learn as command
from cmr_viewer.commands import train as train_command
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import WorkspaceInUseError
from cmr_viewer.pipeline import load_active_models
from cmr_viewer.promote.records import Records
from cmr_viewer.store import model_registry, tables
from cmr_viewer.store.database import STAGING_PREFIX, open_workspace, open_workspace_readonly
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns
from cmr_viewer.train import fit, train_model
from cmr_viewer.train.checkpoint import TrainingState
from tests.killed_learning import learned, stand_in
from tests.tiny_models import tiny_id
from tests.workspaces import PATIENTS, make_workspace


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("faults") / "workspace", PATIENTS[:4])


@pytest.fixture
def workspace(corrected: Path, tmp_path: Path) -> Path:
    """Four corrected patients."""
    return Path(copytree(corrected, tmp_path / "workspace"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that takes no time and gains five points."""
    monkeypatch.setattr(command, "retrain", stand_in(0.05))


def outcomes(workspace: Path) -> list[tuple[Role, str | None]]:
    with open_workspace_readonly(workspace) as opened:
        return [(run.role, run.outcome) for run in TrainingRuns(opened).runs()]


def assert_unchanged(workspace: Path, shipped: Path, role: Role = Role.BASE) -> None:
    """The shipped model serves, nothing of a candidate is left, and a new run can begin."""
    with open_workspace(workspace, reader="reader") as opened:
        registry = ModelRegistry(shipped, opened)
        assert registry.active(role).model_id == tiny_id(role) and registry.problems() == []
        assert not [one for one in registry.models() if not one.shipped and one.role is role]
        left = opened.models_folder.iterdir() if opened.models_folder.exists() else ()
        assert not [one for one in left if one.name.startswith(STAGING_PREFIX)]
        assert Records(opened, registry).begin(role).readiness.look == 4


def once(owner: Any, name: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something fail the first time that it is called, and work after that."""
    given, calls = getattr(owner, name), [0]

    def failing(*values: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == 1:
            raise error
        return given(*values, **named)

    monkeypatch.setattr(owner, name, failing)


# -- memory ------------------------------------------------------------------------------------------------------------

ON_GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
ON_CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried ...")


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (learn, "load_models", ON_GPU),
        (learn.Lesson, "samples", MemoryError()),
        (fit, "_begin", ON_GPU),
        (fit._Learning, "step", ON_CPU),
        (learn, "judged", ON_CPU),
        (learn, "write_changes", MemoryError()),
    ],
)
def test_memory_that_runs_out_anywhere_is_told_plainly(
    corrected: Path,
    models_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    error: BaseException,
) -> None:
    once(owner, name, error, monkeypatch)
    given = ["train", "--workspace", str(corrected), "--role", "base", "--output", str(tmp_path / "new")]
    more = ["--models", str(models_folder), "--device", "cpu", "--iterations", "1", "--progress", "json"]
    assert main([*given, *more]) == 1
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    if error is ON_GPU:
        text = (
            "Not enough memory of the graphics card to train. Close other programs, train with a smaller batch, or "
            "train on the CPU."
        )
    else:
        text = "Not enough memory to train. Close other programs, train with a smaller batch."
    assert last == {"event": "error", "message": text}


def test_a_role_whose_memory_runs_out_fails_and_the_others_are_learned(
    workspace: Path, models_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    once(fit._Learning, "step", ON_CPU, monkeypatch)
    assert learned(workspace, models_folder, roles="base,apex") == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("base: failed. Not enough memory to train.")
    assert told[1].startswith(("apex: promoted.", "apex: not promoted."))
    assert outcomes(workspace)[0] == (Role.BASE, "failed")
    assert outcomes(workspace)[1][0] is Role.APEX and outcomes(workspace)[1][1] in ("kept", "promoted")
    assert_unchanged(workspace, models_folder)


# -- disk --------------------------------------------------------------------------------------------------------------

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (model_registry.tempfile, "mkdtemp"),
        (train_model, "save_weights"),
        (train_model.Plan, "write"),
        (np, "savez_compressed"),
        (model_registry, "_sync_tree"),
        (Path, "replace"),
    ],
)
def test_a_full_disk_fails_the_role_and_says_to_free_space(
    workspace: Path,
    models_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
) -> None:
    with monkeypatch.context() as patch:
        once(owner, name, FULL, patch)
        assert learned(workspace, models_folder) == 1
    (told,) = capsys.readouterr().out.splitlines()
    assert told.startswith("base: failed. ")
    assert "No space left on device" in told and "Free some disk space" in told
    assert outcomes(workspace) == ([] if name == "mkdtemp" else [(Role.BASE, "failed")])
    assert_unchanged(workspace, models_folder)


@pytest.mark.parametrize("step", ["start", "note", "finish"])
@pytest.mark.usefixtures("quick")
def test_a_database_that_cannot_grow_fails_the_role_and_promotes_nothing(
    workspace: Path,
    models_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    def full(runs: TrainingRuns, *_given: Any) -> None:
        """Let the database have no further page, and write more than fits."""

        @event.listens_for(runs._workspace.engine, "begin")
        def limit(connection: Connection) -> None:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        with runs._workspace.write() as connection:
            limit(connection)
            connection.exec_driver_sql("CREATE TABLE filling AS SELECT zeroblob(10000000)")

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRuns, step, full)
        assert learned(workspace, models_folder, roles="base,apex") == 1
    shown = capsys.readouterr()
    assert [line.split(". ")[0] for line in shown.out.splitlines()] == ["base: failed", "apex: failed"]
    assert shown.out.count("The disk of the workspace") == 2
    assert (Role.BASE, "promoted") not in outcomes(workspace)
    assert_unchanged(workspace, models_folder)


@pytest.mark.usefixtures("quick")
def test_a_report_that_cannot_be_written_does_not_undo_what_was_learned(
    workspace: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert learned(workspace, models_folder, "--json", str(tmp_path / "file" / "values.json")) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("base: promoted.") and "could not be written" in shown.err
    assert outcomes(workspace) == [(Role.BASE, "promoted")]


# -- clock -------------------------------------------------------------------------------------------------------------


class Backwards(datetime):
    """A clock that goes back by a day each time that it is read."""

    reads = 0

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        cls.reads += 1
        return datetime(2040, 1, 1, tzinfo=UTC) - timedelta(days=cls.reads)


class Stopped(datetime):
    """A clock that shows the same second again and again, as one that is set back at each start."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.usefixtures("quick")
def test_a_clock_that_goes_back_changes_nothing_in_the_order_of_things(
    workspace: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (tables, train_command):
        monkeypatch.setattr(module, "datetime", Backwards)
    assert learned(workspace, models_folder) == 0
    with open_workspace(workspace, reader="reader") as opened:
        records = Records(opened, ModelRegistry(models_folder, opened))
        (run,) = records.runs.runs()
        first = records.registry.active(Role.BASE).model_id
        assert run.finished_at is not None and run.finished_at < run.started_at
        assert (run.outcome, run.detail["model_id"]) == ("promoted", first)
        found = records.readiness()[Role.BASE]
        assert (found.active_id, found.patients, found.earlier) == (first, 0, ())
        staging = records.registry.staging_folder()
        stand_in(0.0)(workspace, Role.BASE, staging, model_id="later", shipped=models_folder)
        records.registry.adopt(staging)
        records.registry.promote(Role.BASE, "later", "better")
        rows = records.registry.history(Role.BASE)
        assert rows[1].at < rows[0].at and rows[1].previous_model_id == first
        assert records.registry.active(Role.BASE).model_id == "later"
        assert records.registry.roll_back(Role.BASE).model_id == first
        assert records.registry.clean_up(0) == []


@pytest.mark.usefixtures("quick")
def test_two_models_of_one_second_have_two_names(
    workspace: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_command, "datetime", Stopped)
    monkeypatch.setattr(command, "retrain", stand_in(0.0))
    assert learned(workspace, models_folder) == 0
    make_workspace(workspace, [*PATIENTS[:4], *(f"more{n}" for n in range(4))])  # as many as the next look takes
    assert learned(workspace, models_folder) == 0
    with open_workspace_readonly(workspace) as opened:
        names = [run.detail["model_id"] for run in TrainingRuns(opened).runs()]
    assert names == ["base-20000101T000000", "base-20000101T000000-2"]


# -- two programs ------------------------------------------------------------------------------------------------------


def test_learning_waits_for_no_window_and_says_in_one_line_that_one_is_open(
    workspace: Path, models_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_workspace(workspace, reader="window"):
        assert learned(workspace, models_folder) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and len(shown.err.splitlines()) == 1
    assert f"The workspace {workspace} is open in another window" in shown.err
    assert outcomes(workspace) == []


def test_a_window_is_told_that_a_learning_runs(
    workspace: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def retrain(*given: Any, **named: Any) -> Any:
        with pytest.raises(WorkspaceInUseError) as refused:
            open_workspace(workspace, reader="window")
        told.append(str(refused.value))
        return stand_in(0.05)(*given, **named)

    monkeypatch.setattr(command, "retrain", retrain)
    assert learned(workspace, models_folder) == 0
    (text,) = told
    assert "cmr-viewer learn works in it" in text and "wait for the command to end" in text


# -- foreign and poisoned files ----------------------------------------------------------------------------------------


@pytest.fixture
def promoted(workspace: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a retrained model that serves."""
    with monkeypatch.context() as patch:
        patch.setattr(command, "retrain", stand_in(0.05))
        assert learned(workspace, models_folder) == 0
    with open_workspace_readonly(workspace) as opened:
        folder = ModelRegistry(models_folder, opened).active(Role.BASE).folder
    assert not (models_folder / folder.name).exists()
    yield folder


def changed_plan(**values: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        (folder / "plan.json").write_text(json.dumps({**plan, **values}), encoding="utf-8")

    return change


def changed_weights(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        from safetensors.torch import load_file, save

        path = folder / "weights.safetensors"
        path.write_bytes(save({name: change(tensor) for name, tensor in load_file(path).items()}))

    return write


def pickled(folder: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, folder / "weights.safetensors")


def truncated(folder: Path) -> None:
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[: len(content) // 2])


def of_huge_shapes(folder: Path) -> None:
    """A file of 100 bytes that says to hold 4 TB."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [1000000, 1000000], "data_offsets": [0, 4 * 10**12]}}).encode()
    (folder / "weights.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


def nested(folder: Path) -> None:
    (folder / "plan.json").write_text("[" * 200_000, encoding="utf-8")


POISON: dict[str, Callable[[Path], object]] = {
    "role": changed_plan(role="classifier"),
    "architecture": changed_plan(architecture="densenet121"),
    "widths": changed_plan(options={"widths": [60_000, 60_000, 60_000]}),
    "more-widths": changed_plan(options={"widths": [10**30, 10**30]}),
    "rows": changed_plan(rows=16 * 10**8),
    "spacing": changed_plan(spacing_mm=1e-9),
    "options": changed_plan(options=[]),
    "nan": changed_weights(lambda one: one * float("nan")),
    "shapes": changed_weights(lambda one: one.flatten()),
    "pickle": pickled,
    "truncated": truncated,
    "huge": of_huge_shapes,
    "empty": lambda folder: (folder / "weights.safetensors").write_bytes(b""),
    "nested": nested,
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
def test_a_model_that_was_tampered_with_does_not_serve_and_is_told_of(
    workspace: Path, models_folder: Path, promoted: Path, poison: Callable[[Path], object]
) -> None:
    poison(promoted)
    warnings: list[str] = []
    with open_workspace_readonly(workspace) as opened:
        registry = ModelRegistry(models_folder, opened)
        models = load_active_models(own_flow(), registry, "cpu", warn=warnings.append)
        told = " ".join([*warnings, *registry.problems()])
    assert models.active[Role.BASE] == tiny_id(Role.BASE)
    assert promoted.name in told


def test_learning_says_which_model_cannot_be_loaded_and_what_to_do(
    workspace: Path, models_folder: Path, promoted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truncated(promoted)
    capsys.readouterr()
    assert learned(workspace, models_folder, roles="apex") == 1
    told = capsys.readouterr().out
    assert told.startswith("apex: failed. The base specialist in use cannot be loaded, so nothing can be trained.")
    assert str(promoted) in told and "roll back to the model before it" in told


def test_a_candidate_of_weights_that_are_not_numbers_is_refused(
    workspace: Path, models_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def poisoned(state: TrainingState, _decay: float) -> None:
        """A loss that is a number, and a step that goes nowhere."""
        for weight in state.average.values():
            weight.fill_(float("nan") if weight.is_floating_point() else 0)

    monkeypatch.setattr(TrainingState, "follow", poisoned)
    assert learned(workspace, models_folder) == 1
    assert "base: failed. Weights of the trained network are not numbers." in capsys.readouterr().out
    assert_unchanged(workspace, models_folder)


def test_a_candidate_whose_file_cannot_be_read_back_is_refused(
    workspace: Path, models_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = learn.write_changes

    def damaged(folder: Path, *given: Any) -> None:
        write(folder, *given)
        truncated(folder)

    monkeypatch.setattr(learn, "write_changes", damaged)
    assert learned(workspace, models_folder) == 1
    assert "base: failed. The new model was written, but cannot be read back." in capsys.readouterr().out
    assert_unchanged(workspace, models_folder)
