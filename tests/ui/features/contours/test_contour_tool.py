import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.features.contours.feature import ContourFeature
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import PATIENCE_MS, settle

FRAME = FrameIndex(0, 3)
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
NONE = Qt.KeyboardModifier.NoModifier


class Hand:
    """The mouse over the frame, in (row, col)."""

    def __init__(self, window: MainWindow, qtbot):
        self.view, self.qtbot = window.parts.view, qtbot

    def place(self, point) -> QPoint:
        return self.view.to_widget((float(point[0]), float(point[1]))).toPoint()

    def drag(self, *points, button=LEFT, held=NONE) -> None:
        self.qtbot.mouseMove(self.view, self.place(points[0]))
        self.qtbot.mousePress(self.view, button, held, self.place(points[0]))
        for point in points[1:]:
            self.qtbot.mouseMove(self.view, self.place(point))
        self.qtbot.mouseRelease(self.view, button, held, self.place(points[-1]))

    def click(self, point, button=LEFT, held=NONE) -> None:
        self.qtbot.mouseMove(self.view, self.place(point))
        self.qtbot.mouseClick(self.view, button, held, self.place(point))


@pytest.fixture
def window(open_window: MainWindow, qtbot) -> MainWindow:
    open_window.desk.go(FRAME)
    open_window.display.fit_heart()
    open_window.actions_by_id["contour"].trigger()
    return open_window


@pytest.fixture
def hand(window, qtbot) -> Hand:
    return Hand(window, qtbot)


@pytest.fixture
def feature(window) -> ContourFeature:
    return window.feature(ContourFeature)


def labels_of(window) -> np.ndarray:
    return window.session.study.frame_state(FRAME).labels.copy()


def moved_out(contour, knot: int, by: float):
    """A point beside a knot, farther from the middle of its contour by some pixels."""
    at = contour.knot_points[knot]
    away = at - contour.points.mean(axis=0)
    return at + by * away / np.hypot(*away)


def test_contour_mode_shows_the_three_contours_of_the_frame_and_takes_the_mouse(window, feature):
    assert window.parts.view.tool is feature.tool
    assert not window.actions_by_id["brush"].isChecked()
    for label in (Label.LVBP, Label.LVM, Label.RVBP):
        assert len(feature._contours[label]) == 1


def test_the_keys_1_2_3_choose_endocardium_epicardium_and_rv(window, feature):
    for action, label in (("label_lvm", Label.LVM), ("label_rvbp", Label.RVBP), ("label_lvbp", Label.LVBP)):
        window.actions_by_id[action].trigger()
        assert feature.tool.label is label
        assert window.desk.tool == "contour"
    window.actions_by_id["label_erase"].trigger()
    assert window.desk.tool == "brush"


def test_dragging_a_knot_of_the_epicardium_outward_adds_myocardium_and_leaves_the_blood_pool(window, hand, feature):
    window.actions_by_id["label_lvm"].trigger()
    before = labels_of(window)
    contour = feature.tool.contours[0]
    to = moved_out(contour, 2, 4.0)
    hand.drag(contour.knot_points[2], (contour.knot_points[2] + to) / 2, to)
    after = labels_of(window)
    gained = (after == Label.LVM) & (before != Label.LVM)
    assert gained.sum() >= 5
    np.testing.assert_array_equal(after == Label.LVBP, before == Label.LVBP)
    assert gained.sum() > 0.8 * (before != after).sum()


def test_a_drag_is_one_step_to_undo_and_the_knots_come_back(window, hand, feature):
    before = labels_of(window)
    contour = feature.tool.contours[0]
    middle, to = moved_out(contour, 0, -1.5), moved_out(contour, 0, -3.0)
    hand.drag(contour.knot_points[0], middle, to)
    assert (labels_of(window) != before).any()
    assert window.session.study.undo_text.startswith("move LV endocardium")
    moved = feature.tool.contours[0].knot_points
    window.actions_by_id["undo"].trigger()
    np.testing.assert_array_equal(labels_of(window), before)
    np.testing.assert_array_equal(feature.tool.contours[0].knot_points, contour.knot_points)
    window.actions_by_id["redo"].trigger()
    np.testing.assert_array_equal(feature.tool.contours[0].knot_points, moved)


def test_the_pixels_follow_during_the_drag_and_nothing_is_kept_if_it_is_dropped(window, hand, feature, qtbot):
    before = labels_of(window)
    contour = feature.tool.contours[0]
    view = window.parts.view
    qtbot.mousePress(view, LEFT, pos=hand.place(contour.knot_points[0]))
    qtbot.mouseMove(view, hand.place(moved_out(contour, 0, -5.0)))
    qtbot.waitUntil(lambda: bool((view._marks.labels != before).any()))
    np.testing.assert_array_equal(labels_of(window), before)
    view.setFocus()
    qtbot.keyPress(view, Qt.Key.Key_Escape)
    np.testing.assert_array_equal(view._marks.labels, before)
    qtbot.mouseRelease(view, LEFT, pos=hand.place(moved_out(contour, 0, -5.0)))
    np.testing.assert_array_equal(labels_of(window), before)
    assert not window.desk.painting


def test_a_drag_does_nothing_to_a_study_that_is_opened_meanwhile(window, hand, feature, study_path, qtbot):
    before, contour, view = labels_of(window), feature.tool.contours[0], window.parts.view
    qtbot.mousePress(view, LEFT, pos=hand.place(contour.knot_points[0]))
    qtbot.mouseMove(view, hand.place(moved_out(contour, 0, -5.0)))
    with qtbot.waitSignal(window.session.study.restored, timeout=PATIENCE_MS):
        window.session.opening.open_path(study_path)
    settle(qtbot, window)
    assert window.desk.frame == FRAME
    qtbot.mouseMove(view, hand.place(moved_out(contour, 0, -6.0)))
    qtbot.mouseRelease(view, LEFT, pos=hand.place(moved_out(contour, 0, -6.0)))
    np.testing.assert_array_equal(labels_of(window), before)
    np.testing.assert_array_equal(view._marks.labels, before)
    assert not window.session.study.can_undo and not window.desk.painting


def test_a_drag_is_dropped_when_the_label_map_under_it_is_another(window, hand, feature, qtbot):
    contour, view = feature.tool.contours[0], window.parts.view
    qtbot.mousePress(view, LEFT, pos=hand.place(contour.knot_points[0]))
    qtbot.mouseMove(view, hand.place(moved_out(contour, 0, -5.0)))
    small = np.zeros_like(labels_of(window))
    small[30:36, 30:36] = Label.LVBP
    window.session.study.change_labels({FRAME: small}, "another tool")
    qtbot.mouseMove(view, hand.place(moved_out(contour, 0, -6.0)))
    view.grab()
    qtbot.mouseRelease(view, LEFT, pos=hand.place(moved_out(contour, 0, -6.0)))
    np.testing.assert_array_equal(labels_of(window), small)
    np.testing.assert_array_equal(view._marks.labels, small)
    assert window.session.study.undo_text == "another tool" and not window.desk.painting


def test_a_press_that_goes_nowhere_changes_nothing(window, hand, feature):
    before, undo = labels_of(window), window.session.study.undo_text
    contour = feature.tool.contours[0]
    hand.click(contour.knot_points[1])
    hand.click(contour.points.mean(axis=0))
    np.testing.assert_array_equal(labels_of(window), before)
    assert window.session.study.undo_text == undo


def test_pulling_the_line_between_knots_takes_it_along(window, hand, feature):
    before = labels_of(window)
    contour = feature.tool.contours[0]
    halfway = int((contour.knots[1] + contour.knots[2]) // 2)
    at = contour.points[halfway]
    inward = contour.points.mean(axis=0) - at
    hand.drag(at, at + 3 * inward / np.hypot(*inward))
    assert window.session.study.undo_text.startswith("pull LV endocardium")
    lost = (before == Label.LVBP) & (labels_of(window) != Label.LVBP)
    assert lost.any()
    assert (labels_of(window)[lost] == Label.LVM).all()


def test_a_stroke_beside_the_line_replaces_that_part_of_it(window, hand, feature):
    window.actions_by_id["label_lvm"].trigger()
    before = labels_of(window)
    contour = feature.tool.contours[0]
    centre = contour.points.mean(axis=0)
    part = contour.points[10 : len(contour.points) // 4 : 4]
    out = centre + (part - centre) * (1 + 5 / np.hypot(*(part - centre).T)[:, None])
    hand.drag(*out)
    assert window.session.study.undo_text.startswith("redraw part of LV epicardium")
    after = labels_of(window)
    assert (after == Label.LVM).sum() > (before == Label.LVM).sum() + 8
    np.testing.assert_array_equal(after == Label.LVBP, before == Label.LVBP)


def test_knots_are_added_and_removed(window, hand, feature, qtbot):
    contour = feature.tool.contours[0]
    before, count = labels_of(window), len(contour.knots)
    at = contour.points[int((contour.knots[0] + contour.knots[1]) // 2)]
    hand.click(at, held=CTRL)
    assert len(feature.tool.contours[0].knots) == count + 1
    np.testing.assert_array_equal(labels_of(window), before)
    hand.click(feature.tool.contours[0].knot_points[1], button=RIGHT)
    assert len(feature.tool.contours[0].knots) == count


def test_a_new_contour_is_drawn_with_clicks_and_closed_at_its_first_point(window, hand, feature):
    window.actions_by_id["clear_frame"].trigger()
    middle = np.asarray([36.0, 32.0])
    corners = [middle + by for by in ((-8, 0), (0, 8), (8, 0), (0, -8))]
    for corner in [*corners, corners[0]]:
        hand.click(corner)
    labels = labels_of(window)
    assert labels[36, 32] == Label.LVBP
    assert (labels == Label.LVBP).sum() == pytest.approx(np.pi * 8**2, rel=0.15)
    window.actions_by_id["label_lvm"].trigger()
    ring = [middle + 12 * np.asarray([np.sin(a), np.cos(a)]) for a in np.linspace(0, 2 * np.pi, 40)]
    hand.drag(*ring)
    labels = labels_of(window)
    assert (labels == Label.LVBP).sum() == pytest.approx(np.pi * 8**2, rel=0.15)
    assert (labels > 0).sum() == pytest.approx(np.pi * 12**2, rel=0.1)


def test_return_closes_backspace_takes_a_click_back_and_escape_drops(window, hand, feature, qtbot):
    window.actions_by_id["clear_frame"].trigger()
    view = window.parts.view
    view.setFocus()
    for corner in ((28, 32), (36, 40), (44, 32), (60, 60)):
        hand.click(corner)
    qtbot.keyPress(view, Qt.Key.Key_Backspace)
    qtbot.keyPress(view, Qt.Key.Key_Return)
    labels = labels_of(window)
    assert labels[36, 34] == Label.LVBP
    assert labels[58, 58] == Label.BACKGROUND
    for corner in ((10, 10), (10, 20), (20, 20)):
        hand.click(corner, held=SHIFT)
    qtbot.keyPress(view, Qt.Key.Key_Escape)
    assert not feature.tool.is_drawing
    np.testing.assert_array_equal(labels_of(window), labels)


def test_another_frame_shows_its_own_contours(window, feature, qtbot):
    first = feature.tool.contours[0]
    window.desk.slice_down()
    assert feature.tool.contours[0] is not first
    window.desk.slice_up()
    assert feature.tool.contours[0] is first
    settle(qtbot, window)


def test_the_brush_puts_contours_away(window, feature):
    window.actions_by_id["brush"].trigger()
    assert window.parts.view.tool is window.parts.view.brush
    assert not window.actions_by_id["contour"].isChecked()
    window.actions_by_id["contour"].trigger()
    assert not window.actions_by_id["brush"].isChecked()
    window.actions_by_id["contour"].trigger()
    assert window.desk.tool == "move"


@pytest.mark.parametrize(
    ("chosen", "grabbed"),
    [
        ("label_lvm", Label.LVBP),
        ("label_lvbp", Label.LVM),
        ("label_lvbp", Label.RVBP),
        ("label_rvbp", Label.LVM),
    ],
)
def test_a_press_takes_hold_of_the_line_under_the_pointer_whatever_structure_is_chosen(
    window, hand, feature, chosen, grabbed
):
    window.actions_by_id[chosen].trigger()
    before = labels_of(window)
    contour = max(feature._contours[grabbed], key=lambda one: len(one.points))
    others = [one for label, some in feature._contours.items() if label is not grabbed for one in some]
    apart = [min(np.hypot(*(one.points - point).T).min() for one in others) for point in contour.knot_points]
    knot = int(np.argmax(apart))  # where no other line is near
    to = moved_out(contour, knot, -2.5)
    hand.drag(contour.knot_points[knot], (contour.knot_points[knot] + to) / 2, to)
    assert window.desk.label is grabbed and feature.tool.label is grabbed
    name = {Label.LVBP: "LV endocardium", Label.LVM: "LV epicardium", Label.RVBP: "RV endocardium"}[grabbed]
    assert window.session.study.undo_text == f"move {name}"
    after = labels_of(window)
    inside = {Label.LVBP: [Label.LVBP], Label.LVM: [Label.LVBP, Label.LVM], Label.RVBP: [Label.RVBP]}[grabbed]
    assert np.isin(after, inside).sum() < np.isin(before, inside).sum()
    if grabbed is Label.LVBP:
        assert (np.isin(after, [1, 2]) == np.isin(before, [1, 2])).all(), "the epicardium is as it was"


def test_shift_draws_a_new_contour_of_the_chosen_structure_also_over_another_line(window, hand, feature):
    window.actions_by_id["label_rvbp"].trigger()
    middle = feature._contours[Label.LVM][0].points
    hand.drag(*middle[:: max(1, len(middle) // 12)], held=SHIFT)
    assert window.desk.label is Label.RVBP
    assert window.session.study.undo_text == "draw RV endocardium"
