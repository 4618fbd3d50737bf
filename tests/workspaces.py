"""Workspaces with accepted frames of phantoms, as a reader would leave them."""

from collections.abc import Sequence
from pathlib import Path

from cmr_viewer.domain.anatomy import Region, reference_regions
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.geometry import geometry_to_json
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.frame_pixels import Pixels
from cmr_viewer.store.versions import Version
from tests.phantom import sax_cine

TRAINED_ON = ("patient001", "patient002")
HELD_OUT = ("patient003", "patient007", "patient016")
"""One patient in four is held out: those whose blake2b-64 modulo 4 is 0."""


def make_workspace(folder: Path, patients: Sequence[str], status: ReviewStatus = ReviewStatus.ACCEPTED) -> Path:
    """A workspace with all frames of ED and ES of one phantom for each patient saved."""
    with open_workspace(folder, reader="reader") as workspace:
        store = AnnotationStore(workspace)
        for number, patient in enumerate(patients):
            phantom = sax_cine(phases=2, slices=6, rows=64, cols=60, seed=100 + number)
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
            saved = []
            for phase in range(2):
                regions: list[Region] = reference_regions([bool(one.any()) for one in phantom.labels[phase]])
                saved += [
                    Version(
                        FrameIndex(phase, s),
                        phantom.labels[phase, s],
                        regions[s],
                        Provenance.MANUAL,
                        status,
                    )
                    for s in range(stack.slices)
                ]
            frames = {frame: stack.frame(frame) for frame in stack.frame_indices}
            store.save(stack.stack_id, Work(saved), pixels=Pixels(frames, stack.geometry.pixel_spacing_mm))
    return folder
