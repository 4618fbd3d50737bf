"""Tips that stand beside what they explain, instead of over it and what lies around."""

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QToolTip, QWidget

_TALL_PX = 36
"""Qt puts a tip so far below the pointer that it does not cover a button; what is taller it covers."""

_GAP = 8
_FRAME = QSize(14, 10)
_LEAD = QPoint(2, 16)
"""How far from the position that it is given Qt puts a tip."""


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
        place = tip_place(about, _size_of(text), watched.screen().availableGeometry())
        if place is None:
            return False
        QToolTip.showText(place - _LEAD, text, watched, watched.rect())
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


def _size_of(text: str) -> QSize:
    room = QRect(0, 0, 10_000, 10_000)
    metrics = QFontMetrics(QToolTip.font())
    return metrics.boundingRect(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, text).size() + _FRAME
