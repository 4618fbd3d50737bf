"""Reports on the open study: asks what is wanted, and writes it beside the window."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.settings import login_name
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import BsaFormula
from cmr_viewer.domain.study import Study
from cmr_viewer.export.report.material import AsRead, WorkDone, as_read, material_of, work_done
from cmr_viewer.export.report.write import write_report
from cmr_viewer.progress import Progress, part
from cmr_viewer.ui.features.export.dialogs import ReportChoice, ReportDialog
from cmr_viewer.ui.window.feature import Context, Wire
from cmr_viewer.ui.window.studies import show_study_dialog

REPORT_KEY = "report"


class Reports(QObject):
    """Writes reports.

    Attributes:
        dialog: The dialog while it is open, or None.
    """

    def __init__(self, context: Context, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context
        self.dialog: ReportDialog | None = None
        self._folder = Path.home()

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session = self.context.session
        return (
            (session.jobs.progressed, self._on_progress),
            (session.jobs.cancelled, self._on_cancelled),
            (session.jobs.failed, self._show_wait),
            (session.jobs.cancelled, self._show_wait),
            (session.study.frames_changed, self._show_wait),
            (session.study.analysed, self._show_wait),
            (session.models.changed, self._show_wait),
        )

    @Slot()
    def ask(self) -> None:
        """Ask for form and file."""
        study = self.context.session.study.data
        if study is None:
            return
        self.dialog = ReportDialog(study.name, self._folder, self.context.window)
        self.dialog.wanted.connect(self.write)
        self.dialog.cancel_wanted.connect(self._stop)
        self.dialog.finished.connect(self._forget)
        self._show_wait()
        show_study_dialog(self.dialog)

    @Slot(object)
    def write(self, choice: ReportChoice) -> None:
        """Write a report of the study as it is shown now."""
        session = self.context.session
        reading = session.study.reading
        if reading is None:
            return
        self._folder = choice.path.parent
        session.study.effort()  # so that the present moment is saved too
        session.saving.do(  # on the store thread, so that what was just done is in the log
            "Reading the log",
            partial(work_done, session.workspace, reading),
            on_done=partial(self._submit, reading.study, choice, as_read(reading)),
            on_failed=partial(self._on_failed, reading.study),
            quiet=True,
        )

    def _submit(self, study: Study, choice: ReportChoice, read: AsRead, done: WorkDone) -> None:
        session, settings = self.context.session, self.context.settings
        formula, convention = BsaFormula(settings.bsa_formula), PapillaryConvention(settings.papillary)
        reader = "" if session.reads.reader == login_name() else session.reads.reader  # a login is no one's name
        work = partial(_write, choice, read, done, reader, formula, convention)
        session.jobs.submit(
            REPORT_KEY,
            f"Writing {choice.path.name}",
            work,
            priority=Priority.READER,
            on_finished=partial(self._on_done, study, choice),
            on_failed=partial(self._on_failed, study),
            outlives_study=True,
        )

    @Slot()
    def _show_wait(self) -> None:
        """A report on results that are not whole is not written."""
        if self.dialog is not None:
            self.dialog.wait_for(self.context.session.study.why_not_whole)

    @Slot()
    def _stop(self) -> None:
        self.context.session.jobs.cancel(REPORT_KEY)

    @Slot()
    def _forget(self) -> None:
        self.dialog = None

    def _on_done(self, study: Study, choice: ReportChoice, path: Path) -> None:
        if self.dialog is not None:
            self.dialog.show_done()
        self.context.show_message_about(study, "info", f"The report was written to {path}.")
        if choice.open_it:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _on_failed(self, study: Study, text: str) -> None:
        if self.dialog is not None:
            self.dialog.show_failed(text)
        else:
            self.context.show_message_about(study, "error", text)

    @Slot(str, float, str)
    def _on_progress(self, key: str, fraction: float, text: str) -> None:
        if key == REPORT_KEY and self.dialog is not None:
            self.dialog.show_progress(fraction, text)

    @Slot(str)
    def _on_cancelled(self, key: str) -> None:
        if key == REPORT_KEY and self.dialog is not None:
            self.dialog.show_failed("The report was stopped. No file was written.")


def _write(
    choice: ReportChoice,
    read: AsRead,
    work: WorkDone,
    reader: str,
    formula: BsaFormula,
    convention: PapillaryConvention,
    progress: Progress,
) -> Path:
    """For the job thread."""
    material = material_of(
        read,
        work,
        made_by=reader,
        formula=formula,
        convention=convention,
        patient_name=choice.patient,
        progress=part(progress, 0.0, 0.3),
    )
    return write_report(choice.path, choice.form, material, part(progress, 0.3, 1.0))
