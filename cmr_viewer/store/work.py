"""All that one action of a reader changes, saved in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, RegionPrediction
from cmr_viewer.domain.change import Move
from cmr_viewer.domain.ed_es import PhasePair
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.effort import Effort
from cmr_viewer.store.kept import Kept


@dataclass(frozen=True)
class RegionSet:
    """A region that a reader gave a frame.

    Attributes:
        region: The region; None removes the reader's choice.
        predicted: The classifier's region, for the log.
    """

    region: Region | None
    predicted: Region | None = None


@dataclass(frozen=True, eq=False)
class Work:
    """What is saved together, so that a kill leaves all of it or nothing.

    Attributes:
        versions: New versions of frames.
        regions: The reader's regions.
        shown: Predictions that are shown from now on.
        phase_marks: ED and ES as the reader set them, where that changed.
        facts: Facts about the study, by key.
        region_predictions: Region predictions of the classifier; of the first read alone.
        predictions: Predictions of models that are not shown; of the first read alone.
        moves: Steps of undo, in their order.
        effort: What the reader spent since the last time, by frame.
    """

    versions: Sequence[Kept] = ()
    regions: Mapping[FrameIndex, RegionSet] = field(default_factory=dict)
    shown: Mapping[FrameIndex, Prediction] = field(default_factory=dict)
    phase_marks: PhasePair | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    region_predictions: Mapping[FrameIndex, RegionPrediction] = field(default_factory=dict)
    predictions: Mapping[FrameIndex, Prediction] = field(default_factory=dict)
    moves: Sequence[Move] = ()
    effort: Mapping[FrameIndex, Effort] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))
