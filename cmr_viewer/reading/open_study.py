"""The study that is being read: its frames and every change to them, without Qt, threads or files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cmr_viewer.analyse import FrameResult, by_frame
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.change import (
    AcceptPart,
    Change,
    ChangeKind,
    FactPart,
    FramePart,
    Marks,
    Part,
    Patch,
    PhaseMarksPart,
    UndoLines,
    label_digest,
)
from cmr_viewer.domain.label_map import LabelMap, Point
from cmr_viewer.domain.measures.ed_es import Disagreement, EdEs, PhasePair, choose_ed_es, disagreements
from cmr_viewer.domain.measures.volumes import Measures, believed_voxel_ml, voxel_volume_ml
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.result_notes import not_reviewed
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError
from cmr_viewer.reading.frames import Changed, Effects, FrameRecord, Frames
from cmr_viewer.reading.history import History
from cmr_viewer.reading.volumes import measures_at, notes_at
from cmr_viewer.review.edit import clear_label, paint_line, patch_between
from cmr_viewer.review.queue import FrameReview, Next, next_frame


@dataclass(frozen=True)
class Imported:
    """Where label maps were imported from.

    Attributes:
        source: For a reader, such as "cvi42 workspace".
        text: What was done, in words, for undo.
        whole: Frames whose label map is the other program's alone; in the others something of what was shown is left.
        made: How the label maps came to be, as the source states; None where it does not.
        regions: Regions that come with them, of frames where they do.
        made_of: How the label map of a frame came to be, of frames where that is not as `made`.
    """

    source: str
    text: str
    whole: frozenset[FrameIndex]
    made: Provenance | None = None
    regions: Mapping[FrameIndex, Region] = field(default_factory=dict)
    made_of: Mapping[FrameIndex, Provenance] = field(default_factory=dict)

    def marks(self, before: Marks, frame: FrameIndex) -> Marks:
        """Marks of a frame once its label map is put in.

        Where something of what was shown is left in it, the frame is automatic only if both parts are.
        """
        region, made = self.regions.get(frame, before.reader_region), self.made_of.get(frame, self.made)
        if frame in self.whole:
            return Marks(region, None, None, True, self.source, made)
        by_hand = before.edited and before.made is not Provenance.AUTOMATIC
        mixed = by_hand if made is Provenance.AUTOMATIC else before.origin is not None
        made = Provenance.SEMIAUTOMATIC if made is not None and mixed else made
        return Marks(region, before.base, before.origin, True, self.source, made)


@dataclass(eq=False)
class Stroke:
    """A brush stroke while it lasts.

    Attributes:
        frame: The frame.
        label: What is painted; BACKGROUND erases.
        radius_px: Radius of the brush.
        last: Where the brush is.
        before: Marks before the stroke.
        shown_before: The label map before the stroke, not written to by it; None where there was none.
    """

    frame: FrameIndex
    label: Label
    radius_px: float
    last: Point
    before: Marks
    shown_before: LabelMap | None

    @property
    def text(self) -> str:
        """What is done, in words."""
        return "erase" if self.label is Label.BACKGROUND else f"paint {self.label.text}"


class OpenStudy:
    """The open study as the reader works on it: every change is one undo step and has its effects.

    Attributes:
        study: What was opened.
        stack: The stack that is read.
        read_id: The read that all this belongs to; None for the first.
        frames: All frames, and what is shown of them.
        history: Undo and redo.
        reader_ed: End-diastole as the reader marked it, or None.
        reader_es: End-systole likewise.
        facts: What the reader entered about the study, by key, as JSON can hold it.
    """

    def __init__(self, study: Study, read_id: int | None = None) -> None:
        self.study = study
        self.stack = study.stack
        self.read_id = read_id
        self.frames = Frames(study.stack)
        self.history = History()
        self.reader_ed: int | None = None
        self.reader_es: int | None = None
        self.facts: dict[str, Any] = {}
        self._stroke: Stroke | None = None

    # -- what there is -------------------------------------------------------------------------------------------------

    def ed_es_choice(self) -> EdEs:
        """ED and ES and where they come from: the reader, else the files, else the LV volumes."""
        return choose_ed_es(self.stack, self.frames.counts.ed_es(), (self.reader_ed, self.reader_es))

    def ed_es(self) -> PhasePair:
        """(ED, ES) of `ed_es_choice`."""
        return self.ed_es_choice().phases

    def ed_es_disagreements(self) -> tuple[Disagreement, ...]:
        """Where ED or ES is stated away from the largest or smallest LV blood pool, as the label maps are now."""
        ml, _ = voxel_volume_ml(self.stack.geometry)
        volumes = self.frames.counts.lv_volumes() * (ml or 1.0)
        return disagreements(self.ed_es_choice(), volumes, "pixels" if ml is None else "ml")

    def notes(self) -> tuple[Note, ...]:
        """What a reader should know about the results as they are, also whether ED and ES are reviewed."""
        choice = self.ed_es_choice()
        accepted = {frame for frame, one in self.frames.items() if one.status is ReviewStatus.ACCEPTED}
        return (*notes_at(self.frames.counts, self.stack, choice), *not_reviewed(self.stack, choice, accepted))

    def measures(self) -> Measures:
        """Volumes, ejection fractions and mass at ED and ES."""
        return measures_at(self.frames.counts, self.stack.geometry, *self.ed_es(), any_size=self.stack.any_size)

    def voxel_ml(self) -> tuple[float | None, str]:
        """Volume of a voxel and an empty text; or None and the reason why it is not known, or not believed."""
        ml, why_not = voxel_volume_ml(self.stack.geometry)
        if ml is None:
            return None, why_not
        return believed_voxel_ml(ml, self.frames.counts.of_phases()[:, Label.LVBP], any_size=self.stack.any_size)

    def still(self, frame: FrameIndex) -> LabelMap:
        """The label map that is shown of a frame, (row, col), not to be written to; background where there is none.

        It stays as it is whatever is done to the frame later: only a brush stroke writes into a label map that is
        shown, and that into one of its own, of which this gives a copy while the stroke lasts.
        """
        labels = self.frames[frame].labels
        if labels is None or (self._stroke is not None and self._stroke.frame == frame):
            return self.frames.canvas(frame)
        return labels

    def next_frame(self, current: FrameIndex | None) -> Next | None:
        """The next frame to review and why: of ED and ES as long as one is not accepted there, then of all phases."""
        reviews = {frame: _review(record) for frame, record in self.frames.items()}
        phases = self.ed_es()
        marked = {frame: one for frame, one in reviews.items() if frame.phase in phases}
        return next_frame(marked, current) or next_frame(reviews, current)

    # -- what models make ----------------------------------------------------------------------------------------------

    def receive(self, results: Sequence[FrameResult]) -> None:
        """Models computed regions and label maps: they are shown, offered or only remembered, and are to be saved."""
        effects, frames = self.frames.effects, self.frames
        regions, made = by_frame(results)
        for frame, predicted in regions.items():
            frames.receive_region(frame, predicted)
        if regions:
            frames.order_is_due()
        for frame, prediction in made.items():
            frames.receive_prediction(frame, prediction)
        effects.region_predictions |= regions
        for frame, prediction in made.items():
            base = frames[frame].base
            if base is prediction:
                continue
            effects.predictions[frame] = prediction
            if base is not None and not frames[frame].edited and self.read_id is None:
                effects.shown[frame] = base  # saved once more, since the last prediction saved is shown the next time

    # -- what the reader does ------------------------------------------------------------------------------------------

    def set_region(self, frame: FrameIndex, region: Region) -> None:
        """Set the reader's region of a frame; the frame is routed anew."""
        self._set_regions([frame], region, f"set region {region.text}")

    def set_regions(self, frames: Iterable[FrameIndex], region: Region) -> tuple[FrameIndex, ...]:
        """Set the reader's region of several frames, as one change.

        Args:
            frames: The frames; those that have this region by the reader already are left as they are.
            region: Their region.

        Returns:
            The frames that changed.
        """
        return self._set_regions(frames, region, f"set region {region.text} in all phases")

    def _set_regions(self, frames: Iterable[FrameIndex], region: Region, text: str) -> tuple[FrameIndex, ...]:
        wanted = [frame for frame in frames if self.frames[frame].reader_region is not region]
        if not wanted:
            return ()
        self.end_stroke()
        parts = []
        for frame in wanted:
            record = self.frames[frame]
            before, after = record.marks, replace(record.marks, reader_region=region)
            parts.append(FramePart(frame, before, after, None))
            record.dismissed.clear()
            self.frames.go_to(frame, after, record.labels)
        self._push(ChangeKind.REGION, text, *parts)
        return tuple(wanted)

    def take_proposal(self, frame: FrameIndex) -> None:
        """Show the offered prediction in place of what the reader made; nothing without an offer."""
        record = self.frames[frame]
        proposal = record.proposal
        if proposal is None:
            return
        self.end_stroke()
        after = Marks(record.reader_region, proposal, proposal.model_id, False)
        patch = patch_between(self.still(frame), proposal.labels)
        self.frames.offer(frame, None)
        self._do(ChangeKind.PROPOSAL, "use the new prediction", FramePart(frame, record.marks, after, patch.packed()))

    def dismiss_proposal(self, frame: FrameIndex) -> None:
        """Decline the offered prediction; that model's is not offered again until the region is set."""
        record = self.frames[frame]
        if record.proposal is not None:
            record.dismissed.add(record.proposal.model_id)
            self.frames.offer(frame, None)

    def clear(self, frame: FrameIndex, label: Label | None) -> None:
        """Remove one label from a frame, or all."""
        labels = self.still(frame)
        if label is None:
            self._edit(frame, "clear the frame", patch_between(labels, np.zeros_like(labels)))
        else:
            self._edit(frame, f"clear {label.text}", clear_label(labels, label))

    def copy_to(self, source: FrameIndex, target: FrameIndex) -> None:
        """Give a frame the label map of another; nothing where the source has none."""
        labels = self.frames[source].labels
        if labels is not None:
            self._edit(target, f"copy from slice {source.slice_index + 1}", patch_between(self.still(target), labels))

    def put_labels(self, label_maps: Mapping[FrameIndex, LabelMap], imported: Imported) -> None:
        """Give frames the label maps of another program, as one change.

        Args:
            label_maps: (row, col) by frame.
            imported: Where they come from, and which of them owe nothing to what was shown before.
        """
        self.end_stroke()
        parts = []
        for frame, labels in label_maps.items():
            before, shown = self.frames[frame].marks, self.still(frame)
            after = imported.marks(before, frame)
            parts.append(FramePart(frame, before, after, patch_between(shown, labels).packed()))
            self.frames.offer(frame, None)
            self.frames.go_to(frame, after, _own(labels))
        if parts:
            self._push(ChangeKind.IMPORT, imported.text, *parts)

    def change_labels(
        self, label_maps: Mapping[FrameIndex, LabelMap], text: str, kind: ChangeKind = ChangeKind.EDIT
    ) -> tuple[FrameIndex, ...]:
        """Give frames other label maps by the reader's hand, as one change.

        Args:
            label_maps: (row, col) by frame; frames that are so already are left as they are. Those that cannot be
                written to are shown as they are, of others a copy.
            text: What was done, in words: "smooth LV myocardium".
            kind: What kind of change it is.

        Returns:
            The frames that changed.
        """
        self.end_stroke()
        parts = []
        for frame, labels in label_maps.items():
            before, patch = self.frames[frame].marks, patch_between(self.still(frame), labels)
            if not patch.is_empty:
                parts.append(FramePart(frame, before, before.corrected(), patch.packed()))
                self.frames.go_to(frame, before.corrected(), _own(labels))
        if parts:
            self._push(kind, text, *parts)
        return tuple(part.frame for part in parts)

    def _edit(self, frame: FrameIndex, text: str, patch: Patch) -> None:
        self.end_stroke()
        record = self.frames[frame]
        if not patch.is_empty or record.labels is None:
            self._do(ChangeKind.EDIT, text, FramePart(frame, record.marks, record.marks.corrected(), patch.packed()))

    def mark_phases(self, ed: int | None, es: int | None) -> None:
        """Mark ED and ES; None leaves one to the source or the volumes."""
        before, after = (self.reader_ed, self.reader_es), (ed, es)
        if before == after:
            return
        self.end_stroke()
        which = "ED" if es == before[1] else "ES" if ed == before[0] else "ED and ES"
        self._do(ChangeKind.PHASE_MARKS, f"mark {which}", PhaseMarksPart(before, after))

    def set_fact(self, key: str, value: Any, text: str) -> None:
        """Set a fact about the study, as one change.

        Args:
            key: Which, as in `store.study_facts`.
            value: As JSON can hold it; None removes it.
            text: What was done, in words: "move an insertion point".
        """
        before = self.facts.get(key)
        if before != value:
            self.end_stroke()
            self._do(ChangeKind.FACT, text, FactPart(key, before, value))

    def note_acceptance(self, frames: Iterable[FrameIndex], text: str) -> Change | None:
        """Remember that frames are being accepted, as one change; None where there are none."""
        parts = [
            AcceptPart(frame, self.frames[frame].status, label_digest(self.still(frame)))
            for frame in dict.fromkeys(frames)
        ]
        return self._push(ChangeKind.ACCEPT, text, *parts) if parts else None

    def hold(self, frames: Iterable[FrameIndex]) -> dict[FrameIndex, int]:
        """Hold the label maps of frames whose acceptance is being saved; the result is for `release`.

        A prediction that comes meanwhile is offered beside the label map.
        """
        held = {}
        for frame in frames:
            record = self.frames[frame]
            record.accepting = record.saved = True
            held[frame] = record.edit_number
            self.dismiss_proposal(frame)
        return held

    def release(self, held: Mapping[FrameIndex, int], *, accepted: bool) -> None:
        """The acceptance of held frames is on disk, or could not be saved."""
        for frame, number in held.items():
            record = self.frames[frame]
            record.accepting = False
            if accepted and record.edit_number == number:  # else the reader went on, and a later draft is being saved
                self.frames.set_status(frame, ReviewStatus.ACCEPTED)

    def undo(self) -> FrameIndex | None:
        """Take the last change back; the frame of it, or None.

        Raises:
            LabelMapError: It does not fit any more; nothing is changed, and it is left out from now on.
        """
        self.end_stroke()
        held = self._accepted_before_last_change()
        for one in held:
            self.frames[one].accepting = True  # keeps its label map, whatever its region leads to meanwhile
        self.frames.effects.history |= self.history.can_undo
        try:
            change = self.history.undo(self)
        except LabelMapError:
            for one in held:
                self.frames[one].accepting = False
            raise
        self.frames.effects.held.extend(held)
        return None if change is None else change.frame

    def _accepted_before_last_change(self) -> tuple[FrameIndex, ...]:
        """Frames of the last change that were accepted when it was made, and are again once it is undone."""
        done = self.history.lines.done
        wanted = {one.frame for one in done[-1].parts if isinstance(one, FramePart)} if done else set()
        accepted: list[FrameIndex] = []
        for change in reversed(done[:-1]):
            here = wanted.intersection(change.frames)
            if change.kind is ChangeKind.ACCEPT:
                accepted += sorted(here)
            wanted -= here
            if not wanted:
                break
        return tuple(accepted)

    def redo(self) -> FrameIndex | None:
        """Make the last undone change again; the frame of it, or None.

        Raises:
            LabelMapError: It does not fit any more; nothing is changed, and it is left out from now on.
        """
        self.end_stroke()
        self.frames.effects.history |= self.history.can_redo
        change = self.history.redo(self)
        return None if change is None else change.frame

    def leave(self, change: Change) -> None:
        """Leave a change out of undo, because it could not be saved."""
        self.frames.effects.history = True
        self.history.leave(change)

    def put_history_back(self, lines: UndoLines) -> None:
        """Put back what could be undone and redone when the study was open before."""
        self.history.put_back(lines)
        last = {one.frame: one.after for change in lines.done for one in change.parts if isinstance(one, FramePart)}
        for frame, marks in last.items():
            record = self.frames.get(frame)
            if record is not None and record.edited and record.base is None and record.origin == marks.origin:
                record.base = marks.base  # which only the change of it knows
        self.frames.effects.history = True

    # -- brush strokes -------------------------------------------------------------------------------------------------

    def begin_stroke(
        self, frame: FrameIndex, label: Label, radius_px: float, point: Point
    ) -> tuple[int, int, int, int] | None:
        """Put the brush down; the box that changed, or None.

        Raises:
            LabelMapError: The radius is not positive, or a point is not a number.
        """
        self.end_stroke()
        record = self.frames[frame]
        stroke = Stroke(frame, label, radius_px, point, record.marks, record.labels)
        labels = self.frames.canvas(frame)
        patch = paint_line(labels, point, point, radius_px, label)
        record.labels, record.edited = labels, True
        record.edit_number += 1
        if stroke.shown_before is None:
            self.frames.counts.set_frame(frame, labels)
        self._stroke = stroke
        return self._paint(stroke, patch)

    def extend_stroke(self, point: Point) -> tuple[int, int, int, int] | None:
        """Move the brush; the box that changed, or None.

        Raises:
            LabelMapError: The point is not a number.
        """
        stroke = self._stroke
        if stroke is None:
            return None
        labels = self.frames[stroke.frame].labels
        assert labels is not None
        patch = paint_line(labels, stroke.last, point, stroke.radius_px, stroke.label)
        stroke.last = point
        return self._paint(stroke, patch)

    def _paint(self, stroke: Stroke, patch: Patch) -> tuple[int, int, int, int] | None:
        if patch.is_empty:
            return None
        labels = self.frames[stroke.frame].labels
        assert labels is not None
        patch.apply(labels)
        self.frames.counts.patch_frame(stroke.frame, patch.before, patch.after)
        self.frames.note(stroke.frame, Changed.LABELS)
        return patch.box

    def end_stroke(self) -> FrameIndex | None:
        """Lift the brush: one undo step, or none where nothing was painted; the frame if it was."""
        stroke, self._stroke = self._stroke, None
        if stroke is None:
            return None
        record = self.frames[stroke.frame]
        before = self.frames.empty() if stroke.shown_before is None else stroke.shown_before
        assert record.labels is not None
        patch = patch_between(before, record.labels)
        if patch.is_empty:
            self.frames.put(stroke.frame, stroke.before, stroke.shown_before)
            self.frames.follow(stroke.frame, want=False)
            return None
        after = record.marks.corrected()
        record.made = after.made
        self.frames.touched(stroke.frame)
        part = FramePart(stroke.frame, stroke.before, after, patch.packed())
        self._push(ChangeKind.STROKE, stroke.text, part)
        return stroke.frame

    def cancel_stroke(self) -> None:
        """Lift the brush and take the stroke back."""
        stroke, self._stroke = self._stroke, None
        if stroke is not None:
            self.frames.put(stroke.frame, stroke.before, stroke.shown_before)
            self.frames.follow(stroke.frame, want=False)

    # -- used by changes (domain.change.ChangedStudy) ------------------------------------------------------------------

    def go_to(self, frame: FrameIndex, marks: Marks, labels: LabelMap | None) -> None:
        """Give a frame marks and label map by the reader's hand, with all that follows."""
        self.frames.go_to(frame, marks, labels)

    def set_phase_marks(self, marks: PhasePair) -> None:
        """Set ED and ES as the reader marked them."""
        self.reader_ed, self.reader_es = marks
        self.frames.effects.phase_marks = True

    def set_fact_value(self, key: str, value: Any) -> None:
        """Set a fact about the study; None removes it."""
        if value is None:
            self.facts.pop(key, None)
        else:
            self.facts[key] = value
        self.frames.effects.facts[key] = value

    def accept_again(self, frame: FrameIndex) -> None:
        """Ask for the acceptance of a frame, as it was before it was undone."""
        self.frames.effects.accepting.append(frame)

    def withdraw(self, frame: FrameIndex) -> None:
        """Withdraw the acceptance of a frame, also one that is being saved; what is shown stays."""
        record = self.frames[frame]
        if record.is_held:
            record.edit_number += 1
            self.frames.touched(frame)

    # -- what every change goes through --------------------------------------------------------------------------------

    def take_effects(self) -> Effects:
        """What follows from the changes since the last call, other frames that follow the reader's regions included."""
        self.frames.order_regions()
        effects, self.frames.effects = self.frames.effects, Effects()
        effects.moves = self.history.take_moves()
        if self.read_id is not None:  # what models made, and what another read leads it to, is not for the first read
            effects.region_predictions, effects.predictions = {}, {}
        for frame in effects.held:
            self.frames[frame].accepting = False  # until whoever takes the effects saves the acceptance
        return effects

    def _do(self, kind: ChangeKind, text: str, *parts: Part) -> None:
        """Make a change, and remember it."""
        self._push(kind, text, *parts).apply(self)

    def _push(self, kind: ChangeKind, text: str, *parts: Part) -> Change:
        """Remember a change that is made."""
        change = Change(kind, text, parts)
        self.history.push(change)
        self.frames.effects.history = True
        return change


def _own(labels: LabelMap) -> LabelMap:
    """A label map that nobody else writes to."""
    whole = labels if labels.base is None else labels.base
    still = not labels.flags.writeable and isinstance(whole, np.ndarray) and not whole.flags.writeable
    return labels if still else labels.copy()


def _review(record: FrameRecord) -> FrameReview:
    predicted = record.region_prediction
    return FrameReview(
        region=record.region,
        probability=None if predicted is None else predicted.probability,
        by_reader=record.reader_region is not None,
        status=record.status,
    )
