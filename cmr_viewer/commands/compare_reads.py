"""`cmr-viewer compare-reads`: compare the first and a second read of a study, frame by frame, as CSV or JSON."""

from argparse import Namespace
from pathlib import Path

from cmr_viewer.commands.workspace import study_as_decided
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import StoreError
from cmr_viewer.export.tables import write_comparison
from cmr_viewer.paths import default_workspace_dir
from cmr_viewer.reading.reads import both_reads
from cmr_viewer.reading.saving import SavedStudies
from cmr_viewer.store.database import Workspace, open_workspace_readonly
from cmr_viewer.store.reads import ReadKind, ReadStore


def run(arguments: Namespace) -> int:
    """Compare two reads of one study, and print the name of the file.

    Returns:
        Exit code: 0.

    Raises:
        CmrViewerError: The study or the workspace cannot be read, there is no second read, or the file cannot be
            written.
    """
    with open_workspace_readonly(Path(arguments.workspace or default_workspace_dir())) as workspace:
        study = study_as_decided(arguments.study, workspace)
        second = second_read_of(workspace, study, arguments.second)
        both = both_reads(SavedStudies(workspace), study, second)
    print(write_comparison(arguments.output, both.comparison), flush=True)
    return 0


def second_read_of(workspace: Workspace, study: Study, wanted: int | None) -> int:
    """ID of the second read: the one that is named, else the last finished one.

    Raises:
        StoreError: There is none.
    """
    reads = [one for one in ReadStore(workspace).list(study.stack.stack_id) if one.kind is not ReadKind.FIRST]
    done = [one.id for one in reads if one.is_finished and one.kind is ReadKind.SECOND]
    if wanted in {one.id for one in reads} and wanted is not None:
        return wanted
    if wanted is None and done:
        return done[-1]
    known = ", ".join(f"{one.id} ({one.kind} by {one.reader})" for one in reads) or "none"
    missing = "no finished second read" if wanted is None else f"no read {wanted}"
    raise StoreError(f"There is {missing} of {study.name} in {workspace.folder}. Other reads than the first: {known}.")
