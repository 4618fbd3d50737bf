"""Where the heart is in a stack, so that the grid can be laid around it."""

import math
from collections.abc import Sequence

import numpy as np

from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.prepare.grid import Grid, Placement, frame_centre, working_spacing_mm
from cmr_viewer.prepare.neighbours import slices_around
from cmr_viewer.segment.cleanup import clean
from cmr_viewer.segment.segmenter import FrameSegmenter

FIELD_OF_VIEW_MM = 384.0
"""Width of the grid to look on: more than the field of view of a short-axis cine."""

GRID_MULTIPLE = 32
"""Rows and columns of the wide grid are a multiple of this, so that every network can halve it."""

SEARCHED_LEVELS = (0.3, 0.45, 0.6)
"""Where in the stack to look, from base 0 to apex 1: levels that show both ventricles."""

CENTRED_LEVELS = (0.2, 0.35, 0.5, 0.65)
"""Where to look again once it is roughly known where the heart is."""

SMALLEST_HEART_MM2 = 400.0
"""What is smaller in a searched frame is no heart."""


def wide_grid(spacing_mm: float) -> Grid:
    """A grid over the whole field of view, at the spacing that a model was trained on."""
    count = GRID_MULTIPLE * math.ceil(FIELD_OF_VIEW_MM / spacing_mm / GRID_MULTIPLE)
    return Grid(spacing_mm, count, count)


def heart_centre(stack: Stack, segmenter: FrameSegmenter) -> tuple[float, float]:
    """Find the heart with a segmentation model on the whole field of view.

    Args:
        stack: The stack; a few frames at the first phase are looked at.
        segmenter: A baseline.

    Returns:
        (row, col) in pixels: the middle of what is segmented on the model's own grid, laid around the median over a few
        frames of the middle of what is segmented on the whole field of view; the middle of the frame where nothing is
        found. On the whole field of view a model that was trained around hearts is at times off by some centimetres.
    """
    rows, cols = stack.geometry.rows, stack.geometry.cols
    spacing = working_spacing_mm(stack.geometry)
    middle = frame_centre(rows, cols)
    levels = _frames_at(stack, SEARCHED_LEVELS)
    place = Placement(wide_grid(segmenter.plan.spacing_mm), (rows, cols), spacing, middle)
    context = segmenter.plan.context
    seen = [(slices_around(stack, frame, context), place) for frame in levels]
    found = [clean(labels) for labels in segmenter.predict(seen)]
    smallest = SMALLEST_HEART_MM2 / (spacing[0] * spacing[1])
    centres = [np.argwhere(labels > 0).mean(axis=0) for labels in found if np.count_nonzero(labels) >= smallest]
    if not centres:
        return middle
    row, col = np.median(np.asarray(centres), axis=0)
    again = segmenter.predict_frames(stack, _frames_at(stack, CENTRED_LEVELS), (float(row), float(col)))
    marked = np.argwhere(np.stack([clean(labels) for labels in again]) > 0)
    if len(marked) >= smallest:
        row, col = marked[:, 1:].mean(axis=0)
    return float(row), float(col)


def _frames_at(stack: Stack, levels: Sequence[float]) -> list[FrameIndex]:
    """Frames of the first phase at levels from base 0 to apex 1."""
    return [FrameIndex(0, s) for s in sorted({round(level * (stack.slices - 1)) for level in levels})]
