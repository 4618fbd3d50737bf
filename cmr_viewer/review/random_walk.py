"""Random walker with priors: marks spread over an image until they meet its edges.

Each pixel gets the probability that a walker which sets out from it, steps rarely across edges and stops at times by
what is believed of the pixel beforehand, comes first to a mark of each kind. It is the solution of one sparse system of
linear equations, so that the result does not depend on an order of steps.

Source:
    L. Grady. "Random walks for image segmentation." IEEE Trans Pattern Anal Mach Intell 28(11):1768-1783, 2006; with
    priors: L. Grady. "Multilabel random walker image segmentation using prior models." CVPR 2005, 763-770.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

_LEAST_WEIGHT = 1e-4
"""Of an edge of the grid, so that no pixel is cut off."""


def random_walk(
    grey: NDArray[np.float32],
    marks: NDArray[np.int8],
    prior: NDArray[np.float32],
    *,
    edge: float,
    belief: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Probability of each kind at each pixel.

    Args:
        grey: (row, col) image; only differences of neighbours count.
        marks: (row, col) number of the kind where it is certain, from 0; -1 elsewhere.
        prior: (kind, row, col) probability that is believed beforehand, adding up to 1 over the kinds.
        edge: Difference of grey at which the chance to step across falls to 1/e, > 0.
        belief: (row, col) weight of the prior against that of a step to a neighbour of the same grey, > 0.

    Returns:
        (kind, row, col) probability, adding up to 1 over the kinds.
    """
    rows, cols = grey.shape
    number = np.arange(rows * cols).reshape(rows, cols)
    ends = [(number[:-1], number[1:]), (number[:, :-1], number[:, 1:])]
    first = np.concatenate([one.ravel() for one, _ in ends])
    second = np.concatenate([other.ravel() for _, other in ends])
    values = grey.ravel().astype(np.float64)
    weight = np.exp(-(((values[first] - values[second]) / edge) ** 2)) + _LEAST_WEIGHT
    shape = (rows * cols, rows * cols)
    half = sparse.coo_matrix((weight, (first, second)), shape=shape)
    steps = (half + half.T).tocsr()
    degree = np.asarray(steps.sum(axis=1)).ravel()
    fixed = marks.ravel() >= 0
    free = np.flatnonzero(~fixed)
    known = np.stack([marks.ravel() == kind for kind in range(len(prior))]).astype(np.float64)
    result = known.copy()
    if free.size:
        stop = belief.ravel().astype(np.float64)[free]
        system = sparse.diags(degree[free] + stop) - steps[free][:, free]
        right = steps[free] @ known.T + stop[:, None] * prior.reshape(len(prior), -1).T[free]
        solved = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(right)
        result[:, free] = solved.T
    return np.asarray(result.reshape(prior.shape), dtype=np.float32)
