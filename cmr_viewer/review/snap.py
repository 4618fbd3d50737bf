"""Contours that snap to the edges of the image beside them.

The image is unrolled along the contour, to a band whose rows are points of the line and whose columns are steps across
it. The cheapest way along the band is the new line: a step is cheap where the grey changes most across the line, and
dearer the farther it is from what was drawn. From one point to the next the way moves by one step at most, so that the
line stays smooth and closed where an edge is missing.

Blood is brighter than what surrounds it, so the contour of a blood pool snaps only to edges that are brighter inside.
The epicardium snaps to edges of both kinds, but not to those beside the LV blood pool.

Source:
    The way along a band: A. A. Amini, T. E. Weymouth, R. C. Jain. "Using dynamic programming for solving variational
    problems in vision." IEEE Trans Pattern Anal Mach Intell 12(9):855-867, 1990; by scikit-image's minimum cost paths.
    Its `active_contour` was measured too: benchmarks/libraries.py.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, mask_of
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.frame_contours import contours_of, with_contour
from cmr_viewer.review.outlines import Spacing, outer
from cmr_viewer.review.spline import Line, contour_along, resampled

REACH_MM = 4.0
"""How far a line looks for an edge on either side."""

STEP_PX = 0.25
"""Distance of the steps across a line."""

ALONG_POINTS, ACROSS_PX = 4.0, 0.75
"""Standard deviations of the Gaussian that takes the noise out of the band: along the line, in points of a pixel each,
and across it. The longer one lies along the edges, so that it does not blur them."""

PEAK_PX, SHARP = 1.5, 2
"""An edge is made narrow, so that the middle of a blurred one is found: what lies beside the largest change within so
many pixels counts less, by this power of its share."""

FAR = 0.4
"""Cost at the end of the reach against that of a place without any edge."""

DARK_OUTSIDE = 0.5
"""What an edge of the epicardium that is darker outside counts, as beside the lung, against one that is brighter."""

SMOOTH_POINTS = 3.0
"""Standard deviation of the Gaussian that smooths steps along the line, in points of a pixel each."""

_LEAST_POINTS = 8
_TURN_POINTS = 3


def snap_to_edge(labels: LabelMap, label: Label, pixels: NDArray[Any], spacing_mm: Spacing) -> LabelMap:
    """A label map in which the contours of one structure lie on the edges of the image beside them.

    Args:
        labels: (row, col) label map; not changed.
        label: Whose contours: LVBP the endocardium, LVM the epicardium, RVBP.
        pixels: (row, col) of the frame, any real dtype.
        spacing_mm: (row, col) pixel spacing.

    Returns:
        A new label map; the rules of `outlines` hold. Holes stay as they are.

    Raises:
        LabelMapError: The shapes differ.
    """
    if pixels.shape != labels.shape:
        raise LabelMapError(f"A label map of shape {labels.shape} does not fit a frame of shape {pixels.shape}.")
    result = labels
    cavity = mask_of(labels, Label.LVBP)
    barred = outer(outer(cavity)) if label is Label.LVM else np.zeros_like(cavity)
    for contour in contours_of(labels, label):
        if not contour.hole and contour.length_px >= _LEAST_POINTS:
            line = snapped(contour.points, pixels, spacing_mm, bright_inside=label is not Label.LVM, barred=barred)
            result = with_contour(result, label, contour, contour_along(line))
    return result.copy() if result is labels else result


def snapped(
    line: Line,
    pixels: NDArray[Any],
    spacing_mm: Spacing,
    *,
    bright_inside: bool = False,
    barred: NDArray[np.bool_] | None = None,
) -> Line:
    """A closed line that follows the edges of an image beside it.

    Args:
        line: (point, 2) row and col.
        pixels: (row, col), any real dtype.
        spacing_mm: (row, col) pixel spacing.
        bright_inside: Whether only edges count that are brighter inside; else they count less than the others.
        barred: (row, col) where the line may not go; None for nowhere.

    Returns:
        (point, 2) row and col, within the frame.
    """
    from skimage.graph import MCP  # noqa: PLC0415 - slow to import, and only this tool needs it

    points = resampled(line, closed=True, step_px=1.0)
    across = _outwards(points)
    reach = max(1, round(REACH_MM / float(np.sqrt(spacing_mm[0] * spacing_mm[1])) / STEP_PX))
    margin = round(3 * ACROSS_PX / STEP_PX)  # so that an edge at the end of the reach is seen whole
    steps = np.arange(-reach - margin, reach + margin + 1) * STEP_PX
    at = points[:, None] + steps[:, None] * across[:, None]
    grey = ndimage.gaussian_filter1d(_sampled(np.asarray(pixels, dtype=np.float64), at), ALONG_POINTS, 0, mode="wrap")
    change = -ndimage.gaussian_filter1d(grey, ACROSS_PX / STEP_PX, 1, order=1)[:, margin:-margin]
    steps, at = steps[margin:-margin], at[:, margin:-margin]
    falling, rising = np.maximum(change, 0.0), np.maximum(-change, 0.0)
    strength = falling if bright_inside else rising + DARK_OUTSIDE * falling
    strongest = float(np.percentile(strength.max(axis=1), 75))
    if strongest <= 0:
        return points
    peaks = ndimage.maximum_filter1d(strength, 2 * round(PEAK_PX / STEP_PX) + 1, axis=1)
    strength = np.minimum(strength / strongest, 1.0) * (strength / np.maximum(peaks, 1e-9)) ** SHARP
    cost = 1.0 - strength + FAR * (steps / steps[-1]) ** 2
    size = np.asarray(pixels.shape) - 1
    closed_off = ((at < 0) | (at > size)).any(axis=2)
    if barred is not None:
        closed_off |= _sampled(barred.astype(np.float64), at) > 0.5
    cost[closed_off] = 1e3
    # A way once round that ends where it begins: its place half-way through two rounds holds for both of its ends.
    count = len(points)
    moves = [(1, -1), (1, 0), (1, 1)]
    twice = MCP(np.concatenate([cost, cost]) + 1e-6, offsets=moves)
    total, _ = twice.find_costs([(0, each) for each in range(len(steps))])
    around = np.asarray(twice.traceback((2 * count - 1, int(total[-1].argmin()))))
    start = int(around[count // 2, 1])
    rolled = np.roll(cost, -(count // 2), axis=0)
    once = MCP(np.concatenate([rolled, rolled[:1]]) + 1e-6, offsets=moves)
    once.find_costs([(0, start)])
    way = np.roll(np.asarray(once.traceback((count, start)))[:-1, 1], count // 2)
    moved = ndimage.gaussian_filter1d(steps[way], SMOOTH_POINTS, mode="wrap")
    return np.asarray(np.clip(points + moved[:, None] * across, 0.0, size))


def _outwards(line: Line) -> Line:
    """(point, 2) unit vectors across a closed line, away from what it encloses."""
    along = np.roll(line, -_TURN_POINTS, axis=0) - np.roll(line, _TURN_POINTS, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    row, col = line.T
    area = np.sum(row * np.roll(col, -1) - col * np.roll(row, -1))
    return np.asarray(np.sign(area) * -across / np.maximum(np.hypot(*across.T), 1e-9)[:, None])


def _sampled(image: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(ndimage.map_coordinates(image, np.moveaxis(at, -1, 0), order=1, mode="nearest"))
