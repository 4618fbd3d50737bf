"""Shows models and training in the panel and the status bar, and starts and stops training."""

from PySide6.QtCore import QObject, Signal, Slot

from cmr_viewer.app.retraining import Retraining
from cmr_viewer.app.session import Session
from cmr_viewer.domain.role import Role
from cmr_viewer.promote.records import End, Outcome
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.ui.features.models.panel import ModelLine, ModelsPanel
from cmr_viewer.ui.window.status_line import WorkLine

_KEY = "training"
_SEVERITIES = {End.FAILED: "error", End.REFUSED: "warning"}


class ModelsShowing(QObject):
    """Between models, training and what is seen of them.

    Signals:
        possible_changed(): A training began or ended.
        said(str, str): Severity and text for the reader.
    """

    possible_changed = Signal()
    said = Signal(str, str)

    def __init__(self, session: Session, retraining: Retraining, panel: ModelsPanel, line: WorkLine) -> None:
        super().__init__(panel)
        self._session, self._retraining, self._panel, self._line = session, retraining, panel, line
        self._lines: dict[Role, ModelLine] = {}

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
        self._panel.show_models(lines, idle=idle, problem=self._session.models.problem)

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
        self._panel.show_training(text)
        self._line.begin(_KEY, text)
        self.show_lines()
        self.possible_changed.emit()

    @Slot(float, str)
    def show_progress(self, fraction: float, text: str) -> None:
        """How far the training is."""
        self._panel.show_progress(fraction, text)
        role = self._retraining.role
        head = "" if role is None else f"{role.text}: "
        self._line.progress(_KEY, fraction, f"{head}{text}" if text else "")

    @Slot(object)
    def show_finished(self, outcome: Outcome) -> None:
        """A training has ended, in whatever way."""
        text, good = outcome_text(outcome)
        self._panel.show_outcome(text, good=good)
        if outcome.end is not End.REFUSED or not self._retraining.running:
            self._line.end(_KEY)
        self.said.emit(_SEVERITIES.get(outcome.end, "info"), text)
        self.refresh()
        self.possible_changed.emit()

    @Slot(object)
    def roll_back(self, role: Role) -> None:
        """Put the model before the active one in service."""
        self._retraining.roll_back(role)

    @Slot(str, str)
    def show_rolled_back(self, role: str, model_id: str) -> None:
        """An earlier model is in service again."""
        self.said.emit("info", f"{Role(role).text}: {model_id} is in use again.")
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
