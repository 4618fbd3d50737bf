"""The models in use, what each lacks to be trained, and the training that runs."""

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QElapsedTimer, QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QProgressBar, QToolButton, QWidget

from cmr_viewer.domain.role import SPECIALISTS, Role
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.ui.features.models.training_plot import TrainingPlot
from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import ElidedLabel, action_button, column, label, row, set_part

ROLES = (Role.BASE, Role.MIDDLE, Role.APEX, Role.BASELINE, Role.CLASSIFIER)
"""In the order in which they are shown."""

_KNOWN_FROM = 0.08
"""Share of a training from which on the time left is estimated."""


@dataclass(frozen=True)
class ModelLine:
    """A role as it is shown.

    Attributes:
        role: The role.
        model_id: The active model, or None.
        shipped: Whether it came with the program.
        can_roll_back: Whether an earlier model can be used again.
        corrections: Corrections that the active model has not learned from.
        patients: Their patients.
        missing: What is missing for a training, in words; empty where it can be trained; None where it is not known.
    """

    role: Role
    model_id: str | None
    shipped: bool = True
    can_roll_back: bool = False
    corrections: int = 0
    patients: int = 0
    missing: str | None = None

    @property
    def state(self) -> str:
        """Where it comes from and whether it can be trained, in words."""
        origin = "" if self.model_id is None else "Came with the program. " if self.shipped else "Trained here. "
        if self.missing is None:
            return origin.strip()
        if self.missing == "":
            new = "1 correction" if self.corrections == 1 else f"{self.corrections} corrections"
            return f"{origin}Can be trained now: {new} in {self.patients} patients."
        return f"{origin}Missing: {self.missing}." if not self.missing.endswith(".") else origin + self.missing


class _RoleRow(QWidget):
    """One role.

    Signals:
        roll_back_wanted(object): `Role`.
    """

    roll_back_wanted = Signal(object)

    def __init__(self, role: Role, retrain: QAction | None) -> None:
        super().__init__()
        self._role = role
        self._model = ElidedLabel("small")
        self._state = label("", "small", wrap=True)
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
        top = row(spacing=6)
        top.addLayout(column(label(role.text), self._model, spacing=0), 1)
        top.addLayout(buttons)
        self.setLayout(column(top, self._state, spacing=1, margins=(0, 0, 0, 4)))

    @property
    def texts(self) -> tuple[str, str]:
        """The model, and where it comes from and whether it can be trained."""
        return self._model.text(), self._state.text()

    def show_line(self, line: ModelLine, *, idle: bool) -> None:
        none = "None: baseline is used" if line.role in SPECIALISTS else "No model"
        self._model.setText(line.model_id or none)
        self._model.setToolTip(line.model_id or none)
        self._state.setText(line.state)
        self._state.setVisible(bool(line.state))
        set_part(self._state, "good" if line.missing == "" else "small")
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
        self._rows = {role: _RoleRow(role, actions.get(f"retrain_{role.value}")) for role in ROLES}
        for each in self._rows.values():
            each.roll_back_wanted.connect(self.roll_back_wanted)
        self._problem = label("", "small", wrap=True)
        self._problem.hide()
        self._training = QFrame()
        self._training.setObjectName("card")
        self._what, self._left = label("", wrap=True), label("", "small", wrap=True)
        self._how_far = QProgressBar()
        self._how_far.setTextVisible(False)
        self._how_far.setRange(0, 1000)
        self._how_far.setAccessibleName("Progress of the training")
        buttons = row(action_button(actions["pause_training"]), None, action_button(actions["cancel_training"]))
        self._training.setLayout(column(self._what, self._how_far, self._left, buttons, margins=(10, 8, 10, 8)))
        self._training.hide()
        self._clock = TimeLeft()
        self._outcome = label("", "small", wrap=True)
        self._outcome.hide()
        self.curves = TrainingPlot()
        self.curves.hide()
        learning = action_button(actions["learning"])
        learning.setProperty("part", "boxed")
        self._of_study = label("", "small", wrap=True)
        self.show_models({}, idle=True)
        self.show_study(())
        training = (self._problem, self._training, self._outcome, self.curves)
        rows = self._rows.values()
        self.setLayout(column(*training, *rows, row(learning, None), self._of_study, spacing=5))

    def texts(self, role: Role) -> tuple[str, str]:
        """What is shown of a role: the model, and where it comes from and whether it can be trained."""
        return self._rows[role].texts

    @property
    def training_text(self) -> str:
        """How far the training is; empty while none runs."""
        return "" if self._training.isHidden() else f"{self._what.text()}. {self._left.text()}"

    @property
    def left_text(self) -> str:
        """How far the training is, and how long it still takes."""
        return self._left.text()

    @property
    def fraction(self) -> float:
        """How far the training is, 0.0 to 1.0."""
        return self._how_far.value() / 1000

    @property
    def study_text(self) -> str:
        """The models that the label maps of the open study come from."""
        return self._of_study.text()

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

    def show_study(self, origins: tuple[str, ...]) -> None:
        """Show where the label maps of the open study come from, a sentence each; nothing without a study."""
        self._of_study.setText("\n".join(("Label maps of this study:", *origins)) if origins else "")
        self._of_study.setVisible(bool(origins))

    def show_training(self, what: str) -> None:
        """A training has begun."""
        self._what.setText(what)
        self._left.setText("")
        self._how_far.setValue(0)
        self._clock.begin()
        self._training.show()
        self.curves.clear()
        self.curves.show()
        self._outcome.hide()

    def show_progress(self, fraction: float, text: str) -> None:
        """Show the progress of the training."""
        self._how_far.setValue(round(fraction * 1000))
        self._left.setText(self._clock.text(fraction) or text)

    def show_paused(self, paused: bool) -> None:
        """The training rests, or goes on."""
        self._clock.pause(paused)
        if paused:
            self._left.setText("Paused")

    def show_outcome(self, text: str, *, good: bool | None) -> None:
        """Show how the last training ended; `good` None if neither good nor bad."""
        self._training.hide()
        self._outcome.setText(text)
        set_part(self._outcome, "small" if good is None else "good" if good else "bad")
        self._outcome.show()


class TimeLeft:
    """Estimates how long a training still takes, by the share that is done and the time so far without pauses."""

    def __init__(self) -> None:
        self._clock = QElapsedTimer()
        self._before_ms = 0

    def begin(self) -> None:
        """A training begins."""
        self._before_ms = 0
        self._clock.start()

    def pause(self, paused: bool) -> None:
        """The training rests, or goes on."""
        if paused and self._clock.isValid():
            self._before_ms += self._clock.elapsed()
            self._clock.invalidate()
        elif not paused:
            self._clock.start()

    def text(self, fraction: float) -> str:
        """How far it is and how long it still takes; empty while that cannot be known."""
        if fraction < _KNOWN_FROM or not self._clock.isValid():
            return ""
        return left_text(fraction, (self._before_ms + self._clock.elapsed()) / 1000)


def left_text(fraction: float, seconds: float) -> str:
    """How far a training is after some seconds, and how long it still takes at this pace."""
    left = seconds * (1 - fraction) / fraction
    time = f"{left / 60:.0f} min" if left >= 90 else f"{10 * max(1, round(left / 10))} s"
    return f"Training {100 * fraction:.0f} %, about {time} left"


def model_lines(registry: ModelRegistry) -> dict[Role, ModelLine]:
    """The models in service, for the panel; reads folders and the workspace, so keep it off the window's thread."""
    return {
        role: ModelLine(
            role, entry.model_id, entry.shipped, can_roll_back=bool(registry.history(role)) and not entry.shipped
        )
        for role, entry in registry.active_all().items()
    }
