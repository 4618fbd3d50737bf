"""Garbage is collected on the GUI thread only.

Python collects cycles on whichever thread happens to allocate. A QObject that dies so on a worker thread holds Qt's
lock of connections while it waits for the interpreter; the GUI thread holds the interpreter and waits for that lock,
and neither goes on.
"""

import gc

from PySide6.QtCore import QObject, QTimer, Slot

INTERVAL_MS = 1000


class Collector(QObject):
    """Takes the place of automatic collection; made and used on the GUI thread, from before other threads start."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    @Slot()
    def collect(self) -> None:
        """Collect the oldest generation that is due by Python's own thresholds, with all younger ones."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > gc.get_threshold()[generation]:
                gc.collect(generation)
                return

    @Slot()
    def spare_what_is_loaded(self) -> None:
        """Look no more at what is alive now, until `stop`: modules for the most part, which live to the end anyway.

        Once torch is imported, looking at all of them takes more than 100 ms each time.
        """
        gc.freeze()

    def stop(self) -> None:
        """Hand collection back to Python, when the other threads have ended."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()
