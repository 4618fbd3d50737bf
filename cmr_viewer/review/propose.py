"""When a new prediction takes the place of what is shown, and when it is only offered beside it."""

from dataclasses import dataclass

import numpy as np

from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap


@dataclass(frozen=True)
class Replace:
    """The new prediction is shown in place of what was.

    Attributes:
        reason: Why, in words.
    """

    reason: str


@dataclass(frozen=True)
class Offer:
    """The new prediction is offered beside what the reader kept, which stays as it is.

    Attributes:
        reason: Why, in words.
        changed_pixels: Pixels that would change if it were taken; 0 means there is nothing to offer.
    """

    reason: str
    changed_pixels: int


def decide(
    new: Prediction, *, shown: LabelMap | None, edited: bool, status: ReviewStatus | None = None
) -> Replace | Offer:
    """Decide what becomes of a new prediction. What a reader has edited or accepted is never overwritten.

    Args:
        new: The prediction.
        shown: (row, col) label map that is shown now, or None where there is none yet.
        edited: Whether the reader has changed it since it was predicted, saved or not.
        status: Of the latest kept version, or None where nothing was kept.

    Returns:
        `Replace` or `Offer`, with the reason in words.
    """
    if shown is None:
        return Replace(f"First masks of this frame. {new.reason}".strip())
    if not edited and status is not ReviewStatus.ACCEPTED:
        return Replace(f"Nothing was edited here. {new.reason}".strip())
    kept = "You accepted this frame" if status is ReviewStatus.ACCEPTED else "You edited this frame"
    changed = int(np.count_nonzero(new.labels != shown)) if new.labels.shape == shown.shape else new.labels.size
    if changed == 0:
        return Offer(f"{kept}; the new prediction is the same.", 0)
    return Offer(f"{kept}; the new prediction differs in {changed} pixels and is offered beside it.", changed)
