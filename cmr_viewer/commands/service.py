"""What several commands share: options of the command line as values, models in use, notes, measures of label maps."""

import logging
import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from cmr_viewer.analyse import Models, load_models, own_flow
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.ed_es import choose_ed_es
from cmr_viewer.domain.measures.volumes import Measures
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError, StoreError
from cmr_viewer.pipeline import load_active_models
from cmr_viewer.reading.volumes import VoxelCounts, measures_at, notes_at
from cmr_viewer.store.database import open_workspace_readonly
from cmr_viewer.store.model_registry import ModelRegistry

_log = logging.getLogger(__name__)


def models_in(folder: Path, device: str, workspace: Path | None = None) -> Models:
    """Load the models of a models folder that are in use, or of a workspace.

    Args:
        folder: The shipped models.
        device: "auto", "cpu" or "cuda".
        workspace: Its models in use go before those; None for none. Another program may have it open.

    Raises:
        ModelError: There is no such folder, or not enough in it.
    """
    if not folder.is_dir():
        raise ModelError(f"The models folder {folder} does not exist. Name another one with --models.")
    if workspace is not None:
        with open_workspace_readonly(workspace) as opened:
            return cast(Models, load_active_models(own_flow(), ModelRegistry(folder, opened), device))
    registry = ModelRegistry(folder, None)
    active = registry.active_all()
    problems = registry.problems()
    missing = [role for role in (Role.CLASSIFIER, Role.BASELINE) if role not in active]
    if missing:
        roles = " and no ".join(role.text.lower() for role in missing)
        raise ModelError(" ".join([f"The models folder {folder} has no {roles}.", *problems]))
    for problem in problems:
        _log.warning("%s", problem)
    return load_models({role: entry.folder for role, entry in active.items()}, device)


def make_output_folder(folder: Path) -> None:
    """Make the folder for the results, before any work starts.

    Raises:
        StoreError: It cannot be made, or is no folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"Could not make the output folder {folder}: {error.strerror or error}. Name another one with --output."
        ) from error


def measured(
    stack: Stack, labels: LabelMap, frames: Iterable[FrameIndex] | None = None
) -> tuple[Measures, tuple[Note, ...]]:
    """Measures of a stack's label maps, and notes on them; ED and ES are those of the source, else found by volume.

    Args:
        stack: The stack.
        labels: (phase, slice, row, col).
        frames: Those that have a label map; None for all.
    """
    counts = VoxelCounts(stack.phases, stack.geometry.slice_weights)
    for frame in stack.frame_indices if frames is None else frames:
        counts.set_frame(frame, labels[frame])
    choice = choose_ed_es(stack, counts.ed_es())
    measures = measures_at(counts, stack.geometry, *choice.phases, any_size=stack.any_size)
    return measures, notes_at(counts, stack, choice)


def print_notes(command: str, study: str, notes: Iterable[str]) -> None:
    """Print notes on standard error, each on a line of its own: "cmr-viewer segment: demo: The base end ...".

    Args:
        command: The command's name.
        study: The study's name.
        notes: What to print; equal ones once.
    """
    for note in dict.fromkeys(notes):
        print(f"cmr-viewer {command}: {study}: {' '.join(note.split())}", file=sys.stderr, flush=True)


def notes_json(notes: Iterable[Note]) -> list[dict[str, Any]]:
    """Notes as files hold them, `Note.as_json`; equal ones once."""
    return [note.as_json for note in dict.fromkeys(notes)]


def opening_of(arguments: Namespace) -> Opening:
    """What `--slice-axis`, `--spacing` and `--any-size` decide; axes count from 1 there."""
    spacing, axis = arguments.spacing, arguments.slice_axis
    return Opening(
        spacing_mm=None if spacing is None else (spacing[0], spacing[1], spacing[2]),
        slice_axis=None if axis is None else axis - 1,
        any_size=arguments.any_size,
    )
