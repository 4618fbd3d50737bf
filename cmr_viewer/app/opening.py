"""Opening studies beside the window: one at a time, with a first frame as soon as there is one."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal, Slot

from cmr_viewer.app.jobs import Jobs, Priority
from cmr_viewer.app.private_log import hide_from_log
from cmr_viewer.app.saving import Saving
from cmr_viewer.app.study import CurrentStudy
from cmr_viewer.domain.opening import NO_CHOICES, Opening
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.file_names import text_of_path
from cmr_viewer.pipeline import open_study
from cmr_viewer.reading.opening import Loaded, Opener, OpeningRequest, with_repeats, with_stack

OPEN_KEY = "open"


class StudyOpening(QObject):
    """Loads studies on the job thread; a study that is asked for supersedes the one that is being loaded.

    Attributes:
        loaded: What was loaded of the open study; None where none is open.

    Signals:
        started(str path): A study is being loaded; the one that is open stays until it is there. The path is as
            `file_names.text_of_path` writes it.
        previewed(object NDArray): A first frame (row, col) of the stack that is being loaded.
        succeeded(object Loaded): The study is loaded.
        failed(str message): It could not be loaded; the study that was open still is.
        cancelled(): The reader stopped the loading; the study that was open still is.
        message(str severity, str text): For the reader.
    """

    started = Signal(str)
    previewed = Signal(object)
    succeeded = Signal(object)
    failed = Signal(str)
    cancelled = Signal()
    message = Signal(str, str)
    _preview_came = Signal(int, object)

    def __init__(
        self,
        jobs: Jobs,
        opener: Opener,
        saving: Saving,
        study: CurrentStudy,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.loaded: Loaded | None = None
        self._jobs, self._opener, self._saved, self._study = jobs, opener, saving.saved, study
        self._serial = 0
        self._preview_came.connect(self._on_preview, Qt.ConnectionType.QueuedConnection)
        jobs.cancelled.connect(self._on_job_cancelled)

    @property
    def chosen(self) -> Opening:
        """How the open study was opened, as far as a reader decided about it."""
        return NO_CHOICES if self.loaded is None else self.loaded.opening

    @property
    def begin_at(self) -> FrameIndex | None:
        """The frame that was shown, where the stack is opened again or the study differently; None for any."""
        return None if self.loaded is None else self.loaded.begin_at

    @property
    def is_busy(self) -> bool:
        """Whether a study is being loaded."""
        return self._jobs.is_busy(OPEN_KEY)

    def open_path(self, path: Path, stack_id: str | None = None) -> None:
        """Load a study from a folder or file, as it was opened last.

        Args:
            path: File or folder.
            stack_id: The stack of the worklist that is meant, where the files hold several; None for the last one.
        """
        self._load(OpeningRequest(Path(path), stack_id=stack_id))

    def cancel(self) -> None:
        """Stop loading; the study that is open stays."""
        self._jobs.cancel(OPEN_KEY)

    def choose_stack(self, key: str) -> None:
        """Open another stack of the same files; `StackChoice.key`."""
        self._open_differently(with_stack(self.chosen, key), follow=True)

    def choose_repeats(self, chosen: Mapping[str, str]) -> None:
        """Use other acquisitions of repeated slices: `RepeatedSlice.key` to `StackChoice.key`."""
        self._open_differently(with_repeats(self.chosen, dict(chosen)))

    def swap_ends(self) -> None:
        """Swap base and apex; what was done to a frame stays with it."""
        self._open_differently(replace(self.chosen, base_reversed=not self.chosen.base_reversed))

    def take_next_slice_axis(self) -> None:
        """Open a volume file with its slices along the next of its axes; an entered spacing is dropped."""
        study = self._study.data
        if study is not None:
            axis = (study.source_axes.across + 1) % 3
            self._open_differently(replace(self.chosen, slice_axis=axis, spacing_mm=None, base_reversed=False))

    def change_any_size(self) -> None:
        """Allow volumes that no human heart has, or withhold them again."""
        self._open_differently(replace(self.chosen, any_size=not self.chosen.any_size))

    def correct_spacing(self, spacing_mm: tuple[float, float, float] | None) -> None:
        """Use (row, col, slice) distances instead of the files'; None for the files' own."""
        self._open_differently(replace(self.chosen, spacing_mm=spacing_mm))

    def _open_differently(self, opening: Opening, *, follow: bool = False) -> None:
        stack, loaded = self._study.stack, self.loaded
        if stack is None or loaded is None or opening == loaded.opening:
            return
        if self._study.read is not None:
            text = (
                "How a study is opened can be changed only in the first read. Show the first read and change it there."
            )
            self.message.emit("warning", text)
            return
        self._load(
            OpeningRequest(
                loaded.request.path,
                opening,
                before=stack,
                shown=self._study.shown,
                before_opening=loaded.opening,
                follow=follow,
            )
        )

    def _load(self, request: OpeningRequest) -> None:
        hide_from_log(request.path)
        self._serial += 1
        preview = partial(self._preview_came.emit, self._serial)
        self._jobs.submit(
            OPEN_KEY,
            "Opening the study",
            partial(open_study, self._saved, request, opener=self._opener, preview=preview),
            priority=Priority.OPEN,
            outlives_study=True,
            on_finished=self.succeeded.emit,
            on_failed=self.failed.emit,
        )
        self.started.emit(text_of_path(request.path))

    @Slot(int, object)
    def _on_preview(self, serial: int, pixels: NDArray[Any]) -> None:
        if serial == self._serial and self.is_busy:
            self.previewed.emit(pixels)

    @Slot(str)
    def _on_job_cancelled(self, key: str) -> None:
        if key == OPEN_KEY:
            self.cancelled.emit()
