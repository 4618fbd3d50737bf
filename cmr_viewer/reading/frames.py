"""The frames of the open study: what is known about each, and what is shown of it.

What is shown follows from the region, the models and what the reader made.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Any

import numpy as np

from cmr_viewer.classify.in_stack import led_by_readers
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.change import Marks, Move
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.reading.volumes import VoxelCounts
from cmr_viewer.route.router import DecidedBy, Route, route


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
        region_prediction: What the classifier found, in the frame alone and in its stack, or None.
        labels: (row, col) label map that is shown, or None; not to be written to, and valid until the next change.
        prediction: The prediction that `labels` is or started from, or None.
        edited: Whether `labels` differs from a prediction by the reader's hand.
        status: DRAFT, ACCEPTED, or None where the reader has not touched the frame. ACCEPTED only once it is stored.
        provenance: What `labels` would be saved as; None without labels.
        proposal: A prediction that is offered beside an edited or accepted label map, or None.
        reason: Why this model segments the frame, in words; empty without a region.
        model_id: The model that segments the frame, or None; none does where nothing is to be marked.
        imported: Where the label map was imported from, such as "cvi42 workspace"; empty where it was not.
        renewed: Whether another model in service brought another label map or region that no reader has seen yet.
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
    renewed: bool = False


@dataclass(eq=False)
class FrameRecord:
    """Everything known about a frame; changed by `OpenStudy` and what puts saved work back.

    Attributes:
        region_prediction: What the classifier found.
        reader_region: What the reader set; it takes precedence over the classifier.
        predictions: By model id.
        labels: What is shown: `base.labels` itself while not edited, an own array once edited.
        base: The prediction that `labels` is or started from.
        origin: Id of the model that `labels` started from.
        edited: Whether `labels` differs from `base`.
        imported: Where `labels` was imported from; empty where it was not.
        made: As `Marks.made`.
        status: How far the reader is.
        saved: Whether the workspace holds or will hold a version of the frame.
        proposal: What is offered beside `labels`.
        dismissed: Models whose proposal the reader declined.
        accepting: Whether an acceptance is on its way to the disk; the label map is held until then.
        edit_number: Counts the changes of what is shown; an acceptance of an older number does not hold any more.
        renewed: As `FrameState.renewed`.
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
    saved: bool = False
    proposal: Prediction | None = None
    dismissed: set[str] = field(default_factory=set)
    accepting: bool = False
    edit_number: int = 0
    renewed: bool = False

    @property
    def is_held(self) -> bool:
        """Whether it is accepted, or an acceptance is being saved, so that no prediction replaces the label map."""
        return self.accepting or self.status is ReviewStatus.ACCEPTED

    @property
    def stays(self) -> bool:
        """Whether the label map is the reader's or held, so that a prediction is only suggested beside it."""
        return self.edited or self.is_held

    @property
    def region(self) -> Region | None:
        """The reader's region, else the predicted one."""
        if self.reader_region is not None:
            return self.reader_region
        return self.region_prediction.region if self.region_prediction is not None else None

    @property
    def region_by(self) -> str | None:
        """Who decided the region."""
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
        """What the label map would be saved as."""
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


@dataclass
class Effects:
    """What follows from the changes since the last look.

    Attributes:
        changed: Frames that changed, and what of them.
        followed: Frames that have another region, because the reader set those of other frames.
        wanted: Frames to segment at once, with their regions.
        missing: Frames that another model serves because of that, which has not segmented them yet.
        drafts: Frames of which a draft is to be saved.
        held: Frames that are accepted again because a change of them was undone, to be saved together with that.
        accepting: Frames whose acceptance is to be saved again.
        regions: Frames whose region by the reader is to be saved.
        region_predictions: Region predictions that are to be saved.
        predictions: Predictions that are to be saved and are not shown.
        shown: Predictions that are shown from now on, to be saved as the last of their frames: that one is shown when
            the study is opened again.
        phase_marks: Whether the reader's ED and ES are to be saved.
        facts: Facts about the study that are to be saved.
        history: Whether undo or redo changed.
        moves: What the reader did with changes, to be saved with what they changed.
    """

    changed: dict[FrameIndex, Changed] = field(default_factory=dict)
    followed: tuple[FrameIndex, ...] = ()
    wanted: dict[FrameIndex, Region] = field(default_factory=dict)
    missing: tuple[FrameIndex, ...] = ()
    drafts: list[FrameIndex] = field(default_factory=list)
    held: list[FrameIndex] = field(default_factory=list)
    accepting: list[FrameIndex] = field(default_factory=list)
    regions: list[FrameIndex] = field(default_factory=list)
    region_predictions: dict[FrameIndex, RegionPrediction] = field(default_factory=dict)
    predictions: dict[FrameIndex, Prediction] = field(default_factory=dict)
    shown: dict[FrameIndex, Prediction] = field(default_factory=dict)
    phase_marks: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    history: bool = False
    moves: tuple[Move, ...] = ()


class Frames(Mapping[FrameIndex, FrameRecord]):
    """All frames of a stack by index, and what the models made of them.

    What was predicted is remembered by frame and model; which prediction is shown follows from the region and the
    active models. A frame that the reader edited or accepted keeps its label map: predictions are offered beside it.

    Attributes:
        stack: The stack.
        counts: Voxels of each label in each frame.
        effects: What follows from the changes since `OpenStudy.take_effects`.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.counts = VoxelCounts(stack.phases, stack.geometry.slice_weights)
        self.effects = Effects()
        self._records = {frame: FrameRecord() for frame in stack.frame_indices}
        self._active: Mapping[Role, str] = {}
        self._order_is_due = False
        self._outdated: set[FrameIndex] = set()

    def __getitem__(self, frame: FrameIndex) -> FrameRecord:
        return self._records[frame]

    def __iter__(self) -> Iterator[FrameIndex]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    # -- what there is -------------------------------------------------------------------------------------------------

    def route_of(self, frame: FrameIndex) -> Route | None:
        """The model that serves a frame and why; None without a region or models."""
        record = self[frame]
        if record.region is None or not self._active:
            return None
        by: DecidedBy = "reader" if record.reader_region is not None else "predicted"
        try:
            return route(record.region, active=self._active, by=by, certainty=record.certainty)
        except ModelError:
            return None

    def state(self, frame: FrameIndex) -> FrameState:
        """A frame as it is shown."""
        record, choice = self[frame], self.route_of(frame)
        reason = choice.reason if choice is not None else (record.base.reason if record.base is not None else "")
        return FrameState(
            region=record.region,
            region_by=record.region_by,
            region_prediction=record.region_prediction,
            labels=record.labels,
            prediction=record.base,
            edited=record.edited,
            status=record.status,
            provenance=record.provenance,
            proposal=record.proposal,
            reason=reason,
            model_id=record.origin if choice is None else None if choice.empty else choice.model_id,
            imported=record.imported,
            renewed=record.renewed,
        )

    def lacks_prediction(self, frame: FrameIndex) -> bool:
        """Whether the frame's model has not segmented it, and the result would be shown."""
        record, choice = self[frame], self.route_of(frame)
        if choice is None or choice.empty or record.stays:
            return False
        return choice.model_id not in record.predictions

    def lacks_region(self, frame: FrameIndex) -> bool:
        """Whether the active classifier has not classified the frame, or it was not seen in its stack."""
        classifier = self._active.get(Role.CLASSIFIER)
        predicted = self[frame].region_prediction
        if classifier is None:
            return False
        return predicted is None or predicted.model_id != classifier or predicted.decoded is None

    def segmented(self) -> frozenset[FrameIndex]:
        """Frames that have a label map."""
        return frozenset(frame for frame, record in self.items() if record.labels is not None)

    def canvas(self, frame: FrameIndex) -> LabelMap:
        """A copy of the label map that is shown of a frame, (row, col); background where there is none."""
        labels = self[frame].labels
        return self.empty() if labels is None else labels.copy()

    def empty(self) -> LabelMap:
        """A new label map of background, (row, col)."""
        return empty_label_map(self.stack.geometry.rows, self.stack.geometry.cols)

    # -- what models make ----------------------------------------------------------------------------------------------

    def set_active(self, active: Mapping[Role, str]) -> None:
        """Other models are in service: show what they made of unedited frames, as far as it is known.

        What such a frame shows from then on is marked as renewed, until it is seen.
        """
        self._active = dict(active)
        self._outdated = {frame for frame in self if self._is_outdated(frame)}
        for frame in self:
            self.follow(frame, want=False)

    def _is_outdated(self, frame: FrameIndex) -> bool:
        """Whether models that are no longer in service gave the label map or the region that is shown."""
        record, choice, classifier = self[frame], self.route_of(frame), self._active.get(Role.CLASSIFIER)
        if record.stays or record.base is None:
            return False
        predicted = None if record.reader_region is not None else record.region_prediction
        return (choice is not None and choice.model_id != record.base.model_id) or (
            predicted is not None and classifier is not None and predicted.model_id != classifier
        )

    def note_seen(self, frame: FrameIndex) -> None:
        """The reader has seen what is new of a frame."""
        if self[frame].renewed:
            self[frame].renewed = False
            self.note(frame, Changed.STATUS)

    def receive_region(self, frame: FrameIndex, predicted: RegionPrediction) -> None:
        """The classifier has classified a frame."""
        before, region = self.route_of(frame), self[frame].region
        self[frame].region_prediction = predicted
        self[frame].renewed |= frame in self._outdated and self[frame].region is not region
        self.note(frame, Changed.REGION)
        if self.route_of(frame) != before:
            self.follow(frame, want=False)

    def receive_prediction(self, frame: FrameIndex, prediction: Prediction) -> None:
        """A model has segmented a frame; shown, offered or only remembered, as the frame is now."""
        choice = self.route_of(frame)
        if choice is not None and choice.empty:
            self.follow(frame, want=False)
            if not prediction.labels.any():
                return  # nothing was marked because of the region, and no model was asked
        self[frame].predictions[prediction.model_id] = prediction
        if choice is None or (choice.model_id == prediction.model_id and not choice.empty):
            self._show(frame, prediction)

    def order_is_due(self) -> None:
        """Regions changed, by the reader or by the classifier, so that the order of the stack may lead to others."""
        self._order_is_due = self._order_is_due or any(r.reader_region is not None for r in self.values())

    def order_regions(self) -> None:
        """Let other frames follow the regions that were set since the last call, by what the classifier found."""
        due, self._order_is_due = self._order_is_due, False
        known = {f: r.region_prediction for f, r in self.items() if r.region_prediction is not None}
        if not due or len({one.model_id for one in known.values()}) != 1:  # else another classifier is looking at them
            return
        readers = {f: r.reader_region for f, r in self.items() if r.reader_region is not None}
        changed = led_by_readers(known, readers, phases=self.stack.phases, slices=self.stack.slices)
        followed, missing = [], []
        for frame, predicted in changed.items():
            region, choice = self[frame].region, self.route_of(frame)
            self.receive_region(frame, predicted)
            if self[frame].region is not region:
                followed.append(frame)
            if self.route_of(frame) != choice and self.lacks_prediction(frame):
                missing.append(frame)
        self.effects.region_predictions.update(changed)
        self.effects.followed, self.effects.missing = tuple(followed), tuple(missing)

    def follow(self, frame: FrameIndex, *, want: bool) -> None:
        """Show what the frame's model made of it; where it made nothing yet, ask for it if that is wanted."""
        record, choice = self[frame], self.route_of(frame)
        if choice is None:
            return
        known = self._nothing(frame, choice) if choice.empty else record.predictions.get(choice.model_id)
        if known is not None:
            self._show(frame, known)
        elif want:
            self.effects.wanted[frame] = choice.region

    def _nothing(self, frame: FrameIndex, choice: Route) -> Prediction:
        """The empty label map of a frame where nothing is to be marked; the one that is shown if it is that."""
        base = self[frame].base
        if base is not None and (base.region, base.reason) == (choice.region, choice.reason):
            return base
        labels = self.empty()
        labels.setflags(write=False)
        return Prediction(labels, choice.model_id, choice.region, choice.reason)

    def _show(self, frame: FrameIndex, prediction: Prediction) -> None:
        record = self[frame]
        if record.base is prediction and not record.edited:
            self.offer(frame, None)
            return
        shown, new = record.labels, prediction.labels
        if shown is None or not (record.edited or record.is_held):
            self.offer(frame, None)
            self.effects.shown[frame] = prediction
            if shown is not None and frame in self._outdated:
                record.renewed = record.renewed or not np.array_equal(shown, new)
            self._outdated.discard(frame)
            self.put(frame, Marks(record.reader_region, prediction, prediction.model_id, False), new)
        elif np.array_equal(shown, new) or prediction.model_id in {*record.dismissed, record.origin}:
            self.offer(frame, None)
        else:
            self.offer(frame, prediction)

    # -- what every change goes through --------------------------------------------------------------------------------

    def note(self, frame: FrameIndex, what: Changed) -> None:
        """Note that something of a frame changed."""
        self.effects.changed[frame] = self.effects.changed.get(frame, Changed.NOTHING) | what

    def offer(self, frame: FrameIndex, proposal: Prediction | None) -> None:
        """Offer a prediction beside a frame's label map; None offers nothing."""
        record = self[frame]
        if record.proposal is not proposal:
            record.proposal = proposal
            self.note(frame, Changed.PROPOSAL)

    def put(self, frame: FrameIndex, marks: Marks, labels: LabelMap | None) -> None:
        """Give a frame marks and label map, with nothing of what follows for the reader's work."""
        record = self[frame]
        record.reader_region, record.base, record.origin = marks.reader_region, marks.base, marks.origin
        record.edited, record.imported, record.made = marks.edited, marks.imported, marks.made
        record.edit_number += 1
        if record.labels is not labels:
            record.labels = labels
            self.counts.set_frame(frame, labels)
            self.note(frame, Changed.LABELS)

    def go_to(self, frame: FrameIndex, marks: Marks, labels: LabelMap | None) -> None:
        """Give a frame marks and label map by the reader's hand, with all that follows."""
        record = self[frame]
        other_region = record.reader_region is not marks.reader_region
        self._outdated.discard(frame)
        self.note_seen(frame)
        self.put(frame, marks, labels)
        if record.base is not None and not record.edited:
            self.effects.shown[frame] = record.base
        self.touched(frame)
        if other_region:
            self._order_is_due = True
            self.effects.regions.append(frame)
            self.offer(frame, None)
            self.note(frame, Changed.REGION)
        self.follow(frame, want=other_region)

    def touched(self, frame: FrameIndex) -> None:
        """The reader changed a frame: it is no longer accepted, and a draft is to be saved."""
        record = self[frame]
        if record.edited or record.saved:
            record.saved = True
            self.effects.drafts.append(frame)
        self.set_status(frame, ReviewStatus.DRAFT if record.edited else None)

    def set_status(self, frame: FrameIndex, status: ReviewStatus | None) -> None:
        """Set how far the reader is with a frame."""
        record = self[frame]
        if record.status is not status:
            record.status = status
            record.renewed = False
            self.note(frame, Changed.STATUS)
