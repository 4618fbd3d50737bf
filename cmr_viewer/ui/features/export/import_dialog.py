"""Asks what a file of label maps does not tell: what its numbers mean, or which phase it belongs to."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QPushButton, QWidget

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.ui.features.export.label_import import ImportQuestion
from cmr_viewer.ui.window.widgets import column, label

_NOTHING = "None of these"


class ImportDialog(QDialog):
    """One question about a file that is being imported.

    Args:
        question: What is not known.
        phases: Phases of the open stack.
        ed: End-diastole, from 0, or None where it is not known.
        es: End-systole likewise.
        parent: The window.

    Signals:
        codes_said(object): What each number means, dict of int to `Label`; BACKGROUND for what is not taken.
        phase_said(int): The phase, from 0.
    """

    codes_said = Signal(object)
    phase_said = Signal(int)

    def __init__(
        self, question: ImportQuestion, phases: int, ed: int | None, es: int | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import")
        self._boxes: dict[int, QComboBox] = {}
        self._phase: QComboBox | None = None
        form = QFormLayout()
        form.setSpacing(10)
        if question.is_about_phase:
            self._phase = _phase_box(phases, question.request.shown_phase, ed, es)
            form.addRow("Phase", self._phase)
            note = "The current phase is preselected."
        else:
            for code, pixels in sorted(question.codes.items()):
                self._boxes[code] = box = _meaning_box(code, question.guess.get(code))
                box.currentIndexChanged.connect(self._show_possible)
                form.addRow(f"{code}  ({pixels:,} pixels)", box)
            note = "Papillary muscles and trabeculae belong to the blood pool."
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._import = QPushButton("Import")
        self._import.setProperty("part", "primary")
        self._import.setToolTip("Import the file with these settings")
        self._import.setDefault(True)
        buttons.addButton(self._import, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.setLayout(
            column(
                label(question.text, wrap=True),
                form,
                label(note, "small", wrap=True),
                buttons,
                spacing=14,
                margins=(18, 16, 18, 14),
            )
        )
        self.setMinimumWidth(460)
        self._show_possible()

    @property
    def codes(self) -> dict[int, Label]:
        """What is said of each number so far."""
        return {code: Label(box.currentData()) for code, box in self._boxes.items() if box.currentIndex() >= 0}

    def _show_possible(self) -> None:
        said = self.codes
        whole = len(said) == len(self._boxes) and any(said.values())
        self._import.setEnabled(self._phase is not None or whole)

    def accept(self) -> None:
        """Tell what was said."""
        super().accept()
        if self._phase is not None:
            self.phase_said.emit(self._phase.currentIndex())
        else:
            self.codes_said.emit(self.codes)


def _phase_box(phases: int, shown: int, ed: int | None, es: int | None) -> QComboBox:
    box = QComboBox()
    for phase in range(phases):
        marks = [text for text, at in (("ED", ed), ("ES", es), ("current", shown)) if at == phase]
        box.addItem(f"Phase {phase + 1}" + (f"  ({', '.join(marks)})" if marks else ""))
    box.setCurrentIndex(shown)
    box.setAccessibleName("Phase of the file")
    box.setToolTip("The phase of these label maps")
    return box


def _meaning_box(code: int, guess: Label | None) -> QComboBox:
    box = QComboBox()
    for structure in STRUCTURES:
        box.addItem(structure.text, int(structure))
    box.addItem(_NOTHING, int(Label.BACKGROUND))
    box.setPlaceholderText("Choose…")
    box.setCurrentIndex(-1 if guess is None else box.findData(int(guess)))
    box.setAccessibleName(f"Meaning of {code}")
    box.setToolTip(f"What {code} means in this file")
    return box
