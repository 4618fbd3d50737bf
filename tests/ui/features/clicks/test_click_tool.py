import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.review.correction import Click
from cmr_viewer.ui.features.clicks.feature import ClickTool
from cmr_viewer.ui.frame.mouse_tools import Pointer


class Plain:
    """A canvas on which a pixel of the frame is ten widget pixels."""

    def to_point(self, position):
        return position.y() / 10.0, position.x() / 10.0

    def to_widget(self, point):
        return QPointF(point[1] * 10.0, point[0] * 10.0)

    def screen_ratio(self):
        return 1.0

    def redraw(self, area=None):
        pass

    def show_tool_cursor(self):
        pass


@pytest.mark.parametrize(
    ("changes", "inside"),
    [
        ({}, True),
        ({"right": True}, False),
        ({"eraser": True}, False),
        ({"held": Qt.KeyboardModifier.ShiftModifier}, False),
        ({"held": Qt.KeyboardModifier.AltModifier}, True),
    ],
)
def test_what_is_pressed_and_held_says_inside_or_outside(app, qtbot, changes, inside):
    tool = ClickTool()
    with qtbot.waitSignal(tool.clicked) as told:
        assert tool.press(Pointer((3.0, 4.0), QPointF(40.0, 30.0), **changes), Plain())
    assert told.args == [3.0, 4.0, inside]


def test_a_plus_stands_for_inside_and_a_minus_for_outside(app):
    tool = ClickTool()
    picture = QImage(80, 40, QImage.Format.Format_RGB32)
    picture.fill(QColor("white"))
    clicks = [Click((2.0, 2.0), Label.LVM, True), Click((2.0, 6.0), Label.LVM, False)]
    tool.show_clicks(clicks, {Label.LVM: QColor("#00ff00")})
    painter = QPainter(picture)
    painter.scale(10.0, 10.0)
    tool.paint(painter, Plain())
    painter.end()

    def is_green(x, y):
        return picture.pixelColor(x, y).green() > 200 and picture.pixelColor(x, y).red() < 100

    assert is_green(20, 20) and is_green(24, 20) and is_green(20, 16)
    assert is_green(60, 20) and is_green(64, 20) and not is_green(60, 16)
    assert picture.pixelColor(40, 35) == QColor("white")
