"""The long-axis view beside the frame."""

from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt

from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.ui.features.long_axis.feature import LongAxisFeature, heart_box
from cmr_viewer.ui.frame.cine import cine_clock, matching_phases
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import PATIENCE_MS, settle
from tests.ui.rich_study import RichReader, long_axis_view

PATH = Path("/nowhere/rich")


@pytest.fixture
def rich(window: MainWindow, phantom, program, qtbot) -> MainWindow:
    window.session.opening._opener = RichReader(Study("rich", PATH, (phantom.stack,), patient_key="one"))
    with qtbot.waitSignal(program.session.study.analysed, timeout=PATIENCE_MS):
        program.session.opening.open_path(PATH)
        program.start()
    settle(qtbot, window)
    window.parts.messages._close()
    return window


def test_the_views_of_the_study_are_listed_and_the_slice_is_marked(rich):
    panel = rich.feature(LongAxisFeature).panel
    assert panel.isVisible()
    assert list(panel.names) == ["cine 2CH", "cine 4CH"]
    assert panel.view.current == rich.desk.frame.slice_index
    rich.desk.go(FrameIndex(0, 5))
    assert panel.view.current == 5


def test_the_lines_follow_one_another_from_base_to_apex_as_far_apart_as_the_slices(rich, phantom):
    view = rich.feature(LongAxisFeature).panel.view
    lines = [view.line_of(each) for each in range(7)]
    heights = [(line.y1() + line.y2()) / 2 for line in lines]
    steps = [b - a for a, b in pairwise(heights)]
    assert min(steps) > 2
    assert max(steps) == pytest.approx(min(steps), rel=0.02)
    assert all(abs(line.dy()) < 1 for line in lines), "columns run along the rows of the slices"
    assert abs(lines[0].dx()) > view.width() * 0.5


def test_a_click_near_a_line_goes_to_its_slice_and_elsewhere_nowhere(rich, qtbot):
    view = rich.feature(LongAxisFeature).panel.view
    line = view.line_of(6)
    at = line.center().toPoint()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=at)
    assert rich.desk.frame.slice_index == 6
    beyond = QPointF(at.x(), max(line.y1(), line.y2()) + 40).toPoint()
    assert view.rect().contains(beyond)
    rich.desk.go(FrameIndex(0, 2))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=beyond)
    assert rich.desk.frame.slice_index == 2


def test_dragging_goes_through_the_slices(rich, qtbot):
    view = rich.feature(LongAxisFeature).panel.view
    start, end = (view.line_of(each).center().toPoint() for each in (1, 4))
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    assert rich.desk.frame.slice_index == 1
    qtbot.mouseMove(view, end)
    assert rich.desk.frame.slice_index == 4
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)


def test_the_same_part_of_the_cycle_is_shown(rich):
    panel = rich.feature(LongAxisFeature).panel
    shown = []
    for phase in range(6):
        rich.desk.go_phase(phase)
        shown.append(panel.view.phase)
    assert shown[0] == 0
    assert sorted(set(shown)) == [0, 1, 2], "3 phases for 6"
    rich.actions_by_id["long_axis_next"].trigger()
    assert panel.chosen == 1
    rich.desk.go_phase(3)
    assert panel.view.phase == 3, "as many phases go one by one"


def test_l_hides_the_views_and_shows_them_again_where_the_reader_is(rich, qtbot):
    panel = rich.feature(LongAxisFeature).panel
    qtbot.keyClick(rich.parts.view, Qt.Key.Key_L)
    assert not panel.isVisible()
    rich.desk.go(FrameIndex(1, 6))
    qtbot.keyClick(rich.parts.view, Qt.Key.Key_L)
    assert panel.isVisible()
    assert panel.view.current == 6


def test_a_stack_without_long_axis_views_shows_none(rich, qtbot):
    with qtbot.waitSignal(rich.session.study.restored, timeout=PATIENCE_MS):
        rich.session.opening.choose_stack("B")
    assert not rich.feature(LongAxisFeature).panel.isVisible()
    assert not rich.actions_by_id["long_axis"].isEnabled()
    settle(qtbot, rich)


def test_a_frame_is_drawn_once_for_each_phase_and_lines_are_not_worked_out_again(rich, monkeypatch):
    view = rich.feature(LongAxisFeature).panel.view
    arranged = []
    monkeypatch.setattr(view, "_arrange", lambda: arranged.append(1))
    for phase in (0, 1, 2, 3, 4, 5, 0, 1):
        rich.desk.go_phase(phase)
        view.grab()
    assert arranged == []
    assert set(view._images) == {0, 1, 2}


def test_the_view_begins_with_the_part_around_the_slices(phantom):
    cine = long_axis_view(phantom.stack, 2, "")
    row0, row1, col0, col1 = heart_box(cine.geometry, phantom.stack)
    last = 10 + 6 * phantom.stack.geometry.slice_spacing_mm / 3.0
    assert row0 <= 10
    assert row1 >= min(60, last)
    assert col0 < 25 < col1


@pytest.mark.parametrize(
    ("phases", "times", "other", "other_times", "expected"),
    [
        (4, None, 4, None, (0, 1, 2, 3)),
        (3, None, 2, None, (0, 1, 1)),
        (2, None, 4, None, (0, 2)),
        (3, (0.0, 100.0, 200.0), 6, (0.0, 50.0, 100.0, 150.0, 200.0, 250.0), (0, 2, 4)),
    ],
)
def test_phases_are_matched_by_their_part_of_the_cycle(phases, times, other, other_times, expected):
    assert matching_phases(cine_clock(phases, times, None), cine_clock(other, other_times, None)) == expected
