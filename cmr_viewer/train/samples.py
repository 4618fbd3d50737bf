"""Frames to learn from: labelled frames on the training grid."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import STRUCTURES, Region, reference_regions
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError, TrainingError
from cmr_viewer.load.datasets import LabelledStack, find_labelled
from cmr_viewer.prepare.grid import Grid, Placement, frame_centre, working_spacing_mm
from cmr_viewer.prepare.intensity import normalise
from cmr_viewer.progress import Progress, silent

SAMPLE_MARGIN = 1.4
"""A sample is kept this much wider than the network's grid, so that shifts and rotations find pixels."""

HELD_OUT_FOLD = 5
"""One patient in this many is left out of training."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled frame on a grid around the heart.

    Attributes:
        image: (row, col) float32, normalised.
        labels: (row, col) label map on the same grid.
        region: Region of the frame, by its reference labels or as its reader says.
        patient_key: The patient.
        name: Study, phase and slice, for messages.
    """

    image: NDArray[np.float32]
    labels: LabelMap
    region: Region
    patient_key: str
    name: str


def is_held_out(patient_key: str, fold: int = HELD_OUT_FOLD) -> bool:
    """Whether a patient is left out of training; the same on every machine and in every run.

    Args:
        patient_key: The patient: the pseudonym of a published set, or `Study.patient_key` in a workspace.
        fold: One in this many is left out.
    """
    digest = hashlib.blake2b(patient_key.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % fold == 0


def heart_centre(labels: LabelMap) -> tuple[float, float] | None:
    """Mean (row, col) of all labelled pixels of (..., row, col), or None where there is no label."""
    at = np.nonzero(labels)
    if not at[0].size:
        return None
    return float(at[-2].mean()), float(at[-1].mean())


def sample_grid(grid: Grid) -> Grid:
    """The wider grid that samples are kept on for a network's grid."""
    return Grid(grid.spacing_mm, int(grid.rows * SAMPLE_MARGIN), int(grid.cols * SAMPLE_MARGIN))


def make_sample(
    pixels: NDArray[Any],
    labels: LabelMap,
    *,
    pixel_spacing_mm: tuple[float, float],
    grid: Grid,
    region: Region,
    patient_key: str,
    name: str,
    centre: tuple[float, float] | None = None,
) -> Sample:
    """Bring one labelled frame onto the wider grid.

    Args:
        pixels: (row, col) in scanner units.
        labels: (row, col) label map.
        pixel_spacing_mm: (row, col), true or assumed.
        grid: The network's grid.
        region: Region of the frame.
        patient_key: The patient.
        name: For messages.
        centre: (row, col) of the heart; None to take the frame's own labels, or the middle of the frame.
    """
    rows, cols = labels.shape
    around = centre or heart_centre(labels) or frame_centre(rows, cols)
    placement = Placement(sample_grid(grid), (rows, cols), pixel_spacing_mm, around)
    inside = placement.coverage() > 0.5
    return Sample(
        normalise(placement.to_grid(pixels), inside), placement.labels_to_grid(labels), region, patient_key, name
    )


def samples_of_stack(labelled: LabelledStack, grid: Grid) -> list[Sample]:
    """All frames of a stack whose reference label maps tell all three structures.

    The heart's centre is one for the stack, so that frames without a label lie where the heart would be.
    """
    stack = labelled.study.stack
    centre = heart_centre(labelled.labels[list(labelled.phases)])
    samples = []
    for phase in labelled.phases:
        if labelled.phase_structures[phase] != frozenset(STRUCTURES):
            continue
        regions = reference_regions([bool(labelled.labels[phase, s].any()) for s in range(stack.slices)])
        samples += [
            make_sample(
                stack.pixels[phase, s],
                labelled.labels[phase, s],
                pixel_spacing_mm=working_spacing_mm(stack.geometry),
                grid=grid,
                region=regions[s],
                patient_key=labelled.study.name,
                name=f"{labelled.study.name}, phase {phase}, slice {s}",
                centre=centre,
            )
            for s in range(stack.slices)
        ]
    return samples


def read_samples(
    folders: Iterable[Path], grid: Grid, *, held_out: bool, progress: Progress = silent
) -> tuple[list[Sample], list[str]]:
    """Read the labelled frames of data sets, one side of the split only.

    Args:
        folders: Data sets in the layouts that `load.datasets` knows.
        grid: The network's grid.
        held_out: True for the patients left out of training, False for the others.
        progress: Told of each patient.

    Returns:
        The samples, and the patients' names in order.

    Raises:
        TrainingError: There is nothing labelled in the folders.
    """
    sources = [source for folder in folders for source in find_labelled(folder)]
    if not sources:
        raise TrainingError("No labelled patients were found in the folders given with --data.")
    samples: list[Sample] = []
    patients: list[str] = []
    for count, source in enumerate(sources):
        if is_held_out(source.name) is not held_out:
            continue
        progress(count / len(sources), f"Reading {source.name}")
        try:
            found = samples_of_stack(source.read(), grid)
        except (LoadError, LabelMapError, GeometryError) as error:
            _log.warning("A patient is left out of training: %s", error)
            continue
        samples += found
        patients.append(source.name)
    return samples, patients


def count_by_region(samples: Sequence[Sample]) -> dict[str, int]:
    """Number of samples of each region, by the region's value."""
    return {region.value: sum(1 for s in samples if s.region is region) for region in Region}
