"""A disk that is full: what could not be saved is told, and asked about before the window closes."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from cmr_viewer.app.startup import Program
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.undo_log import UndoLog
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.unsaved import UnsavedButton
from tests.ui.conftest import PATIENCE_MS, settle

FRAMES = (FrameIndex(0, 2), FrameIndex(1, 3), FrameIndex(4, 3))


class Disk:
    """A disk of the workspace that can be full; other folders are on another disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
        self.full = False
        save = AnnotationStore.save

        def save_work(store: AnnotationStore, stack_id: str, work: Any, **more: Any) -> Any:
            if self.full and store._workspace is program.workspace:
                raise StoreError("The disk is full.")
            return save(store, stack_id, work, **more)

        monkeypatch.setattr(AnnotationStore, "save", save_work)


@pytest.fixture
def disk(open_window: MainWindow, program: Program, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch, program)


@pytest.fixture
def unsaved(open_window: MainWindow, disk: Disk, qtbot: QtBot) -> MainWindow:
    """Strokes in three frames, which the disk did not take."""
    disk.full = True
    for frame in FRAMES:
        paint(open_window, frame)
    settle(qtbot, open_window)
    return open_window


def paint(window: MainWindow, frame: FrameIndex) -> None:
    window.desk.go(frame)
    window.actions_by_id["label_rvbp"].trigger()
    window.desk.begin_stroke(5.0, 5.0, False)
    window.desk.extend_stroke(9.0, 9.0)
    window.desk.end_stroke()


def question(window: MainWindow) -> QMessageBox:
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    (found,) = [one for one in window.findChildren(QMessageBox) if one.isVisible()]
    return found


def press(window: MainWindow, name: str) -> None:
    button = question(window).findChild(QAbstractButton, name)
    assert button is not None
    button.click()


def stack_id(window: MainWindow) -> str:
    assert window.session.study.stack is not None
    return window.session.study.stack.stack_id


def test_the_window_closes_at_once_where_all_is_saved(open_window: MainWindow, disk: Disk) -> None:
    paint(open_window, FRAMES[0])
    assert open_window.close()
    assert set(open_window.session.saved.annotations.latest(stack_id(open_window))) == {FRAMES[0]}


def test_what_is_not_saved_stands_in_the_status_bar_until_it_is(unsaved: MainWindow, disk: Disk, qtbot: QtBot) -> None:
    (button,) = unsaved.findChildren(UnsavedButton)
    assert button.isVisible() and button.text() == "3 frames could not be saved: try again"
    button.click()
    settle(qtbot, unsaved)
    assert button.isVisible()
    disk.full = False
    button.click()
    settle(qtbot, unsaved)
    assert not button.isVisible()
    assert set(unsaved.session.saved.annotations.latest(stack_id(unsaved))) == set(FRAMES)


def test_closing_asks_and_try_again_saves_all_once_there_is_room(unsaved: MainWindow, disk: Disk, qtbot: QtBot) -> None:
    assert not unsaved.close() and unsaved.isVisible()
    assert question(unsaved).text() == "3 frames could not be saved."
    press(unsaved, "try_again")
    assert unsaved.isVisible(), "there is no room yet: it is asked again"
    disk.full = False
    press(unsaved, "try_again")
    assert not unsaved.isVisible()
    assert set(unsaved.session.saved.annotations.latest(stack_id(unsaved))) == set(FRAMES)


def test_saving_elsewhere_makes_a_whole_workspace_that_has_everything(
    unsaved: MainWindow, program: Program, tmp_path: Path, qtbot: QtBot
) -> None:
    unsaved.close()
    other = tmp_path / "other disk"
    unsaved.quitting._question = None
    question(unsaved).done(0)
    unsaved.quitting.save_in(other)
    settle(qtbot, unsaved)
    said = question(unsaved)
    (folder,) = other.iterdir()
    assert str(folder) in said.text()
    said.accept()
    qtbot.waitUntil(lambda: not unsaved.isVisible(), timeout=PATIENCE_MS)
    assert program.settings.workspace == str(folder)
    with open_workspace(folder, reader="R. Eader") as workspace:
        latest = AnnotationStore(workspace).latest(stack_id(unsaved))
        steps = [step.text for step in UndoLog(workspace).lines(stack_id(unsaved)).done]
    assert {frame: one.status for frame, one in latest.items()} == dict.fromkeys(FRAMES, ReviewStatus.DRAFT)
    assert all((latest[frame].labels == unsaved.session.study.frame_state(frame).labels).all() for frame in FRAMES)
    assert steps == ["paint RV blood pool"] * 3


def test_a_place_that_cannot_be_written_leads_back_to_the_question(
    unsaved: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    taken = tmp_path / "a file"
    taken.write_text("")
    unsaved.quitting.save_in(taken)
    settle(qtbot, unsaved)
    assert unsaved.isVisible() and "Could not create" in question(unsaved).text()
    assert unsaved.session.saving.unsaved_frames == 3


def test_it_can_be_lost_by_will_alone(unsaved: MainWindow) -> None:
    unsaved.close()
    question(unsaved).reject()
    assert unsaved.isVisible(), "Esc does not quit"
    unsaved.close()
    press(unsaved, "lose")
    assert not unsaved.isVisible()
    assert unsaved.session.saved.annotations.latest(stack_id(unsaved)) == {}


def test_what_could_not_be_saved_outlives_the_closing_of_its_study(
    unsaved: MainWindow, disk: Disk, study_path: Path, program: Program, qtbot: QtBot
) -> None:
    stack = stack_id(unsaved)
    shown = {frame: unsaved.session.study.frame_state(frame).labels for frame in FRAMES}
    unsaved.session.close_study()
    settle(qtbot, unsaved)
    assert unsaved.session.saving.unsaved_frames == 3
    assert not unsaved.close()
    question(unsaved).reject()
    disk.full = False
    with qtbot.waitSignal(program.session.study.restored, timeout=PATIENCE_MS):
        program.session.opening.open_path(study_path)
    settle(qtbot, unsaved)
    assert set(unsaved.session.saved.annotations.latest(stack)) == set(FRAMES)
    for frame, labels in shown.items():
        now = unsaved.session.study.frame_state(frame).labels
        assert now is not None and labels is not None and (now == labels).all()
