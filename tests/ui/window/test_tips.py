"""Tips stand beside what they explain."""

import pytest
from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip

from cmr_viewer.ui.features.region.feature import RegionFeature
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.widgets import tip_place

SCREEN = QRect(0, 0, 1280, 800)


@pytest.mark.parametrize(
    "about", [QRect(980, 200, 290, 60), QRect(5, 700, 220, 90), QRect(300, 40, 600, 500), QRect(0, 0, 1280, 400)]
)
def test_a_tip_covers_nothing_of_what_it_is_about_and_stays_on_the_screen(about: QRect) -> None:
    tip = QSize(280, 70)
    place = tip_place(about, tip, SCREEN)
    assert place is not None
    assert not QRect(place, tip).intersects(about) and SCREEN.contains(QRect(place, tip))


def test_where_there_is_no_room_beside_qt_decides() -> None:
    assert tip_place(SCREEN, QSize(280, 70), SCREEN) is None


@pytest.mark.qt_log_ignore("does not support raise")
def test_the_tip_of_a_region_leaves_the_other_regions_to_be_read(open_window: MainWindow) -> None:
    window = open_window
    button = next(one for one in window.feature(RegionFeature).panel._buttons.values() if one.toolTip())
    at = button.rect().center()
    QApplication.sendEvent(button, QHelpEvent(QHelpEvent.Type.ToolTip, at, button.mapToGlobal(at)))
    assert QToolTip.isVisible() and QToolTip.text() == button.toolTip()
    (tip,) = [one for one in QApplication.topLevelWidgets() if one.objectName() == "qtooltip_label" and one.isVisible()]
    panel = QRect(
        window.feature(RegionFeature).panel.mapToGlobal(QPoint(0, 0)), window.feature(RegionFeature).panel.size()
    )
    assert not tip.geometry().intersects(panel)
    QToolTip.hideText()
