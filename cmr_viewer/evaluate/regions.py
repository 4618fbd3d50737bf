"""How well the regions of frames are found, and whether a heart is drawn where there is one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.evaluate.scores import FramePlace, FrameScore

Confusion = Mapping[Region, Mapping[Region, int]]
"""Number of frames by reference region (outer) and predicted region (inner)."""


@dataclass(frozen=True)
class FrameRegions:
    """What regions were found for a frame.

    Attributes:
        place: The frame, with its reference region.
        found: Region by the name of the method that found it ("predicted" is the one that routes).
        model_id: The segmentation model that the frame was routed to, or "" if it was not segmented.
    """

    place: FramePlace
    found: Mapping[str, Region]
    model_id: str


@dataclass(frozen=True)
class ClassScores:
    """How well one region is found; None where there is nothing to divide by.

    Attributes:
        precision: Share of the frames predicted as the region that are of it.
        recall: Share of the region's frames that are predicted as it.
        f1: Harmonic mean of the two; 0.0 where both are 0 or one is not known.
        n: Frames of the region in the reference.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    n: int


@dataclass(frozen=True)
class Classification:
    """How well the regions are found.

    Attributes:
        confusion: Frames by reference and predicted region.
        accuracy: Share of frames whose region is found; None without frames.
        accuracy_within_one_slice: Share of frames whose predicted region is that of the frame or of a slice next to it
            in the same phase: borders of regions are a matter of one slice between readers too.
        classes: Scores by region.
        weighted: Means over the regions, weighted with their frames; what is not known counts as 0.
    """

    confusion: Confusion
    accuracy: float | None
    accuracy_within_one_slice: float | None
    classes: Mapping[Region, ClassScores]
    weighted: ClassScores

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "accuracy": self.accuracy,
            "accuracy_within_one_slice": self.accuracy_within_one_slice,
            "classes": {region.value: asdict(scores) for region, scores in self.classes.items()},
            "weighted": asdict(self.weighted),
            "confusion": {r.value: {p.value: n for p, n in row.items()} for r, row in self.confusion.items()},
        }


def methods_of(frames: Iterable[FrameRegions]) -> list[str]:
    """Names of the methods that found regions, "predicted" first."""
    names = {name for frame in frames for name in frame.found}
    return sorted(names, key=lambda name: (name != "predicted", name))


def classification(frames: Sequence[FrameRegions], method: str = "predicted") -> Classification:
    """Precision, recall and F1 by region, and over all frames.

    Args:
        frames: The frames that were classified.
        method: The name of the method in `FrameRegions.found`.

    Source:
        Mariscal-Harana et al. 2021, section 2 and table 2: precision and recall of each slice, weighted average.
    """
    table = confusion([f.place.region for f in frames], [f.found[method] for f in frames])
    classes = {region: _class_scores(table, region) for region in REGIONS}
    return Classification(table, accuracy(table), _within_one_slice(frames, method), classes, _weighted(classes))


def confusion(reference: Sequence[Region], predicted: Sequence[Region]) -> dict[Region, dict[Region, int]]:
    """Number of frames by reference region (outer) and predicted region (inner)."""
    table = {r: dict.fromkeys(REGIONS, 0) for r in REGIONS}
    for r, p in zip(reference, predicted, strict=True):
        table[r][p] += 1
    return table


def accuracy(table: Confusion) -> float | None:
    """Share of frames on the diagonal of a confusion table; None for an empty one."""
    total = sum(sum(row.values()) for row in table.values())
    return sum(table[r][r] for r in table) / total if total else None


def _class_scores(table: Confusion, region: Region) -> ClassScores:
    right = table[region][region]
    of_region = sum(table[region].values())
    as_region = sum(row[region] for row in table.values())
    if of_region + as_region == 0:
        return ClassScores(None, None, None, 0)
    return ClassScores(
        precision=right / as_region if as_region else None,
        recall=right / of_region if of_region else None,
        f1=2 * right / (of_region + as_region),
        n=of_region,
    )


def _weighted(classes: Mapping[Region, ClassScores]) -> ClassScores:
    total = sum(scores.n for scores in classes.values())
    if not total:
        return ClassScores(None, None, None, 0)
    present = [scores for scores in classes.values() if scores.n]
    return ClassScores(
        precision=sum((s.precision or 0.0) * s.n for s in present) / total,
        recall=sum((s.recall or 0.0) * s.n for s in present) / total,
        f1=sum((s.f1 or 0.0) * s.n for s in present) / total,
        n=total,
    )


def _within_one_slice(frames: Sequence[FrameRegions], method: str) -> float | None:
    if not frames:
        return None
    reference = {(*f.place.stack, f.place.slice_index): f.place.region for f in frames}
    right = 0
    for frame in frames:
        at = frame.place.slice_index
        near = {reference.get((*frame.place.stack, index)) for index in (at - 1, at, at + 1)}
        right += frame.found[method] in near
    return right / len(frames)


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

    A pixel of any structure that the reference includes counts.

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
