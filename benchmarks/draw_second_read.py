"""Reads the demo study twice and draws the window while both reads are adjudicated, and while the second is blinded.

QT_QPA_PLATFORM=offscreen python benchmarks/draw_second_read.py docs/pictures/second-reader.png [blinded.png]

Each reader's label maps are the models', some of them grown by 1.4 to 3 mm.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication, QScrollArea

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import open_program
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.paths import demo_study_dir, shipped_models_dir
from cmr_viewer.review.shape import grow
from cmr_viewer.ui.features.second_read.feature import SecondReadFeature
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.run import application

PATIENCE_S = 300.0


def wait(app: QApplication, done: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not done():
        app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)
        if time.monotonic() > until:
            raise TimeoutError("The program is still at work.")


def settle(app: QApplication, window: MainWindow) -> None:
    session, until = window.session, time.monotonic() + 2.0
    wait(app, lambda: time.monotonic() > until and not (session.jobs.is_busy() or session.saving.is_busy))


def correct(session: Session, seed: int, frames: int) -> None:
    """Grow a label in some frames at ED and ES, mark and accept these phases."""
    chance, ed, es, stack = (
        np.random.default_rng(seed),
        session.study.ed_phase,
        session.study.es_phase,
        session.study.stack,
    )
    assert ed is not None and es is not None and stack is not None
    for _ in range(frames):
        frame = FrameIndex(int(chance.choice([ed, es])), int(chance.integers(0, stack.slices)))
        labels, label = session.study.frame_state(frame).labels, Label(int(chance.choice([1, 3])))
        if labels is not None:
            wider = grow(labels, label, float(chance.uniform(1.4, 3.0)), stack.geometry.pixel_spacing_mm)
            session.study.change_labels({frame: wider}, f"grow {label.text}")
    session.study.set_ed(ed)
    session.study.set_es(es)
    session.study.accept_phase(ed)
    session.study.accept_phase(es)


def show_reads(window: MainWindow, feature: SecondReadFeature) -> None:
    window.parts.side.show_page(Page.REVIEW)
    area = window.parts.side.currentWidget()
    assert isinstance(area, QScrollArea)
    at = feature.panel.mapTo(area.widget(), feature.panel.rect().topLeft())
    area.verticalScrollBar().setValue(at.y() - 50)


def main() -> None:
    app = application([])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        settings = Settings(reader="A. First", path=Path(place) / "settings.json", auto_retrain=False, tour_seen=True)
        program = open_program(
            settings, workspace_folder=Path(place) / "workspace", shipped_models=shipped_models_dir()
        )
        window = MainWindow(program.session, program.settings)
        window.resize(1280, 800)
        window.show()
        session = program.session
        feature = window.feature(SecondReadFeature)
        analysed: list[bool] = []
        session.study.analysed.connect(lambda: analysed.append(True))
        session.opening.open_path(demo_study_dir())
        program.start()
        wait(app, lambda: bool(analysed))
        correct(session, 1, 6)
        settle(app, window)
        session.reads.begin_second("B. Second", blinded=True)
        wait(app, lambda: session.study.read is not None)
        settle(app, window)
        correct(session, 7, 5)
        settle(app, window)
        if len(sys.argv) > 2:
            show_reads(window, feature)
            settle(app, window)
            window.grab().save(sys.argv[2])
        session.reads.finish()
        wait(app, lambda: not session.study.can_change)
        settle(app, window)
        session.reads.begin_adjudication("C. Third", 1)
        wait(app, lambda: session.reads.both is not None)
        settle(app, window)
        window.actions_by_id["next_review"].trigger()
        window.actions_by_id["zoom_heart"].trigger()
        settle(app, window)
        show_reads(window, feature)
        settle(app, window)
        window.grab().save(sys.argv[1])
        window.close()
        program.close()


if __name__ == "__main__":
    main()
