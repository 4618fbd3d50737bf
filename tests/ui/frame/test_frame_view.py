import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtWidgets import QApplication

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.ui.frame.frame_view import FrameView

ROWS, COLS = 40, 30


@pytest.fixture
def view(app, qtbot) -> FrameView:
    made = FrameView()
    qtbot.addWidget(made)
    made.resize(600, 500)
    made.set_window(500.0, 1000.0)
    made.show_frame(np.zeros((ROWS, COLS), np.int16), (1.0, 2.0))
    made.show()
    qtbot.waitExposed(made)
    return made


def turn(view: FrameView, at: QPoint, angle: int, held=Qt.KeyboardModifier.NoModifier) -> None:
    event = QWheelEvent(
        QPointF(at),
        view.mapToGlobal(QPointF(at)),
        QPoint(),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        held,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def pixel(view: FrameView, row: float, col: float) -> QColor:
    return view.grab().toImage().pixelColor(view.to_widget((row, col)).toPoint())


def test_a_millimetre_is_as_long_along_rows_as_along_columns(view):
    across = view.to_widget((0.0, 10.0)).x() - view.to_widget((0.0, 0.0)).x()
    down = view.to_widget((20.0, 0.0)).y() - view.to_widget((0.0, 0.0)).y()
    assert across == pytest.approx(down)


def test_the_whole_frame_fits_into_the_view(view):
    corner, far = view.to_widget((-0.5, -0.5)), view.to_widget((ROWS - 0.5, COLS - 0.5))
    assert corner.x() >= -1e-6
    assert corner.y() >= -1e-6
    assert far.x() <= view.width() + 1e-6
    assert far.y() <= view.height() + 1e-6
    assert view.shows_whole_frame


def test_places_and_points_turn_into_each_other(view):
    view.zoom(3.7, QPointF(100.0, 300.0))
    for point in ((0.0, 0.0), (12.25, 7.5), (39.0, 29.0)):
        assert view.to_point(view.to_widget(point)) == pytest.approx(point)


def test_a_bright_pixel_is_seen_where_it_is(view):
    pixels = np.zeros((ROWS, COLS), np.int16)
    pixels[7, 21] = 1000
    view.show_frame(pixels, (1.0, 2.0))
    assert pixel(view, 7, 21).lightness() > 200
    assert pixel(view, 21, 7).lightness() < 30
    assert pixel(view, 9, 21).lightness() < 30


def test_the_fill_has_the_colour_of_the_label_under_it(view):
    labels = np.zeros((ROWS, COLS), np.uint8)
    labels[4:14, 5:15] = Label.LVBP
    view.set_colours({Label.LVBP: "#ff0000"})
    view.set_fill(1.0)
    view.show_labels(labels)
    assert pixel(view, 9, 10).name() == "#ff0000"
    assert pixel(view, 20, 10).name() == "#000000"
    view.set_hidden(True)
    assert pixel(view, 9, 10).name() == "#000000"


def test_a_press_in_the_middle_of_a_pixel_begins_a_stroke_there(view, qtbot):
    view.set_brush(True, 1.0, "#ffffff")
    at = view.to_widget((12.0, 17.0))
    with qtbot.waitSignal(view.stroke_began) as told:
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=at.toPoint())
    row, col, erase = told.args
    assert (round(row), round(col), erase) == (12, 17, False)
    with qtbot.waitSignal(view.stroke_ended):
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at.toPoint())


def test_the_right_button_erases_with_the_brush_and_windows_without(view, qtbot):
    view.set_brush(True, 1.0, "#ffffff")
    with qtbot.waitSignal(view.stroke_began) as told:
        qtbot.mousePress(view, Qt.MouseButton.RightButton, pos=QPoint(200, 200))
    assert told.args[2] is True
    qtbot.mouseRelease(view, Qt.MouseButton.RightButton, pos=QPoint(200, 200))
    view.set_brush(False, 1.0, "#ffffff")
    with qtbot.assertNotEmitted(view.stroke_began), qtbot.waitSignal(view.window_dragged) as told:
        qtbot.mousePress(view, Qt.MouseButton.RightButton, pos=QPoint(200, 200))
        qtbot.mouseMove(view, QPoint(260, 200))
    assert told.args == [500.0, 1200.0]
    qtbot.mouseRelease(view, Qt.MouseButton.RightButton, pos=QPoint(260, 200))


def test_dragging_without_the_brush_moves_the_frame_with_the_pointer(view, qtbot):
    before = view.to_point(QPointF(200, 200))
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 200))
    qtbot.mouseMove(view, QPoint(230, 170))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(230, 170))
    assert view.to_point(QPointF(230, 170)) == pytest.approx(before)


@pytest.mark.parametrize(
    ("held", "signal", "steps"),
    [
        (Qt.KeyboardModifier.NoModifier, "slice_stepped", 1),
        (Qt.KeyboardModifier.ShiftModifier, "phase_stepped", 1),
        (Qt.KeyboardModifier.AltModifier, "brush_stepped", -1),
    ],
)
def test_the_wheel_steps(view, qtbot, held, signal, steps):
    with qtbot.waitSignal(getattr(view, signal)) as told:
        turn(view, QPoint(100, 100), -120, held)
    assert told.args == [steps]


def test_small_turns_of_a_trackpad_add_up_to_a_step(view, qtbot):
    with qtbot.assertNotEmitted(view.slice_stepped):
        turn(view, QPoint(100, 100), -70)
    with qtbot.waitSignal(view.slice_stepped):
        turn(view, QPoint(100, 100), -70)


def test_zoom_by_wheel_keeps_what_is_under_the_pointer(view):
    at = QPoint(150, 420)
    before = view.to_point(QPointF(at))
    turn(view, at, 240, Qt.KeyboardModifier.ControlModifier)
    assert view.to_point(QPointF(at)) == pytest.approx(before)
    assert not view.shows_whole_frame


def test_outlines_are_remembered_until_they_are_forgotten(view):
    labels = np.zeros((ROWS, COLS), np.uint8)
    labels[4:14, 5:15] = Label.LVM
    view.set_fill(1.0)
    view.set_colours({Label.LVM: "#00ff00"})
    view.show_labels(labels, key="a")
    other = np.zeros_like(labels)
    view.show_labels(other, key="a")
    assert pixel(view, 9, 10).name() == "#00ff00"
    view.forget_labels("a")
    view.show_labels(other, key="a")
    assert pixel(view, 9, 10).name() == "#000000"
