"""Second reads in the window: begun, left, finished, compared, adjudicated, by actions."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.reads import ReadKind
from cmr_viewer.ui.features.second_read.comparison_model import DifferenceColumn
from cmr_viewer.ui.features.second_read.feature import SecondReadFeature
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import PATIENCE_MS, settle

ED, ES = 0, 2
PAINTED = FrameIndex(ED, 3)


@pytest.fixture
def feature(open_window: MainWindow) -> SecondReadFeature:
    made = open_window.feature(SecondReadFeature)
    open_window.parts.side.show_page(Page.REVIEW)
    return made


def enabled(window: MainWindow, name: str) -> bool:
    return window.actions_by_id[name].isEnabled()


def paint(window: MainWindow, qtbot: QtBot, frame: FrameIndex, at: float = 4.0, label: Label = Label.RVBP) -> None:
    window.session.study.begin_stroke(frame, label, 3.0, (at, at))
    window.session.study.end_stroke()
    settle(qtbot, window)


def accept_marks(window: MainWindow, qtbot: QtBot) -> None:
    for phase, mark in ((ED, "set_ed"), (ES, "set_es")):
        window.desk.go(FrameIndex(phase, 0))
        window.actions_by_id[mark].trigger()
        window.actions_by_id["accept_phase"].trigger()
        settle(qtbot, window)


def begin(window: MainWindow, qtbot: QtBot, feature: SecondReadFeature, name: str, *, blinded: bool = True) -> None:
    window.actions_by_id["read_begin"].trigger()
    dialog = feature.dialog
    assert dialog is not None
    dialog.name.setText(name)
    dialog.blinded.setChecked(blinded)
    dialog.begin.click()
    qtbot.waitUntil(lambda: window.session.study.read is not None, timeout=PATIENCE_MS)
    settle(qtbot, window)


def answer(question: QMessageBox | None, yes: bool) -> None:
    assert question is not None
    role = QMessageBox.ButtonRole.AcceptRole if yes else QMessageBox.ButtonRole.RejectRole
    next(one for one in question.buttons() if question.buttonRole(one) is role).click()


def finish(window: MainWindow, qtbot: QtBot) -> None:
    window.actions_by_id["read_finish"].trigger()
    qtbot.waitUntil(lambda: not window.session.study.can_change, timeout=PATIENCE_MS)
    settle(qtbot, window)


def read_twice(window: MainWindow, qtbot: QtBot, feature: SecondReadFeature) -> None:
    """The first reader paints in one frame more than the second."""
    paint(window, qtbot, PAINTED)
    accept_marks(window, qtbot)
    begin(window, qtbot, feature, "B. Lind")
    accept_marks(window, qtbot)
    finish(window, qtbot)


def test_the_dialog_takes_another_name_only(open_window: MainWindow, qtbot: QtBot, feature: SecondReadFeature) -> None:
    paint(open_window, qtbot, PAINTED)
    open_window.actions_by_id["read_begin"].trigger()
    dialog = feature.dialog
    assert dialog is not None and dialog.blinded.isChecked() and not dialog.begin.isEnabled()
    dialog.name.setText("R. Eader")
    assert not dialog.begin.isEnabled() and "someone else" in dialog._problem.text()
    dialog.name.setText("B. Lind")
    assert dialog.begin.isEnabled() and dialog._problem.text() == ""
    dialog.reject()
    assert open_window.session.study.read is None


def test_a_blinded_read_is_announced_and_shows_nothing_of_the_first(
    open_window: MainWindow, qtbot: QtBot, feature: SecondReadFeature
) -> None:
    window, session = open_window, open_window.session
    before = session.study.frame_state(PAINTED).labels.copy()  # type: ignore[union-attr]
    paint(window, qtbot, PAINTED)
    accept_marks(window, qtbot)
    assert not feature.banner.isVisible()
    begin(window, qtbot, feature, "B. Lind")
    assert feature.banner.isVisible() and feature.banner.text == "Second read by B. Lind, blinded"
    assert [text.split("\n")[0] for text in feature.panel.texts] == ["Second read by B. Lind"]
    assert np.array_equal(session.study.frame_state(PAINTED).labels, before)
    assert session.reads.reader == "B. Lind" and not session.study.can_undo
    assert [row.accepted for row in session.worklist.studies] == [0]
    for name in ("read_begin", "read_compare", "read_adjudicate", "take_first", "read_outlines"):
        assert not enabled(window, name), name
    assert enabled(window, "read_finish") and enabled(window, "read_other")
    assert feature.overlay.count == 0


def test_leaving_a_blinded_read_asks_first_and_coming_back_finds_it(
    open_window: MainWindow, qtbot: QtBot, feature: SecondReadFeature
) -> None:
    window, session = open_window, open_window.session
    begin(window, qtbot, feature, "B. Lind")
    paint(window, qtbot, PAINTED)
    mine = session.study.frame_state(PAINTED).labels.copy()  # type: ignore[union-attr]
    window.actions_by_id["read_other"].trigger()
    answer(feature.question, yes=False)
    assert session.study.read is not None
    window.actions_by_id["read_other"].trigger()
    answer(feature.question, yes=True)
    settle(qtbot, window)
    assert session.study.read is None and session.reads.reader == "R. Eader" and not feature.banner.isVisible()
    assert not np.array_equal(session.study.frame_state(PAINTED).labels, mine)
    window.actions_by_id["read_other"].trigger()
    settle(qtbot, window)
    assert session.study.read is not None and np.array_equal(session.study.frame_state(PAINTED).labels, mine)
    assert session.study.undo_text == "paint RV blood pool"


def test_finishing_says_what_is_not_accepted_and_the_read_is_closed(
    open_window: MainWindow, qtbot: QtBot, feature: SecondReadFeature
) -> None:
    window, session = open_window, open_window.session
    begin(window, qtbot, feature, "B. Lind")
    window.actions_by_id["read_finish"].trigger()
    assert feature.question is not None
    assert "14 frames at ED or ES are not accepted: slices 1 (phase 1)" in feature.question.informativeText()
    answer(feature.question, yes=True)
    qtbot.waitUntil(lambda: not session.study.can_change, timeout=PATIENCE_MS)
    settle(qtbot, window)
    assert feature.banner.more == "finished, read-only"
    before = session.study.frame_state(PAINTED).labels.copy()  # type: ignore[union-attr]
    window.actions_by_id["brush"].trigger()
    window.desk.go(PAINTED)
    window.desk.begin_stroke(4.0, 4.0, False)
    window.desk.end_stroke()
    window.actions_by_id["region_base"].trigger()
    settle(qtbot, window)
    assert np.array_equal(session.study.frame_state(PAINTED).labels, before)
    assert "finished" in window.parts.messages.text


def test_the_comparison_lists_frames_by_millilitres_sorts_and_goes_there(
    open_window: MainWindow, qtbot: QtBot, feature: SecondReadFeature
) -> None:
    window, session = open_window, open_window.session
    read_twice(window, qtbot, feature)
    window.actions_by_id["read_other"].trigger()
    settle(qtbot, window)
    window.actions_by_id["read_compare"].trigger()
    settle(qtbot, window)
    frames = feature.panel.frames
    assert frames[0] == PAINTED and len(frames) == 14
    counts = [
        session.saved.annotations.latest(session.study.stack.stack_id, read_id)[PAINTED].labels
        for read_id in (None, 1)  # type: ignore[union-attr]
    ]
    geometry = session.study.stack.geometry  # type: ignore[union-attr]
    voxel_ml = 1.8 * 2.4 * geometry.slice_spacing_mm / 1000
    more = (np.count_nonzero(counts[1] == 3) - np.count_nonzero(counts[0] == 3)) * voxel_ml
    assert more < 0
    assert feature.panel.measure_texts("rv_edv_ml")[2] == f"\N{MINUS SIGN}{-more:.1f}"
    assert feature.panel.measure_texts("lv_edv_ml")[2] == "0.0"
    feature.panel.table.sortByColumn(list(DifferenceColumn).index(DifferenceColumn.FRAME), Qt.SortOrder.DescendingOrder)
    assert feature.panel.frames[0] == FrameIndex(ES, 6)
    place = feature.panel.table.visualRect(feature.panel.table.model().index(1, 0)).center()
    qtbot.mouseClick(feature.panel.table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place))
    assert window.desk.frame == feature.panel.frames[1]


def test_the_comparison_is_written_whole(
    open_window: MainWindow, qtbot: QtBot, feature: SecondReadFeature, tmp_path: Path
) -> None:
    window = open_window
    read_twice(window, qtbot, feature)
    window.actions_by_id["read_compare"].trigger()
    settle(qtbot, window)
    assert enabled(window, "comparison_export")
    feature.export(tmp_path / "reads.csv")
    settle(qtbot, window)
    lines = list(csv.reader((tmp_path / "reads.csv").read_text().splitlines()))
    head = next(number for number, line in enumerate(lines) if line[0] == "phase_number")
    assert lines[0][:3] == ["#", "first", "First read by R. Eader"]
    assert (
        lines[head + 1][:3] == [str(PAINTED.phase + 1), str(PAINTED.slice_index + 1), "ED"] and len(lines) == head + 15
    )


def test_adjudication_takes_over_what_agrees_and_offers_both_reads_for_the_rest(
    open_window: MainWindow, qtbot: QtBot, feature: SecondReadFeature
) -> None:
    window, session = open_window, open_window.session
    read_twice(window, qtbot, feature)
    window.actions_by_id["read_adjudicate"].trigger()
    assert feature.dialog is not None and not feature.dialog.blinded.isVisible()
    feature.dialog.name.setText("C. Hief")
    feature.dialog.begin.click()
    qtbot.waitUntil(lambda: session.reads.both is not None and not session.saving.is_busy, timeout=PATIENCE_MS)
    settle(qtbot, window)
    assert session.study.read is not None and session.study.read.kind is ReadKind.ADJUDICATION
    assert feature.banner.text == "Adjudication by C. Hief" and feature.banner.more == "0 of 1 decided"
    assert session.reads.lacking() == (PAINTED,)
    window.desk.go(FrameIndex(1, 0))
    window.actions_by_id["next_review"].trigger()
    assert window.desk.frame == PAINTED
    assert feature.overlay.count == 2
    window.actions_by_id["read_outlines"].trigger()
    assert feature.overlay.count == 0
    window.actions_by_id["take_first"].trigger()
    settle(qtbot, window)
    state = session.study.frame_state(PAINTED)
    assert state.imported == "the first read by R. Eader" and state.status is ReviewStatus.ACCEPTED
    assert state.region is Region.MIDDLE and feature.banner.more == "1 of 1 decided"
    finish(window, qtbot)
    assert feature.banner.text == "Adjudication by C. Hief"
    assert not enabled(window, "take_first") and enabled(window, "read_other")


def test_an_unblinded_reader_sees_the_outlines_of_the_first_read(
    open_window: MainWindow, qtbot: QtBot, feature: SecondReadFeature
) -> None:
    window = open_window
    paint(window, qtbot, PAINTED)
    begin(window, qtbot, feature, "B. Lind", blinded=False)
    window.desk.go(PAINTED)
    assert feature.banner.text == "Second read by B. Lind" and feature.overlay.count == 1
    assert len(feature.panel.texts) == 2
    window.actions_by_id["read_other"].trigger()
    settle(qtbot, window)
    assert feature.question is None and window.session.study.read is None and feature.overlay.count == 0
