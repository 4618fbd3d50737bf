"""Click prompts: the reader clicks inside or outside a structure, and the frame is segmented again around the clicks.

A random walker gives each pixel near the clicks a label. The clicks are certain; steps across edges of the image are
rare; the prior combines the probabilities of a model, if there is one, and the drawn label map. Far from the clicks the
drawing dominates, near them the model and the image. The deeper a click is inside the wrong label, the farther it
reaches: a click next to an outline moves it a little, and one in the middle of a missing structure adds all of it.

docs/click-prompts.md compares clicks with strokes of the brush.

Source:
    L. Grady. "Random walks for image segmentation." IEEE Trans Pattern Anal Mach Intell 28(11):1768-1783, 2006; with
    priors: L. Grady. "Multilabel random walker image segmentation using prior models." CVPR 2005, 763-770.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask, Point, box_around
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.correction import Click
from cmr_viewer.review.motion import grey_between
from cmr_viewer.review.outlines import Spacing, has_closed_ring, outer, outline_mask

MARK_MM = 1.5
"""Radius of what a click is certain about."""

REACH_MM = (4.0, 30.0)
"""Least and greatest reach of a click."""

DEPTH = 1.5
"""Reach of a click over its distance from where its label begins, or ends."""

EDGE = 0.12
"""Difference of neighbouring pixels on the scale of `motion.grey_between` that makes an edge."""

BELIEF = (0.05, 2.0)
"""Weight of what is believed beforehand against that of a step to a neighbour: at a click, and beyond its reach."""

MODEL_SHARE = 0.5
"""Share of the model in what is believed; the rest is what was drawn."""

SURE = 2.0
"""Logit that a click gives its label where it is set, and takes away from there on to its reach."""

ALIKE = 0.4
"""Difference of grey from the clicked pixel at which the effect of a click falls to 1/e."""

_SOFT_MM = 1.0
"""Width over which a drawn outline is not certain."""

_LEAST = 1e-3
"""Probability that every label has everywhere."""


def segment_clicks(
    pixels: NDArray[Any],
    drawn: LabelMap,
    clicks: Sequence[Click],
    spacing_mm: Spacing,
    *,
    probabilities: NDArray[np.floating[Any]] | None = None,
) -> LabelMap:
    """Segment a frame anew around clicks.

    Args:
        pixels: (row, col) of the frame, any real dtype.
        drawn: (row, col) label map that the clicks correct; as it was before the first of them.
        clicks: The reader's clicks, in order; a later click replaces an earlier one at the same place.
        spacing_mm: (row, col) pixel spacing.
        probabilities: (label, row, col) that a model gives the labels, in the order of `Label`; None without a model.

    Returns:
        A new label map; beyond the reach of the clicks it is as drawn.

    Raises:
        LabelMapError: Shapes differ, or a click is outside the frame or marks the background.
    """
    _check(pixels, drawn, clicks, probabilities)
    if not clicks:
        return drawn.copy()
    reaches = [_reach_mm(drawn, click, spacing_mm) for click in clicks]
    away = [_distance_mm(drawn.shape, click.point, spacing_mm) for click in clicks]
    within: Mask = np.any([each <= 2.0 * reach for each, reach in zip(away, reaches, strict=True)], axis=0)
    box = box_around(within, 1)
    nearness = [np.exp(-((each[box] / reach) ** 2)) for each, reach in zip(away, reaches, strict=True)]
    part = None if probabilities is None else probabilities[(slice(None), *box)]
    logits = np.log(_believed(drawn[box], part, spacing_mm))
    marks = np.where(within[box], -1, drawn[box]).astype(np.int8)
    grey = grey_between(pixels[box])
    smooth = ndimage.gaussian_filter(grey, [_SOFT_MM / spacing for spacing in spacing_mm])
    for click, near, distance in zip(clicks, nearness, away, strict=True):
        at = (round(click.point[0]) - box[0].start, round(click.point[1]) - box[1].start)
        others = np.delete(logits[:, at[0], at[1]], int(click.label)).max()
        lead = float(logits[int(click.label), at[0], at[1]] - others)
        shift = max(0.0, SURE - lead) if click.inside else min(0.0, -SURE - lead)
        alike = np.exp(-(((smooth - smooth[at]) / ALIKE) ** 2))
        logits[int(click.label)] += shift * near * alike
        marked = int(click.label) if click.inside else _best_other(logits[:, at[0], at[1]], click.label)
        marks[distance[box] <= MARK_MM] = marked
        marks[at] = marked
    chances = np.exp(logits - logits.max(axis=0))
    chances /= chances.sum(axis=0)
    free = 1.0 - np.max(nearness, axis=0)
    belief = (BELIEF[0] + (BELIEF[1] - BELIEF[0]) * free).astype(np.float32)
    found = random_walk(grey, marks, chances.astype(np.float32), edge=EDGE, belief=belief)
    result = drawn.copy()
    result[box] = np.argmax(found, axis=0)
    return _tidied(result, drawn, clicks)


def _check(
    pixels: NDArray[Any],
    drawn: LabelMap,
    clicks: Sequence[Click],
    probabilities: NDArray[np.floating[Any]] | None,
) -> None:
    if pixels.shape != drawn.shape or (probabilities is not None and probabilities.shape != (len(Label), *drawn.shape)):
        raise LabelMapError(f"The pixels or probabilities do not match a label map of shape {drawn.shape}.")
    for click in clicks:
        if click.label is Label.BACKGROUND:
            raise LabelMapError("A click marks a structure, not the background. Choose a label first.")
        if not all(-0.5 <= at < size - 0.5 for at, size in zip(click.point, drawn.shape, strict=True)):
            raise LabelMapError(
                f"The click at {click.point} is outside the frame of shape {drawn.shape}. Click inside it."
            )


def _distance_mm(shape: tuple[int, ...], point: Point, spacing_mm: Spacing) -> NDArray[np.float32]:
    """Distance of each pixel from a point."""
    down = (np.arange(shape[0], dtype=np.float32) - point[0]) * spacing_mm[0]
    right = (np.arange(shape[1], dtype=np.float32) - point[1]) * spacing_mm[1]
    return np.asarray(np.hypot(down[:, None], right[None, :]), dtype=np.float32)


def _reach_mm(drawn: LabelMap, click: Click, spacing_mm: Spacing) -> float:
    """How far a click reaches: farther, the deeper it is in what is wrong; least where it agrees with what is drawn."""
    at = (round(click.point[0]), round(click.point[1]))
    mine = np.asarray(drawn == int(click.label))
    if bool(mine[at]) == click.inside:
        return REACH_MM[0]
    right = mine if click.inside else ~mine
    if not right.any():
        return REACH_MM[1]
    depth = float(_distance_mm(drawn.shape, click.point, spacing_mm)[right].min())
    return min(REACH_MM[1], max(REACH_MM[0], DEPTH * depth))


def _believed(
    drawn: LabelMap, probabilities: NDArray[np.floating[Any]] | None, spacing_mm: Spacing
) -> NDArray[np.float64]:
    """(label, row, col) what is believed before the clicks, from the drawing and the model; never 0."""
    widths = [_SOFT_MM / spacing for spacing in spacing_mm]
    soft = np.stack([ndimage.gaussian_filter((drawn == int(label)).astype(np.float64), widths) for label in Label])
    if probabilities is not None:
        soft = (1.0 - MODEL_SHARE) * soft + MODEL_SHARE * probabilities.astype(np.float64)
    soft = np.maximum(soft, _LEAST)
    return np.asarray(soft / soft.sum(axis=0))


def _best_other(logits: NDArray[np.float64], label: Label) -> int:
    """The label that is believed most at a point, but for one."""
    left = logits.copy()
    left[int(label)] = -np.inf
    return int(np.argmax(left))


def _tidied(result: LabelMap, drawn: LabelMap, clicks: Sequence[Click]) -> LabelMap:
    """Without islands that came up away from the clicks, and without holes that the reader did not click.

    A ring that was closed stays closed, unless clicks open it.
    """
    for label in Label:
        pieces, count = ndimage.label(result == int(label))
        if count < 2 or label is Label.BACKGROUND:
            continue
        stays = set(np.unique(pieces[drawn == int(label)]))
        stays |= {int(pieces[round(each.point[0]), round(each.point[1])]) for each in clicks}
        lost = ~np.isin(pieces, sorted(stays)) & (pieces > 0)
        result[lost] = drawn[lost]
    clicked_outside = np.zeros(result.shape, dtype=np.bool_)
    for click in clicks:
        clicked_outside[round(click.point[0]), round(click.point[1])] |= not click.inside
    for label in {click.label for click in clicks}:
        mine, before = outline_mask(result, label), outline_mask(drawn, label)
        holes = ndimage.binary_fill_holes(mine) & ~mine & ~ndimage.binary_fill_holes(before)
        pieces, _ = ndimage.label(holes)
        stays = set(np.unique(pieces[clicked_outside]))
        result[holes & (result == int(Label.BACKGROUND)) & ~np.isin(pieces, sorted(stays - {0}))] = int(label)
    opened = any(click.label is Label.LVM and not click.inside for click in clicks)
    if has_closed_ring(drawn) and not opened:
        cavity = np.asarray(result == int(Label.LVBP))
        result[outer(cavity) & ~cavity] = int(Label.LVM)
    return result


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
    """Probability of each kind at each pixel: a random walker, with priors, which scikit-image's `random_walker` lacks.

    Each pixel gets the probability that a walker which sets out from it, steps rarely across edges and stops at times
    by what is believed of the pixel beforehand, comes first to a mark of each kind. It is the solution of one sparse
    system of linear equations, so that the result does not depend on an order of steps.

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
