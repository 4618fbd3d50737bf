"""The differences between a former and the present label map, pixel by pixel."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.label_map import LabelMap


class Difference(IntEnum):
    """The change of a pixel."""

    NONE = 0
    ADDED = 1
    REMOVED = 2
    RELABELLED = 3


def difference_map(before: LabelMap, now: LabelMap) -> NDArray[np.uint8]:
    """The change of each pixel.

    Args:
        before: (row, col) label map as it was.
        now: The same frame's as it is, of the same shape.

    Returns:
        (row, col), values of `Difference`: a label where there was background, background where there was a label, or
        another label.
    """
    changed = before != now
    found = np.where(before == 0, np.uint8(Difference.ADDED), np.uint8(Difference.RELABELLED))
    found[now == 0] = Difference.REMOVED
    found[~changed] = Difference.NONE
    return found
