import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QInputDevice, QPainter, QPen, QPointingDevice, QPointingDeviceUniqueId, QTabletEvent
from PySide6.QtWidgets import QApplication

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.ui.features.clicks.feature import ClickTool
from cmr_viewer.ui.frame.frame_view import FrameView
from cmr_viewer.ui.frame.mouse_tools import BRUSH, MOVE, WINDOW

ROWS, COLS = 40, 30
LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
NO_KEY = Qt.KeyboardModifier.NoModifier


def made_view(qtbot) -> FrameView:
    view = FrameView()
    qtbot.addWidget(view)
    view.resize(600, 500)
    view.set_window(500.0, 1000.0)
    view.show_frame(np.zeros((ROWS, COLS), np.int16), (1.0, 1.0))
    view.show()
    qtbot.waitExposed(view)
    return view


@pytest.fixture
def view(app, qtbot) -> FrameView:
    return made_view(qtbot)


@pytest.fixture
def clicks(view) -> list[tuple]:
    """The tool that clicks is held; what it reports."""
    tool, told = ClickTool(), []
    tool.setParent(view)
    tool.clicked.connect(lambda *args: told.append(args))
    view.add_tool(tool)
    view.hold("click")
    return told


def pen(
    view: FrameView, kind: QEvent.Type, at: QPointF, *, eraser: bool = False, pressure: float = 0.5, button=LEFT
) -> None:
    types = QPointingDevice.PointerType
    device = QPointingDevice(
        "pen", 1, QInputDevice.DeviceType.Stylus, types.Eraser if eraser else types.Pen,
        QInputDevice.Capability.Position | QInputDevice.Capability.Pressure, 1, 3, "", QPointingDeviceUniqueId(),
    )  # fmt: skip
    down = button if kind is not QEvent.Type.TabletMove else Qt.MouseButton.NoButton
    event = QTabletEvent(kind, device, at, view.mapToGlobal(at), pressure, 0, 0, 0, 0, 0, NO_KEY, down, LEFT)
    QApplication.sendEvent(view, event)


def pixel(view: FrameView, row: float, col: float) -> QColor:
    return view.grab().toImage().pixelColor(view.to_widget((row, col)).toPoint())


def test_without_a_tool_the_left_button_moves_the_frame_and_the_right_one_windows(view, qtbot):
    assert view.tool.name == MOVE
    camera = view.camera
    qtbot.mousePress(view, LEFT, pos=QPoint(200, 200))
    qtbot.mouseMove(view, QPoint(240, 200))
    qtbot.mouseRelease(view, LEFT, pos=QPoint(240, 200))
    assert view.camera.centre[1] == pytest.approx(camera.centre[1] - 40 / camera.pixels_per_mm)
    with qtbot.waitSignal(view.window_dragged):
        qtbot.mousePress(view, RIGHT, pos=QPoint(200, 200))
        qtbot.mouseMove(view, QPoint(240, 200))
    qtbot.mouseRelease(view, RIGHT, pos=QPoint(240, 200))


def test_the_middle_button_moves_the_frame_whatever_is_held(view, qtbot):
    view.hold(BRUSH)
    before = view.to_point(QPointF(200, 200))
    with qtbot.assertNotEmitted(view.stroke_began):
        qtbot.mousePress(view, MIDDLE, pos=QPoint(200, 200))
        qtbot.mouseMove(view, QPoint(230, 260))
        qtbot.mouseRelease(view, MIDDLE, pos=QPoint(230, 260))
    assert view.to_point(QPointF(230, 260)) == pytest.approx(before)


def test_the_window_tool_windows_with_the_left_button(view, qtbot):
    view.hold(WINDOW)
    with qtbot.waitSignal(view.window_dragged) as told:
        qtbot.mousePress(view, LEFT, pos=QPoint(200, 200))
        qtbot.mouseMove(view, QPoint(230, 200))
    assert told.args == [500.0, pytest.approx(1100.0)]
    qtbot.mouseRelease(view, LEFT, pos=QPoint(230, 200))


def test_a_click_says_inside_with_the_left_button_and_outside_with_the_right(view, clicks, qtbot):
    at = view.to_widget((12.0, 17.0)).toPoint()
    qtbot.mouseClick(view, LEFT, pos=at)
    qtbot.mouseClick(view, RIGHT, pos=at)
    assert [(round(row), round(col), inside) for row, col, inside in clicks] == [(12, 17, True), (12, 17, False)]


def test_a_drag_that_a_tool_has_ends_with_its_own_button_only(view, qtbot):
    view.hold(BRUSH)
    qtbot.mousePress(view, LEFT, pos=QPoint(200, 200))
    with qtbot.assertNotEmitted(view.stroke_ended):
        qtbot.mouseClick(view, RIGHT, pos=QPoint(205, 200))
    with qtbot.waitSignal(view.stroke_ended):
        qtbot.mouseRelease(view, LEFT, pos=QPoint(210, 200))
    assert not view.is_dragging


def test_a_stroke_ends_when_another_tool_is_taken_with_the_button_down(view, qtbot):
    view.hold(BRUSH)
    qtbot.mousePress(view, LEFT, pos=QPoint(200, 200))
    with qtbot.waitSignal(view.stroke_ended, timeout=0):
        view.hold(MOVE)
    with qtbot.assertNotEmitted(view.stroke_ended):
        qtbot.mouseRelease(view, LEFT, pos=QPoint(210, 200))
    view.hold(BRUSH)
    with qtbot.assertNotEmitted(view.stroke_ended):
        view.hold(MOVE)


def test_a_tool_that_is_not_known_is_none(view):
    view.hold("scissors")
    assert view.tool.name == MOVE


def test_the_circle_of_the_brush_follows_the_pointer_and_goes_with_it(view, qtbot):
    view.set_brush(True, 4.0, "#ff0000")
    qtbot.mouseMove(view, view.to_widget((20.0, 15.0)).toPoint())
    assert pixel(view, 20.0, 19.0).red() > 120
    view.hold(MOVE)
    assert pixel(view, 20.0, 19.0).red() == 0


def test_the_pen_paints_and_its_other_end_erases(view):
    view.hold(BRUSH)
    at, told = view.to_widget((20.0, 15.0)), []
    for signal in (view.stroke_began, view.stroke_moved, view.stroke_ended):
        signal.connect(lambda *args: told.append(args))
    for eraser in (False, True):
        pen(view, QEvent.Type.TabletPress, at, eraser=eraser)
        pen(view, QEvent.Type.TabletMove, at + QPointF(10, 0), eraser=eraser)
        pen(view, QEvent.Type.TabletRelease, at + QPointF(10, 0), eraser=eraser)
        began, moved, ended = told
        assert began == (pytest.approx(20.0), pytest.approx(15.0), eraser)
        assert moved[1] > 15.0
        assert ended == ()
        told.clear()


def test_the_button_at_the_side_of_the_pen_ends_no_stroke_of_its_tip(view, qtbot):
    view.hold(BRUSH)
    at = view.to_widget((20.0, 15.0))
    pen(view, QEvent.Type.TabletPress, at)
    with qtbot.assertNotEmitted(view.stroke_ended):
        pen(view, QEvent.Type.TabletPress, at, button=RIGHT)
        pen(view, QEvent.Type.TabletRelease, at, button=RIGHT)
    with qtbot.waitSignal(view.stroke_ended, timeout=0):
        pen(view, QEvent.Type.TabletRelease, at)


def test_painters_draw_over_the_frame_in_its_own_coordinates(view):
    def dot(painter: QPainter, canvas) -> None:
        painter.setPen(QPen(Qt.PenStyle.NoPen))
        painter.setBrush(QColor("#00ff00"))
        painter.drawRect(20, 10, 2, 2)

    view.add_overlay(dot)
    assert pixel(view, 11.0, 21.0).name() == "#00ff00"
    assert pixel(view, 21.0, 11.0).name() == "#000000"
    view.remove_overlay(dot)
    assert pixel(view, 11.0, 21.0).name() == "#000000"


def test_views_share_camera_and_cursor(view, qtbot):
    other = made_view(qtbot)
    view.camera_moved.connect(other.set_camera)
    view.pointed.connect(other.show_cursor)
    view.zoom(2.0, QPointF(100, 100))
    assert other.camera == view.camera
    at = view.to_widget((22.0, 14.0)).toPoint()
    qtbot.mouseMove(view, at)
    assert pixel(other, *view.to_point(QPointF(at))).lightness() > 150
    other.show_cursor(None)
    assert pixel(other, *view.to_point(QPointF(at))).lightness() == 0


def test_a_frame_is_kept_under_its_key_and_drawn_anew_when_window_or_camera_change(view):
    bright = np.full((ROWS, COLS), 1000, np.int16)
    dark = np.zeros((ROWS, COLS), np.int16)
    view.show_frame(bright, (1.0, 1.0), key="a")
    assert pixel(view, 20, 15).lightness() == 255
    view.show_frame(dark, (1.0, 1.0), key="b")
    assert pixel(view, 20, 15).lightness() == 0
    view.show_frame(bright, (1.0, 1.0), key="a")
    assert pixel(view, 20, 15).lightness() == 255
    view.set_window(1000.0, 1000.0)
    assert 120 < pixel(view, 20, 15).lightness() < 135
    view.show_frame(dark, (1.0, 1.0), key="b")
    view.clear()
    view.show_frame(bright, (1.0, 1.0), key="b")
    assert pixel(view, 20, 15).lightness() > 100


def test_a_frame_without_a_key_is_drawn_as_it_is_now(view):
    view.show_frame(np.full((ROWS, COLS), 1000, np.int16), (1.0, 1.0))
    assert pixel(view, 20, 15).lightness() == 255
    view.show_frame(np.zeros((ROWS, COLS), np.int16), (1.0, 1.0))
    assert pixel(view, 20, 15).lightness() == 0


def test_a_tool_may_draw_the_outline_of_a_label_itself(view):
    labels = np.zeros((ROWS, COLS), np.uint8)
    labels[5:35, 5:25] = Label.LVBP
    view.set_fill(0.0)
    view.set_colours({Label.LVBP: "#ff0000"}, 4.0)
    view.show_labels(labels)
    assert pixel(view, 20.0, 4.5).red() > 100
    view.show_without_outline(Label.LVBP)
    assert pixel(view, 20.0, 4.5).red() == 0
