"""Dialogs on how the open study was loaded: its notes, its stacks, its spacing."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QLabel,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.study import StackChoice, Study
from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import action_button, column, label, row

_REMEDIES = ("choose_stack", "turn_round", "correct_spacing")


def offers_choice(study: Study) -> bool:
    """Whether the study's files leave something to choose: a stack, or an acquisition of a slice."""
    return len(study.choices) > 1 or bool(study.repeats)


def shows_choice(study: Study) -> bool:
    """Whether a reader should know of a choice: there are several short-axis cines, or repeated slices.

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
    text_label = label(text, wrap=True)
    text_label.setObjectName("note")
    text_label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    card = QFrame()
    card.setObjectName("card")
    line = row(sign, text_label, spacing=10, margins=(12, 9, 12, 9))
    line.setAlignment(sign, Qt.AlignmentFlag.AlignTop)
    line.setStretch(1, 1)
    card.setLayout(line)
    return card


OPEN_NOW = "open now"
SUGGESTED = "suggested"


def marks_of(choice: StackChoice, suggested: StackChoice) -> str:
    """The text behind a choice: whether it is open, and whether the program would choose it."""
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


SpacingMm = tuple[float, float, float]
"""(row, col, slice) distances in mm."""

_USUAL_MM: SpacingMm = (1.4, 1.4, 10.0)
"""Where nothing is known: what short-axis cine is usually acquired with (Kramer et al. 2020: 1.5-2 mm in plane
interpolated to less, 8-10 mm from slice to slice)."""

_LONGEST_MM = 100.0


class SpacingDialog(QDialog):
    """Asks for the distances of rows, columns and slices.

    Args:
        geometry: The grid of the open stack.
        opening: How the study was opened; a spacing in it was given by a reader.
        parent: The window.

    Signals:
        spacing_chosen(object): `SpacingMm`, or None for the file's own.
    """

    spacing_chosen = Signal(object)

    def __init__(self, geometry: Geometry, opening: Opening, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Correct spacing")
        self._known = geometry.spacing_known
        down, across = geometry.pixel_spacing_mm
        apart = geometry.single_slice_spacing_mm if geometry.slices == 1 else geometry.slice_spacing_mm
        self._now: SpacingMm = (down, across, apart or _USUAL_MM[2]) if self._known else _USUAL_MM
        self._boxes = tuple(
            _box(value, name) for value, name in zip(self._now, ("rows", "columns", "slices"), strict=True)
        )
        if opening.spacing_mm is not None:
            source = "A reader entered these distances; the file gives other values."
        elif self._known:
            source = "These distances come from the file."
        else:
            source = "The file does not give the spacing, so there are no ml, mm or g. The values below are typical."
        form = QFormLayout()
        form.setSpacing(10)
        for box, text in zip(self._boxes, ("Row to row", "Column to column", "Slice to slice"), strict=True):
            form.addRow(text, box)
            box.valueChanged.connect(self._show_volume)
        self._volume = label("", "soft")
        form.addRow("Voxel volume", self._volume)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        if opening.spacing_mm is not None:
            back = QPushButton("Reset to file values")
            back.setToolTip("Discard the correction and use the values from the file")
            back.clicked.connect(self._use_the_files)
            buttons.addButton(back, QDialogButtonBox.ButtonRole.ResetRole)
        note = label(
            "Distances between centres, not slice thickness. Saved with this study. Volumes are updated. Frames that "
            "you did not work on are segmented again.",
            "small",
            wrap=True,
        )
        self.setLayout(
            column(label(source, "soft", wrap=True), form, note, buttons, spacing=12, margins=(18, 16, 18, 14))
        )
        self.setMinimumWidth(420)
        self._show_volume()

    @property
    def spacing_mm(self) -> SpacingMm:
        """What is entered."""
        row, col, apart = (box.value() for box in self._boxes)
        return row, col, apart

    def _show_volume(self) -> None:
        row, col, apart = self.spacing_mm
        old = self._now[0] * self._now[1] * self._now[2]
        now = row * col * apart
        change = (
            f"; volumes change by a factor of {now / old:.2f}" if self._known and abs(now / old - 1) > 0.005 else ""
        )
        self._volume.setText(f"{now:.1f} mm\N{SUPERSCRIPT THREE}{change}")

    def _use_the_files(self) -> None:
        super().accept()
        self.spacing_chosen.emit(None)

    def accept(self) -> None:
        """Tell what was entered."""
        super().accept()
        self.spacing_chosen.emit(self.spacing_mm)


def _box(value: float, name: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(4)
    box.setRange(0.01, _LONGEST_MM)
    box.setSingleStep(0.05)
    box.setSuffix(" mm")
    box.setValue(value)
    box.setAccessibleName(f"Distance between {name} in mm")
    box.setToolTip(f"Distance between the centres of neighbouring {name}")
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    return box
