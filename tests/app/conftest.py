"""A small study, models that follow a formula, and a session on a workspace of its own."""

import json
import logging
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import Study
from cmr_viewer.progress import Progress
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.model_registry import ModelRegistry
from tests.reading.small import FormulaFlow, small_study

NO_TRAINING = Settings(auto_retrain=False)


def write_model(folder: Path, model_id: str, role: Role) -> Path:
    """A model folder that the registry takes for whole."""
    place = folder / model_id
    place.mkdir(parents=True)
    (place / "plan.json").write_text(json.dumps({"model_id": model_id, "role": role.value}))
    (place / "weights.safetensors").write_bytes(b"0")
    return place


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    folder = tmp_path / "shipped"
    for role in Role:
        write_model(folder, f"{role.value}-1", role)
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "workspace", reader="R. Eader") as opened:
        yield opened


@pytest.fixture
def formula() -> FormulaFlow:
    return FormulaFlow()


@pytest.fixture
def session(qapp: Any, workspace: Workspace, shipped: Path, formula: FormulaFlow) -> Iterator[Session]:
    made = make_session(workspace, shipped, formula)
    yield made
    if formula.gate is not None:
        formula.gate.release(1000)
    made.shutdown()


def make_session(workspace: Workspace, shipped: Path, formula: FormulaFlow) -> Session:
    def opener(path: Path, progress: Progress, opening: Opening, preview: object) -> Study:
        progress(0.5, "OpenStudy")
        if path.name == "broken":
            from cmr_viewer.errors import NotAStudyError

            raise NotAStudyError(f"{path} holds no images.")
        return small_study(path.name, seed=sum(path.name.encode()))

    return Session(workspace, ModelRegistry(shipped, workspace), NO_TRAINING, flow=formula.flow(), opener=opener)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    ours = [t for t in threading.enumerate() if t not in before and t.name.startswith("cmr-viewer")]
    for thread in ours:
        thread.join(10)  # one that is just ending is no leak
    left = [t.name for t in ours if t.is_alive()]
    assert not left, f"Threads are left running: {left}"


@pytest.fixture(autouse=True)
def _logs_are_raised(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cmr_viewer")


@pytest.fixture
def qtbot(qtbot: Any) -> Any:
    """Waits for as long as a busy machine may need; a test that passes does not wait."""
    for name in ("waitSignal", "waitSignals", "waitUntil"):
        setattr(qtbot, name, partial(getattr(qtbot, name), timeout=60_000))
    return qtbot
