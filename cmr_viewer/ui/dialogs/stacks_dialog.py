"""The stacks that a study's files offer, and the slices that were acquired more than once."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.study import StackChoice, Study
from cmr_viewer.ui.window.widgets import column, label

OPEN_NOW = "open now"
SUGGESTED = "suggested"


def marks_of(choice: StackChoice, suggested: StackChoice) -> str:
    """What is said behind a choice: whether it is open, and whether the program would take it."""
    marks = [text for text, true in ((OPEN_NOW, choice.opened), (SUGGESTED, choice == suggested)) if true]
    return f"  ({', '.join(marks)})" if marks else ""


class StacksDialog(QDialog):
    """Lets the reader choose another stack, and other acquisitions of repeated slices.

    Args:
        study: The open study.
        opening: How it was opened: what nobody decided about is as the program suggests.
        parent: The window.

    Signals:
        stack_chosen(str): `StackChoice.key` of another stack.
        repeats_chosen(object): Other acquisitions, dict of `RepeatedSlice.key` to `StackChoice.key`.
    """

    stack_chosen = Signal(str)
    repeats_chosen = Signal(object)

    def __init__(self, study: Study, opening: Opening, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Stacks in this study")
        self._choices, self._repeats, self._opening = study.choices, study.repeats, opening
        self._stacks = QButtonGroup(self)
        self._boxes: dict[str, QComboBox] = {}
        content = QWidget()
        content.setLayout(self._column())
        area = QScrollArea()
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._take = QPushButton("Open")
        self._take.setProperty("part", "primary")
        self._take.setToolTip("Open the study with this choice and save the choice")
        self._buttons.addButton(self._take, QDialogButtonBox.ButtonRole.AcceptRole)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        note = label(
            "The choice is saved with this study. Your work on a frame stays with the frame.",
            "small",
            wrap=True,
        )
        self.setLayout(column(area, note, self._buttons, spacing=10, margins=(16, 14, 16, 12)))
        self._stacks.buttonToggled.connect(self._show_possible)
        self._show_possible()
        self.resize(620, min(560, 210 + 25 * (len(self._choices) + 1) + 42 * len(self._repeats)))

    def _column(self) -> QVBoxLayout:
        parts: list[QWidget] = []
        buttons = self._radio_buttons()
        for cine, heading in ((True, "SHORT-AXIS CINES"), (False, "OTHER STACKS")):
            own = [button for button, each in zip(buttons, self._choices, strict=True) if each.is_cine is cine]
            if own:
                parts += [label(heading, "heading"), *own]
        if self._repeats:
            parts.append(label("SLICES ACQUIRED MORE THAN ONCE", "heading"))
            holder = QWidget()
            holder.setLayout(self._repeat_form())
            parts.append(holder)
        if not parts:
            parts.append(label("The files contain one stack, with each slice acquired once.", "soft"))
        whole = column(*parts, spacing=8, margins=(2, 2, 8, 2))
        whole.addStretch(1)
        return whole

    def _radio_buttons(self) -> list[QWidget]:
        buttons: list[QWidget] = []
        for number, choice in enumerate(self._choices):
            suggested = self._choices[0]
            button = QRadioButton((choice.text + marks_of(choice, suggested)).replace("&", "&&"))
            button.setChecked(choice.opened)
            button.setToolTip(choice.text)
            self._stacks.addButton(button, number)
            buttons.append(button)
        return buttons

    def _repeat_form(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(8)
        for place in self._repeats:
            box = QComboBox()
            box.setAccessibleName(f"Acquisition of slice {place.slice_index + 1}")
            box.setToolTip(f"Slice {place.slice_index + 1} was acquired {len(place.acquisitions)} times")
            decided = place.key in self._opening.repeats
            suggested = place.acquisitions[-1 if decided else _opened(place.acquisitions)]
            for each in place.acquisitions:
                box.addItem(each.text + marks_of(each, suggested), each.key)
            box.setCurrentIndex(_opened(place.acquisitions))
            box.currentIndexChanged.connect(self._show_possible)
            self._boxes[place.key] = box
            form.addRow(f"Slice {place.slice_index + 1}", box)
        return form

    @property
    def chosen_stack(self) -> str:
        """Key of the stack that is chosen, where that is not the open one; else empty."""
        number = self._stacks.checkedId()
        if number < 0 or self._choices[number].opened:
            return ""
        return self._choices[number].key

    @property
    def chosen_repeats(self) -> dict[str, str]:
        """Acquisitions that are chosen, where they are not the open ones."""
        opened = {place.key: place.acquisitions[_opened(place.acquisitions)].key for place in self._repeats}
        chosen = {key: str(box.currentData()) for key, box in self._boxes.items()}
        return {key: acquisition for key, acquisition in chosen.items() if acquisition != opened[key]}

    def _show_possible(self) -> None:
        other = bool(self.chosen_stack)
        for box in self._boxes.values():  # the repeated slices are those of the stack that is open
            box.setEnabled(not other)
        self._take.setEnabled(other or bool(self.chosen_repeats))

    def accept(self) -> None:
        """Tell what was chosen."""
        stack, repeats = self.chosen_stack, self.chosen_repeats
        super().accept()
        if stack:
            self.stack_chosen.emit(stack)
        elif repeats:
            self.repeats_chosen.emit(repeats)


def _opened(acquisitions: Sequence[StackChoice]) -> int:
    return next((number for number, each in enumerate(acquisitions) if each.opened), len(acquisitions) - 1)
