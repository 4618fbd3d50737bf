"""A learning that kills itself (SIGKILL) at a stated moment; also run as a program that forks such ones.

python -m tests.killed_learning     for each line "POINT WORKSPACE SHIPPED" on standard input, in a child that is
                                    forked: `cmr-viewer learn` of the base specialist until it dies; then "dead CODE"

At the points of `OF_CONCLUDING`, the training is stood in for by one that takes no time: the candidate is a copy of the
model in service, with figures of a clear gain, or of none.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer import learn
from cmr_viewer.__main__ import main
from cmr_viewer.commands import learn as command
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.promote.gate import Assessment, JudgedFrame
from cmr_viewer.promote.records import Records
from cmr_viewer.store import model_registry
from cmr_viewer.store.database import open_workspace_readonly
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns
from cmr_viewer.store.reviewed import read_reviewed
from cmr_viewer.train import train_model
from tests.tiny_models import tiny_id

PATIENTS = 4


def _die(*_given: Any, **_named: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str, call: int = 1) -> None:
    """Die when something is called for the given time."""
    given, calls = getattr(owner, name), [0]

    def dying(*values: Any, **named: Any) -> Any:
        calls[0] += 1
        return _die() if calls[0] == call else given(*values, **named)

    setattr(owner, name, dying)


def _after(owner: Any, name: str) -> None:
    """Die when something has been done."""
    given = getattr(owner, name)

    def dying(*values: Any, **named: Any) -> None:
        given(*values, **named)
        _die()

    setattr(owner, name, dying)


def _half_of_bytes(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
    _die()


def _half_of_text(path: Path, text: str, **_named: Any) -> None:
    _half_of_bytes(path, text.encode())


def _half_of_changes(file: Any, **_arrays: Any) -> None:
    file.write(b"PK\x03\x04half")
    file.flush()
    _die()


OF_TRAINING: dict[str, Callable[[], None]] = {
    "reviewed frames are read": lambda: _after(learn, "read_lesson"),
    "the first course begins": lambda: _before(learn, "refine_model"),
    "the second fold begins": lambda: _before(learn, "trained_model", 2),
    "half of the weights are written": lambda: setattr(Path, "write_bytes", _half_of_bytes),
    "the weights are written": lambda: _after(train_model, "save_weights"),
    "half of the plan is written": lambda: setattr(train_model.Plan, "write", _half_of_plan),
    "the changed frames are being written": lambda: setattr(np, "savez_compressed", _half_of_changes),
    "the candidate is written": lambda: _before(learn, "judged_frames"),
}


def _half_of_plan(_plan: Any, folder: Path) -> None:
    _half_of_text(folder / "plan.json", '{"format": 1, "model_id": "half"}')


def _removal_dies() -> None:
    """Die at the renaming of a candidate that is cleaned up."""
    given = Path.rename

    def rename(path: Path, target: Path) -> Path:
        moved = given(path, target)
        return _die() if "removed" in target.name else moved  # type: ignore[no-any-return]

    Path.rename = rename  # type: ignore[method-assign, assignment]


OF_CONCLUDING: dict[str, Callable[[], None]] = {
    "the run is about to begin": lambda: _before(TrainingRuns, "start"),
    "the run has begun": lambda: _after(TrainingRuns, "start"),
    "the training has ended": lambda: _before(Records, "conclude"),
    "the candidate's name is noted": lambda: _after(TrainingRuns, "note"),
    "the candidate's files are brought to the disk": lambda: _before(model_registry, "_sync_tree"),
    "the candidate's folder is moved": lambda: _before(model_registry, "sync_folder", 2),
    "the candidate is adopted": lambda: _after(ModelRegistry, "adopt"),
    "the candidate is promoted": lambda: _after(ModelRegistry, "promote"),
    "the candidate is declined": lambda: _after(ModelRegistry, "decline"),
    "the end of the run is about to be written": lambda: _before(TrainingRuns, "finish"),
    "the end of the run is written": lambda: _after(TrainingRuns, "finish"),
    "the outcome is on disk": lambda: _before(ModelRegistry, "clean_up"),
    "an old candidate is being removed": _removal_dies,
}

NO_GAIN = ("the candidate is declined", "an old candidate is being removed")
"""Points at which the candidate is no better."""

DECIDED = ("the outcome is on disk", "an old candidate is being removed")
"""Points at which all is on disk."""


def stand_in(gain: float) -> Callable[..., Assessment]:
    """A training that takes no time."""

    def retrain(
        workspace: Path, role: Role, folder: Path, *, model_id: str, shipped: Path, **_named: Any
    ) -> Assessment:
        with open_workspace_readonly(workspace) as opened:
            active = ModelRegistry(shipped, opened).active(role).model_id
            taught = tuple(sorted({stack.patient_key for stack in read_reviewed(opened, pixels=False)}))
        shutil.copytree(shipped / tiny_id(role), folder, dirs_exist_ok=True)
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        (folder / "plan.json").write_text(json.dumps({**plan, "model_id": model_id}), encoding="utf-8")
        frames = tuple(
            JudgedFrame(f"{n}", "s", 0, 0, Region.BASE, {"LVBP": 0.8}, {"LVBP": 0.8 + gain}, {}, {})
            for n in range(PATIENTS)
        )
        return Assessment(role, model_id, active, "Dice", frames, (), taught)

    return retrain


def learned(workspace: Path, shipped: Path, *more: str, roles: str = "base") -> int:
    """Run the command; its exit code."""
    given = ["learn", "--workspace", str(workspace), "--models", str(shipped), "--roles", roles]
    return main([*given, "--device", "cpu", "--iterations", "1", "--threads", "1", *more])


def _learn_and_die(point: str, workspace: Path, shipped: Path) -> int:
    if point in OF_CONCLUDING:
        command.retrain = stand_in(0.0 if point in NO_GAIN else 0.05)
    {**OF_TRAINING, **OF_CONCLUDING}[point]()
    return learned(workspace, shipped)


def serve() -> None:
    """Fork a learning for each line of standard input."""
    for line in sys.stdin:
        point, workspace, shipped = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.dup2(2, 1)
                code = _learn_and_die(point, Path(workspace), Path(shipped))
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        os.write(1, f"dead {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    serve()
