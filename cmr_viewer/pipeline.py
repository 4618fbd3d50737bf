"""The whole flow of the program on one page: open, analyse, correct, save, retrain, promote.

Each step is a plain function of the rooms below, without Qt; torch is imported when models are loaded and not before.
The window calls them on its threads, the commands one after another.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cmr_viewer.analyse import Flow, FrameResult, LoadedModels
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.promote.gate import Assessment
from cmr_viewer.reading.missing import Missing
from cmr_viewer.store.model_registry import ModelRegistry


def load_active_models(flow: Flow, registry: ModelRegistry, device: str, progress: Progress) -> LoadedModels:
    """Load the models that are in service; imports torch.

    Raises:
        ModelError: None is there, or one cannot be read.
    """
    folders = {role: entry.folder for role, entry in registry.active_all().items()}
    if not folders:
        raise ModelError(
            "No models are installed, so regions and label maps are not predicted. Give their folder with --models."
        )
    progress(0.1, "Loading models")
    models = flow.load_models(folders, device)
    progress(1.0, "Models loaded")
    return models


def analyse(flow: Flow, stack: Stack, models: Any, missing: Missing, progress: Progress) -> Iterator[FrameResult]:
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


def retrain(
    workspace: Path,
    role: Role,
    folder: Path,
    *,
    model_id: str,
    shipped: Path,
    device: str = "auto",
    iterations: int | None = None,
    progress: Progress = silent,
) -> Assessment:
    """Train a candidate from the active model on accepted frames, and compare both on held-out patients.

    It only reads the workspace; the window runs it in a child process, as `cmr-viewer train --workspace`.

    Args:
        workspace: The workspace; another program may have it open.
        role: Which model.
        folder: Where the candidate is written.
        model_id: Its name.
        shipped: Folder of the shipped models.
        device: "auto", "cpu" or "cuda".
        iterations: Batches to learn from; None for the default.
        progress: 0 to 1 over the whole.

    Raises:
        TrainingError: Nothing is accepted to train on, or the training failed.
    """
    from cmr_viewer.promote.compare import compare_models
    from cmr_viewer.train.retrain import accepted_frames, train_candidate

    frames = accepted_frames(workspace, role, shipped)
    learning = part(progress, 0.0, 0.92)
    train_candidate(frames, folder, model_id=model_id, device=device, iterations=iterations, progress=learning)
    progress(0.92, f"Comparing with the current model on {len(frames.held_out)} held-out frames")
    return compare_models(role, folder, frames.active, frames.held_out, device)
