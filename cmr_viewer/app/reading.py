"""The study that is being read: its frames and every change to them, without Qt, threads or files."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cmr_viewer.app.frame_changes import FrameChange, Stroke
from cmr_viewer.app.frame_states import Changed, FrameRecord, Marks
from cmr_viewer.app.shown_frames import ShownFrames
from cmr_viewer.app.volumes import measures_at
from cmr_viewer.classify.in_stack import led_by_readers
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures import Measures
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.review.edit import Patch, Point, clear_label, copy_labels, paint_line, patch_between
from cmr_viewer.review.history import GroupChange, History
from cmr_viewer.review.worklist import FrameReview, Next, next_frame


@dataclass(frozen=True)
class Imported:
    """Where label maps were imported from.

    Attributes:
        source: For a reader, such as "cvi42 workspace".
        text: What was done, in words, for undo.
        whole: Frames whose label map is the other program's alone; in the others something of what was shown is left.
        made: How the label maps came to be, as the source says; None where it does not say.
    """

    source: str
    text: str
    whole: frozenset[FrameIndex]
    made: Provenance | None = None

    def marks(self, before: Marks, frame: FrameIndex) -> Marks:
        """Marks of a frame once its label map is put in.

        Where something of what was shown is left in it, the frame is automatic only if both parts are.
        """
        if frame in self.whole:
            return Marks(before.reader_region, None, None, True, self.source, self.made)
        by_hand = before.edited and before.made is not Provenance.AUTOMATIC
        mixed = by_hand if self.made is Provenance.AUTOMATIC else before.origin is not None
        made = Provenance.SEMIAUTOMATIC if self.made is not None and mixed else self.made
        return Marks(before.reader_region, before.base, before.origin, True, self.source, made)


class Ordered(NamedTuple):
    """What the order of the stack made of regions that the reader set.

    Attributes:
        predictions: Region predictions that are not as they were.
        followed: Frames that have another region by it.
        lacking: Frames that another model segments by it, which has not done so yet.
    """

    predictions: dict[FrameIndex, RegionPrediction]
    followed: tuple[FrameIndex, ...]
    lacking: tuple[FrameIndex, ...]


class Reading(ShownFrames):
    """The open study as the reader works on it: every change is one undo step and has its effects.

    Attributes:
        history: Undo and redo.
        reader_ed: End-diastole as the reader marked it, or None.
        reader_es: End-systole likewise.
    """

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.history = History()
        self.reader_ed: int | None = None
        self.reader_es: int | None = None
        self._stroke: Stroke | None = None
        self._order_is_due = False

    # -- what there is -------------------------------------------------------------------------------------------------

    def ed_es(self) -> tuple[int | None, int | None]:
        """(ED, ES): as the reader marked them, else as the source states, else by LV volume; None if not known."""
        found_ed, found_es = self.counts.ed_es()
        ed = next((p for p in (self.reader_ed, self.stack.ed_phase, found_ed) if p is not None), None)
        es = next((p for p in (self.reader_es, self.stack.es_phase, found_es) if p is not None), None)
        return ed, es

    def measures(self) -> Measures:
        """Volumes, ejection fractions and mass at ED and ES."""
        return measures_at(self.counts, self.stack.geometry, *self.ed_es())

    def next_frame(self, current: FrameIndex | None) -> Next | None:
        """The next frame to review and why: of ED and ES as long as one is not accepted there, then of all phases."""
        reviews = {frame: _review(record) for frame, record in self.records.items()}
        phases = self.ed_es()
        marked = {frame: one for frame, one in reviews.items() if frame.phase in phases}
        return next_frame(marked, current) or next_frame(reviews, current)

    # -- what the reader does ------------------------------------------------------------------------------------------

    def set_region(self, frame: FrameIndex, region: Region) -> None:
        """The reader says the region; the frame is routed anew."""
        record = self.records[frame]
        if record.reader_region is region:
            return
        self.end_stroke()
        before = record.marks
        after = replace(before, reader_region=region)
        change = FrameChange(frame, f"set region {region.text}", before, after, None, self)
        record.dismissed.clear()
        self.go_to(frame, after, record.labels)
        self._push(change)

    def take_proposal(self, frame: FrameIndex) -> None:
        """Show the offered prediction in place of what the reader made; nothing without an offer."""
        record = self.records[frame]
        proposal = record.proposal
        if proposal is None:
            return
        self.end_stroke()
        before = record.marks
        after = Marks(before.reader_region, proposal, proposal.model_id, False)
        patch = patch_between(self.canvas(frame), proposal.labels)
        self._offer(frame, None)
        self.go_to(frame, after, proposal.labels)
        self._push(FrameChange(frame, "take the new prediction", before, after, patch, self))

    def dismiss_proposal(self, frame: FrameIndex) -> None:
        """Decline the offered prediction; that model's is not offered again until the region is set."""
        record = self.records[frame]
        if record.proposal is not None:
            record.dismissed.add(record.proposal.model_id)
            self._offer(frame, None)

    def clear(self, frame: FrameIndex, label: Label | None) -> None:
        """Remove one label from a frame, or all."""
        canvas = self.canvas(frame)
        if label is None:
            self._edit(frame, "clear the frame", copy_labels(np.zeros_like(canvas), canvas))
        else:
            self._edit(frame, f"clear {label.text}", clear_label(canvas, label))

    def copy_to(self, source: FrameIndex, target: FrameIndex) -> None:
        """Give a frame the label map of another; nothing where the source has none."""
        labels = self.records[source].labels
        if labels is not None:
            self._edit(target, f"copy from slice {source.slice_index + 1}", copy_labels(labels, self.canvas(target)))

    def put_labels(self, label_maps: Mapping[FrameIndex, LabelMap], imported: Imported) -> None:
        """Give frames the label maps of another program, as one step that can be undone.

        Args:
            label_maps: (row, col) by frame.
            imported: Where they come from, and which of them owe nothing to what was shown before.
        """
        self.end_stroke()
        changes = []
        for frame, labels in label_maps.items():
            before, canvas = self.records[frame].marks, self.canvas(frame)
            after = imported.marks(before, frame)
            patch = patch_between(canvas, labels)
            changes.append(FrameChange(frame, imported.text, before, after, patch, self))
            self._offer(frame, None)
            self.go_to(frame, after, labels.copy())
        if changes:
            self.history.push(GroupChange(imported.text, tuple(changes)))
            self._effects.history = True

    def change_labels(self, label_maps: Mapping[FrameIndex, LabelMap], text: str) -> tuple[FrameIndex, ...]:
        """Give frames other label maps by the reader's hand, as one step that can be undone.

        Args:
            label_maps: (row, col) by frame; frames that are so already are left as they are.
            text: What was done, in words: "smooth LV myocardium".

        Returns:
            The frames that changed.
        """
        self.end_stroke()
        changes: list[FrameChange] = []
        for frame, labels in label_maps.items():
            record = self.records[frame]
            patch = patch_between(self.canvas(frame), labels)
            if patch.is_empty:
                continue
            before = record.marks
            after = before.corrected()
            self.go_to(frame, after, labels.copy())
            changes.append(FrameChange(frame, text, before, after, patch, self))
        if len(changes) == 1:
            self._push(changes[0])
        elif changes:
            self.history.push(GroupChange(text, tuple(changes)))
            self._effects.history = True
        return tuple(change.frame for change in changes)

    def _edit(self, frame: FrameIndex, text: str, patch: Patch) -> None:
        self.end_stroke()
        record = self.records[frame]
        if patch.is_empty and record.labels is not None:
            return
        before = record.marks
        after = before.corrected()
        labels = self.canvas(frame)
        patch.apply(labels)
        self.go_to(frame, after, labels)
        self._push(FrameChange(frame, text, before, after, patch, self))

    def undo(self) -> FrameIndex | None:
        """Take the last change back; the frame of it, or None.

        Raises:
            LabelMapError: It does not fit any more; nothing is changed.
        """
        self.end_stroke()
        change = self.history.undo()
        self._effects.history = self._effects.history or change is not None
        return None if change is None else change.frame

    def redo(self) -> FrameIndex | None:
        """Make the last undone change again; the frame of it, or None.

        Raises:
            LabelMapError: It does not fit any more; nothing is changed.
        """
        self.end_stroke()
        change = self.history.redo()
        self._effects.history = self._effects.history or change is not None
        return None if change is None else change.frame

    # -- brush strokes -------------------------------------------------------------------------------------------------

    def begin_stroke(
        self, frame: FrameIndex, label: Label, radius_px: float, point: Point, only: Label | None
    ) -> tuple[int, int, int, int] | None:
        """Put the brush down; the box that changed, or None.

        Raises:
            LabelMapError: The radius is not positive, or a point is not a number.
        """
        self.end_stroke()
        record = self.records[frame]
        stroke = Stroke(frame, label, radius_px, only, point, record.marks, record.labels)
        labels = self.canvas(frame)
        patch = paint_line(labels, point, point, radius_px, label, only_over=None if only is None else {only})
        record.labels, record.edited = labels, True
        record.edit_number += 1
        if stroke.shown_before is None:
            self.counts.set_frame(frame, labels)
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
        over = None if stroke.only is None else {stroke.only}
        labels = self.records[stroke.frame].labels
        assert labels is not None
        patch = paint_line(labels, stroke.last, point, stroke.radius_px, stroke.label, only_over=over)
        stroke.last = point
        return self._paint(stroke, patch)

    def _paint(self, stroke: Stroke, patch: Patch) -> tuple[int, int, int, int] | None:
        if patch.is_empty:
            return None
        labels = self.records[stroke.frame].labels
        assert labels is not None
        patch.apply(labels)
        self.counts.patch_frame(stroke.frame, patch.before, patch.after)
        self.note(stroke.frame, Changed.LABELS)
        return patch.box

    def end_stroke(self) -> FrameIndex | None:
        """Lift the brush: one undo step, or none where nothing was painted; the frame if it was."""
        stroke, self._stroke = self._stroke, None
        if stroke is None:
            return None
        record = self.records[stroke.frame]
        before = self.canvas_from(stroke.shown_before)
        assert record.labels is not None
        patch = patch_between(before, record.labels)
        if patch.is_empty:
            self._set(stroke.frame, stroke.before, stroke.shown_before)
            self._follow(stroke.frame, want=False)
            return None
        after = record.marks.corrected()
        record.made = after.made
        self._touched(stroke.frame)
        self._push(FrameChange(stroke.frame, stroke.text, stroke.before, after, patch, self))
        return stroke.frame

    def cancel_stroke(self) -> None:
        """Lift the brush and take the stroke back."""
        stroke, self._stroke = self._stroke, None
        if stroke is not None:
            self._set(stroke.frame, stroke.before, stroke.shown_before)
            self._follow(stroke.frame, want=False)

    # -- what the order of the stack makes of the reader's regions ----------------------------------------------------

    def regions_came(self) -> None:
        """New predictions of regions are there, which may not know of all that the reader has said meanwhile."""
        self._order_is_due = self._order_is_due or any(r.reader_region is not None for r in self.records.values())

    def order_regions(self) -> Ordered:
        """Let the other frames follow regions that were set since the last call, by what the classifier said before.

        Returns:
            What changed; it is shown from now on.
        """
        if not self._order_is_due:
            return Ordered({}, (), ())
        self._order_is_due = False
        known = {f: r.region_prediction for f, r in self.records.items() if r.region_prediction is not None}
        if len({one.model_id for one in known.values()}) != 1:  # another classifier is just looking at them
            return Ordered({}, (), ())
        readers = {f: r.reader_region for f, r in self.records.items() if r.reader_region is not None}
        changed = led_by_readers(known, readers, phases=self.stack.phases, slices=self.stack.slices)
        followed, lacking = [], []
        for frame, predicted in changed.items():
            region, route = self.records[frame].region, self.route_of(frame)
            self.receive_region(frame, predicted)
            if self.records[frame].region is not region:
                followed.append(frame)
            if self.route_of(frame) != route and self.lacks_prediction(frame):
                lacking.append(frame)
        return Ordered(changed, tuple(followed), tuple(lacking))

    # -- used by changes (frame_changes.Frames) ------------------------------------------------------------------------

    def go_to(self, frame: FrameIndex, marks: Marks, labels: LabelMap | None) -> None:
        """Give a frame marks and label map by the reader's hand, with all that follows."""
        record = self.records[frame]
        other_region = record.reader_region is not marks.reader_region
        self._set(frame, marks, labels)
        if record.base is not None and not record.edited:
            self._effects.shown[frame] = record.base
        self._touched(frame)
        if other_region:
            self._order_is_due = True
            self._effects.regions.append(frame)
            self._offer(frame, None)
            self.note(frame, Changed.REGION)
        self._follow(frame, want=other_region)

    # -- what every change goes through --------------------------------------------------------------------------------

    def _touched(self, frame: FrameIndex) -> None:
        """The reader changed a frame: what was accepted is so no longer, and a draft is to be kept."""
        record = self.records[frame]
        status = ReviewStatus.DRAFT if record.edited else None
        if record.edited or record.kept:
            record.kept = True
            self._effects.drafts.append(frame)
        if record.status is not status:
            record.status = status
            self.note(frame, Changed.STATUS)

    def _push(self, change: FrameChange) -> None:
        self.history.push(change)
        self._effects.history = True


def _review(record: FrameRecord) -> FrameReview:
    predicted = record.region_prediction
    return FrameReview(
        region=record.region,
        probability=None if predicted is None else predicted.probability,
        by_reader=record.reader_region is not None,
        status=record.status,
    )
