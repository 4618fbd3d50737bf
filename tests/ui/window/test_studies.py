"""Opening studies in the window, and deciding about how they are opened."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QDialog, QFileDialog, QLabel

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.opening import NO_CHOICES, Opening
from cmr_viewer.domain.study import FrameIndex, StackChoice, Study
from cmr_viewer.errors import LoadError
from cmr_viewer.ui.dialogs.study_dialogs import (
    NotesDialog,
    SpacingDialog,
    StacksDialog,
    choice_note,
    offers_choice,
    shows_choice,
)
from cmr_viewer.ui.features.worklist.feature import WorklistFeature
from cmr_viewer.ui.window.drop_target import drop_text
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import PATIENCE_MS, settle
from tests.ui.rich_study import WARNINGS, RichReader

PATH = Path("/nowhere/rich")
Held = Qt.KeyboardModifier


@pytest.fixture
def reader(window: MainWindow, phantom) -> RichReader:
    made = RichReader(Study("rich", PATH, (phantom.stack,), patient_key="one"))
    window.session.opening._opener = made
    return made


@pytest.fixture
def rich(window: MainWindow, reader: RichReader, program, qtbot) -> MainWindow:
    with qtbot.waitSignal(program.session.study.analysed, timeout=PATIENCE_MS):
        program.session.opening.open_path(PATH)
        program.start()
    settle(qtbot, window)
    return window


def dialog(window: MainWindow, kind: type[QDialog]):
    (found,) = [child for child in window.findChildren(kind) if child.isVisible()]
    return found


def do(window: MainWindow, name: str, qtbot) -> None:
    """Trigger an action that opens the study differently, and wait until it is there."""
    with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
        window.actions_by_id[name].trigger()
    settle(qtbot, window)


def page(window: MainWindow):
    return window.parts.middle.currentWidget()


# Coming


def test_a_study_that_comes_shows_a_frame_and_how_far_it_is(window, reader, qtbot):
    reader.gate = threading.Event()
    with qtbot.waitSignal(window.session.opening.previewed, timeout=PATIENCE_MS):
        window.studies.open_path(PATH)
    opening = window.parts.opening
    assert page(window) is opening
    assert opening.has_frame
    qtbot.waitUntil(lambda: opening.text == "Opening rich … 42 %", timeout=PATIENCE_MS)
    assert opening._what.text() == "Reading 3 of 7 files"
    shown = opening.grab().toImage()
    assert len({shown.pixelColor(x, 40).lightness() for x in range(0, shown.width(), 3)}) > 5
    with qtbot.waitSignal(window.session.study.opened, timeout=PATIENCE_MS):
        reader.gate.set()
    assert page(window) is window.parts.desk_page


@pytest.mark.parametrize("by", ["button", "key"])
def test_a_study_that_comes_can_be_cancelled(window, reader, qtbot, by):
    reader.gate = threading.Event()
    with qtbot.waitSignal(window.session.opening.previewed, timeout=PATIENCE_MS):
        window.studies.open_path(PATH)
    assert window.actions_by_id["cancel_opening"].isEnabled()
    with qtbot.waitSignal(window.session.opening.cancelled, timeout=PATIENCE_MS):
        if by == "button":
            window.parts.opening._cancel.click()
        else:
            qtbot.keyClick(window, Qt.Key.Key_Escape)
    reader.gate.set()
    assert page(window) is window.parts.welcome
    assert window.session.study.data is None
    assert window.parts.messages.text == "Opening was cancelled."
    assert not window.actions_by_id["cancel_opening"].isEnabled()


def test_the_study_that_is_open_stays_when_another_cannot_be_opened(rich, reader, qtbot):
    reader.error = LoadError("scan.dcm is cut off. Copy it again.")
    with qtbot.waitSignal(rich.session.opening.failed, timeout=PATIENCE_MS):
        rich.studies.open_path(Path("/nowhere/broken"))
    assert page(rich) is rich.parts.desk_page
    assert rich.session.study.data.source == PATH
    assert rich.parts.messages.text == "scan.dcm is cut off. Copy it again."


def test_a_study_whose_folder_is_gone_is_opened_where_the_reader_finds_it(rich, reader, qtbot, monkeypatch, tmp_path):
    lost, found = tmp_path / "lost" / "rich", tmp_path / "moved"
    found.mkdir()
    rich.settings.remember_study(lost)
    reader.error = LoadError(f"{lost} is not there.")
    with qtbot.waitSignal(rich.session.opening.failed, timeout=PATIENCE_MS):
        rich.studies.open_path(lost)
    assert rich.parts.messages.text == f"{lost} is not there."
    remedy = rich.parts.messages.action
    assert remedy is not None and remedy.text() == "Locate…"
    asked = []

    def choose(_parent, title, start):
        asked.append((title, start))
        return str(found)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    reader.error = None
    reader.study = replace(reader.study, source=found)
    with qtbot.waitSignal(rich.session.study.restored, timeout=PATIENCE_MS):
        remedy.trigger()
    settle(qtbot, rich)
    assert asked == [("Where is rich now?", str(tmp_path))]
    assert rich.session.study.data.source == found
    assert rich.settings.recent_studies[0] == str(found) and str(lost) not in rich.settings.recent_studies


def test_a_study_that_is_there_and_cannot_be_read_is_not_searched_for(rich, reader, qtbot, tmp_path):
    reader.error = LoadError("scan.dcm is cut off.")
    with qtbot.waitSignal(rich.session.opening.failed, timeout=PATIENCE_MS):
        rich.studies.open_path(tmp_path)
    assert rich.parts.messages.action is None


def test_nothing_can_be_done_to_the_frame_behind_a_study_that_comes(rich, reader, qtbot):
    reader.gate = threading.Event()
    with qtbot.waitSignal(rich.session.opening.previewed, timeout=PATIENCE_MS):
        rich.studies.open_path(Path("/nowhere/another"))
    rich.studies._show_page()
    assert page(rich) is rich.parts.opening
    assert not rich.actions_by_id["accept"].isEnabled()
    with qtbot.waitSignal(rich.session.opening.cancelled, timeout=PATIENCE_MS):
        rich.actions_by_id["cancel_opening"].trigger()
    reader.gate.set()
    assert page(rich) is rich.parts.desk_page
    assert rich.actions_by_id["accept"].isEnabled()


# Dropping


def urls(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def test_what_is_held_over_the_window_is_named_until_it_is_taken_away(window):
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    data = urls(Path("/studies/one.nii"), Path("/studies/two.nii"))
    event = QDragEnterEvent(QPoint(9, 9), copy, data, left, Held.NoModifier)
    window.dragEnterEvent(event)
    target = window._drop_target
    assert event.isAccepted()
    assert target.isVisible()
    assert target.geometry() == window.rect()
    assert target.text == "Drop to open the first of 2 studies: one.nii, two.nii"
    window.dragLeaveEvent(QDragLeaveEvent())
    assert not target.isVisible()


def test_text_that_is_held_over_the_window_is_not_taken(window):
    data = QMimeData()
    data.setText("no file")
    event = QDragEnterEvent(QPoint(9, 9), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Held.NoModifier)
    event.ignore()
    window.dragEnterEvent(event)
    assert not event.isAccepted()
    assert not window._drop_target.isVisible()


def test_of_several_studies_the_first_is_opened_and_the_others_wait_in_the_worklist(window, reader, tmp_path, qtbot):
    first, second, third = (tmp_path / name for name in ("a.nii", "b.nii", "c.zip"))
    data = urls(first, second, third)
    drop = QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Held.NoModifier)
    listed = window.feature(WorklistFeature).panel._list
    lines = listed.model()

    def said(row):
        return lines.index(row).data()

    window.dropEvent(drop)
    qtbot.waitUntil(lambda: lines.rowCount() == 3, timeout=PATIENCE_MS)
    assert "3 studies dropped" in window.parts.bell.messages[0].text
    assert window.session.study.data.source == first
    assert [said(row) for row in range(lines.rowCount())] == [
        "b.nii, Not opened yet",
        "c.zip, Not opened yet",
        "rich, Not reviewed",
    ]
    with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
        listed.clicked.emit(lines.index(0))
    assert window.session.study.data.source == second
    qtbot.waitUntil(lambda: "b.nii" not in said(0), timeout=PATIENCE_MS)
    listed.setCurrentIndex(lines.index(1))
    assert not window.feature(WorklistFeature).panel._dismiss.isEnabled(), "it was opened, and what is kept of it stays"
    listed.setCurrentIndex(lines.index(0))
    listed.setFocus()
    qtbot.keyClick(listed, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: not window.session.worklist.waiting, timeout=PATIENCE_MS)
    settle(qtbot, window)


def test_many_studies_are_named_in_short():
    paths = [Path(f"/x/{name}") for name in "abcde"]
    assert drop_text(paths) == ("Drop to open the first of 5 studies", "a, b, c and 2 more")
    assert drop_text(paths[:1]) == ("Drop to open", "a")


# Notes


def test_all_notes_can_be_read_in_full(rich):
    bar = rich.parts.messages
    choice = "The study contains 2 short-axis cines. Open: SAX, 10:21. Slice 3 was acquired more than once."
    assert bar.text == f"{WARNINGS[0]} There are 2 more notes on this study."
    assert bar._remedy.text() == "3 notes"
    assert [message.text for message in rich.parts.bell.messages][-3:] == [*WARNINGS, choice]
    assert rich.feature(WorklistFeature).panel._notes.isVisible()
    assert rich.feature(WorklistFeature).panel._notes.text() == "3 notes"
    bar._remedy.click()
    notes = dialog(rich, NotesDialog)
    assert list(notes.texts) == [*WARNINGS, choice]
    assert not bar.isVisible()
    notes.close()


def test_a_study_without_notes_says_none(window, study_path, qtbot):
    with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
        window.studies.open_path(study_path)
    assert not window.feature(WorklistFeature).panel._notes.isVisible()
    assert not window.actions_by_id["choose_stack"].isEnabled()
    window.actions_by_id["study_notes"].trigger()
    notes = dialog(window, NotesDialog)
    assert list(notes.texts) == []
    notes.close()


# Deciding


def test_another_stack_is_chosen_and_remembered(rich, reader, qtbot):
    rich.actions_by_id["choose_stack"].trigger()
    stacks = dialog(rich, StacksDialog)
    buttons = stacks._stacks.buttons()
    assert [button.text() for button in buttons] == ["SAX, 10:21  (open now, suggested)", "SAX, 09:58"]
    assert not stacks._take.isEnabled()
    buttons[1].click()
    with qtbot.waitSignal(rich.session.study.restored, timeout=PATIENCE_MS):
        stacks._take.click()
    assert reader.asked[-1] == Opening(stack="B")
    settle(qtbot, rich)
    assert rich.feature(WorklistFeature).panel._list.model().rowCount() == 2
    with qtbot.waitSignal(rich.session.study.restored, timeout=PATIENCE_MS):
        rich.studies.open_path(PATH)
    assert reader.asked[-1] == Opening(stack="B")
    settle(qtbot, rich)


def test_another_acquisition_of_a_slice_is_chosen(rich, reader, qtbot):
    rich.actions_by_id["choose_stack"].trigger()
    stacks = dialog(rich, StacksDialog)
    box = stacks._boxes["place"]
    assert [box.itemText(row) for row in range(box.count())] == ["10:03", "10:09  (open now, suggested)"]
    box.setCurrentIndex(0)
    with qtbot.waitSignal(rich.session.study.restored, timeout=PATIENCE_MS):
        stacks._take.click()
    assert reader.asked[-1] == Opening(repeats={"place": "early"})
    settle(qtbot, rich)


def test_base_and_apex_are_turned_round_by_one_key_and_the_frame_stays_on_show(rich, reader, qtbot):
    rich.desk.go(FrameIndex(2, 1))
    shown = rich.session.study.stack.frame(rich.desk.frame).copy()
    with qtbot.waitSignal(rich.session.study.restored, timeout=PATIENCE_MS):
        qtbot.keyClick(rich.parts.view, Qt.Key.Key_B, Held.ControlModifier)
    assert reader.asked[-1] == Opening(base_reversed=True)
    assert rich.desk.frame == FrameIndex(2, 5)
    assert np.array_equal(rich.session.study.stack.frame(rich.desk.frame), shown)
    settle(qtbot, rich)


def test_what_a_reader_accepted_is_still_accepted_after_turning_and_the_worklist_says_so(rich, qtbot):
    rich.actions_by_id["accept_slice"].trigger()
    settle(qtbot, rich)
    do(rich, "turn_round", qtbot)
    assert rich.feature(WorklistFeature).panel._review.text() == "6 of 42 accepted"
    assert "6 saved frames were carried over" in rich.parts.bell.messages[-1].text
    assert rich.feature(WorklistFeature).panel._list.model().rowCount() == 1


def test_a_spacing_that_is_not_known_is_offered_to_be_corrected_where_that_is_said(window, reader, qtbot):
    reader.spacing_known = False
    with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
        window.studies.open_path(PATH)
    bar = window.parts.messages
    assert bar.action is window.actions_by_id["correct_spacing"]
    bar._remedy.click()
    asked = dialog(window, SpacingDialog)
    for box, value in zip(asked._boxes, (1.5, 1.25, 8.0), strict=True):
        box.setValue(value)
    assert asked._volume.text() == "15.0 mm³"
    with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
        asked.accept()
    assert reader.asked[-1] == Opening(spacing_mm=(1.5, 1.25, 8.0))
    assert window.session.study.stack.geometry.spacing_known
    assert bar.action is not window.actions_by_id["correct_spacing"]
    window.actions_by_id["correct_spacing"].trigger()
    again = dialog(window, SpacingDialog)
    with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
        again._use_the_files()
    assert reader.asked[-1] == Opening()


def test_the_spacing_dialog_says_how_volumes_would_change(rich):
    rich.actions_by_id["correct_spacing"].trigger()
    asked = dialog(rich, SpacingDialog)
    assert asked.spacing_mm[:2] == (1.8, 2.4)
    asked._boxes[2].setValue(2 * asked.spacing_mm[2])
    assert "volumes change by a factor of 2.00" in asked._volume.text()
    asked.reject()


def test_a_stack_that_was_turned_round_says_so_as_long_as_it_is(rich, qtbot):
    do(rich, "turn_round", qtbot)
    assert rich.feature(WorklistFeature).panel._notes.text() == "4 notes"
    assert "A reader swapped base and apex." in [m.text for m in rich.parts.bell.messages]
    do(rich, "turn_round", qtbot)
    assert rich.feature(WorklistFeature).panel._notes.text() == "3 notes"


def test_other_stacks_than_cines_can_be_chosen_and_are_not_told_of(app, qtbot, phantom):
    choices = (StackChoice("A", "SAX", opened=True), StackChoice("P", "perfusion", is_cine=False))
    study = Study("rich", PATH, (phantom.stack,), choices=choices)
    assert offers_choice(study) and not shows_choice(study)
    assert choice_note(study) == ""
    stacks = StacksDialog(study, NO_CHOICES)
    qtbot.addWidget(stacks)
    assert [button.text() for button in stacks._stacks.buttons()] == ["SAX  (open now, suggested)", "perfusion"]
    assert [text.text() for text in stacks.findChildren(QLabel) if text.text().isupper()] == [
        "SHORT-AXIS CINES",
        "OTHER STACKS",
    ]
    more = replace(study, choices=(*choices, StackChoice("B", "SAX, later")))
    assert shows_choice(more)
    assert choice_note(more) == "The study contains 2 short-axis cines. Open: SAX."


def test_regions_that_follow_stand_out_in_the_strip_and_are_told(open_window, qtbot):
    window = open_window
    last = max(
        s for s in range(7) if window.session.study.frame_state(FrameIndex(0, s)).region is not Region.NON_CARDIAC
    )
    before = {f: window.session.study.frame_state(f).region for f in window.session.study.stack.frame_indices}
    window.desk.go(FrameIndex(0, last))
    window.actions_by_id["region_non_cardiac"].trigger()
    states = {f: window.session.study.frame_state(f) for f in before}
    followed = {f for f, s in states.items() if s.region is not before[f] and s.region_by == "predicted"}
    assert followed and window.parts.strip.lit == followed
    frames = f"{len(followed)} neighbouring frames" if len(followed) > 1 else "1 neighbouring frame"
    assert window.parts.messages.text == f"{frames} changed region too."
    settle(qtbot, window)
    one = min(followed)
    assert window.parts.strip.cell(one).region is window.session.study.frame_state(one).region
    qtbot.waitUntil(lambda: not window.parts.strip.lit, timeout=PATIENCE_MS)
