"""What is shown of each frame: which follows from the region, the models and what the reader made. Without Qt."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, RegionPrediction, ReviewStatus
from cmr_viewer.domain.change import Marks, Move
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import ModelError
from cmr_viewer.reading.frame_states import Changed, FrameRecord, FrameState
from cmr_viewer.reading.volumes import VoxelCounts
from cmr_viewer.review.propose import Replace, decide
from cmr_viewer.route.router import DecidedBy, Route, route


@dataclass
class Effects:
    """What follows from the changes since the last look.

    Attributes:
        changed: Frames that changed, and what of them.
        drafts: Frames of which a draft is to be kept.
        regions: Frames whose region by the reader is to be kept.
        wanted: Frames to segment at once, with their regions.
        shown: Predictions that are shown from now on, to be kept as the last of their frames, which is put back when a
            study is opened again.
        history: Whether undo or redo changed.
        moves: Ways over undo steps, to be kept with what they changed.
        accepting: Frames whose acceptance is to be written again.
        held: Frames that are accepted again because a change of them was undone, to be kept together with that.
        phase_marks: Whether the reader's ED and ES are to be kept.
        facts: Facts about the study that are to be kept.
    """

    changed: dict[FrameIndex, Changed] = field(default_factory=dict)
    drafts: list[FrameIndex] = field(default_factory=list)
    regions: list[FrameIndex] = field(default_factory=list)
    wanted: dict[FrameIndex, Region] = field(default_factory=dict)
    shown: dict[FrameIndex, Prediction] = field(default_factory=dict)
    history: bool = False
    moves: tuple[Move, ...] = ()
    accepting: list[FrameIndex] = field(default_factory=list)
    held: list[FrameIndex] = field(default_factory=list)
    phase_marks: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


class ShownFrames:
    """The frames of the open study, and what the models say about them.

    What was predicted is remembered by frame and model; which prediction is shown follows from the region and the
    active models. A frame that the reader edited or accepted keeps its label map: predictions are offered beside it.
    Each change adds to the effects, which `take_effects` hands over.

    Attributes:
        study: What was opened.
        stack: The stack that is read.
        records: All frames.
        counts: Voxels of each label in each frame.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.stack: Stack = study.stack
        self.records = {frame: FrameRecord() for frame in self.stack.frame_indices}
        self.counts = VoxelCounts(self.stack.phases, self.stack.geometry.slice_weights)
        self._active: Mapping[Role, str] = {}
        self._effects = Effects()

    # -- what there is -------------------------------------------------------------------------------------------------

    def route_of(self, frame: FrameIndex) -> Route | None:
        """The model that serves a frame and why; None without a region or models."""
        record = self.records[frame]
        if record.region is None or not self._active:
            return None
        by: DecidedBy = "reader" if record.reader_region is not None else "predicted"
        try:
            return route(record.region, active=self._active, by=by, certainty=record.certainty)
        except ModelError:
            return None

    def state(self, frame: FrameIndex) -> FrameState:
        """A frame as it is shown."""
        record, choice = self.records[frame], self.route_of(frame)
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
        )

    def lacks_prediction(self, frame: FrameIndex) -> bool:
        """Whether the frame's model has not segmented it, and the result would be shown."""
        record, choice = self.records[frame], self.route_of(frame)
        if (
            choice is None
            or choice.empty
            or record.edited
            or record.status is ReviewStatus.ACCEPTED
            or record.accepting
        ):
            return False
        return choice.model_id not in record.predictions

    def segmented(self) -> frozenset[FrameIndex]:
        """Frames that have a label map."""
        return frozenset(frame for frame, record in self.records.items() if record.labels is not None)

    def lacks_region(self, frame: FrameIndex) -> bool:
        """Whether the active classifier has not classified the frame, or it was not seen in its stack."""
        classifier = self._active.get(Role.CLASSIFIER)
        predicted = self.records[frame].region_prediction
        if classifier is None:
            return False
        return predicted is None or predicted.model_id != classifier or predicted.decoded is None

    def take_effects(self) -> Effects:
        """What follows from the changes since the last call."""
        effects, self._effects = self._effects, Effects()
        return effects

    def canvas(self, frame: FrameIndex) -> LabelMap:
        """A copy of the label map that is shown of a frame, (row, col); background where there is none."""
        return self.canvas_from(self.records[frame].labels)

    def canvas_from(self, labels: LabelMap | None) -> LabelMap:
        """A copy of a label map that may be written to; background without one."""
        geometry = self.stack.geometry
        return empty_label_map(geometry.rows, geometry.cols) if labels is None else labels.copy()

    # -- what models say -----------------------------------------------------------------------------------------------

    def set_active(self, active: Mapping[Role, str]) -> None:
        """Other models are in service: show what they made of unedited frames, as far as it is known."""
        self._active = dict(active)
        for frame in self.records:
            self._follow(frame, want=False)

    def receive_region(self, frame: FrameIndex, predicted: RegionPrediction) -> None:
        """The classifier has classified a frame."""
        record = self.records[frame]
        before = self.route_of(frame)
        record.region_prediction = predicted
        self.note(frame, Changed.REGION)
        if self.route_of(frame) != before:
            self._follow(frame, want=False)

    def receive_prediction(self, frame: FrameIndex, prediction: Prediction) -> None:
        """A model has segmented a frame; shown, offered or only remembered, as the frame stands now."""
        choice = self.route_of(frame)
        if choice is not None and choice.empty:
            self._follow(frame, want=False)
            if not prediction.labels.any():
                return  # nothing was marked because of the region, and no model was asked
        self.records[frame].predictions[prediction.model_id] = prediction
        if choice is None or (choice.model_id == prediction.model_id and not choice.empty):
            self._show(frame, prediction)

    def keep_shown(self, frames: Iterable[FrameIndex]) -> None:
        """Keep what is shown of frames again, after something else was kept of them."""
        for frame in frames:
            record = self.records[frame]
            if record.base is not None and not record.edited:
                self._effects.shown[frame] = record.base

    def _follow(self, frame: FrameIndex, *, want: bool) -> None:
        """Show what the frame's model made of it, or ask for it."""
        record, choice = self.records[frame], self.route_of(frame)
        if choice is None:
            return
        known = self._nothing(frame, choice) if choice.empty else record.predictions.get(choice.model_id)
        if known is not None:
            self._show(frame, known)
        elif want:
            self._effects.wanted[frame] = choice.region

    def _nothing(self, frame: FrameIndex, choice: Route) -> Prediction:
        """The empty label map of a frame where nothing is to be marked; the one that is shown if it is that."""
        base = self.records[frame].base
        if base is not None and (base.region, base.reason) == (choice.region, choice.reason):
            return base
        labels = self.canvas_from(None)
        labels.setflags(write=False)
        return Prediction(labels, choice.model_id, choice.region, choice.reason)

    def _show(self, frame: FrameIndex, prediction: Prediction) -> None:
        record = self.records[frame]
        if record.base is prediction and not record.edited:
            self._offer(frame, None)
            return
        status = ReviewStatus.ACCEPTED if record.accepting else record.status
        decision = decide(prediction, shown=record.labels, edited=record.edited, status=status)
        if isinstance(decision, Replace):
            self._offer(frame, None)
            self._effects.shown[frame] = prediction
            self._set(frame, Marks(record.reader_region, prediction, prediction.model_id, False), prediction.labels)
        elif decision.changed_pixels == 0 or prediction.model_id in {*record.dismissed, record.origin}:
            self._offer(frame, None)
        else:
            self._offer(frame, prediction)

    def _offer(self, frame: FrameIndex, proposal: Prediction | None) -> None:
        record = self.records[frame]
        if record.proposal is not proposal:
            record.proposal = proposal
            self.note(frame, Changed.PROPOSAL)

    # -- what every change goes through --------------------------------------------------------------------------------

    def note(self, frame: FrameIndex, what: Changed) -> None:
        """Note that something of a frame changed."""
        self._effects.changed[frame] = self._effects.changed.get(frame, Changed.NOTHING) | what

    def _set(self, frame: FrameIndex, marks: Marks, labels: LabelMap | None) -> None:
        record = self.records[frame]
        record.reader_region, record.base, record.origin = marks.reader_region, marks.base, marks.origin
        record.edited, record.imported, record.made = marks.edited, marks.imported, marks.made
        record.edit_number += 1
        if record.labels is not labels:
            record.labels = labels
            self.counts.set_frame(frame, labels)
            self.note(frame, Changed.LABELS)
