"""What the model of a role learns from the frames that readers of a workspace reviewed, and how."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import TrainingError
from cmr_viewer.prepare.grid import Placement
from cmr_viewer.prepare.network_input import normalise, offsets
from cmr_viewer.prepare.plan import Plan
from cmr_viewer.store.reviewed import ReviewedFrame, ReviewedStack
from cmr_viewer.train.samples import Sample, sample_grid
from cmr_viewer.train.spec import TrainingSpec, default_spec

ITERATIONS = 100
BATCH = 8
CLASSIFIER_BATCH = 12
RATE = 3e-4
"""Of the first batches after the warm-up. With 3e-5 a site gains two thirds as much; from 1e-3 on it forgets more."""

FEW_FRAMES = 20
FEW_RATE = 1e-4
"""Below `FEW_FRAMES` frames: ten frames at 3e-4 cost 4.5 points elsewhere."""

WARM_UP = 10
AVERAGE = 0.97
"""Decay of the running average of the weights, which becomes the model."""

START_SHARE = 0.3
"""Of the active model's weights in a new one that nothing guards: they hold what the model knew of other scanners."""

START_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
"""Where frames guard, the least of these shares with which they lose no more than `GUARD_LOSS`."""

GUARD_LOSS = 0.005
"""Half of what refuses a model (`promote.gate.GUARD_MARGIN`)."""

NON_CARDIAC_SHARE = 0.1
"""Of the baseline's batches. With all that there are it learns to leave basal frames empty; whether a frame shows the
heart is decided by the regions."""


def teaches(role: Role, one: ReviewedFrame) -> bool:
    """Whether a role learns from a reviewed frame: the classifier from its region, others from its label map."""
    if role is Role.CLASSIFIER:
        return True
    return one.labels is not None and role.region in (None, one.region)


def known_structures(stack: ReviewedStack, phase: int) -> frozenset[Label]:
    """The structures that were drawn at a phase.

    Every heart has all three at its base and middle. A structure that no accepted frame of a phase holds, though frames
    of base or middle are among them, was not drawn there, as the right ventricle in references of the left one alone;
    its absence means nothing then.
    """
    accepted = [one for frame, one in stack.frames.items() if frame.phase == phase and one.labels is not None]
    drawn = frozenset(s for s in STRUCTURES if any(np.any(one.labels == s) for one in accepted))
    whole = any(one.region in (Region.BASE, Region.MIDDLE) for one in accepted)
    return drawn if whole and drawn else frozenset(STRUCTURES)


def retraining_spec(plan: Plan, frames: int, **changes: Any) -> TrainingSpec:
    """How to refine a model on a few frames: its own network, grid and augmentation, gently.

    Args:
        plan: Of the active model, with the role of the new one.
        frames: Number of frames to learn from.
        changes: Values that differ from the recipe.

    Raises:
        TrainingError: The model was imported: it needs whole phases, and a workspace stores frames.
    """
    if plan.preparation:
        raise TrainingError(
            f"The model {plan.model_id} comes from nnU-Net and cannot be retrained here: it needs whole phases, and a "
            "workspace stores single frames. Train it in nnU-Net and import it again, or roll back to a model of this "
            "program."
        )
    own: Mapping[str, object] = plan.training.get("spec") or {}
    like_its_own = {name: own[name] for name in ("augmentation", "shift_px", "weight_decay") if name in own}
    recipe = {
        "architecture": plan.architecture,
        "options": {name: value for name, value in plan.options.items() if name != "inputs"},
        "context": plan.context,
        "spacing_mm": plan.spacing_mm,
        "rows": plan.rows,
        "cols": plan.cols,
        "iterations": ITERATIONS,
        "batch": CLASSIFIER_BATCH if plan.role is Role.CLASSIFIER else BATCH,
        "learning_rate": RATE if frames >= FEW_FRAMES else FEW_RATE,
        "warm_up": WARM_UP,
        "average": AVERAGE,
        "start_share": START_SHARE,
        "focus_share": 1.0,
        "non_cardiac_share": NON_CARDIAC_SHARE if plan.role is Role.BASELINE else None,
    }
    return default_spec(plan.role, **{**recipe, **like_its_own, **changes})


def completed(reference: LabelMap, structures: frozenset[Label], drawn: LabelMap) -> tuple[LabelMap, frozenset[Label]]:
    """A reference that lacks structures, completed by what the active model draws of them around it.

    A model that learned from the cavity alone would forget its wall and the other ventricle. Where the model drew more
    cavity than the reference has, that is wall. A frame without any label stays as it is.

    Args:
        reference: (row, col).
        structures: Those that the reference includes.
        drawn: (row, col) label map of the active model.

    Returns:
        (row, col) label map, and the structures that it includes.
    """
    unknown = sorted(frozenset(STRUCTURES) - structures)
    if not unknown or not reference.any():
        return reference, structures
    free = reference == Label.BACKGROUND
    found = np.where(free & np.isin(drawn, unknown), drawn, reference)
    if Label.LVM in unknown:
        found = np.where(free & (drawn == Label.LVBP), np.uint8(Label.LVM), found)
    return found, structures | {label for label in unknown if (found == label).any()}


def samples_of_reviewed(
    stack: ReviewedStack,
    phase: int,
    spec: TrainingSpec,
    centre: tuple[float, float],
    drawn: Mapping[FrameIndex, LabelMap],
) -> list[Sample]:
    """The frames of a phase that a role learns from, as the model will see them when it serves.

    Args:
        stack: With pixels.
        phase: The phase.
        spec: What is trained.
        centre: (row, col) of the heart, as it is found when the model serves.
        drawn: (row, col) label maps of the active model, of frames whose reference lacks structures.
    """
    shape = (stack.geometry.rows, stack.geometry.cols)
    place = Placement(sample_grid(spec.grid), shape, stack.pixel_spacing_mm, centre)
    inside = place.coverage() > 0.5
    wanted = [one for frame, one in stack.frames.items() if frame.phase == phase and teaches(spec.role, one)]
    beside = {one.frame.slice_index + offset for one in wanted for offset in offsets(spec.context)}
    images = {
        s: normalise(place.to_grid(stack.pixels[FrameIndex(phase, s)]), inside)
        for s in beside
        if FrameIndex(phase, s) in stack.pixels
    }
    known, empty = known_structures(stack, phase), empty_label_map(*shape)
    samples = []
    for one in wanted:
        if (s := one.frame.slice_index) not in images:
            continue
        labels, structures = empty if one.labels is None else one.labels, known
        if one.frame in drawn:
            labels, structures = completed(labels, known, drawn[one.frame])
        beside_it = {o: images[s + o] for o in offsets(spec.context) if o and s + o in images}
        name = f"phase {phase + 1}, slice {s + 1}"
        made = place.labels_to_grid(labels)
        samples.append(Sample(images[s], made, one.region, stack.patient_key, name, beside_it, structures))
    return samples
