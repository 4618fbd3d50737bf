"""One reader at work: a workspace, the study that is open, and what is computed for it."""

import logging
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cmr_viewer.analyse import Flow, own_flow
from cmr_viewer.app.jobs import Jobs
from cmr_viewer.app.models import MODELS_KEY, ModelsInUse
from cmr_viewer.app.opening import OPEN_KEY, StudyOpening
from cmr_viewer.app.private_log import hide_from_log
from cmr_viewer.app.reads import Reads
from cmr_viewer.app.renewal import RENEWAL_KEY, Renewal
from cmr_viewer.app.retraining import CommandFor, Retraining
from cmr_viewer.app.saving import Saving
from cmr_viewer.app.settings import Settings
from cmr_viewer.app.study import CurrentStudy
from cmr_viewer.app.worklist import StudyList
from cmr_viewer.pipeline import begin, own_readers
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opening import Loaded, Opener
from cmr_viewer.reading.saving import Saved, SavedStudies
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.reads import Read

log = logging.getLogger(__name__)


def _import_checks() -> None:
    """Import what checks label maps before the first is shown: scipy would keep the window waiting."""
    import cmr_viewer.review.checks  # noqa: F401, PLC0415


class Session(QObject):
    """One workspace and what works on it; going from study to study is its own.

    All methods and signals belong to the GUI thread and return at once; what takes time runs on the job threads, and
    what is saved is written on the store thread, in the order in which it was done.

    Attributes:
        workspace: Where everything is saved.
        jobs: Work beside the window.
        saving: What is written, and what could not be.
        saved: What the workspace holds of studies.
        models: The models in use.
        study: The open study.
        opening: What loads studies.
        reads: The reads of the open study.
        worklist: The studies of the workspace.
        retraining: Training beside the reader's work.
        renewal: Studies of the list that older models have segmented.

    Signals:
        message(str severity, str text): For the reader; severity is "info", "warning" or "error".
    """

    message = Signal(str, str)

    def __init__(
        self,
        workspace: Workspace,
        registry: ModelRegistry,
        settings: Settings,
        *,
        flow: Flow | None = None,
        opener: Opener | None = None,
        index: Path | None = None,
        shipped_models: Path | None = None,
        train_command: CommandFor | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Begin a session; `start` loads models once the window is shown.

        Args:
            workspace: Where everything is saved; it stays open, closing it is the caller's.
            registry: The models.
            settings: What the reader has set.
            flow: What computes; None for the program's own pipeline.
            opener: What loads a study; None for the program's own readers.
            index: Folder where those remember headers, so that a study seen before opens at once; None for nowhere.
            shipped_models: Folder of the models that a training starts from; None for the usual place.
            train_command: Command of the training child; None for this program's own.
            parent: Qt parent.
        """
        super().__init__(parent)
        self.workspace = workspace
        self.jobs = Jobs("jobs", self)
        self.saving = Saving(workspace, self)
        self.saved: SavedStudies = self.saving.saved
        self.models = ModelsInUse(self.jobs, registry, flow or own_flow(), settings.device, self)
        self.study = CurrentStudy(self.saving, self.models, self)
        opener = opener or partial(own_readers, index=index)
        self.opening = StudyOpening(self.jobs, opener, self.saving, self.study, self)
        self.reads = Reads(self.saving, self.study, self.models, self._enter, self)
        self.worklist = StudyList(self.saving, self.study, self)
        self.retraining = Retraining(
            self.saving, self.models, settings, shipped_models=shipped_models, command_for=train_command, parent=self
        )
        self.renewal = Renewal(
            self.jobs,
            self.saving,
            self.models,
            self.study,
            self.opening,
            self.worklist,
            self.retraining,
            opener,
            self,
        )
        self._start_timer = QTimer(self, singleShot=True, interval=0)
        self._start_timer.timeout.connect(self.models.load)
        for part in (self.study, self.opening, self.reads):
            part.message.connect(self.message)
        self.jobs.failed.connect(self._on_job_failed)
        self.saving.failed.connect(self._on_not_saved)
        self.models.not_loaded.connect(self._on_models_not_loaded)
        self.opening.succeeded.connect(self._on_loaded)
        self.study.frames_accepted.connect(self.retraining.refresh)
        self.study.region_changed.connect(self.retraining.refresh)
        self.study.labels_changed.connect(self.retraining.note_work)

    def start(self) -> None:
        """Load models and worklist, and report what was recovered; call it once the window is shown."""
        recovered = self.workspace.recovery.text()
        if recovered:
            self.message.emit("info", recovered)
        for problem in self.models.registry.problems():
            self.message.emit("warning", problem)
        self.worklist.refresh()
        self.retraining.refresh()
        self.saving.do("Preparing the checks", _import_checks)
        self._start_timer.start()  # a study that is opened in this turn of the loop is loaded before torch is

    def close_study(self) -> None:
        """Close the study; all that was done in it is saved."""
        if self._leave():
            self.study.closed.emit()

    def shutdown(self) -> None:
        """Close the study, write everything that is queued and end the threads; no method may be called after it."""
        self.retraining.shutdown()
        self.renewal.shutdown()
        self._start_timer.stop()
        self._end_study()
        self.study.stop()
        self.jobs.shutdown()
        self.saving.shutdown()

    # -- from study to study -------------------------------------------------------------------------------------------

    @Slot(object)
    def _on_loaded(self, loaded: Loaded) -> None:
        self._leave()
        study = loaded.study
        hide_from_log(study.name)
        log.info("Stack %s: %d phases, %d slices.", study.stack.stack_id, study.stack.phases, study.stack.slices)
        self._begin(loaded, partial(self.saved.open, loaded))
        if self.worklist.waiting:
            self.worklist.remove([loaded.request.path, study.source])
        if study.others:
            self.worklist.add(study.others, only_new=True)

    def _enter(self, read: Read | None) -> None:
        """Show another read of the open study."""
        loaded, shown = self.opening.loaded, self.study.shown
        if loaded is None or read == self.study.read:
            return
        self._leave()
        # Another study, to all that still works for the read that is left: nothing of it may arrive in this one.
        study = replace(loaded.study, stacks=tuple(map(copy, loaded.study.stacks)))
        loaded = replace(loaded, study=study, read=read, stay_at=shown)
        self._begin(loaded, self.saved.enter)

    def _begin(self, loaded: Loaded, restore: Callable[[OpenStudy], Saved]) -> None:
        self.opening.loaded = loaded
        self.reads.take_name(loaded.read)
        self.study.begin(begin(loaded), loaded.read, restore)
        self.reads.refresh_list()
        self.reads.changed.emit()

    def _leave(self) -> bool:
        """Leave the study that is open, so that nothing of it is shown or computed any more; whether there was one."""
        left = self._end_study()
        if left:
            self.study.left.emit()
        return left

    def _end_study(self) -> bool:
        stack, shown = self.study.stack, self.study.shown
        if stack is None:
            return False
        self.jobs.leave_study()
        self.study.end()
        if shown is not None:
            save = partial(self.saved.save_place, stack.stack_id, shown)
            self.saving.do("Saving your place in the study", save, quiet=True)
        self.opening.loaded = None
        self.reads.end_study()
        return True

    # -- what went wrong -----------------------------------------------------------------------------------------------

    @Slot(str)
    def _on_models_not_loaded(self, message: str) -> None:
        more = "" if self.models.loaded is not None else " You can still read frames and correct them by hand."
        self.message.emit("warning", message + more)

    @Slot(str, str, str)
    def _on_job_failed(self, key: str, message: str, _details: str) -> None:
        if key not in (OPEN_KEY, MODELS_KEY, RENEWAL_KEY):
            self.message.emit("error", message)

    @Slot(str)
    def _on_not_saved(self, message: str) -> None:
        self.message.emit("error", message)
