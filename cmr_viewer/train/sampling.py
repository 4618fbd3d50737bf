"""The choice of samples for a batch."""

from collections.abc import Mapping, Sequence

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
        focus_share: Share of draws from that region, above 0 to 1; the rest comes from all other samples, so that the
            model has also seen frames like those that are routed to it wrongly at a border.

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
        raise TrainingError(f"There are no samples of the region {focus.text.lower()} to train a specialist on.")
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


def with_shares(
    weights: NDArray[np.float64], groups: Sequence[str], shares: Mapping[str, float]
) -> NDArray[np.float64]:
    """The chances of samples, changed so that some groups of them have a stated share of the draws.

    Args:
        weights: (sample,) chance of each, adding up to 1.
        groups: The group of each sample.
        shares: Of the draws, by group, 1 together at most; the groups that are not named share the rest.

    Returns:
        (sample,) adding up to 1; within a named group, and within the rest, the chances are to one another as before.

    Raises:
        TrainingError: A named group has no sample, or there is no sample to have the rest.
    """
    named = {group: np.array([one == group for one in groups]) for group in shares}
    rest = ~np.any([*named.values(), np.zeros(len(groups), dtype=bool)], axis=0)
    changed = np.zeros(len(groups))
    left = max(0.0, 1.0 - sum(shares.values()))
    for name, inside, share in [*((g, named[g], shares[g]) for g in shares), ("the rest", rest, left)]:
        total = float(weights[inside].sum())
        if share > 1e-9 and total <= 0:
            raise TrainingError(f"There are no samples of {name}, but its share of the batches is {100 * share:.0f} %.")
        if total > 0:
            changed[inside] = weights[inside] * (share / total)
    return changed


def with_non_cardiac(
    weights: NDArray[np.float64], regions: Sequence[Region], groups: Sequence[str], share: float
) -> NDArray[np.float64]:
    """The chances of samples, changed so that non-cardiac frames have a stated share of the draws from each set.

    A set without such frames, or of nothing else, stays as it is; so does each set's own share.

    Args:
        weights: (sample,) chance of each, adding up to 1.
        regions: Region of each sample.
        groups: Set of each sample.
        share: From 0 to 1.
    """
    changed = weights.copy()
    kinds = np.array([str(region is Region.NON_CARDIAC) for region in regions])
    for group in set(groups):
        inside = np.array([one == group for one in groups])
        total = float(weights[inside].sum())
        if total > 0 and len(set(kinds[inside & (weights > 0)])) == 2:
            changed[inside] = total * with_shares(weights[inside] / total, kinds[inside].tolist(), {"True": share})
    return changed
