"""The review queue in the window."""

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.features.queue.feature import QueueFeature
from cmr_viewer.ui.features.worklist.feature import WorklistFeature
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.main_window import MainWindow

PATIENCE_MS = 20_000


@pytest.fixture
def feature(open_window: MainWindow, qtbot: QtBot) -> QueueFeature:
    made = open_window.feature(QueueFeature)
    open_window.parts.side.show_page(Page.REVIEW)
    made._dwell.setInterval(10**8)  # how long a frame is on show is for the tests to say
    finished(qtbot, open_window, made)
    made.queue._looked.clear()
    made.queue.changed.emit()
    return made


def finished(qtbot: QtBot, window: MainWindow, feature: QueueFeature) -> None:
    queue = feature.queue
    qtbot.waitUntil(
        lambda: queue.is_ready and not queue._idle.isActive() and not window.session.jobs.is_busy(),
        timeout=PATIENCE_MS,
    )


def test_the_queue_is_listed_in_its_order_and_says_why(open_window: MainWindow, feature: QueueFeature) -> None:
    entries = feature.queue.entries()
    assert entries
    assert len(feature.panel.texts) == len(entries)
    for text, entry in zip(feature.panel.texts, entries, strict=True):
        assert f"Slice {entry.frame.slice_index + 1}, " in text
        assert f"{entry.ml:.1f} ml at stake. {entry.why}" in text
    assert feature.panel.progress_text == feature.queue.progress().text
    first = feature.queue.next_frame(open_window.desk.frame)
    assert first is not None
    beside = open_window.feature(WorklistFeature).panel._next.text()
    assert beside.startswith(f"Slice {first.frame.slice_index + 1}, phase {first.frame.phase + 1}.")
    assert "ml at stake" in beside


def test_a_click_and_the_keyboard_go_to_the_frame(open_window: MainWindow, qtbot: QtBot, feature: QueueFeature) -> None:
    shown = feature.panel._list
    place = shown.visualItemRect(shown.item(2)).center()
    qtbot.mouseClick(shown.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place))
    assert open_window.desk.frame == feature.queue.entries()[2].frame
    shown.setFocus(Qt.FocusReason.TabFocusReason)
    shown.setCurrentRow(0)
    qtbot.keyClick(shown, Qt.Key.Key_Down)
    qtbot.keyClick(shown, Qt.Key.Key_Return)
    assert open_window.desk.frame == feature.queue.entries()[1].frame


def test_n_goes_from_one_to_the_next_and_progress_is_seen(
    open_window: MainWindow, qtbot: QtBot, feature: QueueFeature
) -> None:
    order = [one.frame for one in feature.queue.entries()]
    start = next(f for f in open_window.session.study.stack.frame_indices if f not in order)  # type: ignore[union-attr]
    open_window.desk.go(start)
    for number, frame in enumerate(order[:3]):
        qtbot.keyClick(open_window, Qt.Key.Key_N)
        assert open_window.desk.frame == frame
        assert feature.queue.progress().looked_at == number
    qtbot.keyClick(open_window, Qt.Key.Key_N)
    assert feature.panel.progress_text.startswith(f"{len(order) - 3} left to review, ")
    assert feature.panel._bar.value() == 3


def test_a_frame_that_is_on_show_for_a_while_counts_as_looked_at_until_the_study_is_closed(
    open_window: MainWindow, feature: QueueFeature
) -> None:
    shown = open_window.desk.frame
    wanted = next(one.frame for one in feature.queue.entries()[2:] if one.frame != shown)
    open_window.desk.go(wanted)
    assert feature.queue.progress().looked_at == 0
    assert feature._dwell.isActive()
    feature._dwell.timeout.emit()
    assert feature.queue.progress().looked_at == 1
    open_window.actions_by_id["close_study"].trigger()
    assert feature.panel.texts == []
    assert feature.queue.next_frame(FrameIndex(0, 0)) is None
