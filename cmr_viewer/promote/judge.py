"""What models make of reviewed frames as they would when they serve, and how good it is.

A phase of a reviewed stack runs as a stack of its own, with the heart's centre that the baseline finds in it; a
classifier is judged by its regions in the order of the stack.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.analyse import SEGMENT_BATCH, Models, classify_frames
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.label_map import LabelMap, dice
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import GeometryError, ModelError
from cmr_viewer.prepare.grid import working_spacing_mm
from cmr_viewer.promote.gate import JudgedFrame
from cmr_viewer.store.reviewed import ReviewedFrame, ReviewedStack

ASSUMED_SLICE_SPACING_MM = 10.0
"""Taken for millilitres where a stack does not state the distance of its slices."""

CHANGES_FILE = "changes.npz"
MOST_CHANGES = 16
"""Frames that are saved with a candidate to be looked at, those that change most."""

Key = tuple[str, FrameIndex]
"""A frame of a stack."""


@dataclass(frozen=True, eq=False)
class Made:
    """What a model made of a frame.

    Attributes:
        scores: As `JudgedFrame.active`.
        wrong_ml: As `JudgedFrame.active_ml`.
        labels: (row, col) label map, or None of a classifier.
        region: Region, of a classifier.
    """

    scores: Mapping[str, float]
    wrong_ml: Mapping[str, float]
    labels: LabelMap | None = None
    region: Region | None = None


def judges(role: Role, one: ReviewedFrame) -> bool:
    """Whether a role is judged on a reviewed frame: the classifier on every region, others on corrected label maps.

    A frame that was accepted as predicted is the active model's own work, and no other model could match it.
    """
    if role is Role.CLASSIFIER:
        return one.predicted is not None
    return one.corrected and one.labels is not None and role.region in (None, one.region)


def judged(
    role: Role, models: Models, stack: ReviewedStack, structures: Mapping[int, frozenset[Label]]
) -> dict[Key, Made]:
    """What the model of a role makes of the frames of a stack that it is judged on.

    Args:
        role: The role.
        models: The models in use, among them the one to be judged.
        stack: With pixels.
        structures: Structures that the reference includes, by phase; the others are not judged.
    """
    made: dict[Key, Made] = {}
    for phase in sorted({frame.phase for frame, one in stack.frames.items() if judges(role, one)}):
        served = stack.served(phase)
        if served is None:
            continue
        alone, slices = served
        wanted = [s for s in slices if (one := stack.frames.get(FrameIndex(phase, s))) and judges(role, one)]
        at = {FrameIndex(0, slices.index(s)): FrameIndex(phase, s) for s in wanted}
        if role is Role.CLASSIFIER:
            found = classify_frames(alone, alone.frame_indices, models)
            regions = {at[frame]: one.region for frame, one in found.items() if frame in at}
            made |= {
                (stack.stack_id, frame): Made({"region": float(region is stack.frames[frame].region)}, {}, None, region)
                for frame, region in regions.items()
            }
            continue
        for frame, labels in zip(at.values(), drawn_by(role, models, alone, list(at)), strict=True):
            reference = stack.frames[frame].labels
            if reference is not None:
                scores, wrong = scores_of(labels, reference, structures[phase], _pixel_ml(stack))
                made[stack.stack_id, frame] = Made(scores, wrong, labels)
    return made


def drawn_by(role: Role, models: Models, stack: Stack, frames: Sequence[FrameIndex]) -> list[LabelMap]:
    """Label maps of some frames of a stack by the model that serves a role."""
    segmenter, centre = models.segmenters.get(role, models.segmenters[Role.BASELINE]), models.heart_centre(stack)
    batches = [frames[at : at + SEGMENT_BATCH] for at in range(0, len(frames), SEGMENT_BATCH)]
    return [labels for batch in batches for labels in segmenter.predict_frames(stack, batch, centre)]


def _pixel_ml(stack: ReviewedStack) -> float:
    try:
        slice_mm = stack.geometry.slice_spacing_mm
    except GeometryError:
        slice_mm = stack.geometry.single_slice_spacing_mm or ASSUMED_SLICE_SPACING_MM
    row_mm, col_mm = working_spacing_mm(stack.geometry)
    return row_mm * col_mm * slice_mm / 1000.0


def scores_of(
    made: LabelMap, reference: LabelMap, structures: Iterable[Label], pixel_ml: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Dice of the labels that a reference has, and millilitres of those that it does not have.

    Args:
        made: (row, col).
        reference: (row, col).
        structures: Those that the reference includes.
        pixel_ml: Volume of a pixel.
    """
    scores, wrong = {}, {}
    for label in sorted(structures):
        if (reference == label).any():
            scores[label.name] = dice(made, reference, label) or 0.0
        else:
            wrong[label.name] = float(np.count_nonzero(made == label)) * pixel_ml
    return scores, wrong


def judged_frames(
    stacks: Iterable[ReviewedStack], active: Mapping[Key, Made], candidate: Mapping[Key, Made]
) -> tuple[JudgedFrame, ...]:
    """Both models side by side on the frames that both have judged; patients get numbers."""
    numbers: dict[str, str] = {}
    frames = []
    for stack in stacks:
        for frame, one in stack.frames.items():
            key = (stack.stack_id, frame)
            if key not in active or key not in candidate:
                continue
            patient = numbers.setdefault(stack.patient_key, str(len(numbers) + 1))
            before, after = active[key], candidate[key]
            frames.append(
                JudgedFrame(
                    patient,
                    stack.stack_id,
                    *frame,
                    one.region,
                    before.scores,
                    after.scores,
                    before.wrong_ml,
                    after.wrong_ml,
                )
            )
    return tuple(frames)


def mean_score(made: Mapping[Key, Made], patients: Mapping[str, str]) -> tuple[float, int, int]:
    """Mean score over patients of what a model made, and the numbers of patients and frames.

    Args:
        made: By frame.
        patients: Patient of each stack.
    """
    by_patient: dict[str, list[float]] = {}
    for (stack_id, _), one in made.items():
        if one.scores:
            by_patient.setdefault(patients[stack_id], []).append(float(np.mean(list(one.scores.values()))))
    frames = sum(len(scores) for scores in by_patient.values())
    return (float(np.mean([np.mean(s) for s in by_patient.values()])) if by_patient else 0.0), len(by_patient), frames


@dataclass(frozen=True, eq=False)
class FrameChange:
    """A frame that changes with a candidate, to be looked at.

    Attributes:
        stack_id: Its stack.
        frame: The frame.
        region: Its region in the reference.
        gain: Mean Dice of the candidate less that of the active model; for a classifier -1, 0 or 1.
        pixels: (row, col).
        reference: (row, col) label map that the reader accepted.
        before: (row, col) label map of the active model; for a classifier the reference.
        after: The same of the candidate.
        region_before: Region by the active classifier; None for other roles.
        region_after: Region by the candidate; None for other roles.
    """

    stack_id: str
    frame: FrameIndex
    region: Region
    gain: float
    pixels: NDArray[Any]
    reference: LabelMap
    before: LabelMap
    after: LabelMap
    region_before: Region | None = None
    region_after: Region | None = None


def write_changes(
    folder: Path, stacks: Iterable[ReviewedStack], active: Mapping[Key, Made], candidate: Mapping[Key, Made]
) -> None:
    """Save the frames that change most beside a candidate: half of them the largest losses, half the largest gains.

    Raises:
        OSError: They cannot be written.
    """
    gains = {key: _gain(active[key], candidate[key]) for key in candidate if key in active}
    ordered = sorted((key for key, gain in gains.items() if gain), key=lambda key: gains[key])
    half = MOST_CHANGES // 2
    chosen = ordered if len(ordered) <= MOST_CHANGES else ordered[:half] + ordered[-half:]
    arrays: dict[str, NDArray[Any]] = {}
    about = []
    by_id = {stack.stack_id: stack for stack in stacks}
    for number, (stack_id, frame) in enumerate(chosen):
        stack, before, after = by_id[stack_id], active[stack_id, frame], candidate[stack_id, frame]
        reference = stack.frames[frame].labels
        blank = np.zeros(stack.pixels[frame].shape, np.uint8) if reference is None else reference
        arrays[f"pixels_{number}"] = stack.pixels[frame]
        arrays[f"reference_{number}"] = blank
        arrays[f"before_{number}"] = blank if before.labels is None else before.labels
        arrays[f"after_{number}"] = blank if after.labels is None else after.labels
        about.append(
            {
                "stack_id": stack_id,
                **frame._asdict(),
                "region": stack.frames[frame].region.value,
                "gain": round(gains[stack_id, frame], 4),
                "region_before": None if before.region is None else before.region.value,
                "region_after": None if after.region is None else after.region.value,
            }
        )
    with (folder / CHANGES_FILE).open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]


def _gain(before: Made, after: Made) -> float:
    names = before.scores.keys() & after.scores.keys()
    return float(np.mean([after.scores[name] - before.scores[name] for name in names])) if names else 0.0


def read_changes(folder: Path) -> list[FrameChange]:
    """The frames that `write_changes` saved, the largest loss first; none where there is no such file.

    Raises:
        ModelError: The file cannot be read.
    """
    path = folder / CHANGES_FILE
    if not path.is_file():
        return []
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            return [_change(one, number, saved) for number, one in enumerate(json.loads(str(saved["about"])))]
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile, zlib.error) as error:
        raise ModelError(f"Could not read the changed frames in {path}: {error}.") from error


def _change(about: Mapping[str, Any], number: int, saved: Mapping[str, NDArray[Any]]) -> FrameChange:
    pixels, reference, before, after = (
        saved[f"{name}_{number}"] for name in ("pixels", "reference", "before", "after")
    )
    frame = FrameIndex(int(about["phase"]), int(about["slice_index"]))
    found, finds = (None if about[name] is None else Region(about[name]) for name in ("region_before", "region_after"))
    region, gain = Region(about["region"]), float(about["gain"])
    return FrameChange(str(about["stack_id"]), frame, region, gain, pixels, reference, before, after, found, finds)
