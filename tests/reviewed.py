"""Reviewed frames and stacks of phantoms, as `store.reviewed` reads them."""

from collections.abc import Sequence
from types import MappingProxyType

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.reviewed import ReviewedFrame, ReviewedStack
from tests.phantom import Phantom

PHASE = 1


def reviewed(
    s: int,
    region: Region,
    labels: LabelMap | None = None,
    *,
    corrected: bool = True,
    predicted: Region | None = None,
    phase: int = PHASE,
) -> ReviewedFrame:
    """A reviewed frame of a slice."""
    return ReviewedFrame(FrameIndex(phase, s), region, predicted, labels, corrected, s + 1)


def stack_of(
    frames: Sequence[ReviewedFrame],
    phantom: Phantom,
    stack_id: str = "a",
    patient: str = "p",
    slices: Sequence[int] | None = None,
) -> ReviewedStack:
    """A stack with reviewed frames and the pixels of a phantom, of some of its slices where they are named."""
    stack = phantom.stack
    held = range(stack.slices) if slices is None else slices
    pixels = {one: stack.frame(one) for one in stack.frame_indices if one.slice_index in held}
    by_frame = MappingProxyType({one.frame: one for one in frames})
    spacing = stack.geometry.pixel_spacing_mm
    return ReviewedStack(stack_id, patient, stack.geometry, spacing, by_frame, MappingProxyType(pixels))
