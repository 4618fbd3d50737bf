"""Label maps that a tool offers for several frames, shown beside the present ones until taken; interpolated ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.progress import Progress


@dataclass(frozen=True, eq=False)
class Offer:
    """What a tool made of one or several frames, for the reader to take or to drop.

    Attributes:
        label_maps: (row, col) by frame; not to be written to.
        text: What was done, in words, for the bar over the frame and for undo: "propagate through the phases".
    """

    label_maps: Mapping[FrameIndex, LabelMap]
    text: str

    def __contains__(self, frame: object) -> bool:
        return frame in self.label_maps

    @property
    def sentence(self) -> str:
        """What is offered, for a reader."""
        count = len(self.label_maps)
        frames = "1 frame" if count == 1 else f"{count} frames"
        return f"{self.text[:1].upper()}{self.text[1:]}: suggested for {frames}. Your label maps are unchanged."


def between_slices(
    stack: Stack, known: Mapping[FrameIndex, LabelMap], phase: int, progress: Progress
) -> dict[FrameIndex, LabelMap]:
    """Label maps of the slices of a phase that lie between corrected ones; runs on the job thread.

    Args:
        stack: The stack.
        known: (row, col) label maps of the corrected frames, at least two.
        phase: Their phase.
        progress: Told that it has begun.
    """
    from cmr_viewer.review.interpolate import interpolate_slices  # noqa: PLC0415

    progress(0.0, "Interpolating")
    geometry = stack.geometry
    along = np.asarray(geometry.positions_mm, dtype=np.float64) @ geometry.normal
    corrected = {frame.slice_index: labels for frame, labels in known.items()}
    found = interpolate_slices(corrected, [float(each) for each in along], geometry.pixel_spacing_mm)
    return {FrameIndex(phase, each): labels for each, labels in found.items()}


def between_phases(
    stack: Stack, known: Mapping[FrameIndex, LabelMap], slice_index: int, progress: Progress
) -> dict[FrameIndex, LabelMap]:
    """Label maps of the phases of a slice that lie between corrected ones; runs on the job thread.

    Args:
        stack: The stack.
        known: (row, col) label maps of the corrected frames, at least two.
        slice_index: Their slice.
        progress: Told that it has begun.
    """
    from cmr_viewer.review.interpolate import interpolate_phases  # noqa: PLC0415

    progress(0.0, "Interpolating")
    times, cycle = cycle_of(stack)
    corrected = {frame.phase: labels for frame, labels in known.items()}
    found = interpolate_phases(corrected, times, cycle, stack.geometry.pixel_spacing_mm)
    return {FrameIndex(each, slice_index): labels for each, labels in found.items()}


def cycle_of(stack: Stack) -> tuple[tuple[float, ...], float]:
    """Times of the phases and of the whole cycle, in ms; in phases where the files do not state times.

    The cycle is that of the heart rate, where there is one that fits, else it ends a usual step after the last phase.
    """
    times = stack.phase_times_ms
    if times is None or len(times) < 2 or min(np.diff(times)) <= 0:
        return tuple(float(each) for each in range(stack.phases)), float(stack.phases)
    end = times[-1] - times[0] + float(np.median(np.diff(times)))
    if stack.heart_rate_bpm:
        end = max(end, 60_000.0 / stack.heart_rate_bpm)
    return times, end
