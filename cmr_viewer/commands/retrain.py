"""Retrain the model of a role on a workspace's accepted corrections, and compare it with the active one.

It only reads the workspace: the program that has it open decides by the figures and writes.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cmr_viewer.classify.region_classifier import load_classifier
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import SPECIALISTS, Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.networks.device import choose_device
from cmr_viewer.prepare.grid import Placement
from cmr_viewer.prepare.network_input import Slices, offsets
from cmr_viewer.prepare.plan import Plan, read_plan
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.promote.assess import Assessment, assess_label_maps, assess_regions
from cmr_viewer.segment.segmenter import load_segmenter
from cmr_viewer.store.annotations import AcceptedSample, AnnotationStore
from cmr_viewer.store.database import open_workspace_readonly
from cmr_viewer.store.model_registry import ModelEntry, ModelRegistry
from cmr_viewer.train.samples import Sample, heart_centre, is_held_out, make_sample
from cmr_viewer.train.spec import TrainingSpec, default_spec
from cmr_viewer.train.train_model import train_model

WORKSPACE_FOLD = 4
"""One patient of a workspace in this many is held out."""

RETRAINING_ITERATIONS = 150
RETRAINING_RATE = 3e-5
"""Far below the rate of the first training: corrections refine a model and do not replace what it has learned."""

LARGEST_BATCH = 8


def split(samples: Sequence[AcceptedSample]) -> tuple[list[AcceptedSample], list[AcceptedSample]]:
    """Samples to train on and samples held out, by patient.

    If all patients would be held out, training uses them all: there is then nothing to compare with, and the active
    model stays.
    """
    train = [s for s in samples if not is_held_out(s.patient_key, WORKSPACE_FOLD)]
    held = [s for s in samples if is_held_out(s.patient_key, WORKSPACE_FOLD)]
    return (train, held) if train else (held, [])


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
    """Train a candidate from the active model on accepted frames, and assess both on held-out patients.

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
        TrainingError: There is nothing accepted to train on.
    """
    region = Region(role.value) if role in SPECIALISTS else None
    with open_workspace_readonly(workspace) as opened:
        accepted = AnnotationStore(opened).accepted_samples(region)
        active = serving(ModelRegistry(shipped, opened), role)
    if not accepted:
        of_region = f" of the region {region.text.lower()}" if region else ""
        raise TrainingError(f"There are no accepted frames{of_region} to train on. Accept some frames first.")
    plan = replace(read_plan(active.folder), role=role)
    train, held = split(accepted)
    spec = retraining_spec(plan, len(train), iterations)
    progress(0.0, f"Preparing {len(train)} accepted frames")
    samples = [_sample(s, spec) for s in train]
    train_model(
        spec,
        samples,
        folder,
        model_id=model_id,
        device=choose_device(device),
        start_from=active.folder,
        origin={
            "data": ["accepted frames of a workspace"],
            "patients": len({s.patient_key for s in train}),
            "held_out": f"patients with blake2b-64(key) % {WORKSPACE_FOLD} == 0: {len({s.patient_key for s in held})}",
        },
        progress=part(progress, 0.02, 0.9),
    )
    progress(0.92, f"Comparing with the current model on {len(held)} held-out frames")
    return assess(role, folder, active.folder, held, device)


def serving(registry: ModelRegistry, role: Role) -> ModelEntry:
    """The model for a role's frames: the one in use, or the baseline where a region has no specialist.

    Raises:
        ModelError: There is neither.
    """
    active = registry.active_all()
    if role not in active and role in SPECIALISTS and Role.BASELINE in active:
        return active[Role.BASELINE]
    return registry.active(role)


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


def assess(
    role: Role, candidate: Path, active: Path, held: Sequence[AcceptedSample], device: str = "auto"
) -> Assessment:
    """Figures of a candidate and the active model on held-out frames.

    Args:
        role: The role they compete for.
        candidate: Model folder.
        active: Model folder.
        held: Accepted frames that the candidate was not trained on; may be none.
        device: "auto", "cpu" or "cuda".
    """
    ids = {"candidate_id": read_plan(candidate).model_id, "active_id": read_plan(active).model_id}
    patients = [s.patient_key for s in held]
    where = choose_device(device)
    if role is Role.CLASSIFIER:
        by_folder = {
            folder: [load_classifier(folder, where).predict([_placed(s, folder)])[0].region for s in held]
            for folder in (candidate, active)
        }
        return assess_regions(
            **ids,
            patients=patients,
            reference=[s.region for s in held],
            candidate=by_folder[candidate],
            active=by_folder[active],
        )
    return assess_label_maps(
        role,
        **ids,
        patients=patients,
        reference=[s.labels for s in held],
        candidate=_segmented(candidate, held, device),
        active=_segmented(active, held, device),
    )


def _segmented(folder: Path, held: Sequence[AcceptedSample], device: str) -> list[LabelMap]:
    segmenter = load_segmenter(folder, choose_device(device))
    return [segmenter.predict([_placed(s, folder)])[0] for s in held]


def _placed(sample: AcceptedSample, folder: Path) -> tuple[Slices, Placement]:
    rows, cols = sample.labels.shape
    centre = heart_centre(sample.labels) or ((rows - 1) / 2, (cols - 1) / 2)
    plan = read_plan(folder)
    place = Placement(plan.grid, (rows, cols), sample.pixel_spacing_mm, centre)
    return [sample.pixels if o == 0 else sample.neighbours.get(o) for o in offsets(plan.context)], place
