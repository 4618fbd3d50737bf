"""Frames to learn from, on the training grid, and how often each is drawn."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region, reference_regions
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError, TrainingError
from cmr_viewer.load.datasets import LabelledStack, find_labelled
from cmr_viewer.prepare.grid import Grid, Placement, centre_of_labels, frame_centre, working_spacing_mm
from cmr_viewer.prepare.network_input import channels, normalise, offsets
from cmr_viewer.progress import Progress, silent
from cmr_viewer.train.spec import TrainingSpec
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


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a network learns from.

    Attributes:
        samples: To train on.
        validation: To choose between states of the network by; may be none.
        origin: Facts for the model's plan: data sets, patients and the like, as JSON values.
    """

    samples: Sequence[Sample]
    validation: Sequence[Sample] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)


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


def read_training_data(
    folders: Sequence[Path], spec: TrainingSpec, split: Split, progress: Progress = silent
) -> TrainingData:
    """Read the labelled frames of data sets, the training and the validation part of the split.

    Args:
        folders: Data sets in the layouts that `load.datasets` knows.
        spec: What is trained.
        split: The part of each patient.
        progress: 0 to 1; called for each patient.

    Raises:
        TrainingError: The folders have no labelled data.
    """
    sources = [source for folder in folders for source in find_labelled(folder)]
    if not sources:
        raise TrainingError("The folders named with --data have no labelled patients.")
    # Labels of some structures only cannot teach a classifier where the heart begins.
    partial = spec.role is not Role.CLASSIFIER
    samples: dict[Part, list[Sample]] = {"train": [], "validation": []}
    patients: dict[Part, dict[str, None]] = {"train": {}, "validation": {}}
    for count, source in enumerate(sources):
        of_part = split.part_of(source.name)
        if of_part not in samples:
            continue
        progress(count / len(sources), f"Reading {source.name}")
        try:
            found = samples_of_stack(source.read(), spec.grid, context=spec.context, partial=partial)
        except (LoadError, LabelMapError, GeometryError) as error:
            _log.warning("Patient left out of training: %s", error)
            continue
        samples[of_part] += found
        patients[of_part][source.name] = None
    origin = {
        "data": [path.name for path in folders],
        "patients": list(patients["train"]),
        "validation_patients": list(patients["validation"]),
        "regions": count_by_region(samples["train"]),
    }
    return TrainingData(samples["train"], samples["validation"], origin)


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


def specialist_weights(
    regions: Sequence[Region], focus: Region | None, focus_share: float = 1.0
) -> NDArray[np.float64]:
    """Chance of each sample to be drawn.

    Args:
        regions: Region of each sample.
        focus: The specialist's region, or None for all samples alike.
        focus_share: Share of draws from that region, above 0 to 1; the rest comes from all other samples, so that the
            model has also seen frames like those that are routed to it wrongly at a border.

    Returns:
        (sample,) adding up to 1.

    Raises:
        TrainingError: No sample of that region.
    """
    if not regions:
        raise TrainingError("There are no samples to train on.")
    if focus is None:
        return np.full(len(regions), 1.0 / len(regions))
    inside = np.array([region is focus for region in regions])
    outside = ~inside
    if not inside.any():
        raise TrainingError(f"There are no samples of the region {focus.text.lower()} to train a specialist on.")
    share = focus_share if outside.any() else 1.0
    weights = inside * (share / inside.sum()) + outside * ((1 - share) / max(1, int(outside.sum())))
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def end_weights(positions: Sequence[float | None], ratio: float) -> NDArray[np.float64]:
    """Chance of each sample to be drawn where the ends of the heart are drawn more often than its middle.

    Args:
        positions: Of each sample: 0.0 at the most basal slice of the heart to 1.0 at the most apical one; None for a
            non-cardiac frame.
        ratio: Largest chance of a cardiac frame over the smallest, from 1 up. The paper's levels: 4 low, 20 high.

    Returns:
        (sample,) adding up to 1: quadratic in the position, smallest in the middle of the heart; non-cardiac frames
        have the same chance as without it.

    Raises:
        TrainingError: No samples, or a ratio below 1.

    Source:
        Mariscal-Harana et al. 2021, approach 1: non-uniform batch sampling.
    """
    if not positions:
        raise TrainingError("There are no samples to train on.")
    if ratio < 1:
        raise TrainingError(f"The sampling ratio must be 1 or more, not {ratio}.")
    cardiac = np.array([p is not None for p in positions])
    at = np.array([0.5 if p is None else p for p in positions])
    weights = np.where(cardiac, 1.0 + (ratio - 1.0) * (2.0 * at - 1.0) ** 2, 0.0)
    if cardiac.any():
        weights *= cardiac.sum() / weights.sum()
    weights[~cardiac] = 1.0
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def with_shares(
    weights: NDArray[np.float64], groups: Sequence[str], shares: Mapping[str, float]
) -> NDArray[np.float64]:
    """The chances of samples, changed so that some groups of them have a stated share of the draws.

    Args:
        weights: (sample,) chance of each, adding up to 1.
        groups: The group of each sample.
        shares: Of the draws, by group, 1 together at most; the groups that are not named share the rest.

    Returns:
        (sample,) adding up to 1; within a named group, and within the rest, the chances are to one another as before.

    Raises:
        TrainingError: A named group has no sample, or there is no sample to have the rest.
    """
    named = {group: np.array([one == group for one in groups]) for group in shares}
    rest = ~np.any([*named.values(), np.zeros(len(groups), dtype=bool)], axis=0)
    changed = np.zeros(len(groups))
    left = max(0.0, 1.0 - sum(shares.values()))
    for name, inside, share in [*((g, named[g], shares[g]) for g in shares), ("the rest", rest, left)]:
        total = float(weights[inside].sum())
        if share > 1e-9 and total <= 0:
            raise TrainingError(f"There are no samples of {name}, but its share of the batches is {100 * share:.0f} %.")
        if total > 0:
            changed[inside] = weights[inside] * (share / total)
    return changed


def with_non_cardiac(
    weights: NDArray[np.float64], regions: Sequence[Region], groups: Sequence[str], share: float
) -> NDArray[np.float64]:
    """The chances of samples, changed so that non-cardiac frames have a stated share of the draws from each set.

    A set without such frames, or of nothing else, stays as it is; so does each set's own share.

    Args:
        weights: (sample,) chance of each, adding up to 1.
        regions: Region of each sample.
        groups: Set of each sample.
        share: From 0 to 1.
    """
    changed = weights.copy()
    kinds = np.array([str(region is Region.NON_CARDIAC) for region in regions])
    for group in set(groups):
        inside = np.array([one == group for one in groups])
        total = float(weights[inside].sum())
        if total > 0 and len(set(kinds[inside & (weights > 0)])) == 2:
            changed[inside] = total * with_shares(weights[inside] / total, kinds[inside].tolist(), {"True": share})
    return changed
