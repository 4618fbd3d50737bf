"""The order in which to review frames and studies, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.stakes import Stake

_RANK = {Region.BASE: 0, Region.APEX: 1, Region.MIDDLE: 2, Region.NON_CARDIAC: 3}
"""Base and apex first: readers and networks disagree there most. Mariscal-Harana et al. 2021, table 1."""


@dataclass(frozen=True)
class FrameReview:
    """The facts about a frame that set the order.

    Attributes:
        region: Its region now, or None where it is not known.
        probability: The classifier's probability of its most probable region, or None where it has not said.
        by_reader: Whether the reader gave the region; then it is certain.
        status: Of the latest kept version, or None.
        stake: What is at stake in it, or None where that is not known.
        looked_at: Whether the reader has looked at it since the study was opened.
    """

    region: Region | None
    probability: float | None
    by_reader: bool = False
    status: ReviewStatus | None = None
    stake: Stake | None = None
    looked_at: bool = False

    @property
    def is_worth_a_look(self) -> bool:
        """Whether something is at stake in it, as far as that is known."""
        return self.stake is not None and self.stake.is_worth_a_look


@dataclass(frozen=True)
class Next:
    """A frame to review.

    Attributes:
        frame: The frame.
        why: Why it is next, in words.
    """

    frame: FrameIndex
    why: str


@dataclass(frozen=True)
class StudyReview:
    """What the order needs to know of a study: frames in all, accepted, and with a draft."""

    stack_id: str
    frames: int
    accepted: int
    drafts: int


def next_frame(frames: Mapping[FrameIndex, FrameReview], current: FrameIndex | None = None) -> Next | None:
    """The next frame to review: most millilitres at stake first; where nothing is known of them, the least certain.

    Args:
        frames: The frames of a study, or those of ED and ES.
        current: The frame that is shown. Where stakes are known, another one that was not looked at is next; else the
            search begins after it and wraps around. None begins at the first.

    Returns:
        The frame, which is the current one where that alone is left; None where every frame is accepted.
    """
    order = queue(frames)
    if not order:
        return None
    if current is None or current not in frames:
        return order[0]
    if any(one.stake is not None for one in frames.values()):
        fresh = (one for one in order if one.frame != current and not frames[one.frame].looked_at)
        found = next(fresh, None)
        if found is not None:
            return found
    here = _key(current, frames[current])
    return next((one for one in order if _key(one.frame, frames[one.frame]) > here), order[0])


def queue(frames: Mapping[FrameIndex, FrameReview]) -> list[Next]:
    """All frames that are still to be reviewed, in order; accepted ones are left out.

    First those that ED and ES depend on, then those with something at stake, by millilitres; then the others, the least
    certain region first and base and apex before middle; those that were looked at come last.
    """
    waiting = [frame for frame, state in frames.items() if state.status is not ReviewStatus.ACCEPTED]
    ordered = sorted(waiting, key=lambda one: _key(one, frames[one]))
    by = "most at stake first" if any(frames[f].stake for f in waiting) else "least certain first"
    return [Next(frame, f"{_why(frames[frame])} {len(ordered)} left to review, {by}.") for frame in ordered]


def study_order(studies: Sequence[StudyReview]) -> list[StudyReview]:
    """Studies in reading order: those in progress, then unread ones, then finished ones; else in the given order."""
    return sorted(studies, key=_study_rank)


def _study_rank(study: StudyReview) -> int:
    if study.accepted >= study.frames:
        return 2
    return 0 if study.accepted or study.drafts else 1


def _percent(state: FrameReview) -> int:
    """Certainty of the region in whole per cent, as it is shown, so that what looks equal is equal."""
    if state.by_reader:
        return 100
    return -1 if state.probability is None else round(100 * state.probability)


def _key(frame: FrameIndex, state: FrameReview) -> tuple[int, float, int, int, int, int]:
    rank = -1 if state.region is None else _RANK[state.region]
    tier = 2 if state.looked_at else 0 if state.is_worth_a_look else 1
    if tier == 0 and state.stake is not None and state.stake.goes_first:
        tier = -1
    ml = round(state.stake.ml, 1) if state.stake is not None and state.is_worth_a_look else 0.0
    return tier, -ml, _percent(state), rank, frame.phase, frame.slice_index


def _why(state: FrameReview) -> str:
    draft = " It has a draft." if state.status is ReviewStatus.DRAFT else ""
    if state.stake is not None and state.is_worth_a_look:
        return f"{state.stake.amount} at stake. {state.stake.why}{draft}".rstrip()
    if state.region is None or (state.probability is None and not state.by_reader):
        return f"The region of this frame is not classified yet.{draft}"
    if state.by_reader:
        return f"You set the region {state.region.text}. The label map is not accepted yet.{draft}"
    return f"Region {state.region.text} is {_percent(state)} % certain.{draft}"
