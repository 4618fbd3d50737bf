"""Whether a heart is drawn where there is one, and only there."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.evaluate.scores import FramePlace, FrameScore


@dataclass(frozen=True)
class Share:
    """Some frames of a number of frames.

    Attributes:
        count: How many.
        of: Of how many.
    """

    count: int
    of: int

    @property
    def share(self) -> float | None:
        """The quotient; None of no frames."""
        return self.count / self.of if self.of else None

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "share": self.share}


@dataclass(frozen=True)
class Detection:
    """Frames where a heart was drawn and there is none, or the reverse.

    A pixel of any structure that the reference tells about counts.

    Attributes:
        above_base: Of the non-cardiac frames above the base: those that the prediction marks.
        below_apex: Of the non-cardiac frames below the apex: those that the prediction marks.
        wrongly_marked: Of all non-cardiac frames: those that the prediction marks.
        missed: Of the frames with a label in the reference: those where the prediction has none at all.
    """

    above_base: Share
    below_apex: Share
    wrongly_marked: Share
    missed: Share

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {name: share.as_json() for name, share in self.__dict__.items()}


def detection(scores: Iterable[FrameScore]) -> Detection:
    """Count the frames that are wrongly marked, and those that are missed."""
    reference: dict[FramePlace, int] = {}
    predicted: dict[FramePlace, int] = {}
    for score in scores:
        reference[score.place] = reference.get(score.place, 0) + score.reference_pixels
        predicted[score.place] = predicted.get(score.place, 0) + score.predicted_pixels
    hearts: dict[tuple[str, int], list[int]] = {}
    for place, pixels in reference.items():
        if pixels:
            hearts.setdefault(place.stack, []).append(place.slice_index)
    outside = [place for place in reference if place.region is Region.NON_CARDIAC]
    above = [p for p in outside if p.stack in hearts and p.slice_index < min(hearts[p.stack])]
    below = [p for p in outside if p.stack in hearts and p.slice_index > max(hearts[p.stack])]
    cardiac = [place for place, pixels in reference.items() if pixels]

    def marked(places: list[FramePlace]) -> Share:
        return Share(sum(1 for place in places if predicted[place]), len(places))

    return Detection(
        above_base=marked(above),
        below_apex=marked(below),
        wrongly_marked=marked(outside),
        missed=Share(sum(1 for place in cardiac if not predicted[place]), len(cardiac)),
    )
