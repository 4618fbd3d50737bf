"""Tips that stand beside what they explain, instead of over it and what lies around."""

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize
from PySide6.QtWidgets import QApplication, QToolTip, QWidget

_TALL_PX = 36
"""Qt puts a tip so far below the pointer that it does not cover a button; what is taller it covers."""

_GAP = 8
_NAME = "qtooltip_label"
"""What Qt calls the window of a tip."""


class TipsBeside(QObject):
    """Shows the tips of tall widgets beside them.

    Args:
        window: The window; what lies in it is looked after.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        for widget in window.findChildren(QWidget):
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the showing of a tip over, where it would cover what it is about."""
        if event.type() is not QEvent.Type.ToolTip or not isinstance(watched, QWidget):
            return False
        text = watched.toolTip()
        if not text or watched.height() <= _TALL_PX:
            return False
        about = QRect(watched.mapToGlobal(QPoint(0, 0)), watched.size())
        QToolTip.showText(about.bottomLeft(), text, watched, watched.rect())
        shown = (one for one in QApplication.topLevelWidgets() if one.objectName() == _NAME and one.isVisible())
        tip = next(shown, None)
        if tip is not None:  # its size is known once it is shown
            place = tip_place(about, tip.size(), watched.screen().availableGeometry())
            tip.move(tip.pos() if place is None else place)
        return True


def tip_place(about: QRect, tip: QSize, screen: QRect) -> QPoint | None:
    """Where a tip stands: left or right of what it is about, else below or above it; None where there is no room."""
    level = max(screen.top(), min(about.top(), screen.bottom() - tip.height()))
    across = max(screen.left(), min(about.left(), screen.right() - tip.width()))
    places = (
        QPoint(about.left() - tip.width() - _GAP, level),
        QPoint(about.right() + _GAP, level),
        QPoint(across, about.bottom() + _GAP),
        QPoint(across, about.top() - tip.height() - _GAP),
    )
    return next((place for place in places if screen.contains(QRect(place, tip))), None)
