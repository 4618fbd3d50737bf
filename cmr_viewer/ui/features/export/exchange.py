"""Taking label maps from other programs, and giving them away: dialogs, questions and reports."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from cmr_viewer.app.session import Session
from cmr_viewer.domain.study import Study
from cmr_viewer.export.formats import formats_of
from cmr_viewer.export.study import Exported
from cmr_viewer.ui.features.export.export_dialog import ExportDialog
from cmr_viewer.ui.features.export.exporting import EXPORT_KEY, ExportChoice, export_chosen, export_label_maps
from cmr_viewer.ui.features.export.import_dialog import ImportDialog
from cmr_viewer.ui.features.export.label_import import ImportOffer, ImportQuestion, LabelImport
from cmr_viewer.ui.window.desk import Desk
from cmr_viewer.ui.window.studies import Say, Studies, show_study_dialog

_LABEL_FILES = (
    "Label maps and contours (*.nii *.nii.gz *.nrrd *.mha *.mhd *.dcm *.cvi42wsx *.zip *.xml *.txt *.json);;"
    "All files (*)"
)


class Exchange(QObject):
    """Import and export of the open study.

    Args:
        session: The session.
        desk: Where the reader is.
        studies: Knows where a dialog for files begins.
        say: Tells the reader something.
        say_of: Tells something about a study that may be left by now.
        window: The window.
    """

    def __init__(
        self,
        session: Session,
        desk: Desk,
        studies: Studies,
        say: Say,
        say_of: Callable[[Study, str, str], None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._desk, self._studies, self._window = session, desk, studies, window
        self._say, self._say_of = say, say_of
        self.label_import = LabelImport(session, parent=self)
        self.label_import.asked.connect(self.ask)
        self.label_import.offered.connect(self.confirm)
        self.label_import.refused.connect(self._on_refused)
        self.label_import.taken.connect(self._on_taken)
        self._dialog: ExportDialog | None = None
        self._folder = Path.home()
        session.jobs.progressed.connect(self._on_progress)
        session.jobs.cancelled.connect(self._on_cancelled)
        study, jobs = session.study, session.jobs
        for signal in (jobs.failed, jobs.cancelled, study.frames_changed, study.analysed):
            signal.connect(self._show_wait)
        session.models.changed.connect(self._show_wait)

    # Import

    @Slot()
    def import_file(self) -> None:
        """Ask for a file of label maps or contours."""
        start, study = self._studies.last_folder(), self._session.study.data
        chosen, _ = QFileDialog.getOpenFileName(self._window, "Import contours or label maps", start, _LABEL_FILES)
        if chosen and self._session.study.data is study:
            self.import_from(Path(chosen))

    @Slot()
    def import_folder(self) -> None:
        """Ask for a folder of contours."""
        start, study = self._studies.last_folder(), self._session.study.data
        chosen = QFileDialog.getExistingDirectory(self._window, "Import contours from a folder", start)
        if chosen and self._session.study.data is study:
            self.import_from(Path(chosen))

    def import_from(self, path: Path) -> None:
        """Read label maps or contours for the open study."""
        self.label_import.read(path, self._desk.frame.phase)

    @Slot(object)
    def ask(self, question: ImportQuestion) -> None:
        """Ask what the file does not tell."""
        stack = question.request.study.stack
        study = self._session.study
        dialog = ImportDialog(question, stack.phases, study.ed_phase, study.es_phase, self._window)
        dialog.codes_said.connect(lambda codes: self.label_import.answer(question, codes=codes))
        dialog.phase_said.connect(lambda phase: self.label_import.answer(question, phase=phase))
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
        self._say("error", text)

    @Slot(str, bool)
    def _on_taken(self, text: str, warned: bool) -> None:
        self._say("warning" if warned else "info", text)

    # Export

    @Slot()
    def export_label_maps(self) -> None:
        """Write the label maps as one NIfTI file."""
        study = self._session.study.data
        if study is None:
            return
        if why_not := self._session.study.why_not_whole:
            self._say("warning", f"{why_not} Export the label maps when it is finished.")
            return
        start = str(Path(self._studies.last_folder()) / f"{study.name}-labels.nii.gz")
        chosen, _ = QFileDialog.getSaveFileName(self._window, "Export label maps", start, "NIfTI (*.nii.gz)")
        if chosen and self._session.study.data is study:
            path = Path(chosen if chosen.endswith((".nii", ".nii.gz")) else f"{chosen}.nii.gz")
            export_label_maps(self._session, study, path, partial(self._say_of, study))

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
        self._say_of(study, "info", " ".join([text, *written.notes]))

    def _on_failed(self, study: Study, text: str) -> None:
        if self._dialog is not None:
            self._dialog.show_failed(text)
        else:
            self._say_of(study, "error", text)

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
