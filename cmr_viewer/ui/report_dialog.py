"""Chooses the form of a report and where it goes, and shows the writing."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QFileDialog,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QWidget,
)

from cmr_viewer.report.write import FORMATS, ReportFormat
from cmr_viewer.ui.theme import icon
from cmr_viewer.ui.widgets import column, label, row, rule


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


class ReportDialog(QDialog):
    """One dialog for every form of report.

    Args:
        name: The study's name.
        folder: The folder to propose.
        parent: The window.

    Signals:
        wanted(object): `ReportChoice`.
        cancel_wanted(): The writing is to be stopped.
    """

    wanted = Signal(object)
    cancel_wanted = Signal()

    def __init__(self, name: str, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Report")
        self._name, self._running = name, False
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
        self._path.setToolTip("A file that is there is replaced, whole")
        self._path.textChanged.connect(self._show_possible)
        self._browse = QPushButton(icon("folder"), "Browse…")
        self._browse.setToolTip("Choose the file")
        self._browse.clicked.connect(self._choose_file)
        self._patient = QLineEdit()
        self._patient.setAccessibleName("Patient on the report")
        self._patient.setPlaceholderText("Nobody is named")
        self._patient.setToolTip("Stands at the head of the report; it is kept nowhere else")
        self._open = QCheckBox("Open it when it is written")
        self._open.setToolTip("With the program of the system")
        self._open.setChecked(True)
        self._said = label("", "bad", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("How much is written")
        self._what = label("", "soft")
        self._what.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._write = QPushButton(icon("report"), "Write")
        self._write.setProperty("part", "primary")
        self._write.setDefault(True)
        self._write.setToolTip("Write the report")
        self._write.clicked.connect(self._on_write)
        self._cancel = QPushButton("Cancel")
        self._cancel.setToolTip("Close, or stop the writing; nothing half-written is left")
        self._cancel.clicked.connect(self.reject)
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
                self._said,
                self._bar,
                row(self._what, None, self._write, self._cancel, spacing=8),
                spacing=9,
                margins=(18, 16, 18, 14),
            )
        )
        self.setMinimumWidth(560)
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

    @property
    def problem(self) -> str:
        """Why the last report could not be written; empty where none failed."""
        return self._said.text()

    @property
    def is_running(self) -> bool:
        """Whether something is being written."""
        return self._running

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
        self._write.setEnabled(bool(self._path.text().strip()) and not self._running)

    def _show_running(self, running: bool) -> None:
        self._running = running
        self._bar.setVisible(running)
        self._said.setVisible(bool(self._said.text()) and not running)
        self._cancel.setText("Stop" if running else "Cancel")
        if not running:
            self._what.setText("")
        self._show_possible()

    def _on_write(self) -> None:
        choice = self.choice
        self._said.setText("")
        self._bar.setValue(0)
        self._show_running(True)
        self.wanted.emit(choice)

    def show_progress(self, fraction: float, text: str) -> None:
        """How far the writing is."""
        self._bar.setValue(round(1000 * fraction))
        self._what.setText(text)

    def show_failed(self, text: str) -> None:
        """Nothing was written; the reader may change something and try again."""
        self._said.setText(text)
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
