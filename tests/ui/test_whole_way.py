"""The whole way on the demo study with the shipped models, in a real window: from opening to opening it again."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import Program
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.paths import demo_study_dir, shipped_models_dir
from cmr_viewer.promote.records import End
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import settle

Key, Held = Qt.Key, Qt.KeyboardModifier

LONG_MS = 300_000


def start(folder: Path) -> Program:
    """The program on a workspace."""
    settings = Settings(reader="R. Eader", path=folder / "settings.json", auto_retrain=False)
    workspace = open_workspace(folder / "workspace", reader=settings.reader)
    registry = ModelRegistry(shipped_models_dir(), workspace)
    return Program(settings, workspace, Session(workspace, registry, settings))


def show(program: Program, qtbot: QtBot) -> MainWindow:
    window = MainWindow(program.session, program.settings, str(program.workspace.folder))
    qtbot.addWidget(window)
    window.resize(1440, 900)
    with qtbot.waitActive(window):  # keys reach the actions of the active window only
        window.show()
        window.activateWindow()
    return window


def press(qtbot: QtBot, window: MainWindow, key: Key, held: Held = Held.NoModifier) -> None:
    qtbot.keyClick(window.parts.view, key, held)


def go(qtbot: QtBot, window: MainWindow, frame: FrameIndex) -> None:
    """To a frame with the arrow keys."""
    phases, slices = frame.phase - window.desk.frame.phase, frame.slice_index - window.desk.frame.slice_index
    for _ in range(abs(phases)):
        press(qtbot, window, Key.Key_Right if phases > 0 else Key.Key_Left)
    for _ in range(abs(slices)):
        press(qtbot, window, Key.Key_Down if slices > 0 else Key.Key_Up)
    assert window.desk.frame == frame


def paint(qtbot: QtBot, window: MainWindow, points: list[tuple[float, float]]) -> None:
    view = window.parts.view
    first, *others = [view.to_widget(point).toPoint() for point in points]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=first)
    for at in others:
        qtbot.mouseMove(view, at)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=others[-1])


def serving(session: Session, role: Role) -> str:
    """The model that frames of a region go to: its specialist, or the baseline where none is in service."""
    active = session.models.registry.active_all()
    return active.get(role, active[Role.BASELINE]).model_id


def keep_picture(window: MainWindow, name: str) -> None:
    folder = os.environ.get("CMR_VIEWER_ARTEFACTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        QApplication.processEvents()
        window.grab().save(str(Path(folder) / f"{name}.png"))


@pytest.fixture
def program(app: QApplication, tmp_path: Path) -> Iterator[Program]:
    made = start(tmp_path)
    yield made
    made.close()


@pytest.mark.xcb
@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="There is no X server.")
def test_a_study_is_opened_corrected_kept_learned_from_and_found_again(
    program: Program, app: QApplication, tmp_path: Path, qtbot: QtBot
) -> None:
    session = program.session
    window = show(program, qtbot)

    # open: the image first, then regions and label maps
    with qtbot.waitSignal(session.study.analysed, timeout=LONG_MS):
        with qtbot.waitSignal(session.study.opened, timeout=LONG_MS):
            session.opening.open_path(demo_study_dir())
        assert session.study.stack is not None
        assert session.study.frame_state(FrameIndex(0, 0)).prediction is None
        program.start()
    settle(qtbot, window)
    stack, ed = session.study.stack, session.study.ed_phase
    assert ed is not None
    regions = [session.study.frame_state(FrameIndex(ed, s)).region for s in range(stack.slices)]
    assert {Region.BASE, Region.MIDDLE, Region.APEX} <= set(regions)
    keep_picture(window, "whole-way-opened")

    # a basal frame is said to be middle: routed to the other specialist at once
    frame = FrameIndex(ed, regions.index(Region.BASE))
    go(qtbot, window, frame)
    before = session.study.frame_state(frame)
    assert before.model_id == serving(session, Role.BASE)
    press(qtbot, window, Key.Key_2, Held.ShiftModifier)
    settle(qtbot, window)
    routed = session.study.frame_state(frame)
    assert (routed.region, routed.region_by) == (Region.MIDDLE, "reader")
    assert routed.model_id == serving(session, Role.MIDDLE)
    assert "reader" in routed.reason
    press(qtbot, window, Key.Key_Z, Held.ControlModifier)
    settle(qtbot, window)
    assert session.study.frame_state(frame).region is Region.BASE
    assert np.array_equal(session.study.frame_state(frame).labels, before.labels)

    # paint and undo, then paint to keep
    press(qtbot, window, Key.Key_2)
    centre = np.argwhere(before.labels > 0).mean(axis=0)
    stroke = [(float(centre[0]) - 6, float(centre[1]) + d) for d in (-8.0, 0.0, 8.0)]
    paint(qtbot, window, stroke)
    painted = session.study.frame_state(frame).labels.copy()
    assert np.count_nonzero(painted == Label.LVM) > np.count_nonzero(before.labels == Label.LVM)
    press(qtbot, window, Key.Key_Z, Held.ControlModifier)
    assert np.array_equal(session.study.frame_state(frame).labels, before.labels)
    paint(qtbot, window, stroke)
    assert np.array_equal(session.study.frame_state(frame).labels, painted)
    keep_picture(window, "whole-way-painted")

    # accept
    press(qtbot, window, Key.Key_Return)
    settle(qtbot, window)
    kept = session.study.frame_state(frame)
    assert (kept.status, kept.provenance) == (ReviewStatus.ACCEPTED, Provenance.SEMIAUTOMATIC)

    # retrain: one patient is too few to judge a new model, so none is trained, and it is said why
    active = serving(session, Role.BASE)
    with qtbot.waitSignal(program.session.retraining.finished, timeout=LONG_MS) as ended:
        window.actions_by_id["retrain_base"].trigger()
        press(qtbot, window, Key.Key_Down)
        assert window.desk.frame == FrameIndex(ed, frame.slice_index + 1)
    settle(qtbot, window)
    outcome = ended.args[0]
    assert outcome.end is End.REFUSED, outcome
    assert "3 more patients with corrected basal frames" in outcome.reason
    assert serving(session, Role.BASE) == active
    keep_picture(window, "whole-way-retrained")

    # close, open again: everything is there, and nothing is computed anew
    measures = session.study.measures.values
    window.close()
    program.close()
    again = start(tmp_path)
    try:
        assert again.workspace.recovery.text() == ""
        second = show(again, qtbot)
        with qtbot.waitSignal(again.session.study.restored, timeout=LONG_MS):
            again.session.opening.open_path(demo_study_dir())
        settle(qtbot, second)
        found = again.session.study.frame_state(frame)
        assert (found.status, found.region) == (ReviewStatus.ACCEPTED, Region.BASE)
        assert np.array_equal(found.labels, painted)
        assert all(
            again.session.study.frame_state(f).labels is not None for f in again.session.study.stack.frame_indices
        )
        assert again.session.study.measures.values == measures
        assert again.session.models.registry.history(Role.BASE) == []
        keep_picture(second, "whole-way-found-again")
        second.close()
    finally:
        again.close()
