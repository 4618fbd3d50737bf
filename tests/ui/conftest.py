"""A window on a synthetic study, with models that know the answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyqtgraph  # noqa: F401 - so that plots are made in the turn in which they are shown
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from cmr_viewer.analyse import Flow, FrameResult
from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import Program, open_program
from cmr_viewer.domain.anatomy import REGIONS, Region, reference_regions
from cmr_viewer.domain.annotation import Prediction, RegionPrediction
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.progress import Progress
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.run import application
from tests.app.conftest import formula, qtbot, session, shipped, workspace
from tests.phantom import Phantom, ras_affine, sax_cine, voxels_of, write_nifti

PATIENCE_MS = 20_000

__all__ = ["formula", "qtbot", "session", "shipped", "workspace"]
"""Fixtures that presenters are tested with."""


@dataclass
class KnowingModels:
    active: dict[Role, str]


@dataclass
class KnowingFlow:
    """Stands for the pipeline: it gives the phantom's own label maps, moved one row down by each specialist but the
    middle one, so that another route gives another label map."""

    phantom: Phantom
    segmented: list[FrameIndex] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)
    """Rows that a model moves its label maps down, by its name, where that is another number."""

    def flow(self) -> Flow:
        return Flow(self.load_models, self.analyse, self.segment_frames)  # type: ignore[arg-type]

    def load_models(self, folders: Mapping[Role, Path], device: str) -> KnowingModels:
        return KnowingModels({role: folder.name for role, folder in folders.items()})

    def region(self, frame: FrameIndex) -> Region:
        return reference_regions(list(self.phantom.labels[frame.phase].any(axis=(1, 2))))[frame.slice_index]

    def said(self, frame: FrameIndex, model_id: str) -> RegionPrediction:
        region = self.region(frame)
        chances = tuple(0.85 if each is region else 0.05 for each in REGIONS)
        return RegionPrediction(chances, model_id, region, chances)  # type: ignore[arg-type]

    def made(self, models: KnowingModels, frame: FrameIndex, region: Region) -> Prediction:
        model_id = models.active[role_of(region)]
        rows = self.moved.get(model_id, 0 if region is Region.MIDDLE else 1)
        labels = np.roll(self.phantom.labels[frame.phase, frame.slice_index], rows, axis=0)
        return Prediction(labels, model_id, region, "It knows.")

    def analyse(
        self,
        stack: Stack,
        models: KnowingModels,
        progress: Progress,
        regions: Mapping[FrameIndex, Region],
        order: Sequence[FrameIndex],
    ) -> Iterator[FrameResult]:
        for frame in order:
            yield FrameResult(frame, self.said(frame, models.active[Role.CLASSIFIER]), None)
        for frame in order:
            progress(0.5, "Segmenting")
            yield FrameResult(frame, None, self.made(models, frame, regions.get(frame) or self.region(frame)))

    def segment_frames(
        self,
        stack: Stack,
        regions: Mapping[FrameIndex, Region],
        models: KnowingModels,
        progress: Progress,
        by: object = None,
        certainty: object = None,
    ) -> Iterator[tuple[FrameIndex, Prediction]]:
        for frame, region in regions.items():
            self.segmented.append(frame)
            yield frame, self.made(models, frame, region)


@pytest.fixture(scope="session")
def qapp_cls() -> type[QApplication]:
    return QApplication


@pytest.fixture(scope="session")
def app(qapp: QApplication) -> QApplication:
    """The application with the program's look."""
    return application([])


@pytest.fixture(autouse=True)
def no_button_stays_down(app: QApplication) -> Iterator[None]:
    """A press that closed or hid its widget leaves the button down for Qt, and for the test that comes next."""
    yield
    if app.mouseButtons() != Qt.MouseButton.NoButton:
        widget = QWidget()
        QTest.mouseRelease(widget, Qt.MouseButton.LeftButton)


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """6 phases, 7 slices of 72 x 64 pixels that are longer than wide."""
    return sax_cine(phases=6, slices=7, rows=72, cols=64, pixel_spacing_mm=(1.8, 2.4))


@pytest.fixture(scope="session")
def study_path(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "phantom.nii.gz"
    return write_nifti(path, voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))


@pytest.fixture
def knowing(phantom: Phantom) -> KnowingFlow:
    return KnowingFlow(phantom)


@pytest.fixture
def program(app: QApplication, tmp_path: Path, shipped: Path, knowing: KnowingFlow) -> Iterator[Program]:
    settings = Settings(reader="R. Eader", path=tmp_path / "settings.json", auto_retrain=False)
    opened = open_program(
        settings, workspace_folder=tmp_path / "workspace", shipped_models=shipped, flow=knowing.flow()
    )
    yield opened
    opened.close()


@pytest.fixture
def window(program: Program, qtbot: QtBot) -> MainWindow:
    """The window without a study, at the size of a laptop."""
    made = MainWindow(program.session, program.settings, str(program.workspace.folder))
    qtbot.addWidget(made)
    made.resize(1280, 800)
    QCursor.setPos(made.pos())  # a pointer left over a frame by the test before would choose that frame
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def open_window(window: MainWindow, program: Program, study_path: Path, qtbot: QtBot) -> MainWindow:
    """The window with the phantom, everything computed and shown."""
    with qtbot.waitSignal(program.session.study.analysed, timeout=PATIENCE_MS):
        program.session.opening.open_path(study_path)
        program.start()
    settle(qtbot, window)
    return window


def settle(qtbot: QtBot, window: MainWindow) -> None:
    """Wait until everything that was computed or kept is shown."""
    session = window.session
    qtbot.waitUntil(
        lambda: not (session.jobs.is_busy() or session.saving.is_busy or window.display.has_more_to_show),
        timeout=PATIENCE_MS,
    )
