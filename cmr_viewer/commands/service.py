"""The models in use and the analysis of one study, for the commands."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cmr_viewer.analyse import Models, analyse, load_models
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.ed_es import choose_ed_es, ed_es_by_volume
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures import Measures, label_counts, measure, phase_counts, voxel_volume_ml
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.plausible import believed
from cmr_viewer.domain.result_notes import result_notes
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError, StoreError
from cmr_viewer.progress import Progress, silent
from cmr_viewer.store.model_registry import ModelRegistry

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Analysis:
    """The models' results for a stack.

    Attributes:
        labels: (phase, slice, row, col) label map.
        regions: Region prediction of each frame.
        model_ids: Segmentation model of each frame.
        measures: Volumes, fractions and mass.
        notes: What a reader should know about them.
    """

    labels: LabelMap
    regions: dict[FrameIndex, RegionPrediction]
    model_ids: dict[FrameIndex, str]
    measures: Measures
    notes: tuple[Note, ...]


def models_in(folder: Path, device: str) -> Models:
    """Load the models of a models folder that are in use.

    Raises:
        ModelError: There is no such folder, or not enough in it.
    """
    if not folder.is_dir():
        raise ModelError(f"The models folder {folder} does not exist. Name another one with --models.")
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


def analyse_stack(
    stack: Stack, models: Models, *, baseline_only: bool = False, progress: Progress = silent
) -> Analysis:
    """Classify, route, segment and measure a whole stack."""
    labels = np.zeros(stack.pixels.shape, dtype=np.uint8)
    regions: dict[FrameIndex, RegionPrediction] = {}
    model_ids: dict[FrameIndex, str] = {}
    for result in analyse(stack, models, progress, baseline_only=baseline_only):
        if result.region_prediction is not None:
            regions[result.frame] = result.region_prediction
        if result.prediction is not None:
            labels[result.frame.phase, result.frame.slice_index] = result.prediction.labels
            model_ids[result.frame] = result.prediction.model_id
    return Analysis(labels, regions, model_ids, *results_of(stack, labels))


def results_of(stack: Stack, labels: LabelMap) -> tuple[Measures, tuple[Note, ...]]:
    """Measures of a whole stack's label maps, (phase, slice, row, col), and what a reader should know about them."""
    frames = np.asarray([[label_counts(frame) for frame in phase] for phase in labels])
    counts = phase_counts(frames, stack.geometry.slice_weights)
    voxel_ml, reason = voxel_volume_ml(stack.geometry)
    lv = counts[:, Label.LVBP]
    choice = choose_ed_es(stack, ed_es_by_volume(lv))
    ed, es = choice.phases
    measures = measure(counts, voxel_ml=voxel_ml, ed_phase=ed, es_phase=es, no_volume_reason=reason)
    notes = result_notes(stack, choice, lv * (voxel_ml or 1.0), "pixels" if voxel_ml is None else "ml")
    return believed(measures, any_size=stack.any_size), notes
