"""Retraining of models beside the reader's work, in a child process."""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal, SignalInstance, Slot

from cmr_viewer.app.models import ModelsInUse
from cmr_viewer.app.saving import Saving
from cmr_viewer.app.settings import Settings
from cmr_viewer.app.training_child import EXIT_SECONDS, NICE, TERMINATE_SECONDS, TrainingChild
from cmr_viewer.domain.role import Role
from cmr_viewer.paths import log_dir, program_command
from cmr_viewer.promote.records import End, Outcome, Readiness, Records, RetrainingRun, Trained

log = logging.getLogger(__name__)

CHILD_LOG_NAME = "training.log"

COUNT_MS = 1_000
"""Corrections are counted when so long none was added: to count those of 40 patients takes about 0.2 s."""

IDLE_MS = 20_000
"""How long a reader must not have drawn, set or accepted anything before a training begins by itself."""


def _threads() -> int:
    """Half of the CPUs: the threads of two programs on the same CPUs wait for one another, and the window would too."""
    return max(1, (os.cpu_count() or 1) // 2)


CommandFor = Callable[[Role, Path], Sequence[str]]


class _Stage(Enum):
    IDLE = "idle"
    BEGINNING = "beginning"
    TRAINING = "training"
    CONCLUDING = "concluding"


class Retraining(QObject):
    """Supervises the child process that trains; one at a time.

    The child reads the workspace and writes a candidate to a staging folder; everything else - the decision, the
    promotion, the event log - happens here, after the child has ended. A cancelled, crashed or killed child leaves
    nothing and the active model stays. Corrected patients are counted, and a training begins by itself as soon as a
    candidate could be judged and the reader pauses (`Settings.auto_retrain`).

    Signals:
        started(str role): Training begins; `running` is true from here until `finished`.
        progressed(float fraction, str text): How far it is.
        learned(str curve, int batch, float value): A value of a curve of the training, see `progress.Follow`.
        finished(object Outcome): It ended, in whatever way; also emitted where it was refused.
        rolled_back(str role, str model_id): An earlier model is in service again.
        used(str role, str model_id): A model is in service because the reader wanted it.
        readiness_changed(): `readiness` is new.
        paused_changed(bool paused): The training pauses, or goes on.
    """

    started = Signal(str)
    progressed = Signal(float, str)
    learned = Signal(str, int, float)
    finished = Signal(object)
    rolled_back = Signal(str, str)
    used = Signal(str, str)
    readiness_changed = Signal()
    paused_changed = Signal(bool)
    _child_progressed = Signal(float, str)
    _child_learned = Signal(str, int, float)
    _child_ended = Signal()

    def __init__(
        self,
        saving: Saving,
        models: ModelsInUse,
        settings: Settings,
        *,
        shipped_models: Path | None = None,
        command_for: CommandFor | None = None,
        child_log: Path | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Watch the corrections of a workspace.

        Args:
            saving: Where corrections are saved.
            models: The models in use.
            settings: When to begin, and on which device.
            shipped_models: Models folder that the child starts from; None for the usual place.
            command_for: (role, output folder) -> command of the child; None for this program's `train` command.
            child_log: Where the child's standard error goes; None for the log folder.
            parent: Qt parent.
        """
        super().__init__(parent)
        self._saving, self._models = saving, models
        self._settings = settings
        self.records = Records(saving.workspace, models.registry)
        self._shipped_models = shipped_models
        self._command_for = command_for or self._train_command
        self._child_log = child_log or log_dir() / CHILD_LOG_NAME
        self._stage = _Stage.IDLE
        self._role: Role | None = None
        self._run: RetrainingRun | None = None
        self._child: TrainingChild | None = None
        self._thread: threading.Thread | None = None
        self._result: Trained | None = None
        self._cancel_wanted = False
        self._closing = False
        self._readiness: dict[Role, Readiness] = {}
        self._tried: set[tuple[Role, str]] = set()
        self._paused = False
        self._curve: list[tuple[int, float]] = []
        self._clock = QElapsedTimer()
        self._counting = QTimer(self, singleShot=True, interval=COUNT_MS)
        self._counting.timeout.connect(self._count)
        self._idle = QTimer(self, singleShot=True, interval=IDLE_MS)
        self._idle.timeout.connect(self._begin_what_is_due)
        self._child_progressed.connect(self._on_progress)
        self._child_learned.connect(self._on_learned)
        self._child_ended.connect(self._on_child_ended)
        models.busy_changed.connect(self._let_rest)

    # -- what there is -------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a training runs."""
        return self._stage is not _Stage.IDLE

    @property
    def role(self) -> Role | None:
        """What is being trained, or None."""
        return self._role

    @property
    def paused(self) -> bool:
        """Whether the training that runs is paused."""
        return self._paused

    def readiness(self, role: Role) -> Readiness | None:
        """What a role could learn from, as of the last readiness_changed; None before the first."""
        return self._readiness.get(role)

    # -- what can be done ----------------------------------------------------------------------------------------------

    def start(self, role: Role) -> None:
        """Begin to retrain a role; `finished` follows at once where it is refused."""
        self._begin(role)

    def pause(self, paused: bool) -> None:
        """Let the training rest, or go on."""
        if self._child is not None and self._stage is _Stage.TRAINING and paused != self._paused:
            self._paused = paused
            self._let_rest()
            self.paused_changed.emit(paused)

    @Slot()
    def _let_rest(self) -> None:
        """Let the child rest while the reader wants it to, and while the models compute: they share the CPUs."""
        if self._child is not None and self._stage is _Stage.TRAINING:
            self._child.pause(self._paused or self._models.is_busy)

    def cancel(self) -> None:
        """Stop the training and discard it; without effect where none runs, or it is just ending."""
        if self._stage in (_Stage.BEGINNING, _Stage.TRAINING):
            self._cancel_wanted = True
            if self._child is not None:
                self._child.cancel()

    def roll_back(self, role: Role) -> None:
        """Put the model before the active one in service again."""
        registry = self._models.registry

        def work() -> tuple[str, str]:
            return role.value, registry.roll_back(role, "Rolled back by the reader.").model_id

        self._saving.do("Rolling back", work, on_done=partial(self._on_other_model, self.rolled_back))

    def use(self, role: Role, model_id: str, reason: str) -> None:
        """Put a model in service that the gate did not promote; the reason is recorded with the reader's name."""
        registry = self._models.registry

        def work() -> tuple[str, str]:
            return role.value, registry.promote(role, model_id, reason).model_id

        self._saving.do("Putting the model in use", work, on_done=partial(self._on_other_model, self.used))

    def shutdown(self) -> None:
        """Cancel what runs and record its end; called before the session is shut down."""
        self._closing = True
        self._counting.stop()
        self._idle.stop()
        self.cancel()
        if self._thread is not None:
            self._thread.join(TERMINATE_SECONDS + EXIT_SECONDS)
        if self._stage is _Stage.TRAINING:
            self._conclude()

    @Slot()
    def refresh(self) -> None:
        """Count the corrected patients anew soon, and begin a training that can be judged once the reader pauses."""
        if not self._closing:
            self._counting.start()

    @Slot()
    def _count(self) -> None:
        if not self._closing:
            self._saving.do("Counting corrections", self.records.readiness, on_done=self._on_counted)

    # -- from beginning to end -----------------------------------------------------------------------------------------

    def _begin(self, role: Role) -> None:
        if self._closing:
            return
        if self.running:
            text = self._role.text.lower() if self._role is not None else "model"
            self.finished.emit(
                Outcome(role, End.REFUSED, f"The {text} is being trained. Wait until training has finished.")
            )
            return
        self._stage, self._role, self._cancel_wanted, self._result = _Stage.BEGINNING, role, False, None
        self._paused, self._curve = False, []
        self._clock.start()
        self.started.emit(role.value)
        self.progressed.emit(0.0, "Looking for accepted corrections")
        self._saving.do(
            "Starting the training",
            lambda: self.records.begin(role),
            on_done=self._on_begun,
            on_failed=partial(self._on_store_failed, End.REFUSED),
            quiet=True,
        )

    def _on_begun(self, run: RetrainingRun) -> None:
        self._run, self._stage = run, _Stage.TRAINING
        if self._cancel_wanted or self._closing:
            self._result = Trained(cancelled=True)
            self._conclude()
            return
        self._child = TrainingChild(list(self._command_for(run.role, run.staging)), self._child_log)
        self._thread = threading.Thread(
            target=self._supervise, args=(self._child,), name="cmr-viewer-training", daemon=True
        )
        self._thread.start()
        self._let_rest()

    def _supervise(self, child: TrainingChild) -> None:
        """Follow the child; on the training thread."""
        try:
            self._result = child.run(self._child_progressed.emit, self._child_learned.emit)
        except Exception as error:
            log.exception("The supervision of the training failed.")
            child.cancel()
            self._result = Trained(reason=f"The program lost contact with the training: {type(error).__name__}.")
        self._child_ended.emit()

    @Slot(float, str)
    def _on_progress(self, fraction: float, text: str) -> None:
        if self._stage is _Stage.TRAINING and not self._cancel_wanted:
            self.progressed.emit(fraction, text)

    @Slot(str, int, float)
    def _on_learned(self, curve: str, batch: int, value: float) -> None:
        if self._stage is _Stage.TRAINING and not self._cancel_wanted:
            if curve == "loss":
                self._curve.append((batch, value))
            self.learned.emit(curve, batch, value)

    @Slot()
    def _on_child_ended(self) -> None:
        if self._stage is _Stage.TRAINING:
            if self._thread is not None:
                self._thread.join()
            self._conclude()

    def _conclude(self) -> None:
        run, result = self._run, self._result or Trained(cancelled=True)
        if run is None:
            return
        self._stage, self._child, self._thread = _Stage.CONCLUDING, None, None
        result = replace(result, curve=tuple(self._curve), seconds=self._clock.elapsed() / 1000)
        self._saving.do(
            "Saving the result of the training",
            lambda: self.records.conclude(run, result),
            on_done=self._end,
            on_failed=partial(self._on_store_failed, End.FAILED),
        )

    def _on_store_failed(self, end: End, message: str) -> None:
        if self._role is not None:
            self._end(Outcome(self._role, end, message))

    def _end(self, outcome: Outcome) -> None:
        self._stage, self._role, self._run, self._child = _Stage.IDLE, None, None, None
        self._paused = False
        log.info("Training of %s: %s.", outcome.role, outcome.end)
        if outcome.end is End.PROMOTED and not self._closing:
            self._models.load()
        self.finished.emit(outcome)
        self.refresh()

    # -- beginning by itself -------------------------------------------------------------------------------------------

    def _on_counted(self, found: dict[Role, Readiness]) -> None:
        self._readiness = found
        self.readiness_changed.emit()
        if any(self._is_due(role) for role in found):
            self._idle.start()

    def _is_due(self, role: Role) -> bool:
        ready = self._readiness[role]
        tried = ready.tried or (role, ready.fingerprint) in self._tried  # and nothing has changed since
        return self._settings.auto_retrain and ready.look is not None and not tried

    @Slot()
    def note_work(self) -> None:
        """The reader works: what is due begins later."""
        if self._idle.isActive():
            self._idle.start()

    @Slot()
    def _begin_what_is_due(self) -> None:
        due = None if self.running or self._closing else next((r for r in self._readiness if self._is_due(r)), None)
        if due is not None:
            self._tried.add((due, self._readiness[due].fingerprint))
            self._begin(due)

    def _on_other_model(self, signal: SignalInstance, done: tuple[str, str]) -> None:
        self._models.load()
        signal.emit(*done)
        self.refresh()

    def _train_command(self, role: Role, output: Path) -> list[str]:
        command = [
            *program_command(),
            *("train", "--workspace", str(self._saving.workspace.folder), "--role", role.value),
            *("--output", str(output), "--progress", "json", "--nice", str(NICE), "--threads", str(_threads())),
            *("--device", self._settings.training_device, "--end-with-input"),
        ]
        return command if self._shipped_models is None else [*command, "--models", str(self._shipped_models)]
