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
        focus_share: Share of draws from that region, above 0 to 1; the rest is drawn from all the other samples,
            so that a frame at the border that is routed wrongly finds a model that has seen its like.

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
        raise TrainingError(f"There are no samples of the region {focus.text.lower()} to train its specialist on.")
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
        keep the chance that they have without it.

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
