"""How a candidate does beside the active model, on frames of patients that neither was trained on here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cmr_viewer.classify.region_classifier import load_classifier
from cmr_viewer.domain.anatomy import STRUCTURES
from cmr_viewer.domain.label_map import LabelMap, dice
from cmr_viewer.domain.role import Role
from cmr_viewer.networks.device import choose_device
from cmr_viewer.prepare.grid import Placement, centre_of_labels, frame_centre
from cmr_viewer.prepare.network_input import Slices, offsets
from cmr_viewer.prepare.plan import Plan, read_plan
from cmr_viewer.promote.gate import Assessment
from cmr_viewer.segment.segmenter import load_segmenter
from cmr_viewer.store.versions import AcceptedSample

FrameScores = Mapping[str, float]
"""Scores of one frame by label, 0.0 to 1.0; one score under "all" for a classifier."""


def compare_models(
    role: Role, candidate: Path, active: Path, held_out: Sequence[AcceptedSample], device: str = "auto"
) -> Assessment:
    """Figures of a candidate and the active model on held-out frames: Dice, or for classifiers the share of regions.

    Args:
        role: The role they compete for.
        candidate: Model folder.
        active: Model folder.
        held_out: Accepted frames that the candidate was not trained on; may be none.
        device: "auto", "cpu" or "cuda".

    Raises:
        ModelError: A model cannot be read.
    """
    score = region_scores if role is Role.CLASSIFIER else label_map_scores
    return assessment_of(
        role,
        candidate_id=read_plan(candidate).model_id,
        active_id=read_plan(active).model_id,
        patients=[s.patient_key for s in held_out],
        candidate=score(candidate, held_out, device),
        active=score(active, held_out, device),
    )


def region_scores(folder: Path, frames: Sequence[AcceptedSample], device: str) -> list[FrameScores]:
    """Of each frame: 1.0 where a classifier finds its region, else 0.0."""
    model = load_classifier(folder, choose_device(device))
    return [{"all": float(model.predict([_placed(s, model.plan)])[0].region is s.region)} for s in frames]


def label_map_scores(folder: Path, frames: Sequence[AcceptedSample], device: str) -> list[FrameScores]:
    """Of each frame: Dice of the label map that a segmentation model makes, by label."""
    model = load_segmenter(folder, choose_device(device))
    return [dice_by_label(model.predict([_placed(s, model.plan)])[0], s.labels) for s in frames]


def dice_by_label(made: LabelMap, reference: LabelMap) -> FrameScores:
    """Dice of the labels that are in either map; an empty frame that is left empty counts as 1 under "empty"."""
    scores = {label.name: dice(made, reference, label) for label in STRUCTURES}
    return {name: score for name, score in scores.items() if score is not None} or {"empty": 1.0}


def assessment_of(
    role: Role,
    *,
    candidate_id: str,
    active_id: str,
    patients: Sequence[str],
    candidate: Sequence[FrameScores],
    active: Sequence[FrameScores],
) -> Assessment:
    """Compare the scores of two models, frame by frame.

    Args:
        role: The role they compete for.
        candidate_id: The newly trained model.
        active_id: The model in service.
        patients: Patient of each frame.
        candidate: Scores of the candidate in each frame, some at least.
        active: Scores of the active model in the same frames.
    """
    return Assessment(
        role,
        candidate_id,
        active_id,
        patients=len(set(patients)),
        frames=len(patients),
        measure="accuracy" if role is Role.CLASSIFIER else "Dice",
        active=_means(active),
        candidate=_means(candidate),
        frame_gains=tuple(
            float(np.mean(list(c.values())) - np.mean(list(a.values()))) for c, a in zip(candidate, active, strict=True)
        ),
    )


def _placed(sample: AcceptedSample, plan: Plan) -> tuple[Slices, Placement]:
    shape = (sample.labels.shape[0], sample.labels.shape[1])
    centre = centre_of_labels(sample.labels) or frame_centre(*shape)
    place = Placement(plan.grid, shape, sample.pixel_spacing_mm, centre)
    return [sample.pixels if o == 0 else sample.neighbours.get(o) for o in offsets(plan.context)], place


def _means(frames: Sequence[FrameScores]) -> dict[str, float]:
    names = sorted({name for frame in frames for name in frame})
    return {name: float(np.mean([frame[name] for frame in frames if name in frame])) for name in names}
