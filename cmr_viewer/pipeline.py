"""The whole flow of the program on one page: open, analyse, correct, save, retrain, promote.

The window makes these calls on its threads (app/), the commands one after another (commands/), and
tests/test_pipeline.py makes all of them. None needs Qt; torch is imported when models are loaded and not before.

1. Open: a file or folder becomes a study, with all that the workspace has of it.

    saved = SavedStudies(workspace)                                 what the workspace holds of studies
    loaded = open_study(saved, OpeningRequest(path))                -> Loaded, as its reader decided
    reading = begin(loaded)                                         -> OpenStudy
    put_back(reading, saved.open(loaded, reading))                  Saved work is as it was left

2. Analyse: every frame is classified, routed to the model of its region and segmented (`analyse.py`).

    models = load_active_models(flow, registry)                     -> LoadedModels, those in service
    reading.frames.set_active(models.active)
    results = analyse(flow, reading.stack, models, missing_of(reading, shown))    -> FrameResult, as computed
    reading.receive(results)                                        shown, or offered beside a reader's work

3. Correct: each is one Change, which can be undone; a region that is set routes its frame anew.

    reading.set_region(frame, region), reading.begin_stroke(...), reading.change_labels(...), reading.undo()

4. Save: all that changed since the last time in one transaction, and accepted frames with the pixels to learn from.

    saved.save(reading, work_of(reading, reading.take_effects(), spent))          Effects -> Work -> disk
    for work in works_of_acceptance(acceptances_of(reading, frames)):
        saved.save(reading, work)

5. Retrain: reviewed frames refine the model of a role (`learn.py`); the window does this in a child process.

    run = records.begin(role)                                       -> RetrainingRun, if it can be decided
    assessment = retrain(workspace.folder, role, run.staging, ...)  -> Assessment, the candidate beside the active model

6. Promote: the gate (`promote/gate.py`) puts the candidate in service, or the active model stays.

    outcome = records.conclude(run, Trained(assessment.as_json()))  -> Outcome, recorded with its reason

7. Renew: what models no longer in service made of other studies is made anew; what readers made stays.

    for _ in renew_study(saved, source, stack_id, flow, models):    -> saved, the new frames marked
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cmr_viewer.analyse import Flow, FrameResult, LoadedModels
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import Stack, Study
from cmr_viewer.errors import ModelError, UnusableModelError
from cmr_viewer.progress import Progress, silent
from cmr_viewer.reading.missing import Missing, missing_of
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opening import Loaded, Opener, OpeningRequest, Preview
from cmr_viewer.reading.saving import SavedStudies, put_back
from cmr_viewer.store.annotations import Work
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.worklist import RENEWED_KEY

log = logging.getLogger(__name__)


def open_study(
    saved: SavedStudies,
    request: OpeningRequest,
    progress: Progress = silent,
    *,
    opener: Opener | None = None,
    preview: Preview = lambda _frame: None,
) -> Loaded:
    """Load a study as its reader decided, and find the read that it is opened in.

    Args:
        saved: What the workspace holds of studies.
        request: What is to be opened.
        progress: 0 to 1; raises `Cancelled` to stop.
        opener: What reads the files; None for the program's own readers.
        preview: Takes a first frame (row, col) as soon as there is one.

    Raises:
        NotAStudyError: There is nothing that could be a study.
        LoadError: There is, and it cannot be read.
    """
    return saved.load(opener or own_readers, request, preview, progress)


def own_readers(
    path: Path, progress: Progress, opening: Opening, preview: Preview | None, index: Path | None = None
) -> Study:
    """`load.study.open_study`, imported when it is called: the window need not wait for the readers."""
    from cmr_viewer.load.study import open_study

    return open_study(path, progress, opening, preview, index)


def begin(loaded: Loaded) -> OpenStudy:
    """The open study, in the read that it is opened in; what is saved of it is still to be put back."""
    return OpenStudy(loaded.study, None if loaded.read is None else loaded.read.id)


def load_active_models(
    flow: Flow,
    registry: ModelRegistry,
    device: str = "auto",
    progress: Progress = silent,
    *,
    warn: Callable[[str], None] = log.warning,
) -> LoadedModels:
    """Load the models that are in service; imports torch.

    A retrained model that cannot be loaded does not take the others with it: the one before it stands in.

    Args:
        flow: What loads them.
        registry: Which are in service.
        device: "auto", "cpu" or "cuda".
        progress: 0 to 1.
        warn: Takes what a reader should know about a model that could not be loaded.

    Raises:
        ModelError: None is there, or a shipped one cannot be read.
    """
    unusable: dict[str, tuple[Role, str]] = {}
    while True:
        entries = registry.active_all(without=unusable)
        if not entries:
            raise ModelError(
                "No models are installed, so regions and label maps are not predicted. Give their folder with --models."
            )
        progress(0.1, "Loading models")
        try:
            models = flow.load_models({role: entry.folder for role, entry in entries.items()}, device)
        except UnusableModelError as error:
            entry = entries[Role(error.role)]
            if entry.shipped:
                raise
            unusable[entry.model_id] = entry.role, str(error)
            continue
        for model_id, (role, why) in unusable.items():
            instead = f"The model {entries[role].model_id}" if role in entries else "The baseline"
            warn(f"The {role.text.lower()} {model_id} is not used. {why} {instead} is used instead.")
        progress(1.0, "Models loaded")
        return models


def renew_study(
    saved: SavedStudies,
    source: Path,
    stack_id: str,
    flow: Flow,
    models: LoadedModels,
    progress: Progress = silent,
    *,
    opener: Opener | None = None,
) -> Iterator[None]:
    """Let the models in service make anew what others made of a study that is not open; it yields at each frame.

    Only predictions of the first read are saved, at the end and together, with which frames are new by them. Frames
    that a reader changed or accepted are not segmented.

    Raises:
        NotAStudyError: There is nothing that could be a study any more.
        LoadError: There is, and it cannot be read.
        Cancelled: `progress` asked to stop; nothing is saved.
    """
    loaded = open_study(saved, OpeningRequest(source, stack_id=stack_id), progress, opener=opener)
    if loaded.study.stack.stack_id != stack_id:
        return
    reading = OpenStudy(loaded.study)
    put_back(reading, saved.read(reading))
    reading.take_effects()
    reading.frames.set_active(models.active)
    results = []
    for result in analyse(flow, reading.stack, models, missing_of(reading, None), progress):
        results.append(result)
        yield
    progress(1.0, "Saving the new label maps")
    reading.receive(results)
    effects = reading.take_effects()
    saved.save(
        reading,
        Work(
            region_predictions=effects.region_predictions,
            predictions=effects.predictions,
            shown=effects.shown,
            facts={RENEWED_KEY: [list(frame) for frame, one in reading.frames.items() if one.renewed]},
        ),
    )


def analyse(
    flow: Flow, stack: Stack, models: Any, missing: Missing, progress: Progress = silent
) -> Iterator[FrameResult]:
    """Compute what is missing of a study, one frame at a time.

    Raises:
        ModelError: A model does not fit.
        Cancelled: `progress` asked to stop.
    """
    if missing.classify:
        yield from flow.analyse(stack, models, progress, missing.reader_regions, missing.order)
    else:
        for frame, made in flow.segment_frames(stack, missing.segment, models, progress, missing.by, missing.certainty):
            yield FrameResult(frame, prediction=made)
