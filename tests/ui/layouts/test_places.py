"""A study is opened again where its reader was; what a frame stands for, and what undo took back, is said."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cmr_viewer.app.startup import Program
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.ui.features.region.feature import RegionFeature
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.run import fit_on_screen
from tests.phantom import Phantom
from tests.ui.conftest import PATIENCE_MS, settle


def opened(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
        window.session.opening.open_path(path)
    settle(qtbot, window)


def test_a_study_is_opened_again_where_its_reader_was(
    open_window: MainWindow, study_path: Path, program: Program, qtbot: QtBot
) -> None:
    window = open_window
    window.desk.go(FrameIndex(4, 1))
    window.session.close_study()
    qtbot.waitUntil(lambda: not window.session.saving.is_busy, timeout=PATIENCE_MS)  # the place is on disk
    opened(window, study_path, qtbot)
    assert window.desk.frame == FrameIndex(4, 1)
    assert window.display.state is not None and window.session.opening.begin_at == FrameIndex(4, 1)
    program.session.reads.set_reader("An Other")
    window.session.close_study()
    program.session.reads.set_reader("S. Omebody")
    opened(window, study_path, qtbot)
    assert window.desk.frame == FrameIndex(0, 3), "another reader begins in the middle of the stack"


def test_a_frame_that_stands_for_another_carries_a_badge(window: MainWindow, phantom: Phantom, qtbot: QtBot) -> None:
    notes = (
        Note("At phase 2, 3 of slice 4 the nearest frame in time is shown.", Code.FRAME_SUBSTITUTED, (3,), (1, 2)),
        Note("A slice may be missing.", Code.SLICE_GAP, (3, 4)),
    )
    study = Study("substituted", Path("/nowhere"), (phantom.stack,), patient_key="one", warnings=notes)
    window.session.opening._opener = lambda *_: study
    opened(window, Path("/nowhere"), qtbot)
    badged = {
        frame
        for frame in phantom.stack.frame_indices
        if window.display.notes_of(phantom.stack, frame, window.session.study.frame_state(frame)).badge
    }
    assert badged == {FrameIndex(1, 3), FrameIndex(2, 3)}
    window.desk.go(FrameIndex(1, 3))
    with_badge = window.parts.view.grab().toImage()
    state = window.session.study.frame_state(FrameIndex(1, 3))
    plain = window.display.notes_of(phantom.stack, FrameIndex(1, 3), state)
    window.parts.view.set_notes(replace(plain, badge=""))
    assert window.parts.view.grab().toImage() != with_badge


def test_undo_and_redo_name_what_they_take_back_in_menu_tip_and_status(open_window: MainWindow) -> None:
    window = open_window
    window.session.study.set_fact("patient.height_cm", 171, "patient data")
    undo, redo = window.actions_by_id["undo"], window.actions_by_id["redo"]
    assert undo.text() == "&Undo patient data" and undo.toolTip() == "Undo patient data (Ctrl+Z)"
    undo.trigger()
    assert window.parts.work.text == "Undone: patient data"
    assert redo.toolTip().startswith("Redo patient data (")
    redo.trigger()
    assert window.parts.work.text == "Redone: patient data"
    assert undo.toolTip() == "Undo patient data (Ctrl+Z)"


@pytest.mark.parametrize(
    ("made_by", "named"),
    [("baseline-1", "the baseline"), ("middle-1", "the middle specialist"), ("gone-7", "model gone-7")],
)
def test_an_offer_names_the_model_that_made_it(open_window: MainWindow, made_by: str, named: str) -> None:
    window, frame = open_window, FrameIndex(0, 3)
    window.desk.go(frame)
    window.actions_by_id["label_rvbp"].trigger()
    window.desk.begin_stroke(5.0, 5.0, False)
    window.desk.end_stroke()
    labels = window.session.study.frame_state(frame).labels
    assert labels is not None and window.session.study.reading is not None
    window.session.study.reading.frames[frame].proposal = Prediction(labels, made_by, Region.MIDDLE, "It knows.")
    window.display.show_frame()
    assert named.removeprefix("the ") in (*(role.text.lower() for role in Role), "model gone-7")
    assert window.parts.proposal._text.text() == f"New prediction by {named}. Your label map is unchanged."


@pytest.mark.xcb
def test_the_window_with_its_frame_is_no_larger_than_the_screen(open_window: MainWindow, qtbot: QtBot) -> None:
    window = open_window
    screen = window.screen().availableGeometry()
    window.resize(screen.size())
    window.move(screen.topLeft())
    QApplication.processEvents()
    fit_on_screen(window)
    qtbot.waitUntil(lambda: screen.contains(window.frameGeometry()), timeout=PATIENCE_MS)


@pytest.mark.parametrize("width", [240, 300, 470])
def test_what_a_region_would_change_is_shown_whole_at_any_width(open_window: MainWindow, width: int) -> None:
    panel = open_window.feature(RegionFeature).panel
    button = next(iter(panel._buttons.values()))
    button.show_what_if("EDV +14.1 ml, ESV -3.2 ml, EF +10.8 %, mass -20.3 g, RV EDV +12.0 ml, RV EF -3.3 %", "")
    one_line = button.heightForWidth(4000)
    lines = -(-button.fontMetrics().horizontalAdvance(button._line) // width)
    assert one_line == 44
    assert button.heightForWidth(width) > one_line or lines <= 1
