"""How far two label maps agree."""

import numpy as np

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.errors import LabelMapError


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
