"""What is known about each frame of the open study: predicted, set by the reader, shown."""

from dataclasses import dataclass, field
from enum import Flag, auto

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.change import Marks
from cmr_viewer.domain.label_map import LabelMap


class Changed(Flag):
    """What of a frame changed."""

    NOTHING = 0
    REGION = auto()
    LABELS = auto()
    PROPOSAL = auto()
    STATUS = auto()


@dataclass(frozen=True, eq=False)
class FrameState:
    """A frame as the window shows it; made anew at each request.

    Attributes:
        region: The reader's region, else the predicted one, else None.
        region_by: "reader", "predicted" or None.
        region_prediction: What the classifier said, of the frame alone and in its stack, or None.
        labels: (row, col) label map that is shown, or None; not to be written to, and valid until the next change.
        prediction: The prediction that `labels` is or started from, or None.
        edited: Whether `labels` differs from a prediction by the reader's hand.
        status: DRAFT, ACCEPTED, or None where the reader has not touched the frame. ACCEPTED only once it is stored.
        provenance: What `labels` would be kept as; None without labels.
        proposal: A prediction that is offered beside an edited or accepted label map, or None.
        reason: Why this model segments the frame, in words; empty without a region.
        model_id: The model that segments the frame, or None; none does where nothing is to be marked.
        imported: Where the label map was imported from, such as "cvi42 workspace"; empty where it was not.
    """

    region: Region | None
    region_by: str | None
    region_prediction: RegionPrediction | None
    labels: LabelMap | None
    prediction: Prediction | None
    edited: bool
    status: ReviewStatus | None
    provenance: Provenance | None
    proposal: Prediction | None
    reason: str
    model_id: str | None
    imported: str = ""


@dataclass(eq=False)
class FrameRecord:
    """Everything known about a frame; changed by `Reading` and what restores it.

    Attributes:
        region_prediction: What the classifier said.
        reader_region: What the reader said; goes before the classifier.
        predictions: By model id.
        labels: What is shown: `base.labels` itself while not edited, an own array once edited.
        base: The prediction that `labels` is or started from.
        origin: Id of the model that `labels` started from.
        edited: Whether `labels` differs from `base`.
        imported: Where `labels` was imported from; empty where it was not.
        made: How imported `labels` came to be, later corrections included; None where they were not, or nothing tells.
        status: How far the reader is.
        kept: Whether the workspace holds or will hold a version of the frame.
        proposal: What is offered beside `labels`.
        dismissed: Models whose proposal the reader declined.
        accepting: Whether an acceptance is on its way to the disk; the label map is held until then.
        edit_number: Counts the changes of what is shown; an acceptance of an older number does not hold any more.
    """

    region_prediction: RegionPrediction | None = None
    reader_region: Region | None = None
    predictions: dict[str, Prediction] = field(default_factory=dict)
    labels: LabelMap | None = None
    base: Prediction | None = None
    origin: str | None = None
    edited: bool = False
    imported: str = ""
    made: Provenance | None = None
    status: ReviewStatus | None = None
    kept: bool = False
    proposal: Prediction | None = None
    dismissed: set[str] = field(default_factory=set)
    accepting: bool = False
    edit_number: int = 0

    @property
    def region(self) -> Region | None:
        """The reader's region, else the predicted one."""
        if self.reader_region is not None:
            return self.reader_region
        return self.region_prediction.region if self.region_prediction is not None else None

    @property
    def region_by(self) -> str | None:
        """Who says the region."""
        if self.reader_region is not None:
            return "reader"
        return "predicted" if self.region_prediction is not None else None

    @property
    def certainty(self) -> float | None:
        """How probable the predicted region is in the whole stack; None where that is not known, or not what counts."""
        predicted = self.region_prediction
        if self.reader_region is not None or predicted is None or predicted.posterior is None:
            return None
        return predicted.probability

    @property
    def provenance(self) -> Provenance | None:
        """What the label map would be kept as."""
        if self.labels is None:
            return None
        if not self.edited:
            return Provenance.AUTOMATIC
        if self.made is not None:
            return self.made
        return Provenance.SEMIAUTOMATIC if self.origin is not None else Provenance.MANUAL

    @property
    def marks(self) -> Marks:
        """What an undo step needs to come back here."""
        return Marks(self.reader_region, self.base, self.origin, self.edited, self.imported, self.made)
