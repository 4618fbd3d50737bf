"""The store thread: everything that is kept is written there, in the order it was done."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from cmr_viewer.app.jobs import Jobs

_QUIET = "quiet-"
_PATIENCE_S = 60.0


class Keeper(QObject):
    """Runs writes to the workspace one after another on a thread of its own.

    Signals:
        failed(str message): Something could not be kept.
    """

    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = Jobs("store", self)
        self._jobs.failed.connect(self._on_failed)
        self._count = 0

    def do(
        self,
        text: str,
        work: Callable[[], Any],
        *,
        on_done: Callable[[Any], None] | None = None,
        on_failed: Callable[[str], None] | None = None,
        quiet: bool = False,
    ) -> None:
        """Queue a write, or a read that must see all earlier writes.

        Args:
            text: What it does, for a reader.
            work: Called on the store thread.
            on_done: Called on the GUI thread with what `work` returned, after it is on disk.
            on_failed: Called on the GUI thread with the message, before `failed` is told.
            quiet: Whether `failed` is not told, because `on_failed` tells the reader in its own way.
        """
        self._count += 1
        key = f"{_QUIET if quiet else ''}store-{self._count}"
        self._jobs.submit(key, text, lambda _progress: work(), on_finished=on_done, on_failed=on_failed)

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be written."""
        return self._jobs.is_busy()

    def finish(self) -> bool:
        """Wait until everything that is queued is written, or could not be; whether that came to an end."""
        return self._jobs.finish(_PATIENCE_S)

    def shutdown(self) -> bool:
        """Write everything that is queued and end the thread; whether it ended."""
        return self._jobs.shutdown(finish=True, timeout_s=_PATIENCE_S)

    def _on_failed(self, key: str, message: str, _details: str) -> None:
        if not key.startswith(_QUIET):
            self.failed.emit(message)
