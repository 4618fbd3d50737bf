"""The order in which to review the frames of a study: by the millilitres at stake in each, and why.

What is at stake is the chance that a frame's region or masks are wrong, times what that changes:

    at stake = sum over other regions of P(region) x |change in ml if it were that region|
             + P(masks wrong) x |difference in ml to the second opinion|
             + P(a failed check is right) x millilitres that the check is about

The second opinion is the model of the active ones, or the new prediction that is suggested, that differs most. The
chances are measured (`python benchmarks/queue_value.py fit`): see docs/review.md for how, and for what the order that
they give is worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.what_if import FrameCounts, amount_text, at_stake_ml

if TYPE_CHECKING:
    from cmr_viewer.review.checks import Finding

MASKS_WRONG: Mapping[Region, float] = {
    Region.BASE: 0.55,
    Region.MIDDLE: 0.44,
    Region.APEX: 0.27,
    Region.NON_CARDIAC: 0.25,
}
"""Share of frames whose masks are more than `WRONG_ML` off the expert's, by region, on validation patients of ACDC."""

WRONG_ML = 2.0
"""From this error on, the masks of a frame count as wrong."""

CHECK_CHANCE = 0.10
"""Chance that what a failed check is about is an error of as many millilitres; a larger one made the order no better on
the validation patients."""

LEAST_ML = 0.05
"""Frames with less at stake need no review, if no check fails."""


@dataclass(frozen=True)
class Opinion:
    """Another label map that a frame could have.

    Attributes:
        text: Whose, in words: "the base specialist".
        pixels: (4,) pixels of each label.
    """

    text: str
    pixels: FrameCounts


@dataclass(frozen=True, eq=False)
class FrameStakes:
    """The input for the stake of a frame.

    Attributes:
        region: Its region.
        by_reader: Whether the reader gave it: then the region is not in doubt.
        chances: Probability of each region, in the stack.
        pixels: (4,) pixels of each label as it is shown.
        if_region: What the frame would be as each other region.
        opinions: Label maps of the frame by other models.
        findings: Findings of the checks.
        is_ed: Whether it is at ED.
        is_es: Whether it is at ES.
    """

    region: Region
    by_reader: bool
    chances: Mapping[Region, float]
    pixels: FrameCounts
    if_region: Mapping[Region, Opinion]
    opinions: Sequence[Opinion]
    findings: "Sequence[Finding]"
    is_ed: bool
    is_es: bool


@dataclass(frozen=True)
class Stake:
    """What is at stake in a frame.

    Attributes:
        ml: Expected millilitres; thousands of pixels where the spacing is not known.
        why: In words.
        failed: Whether a check fails.
        in_ml: Whether they are millilitres.
        goes_first: Whether to review the frame before all others: ED and ES depend on it.
    """

    ml: float
    why: str
    failed: bool = False
    in_ml: bool = True
    goes_first: bool = False

    @property
    def amount(self) -> str:
        """What is at stake, with its unit."""
        return amount_text(self.ml, self.in_ml)

    @property
    def is_worth_a_look(self) -> bool:
        """Whether the frame belongs into the queue."""
        return self.failed or self.ml >= LEAST_ML


def stake_of(frame: FrameStakes, voxel_ml: float, *, in_ml: bool = True) -> Stake:
    """Millilitres at stake in a frame, and why.

    Args:
        frame: What is known of it.
        voxel_ml: What a pixel of its slice counts for: ml, or a thousandth where the spacing is not known.
        in_ml: Whether it is ml.
    """

    def millilitres(other: FrameCounts) -> float:
        return at_stake_ml(frame.pixels, other, voxel_ml=voxel_ml, is_ed=frame.is_ed, is_es=frame.is_es)

    reasons: list[tuple[float, str]] = []
    if not frame.by_reader:
        for region, opinion in frame.if_region.items():
            chance, change = frame.chances.get(region, 0.0), millilitres(opinion.pixels)
            text = f"{region.text} is {_percent(chance)} likely and would change {amount_text(change, in_ml)}."
            reasons.append((chance * change, text))
    differ = [(millilitres(opinion.pixels), opinion.text) for opinion in frame.opinions]
    if differ:
        change, text = max(differ)
        chance = MASKS_WRONG[frame.region]
        contours = f"{_percent(chance)} of {frame.region.text.lower()} contours"
        where = f"In validation, {contours} were off by more than {WRONG_ML:g} ml."
        reasons.append(
            (chance * change, f"{text[:1].upper()}{text[1:]} differs by {amount_text(change, in_ml)}. {where}")
        )
    failed = [finding for finding in frame.findings if not finding.is_note]
    for finding in failed:
        reasons.append((CHECK_CHANCE * finding.pixels * voxel_ml, finding.text))
    why = [text for ml, text in sorted(reasons, key=lambda one: -one[0]) if ml >= LEAST_ML][:2]
    why += [finding.text for finding in failed if finding.text not in why]
    first = any(finding.goes_first for finding in failed)
    return Stake(sum(ml for ml, _ in reasons), " ".join(why), bool(failed), in_ml, first)


def _percent(chance: float) -> str:
    return f"{100 * chance:.0f} %" if chance >= 0.005 else "under 1 %"


_RANK = {Region.BASE: 0, Region.APEX: 1, Region.MIDDLE: 2, Region.NON_CARDIAC: 3}
"""Base and apex first: readers and networks disagree there most. Mariscal-Harana et al. 2021, table 1."""


@dataclass(frozen=True)
class FrameReview:
    """The facts about a frame that set the order.

    Attributes:
        region: Its region now, or None where it is not known.
        probability: The classifier's probability of its most probable region, or None without one.
        by_reader: Whether the reader gave the region; then it is certain.
        status: Of the latest saved version, or None.
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


def _certainty_percent(state: FrameReview) -> int:
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
    return tier, -ml, _certainty_percent(state), rank, frame.phase, frame.slice_index


def _why(state: FrameReview) -> str:
    draft = " It has a draft." if state.status is ReviewStatus.DRAFT else ""
    if state.stake is not None and state.is_worth_a_look:
        return f"{state.stake.amount} at stake. {state.stake.why}{draft}".rstrip()
    if state.region is None or (state.probability is None and not state.by_reader):
        return f"The region of this frame is not classified yet.{draft}"
    if state.by_reader:
        return f"You set the region {state.region.text}. The label map is not accepted yet.{draft}"
    return f"Region {state.region.text} is {_certainty_percent(state)} % certain.{draft}"
