"""Writes what is shown of the open study beside the window."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cmr_viewer.app.session import Session
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.study import Study
from cmr_viewer.export.formats import Anonymity, Results
from cmr_viewer.export.study import Exported, export_study, results_of
from cmr_viewer.progress import Progress
from cmr_viewer.reading.reads import read_in_words

EXPORT_KEY = "export"


@dataclass(frozen=True)
class ExportChoice:
    """What the reader wants written.

    Attributes:
        folder: Where to.
        formats: Names of the formats.
        deidentify: Whether the patient is taken out.
        shift_dates: Whether dates are shifted then, instead of removed.
        replace: Whether files of an earlier export in the folder may be replaced.
    """

    folder: Path
    formats: frozenset[str]
    deidentify: bool = False
    shift_dates: bool = False
    replace: bool = False


def results_now(session: Session) -> Results:
    """Everything that is known of the open study now, for an export."""
    assert session.study.reading is not None
    about = {"read": read_in_words(session.study.read)}
    results = results_of(
        session.study.reading, reader=session.reads.reader, effort=session.study.effort().rows, about=about
    )
    by_hand = any(one is not Provenance.AUTOMATIC for one in results.provenances.values())
    return results if by_hand else replace(results, reader="")


def export_label_maps(session: Session, study: Study, path: Path, say: Callable[[str, str], None]) -> None:
    """Write what is shown of all frames as one NIfTI file, on the grid of the input; on the job thread.

    Args:
        session: The session; its label maps are taken as they are now.
        study: The open study.
        path: Where to write; replaced whole if it exists.
        say: Told severity and text when it is done.
    """
    results = results_now(session)
    missing = len(study.stack.frame_indices) - len(results.provenances)

    def work(progress: Progress) -> None:
        from cmr_viewer.export.nifti import write_nifti_labels  # noqa: PLC0415 - nibabel is slow to import

        progress(0.0, f"Writing {path.name}")
        write_nifti_labels(path, results.labels, study)

    def done(_result: object) -> None:
        note = f" {missing} frames without a label map are empty." if missing else ""
        say("info", f"The label maps were written to {path}.{note}")

    session.jobs.submit(
        EXPORT_KEY,
        f"Writing {path.name}",
        work,
        on_finished=done,
        on_failed=lambda text: say("error", text),
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
        session: The session; what it shows is taken as it is now.
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
