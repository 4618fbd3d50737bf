"""Chooses the form of a report and where it goes, and shows the writing."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFileDialog,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QWidget,
)

from cmr_viewer.export.report.write import FORMATS, ReportFormat
from cmr_viewer.ui.dialogs.writing_dialog import WritingDialog
from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import column, label, row, rule


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
                self._said,
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
