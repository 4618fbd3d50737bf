"""Chooses what of a study is written and where to, and shows the writing."""

from collections.abc import Collection
from pathlib import Path

from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from cmr_viewer.export import formats
from cmr_viewer.export.formats import Format
from cmr_viewer.ui.dialogs.writing_dialog import WritingDialog
from cmr_viewer.ui.features.export.exporting import ExportChoice
from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import column, label, row, rule


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
            self._said,
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
