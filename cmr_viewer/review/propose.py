"""When a new prediction replaces the shown label map, and when it is only suggested next to it."""

from dataclasses import dataclass

import numpy as np

from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap


@dataclass(frozen=True)
class Replace:
    """The new prediction replaces the shown label map.

    Attributes:
        reason: Why, in words.
    """

    reason: str


@dataclass(frozen=True)
class Offer:
    """The new prediction is suggested next to the reader's label map, which does not change.

    Attributes:
        reason: Why, in words.
        changed_pixels: Pixels that would change if the reader accepted it; 0 means there is nothing to suggest.
    """

    reason: str
    changed_pixels: int


def decide(
    new: Prediction, *, shown: LabelMap | None, edited: bool, status: ReviewStatus | None = None
) -> Replace | Offer:
    """Decide whether a new prediction is shown. It never overwrites what a reader has edited or accepted.

    Args:
        new: The prediction.
        shown: (row, col) label map that is shown now, or None where there is none yet.
        edited: Whether the reader has changed it since it was predicted, saved or not.
        status: Of the latest saved version, or None without one.

    Returns:
        `Replace` or `Offer`, with the reason in words.
    """
    if shown is None:
        return Replace(f"First label map of this frame. {new.reason}".strip())
    if not edited and status is not ReviewStatus.ACCEPTED:
        return Replace(f"This frame has no edits. {new.reason}".strip())
    why = "You accepted this frame" if status is ReviewStatus.ACCEPTED else "You edited this frame"
    changed = int(np.count_nonzero(new.labels != shown)) if new.labels.shape == shown.shape else new.labels.size
    if changed == 0:
        return Offer(f"{why}; the new prediction is the same.", 0)
    return Offer(f"{why}; the new prediction differs in {changed} pixels and is shown as a suggestion.", changed)
