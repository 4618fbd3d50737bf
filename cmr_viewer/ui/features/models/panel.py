"""The model in use for each role, and its retraining."""

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QProgressBar, QToolButton, QWidget

from cmr_viewer.domain.role import SPECIALISTS, Role
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
        self._model.setToolTip(f"{tip}\n{corrections} accepted since its last training" if tip else "")
        self._back.setEnabled(line.can_roll_back and idle)
        self._back.setToolTip(
            "Roll back to the previous model" if line.can_roll_back else "No earlier model to roll back to"
        )

    def _on_back(self) -> None:
        self.roll_back_wanted.emit(self._role)


class ModelsPanel(QWidget):
    """Active models and training.

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
        self.show_models({}, idle=True)
        self.setLayout(column(self._problem, self._training, self._outcome, *self._rows.values(), spacing=5))

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
