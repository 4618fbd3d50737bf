"""What the model of a role learns from the frames that readers of a workspace accepted, and how.

It only reads the workspace, which another program may have open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cmr_viewer.domain.role import SPECIALISTS, Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.prepare.plan import Plan, read_plan
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import open_workspace_readonly
from cmr_viewer.store.model_registry import ModelEntry, ModelRegistry
from cmr_viewer.store.versions import AcceptedSample
from cmr_viewer.train.samples import Sample, TrainingData, make_sample
from cmr_viewer.train.spec import TrainingSpec, default_spec
from cmr_viewer.train.split import is_held_out

WORKSPACE_FOLD = 4
"""One patient of a workspace in this many is held out."""

RETRAINING_ITERATIONS = 150
RETRAINING_RATE = 3e-5
"""Far below the rate of the first training: corrections refine a model and do not replace what it has learned."""

LARGEST_BATCH = 8


@dataclass(frozen=True, eq=False)
class AcceptedFrames:
    """What a role can learn from a workspace.

    Attributes:
        role: The role.
        active: Model folder of the model that serves its frames; training starts from it.
        train: Frames to learn from.
        held_out: Frames of other patients, to compare the candidate with the active model on; may be none.
    """

    role: Role
    active: Path
    train: Sequence[AcceptedSample]
    held_out: Sequence[AcceptedSample]


def accepted_frames(workspace: Path, role: Role, shipped: Path) -> AcceptedFrames:
    """Read what a role can learn from a workspace: a specialist from the frames of its region, others from all.

    Args:
        workspace: The workspace; another program may have it open.
        role: Which model.
        shipped: Folder of the shipped models.

    Raises:
        ModelError: No model serves the role.
        StoreError: The workspace cannot be read.
        TrainingError: Nothing is accepted.
    """
    region = role.region
    with open_workspace_readonly(workspace) as opened:
        accepted = AnnotationStore(opened).accepted_samples(region)
        active = _serving(ModelRegistry(shipped, opened), role)
    if not accepted:
        of_region = f" of the region {region.text.lower()}" if region else ""
        raise TrainingError(f"There are no accepted frames{of_region} to train on. Accept some frames first.")
    return AcceptedFrames(role, active.folder, *split_by_patient(accepted))


def split_by_patient(samples: Sequence[AcceptedSample]) -> tuple[list[AcceptedSample], list[AcceptedSample]]:
    """Frames to train on and frames held out.

    If all patients would be held out, training uses them all: there is then nothing to compare with, and the active
    model stays.
    """
    train = [s for s in samples if not is_held_out(s.patient_key, WORKSPACE_FOLD)]
    held_out = [s for s in samples if is_held_out(s.patient_key, WORKSPACE_FOLD)]
    return (train, held_out) if train else (held_out, [])


def refinement_of(frames: AcceptedFrames, iterations: int | None = None) -> tuple[TrainingSpec, TrainingData]:
    """How the active model is refined on accepted frames, and the samples made of them, for `train_model`.

    Args:
        frames: What to learn from.
        iterations: Batches to learn from; None for the default.

    Raises:
        TrainingError: The active model cannot be retrained here.
    """
    spec = retraining_spec(replace(read_plan(frames.active), role=frames.role), len(frames.train), iterations)
    held_out = len({s.patient_key for s in frames.held_out})
    origin = {
        "data": ["accepted frames of a workspace"],
        "patients": len({s.patient_key for s in frames.train}),
        "held_out": f"patients with blake2b-64(key) % {WORKSPACE_FOLD} == 0: {held_out}",
    }
    return spec, TrainingData([_sample(s, spec) for s in frames.train], origin=origin)


def retraining_spec(plan: Plan, frames: int, iterations: int | None = None) -> TrainingSpec:
    """How to refine a model on a few frames: the active model's own network and grid, slowly.

    Args:
        plan: Of the active model.
        frames: Number of frames to train on.
        iterations: Batches to learn from; None for the default.

    Raises:
        TrainingError: The model was imported: it needs whole phases, and a workspace stores frames.
    """
    if plan.preparation:
        raise TrainingError(
            f"The model {plan.model_id} comes from nnU-Net and cannot be retrained here: it needs whole phases, and a "
            "workspace stores single frames. Train it in nnU-Net and import it again, or roll back to a model of this "
            "program."
        )
    return default_spec(
        plan.role,
        architecture=plan.architecture,
        options={name: value for name, value in plan.options.items() if name != "inputs"},
        context=plan.context,
        spacing_mm=plan.spacing_mm,
        rows=plan.rows,
        cols=plan.cols,
        iterations=RETRAINING_ITERATIONS if iterations is None else iterations,
        batch=min(max(2, frames), LARGEST_BATCH),
        learning_rate=RETRAINING_RATE,
        focus_share=1.0,
    )


def _serving(registry: ModelRegistry, role: Role) -> ModelEntry:
    """The model for a role's frames: the one in use, or the baseline where a region has no specialist."""
    active = registry.active_all()
    if role not in active and role in SPECIALISTS and Role.BASELINE in active:
        return active[Role.BASELINE]
    return registry.active(role)


def _sample(accepted: AcceptedSample, spec: TrainingSpec) -> Sample:
    return make_sample(
        accepted.pixels,
        accepted.labels,
        pixel_spacing_mm=accepted.pixel_spacing_mm,
        grid=spec.grid,
        region=accepted.region,
        patient_key=accepted.patient_key,
        name=f"phase {accepted.frame.phase}, slice {accepted.frame.slice_index}",
        neighbours=accepted.neighbours,
    )
