# ruff: noqa: E501 - one row per action reads as a table
"""The models in use and their training, on the page of the models, on the page of learning and in the status bar."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.promote.judge import FrameChange, read_changes
from cmr_viewer.promote.records import End, Outcome
from cmr_viewer.promote.runs import LearningRun, learning_runs
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.store.model_registry import INTERRUPTED
from cmr_viewer.ui.features.models.learning_page import LearningPage
from cmr_viewer.ui.features.models.panel import ROLES, ModelLine, ModelsPanel, model_lines
from cmr_viewer.ui.window.actions import ActionSpec, Menu, When
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.messages import WorkLine

_KEY = "training"
_SEVERITIES = {End.FAILED: "error", End.REFUSED: "warning"}
_TIP = "Train in the background on your corrections; a new model is used only if it is measurably better"


class ModelsFeature(Feature):
    """Shows models and training, starts and stops training, and has the page of learning."""

    # fmt: off
    specs = (
        ActionSpec("retrain_base", "Retrain &base specialist", (), _TIP, Menu.MODELS, When.IDLE, "train", short="Retrain"),
        ActionSpec("retrain_middle", "Retrain &middle specialist", (), _TIP, Menu.MODELS, When.IDLE, "train", short="Retrain"),
        ActionSpec("retrain_apex", "Retrain &apex specialist", (), _TIP, Menu.MODELS, When.IDLE, "train", short="Retrain"),
        ActionSpec("retrain_baseline", "Retrain bas&eline", (), _TIP, Menu.MODELS, When.IDLE, "train", short="Retrain"),
        ActionSpec("retrain_classifier", "Retrain &region classifier", (), "Train in the background on regions that you set or accepted; a new model is used only if it is measurably better", Menu.MODELS, When.IDLE, "train", short="Retrain"),
        ActionSpec("retrain_again", "&Train again", (), "Train again what was interrupted", Menu.MODELS, When.IDLE, "train", short="Train again"),
        ActionSpec("pause_training", "&Pause training", (), "Let the training rest, or go on", Menu.MODELS, When.TRAINING, "pause", checkable=True, section=1, short="Pause"),
        ActionSpec("cancel_training", "&Cancel training", (), "Stop training; the current model stays in use", Menu.MODELS, When.TRAINING, "stop", section=1, short="Cancel"),
        ActionSpec("learning", "&Learning", ("Ctrl+Shift+L",), "Show all training runs: what was gained, which frames change, roll back", Menu.MODELS, When.ALWAYS, "train", checkable=True, section=2, short="Learning"),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._session, self._retraining = context.session, context.retraining
        self.panel = ModelsPanel(context.actions)
        self.page = LearningPage(lambda: context.display.label_colours)
        self.line = WorkLine()
        context.parts.side.add_section(Page.MODELS, "Models", self.panel)
        context.parts.middle.addWidget(self.page)
        context.window.statusBar().addWidget(self.line)
        self._lines: dict[Role, ModelLine] = {}
        self._interrupted: Role | None = None
        self._reported = False
        self._was_here = False

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {
            "retrain_base": self.retrain_base,
            "retrain_middle": self.retrain_middle,
            "retrain_apex": self.retrain_apex,
            "retrain_baseline": self.retrain_baseline,
            "retrain_classifier": self.retrain_classifier,
            "retrain_again": self.retrain_again,
            "pause_training": self.pause,
            "cancel_training": self.cancel,
            "learning": self.show_learning,
        }

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        retraining, session = self._retraining, self._session
        return (
            (self.panel.roll_back_wanted, retraining.roll_back),
            (self.page.roll_back_wanted, retraining.roll_back),
            (self.page.use_wanted, self.use),
            (self.page.run_chosen, self.show_run),
            (self.page.left, self.leave_learning),
            (self.page.curve.place.message, self.context.show_general_message),
            (self.context.parts.middle.currentChanged, self.show_page),
            (self.line.cancel_wanted, self.cancel),
            (session.models.changed, self.refresh),
            (session.study.restored, self._show_study),
            (self.context.display.changes_shown, self._show_study),
            (retraining.started, self.show_started),
            (retraining.progressed, self.show_progress),
            (retraining.learned, self.panel.curves.add),
            (retraining.learned, self.page.add_value),
            (retraining.paused_changed, self.show_paused),
            (self.panel.curves.place.message, self.context.show_general_message),
            (retraining.finished, self.show_finished),
            (retraining.rolled_back, self.show_rolled_back),
            (retraining.used, self.show_used),
            (retraining.readiness_changed, self.show_lines),
        )

    def possible(self) -> Mapping[str, bool]:
        """There is something to train again where a training was interrupted."""
        return {"retrain_again": self._interrupted is not None}

    def drop_study(self) -> None:
        """The study is left."""
        self.panel.show_study(())

    # The models

    @Slot()
    def refresh(self) -> None:
        """Look up the models in service, and the runs, off this thread."""
        registry, records = self._session.models.registry, self._retraining.records
        self._session.saving.do("Checking the models", lambda: model_lines(registry), on_done=self._take_lines)
        self._session.saving.do("Reading the training runs", lambda: learning_runs(records), on_done=self._take_runs)

    def _take_lines(self, lines: dict[Role, ModelLine]) -> None:
        self._lines = lines
        self.show_lines()

    @Slot()
    def show_lines(self) -> None:
        """Show the models in service, and what each lacks to be trained."""
        lines = {role: self._line(role) for role in ROLES}
        idle = not self._retraining.running
        self.panel.show_models(lines, idle=idle, problem=self._session.models.problem)

    def _line(self, role: Role) -> ModelLine:
        line, ready = self._lines.get(role, ModelLine(role, None)), self._retraining.readiness(role)
        if ready is None:
            return line
        return replace(line, corrections=ready.corrections, patients=ready.patients, missing=ready.text)

    @Slot()
    def _show_study(self) -> None:
        reading = self._session.study.reading
        models = self._session.models.loaded
        in_use = frozenset() if models is None else frozenset(models.active.values())
        self.panel.show_study(() if reading is None else origins_of(reading, in_use))

    # Training

    @Slot()
    def retrain_base(self) -> None:
        """Retrain the base specialist."""
        self._retraining.start(Role.BASE)

    @Slot()
    def retrain_middle(self) -> None:
        """Retrain the middle specialist."""
        self._retraining.start(Role.MIDDLE)

    @Slot()
    def retrain_apex(self) -> None:
        """Retrain the apex specialist."""
        self._retraining.start(Role.APEX)

    @Slot()
    def retrain_baseline(self) -> None:
        """Retrain the baseline."""
        self._retraining.start(Role.BASELINE)

    @Slot()
    def retrain_classifier(self) -> None:
        """Retrain the region classifier."""
        self._retraining.start(Role.CLASSIFIER)

    @Slot()
    def retrain_again(self) -> None:
        """Train again what was interrupted."""
        if self._interrupted is not None:
            self._retraining.start(self._interrupted)

    @Slot(bool)
    def pause(self, paused: bool) -> None:
        """Let the training rest, or go on."""
        self._retraining.pause(paused)

    @Slot()
    def cancel(self) -> None:
        """Stop the training."""
        self._retraining.cancel()

    @Slot(str)
    def show_started(self, role: str) -> None:
        """A training has begun."""
        text = f"Retraining the {Role(role).text.lower()}"
        self.context.actions["pause_training"].setChecked(False)
        self._interrupted = None
        self.panel.show_training(text)
        self.line.begin(_KEY, text)
        self.show_lines()
        self.context.refresh_possible()

    @Slot(float, str)
    def show_progress(self, fraction: float, text: str) -> None:
        """How far the training is."""
        self.panel.show_progress(fraction, text)
        self._show_line()
        if self.page.isVisible() and not self.page.shows_running:
            self.refresh()

    @Slot(bool)
    def show_paused(self, paused: bool) -> None:
        """The training rests, or goes on."""
        action = self.context.actions["pause_training"]
        action.setChecked(paused)
        action.setIconText("Go on" if paused else "Pause")
        self.panel.show_paused(paused)
        self._show_line()

    def _show_line(self) -> None:
        """How far the training is, in the status bar."""
        role = self._retraining.role
        head = "" if role is None else f"{role.text}: "
        self.line.progress(_KEY, self.panel.fraction, f"{head}{self.panel.left_text}")

    @Slot(object)
    def show_finished(self, outcome: Outcome) -> None:
        """A training has ended, in whatever way."""
        text, good = outcome_text(outcome)
        self.panel.show_outcome(text, good=good)
        if outcome.end is not End.REFUSED or not self._retraining.running:
            self.line.end(_KEY)
        self.context.show_general_message(_SEVERITIES.get(outcome.end, "info"), text)
        self.refresh()
        self.context.refresh_possible()

    @Slot(str, str)
    def show_rolled_back(self, role: str, model_id: str) -> None:
        """An earlier model is in service again."""
        self.context.show_general_message("info", f"{Role(role).text}: {model_id} is in use again.")
        self.refresh()

    @Slot(str, str)
    def show_used(self, role: str, model_id: str) -> None:
        """A model is in service because the reader wanted it."""
        self.context.show_general_message("info", f"{Role(role).text}: {model_id} is in use now, as you chose.")
        self.refresh()

    # The page of learning

    @Slot(bool)
    def show_learning(self, on: bool) -> None:
        """Show the page of learning in the middle of the window, or what else belongs there."""
        self.context.parts.middle.setCurrentWidget(self.page if on else self._other_page())

    @Slot()
    def leave_learning(self) -> None:
        """Go back to the frame."""
        self.show_learning(False)

    def _other_page(self) -> QWidget:
        parts, session = self.context.parts, self._session
        if session.opening.is_busy and session.study.data is None:
            return parts.opening
        return parts.welcome if session.study.data is None else parts.desk_page

    @Slot()
    def show_page(self) -> None:
        """Another page is in the middle."""
        parts = self.context.parts
        here = parts.middle.currentWidget() is self.page
        self.context.actions["learning"].setChecked(here)
        if here:
            self.context.desk.player.stop()
            parts.left.hide()  # it is about studies, and the page needs the room
            parts.side.show_page(Page.MODELS)
            self.refresh()
            self.page.table.setFocus()
        elif self._was_here:
            parts.left.setVisible(parts.left.layout() is not None)
            parts.view.setFocus()
        self._was_here = here
        self.context.refresh_possible()

    def _take_runs(self, runs: list[LearningRun]) -> None:
        self.page.show_runs(runs, idle=not self._retraining.running)
        recovery, was_reported = self._session.workspace.recovery, self._reported
        self._reported = True
        if recovery.interrupted_training and not was_reported and not self._retraining.running:
            role = next(one.role for one in runs if one.run.outcome == INTERRUPTED)
            self._interrupted = role
            text = f"{recovery.text()} You can train the {role.text.lower()} again."
            self.context.refresh_possible()
            self.context.show_message("info", text, self.context.actions["retrain_again"])

    @Slot(object)
    def show_run(self, run: LearningRun) -> None:
        """Show the curve and the changed frames of a run; they are read off this thread."""
        run_id, folder = run.run.id, run.folder
        if run.is_running:
            self.page.curve.show_points(self.panel.curves.points, "The curve appears with the first batches")
        if folder is None:
            self.page.show_changes(run_id, (), {}, "")
            return
        self._session.saving.do(
            "Reading the changed frames",
            lambda: _changes_of(folder),
            on_done=partial(self._take_changes, run_id),
        )

    def _take_changes(self, run_id: int, found: "tuple[list[FrameChange], str]") -> None:
        changes, problem = found
        names = {row.stack_id: row.name for row in self._session.worklist.studies}
        self.page.show_changes(run_id, changes, names, problem or "No frame changes.")

    @Slot(object, str)
    def use(self, run: LearningRun, reason: str) -> None:
        """Put the new model of a run in use all the same."""
        if run.model_id is not None:
            self._retraining.use(run.role, run.model_id, reason)


def _changes_of(folder: Path) -> tuple[list[FrameChange], str]:
    """The changed frames in the folder of a model, or why they cannot be shown."""
    try:
        return read_changes(folder), ""
    except ModelError as error:
        return [], str(error)


def origins_of(reading: OpenStudy, in_use: Collection[str]) -> tuple[str, ...]:
    """Where the label maps of a study come from, a sentence for each model.

    Args:
        reading: The study.
        in_use: Models in use.
    """
    by_model = Counter(r.base.model_id for r in reading.frames.values() if r.base is not None and not r.edited)
    edited = sum(record.edited for record in reading.frames.values())
    lines = [
        f"{model_id or 'Not known'}: {_frames(count)}{'' if model_id in in_use else ', no longer in use'}"
        for model_id, count in sorted(by_model.items())
    ]
    return (*lines, *([f"Drawn, corrected or imported: {_frames(edited)}"] if edited else []))


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def outcome_text(outcome: Outcome) -> tuple[str, bool | None]:
    """How a training ended, in words, and whether that is good (None: neither)."""
    name = outcome.role.text
    if outcome.end is End.PROMOTED:
        return f"{name}: {outcome.model_id} is now in use. {outcome.reason.replace('Promoted:', 'Better:', 1)}", True
    if outcome.end is End.CANCELLED:
        return f"{name}: training was cancelled. The current model stays.", None
    if outcome.end in (End.NOT_PROMOTED, End.REFUSED):
        return f"{name}: {outcome.reason}", None
    return f"{name}: training failed. {outcome.reason}", False
