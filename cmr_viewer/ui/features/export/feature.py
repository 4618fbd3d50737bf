# ruff: noqa: E501 - one row per action reads as a table
"""Import of label maps from other programs, export and reports, in the window."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFileDialog, QMessageBox

from cmr_viewer.app.session import Session
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.study import Study
from cmr_viewer.export.formats import Anonymity, Results, formats_of
from cmr_viewer.export.study import Exported, export_study, results_of
from cmr_viewer.progress import Progress
from cmr_viewer.reading.reads import read_in_words
from cmr_viewer.ui.features.export.dialogs import ExportChoice, ExportDialog, ImportDialog
from cmr_viewer.ui.features.export.label_import import ImportOffer, ImportQuestion, LabelImport
from cmr_viewer.ui.features.export.reports import Reports
from cmr_viewer.ui.window.actions import ActionSpec, Menu
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.studies import last_folder, show_study_dialog

EXPORT_KEY = "export"
_LABEL_FILES = (
    "Label maps and contours (*.nii *.nii.gz *.nrrd *.mha *.mhd *.dcm *.cvi42wsx *.zip *.xml *.txt *.json);;"
    "All files (*)"
)


class ExportFeature(Feature):
    """Import and export of the open study.

    Attributes:
        label_import: Reads label maps and contours.
        reports: Writes reports.
    """

    # fmt: off
    specs = (
        ActionSpec("import_labels", "I&mport contours or label maps…", ("Ctrl+I",), "Import contours or label maps from another program for this study", Menu.FILE, icon="import", section=2),
        ActionSpec("import_folder", "Import contours from a fo&lder…", ("Ctrl+Shift+I",), "Import a folder of contour files for this study", Menu.FILE, section=2),
        ActionSpec("export_labels", "&Export label maps…", ("Ctrl+E",), "Export the label maps as NIfTI on the grid of the original images", Menu.FILE, icon="export", section=3),
        ActionSpec("export", "Ex&port…", ("Ctrl+Shift+E",), "Export label maps, images, contours, measures or regions in the formats you choose", Menu.FILE, section=3),
        ActionSpec("report", "&Report…", ("Ctrl+Shift+R",), "Write a report with pictures, measures and the history of changes: PDF, HTML or CSV", Menu.FILE, icon="report", section=3, short="Report"),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._session, self._window = context.session, context.window
        self.label_import = LabelImport(context.session, parent=self)
        self.reports = Reports(context, self)
        self._dialog: ExportDialog | None = None
        self._folder = Path.home()

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {
            "import_labels": self.import_file,
            "import_folder": self.import_folder,
            "export_labels": self.export_label_maps,
            "export": self.export,
            "report": self.reports.ask,
        }

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session, label_import = self._session, self.label_import
        yield from (
            (label_import.asked, self.ask),
            (label_import.offered, self.confirm),
            (label_import.refused, self._on_refused),
            (label_import.imported, self._on_taken),
            (session.jobs.progressed, self._on_progress),
            (session.jobs.cancelled, self._on_cancelled),
        )
        for signal in (
            session.jobs.failed,
            session.jobs.cancelled,
            session.study.frames_changed,
            session.study.analysed,
            session.models.changed,
        ):
            yield signal, self._show_wait
        yield from self.reports.wires()

    # Import

    @Slot()
    def import_file(self) -> None:
        """Ask for a file of label maps or contours."""
        start, study = last_folder(self.context.settings), self._session.study.data
        chosen, _ = QFileDialog.getOpenFileName(self._window, "Import contours or label maps", start, _LABEL_FILES)
        if chosen and self._session.study.data is study:
            self.import_from(Path(chosen))

    @Slot()
    def import_folder(self) -> None:
        """Ask for a folder of contours."""
        start, study = last_folder(self.context.settings), self._session.study.data
        chosen = QFileDialog.getExistingDirectory(self._window, "Import contours from a folder", start)
        if chosen and self._session.study.data is study:
            self.import_from(Path(chosen))

    def import_from(self, path: Path) -> None:
        """Read label maps or contours for the open study."""
        self.label_import.read(path, self.context.desk.frame.phase)

    @Slot(object)
    def ask(self, question: ImportQuestion) -> None:
        """Ask what the file does not give."""
        stack = question.request.study.stack
        dialog = ImportDialog(
            question, stack.phases, self._session.study.ed_phase, self._session.study.es_phase, self._window
        )
        dialog.codes_chosen.connect(lambda codes: self.label_import.answer(question, codes=codes))
        dialog.phase_chosen.connect(lambda phase: self.label_import.answer(question, phase=phase))
        show_study_dialog(dialog)

    @Slot(object)
    def confirm(self, offer: ImportOffer) -> None:
        """Ask before anything is replaced that the reader has worked on."""
        if not (offer.accepted or offer.corrected):
            self.label_import.take(offer, replace_worked_on=True)
            return
        box = QMessageBox(QMessageBox.Icon.Question, "Import", _question(offer), parent=self._window)
        box.setTextFormat(Qt.TextFormat.PlainText)
        roles = QMessageBox.ButtonRole
        everything = box.addButton("Import and replace", roles.AcceptRole)
        everything.setObjectName("replace")
        everything.clicked.connect(lambda: self.label_import.take(offer, replace_worked_on=True))
        if len(offer.accepted | offer.corrected) < len(offer.frames):
            rest = box.addButton("Import the other frames only", roles.AcceptRole)
            rest.setObjectName("rest")
            rest.clicked.connect(lambda: self.label_import.take(offer, replace_worked_on=False))
            box.setDefaultButton(rest)
        box.setEscapeButton(box.addButton(QMessageBox.StandardButton.Cancel))
        show_study_dialog(box)

    @Slot(str)
    def _on_refused(self, text: str) -> None:
        self.context.show_message("error", text)

    @Slot(str, bool)
    def _on_taken(self, text: str, warned: bool) -> None:
        self.context.show_message("warning" if warned else "info", text)

    # Export

    @Slot()
    def export_label_maps(self) -> None:
        """Write the label maps as one NIfTI file."""
        study = self._session.study.data
        if study is None:
            return
        if why_not := self._session.study.why_not_whole:
            self.context.show_message("warning", f"{why_not} Export the label maps when it is finished.")
            return
        start = str(Path(last_folder(self.context.settings)) / f"{study.name}-labels.nii.gz")
        chosen, _ = QFileDialog.getSaveFileName(self._window, "Export label maps", start, "NIfTI (*.nii.gz)")
        if chosen and self._session.study.data is study:
            path = Path(chosen if chosen.endswith((".nii", ".nii.gz")) else f"{chosen}.nii.gz")
            export_label_maps(self._session, study, path, partial(self.context.show_message_about, study))

    @Slot()
    def export(self) -> None:
        """Ask what to write and where to."""
        study = self._session.study.data
        if study is None:
            return
        folder = self._folder / f"{study.name}-export"
        self._dialog = ExportDialog(study.name, formats_of(study, deidentified=True), folder, self._window)
        self._dialog.wanted.connect(self._start)
        self._dialog.cancel_wanted.connect(self._stop)
        self._dialog.finished.connect(self._forget)
        self._show_wait()
        show_study_dialog(self._dialog)

    @Slot(object)
    def _start(self, choice: ExportChoice) -> None:
        study = self._session.study.data
        if study is None:
            return
        self._folder = choice.folder.parent
        export_chosen(self._session, study, choice, partial(self._on_done, study), partial(self._on_failed, study))

    @Slot()
    def _show_wait(self) -> None:
        """Results that are not whole are not exported."""
        if self._dialog is not None:
            self._dialog.wait_for(self._session.study.why_not_whole)

    @Slot()
    def _stop(self) -> None:
        self._session.jobs.cancel(EXPORT_KEY)

    @Slot()
    def _forget(self) -> None:
        self._dialog = None

    def _on_done(self, study: Study, written: Exported) -> None:
        if self._dialog is not None:
            self._dialog.show_done()
        text = f"Written to {written.folder}: {', '.join(written.files)}."
        self.context.show_message_about(study, "info", " ".join([text, *written.notes]))

    def _on_failed(self, study: Study, text: str) -> None:
        if self._dialog is not None:
            self._dialog.show_failed(text)
        else:
            self.context.show_message_about(study, "error", text)

    @Slot(str, float, str)
    def _on_progress(self, key: str, fraction: float, text: str) -> None:
        if key == EXPORT_KEY and self._dialog is not None:
            self._dialog.show_progress(fraction, text)

    @Slot(str)
    def _on_cancelled(self, key: str) -> None:
        if key == EXPORT_KEY and self._dialog is not None:
            self._dialog.show_failed("The export was stopped. No files were written.")


def _question(offer: ImportOffer) -> str:
    """What is to be decided about an import, in words."""
    frames = len(offer.frames)
    parts = [
        f"{offer.name} ({offer.read.provenance}) contains label maps for {frames} frame{'s' if frames > 1 else ''}."
    ]
    worked = []
    if offer.accepted:
        worked.append(f"{len(offer.accepted)} accepted")
    if offer.corrected:
        worked.append(f"{len(offer.corrected)} corrected")
    parts.append(f"Importing replaces your work: {' and '.join(worked)}. You can undo this.")
    return "\n\n".join(parts)


def results_now(session: Session) -> Results:
    """Everything that is known of the open study now, for an export."""
    assert session.study.reading is not None
    about = {"read": read_in_words(session.study.read)}
    results = results_of(
        session.study.reading, reader=session.reads.reader, effort=session.study.effort().rows, about=about
    )
    by_hand = any(one is not Provenance.AUTOMATIC for one in results.provenances.values())
    return results if by_hand else replace(results, reader="")


def export_label_maps(session: Session, study: Study, path: Path, show_message: Callable[[str, str], None]) -> None:
    """Write what is shown of all frames as one NIfTI file, on the grid of the input; on the job thread.

    Args:
        session: The session; its label maps are used as they are now.
        study: The open study.
        path: Where to write; replaced whole if it exists.
        show_message: Called with severity and text when it is done.
    """
    results = results_now(session)
    missing = len(study.stack.frame_indices) - len(results.provenances)

    def work(progress: Progress) -> None:
        from cmr_viewer.export.nifti import write_nifti_labels  # noqa: PLC0415 - nibabel is slow to import

        progress(0.0, f"Writing {path.name}")
        write_nifti_labels(path, results.labels, study)

    def done(_result: object) -> None:
        note = f" {missing} frames without a label map are empty." if missing else ""
        show_message("info", f"The label maps were written to {path}.{note}")

    session.jobs.submit(
        EXPORT_KEY,
        f"Writing {path.name}",
        work,
        on_finished=done,
        on_failed=lambda text: show_message("error", text),
        outlives_study=True,
    )


def export_chosen(
    session: Session,
    study: Study,
    choice: ExportChoice,
    on_done: Callable[[Exported], None],
    on_failed: Callable[[str], None],
) -> None:
    """Write a study in the forms that were chosen; on the job thread.

    Args:
        session: The session; what it shows is used as it is now.
        study: The open study.
        choice: What to write, and where.
        on_done: Called with what was written.
        on_failed: Called with why it was not.
    """
    session.jobs.submit(
        EXPORT_KEY,
        "Exporting the study",
        partial(_export, study, results_now(session), choice, session.workspace.folder),
        on_finished=on_done,
        on_failed=on_failed,
        outlives_study=True,
    )


def _export(study: Study, results: Results, choice: ExportChoice, workspace: Path, progress: Progress) -> Exported:
    anonymity = None
    if choice.deidentify:
        from cmr_viewer.export.deidentify import saved_secret  # noqa: PLC0415 - pydicom would keep the window waiting

        anonymity = Anonymity(saved_secret(workspace), choice.shift_dates)
    return export_study(
        choice.folder, study, results, choice.formats, progress, anonymity=anonymity, replace=choice.replace
    )
