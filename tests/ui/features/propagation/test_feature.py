"""Clicks, propagation and refined copies, driven by their actions and the mouse on the phantom study."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import dice
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.features.clicks.feature import CLICK, CLICK_KEY, ClickFeature
from cmr_viewer.ui.features.propagation.feature import PROPAGATION_KEY, PropagationFeature
from cmr_viewer.ui.window.main_window import MainWindow
from tests.phantom import Phantom
from tests.ui.conftest import PATIENCE_MS, settle

MIDDLE = FrameIndex(0, 3)


def labels(window: MainWindow, frame: FrameIndex | None = None):
    shown = window.session.study.frame_state(frame or window.desk.frame).labels
    assert shown is not None
    return shown.copy()


def do(window: MainWindow, *names: str) -> None:
    for name in names:
        action = window.actions_by_id[name]
        assert action.isEnabled(), name
        action.trigger()


def wait(qtbot, window: MainWindow, key: str) -> None:
    qtbot.waitUntil(lambda: not window.session.jobs.is_busy(key), timeout=PATIENCE_MS)


def click(qtbot, window: MainWindow, point, button=Qt.MouseButton.LeftButton, held=Qt.KeyboardModifier.NoModifier):
    view = window.parts.view
    QTest.mouseClick(view, button, held, view.to_widget(point).toPoint())
    settle(qtbot, window)


def middle_of(mask) -> tuple[float, float]:
    places = np.argwhere(mask)
    row, col = places[np.abs(places - places.mean(axis=0)).sum(axis=1).argmin()]
    return float(row), float(col)


@pytest.fixture
def desk_window(open_window: MainWindow, qtbot) -> MainWindow:
    """The window at a middle slice of the first phase."""
    open_window.desk.go(MIDDLE)
    settle(qtbot, open_window)
    return open_window


def feature(window: MainWindow) -> ClickFeature:
    return window.feature(ClickFeature)


def test_a_left_click_is_inside_the_chosen_label_and_a_right_one_outside(desk_window, qtbot):
    at = middle_of(labels(desk_window) == Label.RVBP)
    do(desk_window, "label_rvbp", "click")
    assert desk_window.desk.tool == CLICK
    click(qtbot, desk_window, at, Qt.MouseButton.RightButton)
    assert labels(desk_window)[round(at[0]), round(at[1])] != Label.RVBP
    assert desk_window.session.study.undo_text == "click outside RV blood pool"
    click(qtbot, desk_window, at)
    assert labels(desk_window)[round(at[0]), round(at[1])] == Label.RVBP
    do(desk_window, "undo", "undo")
    assert not desk_window.session.study.can_undo


def test_shift_and_left_is_outside_too(desk_window, qtbot):
    at = middle_of(labels(desk_window) == Label.RVBP)
    do(desk_window, "label_rvbp", "click")
    click(qtbot, desk_window, at, held=Qt.KeyboardModifier.ShiftModifier)
    assert desk_window.session.study.undo_text == "click outside RV blood pool"


def test_the_clicks_of_a_frame_are_shown_and_go_with_undo(desk_window, qtbot):
    at = middle_of(labels(desk_window) == Label.RVBP)
    do(desk_window, "label_rvbp", "click")
    click(qtbot, desk_window, at, Qt.MouseButton.RightButton)
    of_frame = feature(desk_window).prompts.clicks_of(MIDDLE)
    assert [(each.label, each.inside) for each in of_frame] == [(Label.RVBP, False)]
    picture = desk_window.parts.view.grab().toImage()
    do(desk_window, "undo")
    assert feature(desk_window).prompts.clicks_of(MIDDLE) == ()
    assert desk_window.parts.view.grab().toImage() != picture


def test_click_mode_says_what_a_click_means_and_leaves_with_its_key(desk_window):
    line = feature(desk_window).hint
    do(desk_window, "label_lvm", "click")
    assert "LV myocardium" in line.text()
    assert desk_window.actions_by_id["click"].isChecked()
    do(desk_window, "click")
    assert not desk_window.actions_by_id["click"].isChecked()
    assert line.text() == ""


def test_a_click_beside_the_frame_changes_nothing(desk_window, qtbot):
    do(desk_window, "label_lvbp", "click", "zoom_fit")
    desk_window.parts.view.zoom(0.5)
    click(qtbot, desk_window, (-20.0, -20.0))
    assert not desk_window.session.study.can_undo


def test_the_eraser_has_no_use_for_clicks_and_another_label_is_clicked_at_once(desk_window):
    do(desk_window, "label_erase", "click")
    assert desk_window.desk.label is Label.LVBP
    do(desk_window, "label_rvbp")
    assert desk_window.desk.tool == CLICK


def test_a_corrected_phase_is_offered_through_the_cycle_and_taken_with_a_key(desk_window, qtbot, phantom: Phantom):
    session = desk_window.session
    session.study.change_labels({MIDDLE: phantom.labels[MIDDLE].copy()}, "draw")
    session.study.begin_stroke(MIDDLE, Label.LVM, 0.5, (2.0, 2.0))
    session.study.end_stroke()
    do(desk_window, "propagate")
    wait(qtbot, desk_window, PROPAGATION_KEY)
    settle(qtbot, desk_window)
    assert session.study.offer is not None
    assert not desk_window.parts.proposal.isHidden()
    do(desk_window, "proposal_take")
    for phase in range(1, phantom.stack.phases):
        frame = FrameIndex(phase, MIDDLE.slice_index)
        for label in STRUCTURES:
            agreed = dice(labels(desk_window, frame), phantom.labels[frame], label)
            assert agreed is not None and agreed > 0.88, (phase, label)
    do(desk_window, "undo")
    assert session.study.frame_state(FrameIndex(2, MIDDLE.slice_index)).edited is False


def test_a_refined_copy_is_offered_from_each_neighbour(desk_window, qtbot):
    for name in ("refine_base", "refine_apex", "refine_before", "refine_after"):
        do(desk_window, name)
        wait(qtbot, desk_window, PROPAGATION_KEY)
        settle(qtbot, desk_window)
        assert desk_window.session.study.offer is not None, name
        assert set(desk_window.session.study.offer.label_maps) == {MIDDLE}
        do(desk_window, "proposal_keep")
        assert desk_window.session.study.offer is None


def test_at_the_ends_of_the_stack_there_is_no_neighbour_to_copy_from(desk_window, qtbot):
    desk_window.desk.go(FrameIndex(0, 0))
    settle(qtbot, desk_window)
    assert not desk_window.actions_by_id["refine_base"].isEnabled()
    assert desk_window.actions_by_id["refine_apex"].isEnabled()


def test_without_a_study_nothing_of_this_is_possible(window: MainWindow):
    for name in ("click", "propagate", "propagate_over", "refine_base", "refine_after"):
        assert not window.actions_by_id[name].isEnabled(), name


def test_every_button_is_named_and_tells_its_key(desk_window):
    buttons = desk_window.feature(PropagationFeature).panel.findChildren(QToolButton)
    assert len(buttons) == 6
    for button in buttons:
        assert button.accessibleName() or button.text()
        assert "(" in button.toolTip()


def test_closing_the_study_while_a_click_is_worked_on_is_calm(desk_window, qtbot):
    at = middle_of(labels(desk_window) == Label.RVBP)
    do(desk_window, "label_rvbp", "click")
    view = desk_window.parts.view
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, view.to_widget(at).toPoint())
    do(desk_window, "close_study")
    wait(qtbot, desk_window, CLICK_KEY)
    assert desk_window.session.study.stack is None


def test_a_click_is_shown_as_soon_as_it_is_made_and_the_panel_names_the_work(desk_window, qtbot):
    do(desk_window, "label_rvbp", "click")
    settle(qtbot, desk_window)
    made, view = feature(desk_window), desk_window.parts.view
    at = middle_of(labels(desk_window) == Label.RVBP)
    QTest.mouseClick(view, Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier, view.to_widget(at).toPoint())
    (pending,) = made.prompts.pending_of(MIDDLE)
    assert (pending.label, pending.inside) == (Label.RVBP, False)
    assert made.hint.text().startswith("Segmenting around the click")
    at_work = view.grab().toImage()
    settle(qtbot, desk_window)
    assert made.prompts.pending_of(MIDDLE) == ()
    assert made.hint.text().startswith("Left click")
    assert view.grab().toImage() != at_work
