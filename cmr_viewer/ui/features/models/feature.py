# ruff: noqa: E501 - one row per action reads as a table
"""The models in use and their training, on the page of the models and in the status bar."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QProgressBar, QToolButton, QWidget

from cmr_viewer.domain.role import SPECIALISTS, Role
from cmr_viewer.promote.records import End, Outcome
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.ui.features.models.training_plot import TrainingPlot
from cmr_viewer.ui.window.actions import ActionSpec, Menu, When
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.messages import WorkLine
from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import ElidedLabel, action_button, column, label, row, set_part


@dataclass(frozen=True)
class ModelLine:
    """A role as it is shown.

    Attributes:
        role: The role.
        model_id: The active model, or None.
        shipped: Whether it came with the program.
        waiting: Corrections accepted since it was last trained.
        can_roll_back: Whether an earlier model can be used again.
    """

    role: Role
    model_id: str | None
    shipped: bool = True
    waiting: int = 0
    can_roll_back: bool = False


class _RoleRow(QWidget):
    """One role.

    Signals:
        retrain_wanted(object): `Role`.
        roll_back_wanted(object): `Role`.
    """

    retrain_wanted = Signal(object)
    roll_back_wanted = Signal(object)

    def __init__(self, role: Role, retrain: QAction | None) -> None:
        super().__init__()
        self._role = role
        self._model = ElidedLabel("small")
        self._back = QToolButton()
        self._back.setIcon(icon("roll_back"))
        self._back.setIconSize(QSize(16, 16))
        self._back.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._back.setAccessibleName(f"Roll back the {role.text.lower()}")
        self._back.clicked.connect(self._on_back)
        buttons = row(spacing=0)
        buttons.addWidget(self._back)
        if retrain is not None:
            button = action_button(retrain)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            button.setProperty("part", "boxed")
            buttons.addWidget(button)
        texts = column(label(role.text), self._model, spacing=0)
        layout = row(spacing=6)
        layout.addLayout(texts, 1)
        layout.addLayout(buttons)
        self.setLayout(layout)

    def show_line(self, line: ModelLine, *, idle: bool) -> None:
        origin = "shipped" if line.shipped else "retrained here"
        none = "None: baseline is used" if line.role in SPECIALISTS else "No model"
        text = none if line.model_id is None else f"{line.model_id} · {origin}"
        if line.waiting:
            text += f" · {line.waiting} new"
        self._model.setText(text)
        tip = "" if line.model_id is None else f"{line.model_id}, {origin}"
        corrections = "1 correction" if line.waiting == 1 else f"{line.waiting} corrections"
        self._model.setToolTip(f"{tip}\n{corrections} that it has not learned from" if tip else "")
        self._back.setEnabled(line.can_roll_back and idle)
        self._back.setToolTip(
            "Roll back to the previous model" if line.can_roll_back else "No earlier model to roll back to"
        )

    def _on_back(self) -> None:
        self.roll_back_wanted.emit(self._role)


class ModelsPanel(QWidget):
    """Active models and training.

    Attributes:
        curves: The course of the present or last training; hidden before the first.

    Signals:
        roll_back_wanted(object): `Role`.
    """

    roll_back_wanted = Signal(object)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._rows = {role: _RoleRow(role, actions.get(f"retrain_{role.value}")) for role in Role}
        for each in self._rows.values():
            each.roll_back_wanted.connect(self.roll_back_wanted)
        self._problem = label("", "small", wrap=True)
        self._problem.hide()
        self._training = QFrame()
        self._training.setObjectName("card")
        self._what = label("", wrap=True)
        self._how_far = QProgressBar()
        self._how_far.setTextVisible(False)
        self._how_far.setRange(0, 1000)
        self._how_far.setAccessibleName("Progress of the training")
        cancel = action_button(actions["cancel_training"])
        self._training.setLayout(column(self._what, self._how_far, row(None, cancel), margins=(10, 8, 10, 8)))
        self._training.hide()
        self._outcome = label("", "small", wrap=True)
        self._outcome.hide()
        self.curves = TrainingPlot()
        self.curves.hide()
        self.show_models({}, idle=True)
        rows = self._rows.values()
        self.setLayout(column(self._problem, self._training, self._outcome, self.curves, *rows, spacing=5))

    def show_models(self, lines: Mapping[Role, ModelLine], *, idle: bool, problem: str = "") -> None:
        """Show the active models.

        Args:
            lines: By role; a role that is missing has no model.
            idle: Whether no training runs.
            problem: Why there are no models, or empty.
        """
        for role, each in self._rows.items():
            each.show_line(lines.get(role, ModelLine(role, None)), idle=idle)
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))

    def show_training(self, what: str) -> None:
        """A training has begun."""
        self._what.setText(what)
        self._how_far.setValue(0)
        self._training.show()
        self.curves.clear()
        self.curves.show()
        self._outcome.hide()

    def show_progress(self, fraction: float, text: str) -> None:
        """Show the progress of the training."""
        self._how_far.setValue(round(fraction * 1000))
        if text:
            self._what.setText(text)

    def show_outcome(self, text: str, *, good: bool | None) -> None:
        """Show how the last training ended; `good` None if neither good nor bad."""
        self._training.hide()
        self._outcome.setText(text)
        set_part(self._outcome, "small" if good is None else "good" if good else "bad")
        self._outcome.show()


_KEY = "training"
_SEVERITIES = {End.FAILED: "error", End.REFUSED: "warning"}


class ModelsFeature(Feature):
    """Shows models and training, and starts and stops training."""

    # fmt: off
    specs = (
        ActionSpec("retrain_base", "Retrain &base specialist", (), "Retrain in the background on the accepted frames", Menu.MODELS, When.IDLE, "train", short="Retrain"),
        ActionSpec("retrain_middle", "Retrain &middle specialist", (), "Retrain in the background on the accepted frames", Menu.MODELS, When.IDLE, "train", short="Retrain"),
        ActionSpec("retrain_apex", "Retrain &apex specialist", (), "Retrain in the background on the accepted frames", Menu.MODELS, When.IDLE, "train", short="Retrain"),
        ActionSpec("cancel_training", "&Cancel training", (), "Stop training; the current model stays in use", Menu.MODELS, When.TRAINING, "stop", section=1, short="Cancel"),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._session, self._retraining = context.session, context.retraining
        self.panel = ModelsPanel(context.actions)
        self.line = WorkLine()
        context.parts.side.add_section(Page.MODELS, "Models", self.panel)
        context.window.statusBar().addWidget(self.line)
        self._lines: dict[Role, ModelLine] = {}

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {
            "retrain_base": self.retrain_base,
            "retrain_middle": self.retrain_middle,
            "retrain_apex": self.retrain_apex,
            "cancel_training": self.cancel,
        }

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        retraining = self._retraining
        return (
            (self.panel.roll_back_wanted, retraining.roll_back),
            (self.line.cancel_wanted, self.cancel),
            (self._session.models.changed, self.refresh),
            (retraining.started, self.show_started),
            (retraining.progressed, self.show_progress),
            (retraining.learned, self.panel.curves.add),
            (self.panel.curves.place.message, self.context.show_general_message),
            (retraining.finished, self.show_finished),
            (retraining.rolled_back, self.show_rolled_back),
            (retraining.readiness_changed, self.show_lines),
        )

    @Slot()
    def refresh(self) -> None:
        """Look up the models in service, off this thread."""
        registry = self._session.models.registry
        self._session.saving.do("Checking the models", lambda: model_lines(registry), on_done=self._take_lines)

    def _take_lines(self, lines: dict[Role, ModelLine]) -> None:
        self._lines = lines
        self.show_lines()

    @Slot()
    def show_lines(self) -> None:
        """Show the models in service and the corrections that wait."""
        lines = {
            role: ModelLine(role, line.model_id, line.shipped, self._waiting(role), line.can_roll_back)
            for role, line in self._lines.items()
        }
        idle = not self._retraining.running
        self.panel.show_models(lines, idle=idle, problem=self._session.models.problem)

    def _waiting(self, role: Role) -> int:
        ready = self._retraining.readiness(role)
        return 0 if ready is None else ready.corrections

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
    def cancel(self) -> None:
        """Stop the training."""
        self._retraining.cancel()

    @Slot(str)
    def show_started(self, role: str) -> None:
        """A training has begun."""
        text = f"Retraining the {Role(role).text.lower()}"
        self.panel.show_training(text)
        self.line.begin(_KEY, text)
        self.show_lines()
        self.context.refresh_possible()

    @Slot(float, str)
    def show_progress(self, fraction: float, text: str) -> None:
        """How far the training is."""
        self.panel.show_progress(fraction, text)
        role = self._retraining.role
        head = "" if role is None else f"{role.text}: "
        self.line.progress(_KEY, fraction, f"{head}{text}" if text else "")

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


def model_lines(registry: ModelRegistry) -> dict[Role, ModelLine]:
    """The models in service, for the panel; reads folders and the workspace, so keep it off the window's thread."""
    return {
        role: ModelLine(
            role, entry.model_id, entry.shipped, 0, can_roll_back=bool(registry.history(role)) and not entry.shipped
        )
        for role, entry in registry.active_all().items()
    }


def outcome_text(outcome: Outcome) -> tuple[str, bool | None]:
    """How a training ended, in words, and whether that is good (None: neither)."""
    name = outcome.role.text
    if outcome.end is End.PROMOTED:
        return f"{name}: {outcome.model_id} is now in use. {outcome.reason}", True
    if outcome.end is End.CANCELLED:
        return f"{name}: training was cancelled. The current model stays.", None
    if outcome.end in (End.NOT_PROMOTED, End.REFUSED):
        return f"{name}: {outcome.reason}", None
    return f"{name}: training failed. {outcome.reason}", False
