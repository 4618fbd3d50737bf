"""Scroll bars that glide to where they are to be."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, QPropertyAnimation
from PySide6.QtWidgets import QScrollBar

_SCROLL_MS = 140


class SmoothScroll(QObject):
    """Moves scroll bars in steps that the eye can follow; another goal while one is under way takes its place.

    Args:
        bars: The scroll bars.
        parent: Owner.
    """

    def __init__(self, bars: Sequence[QScrollBar], parent: QObject) -> None:
        super().__init__(parent)
        self._movers = {bar: QPropertyAnimation(bar, b"value", self) for bar in bars}
        for mover in self._movers.values():
            mover.setDuration(_SCROLL_MS)

    def goal(self, bar: QScrollBar) -> int:
        """Where a bar is going, or where it stands."""
        mover = self._movers[bar]
        return int(mover.endValue()) if mover.state() == QPropertyAnimation.State.Running else bar.value()

    def go(self, bar: QScrollBar, value: int) -> None:
        """Glide to a value, or to the end that is nearer."""
        mover = self._movers[bar]
        mover.stop()
        mover.setStartValue(bar.value())
        mover.setEndValue(min(bar.maximum(), max(0, value)))
        mover.start()

    def arrive(self) -> None:
        """Be there at once."""
        for mover in self._movers.values():
            if mover.state() == QPropertyAnimation.State.Running:
                mover.setCurrentTime(mover.duration())
