"""`cmr-viewer export`: export a corrected study, or label maps of a file, for other programs."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.commands.service import measured, opening_of, print_notes
from cmr_viewer.commands.workspace import saved_study, study_as_decided
from cmr_viewer.domain.anatomy import reference_regions
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.opening import NO_CHOICES
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import StoreError
from cmr_viewer.export.formats import Anonymity, RegionRow, Results, formats_of
from cmr_viewer.export.study import export_study, results_of
from cmr_viewer.load.labels.files import read_labels
from cmr_viewer.load.labels.meaning import Codes, CodeScheme
from cmr_viewer.load.study import open_study
from cmr_viewer.paths import default_workspace_dir
from cmr_viewer.reading.reads import read_in_words
from cmr_viewer.store.database import Workspace, open_workspace_readonly


def run(arguments: Namespace) -> int:
    """Export one study, print the folder, and print on standard error what a reader should know.

    Returns:
        Exit code: 0.

    Raises:
        CmrViewerError: The study, the workspace or the labels cannot be read, or the files cannot be written.
    """
    anonymity = _anonymity(arguments)
    if arguments.labels is not None:
        study = open_study(arguments.study, opening=opening_of(arguments))
        results = results_of_file(
            arguments.labels, study, arguments.codes, phase=_phase(arguments), anonymous=anonymity is not None
        )
    else:
        if opening_of(arguments) != NO_CHOICES:
            raise StoreError(
                "--slice-axis, --spacing and --any-size need --labels: a workspace has its reader's choices for the "
                "study. Leave them out, or change the study in the window."
            )
        with open_workspace_readonly(_workspace(arguments)) as workspace:
            study = study_as_decided(arguments.study, workspace)
            results = results_of_workspace(workspace, study, incomplete=arguments.incomplete)
    formats = arguments.formats or formats_of(study)
    exported = export_study(arguments.output, study, results, formats, anonymity=anonymity, replace=arguments.replace)
    print_notes("export", study.name, (*study.warnings, *exported.notes))
    print(exported.folder, flush=True)
    return 0


def _phase(arguments: Namespace) -> int | None:
    return None if arguments.phase is None else arguments.phase - 1


def _workspace(arguments: Namespace) -> Path:
    return Path(arguments.workspace or default_workspace_dir())


def _anonymity(arguments: Namespace) -> Anonymity | None:
    """How to de-identify: with the secret of the workspace, or a fresh one without a workspace."""
    if not arguments.deidentify:
        return None
    from cmr_viewer.export.deidentify import fresh_secret, saved_secret  # noqa: PLC0415 - pydicom, when used

    secret = saved_secret(_workspace(arguments)) if arguments.labels is None else fresh_secret()
    return Anonymity(secret, shift_dates=arguments.dates == "shifted")


def results_of_workspace(workspace: Workspace, study: Study, *, incomplete: bool = False) -> Results:
    """The results of a study as the window shows them.

    Raises:
        StoreError: As of `saved_study`.
    """
    saved = saved_study(workspace, study, incomplete=incomplete, or_labels=True)
    results = results_of(saved.reading, reader=", ".join(saved.readers), effort=saved.effort)
    models = sorted(set(results.model_ids.values()))
    return replace(results, about={"models": models, "read": read_in_words(saved.read)})


def results_of_file(
    path: Path, study: Study, codes: CodeScheme | Codes, *, phase: int | None = None, anonymous: bool = False
) -> Results:
    """Label maps of another program's file, with regions calculated from their slices.

    Args:
        path: As for `load.labels.files.read_labels`.
        study: The study.
        codes: What the numbers mean.
        phase: The phase of a one-phase file, from 0, if the file does not state it.
        anonymous: Whether to leave out the file's name and the names in it.

    Raises:
        LoadError: The file cannot be read.
        LabelMapError: It does not belong to the study.
    """
    stack = study.stack
    imported = read_labels(path, study, codes, phase)
    provenances = dict.fromkeys(imported.structures, imported.made or Provenance.SEMIAUTOMATIC)
    origin = imported.provenance
    if anonymous:
        origin = origin.partition(":")[0].replace(path.name, "").strip()
    measures, notes = measured(stack, imported.labels, provenances)
    imported_notes = () if anonymous else imported.warnings
    rows = []
    for at in range(stack.phases):
        present: NDArray[np.bool_] = imported.labels[at].any(axis=(1, 2))
        if not present.any():
            continue
        for index, region in enumerate(reference_regions(present.tolist())):
            rows.append(RegionRow(at, index, stack.source_slices[index], region, None, None))
    return Results(
        labels=imported.labels,
        provenances=provenances,
        regions=tuple(rows),
        measures=measures,
        notes=(*imported_notes, *notes),
        drawn_by=origin,
        about={"label_maps": origin},
    )
