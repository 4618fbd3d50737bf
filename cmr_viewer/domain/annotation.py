"""Predictions of networks and annotations of readers, frame by frame."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex


class Provenance(StrEnum):
    """How a label map came to be. DICOM Segment Algorithm Type (0062,0008)."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"


class ReviewStatus(StrEnum):
    """How far a reader is with a frame."""

    DRAFT = "draft"
    ACCEPTED = "accepted"


Probabilities = tuple[float, float, float, float]
"""One per region, in the order of `REGIONS`, adding up to 1."""


@dataclass(frozen=True)
class RegionPrediction:
    """The classifier's result for a frame, alone and in its stack; never altered.

    Attributes:
        probabilities: Of the classifier, for the frame by itself.
        model_id: The classifier.
        decoded: The region by the order of the stack, or None where the frame was classified by itself.
        posterior: Probability of each region once the whole stack is known, or None likewise.
        heart_mm2: Area that the baseline drew in the frame, which helped to find the order of the stack; None where the
            baseline was not used.
    """

    probabilities: Probabilities
    model_id: str
    decoded: Region | None = None
    posterior: Probabilities | None = None
    heart_mm2: float | None = None

    @property
    def region(self) -> Region:
        """The region that routes and is shown: by the order of the stack, else by the frame alone."""
        return self.argmax if self.decoded is None else self.decoded

    @property
    def argmax(self) -> Region:
        """The most probable region of the frame alone."""
        return REGIONS[max(range(4), key=self.probabilities.__getitem__)]

    @property
    def probability(self) -> float:
        """Probability of `region`."""
        return self.of(self.region)

    def of(self, region: Region) -> float:
        """Probability of one region: in the stack, else of the frame alone."""
        return (self.posterior or self.probabilities)[REGIONS.index(region)]

    @property
    def differs(self) -> str:
        """The region of the frame by itself, in words, if its place in the stack gives another one; else empty."""
        alone = self.argmax
        if alone is self.region:
            return ""
        percent = round(100 * self.probabilities[REGIONS.index(alone)])
        return (
            f"By itself the frame looks like {alone.text.lower()} ({percent} %); by its place in the stack it is "
            f"{self.region.text.lower()}."
        )


@dataclass(frozen=True, eq=False)
class Prediction:
    """The result of a segmentation model for a frame; never altered.

    Attributes:
        labels: (row, col) label map on the frame's own grid; not to be written to.
        model_id: The segmentation model.
        region: The region that the frame was routed by.
        reason: Why this model, in words.
    """

    labels: LabelMap
    model_id: str
    region: Region
    reason: str


@dataclass(frozen=True, eq=False)
class Annotation:
    """One saved version of a reader's work on a frame; versions are added and never changed.

    Attributes:
        stack_id: The stack.
        frame: The frame.
        version: 1 for the frame's first, counting up.
        labels: (row, col) label map; not to be written to.
        region: Region of the frame when it was saved.
        provenance: AUTOMATIC as predicted, SEMIAUTOMATIC a corrected prediction, MANUAL drawn from nothing.
        status: Draft (autosaved) or accepted.
        reader: Who saved it.
        model_id: The model whose prediction it started from, or None.
        created_at: When, with time zone.
        imported_from: Where the label map was imported from, for a reader; empty where it was not.
    """

    stack_id: str
    frame: FrameIndex
    version: int
    labels: LabelMap
    region: Region
    provenance: Provenance
    status: ReviewStatus
    reader: str
    model_id: str | None
    created_at: datetime
    imported_from: str = ""
