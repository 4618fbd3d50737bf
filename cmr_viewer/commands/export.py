"""`cmr-viewer export`: export a corrected study, or label maps of a file, for other programs."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.commands.notes import tell_notes
from cmr_viewer.commands.opening import opening_of
from cmr_viewer.domain.anatomy import Region, reference_regions
from cmr_viewer.domain.annotation import Annotation, Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.ed_es import EdEs, PhasePair, choose_ed_es
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures import Measures
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.opening import AS_FOUND
from cmr_viewer.domain.result_notes import not_reviewed
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import StoreError
from cmr_viewer.export.formats import Anonymity, RegionRow, Results, formats_of
from cmr_viewer.export.study import export_study
from cmr_viewer.load.labels.codes import Codes, CodeScheme
from cmr_viewer.load.labels.files import read_labels
from cmr_viewer.load.study import open_study
from cmr_viewer.paths import default_workspace_dir
from cmr_viewer.progress import silent
from cmr_viewer.reading.opening import Asked, load
from cmr_viewer.reading.reads import read_in_words
from cmr_viewer.reading.saved_frames import predictions_shown, regions_shown
from cmr_viewer.reading.volumes import VoxelCounts, measures_at, notes_at
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import Workspace, open_workspace_readonly
from cmr_viewer.store.effort import EffortStore
from cmr_viewer.store.openings import OpeningStore
from cmr_viewer.store.reads import ReadStore
from cmr_viewer.store.stack_changes import StackChangeStore


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
        if opening_of(arguments) != AS_FOUND:
            raise StoreError(
                "--slice-axis, --spacing and --any-size need --labels: a workspace keeps how its reader opened the "
                "study. Leave them out, or change the study in the window."
            )
        with open_workspace_readonly(_workspace(arguments)) as workspace:
            study = study_as_decided(arguments.study, workspace)
            results = results_of_workspace(workspace, study, incomplete=arguments.incomplete)
    formats = arguments.formats or formats_of(study)
    exported = export_study(arguments.output, study, results, formats, anonymity=anonymity, replace=arguments.replace)
    tell_notes("export", study.name, (*study.warnings, *exported.notes))
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


def study_as_decided(path: Path, workspace: Workspace) -> Study:
    """Open a study with the opening that its reader chose in a workspace.

    Raises:
        LoadError: It cannot be read.
    """
    loaded = load(
        open_study, Asked(path), OpeningStore(workspace), StackChangeStore(workspace), lambda _frame: None, silent
    )
    return loaded.study


def results_of_workspace(workspace: Workspace, study: Study, *, incomplete: bool = False) -> Results:
    """The results of a study as the window shows them: annotations, else predictions, with regions and measures.

    From the finished adjudication, if there is one; else from the first read.

    Args:
        workspace: The workspace in which the study was read.
        study: The study.
        incomplete: Whether to accept a study with frames that are not analysed yet.

    Raises:
        StoreError: The workspace has nothing of the study, or cannot be read; or the analysis is not finished.
    """
    store, stack = AnnotationStore(workspace), study.stack
    read = ReadStore(workspace).result(stack.stack_id)
    read_id = None if read is None else read.id
    annotations, predictions = store.latest(stack.stack_id, read_id), predictions_shown(store, stack, read_id)
    if not annotations and not predictions:
        raise StoreError(
            f"The workspace {workspace.folder} has no label maps of {study.name}. Open the study in the window first, "
            "name the workspace with the corrections with --workspace, or name label maps with --labels."
        )
    labels = np.zeros(stack.pixels.shape, dtype=np.uint8)
    provenances: dict[FrameIndex, Provenance] = {}
    model_ids: dict[FrameIndex, str] = {}
    readers: dict[str, None] = {}
    for frame in stack.frame_indices:
        kept, predicted = annotations.get(frame), predictions.get(frame)
        if kept is not None and _holds(kept):
            labels[frame], provenances[frame], model_id = kept.labels, kept.provenance, kept.model_id
            readers[kept.reader] = None
        elif predicted is not None:
            labels[frame], provenances[frame], model_id = predicted.labels, Provenance.AUTOMATIC, predicted.model_id
        else:
            continue
        if model_id:
            model_ids[frame] = model_id
    refuse_unfinished(study, bool(predictions), len(provenances), incomplete=incomplete)
    given = store.regions(stack.stack_id, read_id)
    found = regions_shown(store, stack, read_id, given)
    measures, choice, notes = measured(stack, labels, provenances, store.phase_marks(stack.stack_id, read_id))
    accepted = {frame for frame, kept in annotations.items() if kept.status is ReviewStatus.ACCEPTED}
    return Results(
        labels=labels,
        provenances=provenances,
        regions=tuple(region_rows(stack, found, given, model_ids)),
        measures=measures,
        notes=(*notes, *not_reviewed(stack, choice, accepted)),
        model_ids=model_ids,
        reader=", ".join(readers),
        about={"models": sorted(set(model_ids.values())), "read": read_in_words(read)},
        effort=EffortStore(workspace).rows(stack.stack_id, read_id),
    )


def refuse_unfinished(study: Study, analysed: bool, done: int, *, incomplete: bool) -> None:
    """Refuse to write results while some frames are not analysed yet.

    Args:
        study: The study.
        analysed: Whether models have started to analyse it; if not, readers drew all label maps.
        done: Frames that have a label map.
        incomplete: Whether to write it all the same.

    Raises:
        StoreError: It is refused.
    """
    frames = len(study.stack.frame_indices)
    if analysed and done < frames and not incomplete:
        raise StoreError(
            f"The analysis of {study.name} is not finished: {frames - done} of {frames} frames have no label map yet. "
            "Open the study in the window until the analysis is finished, or write it now with --incomplete."
        )


def _holds(kept: Annotation) -> bool:
    """Whether an annotation takes precedence over a prediction.

    An automatic draft that was not imported means that the reader left the prediction unchanged, so a later prediction
    replaces it.
    """
    return (
        bool(kept.imported_from) or kept.provenance is not Provenance.AUTOMATIC or kept.status is ReviewStatus.ACCEPTED
    )


def region_rows(
    stack: Stack,
    found: Mapping[FrameIndex, RegionPrediction],
    given: Mapping[FrameIndex, Region],
    model_ids: Mapping[FrameIndex, str],
) -> list[RegionRow]:
    """Lines of regions.csv: the reader's region of a frame, else the predicted one; none where there is neither."""
    rows = []
    for frame in stack.frame_indices:
        prediction, region = found.get(frame), given.get(frame)
        if region is None and prediction is not None:
            region = prediction.region
        if region is not None:
            source_slice = stack.source_slices[frame.slice_index]
            probability = None if prediction is None else prediction.of(region)
            rows.append(RegionRow(*frame, source_slice, region, probability, model_ids.get(frame)))
    return rows


def measured(
    stack: Stack,
    labels: LabelMap,
    present: Mapping[FrameIndex, Provenance],
    marks: PhasePair = (None, None),
) -> tuple[Measures, EdEs, tuple[Note, ...]]:
    """Measures, ED and ES, and notes on them.

    ED and ES are those that a reader marked, else those of the source, else at the largest and smallest LV blood pool.

    Args:
        stack: The stack.
        labels: (phase, slice, row, col).
        present: Frames that have a label map.
        marks: ED and ES as a reader set them.
    """
    counts = VoxelCounts(stack.phases, stack.geometry.slice_weights)
    for frame in present:
        counts.set_frame(frame, labels[frame])
    choice = choose_ed_es(stack, counts.ed_es(), marks)
    measures = measures_at(counts, stack.geometry, *choice.phases, any_size=stack.any_size)
    return measures, choice, notes_at(counts, stack, choice)


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
    measures, _, notes = measured(stack, imported.labels, provenances)
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
