"""What the models have still to compute of the open study, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.route.router import DecidedBy


@dataclass(frozen=True)
class Missing:
    """What is missing of a study.

    Attributes:
        order: All frames, the most wanted first.
        classify: Whether regions are missing: then everything is computed, in two passes.
        reader_regions: Regions that the reader has set; they take precedence over the classifier's.
        segment: Where only label maps are missing: the frames and their regions, the most wanted first.
        by: Who decided the region of each frame in `segment`.
        certainty: How probable the region is in the whole stack, of frames in `segment` whose region is predicted so.
    """

    order: tuple[FrameIndex, ...] = ()
    classify: bool = False
    reader_regions: Mapping[FrameIndex, Region] = field(default_factory=dict)
    segment: Mapping[FrameIndex, Region] = field(default_factory=dict)
    by: Mapping[FrameIndex, DecidedBy] = field(default_factory=dict)
    certainty: Mapping[FrameIndex, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.classify or bool(self.segment)


def order_of_work(
    stack: Stack, shown: FrameIndex | None, ed_phase: int | None, es_phase: int | None
) -> tuple[FrameIndex, ...]:
    """All frames of a stack, the most wanted first.

    The frame that is shown, then the phases that matter (ED and ES where they are known, and the phase that is shown),
    then the rest of the slice that is shown, then everything else in order.
    """
    first: list[FrameIndex] = [] if shown is None else [shown]
    wanted = [ed_phase, es_phase, shown.phase if shown is not None else None]
    for phase in dict.fromkeys(p for p in wanted if p is not None and 0 <= p < stack.phases):
        first += [FrameIndex(phase, s) for s in range(stack.slices)]
    if shown is not None:
        first += [FrameIndex(p, shown.slice_index) for p in range(stack.phases)]
    return tuple(dict.fromkeys([*first, *stack.frame_indices]))


def missing_of(reading: OpenStudy, shown: FrameIndex | None) -> Missing:
    """What is missing of the open study, the most wanted first.

    Args:
        reading: The open study, its active models set.
        shown: The frame that the reader looks at, or None.
    """
    order = order_of_work(reading.stack, shown, *reading.ed_es())
    reader_regions = {f: r.reader_region for f, r in reading.frames.items() if r.reader_region is not None}
    routes = {frame: reading.frames.route_of(frame) for frame in order if reading.frames.lacks_prediction(frame)}
    segment = {frame: choice.region for frame, choice in routes.items() if choice is not None}
    return Missing(
        order=order,
        classify=any(reading.frames.lacks_region(frame) for frame in order),
        reader_regions=reader_regions,
        segment=segment,
        by={frame: "reader" for frame in segment if frame in reader_regions},
        certainty={f: sure for f in segment if (sure := reading.frames[f].certainty) is not None},
    )


def missing_of_frame(reading: OpenStudy, frame: FrameIndex, region: Region) -> Missing:
    """The label map of one frame, as a region."""
    by_reader = reading.frames[frame].reader_region is not None
    return Missing((frame,), segment={frame: region}, by={frame: "reader" if by_reader else "predicted"})
