"""`cmr-viewer report`: write a report on a corrected study as PDF, HTML or CSV."""

from argparse import Namespace
from pathlib import Path

from cmr_viewer.commands.service import print_notes
from cmr_viewer.commands.workspace import saved_study, study_as_decided
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import BsaFormula
from cmr_viewer.errors import StoreError
from cmr_viewer.export.report.material import as_read, material_of, work_done
from cmr_viewer.export.report.write import ReportFormat, write_report
from cmr_viewer.paths import default_workspace_dir
from cmr_viewer.store.database import open_workspace_readonly


def run(arguments: Namespace) -> int:
    """Write a report on one study, and print the name of the file.

    Returns:
        Exit code: 0.

    Raises:
        CmrViewerError: The study or the workspace cannot be read, or the file cannot be written.
    """
    form = form_of(arguments.output)
    with open_workspace_readonly(Path(arguments.workspace or default_workspace_dir())) as workspace:
        study = study_as_decided(arguments.study, workspace)
        reading = saved_study(workspace, study, incomplete=arguments.incomplete).reading
        work = work_done(workspace, reading)
    read = as_read(reading)
    material = material_of(
        read,
        work,
        made_by=arguments.reader,
        formula=BsaFormula(arguments.bsa),
        convention=PapillaryConvention(arguments.papillary),
        patient_name=arguments.patient,
    )
    written = write_report(arguments.output, form, material)
    print_notes("report", study.name, (*study.warnings, *read.notes))
    print(written, flush=True)
    return 0


def form_of(path: Path) -> ReportFormat:
    """The form of the report by the ending of the file's name.

    Raises:
        StoreError: The ending is none of those of a report.
    """
    ending = path.suffix.lower().lstrip(".")
    if ending not in tuple(ReportFormat):
        forms = ", ".join(f".{form}" for form in ReportFormat)
        raise StoreError(f"The ending of {path.name} names no format. Name a file that ends in {forms}.")
    return ReportFormat(ending)
