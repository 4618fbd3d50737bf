import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from pytestqt.qtbot import QtBot

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.effort import StudyEffort
from cmr_viewer.ui.features.effort.feature import EffortFeature, EffortPanel
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.main_window import MainWindow


def feature_of(window: MainWindow) -> EffortFeature:
    return next(one for one in window.findChildren(EffortFeature))


def test_strokes_are_told_of_the_study_and_of_the_frame_on_show(qtbot: QtBot, open_window: MainWindow) -> None:
    session, desk = open_window.session, open_window.desk
    open_window.parts.side.show_page(Page.REVIEW)
    panel = feature_of(open_window).panel
    other = FrameIndex(desk.frame.phase, desk.frame.slice_index + 1)
    session.study.begin_stroke(desk.frame, Label.RVBP, 2.0, (10.0, 10.0))
    session.study.end_stroke()
    assert panel.study.text().startswith("Study: ") and "1 stroke" in panel.study.text()
    assert "1 stroke" in panel.frame.text()
    desk.go(other)
    assert "stroke" not in panel.frame.text() and "1 stroke" in panel.study.text()


def test_the_mouse_and_keys_of_the_window_are_told_to_the_session(
    open_window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(open_window.session.study, "note_input", lambda: told.append(1))
    handle = open_window.windowHandle()
    at = QPointF(50, 50)
    none, left = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    QCoreApplication.sendEvent(handle, QMouseEvent(QEvent.Type.MouseMove, at, at, none, none, left))
    assert told == [1]
    QCoreApplication.sendEvent(handle, QEvent(QEvent.Type.User))
    assert told == [1]


def test_a_page_that_is_turned_to_shows_the_present_effort(qtbot: QtBot, open_window: MainWindow) -> None:
    panel = feature_of(open_window).panel
    open_window.session.study.begin_stroke(open_window.desk.frame, Label.RVBP, 2.0, (10.0, 10.0))
    open_window.session.study.end_stroke()
    assert "1 stroke" not in panel.study.text()
    open_window.parts.side.show_page(Page.REVIEW)
    qtbot.waitUntil(lambda: "1 stroke" in panel.study.text())


def test_nothing_spent_is_said(app: object) -> None:
    panel = EffortPanel()
    panel.show_effort(StudyEffort(), FrameIndex(0, 0))
    assert (panel.study.text(), panel.frame.text()) == ("No time recorded for this study yet.", "")
