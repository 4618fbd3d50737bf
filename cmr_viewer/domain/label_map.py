"""Label maps: uint8 arrays of `Label`, (row, col) or with leading (slice) and (phase) axes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LabelMapError

LabelMap = NDArray[np.uint8]
Mask = NDArray[np.bool_]


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
