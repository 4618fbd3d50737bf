"""Everything that a reader should know about how the open study was loaded, in full."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFrame, QLabel, QScrollArea, QWidget

from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.study import Study
from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import action_button, column, label, row

_REMEDIES = ("choose_stack", "turn_round", "correct_spacing")


def offers_choice(study: Study) -> bool:
    """Whether the study's files leave something to choose: a stack, or an acquisition of a slice."""
    return len(study.choices) > 1 or bool(study.repeats)


def tells_choice(study: Study) -> bool:
    """Whether a reader should be told of a choice: where there are several short-axis cines, or repeated slices.

    Other stacks of several phases, such as perfusion, can be chosen, but are not what anybody opens a study for.
    """
    return _cines(study) > 1 or bool(study.repeats)


def _cines(study: Study) -> int:
    return sum(choice.is_cine for choice in study.choices)


def choice_note(study: Study) -> str:
    """What the study's files leave open, in a sentence; empty where they leave nothing."""
    parts = []
    if _cines(study) > 1:
        opened = next((each.text for each in study.choices if each.opened), study.stack.description)
        parts.append(f"The study contains {_cines(study)} short-axis cines. Open: {opened}.")
    if study.repeats and not any(note.code is Code.SLICES_REPEATED for note in study.warnings):
        places = ", ".join(str(each.slice_index + 1) for each in study.repeats)
        word = "Slice" if len(study.repeats) == 1 else "Slices"
        was = "was" if len(study.repeats) == 1 else "were"
        parts.append(f"{word} {places} {was} acquired more than once.")
    return " ".join(parts)


def notes_of(study: Study, opening: Opening) -> tuple[str, ...]:
    """All notes on a study: the warnings of the load, what was decided, and what can be chosen."""
    turned = "A reader swapped base and apex." if opening.base_reversed else ""
    return (*study.warnings, *(text for text in (turned, choice_note(study)) if text))


class NotesDialog(QDialog):
    """The notes on a study, with what can be done about them.

    Args:
        study: The open study.
        opening: How it was opened.
        actions: What a reader can do, by id.
        parent: The window.
    """

    def __init__(
        self, study: Study, opening: Opening, actions: Mapping[str, QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Notes on this study")
        notes = notes_of(study, opening)
        lines = [_line(text, is_warning=number < len(study.warnings)) for number, text in enumerate(notes)]
        if not notes:
            lines = [label("No notes on this study.", "soft")]
        listed = column(*lines, spacing=8, margins=(0, 0, 8, 0))
        listed.addStretch(1)
        content = QWidget()
        content.setLayout(listed)
        area = QScrollArea()
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        remedies = []
        for name in _REMEDIES:
            button = action_button(actions[name])
            button.setProperty("part", "boxed")
            button.clicked.connect(self.accept)
            remedies.append(button)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setDefault(True)
        close.setFocus()  # not on what decides something
        foot = row(*remedies, None, buttons, spacing=6)
        self.setLayout(column(label(study.name, "title"), area, foot, spacing=12, margins=(18, 16, 18, 14)))
        self.resize(680, min(520, 170 + 56 * max(1, len(notes))))

    @property
    def texts(self) -> Sequence[str]:
        """What can be read, note by note."""
        return [each.text() for each in self.findChildren(QLabel) if each.objectName() == "note"]


def _line(text: str, *, is_warning: bool) -> QFrame:
    sign = QLabel()
    sign.setPixmap((icon("warning", "warn") if is_warning else icon("info", "accent")).pixmap(18, 18))
    said = label(text, wrap=True)
    said.setObjectName("note")
    said.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    card = QFrame()
    card.setObjectName("card")
    line = row(sign, said, spacing=10, margins=(12, 9, 12, 9))
    line.setAlignment(sign, Qt.AlignmentFlag.AlignTop)
    line.setStretch(1, 1)
    card.setLayout(line)
    return card
