# ruff: noqa: E501 - one row per action reads as a table
"""The models in use and their training, on the page of the models and in the status bar."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PySide6.QtCore import Slot

from cmr_viewer.domain.role import Role
from cmr_viewer.promote.records import End, Outcome
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.ui.features.models.panel import ModelLine, ModelsPanel
from cmr_viewer.ui.window.actions import ActionSpec, Menu, When
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.status_line import WorkLine

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
            (retraining.finished, self.show_finished),
            (retraining.rolled_back, self.show_rolled_back),
            (retraining.waiting_changed, self.show_lines),
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
            role: ModelLine(
                role, line.model_id, line.shipped, self._retraining.corrections_waiting(role), line.can_roll_back
            )
            for role, line in self._lines.items()
        }
        idle = not self._retraining.running
        self.panel.show_models(lines, idle=idle, problem=self._session.models.problem)

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
