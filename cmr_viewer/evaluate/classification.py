"""How well the regions of frames are found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.evaluate.scores import FramePlace

Confusion = Mapping[Region, Mapping[Region, int]]
"""Number of frames by reference region (outer) and predicted region (inner)."""


@dataclass(frozen=True)
class FrameRegions:
    """What regions were found for a frame.

    Attributes:
        place: The frame, with its reference region.
        found: Region by the name of the way it was found ("predicted" is the one that routes).
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
            "classes": {region.value: dict(scores.__dict__) for region, scores in self.classes.items()},
            "weighted": dict(self.weighted.__dict__),
            "confusion": {r.value: {p.value: n for p, n in row.items()} for r, row in self.confusion.items()},
        }


def ways_of(frames: Iterable[FrameRegions]) -> list[str]:
    """Names of the ways in which regions were found, "predicted" first."""
    names = {name for frame in frames for name in frame.found}
    return sorted(names, key=lambda name: (name != "predicted", name))


def classification(frames: Sequence[FrameRegions], way: str = "predicted") -> Classification:
    """Precision, recall and F1 by region, and over all frames.

    Args:
        frames: The frames that were classified.
        way: The name of the way in `FrameRegions.found`.

    Source:
        Mariscal-Harana et al. 2021, section 2 and table 2: precision and recall of each slice, weighted average.
    """
    table = confusion([f.place.region for f in frames], [f.found[way] for f in frames])
    classes = {region: _class_scores(table, region) for region in REGIONS}
    return Classification(table, accuracy(table), _within_one_slice(frames, way), classes, _weighted(classes))


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


def _within_one_slice(frames: Sequence[FrameRegions], way: str) -> float | None:
    if not frames:
        return None
    reference = {(*f.place.stack, f.place.slice_index): f.place.region for f in frames}
    right = 0
    for frame in frames:
        at = frame.place.slice_index
        near = {reference.get((*frame.place.stack, index)) for index in (at - 1, at, at + 1)}
        right += frame.found[way] in near
    return right / len(frames)
