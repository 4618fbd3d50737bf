"""What is measured of a label in a frame, and in a stack: overlap, and how far the borders lie apart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap, Mask, dice, mask_of
from cmr_viewer.errors import GeometryError, LabelMapError


@dataclass(frozen=True)
class StackPlace:
    """Which stack: the slices of one phase of a patient.

    Attributes:
        group: The data set, a `load.datasets.Group`.
        patient: Pseudonym; no two patients of a run have the same.
        phase: Phase of the cine.
        phase_name: "ED", "ES", or "" for another phase.
    """

    group: str
    patient: str
    phase: int
    phase_name: str

    @property
    def stack(self) -> tuple[str, int]:
        """The patient and the phase."""
        return self.patient, self.phase


@dataclass(frozen=True)
class FramePlace(StackPlace):
    """Which frame.

    Attributes:
        slice_index: 0 is the most basal.
        region: Reference region of the frame.
    """

    slice_index: int
    region: Region


Place = TypeVar("Place", bound=StackPlace)


@dataclass(frozen=True)
class Score(Generic[Place]):
    """One label in one frame, or in all slices of one phase.

    Attributes:
        place: The frame or the stack.
        label: The structure.
        dice: 0.0 to 1.0 (of a stack: 3D), or None where neither reference nor prediction has the label.
        hd95_mm: Distance of the borders within the frame, or in space with slices at their slice spacing; None where
            reference or prediction lacks the label, or a spacing is not known.
        assd_mm: Likewise.
        reference_pixels: Size of the label in the reference.
        predicted_pixels: Size of the label in the prediction.
    """

    place: Place
    label: Label
    dice: float | None
    hd95_mm: float | None
    assd_mm: float | None
    reference_pixels: int
    predicted_pixels: int


FrameScore = Score[FramePlace]
StackScore = Score[StackPlace]


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


def score_labels(
    place: Place,
    reference: LabelMap,
    predicted: LabelMap,
    *,
    spacing_mm: Sequence[float] | None,
    structures: Iterable[Label] = STRUCTURES,
) -> list[Score[Place]]:
    """Dice and distances of each structure that the reference includes, in one frame or stack.

    Args:
        place: The frame or the stack.
        reference: (row, col) or (slice, row, col).
        predicted: The same shape.
        spacing_mm: Of each axis, or None where one of them is not known.
        structures: Structures that are labelled in the reference.

    Raises:
        LabelMapError: The shapes differ.
    """
    scores = []
    for label in sorted(structures):
        first, second = mask_of(reference, label), mask_of(predicted, label)
        overlap = dice(predicted, reference, label)
        apart = None if spacing_mm is None else surface_distances(first, second, spacing_mm)
        hd95_mm, assd_mm = (None, None) if apart is None else (apart.hd95_mm, apart.assd_mm)
        sizes = int(np.count_nonzero(first)), int(np.count_nonzero(second))
        scores.append(Score(place, label, overlap, hd95_mm, assd_mm, *sizes))
    return scores


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances of the border pixels of two masks, both ways.

    Attributes:
        first_to_second_mm: Per border pixel of the first mask: distance to the nearest of the second.
        second_to_first_mm: Per border pixel of the second mask: distance to the nearest of the first.
    """

    first_to_second_mm: NDArray[np.float64]
    second_to_first_mm: NDArray[np.float64]

    @property
    def hd95_mm(self) -> float:
        """95th percentile Hausdorff distance: the larger of the 95th percentiles of the two ways.

        Source:
            Maier-Hein, Reinke et al. 2024, Metrics reloaded, Nat Methods 21:195-212, doi 10.1038/s41592-023-02151-z.
            Percentiles between two distances are interpolated linearly.
        """
        return float(max(np.percentile(self.first_to_second_mm, 95), np.percentile(self.second_to_first_mm, 95)))

    @property
    def assd_mm(self) -> float:
        """Average symmetric surface distance: the mean over all distances of both ways together.

        Source:
            Heimann et al. 2009, IEEE Trans Med Imaging 28(8):1251-1265, doi 10.1109/TMI.2009.2013851.
        """
        total = self.first_to_second_mm.sum() + self.second_to_first_mm.sum()
        return float(total / (self.first_to_second_mm.size + self.second_to_first_mm.size))


def surface_distances(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> SurfaceDistances | None:
    """Distances between the borders of two masks.

    The border of a mask is its pixels that have a neighbour outside it along an axis (4 neighbours in a frame, 6 in a
    stack); what lies beyond the array is outside. Distances are those of pixel centres.

    Args:
        first: (row, col) or (slice, row, col).
        second: The same shape.
        spacing_mm: Distance of pixel centres along each axis, > 0.

    Returns:
        The distances; None where one mask is empty, or both.

    Raises:
        LabelMapError: The shapes differ.
        GeometryError: The spacings are not one for each axis, or not positive.
    """
    if first.shape != second.shape:
        raise LabelMapError(f"Masks of shapes {first.shape} and {second.shape} cannot be compared.")
    if len(spacing_mm) != first.ndim or min(spacing_mm) <= 0:
        raise GeometryError(f"Distances in an array of {first.ndim} axes need as many spacings, not {spacing_mm} mm.")
    if not first.any() or not second.any():
        return None
    box = _box(first | second)
    borders = border(first[box]), border(second[box])
    to_first, to_second = (ndimage.distance_transform_edt(~b, sampling=tuple(spacing_mm)) for b in borders)
    return SurfaceDistances(np.asarray(to_second[borders[0]]), np.asarray(to_first[borders[1]]))


def border(mask: Mask) -> Mask:
    """Pixels of a mask that have a neighbour outside it along an axis; the array's own edge counts as outside."""
    inner = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(mask.ndim, 1), border_value=0)
    return np.asarray(mask & ~inner)


def _box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box that holds a mask; both borders lie in it, so that nothing else needs distances."""
    places: tuple[NDArray[Any], ...] = np.nonzero(mask)
    return tuple(slice(int(at.min()), int(at.max()) + 1) for at in places)
