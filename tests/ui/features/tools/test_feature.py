"""The correction tools, driven by their actions and the mouse on the phantom study."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.outlines import has_closed_ring, outline_mask
from cmr_viewer.ui.features.tools.feature import ToolsFeature
from cmr_viewer.ui.features.tools.tools import TOOLS_KEY
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import PATIENCE_MS

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


def wait(qtbot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not window.session.jobs.is_busy(TOOLS_KEY), timeout=PATIENCE_MS)


def last_said(window: MainWindow) -> str:
    return window.parts.bell.messages[-1].text


def drag(window: MainWindow, points) -> None:
    """Paint along (row, col) points with the left button."""
    view = window.parts.view
    places = [view.to_widget(point).toPoint() for point in points]
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[0])
    for place in places[1:]:
        QTest.mouseMove(view, place)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, places[-1])


@pytest.fixture
def desk_window(open_window: MainWindow) -> MainWindow:
    """The window at a middle slice of the first phase, with the endocardium chosen."""
    open_window.desk.go(MIDDLE)
    open_window.desk.label_lvbp()
    return open_window


def test_nudging_moves_the_chosen_outline_or_all(desk_window):
    before = labels(desk_window)
    do(desk_window, "nudge_right")
    after = labels(desk_window)
    np.testing.assert_array_equal(after == Label.LVBP, np.roll(before == Label.LVBP, 1, axis=1))
    np.testing.assert_array_equal(outline_mask(after, Label.LVM), outline_mask(before, Label.LVM))
    do(desk_window, "undo", "all_labels", "nudge_down")
    np.testing.assert_array_equal(labels(desk_window), np.roll(before, 1, axis=0))
    assert desk_window.actions_by_id["undo"].text() == "&Undo nudge all labels"
    do(desk_window, "undo")
    np.testing.assert_array_equal(labels(desk_window), before)


@pytest.mark.parametrize(("name", "rows", "cols"), [("nudge_up", -1, 0), ("nudge_left", 0, -1)])
def test_each_arrow_nudges_its_way(desk_window, name, rows, cols):
    before = labels(desk_window)
    do(desk_window, "all_labels", name)
    np.testing.assert_array_equal(labels(desk_window), np.roll(before, (rows, cols), axis=(0, 1)))


def test_with_the_eraser_in_hand_tools_change_all_labels(desk_window):
    before = labels(desk_window)
    desk_window.desk.label_erase()
    do(desk_window, "nudge_down")
    np.testing.assert_array_equal(labels(desk_window), np.roll(before, 1, axis=0))


def test_an_outline_grows_and_shrinks_by_the_step_that_is_chosen(desk_window):
    before = labels(desk_window)
    do(desk_window, "tool_grow")
    by_pixel = (labels(desk_window) == Label.LVBP).sum()
    do(desk_window, "undo")
    desk_window.feature(ToolsFeature).panel._step.setCurrentText("0.5 mm")
    do(desk_window, "tool_grow")
    by_half_mm = (labels(desk_window) == Label.LVBP).sum()
    assert (before == Label.LVBP).sum() < by_half_mm < by_pixel
    do(desk_window, "undo", "tool_shrink")
    assert (labels(desk_window) == Label.LVBP).sum() < (before == Label.LVBP).sum()


def test_a_smoothed_outline_keeps_its_area_and_says_so_in_undo(desk_window):
    desk_window.desk.set_radius(1.0)
    desk_window.desk.label_lvbp()
    row, col = np.argwhere(labels(desk_window) == Label.LVBP).max(axis=0)
    drag(desk_window, [(row + 1.0, col - 2.0), (row + 1.0, col - 1.0)])
    before = labels(desk_window)
    do(desk_window, "tool_smooth")
    after = labels(desk_window)
    assert not np.array_equal(after, before)
    assert (after == Label.LVBP).sum() == (before == Label.LVBP).sum()
    assert desk_window.session.study.undo_text == "smooth LV blood pool"


def test_an_outline_snaps_to_the_edge_of_the_image_and_undo_takes_it_back_in_one_step(desk_window):
    desk_window.desk.label_lvbp()
    do(desk_window, "tool_grow")
    drawn = labels(desk_window)
    do(desk_window, "tool_snap")
    snapped = labels(desk_window)
    pixels = desk_window.session.study.stack.frame(desk_window.desk.frame)
    given_up = (drawn == Label.LVBP) & (snapped != Label.LVBP)
    taken = (snapped == Label.LVBP) & (drawn != Label.LVBP)
    assert given_up.any() or taken.any()
    assert pixels[given_up].mean() < pixels[snapped == Label.LVBP].mean()
    assert desk_window.session.study.undo_text == "snap LV blood pool to the edge"
    do(desk_window, "undo")
    np.testing.assert_array_equal(labels(desk_window), drawn)


def test_holes_are_filled_and_pieces_dropped(desk_window):
    whole = labels(desk_window)
    row, col = np.argwhere(whole == Label.LVBP).mean(axis=0).round()
    desk_window.desk.set_radius(0.5)
    desk_window.desk.label_erase()
    drag(desk_window, [(row, col)])
    desk_window.desk.label_lvbp()
    drag(desk_window, [(2.0, 2.0)])
    assert not np.array_equal(labels(desk_window), whole)
    do(desk_window, "tool_fill_holes", "tool_keep_largest")
    np.testing.assert_array_equal(labels(desk_window), whole)


def test_the_region_under_the_pointer_is_filled(desk_window):
    before = labels(desk_window)
    inside = tuple(np.argwhere(before == Label.LVBP).mean(axis=0))
    desk_window.desk.label_rvbp()
    desk_window.parts.view.pointed.emit(None)
    do(desk_window, "tool_fill_here")
    assert "pointer" in last_said(desk_window)
    QTest.mouseMove(desk_window.parts.view, desk_window.parts.view.to_widget(inside).toPoint())
    do(desk_window, "tool_fill_here")
    np.testing.assert_array_equal(labels(desk_window) == Label.RVBP, (before == Label.LVBP) | (before == Label.RVBP))


def test_a_ring_is_drawn_as_thick_as_the_panel_says_and_closed(desk_window, phantom):
    desk_window.feature(ToolsFeature).panel._wall.setValue(10.0)
    do(desk_window, "tool_ring")
    after = labels(desk_window)
    rows_mm, cols_mm = phantom.stack.geometry.pixel_spacing_mm
    pool_mm2 = (after == Label.LVBP).sum() * rows_mm * cols_mm
    radius = np.sqrt(pool_mm2 / np.pi)
    free = outline_mask(after, Label.LVM).sum() * rows_mm * cols_mm
    assert has_closed_ring(after)
    assert 0.8 < free / (np.pi * (radius + 10.0) ** 2) < 1.05  # the RV may hold a part of it
    assert desk_window.session.study.undo_text == "draw a ring of LV myocardium of 10 mm"


def test_a_gap_in_the_wall_is_closed(desk_window):
    col = np.argwhere(labels(desk_window) == Label.LVM)[:, 1].max()
    middle = np.argwhere(labels(desk_window) == Label.LVBP).mean(axis=0)
    desk_window.desk.set_radius(2.0)
    desk_window.desk.label_erase()
    drag(desk_window, [(middle[0], middle[1]), (middle[0], float(col))])
    desk_window.desk.label_lvbp()
    drag(desk_window, [(middle[0], middle[1]), (middle[0], middle[1] + 5.0)])
    assert not has_closed_ring(labels(desk_window))
    do(desk_window, "tool_close_ring")
    assert has_closed_ring(labels(desk_window))


def test_papillary_muscles_become_blood_pool(desk_window):
    whole = labels(desk_window)
    middle = np.argwhere(whole == Label.LVBP).mean(axis=0)
    desk_window.desk.set_radius(1.5)
    desk_window.desk.label_lvm()
    drag(desk_window, [(middle[0] + 2.0, middle[1])])
    assert (labels(desk_window) == Label.LVBP).sum() < (whole == Label.LVBP).sum()
    do(desk_window, "tool_papillaries")
    assert ((labels(desk_window) == Label.LVBP) >= (whole == Label.LVBP)).all()


@pytest.mark.parametrize(
    ("reach", "count"), [("reach_frame", 1), ("reach_slice", 6), ("reach_phase", None), ("reach_study", None)]
)
def test_a_label_is_deleted_as_far_as_tools_reach(desk_window, qtbot, reach, count):
    session = desk_window.session
    with_it = [f for f in session.study.stack.frame_indices if (labels(desk_window, f) == Label.LVBP).any()]
    reached = [
        f
        for f in with_it
        if reach == "reach_study"
        or f == MIDDLE
        or (reach == "reach_slice" and f.slice_index == MIDDLE.slice_index)
        or (reach == "reach_phase" and f.phase == MIDDLE.phase)
    ]
    assert count in (None, len(reached))
    do(desk_window, reach, "tool_remove")
    wait(qtbot, desk_window)
    left = [f for f in session.study.stack.frame_indices if (labels(desk_window, f) == Label.LVBP).any()]
    assert left == [f for f in with_it if f not in reached]
    assert session.study.undo_text == "delete LV blood pool"
    do(desk_window, "undo")
    assert not session.study.can_undo


def test_frames_beside_are_copied_whole_or_by_one_label(desk_window):
    do(desk_window, "all_labels", "copy_base")
    np.testing.assert_array_equal(labels(desk_window), labels(desk_window, FrameIndex(0, 2)))
    do(desk_window, "undo", "copy_after")
    np.testing.assert_array_equal(labels(desk_window), labels(desk_window, FrameIndex(1, 3)))
    do(desk_window, "undo", "copy_before")
    np.testing.assert_array_equal(labels(desk_window), labels(desk_window, FrameIndex(5, 3)))
    do(desk_window, "undo", "all_labels", "copy_apex")
    expected = labels(desk_window, FrameIndex(0, 4)) == Label.LVBP
    np.testing.assert_array_equal(labels(desk_window) == Label.LVBP, expected)


def test_there_is_nothing_to_copy_from_beyond_the_ends(desk_window):
    desk_window.desk.go(FrameIndex(0, 0))
    assert not desk_window.actions_by_id["copy_base"].isEnabled()
    desk_window.desk.go(FrameIndex(0, 6))
    assert desk_window.actions_by_id["copy_base"].isEnabled()
    assert not desk_window.actions_by_id["copy_apex"].isEnabled()


def test_slices_and_phases_between_corrected_ones_are_interpolated(desk_window, qtbot):
    do(desk_window, "interpolate_slices")
    assert "two corrected slices" in last_said(desk_window)
    do(desk_window, "tool_grow")
    desk_window.desk.go(FrameIndex(0, 5))
    do(desk_window, "tool_grow", "interpolate_slices")
    wait(qtbot, desk_window)
    assert desk_window.session.study.frame_state(FrameIndex(0, 4)).edited
    assert last_said(desk_window) == "Interpolate slices of phase 1: 1 frame changed."
    desk_window.desk.go(FrameIndex(3, 5))
    do(desk_window, "tool_grow", "interpolate_phases")
    wait(qtbot, desk_window)
    assert all(desk_window.session.study.frame_state(FrameIndex(each, 5)).edited for each in range(6))


def test_a_ball_paints_the_slices_it_reaches_as_one_step(desk_window, phantom):
    spacing = phantom.stack.geometry.slice_spacing_mm
    rows_mm, cols_mm = phantom.stack.geometry.pixel_spacing_mm
    radius_px = 1.5 * spacing / np.sqrt(rows_mm * cols_mm)
    before = {f: labels(desk_window, f) for f in desk_window.session.study.stack.frame_indices}
    do(desk_window, "ball_brush")
    assert desk_window.desk.brush_on
    desk_window.desk.set_radius(radius_px)
    desk_window.desk.label_rvbp()
    assert desk_window.desk.ball_on
    assert desk_window.parts.strip.lit == {FrameIndex(0, 2), MIDDLE, FrameIndex(0, 4)}
    drag(desk_window, [(20.0, 20.0), (24.0, 22.0)])
    changed = {f for f in before if not np.array_equal(labels(desk_window, f), before[f])}
    assert changed == {FrameIndex(0, 2), MIDDLE, FrameIndex(0, 4)}
    assert not desk_window.desk.painting
    do(desk_window, "undo")
    assert all(np.array_equal(labels(desk_window, f), before[f]) for f in before)
    do(desk_window, "ball_brush")
    drag(desk_window, [(20.0, 20.0)])
    assert np.array_equal(labels(desk_window, FrameIndex(0, 2)), before[FrameIndex(0, 2)])
    assert not np.array_equal(labels(desk_window), before[MIDDLE])


def test_a_new_study_begins_with_this_frame_alone(desk_window):
    do(desk_window, "reach_study")
    desk_window.session.close_study()
    assert desk_window.actions_by_id["reach_frame"].isChecked()
    assert not desk_window.actions_by_id["tool_smooth"].isEnabled()


def test_every_tool_has_a_button_with_an_icon_or_words_in_the_panel(window):
    shown = {
        b.defaultAction().objectName()
        for b in window.feature(ToolsFeature).panel.findChildren(QToolButton)
        if b.defaultAction()
    }
    tools = {name for name in window.actions_by_id if name.startswith(("tool_", "nudge_", "reach_", "interpolate_"))}
    assert tools | {"copy_base", "copy_apex", "copy_before", "copy_after", "ball_brush", "all_labels"} <= shown


def test_the_panel_fits_the_right_side(open_window):
    open_window.resize(1280, 800)
    assert open_window.feature(ToolsFeature).panel.minimumSizeHint().width() <= 300 - 22
