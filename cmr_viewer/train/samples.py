"""Frames to learn from: labelled frames on the training grid."""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region, reference_regions
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError, TrainingError
from cmr_viewer.load.datasets import LabelledStack, find_labelled
from cmr_viewer.prepare.grid import Grid, Placement, centre_of_labels, frame_centre, working_spacing_mm
from cmr_viewer.prepare.network_input import channels, normalise, offsets
from cmr_viewer.progress import Progress, silent
from cmr_viewer.train.split import Part, Split

SAMPLE_MARGIN = 1.4
"""A sample is this much wider than the network's grid, so that shifts and rotations stay inside it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled frame on a grid around the heart.

    Attributes:
        image: (row, col) float32, normalised.
        labels: (row, col) label map on the same grid.
        region: Region of the frame, by its reference labels or as its reader set it.
        patient_key: The patient.
        name: Study, phase and slice, for messages.
        neighbours: (row, col) images of the neighbouring slices on the same grid, by distance in slices; -1 is the next
            towards the base.
        structures: Structures that the labels include; for another structure, its absence means nothing.
        position: 0.0 at the most basal slice of the heart at this phase to 1.0 at the most apical one; None for a
            non-cardiac frame or where it is not known.
        group: The set that it belongs to, a `load.datasets.Group`; empty for frames of a workspace.
    """

    image: NDArray[np.float32]
    labels: LabelMap
    region: Region
    patient_key: str
    name: str
    neighbours: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    structures: frozenset[Label] = frozenset(STRUCTURES)
    position: float | None = None
    group: str = ""

    def channels(self, context: int) -> NDArray[np.float32]:
        """Input of a network with that many neighbours to either side: (channel, row, col)."""
        return channels(self.image, self.neighbours, context)


def sample_grid(grid: Grid) -> Grid:
    """The wider grid of samples for a network's grid."""
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
    neighbours: Mapping[int, NDArray[Any]] | None = None,
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
        neighbours: (row, col) pixels of the slices beside it, by distance in slices, where they are known.
    """
    rows, cols = labels.shape
    around = centre or centre_of_labels(labels) or frame_centre(rows, cols)
    placement = Placement(sample_grid(grid), (rows, cols), pixel_spacing_mm, around)
    inside = placement.coverage() > 0.5
    return Sample(
        normalise(placement.to_grid(pixels), inside),
        placement.labels_to_grid(labels),
        region,
        patient_key,
        name,
        {offset: normalise(placement.to_grid(p), inside) for offset, p in (neighbours or {}).items()},
    )


def samples_of_stack(labelled: LabelledStack, grid: Grid, *, context: int = 0, partial: bool = False) -> list[Sample]:
    """The labelled frames of a stack.

    The whole stack has one centre of the heart, so that frames without a label show the place of the heart.

    Args:
        labelled: The stack with its reference label maps.
        grid: The network's grid.
        context: Number of neighbouring slices to either side that the network sees.
        partial: Whether to include phases whose reference lacks a structure.
    """
    stack = labelled.study.stack
    shape = (stack.geometry.rows, stack.geometry.cols)
    centre = centre_of_labels(labelled.labels[list(labelled.phases)]) or frame_centre(*shape)
    place = Placement(sample_grid(grid), shape, working_spacing_mm(stack.geometry), centre)
    inside = place.coverage() > 0.5
    samples = []
    for phase in labelled.phases:
        structures = labelled.phase_structures[phase]
        if structures != frozenset(STRUCTURES) and not (partial and structures):
            continue
        has_label = [bool(labelled.labels[phase, s].any()) for s in range(stack.slices)]
        positions = _positions(has_label)
        regions = reference_regions(has_label)
        images = [normalise(place.to_grid(stack.pixels[phase, s]), inside) for s in range(stack.slices)]
        samples += [
            Sample(
                images[s],
                place.labels_to_grid(labelled.labels[phase, s]),
                regions[s],
                labelled.study.name,
                f"{labelled.study.name}, phase {phase}, slice {s}",
                {o: images[s + o] for o in offsets(context) if o and 0 <= s + o < stack.slices},
                structures,
                positions[s],
                labelled.group,
            )
            for s in range(stack.slices)
        ]
    return samples


def _positions(has_label: Sequence[bool]) -> list[float | None]:
    """Of each slice of a phase: 0.0 at the first slice with a label to 1.0 at the last; None outside of them."""
    labelled = [s for s, present in enumerate(has_label) if present]
    if not labelled:
        return [None] * len(has_label)
    first, last = labelled[0], labelled[-1]
    long = max(1, last - first)
    return [(s - first) / long if first <= s <= last else None for s in range(len(has_label))]


def read_samples(
    folders: Iterable[Path],
    grid: Grid,
    *,
    part: Part,
    split: Split,
    context: int = 0,
    partial: bool = False,
    progress: Progress = silent,
) -> tuple[list[Sample], list[str]]:
    """Read the labelled frames of data sets, one part of the split only.

    Args:
        folders: Data sets in the layouts that `load.datasets` knows.
        grid: The network's grid.
        part: Which patients.
        split: The part of each patient.
        context: Number of neighbouring slices to either side that the network sees.
        partial: Whether to include phases whose reference lacks a structure.
        progress: Called for each patient.

    Returns:
        The samples, and the patients' names in order.

    Raises:
        TrainingError: The folders have no labelled data.
    """
    sources = [source for folder in folders for source in find_labelled(folder)]
    if not sources:
        raise TrainingError("The folders named with --data have no labelled patients.")
    samples: list[Sample] = []
    patients: list[str] = []
    for count, source in enumerate(sources):
        if split.part_of(source.name) != part:
            continue
        progress(count / len(sources), f"Reading {source.name}")
        try:
            found = samples_of_stack(source.read(), grid, context=context, partial=partial)
        except (LoadError, LabelMapError, GeometryError) as error:
            _log.warning("Patient left out of training: %s", error)
            continue
        samples += found
        if source.name not in patients:
            patients.append(source.name)
    return samples, patients


def count_by_region(samples: Sequence[Sample]) -> dict[str, int]:
    """Number of samples of each region, by the region's value."""
    return {region.value: sum(1 for s in samples if s.region is region) for region in Region}


def fingerprint(samples: Sequence[Sample]) -> str:
    """Fingerprint of a set of samples: 16 hex digits over all training data, in order.

    These are images with their neighbours, labels with the structures they include, regions and positions.
    """
    digest = hashlib.blake2b(digest_size=8)
    for sample in samples:
        digest.update(sample.image.tobytes())
        for offset, neighbour in sorted(sample.neighbours.items()):
            digest.update(str(offset).encode())
            digest.update(neighbour.tobytes())
        digest.update(sample.labels.tobytes())
        structures = sorted(int(label) for label in sample.structures)
        digest.update(f"{sample.region.value} {structures} {sample.position}".encode())
    return digest.hexdigest()
