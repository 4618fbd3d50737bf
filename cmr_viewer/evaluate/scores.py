"""What is measured of a label in a frame, and in a stack."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cmr_viewer.domain.agreement import dice
from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap, mask_of
from cmr_viewer.errors import GeometryError
from cmr_viewer.evaluate.surface import surface_distances


@dataclass(frozen=True)
class FramePlace:
    """Which frame.

    Attributes:
        group: The data set, a `load.datasets.Group`.
        patient: Pseudonym; no two patients of a run have the same.
        phase: Phase of the stack.
        phase_name: "ED", "ES", or "" for another phase.
        slice_index: 0 is the most basal.
        region: Reference region of the frame.
    """

    group: str
    patient: str
    phase: int
    phase_name: str
    slice_index: int
    region: Region

    @property
    def stack(self) -> tuple[str, int]:
        """The patient and the phase: the stack of slices of the frame."""
        return self.patient, self.phase


@dataclass(frozen=True)
class FrameScore:
    """One label in one frame.

    Attributes:
        place: The frame.
        label: The structure.
        dice: 0.0 to 1.0, or None where neither reference nor prediction has the label.
        hd95_mm: Distance of the borders within the frame; None where reference or prediction lacks the label, or the
            pixel spacing is not known.
        assd_mm: Likewise.
        reference_pixels: Size of the label in the reference.
        predicted_pixels: Size of the label in the prediction.
    """

    place: FramePlace
    label: Label
    dice: float | None
    hd95_mm: float | None
    assd_mm: float | None
    reference_pixels: int
    predicted_pixels: int


@dataclass(frozen=True)
class StackScore:
    """One label in all slices of one phase.

    Attributes:
        group: The data set.
        patient: Pseudonym.
        phase: Phase of the stack.
        phase_name: "ED", "ES", or "".
        label: The structure.
        dice: 3D Dice over all slices; None where neither reference nor prediction has the label.
        hd95_mm: Distance of the borders in space, slices at their slice spacing; None as in `FrameScore`, and where
            the slice spacing is not known.
        assd_mm: Likewise.
        reference_voxels: Size of the label in the reference.
        predicted_voxels: Size of the label in the prediction.
    """

    group: str
    patient: str
    phase: int
    phase_name: str
    label: Label
    dice: float | None
    hd95_mm: float | None
    assd_mm: float | None
    reference_voxels: int
    predicted_voxels: int


def known_spacing_mm(geometry: Geometry) -> tuple[float | None, tuple[float, float] | None]:
    """Slice spacing and (row, col) pixel spacing of a stack, each None where it is not known.

    Slices that do not lie evenly have no one spacing.
    """
    if not geometry.spacing_known:
        return None, None
    try:
        even = bool((geometry.slice_weights == 1.0).all())
        return geometry.slice_spacing_mm if even else None, geometry.pixel_spacing_mm
    except GeometryError:
        return None, geometry.pixel_spacing_mm


def score_frame(
    place: FramePlace,
    *,
    reference: LabelMap,
    predicted: LabelMap,
    pixel_spacing_mm: tuple[float, float] | None,
    structures: Iterable[Label] = STRUCTURES,
) -> list[FrameScore]:
    """Dice and distances of each structure that the reference tells about, in one frame.

    Args:
        place: The frame.
        reference: (row, col).
        predicted: (row, col).
        pixel_spacing_mm: (row, col), or None where it is not known.
        structures: Structures that are labelled in the reference.

    Raises:
        LabelMapError: The shapes differ.
    """
    return [
        FrameScore(place, label, *_agreement(reference, predicted, label, pixel_spacing_mm))
        for label in sorted(structures)
    ]


def score_stack(
    place: FramePlace,
    *,
    reference: LabelMap,
    predicted: LabelMap,
    spacing_mm: tuple[float, float, float] | None,
    structures: Iterable[Label] = STRUCTURES,
) -> list[StackScore]:
    """Dice and distances of each structure over all slices of one phase.

    Args:
        place: A frame of the phase.
        reference: (slice, row, col).
        predicted: (slice, row, col).
        spacing_mm: (slice, row, col), or None where one of them is not known.
        structures: Structures that are labelled in the reference.

    Raises:
        LabelMapError: The shapes differ.
    """
    return [
        StackScore(
            place.group,
            place.patient,
            place.phase,
            place.phase_name,
            label,
            *_agreement(reference, predicted, label, spacing_mm),
        )
        for label in sorted(structures)
    ]


def _agreement(
    reference: LabelMap, predicted: LabelMap, label: Label, spacing_mm: tuple[float, ...] | None
) -> tuple[float | None, float | None, float | None, int, int]:
    """Dice, HD95, ASSD and the sizes in reference and prediction."""
    overlap = dice(predicted, reference, label)
    first, second = mask_of(reference, label), mask_of(predicted, label)
    apart = None if spacing_mm is None else surface_distances(first, second, spacing_mm)
    hd95_mm, assd_mm = (None, None) if apart is None else (apart.hd95_mm, apart.assd_mm)
    return overlap, hd95_mm, assd_mm, int(np.count_nonzero(first)), int(np.count_nonzero(second))
