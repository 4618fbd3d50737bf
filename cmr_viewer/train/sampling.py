"""Which samples a batch is made of."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.errors import TrainingError


def specialist_weights(
    regions: Sequence[Region], focus: Region | None, focus_share: float = 1.0
) -> NDArray[np.float64]:
    """Chance of each sample to be drawn.

    Args:
        regions: Region of each sample.
        focus: The specialist's region, or None for all samples alike.
        focus_share: Share of draws from that region, above 0 to 1; the rest is drawn from the other cardiac regions, so
            that a frame at the border that is routed wrongly finds a model that has seen its like.

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
    outside = np.array([region not in (focus, Region.NON_CARDIAC) for region in regions])
    if not inside.any():
        raise TrainingError(f"There are no samples of the region {focus.text.lower()} to train its specialist on.")
    share = focus_share if outside.any() else 1.0
    weights = inside * (share / inside.sum()) + outside * ((1 - share) / max(1, int(outside.sum())))
    return np.asarray(weights / weights.sum(), dtype=np.float64)
