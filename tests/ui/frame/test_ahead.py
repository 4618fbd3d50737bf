"""Frames are made ready while the reader rests."""

import pytest
from pytestqt.qtbot import QtBot

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.frame.ahead import AheadFeature
from cmr_viewer.ui.window.main_window import MainWindow

PATIENCE_MS = 20_000


@pytest.fixture
def feature(open_window: MainWindow) -> AheadFeature:
    return open_window.feature(AheadFeature)


def kept(window: MainWindow) -> set[FrameIndex]:
    return set(window.parts.view._grey._scaled_frames)


def rest(qtbot: QtBot, feature: AheadFeature) -> None:
    qtbot.waitUntil(lambda: feature.is_ready, timeout=PATIENCE_MS)


def test_all_phases_of_the_slice_on_show_are_ready_after_a_rest(
    open_window: MainWindow, qtbot: QtBot, feature: AheadFeature
) -> None:
    rest(qtbot, feature)
    open_window.desk.go(FrameIndex(2, 5))
    open_window.parts.view.repaint()
    assert FrameIndex(4, 5) not in kept(open_window)
    rest(qtbot, feature)
    slice_on_show = {FrameIndex(phase, 5) for phase in range(6)}
    assert slice_on_show <= kept(open_window)
    assert slice_on_show <= set(open_window.parts.view._marks._remembered)
    thumbnails = open_window.parts.strip._thumbnails
    assert thumbnails is not None and open_window.session.study.stack is not None
    assert all(thumbnails.made(frame) is not None for frame in open_window.session.study.stack.frame_indices)


def test_a_frame_that_was_made_ready_looks_as_one_that_was_not(
    open_window: MainWindow, qtbot: QtBot, feature: AheadFeature
) -> None:
    view = open_window.parts.view
    open_window.desk.go(FrameIndex(2, 3))
    rest(qtbot, feature)
    open_window.desk.go(FrameIndex(4, 3))
    ready = view.grab().toImage()
    view._grey._scaled_frames.clear()
    view.forget_labels(FrameIndex(4, 3))
    open_window.display.show_frame()
    assert view.grab().toImage() == ready


def test_nothing_is_made_ready_while_a_cine_plays_or_a_stroke_is_drawn(
    open_window: MainWindow, qtbot: QtBot, feature: AheadFeature
) -> None:
    desk = open_window.desk
    rest(qtbot, feature)
    desk.painting = True
    feature._rest.timeout.emit()
    assert feature._rest.isActive() and not feature._turn.isActive()  # asked for again when the stroke may be over
    desk.painting = False
    desk.player.start(0)
    feature._rest.stop()
    feature._rest.timeout.emit()
    assert not feature._turn.isActive()
    desk.player.stop()


def test_a_study_that_is_closed_meanwhile_is_left_alone(
    open_window: MainWindow, qtbot: QtBot, feature: AheadFeature
) -> None:
    feature._begin()
    assert feature._turn.isActive()
    open_window.actions_by_id["close_study"].trigger()
    rest(qtbot, feature)
    assert kept(open_window) == set()


def test_no_more_frames_are_made_ready_than_are_kept(
    open_window: MainWindow, qtbot: QtBot, feature: AheadFeature, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = open_window.parts.view.size()
    monkeypatch.setattr("cmr_viewer.ui.frame.frame_layers.CACHE_BYTES", 3 * (size.width() + 4) * size.height())
    open_window.desk.go(FrameIndex(5, 2))
    open_window.parts.view.repaint()
    rest(qtbot, feature)
    assert kept(open_window) == {FrameIndex(5, 2), FrameIndex(0, 2), FrameIndex(1, 2)}
