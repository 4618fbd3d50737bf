"""The frame on show in words, for readers who use a screen reader."""

from cmr_viewer.domain.anatomy import STRUCTURES
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.reading.frames import FrameState


def spoken_frame(stack: Stack, frame: FrameIndex, state: FrameState, ed: int | None, es: int | None) -> str:
    """Slice, phase, region, label map and status of a frame in sentences.

    Args:
        stack: The stack.
        frame: The frame of it.
        state: What is known of it.
        ed: Phase of end-diastole, or None.
        es: Phase of end-systole, or None.
    """
    mark = {ed: ", end-diastole", es: ", end-systole"}.get(frame.phase, "")
    said = [f"Slice {frame.slice_index + 1} of {stack.slices}, phase {frame.phase + 1} of {stack.phases}{mark}."]
    if state.region is None:
        said.append("Region not known yet.")
    elif state.region_by == "reader":
        said.append(f"Region {state.region.text.lower()}, set by the reader.")
    elif state.region_prediction is not None:
        certain = 100 * state.region_prediction.of(state.region)
        said.append(f"Region {state.region.text.lower()}, {certain:.0f} percent.")
    said.append(_labels(state))
    if state.status is ReviewStatus.ACCEPTED:
        said.append("Accepted.")
    else:
        said.append("Corrected, not accepted." if state.edited else "Not reviewed.")
    if state.proposal is not None:
        said.append("A new prediction is available.")
    return " ".join(said)


def _labels(state: FrameState) -> str:
    if state.labels is None:
        return "No label map yet."
    drawn = [each.text for each in STRUCTURES if (state.labels == each).any()]
    return f"Drawn: {', '.join(drawn)}." if drawn else "The label map is empty."
