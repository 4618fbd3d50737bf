"""`cmr-viewer report`: write a report on a corrected study as PDF, HTML or CSV."""

from argparse import Namespace
from pathlib import Path

from cmr_viewer.commands.export import refuse_unfinished, study_as_decided
from cmr_viewer.commands.notes import tell_notes
from cmr_viewer.domain.body_size import BsaFormula
from cmr_viewer.domain.papillary import PapillaryConvention
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import StoreError
from cmr_viewer.export.report.material import as_read, material_of, work_done
from cmr_viewer.export.report.write import ReportFormat, write_report
from cmr_viewer.paths import default_workspace_dir
from cmr_viewer.reading.open_study import Reading
from cmr_viewer.reading.saved_frames import Stores, put_back, read_kept
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import Workspace, open_workspace_readonly
from cmr_viewer.store.effort import EffortStore
from cmr_viewer.store.openings import OpeningStore
from cmr_viewer.store.reads import ReadStore
from cmr_viewer.store.stack_changes import StackChangeStore
from cmr_viewer.store.study_facts import StudyFacts
from cmr_viewer.store.undo_log import UndoLog


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
        reading = reading_of_workspace(workspace, study)
        work = work_done(workspace, reading)
    read = as_read(reading)
    done = sum(facts.labels is not None for facts in read.frames.values())
    analysed = any(facts.model_id for facts in read.frames.values())
    refuse_unfinished(study, analysed, done, incomplete=arguments.incomplete)
    material = material_of(
        read,
        work,
        made_by=arguments.reader,
        formula=BsaFormula(arguments.bsa),
        convention=PapillaryConvention(arguments.papillary),
        patient_name=arguments.patient,
    )
    written = write_report(arguments.output, form, material)
    tell_notes("report", study.name, (*study.warnings, *material.notes))
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


def stores_of(workspace: Workspace) -> Stores:
    """The stores of a workspace with the data of a study."""
    return Stores(
        AnnotationStore(workspace),
        OpeningStore(workspace),
        StackChangeStore(workspace),
        UndoLog(workspace),
        StudyFacts(workspace),
        EffortStore(workspace),
    )


def reading_of_workspace(workspace: Workspace, study: Study) -> Reading:
    """A study as the window shows it, with the work of readers and models.

    From the finished adjudication, if there is one; else from the first read.

    Raises:
        StoreError: The workspace has nothing of the study, or cannot be read.
    """
    stores = stores_of(workspace)
    read = ReadStore(workspace).result(study.stack.stack_id)
    reading = Reading(study, None if read is None else read.id)
    kept = read_kept(stores, reading)
    if not kept.annotations and not kept.predictions:
        raise StoreError(
            f"The workspace {workspace.folder} has no label maps of {study.name}. Open the study in the window first, "
            "or name the workspace with the corrections with --workspace."
        )
    put_back(reading, kept)
    return reading
