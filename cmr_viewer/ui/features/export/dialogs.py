"""Dialogs of import, export and reports."""

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.export import formats
from cmr_viewer.export.formats import Format
from cmr_viewer.export.report.write import FORMATS, ReportFormat
from cmr_viewer.ui.features.export.label_import import ImportQuestion
from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import column, label, row, rule


class WritingDialog(QDialog):
    """A dialog that stays open while what it chose is written; the dialog of each kind lays it out.

    Args:
        title: Title of the window.
        go_icon: Icon of the button that begins to write.
        go_text: Its text.
        go_tip: Its tip.
        parent: The window.

    Signals:
        wanted(object): What is chosen is to be written.
        cancel_wanted(): The writing is to be stopped.
    """

    wanted = Signal(object)
    cancel_wanted = Signal()

    def __init__(self, title: str, go_icon: str, go_text: str, go_tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(560)
        self._running = False
        self._waits_for = ""
        self._wait = label("", "soft", wrap=True)
        self._wait.setAccessibleName("Reason to wait")
        self._wait.hide()
        self._problem = label("", "bad", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of writing")
        self._what = label("", "soft")
        self._what.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._go = QPushButton(icon(go_icon), go_text)
        self._go.setProperty("part", "primary")
        self._go.setDefault(True)
        self._go.setToolTip(go_tip)
        self._go.clicked.connect(self._on_go)
        self._cancel = QPushButton("Cancel")
        self._cancel.setToolTip("Close, or stop writing; no partial files remain")
        self._cancel.clicked.connect(self.reject)

    @property
    @abstractmethod
    def choice(self) -> Any:
        """What is chosen."""

    @abstractmethod
    def _show_possible(self) -> None:
        """Enable what can be changed now."""

    @property
    def problem(self) -> str:
        """Why the last writing did not work; empty where none failed."""
        return self._problem.text()

    @property
    def waits_for(self) -> str:
        """What must be done before anything can be written, as it is shown; empty for nothing."""
        return self._waits_for

    def wait_for(self, text: str) -> None:
        """Let the reader choose, but not begin to write before something is done; empty once it is."""
        if text == self._waits_for:
            return
        self._waits_for = text
        self._wait.setText(f"{text} You can continue when it is finished." if text else "")
        self._wait.setVisible(bool(text))
        self._show_possible()

    @property
    def _can_go(self) -> bool:
        """Whether nothing is being written or waited for."""
        return not self._running and not self._waits_for

    @property
    def is_running(self) -> bool:
        """Whether something is being written."""
        return self._running

    def _buttons(self) -> QHBoxLayout:
        """The last line: what is being written, begin, cancel."""
        return row(self._what, None, self._go, self._cancel, spacing=8)

    def _show_running(self, running: bool) -> None:
        self._running = running
        self._bar.setVisible(running)
        self._problem.setVisible(bool(self._problem.text()) and not running)
        self._cancel.setText("Stop" if running else "Cancel")
        if not running:
            self._what.setText("")
        self._show_possible()

    def _on_go(self) -> None:
        choice = self.choice
        self._problem.setText("")
        self._bar.setValue(0)
        self._show_running(True)
        self.wanted.emit(choice)

    def show_progress(self, fraction: float, text: str) -> None:
        """How far the writing is."""
        self._bar.setValue(round(1000 * fraction))
        self._what.setText(text)

    def show_failed(self, text: str) -> None:
        """Nothing was written; the reader may change something and try again."""
        self._problem.setText(text)
        self._show_running(False)

    def show_done(self) -> None:
        """All is written."""
        self._show_running(False)
        self.accept()

    def reject(self) -> None:
        """Stop the writing, or close."""
        if self._running:
            self.cancel_wanted.emit()
        else:
            super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop the writing first."""
        if self._running:
            self.cancel_wanted.emit()
        super().closeEvent(event)


@dataclass(frozen=True)
class ExportChoice:
    """What the reader wants written.

    Attributes:
        folder: Where to.
        formats: Names of the formats.
        deidentify: Whether the patient's data are removed.
        shift_dates: Whether dates are shifted then, instead of removed.
        replace: Whether files of an earlier export in the folder may be replaced.
    """

    folder: Path
    formats: frozenset[str]
    deidentify: bool = False
    shift_dates: bool = False
    replace: bool = False


class ExportDialog(WritingDialog):
    """One dialog for every form of export.

    Args:
        name: The study's name.
        possible: The formats that the study can be written in.
        folder: The folder to propose.
        parent: The window.

    Signals:
        wanted(object): `ExportChoice`.
    """

    def __init__(self, name: str, possible: Collection[str], folder: Path, parent: QWidget | None = None) -> None:
        super().__init__("Export", "export", "Export", "Write the chosen files", parent)
        self._possible = frozenset(possible)
        self._formats = {each.name: self._format_box(each) for each in formats.FORMATS}
        self._deidentify = QCheckBox("De-identify")
        self._deidentify.setToolTip("Remove or replace names, numbers and dates (basic profile of DICOM PS3.15)")
        self._shift = QCheckBox("Shift dates instead of removing them")
        self._shift.setToolTip(
            "Shift all dates of a patient by the same number of days, so that intervals are preserved"
        )
        self._replace = QCheckBox("Replace files of an earlier export")
        self._replace.setToolTip("Overwrite existing files; otherwise they are left unchanged")
        self._folder = QLineEdit(str(folder))
        self._folder.setAccessibleName("Folder to write to")
        self._folder.setToolTip("A missing folder is created")
        self._browse = QPushButton(icon("folder"), "Browse…")
        self._browse.setToolTip("Choose the folder")
        self._browse.clicked.connect(self._choose_folder)
        self.setLayout(self._column(name))
        for box in (*self._formats.values(), self._deidentify):
            box.toggled.connect(self._show_possible)
        self._folder.textChanged.connect(self._show_possible)
        self._show_running(False)

    def _format_box(self, each: Format) -> QCheckBox:
        box = QCheckBox(each.title)
        box.setToolTip(each.about)
        box.setAccessibleDescription(each.about)
        box.setChecked(each.is_ticked)
        return box

    def _column(self, name: str) -> QVBoxLayout:
        lines = []
        for each in formats.FORMATS:
            box = self._formats[each.name]
            box.setFixedWidth(130)
            lines.append(row(box, label(each.about, "small"), None, spacing=8))
        return column(
            label(f"Export {name}", "title"),
            label("WHAT", "heading"),
            *lines,
            rule(),
            label("PATIENT", "heading"),
            row(self._deidentify, None, self._shift, spacing=12),
            rule(),
            label("WHERE", "heading"),
            row(self._folder, self._browse),
            self._replace,
            self._wait,
            self._problem,
            self._bar,
            self._buttons(),
            spacing=9,
            margins=(18, 16, 18, 14),
        )

    @property
    def choice(self) -> ExportChoice:
        """What is chosen."""
        always = {each.name for each in formats.FORMATS if each.is_always_written}
        chosen = {name for name, box in self._formats.items() if box.isChecked() and box.isEnabled()}
        deidentify = self._deidentify.isChecked()
        return ExportChoice(
            Path(self._folder.text().strip()).expanduser(),
            frozenset(chosen | always),
            deidentify,
            deidentify and self._shift.isChecked(),
            self._replace.isChecked(),
        )

    def _show_possible(self) -> None:
        for each in formats.FORMATS:
            allowed = self._deidentify.isChecked() or not each.only_deidentified
            possible = allowed and each.name in self._possible
            self._formats[each.name].setEnabled(possible and not each.is_always_written and not self._running)
        for other in (self._deidentify, self._replace, self._folder, self._browse):
            other.setEnabled(not self._running)
        self._shift.setEnabled(self._deidentify.isChecked() and not self._running)
        self._go.setEnabled(bool(self._folder.text().strip()) and self._can_go)

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Export to", self._folder.text())
        if chosen:
            self._folder.setText(chosen)


@dataclass(frozen=True)
class ReportChoice:
    """What the reader wants.

    Attributes:
        path: The file.
        form: PDF, HTML or CSV.
        patient: What is to be named as the patient; empty for nobody.
        open_it: Whether the file is opened when it is written.
    """

    path: Path
    form: ReportFormat
    patient: str = ""
    open_it: bool = False


class ReportDialog(WritingDialog):
    """One dialog for every form of report.

    Args:
        name: The study's name.
        folder: The folder to propose.
        parent: The window.

    Signals:
        wanted(object): `ReportChoice`.
    """

    def __init__(self, name: str, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__("Report", "report", "Write", "Write the report", parent)
        self._forms = QButtonGroup(self)
        lines = []
        for index, (form, (text, tip)) in enumerate(FORMATS.items()):
            button = QRadioButton(text)
            button.setToolTip(tip)
            button.setAccessibleDescription(tip)
            button.setChecked(form is ReportFormat.PDF)
            button.setFixedWidth(80)
            self._forms.addButton(button, index)
            lines.append(row(button, label(tip, "small"), None, spacing=8))
        self._forms.idToggled.connect(self._follow_form)
        self._path = QLineEdit(str(folder / f"{name}-report.pdf"))
        self._path.setAccessibleName("File to write to")
        self._path.setToolTip("An existing file is replaced")
        self._path.textChanged.connect(self._show_possible)
        self._browse = QPushButton(icon("folder"), "Browse…")
        self._browse.setToolTip("Choose the file")
        self._browse.clicked.connect(self._choose_file)
        self._patient = QLineEdit()
        self._patient.setAccessibleName("Patient on the report")
        self._patient.setPlaceholderText("Patient not named")
        self._patient.setToolTip("Appears at the top of the report and is saved nowhere else")
        self._open = QCheckBox("Open the report when it is ready")
        self._open.setToolTip("Open in the default program of your system")
        self._open.setChecked(True)
        self.setLayout(
            column(
                label(f"Report on {name}", "title"),
                label("FORM", "heading"),
                *lines,
                rule(),
                label("PATIENT", "heading"),
                self._patient,
                rule(),
                label("WHERE", "heading"),
                row(self._path, self._browse),
                self._open,
                self._wait,
                self._problem,
                self._bar,
                self._buttons(),
                spacing=9,
                margins=(18, 16, 18, 14),
            )
        )
        self._show_running(False)

    @property
    def form(self) -> ReportFormat:
        """The form that is chosen."""
        return list(FORMATS)[max(0, self._forms.checkedId())]

    @property
    def choice(self) -> ReportChoice:
        """What is chosen."""
        path = Path(self._path.text().strip()).expanduser()
        if path.suffix.lower() != f".{self.form.value}":
            path = path.with_name(f"{path.name}.{self.form.value}")
        return ReportChoice(path, self.form, self._patient.text().strip(), self._open.isChecked())

    def choose(self, form: ReportFormat, path: Path) -> None:
        """Choose form and file."""
        self._forms.button(list(FORMATS).index(form)).setChecked(True)
        self._path.setText(str(path))

    def _follow_form(self, index: int, on: bool) -> None:
        if on:
            path = Path(self._path.text().strip())
            if path.suffix.lower().lstrip(".") in {form.value for form in FORMATS}:
                self._path.setText(str(path.with_suffix(f".{list(FORMATS)[index].value}")))

    def _choose_file(self) -> None:
        form = self.form
        filters = f"{FORMATS[form][0]} (*.{form.value})"
        chosen, _ = QFileDialog.getSaveFileName(self, "Report", self._path.text(), filters)
        if chosen:
            self._path.setText(chosen)

    def _show_possible(self) -> None:
        for button in (*self._forms.buttons(), self._path, self._browse, self._patient, self._open):
            button.setEnabled(not self._running)
        self._go.setEnabled(bool(self._path.text().strip()) and self._can_go)


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
        codes_chosen(object): What each number means, dict of int to `Label`; BACKGROUND for what is left out.
        phase_chosen(int): The phase, from 0.
    """

    codes_chosen = Signal(object)
    phase_chosen = Signal(int)

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
        """What is set for each number so far."""
        return {code: Label(box.currentData()) for code, box in self._boxes.items() if box.currentIndex() >= 0}

    def _show_possible(self) -> None:
        codes = self.codes
        whole = len(codes) == len(self._boxes) and any(codes.values())
        self._import.setEnabled(self._phase is not None or whole)

    def accept(self) -> None:
        """Report what was set."""
        super().accept()
        if self._phase is not None:
            self.phase_chosen.emit(self._phase.currentIndex())
        else:
            self.codes_chosen.emit(self.codes)


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
