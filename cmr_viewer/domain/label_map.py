"""Label maps: uint8 arrays of `Label`, (row, col) or with leading (slice) and (phase) axes; and how far two agree."""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import GeometryError, LabelMapError

LabelMap = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Point = tuple[float, float]
"""(row, col) of a frame in pixels; pixel centres are whole numbers."""


def as_label_map(values: NDArray[Any], shape: tuple[int, ...] | None = None) -> LabelMap:
    """Check an array and return it as a label map.

    Args:
        values: Whole numbers 0 to 3, of any dtype.
        shape: The shape it must have, or None.

    Returns:
        uint8 array of the same shape; a view where `values` is uint8 already.

    Raises:
        LabelMapError: Codes outside `Label`, values that are not whole, or another shape.
    """
    if shape is not None and values.shape != shape:
        raise LabelMapError(f"A label map of shape {values.shape} does not fit frames of shape {shape}.")
    if values.dtype.kind not in "biu" and not np.isfinite(np.asarray(values, dtype=np.float64)).all():
        raise LabelMapError("A label map must contain whole numbers, but this one has values that are not numbers.")
    labels = values if values.dtype == np.uint8 else np.asarray(values).astype(np.uint8)
    if values.dtype != np.uint8 and not np.array_equal(labels, values):
        raise LabelMapError("A label map must contain whole numbers from 0 to 3.")
    if labels.size and int(labels.max()) > int(max(Label)):
        raise LabelMapError(f"Label code {int(labels.max())} is not known; the codes are 0 to {int(max(Label))}.")
    return labels


def empty_label_map(rows: int, cols: int) -> LabelMap:
    """A label map of background only, (row, col)."""
    return np.zeros((rows, cols), dtype=np.uint8)


def mask_of(labels: LabelMap, label: Label) -> Mask:
    """Where a label is; the shape of `labels`."""
    return np.asarray(labels == int(label))


def translate_codes(values: NDArray[Any], codes: dict[int, Label]) -> LabelMap:
    """Translate another set's codes into `Label`.

    Args:
        values: Whole numbers; each must be a key of `codes` or 0.
        codes: Their codes and what they mean here.

    Raises:
        LabelMapError: A code that is not in `codes`.
    """
    result = np.zeros(values.shape, dtype=np.uint8)
    known = values == 0
    for code, label in codes.items():
        where = values == code
        result[where] = int(label)
        known |= where
    if not known.all():
        strange = np.unique(values[~known])[:5]
        raise LabelMapError(f"Label codes {strange.tolist()} are not known; expected {sorted(codes)} and 0.")
    return result


def dice(first: LabelMap, second: LabelMap, label: Label) -> float | None:
    """Dice similarity coefficient of one label.

    Args:
        first: Label map of any shape.
        second: Label map of the same shape.
        label: The structure.

    Returns:
        2 |A and B| / (|A| + |B|), 0.0 to 1.0; None where neither holds the label.

    Raises:
        LabelMapError: The shapes differ.

    Source:
        Dice 1945, Measures of the amount of ecologic association between species.
    """
    if first.shape != second.shape:
        raise LabelMapError(f"Label maps of shapes {first.shape} and {second.shape} cannot be compared.")
    a, b = first == int(label), second == int(label)
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    if total == 0:
        return None
    return 2.0 * int(np.count_nonzero(a & b)) / total


def hausdorff_mm(first: Mask, second: Mask, pixel_spacing_mm: tuple[float, float]) -> float | None:
    """Largest distance from the border of one mask of a frame to the border of another, whichever way is larger.

    The border of a mask is its pixels that have one of their 4 neighbours outside it; what lies beyond the frame is
    outside. Distances are those of pixel centres.

    Args:
        first: (row, col).
        second: The same shape.
        pixel_spacing_mm: (row, col) distance of pixel centres, > 0.

    Returns:
        Distance in mm; None where one mask is empty, or both.

    Raises:
        LabelMapError: The shapes differ.
        GeometryError: A spacing is not positive.

    scipy's `directed_hausdorff` gives the same and takes three times as long; scikit-image's knows no spacing.

    Source:
        Hausdorff distance, Huttenlocher et al. 1993, IEEE Trans Pattern Anal Mach Intell 15(9):850-863.
    """
    if first.shape != second.shape:
        raise LabelMapError(f"Masks of shapes {first.shape} and {second.shape} cannot be compared.")
    if min(pixel_spacing_mm) <= 0:
        raise GeometryError(f"Spacings must be positive, not {pixel_spacing_mm} mm.")
    if not first.any() or not second.any():
        return None
    here, there = (_border_points(mask) * np.asarray(pixel_spacing_mm) for mask in (first, second))
    squares = ((here[:, None, :] - there[None, :, :]) ** 2).sum(axis=2)
    return float(np.sqrt(max(squares.min(axis=1).max(), squares.min(axis=0).max())))


def _border_points(mask: Mask) -> NDArray[np.float64]:
    """(point, 2) centres of the pixels of a mask with a neighbour outside it."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(mask & ~inner).astype(np.float64)


def box_around(mask: Mask, margin: int = 0) -> tuple[slice, slice]:
    """The part of a frame that contains a mask, and a margin of some pixels; the whole frame where it is empty."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    return (
        slice(max(0, int(rows[0]) - margin), min(mask.shape[0], int(rows[-1]) + 1 + margin)),
        slice(max(0, int(cols[0]) - margin), min(mask.shape[1], int(cols[-1]) + 1 + margin)),
    )


def fingerprint(labels: LabelMap) -> int:
    """A number that is the same for the same label map, and hardly ever for another; the shape does not count."""
    return zlib.crc32(np.ascontiguousarray(labels).data)
