"""Opening studies beside the window: one at a time, with a first frame as soon as there is one."""

from collections.abc import Callable
from functools import partial
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal, Slot

from cmr_viewer.app.jobs import Jobs, Priority
from cmr_viewer.pipeline import open_study
from cmr_viewer.reading.opening import Asked, Loaded, Opener
from cmr_viewer.reading.saving import SavedStudies

OPEN_KEY = "open"


class StudyOpening(QObject):
    """Loads studies on the job thread; a study that is asked for supersedes the one that is being loaded.

    Signals:
        previewed(object NDArray): A first frame (row, col) of the stack that is being loaded.
    """

    previewed = Signal(object)
    _preview_came = Signal(int, object)

    def __init__(
        self,
        jobs: Jobs,
        opener: Opener,
        saved: SavedStudies,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs, self._opener, self._saved = jobs, opener, saved
        self._serial = 0
        self._preview_came.connect(self._on_preview, Qt.ConnectionType.QueuedConnection)

    def open(self, asked: Asked, on_loaded: Callable[[Loaded], None], on_failed: Callable[[str], None]) -> None:
        """Load a study; one of the callbacks follows, or `Jobs.cancelled`.

        Args:
            asked: What is to be opened.
            on_loaded: Called on this thread with the study.
            on_failed: Called on this thread with the reason, for a reader.
        """
        self._serial += 1
        preview = partial(self._preview_came.emit, self._serial)
        self._jobs.submit(
            OPEN_KEY,
            "Opening the study",
            partial(open_study, self._saved, asked, opener=self._opener, preview=preview),
            priority=Priority.OPEN,
            outlives_study=True,
            on_finished=on_loaded,
            on_failed=on_failed,
        )

    @property
    def is_busy(self) -> bool:
        """Whether a study is being loaded."""
        return self._jobs.is_busy(OPEN_KEY)

    def cancel(self) -> None:
        """Stop loading; the study that is open stays."""
        self._jobs.cancel(OPEN_KEY)

    @Slot(int, object)
    def _on_preview(self, serial: int, pixels: NDArray[Any]) -> None:
        if serial == self._serial and self.is_busy:
            self.previewed.emit(pixels)
