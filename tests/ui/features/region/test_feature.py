"""The region decision in the window: what each region would change, before it is set."""

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.what_if import Candidate, Changes
from cmr_viewer.ui.features.region.feature import RegionFeature
from cmr_viewer.ui.features.region.panel import details_of, line_of
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import settle

PATIENCE_MS = 20_000


def feature(window: MainWindow) -> RegionFeature:
    return window.feature(RegionFeature)


def candidates(window: MainWindow, qtbot: QtBot, frame: FrameIndex) -> dict[Region, Candidate]:
    """What is told of a frame once all is known."""
    window.desk.go(frame)
    what_if = feature(window).what_if
    qtbot.waitUntil(
        lambda: (
            what_if.frame == frame
            and bool(what_if.candidates)
            and all(one.chosen or one.together is not None for one in what_if.candidates)
        ),
        timeout=PATIENCE_MS,
    )
    return {one.region: one for one in what_if.candidates}


@pytest.fixture
def basal(open_window: MainWindow) -> FrameIndex:
    """The most basal frame of the heart at ED."""
    session = open_window.session
    ed = session.study.ed_phase
    assert ed is not None and session.study.stack is not None
    frames = [FrameIndex(ed, s) for s in range(session.study.stack.slices)]
    return next(frame for frame in frames if session.study.frame_state(frame).region is Region.BASE)


def test_a_button_says_what_its_region_would_change_and_where_no_measure_does(
    open_window: MainWindow, qtbot: QtBot, basal: FrameIndex
) -> None:
    found = candidates(open_window, qtbot, basal)
    buttons = open_window.feature(RegionFeature).panel._buttons
    none = found[Region.NON_CARDIAC]
    assert none.together is not None and none.together.by_name["lv_edv_ml"] < 0
    assert buttons[Region.NON_CARDIAC]._line == none.together.headline()
    tip = buttons[Region.NON_CARDIAC].toolTip()
    assert "Shift+4" in tip and "The frame would have no labels." in tip and "This frame, at ED: LV EDV" in tip
    assert buttons[Region.BASE]._line == "Segmented by base specialist"
    session = open_window.session
    between = next(
        f.phase
        for f in session.study.stack.frame_indices
        if f.phase not in (session.study.ed_phase, session.study.es_phase)
    )
    candidates(open_window, qtbot, FrameIndex(between, 3))
    assert open_window.feature(RegionFeature).panel._hint.text().startswith("Neither ED nor ES")


def test_pointing_at_a_region_shows_its_masks_dashed_and_leaving_takes_them_away(
    open_window: MainWindow, qtbot: QtBot, basal: FrameIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = candidates(open_window, qtbot, basal)
    shown: list[Any] = []
    show = open_window.parts.view.show_proposal
    monkeypatch.setattr(open_window.parts.view, "show_proposal", lambda labels: (shown.append(labels), show(labels)))
    button = open_window.feature(RegionFeature).panel._buttons[Region.APEX]
    before = open_window.session.study.frame_state(basal)
    centre = QPointF(button.rect().center())
    QApplication.sendEvent(button, QEnterEvent(centre, centre, QPointF(button.mapToGlobal(centre))))
    assert np.array_equal(shown[-1], found[Region.APEX].labels)
    after = open_window.session.study.frame_state(basal)
    assert after.labels is before.labels and after.region is Region.BASE
    button.leaveEvent(QEnterEvent(centre, centre, centre))
    assert shown[-1] is None
    button.pointed.emit(True)  # as when the keyboard comes to it
    assert feature(open_window)._pointed is Region.APEX
    button.pointed.emit(False)
    assert feature(open_window)._pointed is None


def test_what_was_told_comes_true_by_the_key(open_window: MainWindow, qtbot: QtBot, basal: FrameIndex) -> None:
    session = open_window.session
    session.study.set_ed(session.study.ed_phase)
    session.study.set_es(session.study.es_phase)
    told = candidates(open_window, qtbot, basal)[Region.NON_CARDIAC].together
    assert told is not None
    before = session.study.measures.values
    open_window.actions_by_id["region_non_cardiac"].trigger()
    settle(qtbot, open_window)
    for name, change in told.by_name.items():
        assert session.study.measures.values[name] - before[name] == pytest.approx(change), name  # type: ignore[operator]


def test_a_region_can_be_given_to_all_phases_of_a_slice_as_one_step(
    open_window: MainWindow, qtbot: QtBot, basal: FrameIndex
) -> None:
    session = open_window.session
    assert session.study.stack is not None
    open_window.desk.go(basal)
    open_window.actions_by_id["region_middle"].trigger()
    settle(qtbot, open_window)
    row = [FrameIndex(p, basal.slice_index) for p in range(session.study.stack.phases)]
    by_reader = [session.study.frame_state(frame).region_by == "reader" for frame in row]
    assert by_reader.count(True) == 1  # a region counts for its own phase alone
    open_window.actions_by_id["region_all_phases"].trigger()
    settle(qtbot, open_window)
    assert {session.study.frame_state(frame).region for frame in row} == {Region.MIDDLE}
    open_window.actions_by_id["undo"].trigger()
    settle(qtbot, open_window)
    assert [session.study.frame_state(frame).region_by == "reader" for frame in row] == by_reader


def test_the_base_card_stands_at_the_base_and_beside_it_and_follows_the_rule(
    open_window: MainWindow, qtbot: QtBot, basal: FrameIndex
) -> None:
    card = open_window.feature(RegionFeature).panel.base_card
    open_window.desk.go(basal)
    assert not card.isHidden()
    assert "papillary muscles in the blood pool" in card._papillary.text()
    assert card._descent.text().startswith("Base at ED: slice")
    card._rule.setValue(100)
    assert open_window.settings.base_ring_percent == 100
    assert open_window.session.study.ring_fraction == 1.0
    assert card._meter._rule == 1.0
    middle = next(
        f
        for f in open_window.session.study.stack.frame_indices
        if f.slice_index == 4  # type: ignore[union-attr]
    )
    open_window.desk.go(FrameIndex(basal.phase, middle.slice_index))
    assert card.isHidden()
    settle(qtbot, open_window)


def test_nothing_is_told_without_a_study(window: MainWindow) -> None:
    assert feature(window).what_if.candidates == ()
    assert window.feature(RegionFeature).panel.base_card.isHidden()
    assert not window.actions_by_id["region_all_phases"].isEnabled()


def test_lines_say_what_is_not_known_yet_and_what_stays() -> None:
    one = Candidate(Region.APEX, False, "Apex specialist", "apex-1")
    assert line_of(one, "ED").startswith("Comparing")
    known = Candidate(Region.APEX, False, "Apex specialist", "apex-1", alone=Changes({}), curve_ml=-1.0, stays=True)
    assert line_of(known, "") == "LV \u22121.0 ml at this phase, measures unchanged"
    assert line_of(known, "ED") == "no measure changes"
    assert "Your label map stays; the new one appears as a suggestion." in details_of(known, "")
    assert "The volume curve changes by \u22121.0 ml at this phase." in details_of(known, "")
