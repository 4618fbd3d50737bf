"""A small study, models that follow a formula, and a session on a workspace of its own."""

import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.analyse import Flow, FrameResult
from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.progress import Progress
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.model_registry import ModelRegistry
from tests.reading.small import REGION_OF_SLICE, model_labels, said, small_study

NO_TRAINING = Settings(auto_retrain_after=0)


@dataclass
class FormulaModels:
    """Stands for loaded models."""

    active: dict[Role, str]


@dataclass
class FormulaFlow:
    """Stands for the pipeline: the region follows the slice, the label map the model's name.

    `gate` is waited for before each frame of an analysis, so that a test decides how far it comes.
    """

    error: Exception | None = None
    gate: threading.Semaphore | None = None
    loads: int = 0
    analysed: list[tuple[FrameIndex, ...]] = field(default_factory=list)
    segmented: list[FrameIndex] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)

    def load_models(self, folders: Mapping[Role, Path], device: str) -> FormulaModels:
        self.loads += 1
        if self.error is not None:
            raise self.error
        return FormulaModels({role: folder.name for role, folder in folders.items()})

    def wait(self) -> None:
        self.reached.set()
        if self.gate is not None:
            assert self.gate.acquire(timeout=20)

    def analyse(
        self,
        stack: Stack,
        models: FormulaModels,
        progress: Progress,
        regions: Mapping[FrameIndex, Region],
        order: Sequence[FrameIndex],
    ) -> Iterator[FrameResult]:
        self.analysed.append(tuple(order))
        for frame in order:
            yield FrameResult(frame, said(REGION_OF_SLICE[frame.slice_index], models.active[Role.CLASSIFIER]), None)
        for number, frame in enumerate(order):
            self.wait()
            progress(number / len(order), "Segmenting")
            yield FrameResult(
                frame, None, self._predict(models, frame, regions.get(frame) or REGION_OF_SLICE[frame.slice_index])
            )

    def segment_frames(
        self,
        stack: Stack,
        regions: Mapping[FrameIndex, Region],
        models: FormulaModels,
        progress: Progress,
        by: Mapping[FrameIndex, str],
        certainty: Mapping[FrameIndex, float],
    ) -> Iterator[tuple[FrameIndex, Prediction]]:
        for frame, region in regions.items():
            progress(0.5, "Segmenting")
            yield frame, self._predict(models, frame, region)

    def _predict(self, models: FormulaModels, frame: FrameIndex, region: Region) -> Prediction:
        self.segmented.append(frame)
        model_id = models.active[role_of(region)]
        return Prediction(model_labels(model_id, frame), model_id, region, "By formula.")

    def flow(self) -> Flow:
        return Flow(self.load_models, self.analyse, self.segment_frames)  # type: ignore[arg-type]


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
