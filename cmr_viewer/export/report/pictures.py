"""The part of each frame around the heart, in grey, for the pictures of a report."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.export.report.contents import FramePicture

MARGIN_MM = 15.0
"""Around the labels of the whole stack."""

MARGIN_PIXELS = 12
"""Likewise, where the spacing is not known."""

DARKEST, BRIGHTEST = 1.0, 98.0
"""Percentiles of the pixels that become black and white."""

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last)."""


def pictures_of(
    stack: Stack,
    label_maps: Mapping[FrameIndex, LabelMap | None],
    marks: Mapping[str, int],
    regions: Mapping[FrameIndex, Region | None],
) -> tuple[FramePicture, ...]:
    """All slices at ED and ES, slice by slice, all cut and lit alike.

    Args:
        stack: The stack.
        label_maps: (row, col) by frame; None where there is none.
        marks: Phases by name ("ED", "ES").
        regions: By frame, for the captions.
    """
    frames = [(FrameIndex(phase, index), mark) for index in range(stack.slices) for mark, phase in marks.items()]
    row0, row1, col0, col1 = box_of(stack, [label_maps.get(frame) for frame, _ in frames])
    shown = [np.asarray(stack.frame(frame)[row0:row1, col0:col1], dtype=np.float32) for frame, _ in frames]
    window = _window(shown)
    down, across = stack.geometry.pixel_spacing_mm
    pictures = []
    for (frame, mark), pixels in zip(frames, shown, strict=True):
        labels, region = label_maps.get(frame), regions.get(frame)
        where = f"Slice {frame.slice_index + 1}, {mark}"
        pictures.append(
            FramePicture(
                frame=frame,
                grey=_grey(pixels, window),
                labels=None if labels is None else labels[row0:row1, col0:col1].copy(),
                aspect=down / across,
                caption=where if region is None else f"{where}, {region.text.lower()}",
            )
        )
    return tuple(pictures)


def box_of(stack: Stack, label_maps: list[LabelMap | None]) -> Box:
    """What is cut out: the labels of all frames with a margin; the whole frame where there are none."""
    geometry = stack.geometry
    any_label = np.zeros((geometry.rows, geometry.cols), dtype=np.bool_)
    for labels in label_maps:
        if labels is not None:
            any_label |= labels > 0
    if not any_label.any():
        return 0, geometry.rows, 0, geometry.cols
    ends = []
    for axis, length, spacing in ((1, geometry.rows, 0), (0, geometry.cols, 1)):
        at = np.flatnonzero(any_label.any(axis=axis))
        margin = MARGIN_PIXELS
        if geometry.spacing_known:
            margin = round(MARGIN_MM / geometry.pixel_spacing_mm[spacing])
        ends += [max(0, int(at[0]) - margin), min(length, int(at[-1]) + 1 + margin)]
    return ends[0], ends[1], ends[2], ends[3]


def _window(shown: list[NDArray[np.float32]]) -> tuple[float, float]:
    values = np.concatenate([one.ravel() for one in shown]) if shown else np.zeros(1, np.float32)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (DARKEST, BRIGHTEST)))
    return low, max(high, low + 1e-6)


def _grey(pixels: NDArray[Any], window: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = window
    lit = np.clip((np.nan_to_num(pixels, nan=low) - low) * (255.0 / (high - low)), 0, 255)
    return np.asarray(lit, dtype=np.uint8)
