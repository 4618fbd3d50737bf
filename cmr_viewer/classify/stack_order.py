"""The regions of all slices of a stack, decided together.

From base to apex a stack shows no heart, base, middle, apex and again no heart, and from one phase to the next the ends
of the heart move by a slice at most, now and then. A classifier that sees one frame alone knows nothing of that. Here
its probabilities are weighed against it, with numpy alone:

- The state of one phase is its first and last cardiac slice, or that there is none. The regions in between follow by
  the 20 % / 60 % / 20 % rule of `domain.anatomy.reference_regions`; base and apex may each take one slice more or less
  at a cost.
- A frame speaks for or against a state with its log likelihoods (`log_likelihoods`): the classifier's probabilities,
  and how large a heart the baseline draws in it, if it was asked.
- From phase to phase, the first and the last cardiac slice pay for each slice that they move.

The best path through the phases (Viterbi) gives the regions; forward-backward gives how probable each region is in each
frame. Regions that a reader has set are evidence that nothing but other regions of the reader outweighs; they stay even
where no order fits them.

Source:
    Viterbi and forward-backward: Rabiner 1989, A tutorial on hidden Markov models, Proc IEEE 77(2):257-286. Moves along
    two axes at a cost that is proportional to the distance: Felzenszwalb and Huttenlocher 2012, Distance transforms of
    sampled functions, Theory of Computing 8:415-428.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.study import FrameIndex

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BASE, MIDDLE, APEX, NON_CARDIAC = (
    REGIONS.index(r) for r in (Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC)
)

LEAST_PROBABILITY = 1e-4
"""No frame alone speaks more strongly than this against a region, so that one bad frame cannot break a stack."""

READER_LOG_ODDS = 25.0
"""How strongly a reader's region speaks: more than the frames around it, and still a number, so that regions of a
reader that fit no order leave a best path."""

INDEPENDENT_PHASES = 3.0
"""The phases of a slice give the same evidence repeatedly; together they count as this many: about ED, ES and what is
between them."""

WRAP = 2
"""The cycle closes: so many phases of its other end are seen before the first and after the last phase."""

SLACK = (-1, 0, 1)
"""Slices that base or apex may have more than the rule gives them."""


@dataclass(frozen=True)
class OrderWeights:
    """How much each consideration weighs, in natural logarithms of odds.

    Attributes:
        classifier: Exponent of the classifier's probabilities; below 1 where it is too sure of itself.
        shares: Exponent of `REGION_SHARES` that these are divided by.
        heart_at_none: Evidence for middle and apex in a frame where the baseline draws nothing; negative.
        heart_per_decade: What each factor of ten in the drawn area in mm² adds to it.
        base_at_none: As `heart_at_none`, for the base; lower, since above the base small hearts are drawn too.
        base_per_decade: As `heart_per_decade`, for the base.
        heart_most: The evidence is no more than this.
        move: Cost of each slice that an end of the heart moves between two phases.
        slack: Cost of a slice more or less of base or apex than the rule gives.
        nothing: Cost of a stack without any heart, and of a heart that comes or goes between two phases.
    """

    classifier: float
    shares: float
    heart_at_none: float
    heart_per_decade: float
    base_at_none: float
    base_per_decade: float
    heart_most: float
    move: float
    slack: float
    nothing: float


REGION_SHARES = (0.17, 0.49, 0.17, 0.17)
"""Shares of base, middle, apex and non-cardiac frames that the classifiers are trained on: ACDC and M&Ms vendor A."""

WEIGHTS = OrderWeights(
    classifier=0.54,
    shares=0.32,
    heart_at_none=-0.81,
    heart_per_decade=1.29,
    base_at_none=-2.41,
    base_per_decade=1.13,
    heart_most=2.42,
    move=0.39,
    slack=5.37,
    nothing=4.0,
)
"""Fitted by `python benchmarks/stack_order.py fit` on the validation patients of ACDC and M&Ms vendor A, with models
that had not seen them; all but `nothing`, which these have no example of: one in fifty of the stacks that are opened as
short-axis is none."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the order of a stack makes of its frames.

    Attributes:
        regions: (phase, slice) index into `REGIONS`: the best path, with a reader's regions as they are.
        posterior: (phase, slice, region) probability of each region of `REGIONS`.
    """

    regions: Ints
    posterior: Floats


def log_likelihoods(probabilities: Floats, heart_mm2: Floats, weights: OrderWeights = WEIGHTS) -> Floats:
    """The evidence of frames by themselves.

    Args:
        probabilities: (..., 4) of the classifier, in the order of `REGIONS`; not a number for frames not looked at.
        heart_mm2: (...) area that the baseline draws in the frame, all structures together; not a number where it was
            not asked.
        weights: How much each counts.

    Returns:
        (..., 4) log likelihood of each region, up to a constant for each frame; 0 for frames not looked at.
    """
    logs = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    result = weights.classifier * logs - weights.shares * np.log(REGION_SHARES)
    result = np.where(np.isfinite(logs), result, 0.0)
    decades = np.log10(1.0 + heart_mm2)
    for region, at_none, per_decade in (
        (BASE, weights.base_at_none, weights.base_per_decade),
        (MIDDLE, weights.heart_at_none, weights.heart_per_decade),
        (APEX, weights.heart_at_none, weights.heart_per_decade),
    ):
        drawn = np.minimum(at_none + per_decade * decades, weights.heart_most)
        result[..., region] += np.where(np.isfinite(drawn), drawn, 0.0)
    return np.asarray(result)


def decode(
    likelihoods: Floats,
    *,
    pinned: Mapping[FrameIndex, Region] | None = None,
    closed: bool = False,
    weights: OrderWeights = WEIGHTS,
) -> Decoded:
    """Regions of a stack's frames, all together.

    Args:
        likelihoods: (phase, slice, 4) as from `log_likelihoods`; slices base to apex, phases in time order; at least
            one of each.
        pinned: Regions that a reader has set, by (row of `likelihoods`, slice).
        closed: Whether the phases are a whole cycle, the last followed by the first.
        weights: How much each consideration counts.

    Returns:
        Regions and their probabilities. Unless the reader's regions contradict it, the regions of each phase are in
        order: non-cardiac, base, middle, apex, non-cardiac.
    """
    phases, slices = likelihoods.shape[:2]
    held = np.full((phases, slices), -1)
    for (phase, index), region in (pinned or {}).items():
        held[phase, index] = REGIONS.index(region)
    each = min(1.0, INDEPENDENT_PHASES / phases)
    evidence = likelihoods * each
    evidence = evidence + np.where(held[..., None] >= 0, READER_LOG_ODDS * (np.arange(4) == held[..., None]), 0.0)
    around = np.arange(phases)
    if closed and phases > 2:
        wrap = min(WRAP, phases - 1)
        around = np.arange(-wrap, phases + wrap) % phases
    inner = slice((len(around) - phases) // 2, (len(around) + phases) // 2)
    scores = _scores(evidence[around], slack=weights.slack, nothing=each * weights.nothing)
    regions = _best_path(scores, weights)[inner]
    posterior = _posterior(scores, weights)[inner]
    by_reader = held >= 0
    regions = np.where(by_reader, held, regions)
    posterior[by_reader] = np.eye(4)[held[by_reader]]
    return Decoded(regions, posterior)


@dataclass(frozen=True, eq=False)
class _Shapes:
    """All ways in which the regions of one phase can lie; arrays over (first, last, way).

    `first` and `last` are the first and the last cardiac slice, and the ways differ in how many slices more or less of
    base and apex there are.

    Attributes:
        first: First cardiac slice.
        after: First slice after the heart.
        base_end: First slice after the base.
        apex_start: First slice of the apex.
        over: Slices more or less than the rule gives, base and apex together.
        real: Whether there is such a shape; where not, the others mean nothing.
    """

    first: Ints
    after: Ints
    base_end: Ints
    apex_start: Ints
    over: Ints
    real: NDArray[np.bool_]


@lru_cache(maxsize=8)
def _shapes(slices: int) -> _Shapes:
    """The shapes of a phase of so many slices."""
    ways = [(base, apex) for base in SLACK for apex in SLACK]
    more_base, more_apex = np.array(ways).T
    first, last, _ = np.meshgrid(np.arange(slices), np.arange(slices), np.arange(len(ways)), indexing="ij")
    count = last - first + 1
    ends = (0.2 * np.maximum(count, 0) + 0.5).astype(np.int64)  # as `reference_regions`
    base, apex = ends + more_base, ends + more_apex
    real = (count > 0) & (base >= 0) & (apex >= 0) & (base + apex <= count)
    base_end, apex_start = np.where(real, first + base, first), np.where(real, last + 1 - apex, first)
    return _Shapes(first, last + 1, base_end, apex_start, np.abs(more_base) + np.abs(more_apex) + 0 * first, real)


@dataclass(frozen=True, eq=False)
class _Scores:
    """Log scores of the states of each phase.

    Attributes:
        of_shape: (phase, first, last, way); minus infinity where there is no such shape.
        best: (phase, first, last) of the best shape between these ends.
        total: (phase, first, last) log of the sum over the shapes between these ends.
        none: (phase,) of a phase without a heart.
    """

    of_shape: Floats
    best: Floats
    total: Floats
    none: Floats


def _scores(evidence: Floats, *, slack: float, nothing: float) -> _Scores:
    """Scores of all states from the (phase, slice, region) log likelihoods, and the costs of a state at one phase."""
    phases, slices = evidence.shape[:2]
    shapes = _shapes(slices)
    sums = np.zeros((4, phases, slices + 1))
    sums[:, :, 1:] = np.cumsum(np.moveaxis(evidence, 2, 0), axis=2)
    base, middle, apex, outside = sums
    of_shape = (
        (outside - base)[:, shapes.first]
        + (base - middle)[:, shapes.base_end]
        + (middle - apex)[:, shapes.apex_start]
        + (apex - outside)[:, shapes.after]
        + outside[:, -1, None, None, None]
        - slack * shapes.over
    )
    of_shape = np.where(shapes.real, of_shape, -np.inf)
    best = of_shape.max(axis=3)
    with np.errstate(divide="ignore"):
        sums_of_shares = np.log(np.exp(of_shape - np.where(np.isfinite(best), best, 0.0)[..., None]).sum(axis=3))
    return _Scores(
        of_shape, best, np.where(np.isfinite(best), best + sums_of_shares, -np.inf), outside[:, -1] - nothing
    )


def _best_path(scores: _Scores, weights: OrderWeights) -> Ints:
    """(phase, slice) regions of the best path."""
    phases, slices = scores.best.shape[:2]
    hearts, nones = np.empty_like(scores.best), np.empty(phases)
    hearts[0], nones[0] = scores.best[0], scores.none[0]
    for p in range(1, phases):
        hearts[p] = scores.best[p] + np.maximum(_moved(hearts[p - 1], weights.move), nones[p - 1] - weights.nothing)
        nones[p] = scores.none[p] + max(nones[p - 1], hearts[p - 1].max() - weights.nothing)
    regions = np.full((phases, slices), NON_CARDIAC)
    distance = np.abs(np.arange(slices)[:, None] - np.arange(slices))
    heart, none = hearts[-1], nones[-1]
    for p in range(phases - 1, -1, -1):
        if none < heart.max():
            first, last = np.unravel_index(int(heart.argmax()), heart.shape)
            regions[p] = _best_shape(scores, p, int(first), int(last))
            cost = weights.move * (distance[first][:, None] + distance[last])
            heart, none = hearts[p - 1] - cost, nones[p - 1] - weights.nothing
        else:
            heart, none = hearts[p - 1] - weights.nothing, nones[p - 1]
    return regions


def _best_shape(scores: _Scores, phase: int, first: int, last: int) -> Ints:
    """(slice,) regions of the best shape between two ends."""
    slices = scores.best.shape[1]
    shapes, way = _shapes(slices), int(scores.of_shape[phase, first, last].argmax())
    regions = np.full(slices, NON_CARDIAC)
    base_end, apex_start = shapes.base_end[first, last, way], shapes.apex_start[first, last, way]
    regions[first:base_end], regions[base_end:apex_start], regions[apex_start : last + 1] = BASE, MIDDLE, APEX
    return regions


def _moved(values: Floats, cost: float) -> Floats:
    """The best value of each (first, last) after a move, which costs as much for each slice that either end moves."""
    ramp = cost * np.arange(values.shape[0])
    for axis in (0, 1):
        along = ramp[:, None] if axis == 0 else ramp
        forth = np.maximum.accumulate(values + along, axis=axis) - along
        back = np.flip(np.maximum.accumulate(np.flip(values - along, axis), axis=axis), axis) + along
        values = np.maximum(forth, back)
    return values


def _posterior(scores: _Scores, weights: OrderWeights) -> Floats:
    """(phase, slice, region) probabilities, forward and backward over the phases."""
    phases, slices = scores.total.shape[:2]
    kernel = np.exp(-weights.move * np.abs(np.arange(slices)[:, None] - np.arange(slices)))
    appear = float(np.exp(-weights.nothing))
    top = np.maximum(scores.total.max(axis=(1, 2)), scores.none)
    hearts, nones = np.exp(scores.total - top[:, None, None]), np.exp(scores.none - top)

    def step(heart: Floats, none: float) -> tuple[Floats, float]:
        return kernel @ heart @ kernel + appear * none, none + appear * float(heart.sum())

    def scaled(heart: Floats, none: float) -> tuple[Floats, float]:
        size = float(heart.sum()) + none
        return heart / size, none / size

    forward: list[tuple[Floats, float]] = [scaled(hearts[0], nones[0])]
    for p in range(1, phases):
        heart, none = step(*forward[-1])
        forward.append(scaled(heart * hearts[p], none * nones[p]))
    result = np.empty((phases, slices, 4))
    heart, none = np.ones((slices, slices)), 1.0
    for p in range(phases - 1, -1, -1):
        both, _ = scaled(forward[p][0] * heart, forward[p][1] * none)
        result[p] = _marginals(scores, p, both)
        heart, none = scaled(*step(heart * hearts[p], none * nones[p]))
    return result


def _marginals(scores: _Scores, phase: int, both: Floats) -> Floats:
    """(slice, region) probabilities from those of (first, last) at one phase."""
    slices = both.shape[0]
    shapes = _shapes(slices)
    share = np.exp(scores.of_shape[phase] - np.where(both > 0, scores.total[phase], np.inf)[..., None])
    weight = (both[..., None] * share).ravel()
    steps = np.zeros((slices + 1, 4))
    for region, start, end in (
        (BASE, shapes.first, shapes.base_end),
        (MIDDLE, shapes.base_end, shapes.apex_start),
        (APEX, shapes.apex_start, shapes.after),
    ):
        begun, ended = (np.bincount(where.ravel(), weight, slices + 1) for where in (start, end))
        steps[:, region] = begun - ended
    result = np.clip(np.cumsum(steps[:slices], axis=0), 0.0, 1.0)
    result[:, NON_CARDIAC] = np.clip(1.0 - result[:, :NON_CARDIAC].sum(axis=1), 0.0, 1.0)
    return np.asarray(result / result.sum(axis=1, keepdims=True))
