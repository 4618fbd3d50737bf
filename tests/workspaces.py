"""Workspaces with accepted frames of phantoms, as a reader would leave them."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region, reference_regions
from cmr_viewer.domain.annotation import Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.geometry import geometry_to_json
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.frame_pixels import Pixels
from cmr_viewer.store.versions import Version
from tests.phantom import Phantom, sax_cine

PATIENTS = ("patient001", "patient002", "patient003", "patient004", "patient005")

PHASES, SLICES = 2, 6


def phantom_of(number: int) -> Phantom:
    """The heart of the patient of this number, from 0, of a workspace."""
    return sax_cine(phases=PHASES, slices=SLICES, rows=64, cols=60, seed=100 + number)


def regions_of(phantom: Phantom) -> dict[FrameIndex, Region]:
    """The region of each frame, by its label map."""
    return {
        FrameIndex(phase, s): region
        for phase in range(PHASES)
        for s, region in enumerate(reference_regions([bool(one.any()) for one in phantom.labels[phase]]))
    }


def make_workspace(
    folder: Path,
    patients: Sequence[str],
    status: ReviewStatus = ReviewStatus.ACCEPTED,
    *,
    as_predicted: Collection[str] = (),
    taken_for: Region | None = None,
    structures: Collection[Label] = STRUCTURES,
) -> Path:
    """A workspace with all frames of ED and ES of one phantom for each patient saved.

    Args:
        folder: The workspace.
        patients: Their keys; the first has phantom 0, and so on.
        status: Of the label maps.
        as_predicted: Patients whose frames are accepted as predicted; those of others are drawn by hand.
        taken_for: What the classifier has found in basal frames, while it was right in all others; None where it has
            found nothing.
        structures: Those that are drawn.
    """
    with open_workspace(folder, reader="reader") as workspace:
        store = AnnotationStore(workspace)
        for number, patient in enumerate(patients):
            phantom = phantom_of(number)
            stack = phantom.stack
            store.save_study(
                stack.stack_id,
                name=patient,
                source="phantom",
                patient_key=patient,
                geometry_json=geometry_to_json(stack.geometry),
                phases=stack.phases,
                slices=stack.slices,
            )
            regions = regions_of(phantom)
            made = Provenance.AUTOMATIC if patient in as_predicted else Provenance.MANUAL
            labels = np.where(np.isin(phantom.labels, list(structures)), phantom.labels, 0).astype(np.uint8)
            work = Work(
                [Version(frame, labels[frame], region, made, status) for frame, region in regions.items()],
                region_predictions={}
                if taken_for is None
                else {
                    frame: found_as(taken_for if region is Region.BASE else region) for frame, region in regions.items()
                },
            )
            frames = {frame: stack.frame(frame) for frame in stack.frame_indices}
            store.save(stack.stack_id, work, pixels=Pixels(frames, stack.geometry.pixel_spacing_mm))
    return folder


def found_as(region: Region) -> RegionPrediction:
    """A region that the classifier has found, alone and in the stack."""
    chances = tuple(0.7 if one is region else 0.1 for one in REGIONS)
    return RegionPrediction(chances, "tiny-classifier", region, chances)  # type: ignore[arg-type]
