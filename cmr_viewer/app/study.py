"""The open study for the window: what is known of it, what its reader does to it, and signals of what changed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cmr_viewer.analyse import FrameResult
from cmr_viewer.app.effort import OwnEffort
from cmr_viewer.app.models import ModelsInUse
from cmr_viewer.app.saving import Saving
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.change import ChangeKind
from cmr_viewer.domain.label_map import LabelMap, Point
from cmr_viewer.domain.measures.volumes import MEASURE_NAMES, Measures
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import LabelMapError
from cmr_viewer.reading.effort import StudyEffort
from cmr_viewer.reading.frames import Changed, Effects, FrameState
from cmr_viewer.reading.offers import Offer
from cmr_viewer.reading.open_study import Imported, OpenStudy
from cmr_viewer.reading.saving import Saved, put_back, why_not_acceptable, work_of
from cmr_viewer.review.queue import Next
from cmr_viewer.store.events import Event, EventLog
from cmr_viewer.store.reads import Read, ReadKind
from cmr_viewer.store.worklist import RENEWED_KEY

if TYPE_CHECKING:
    from cmr_viewer.review.checks import Finding

MEASURES_INTERVAL_MS = 50

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last)."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Otherwise = TypeVar("Otherwise")


def changes(
    otherwise: Otherwise,
) -> Callable[
    [Callable[Concatenate["CurrentStudy", Arguments], Result]],
    Callable[Concatenate["CurrentStudy", Arguments], Result | Otherwise],
]:
    """Mark what changes the study: where `CurrentStudy.may_change` refuses, it is not done.

    Args:
        otherwise: What the method returns then.
    """

    def marked(
        method: Callable[Concatenate["CurrentStudy", Arguments], Result],
    ) -> Callable[Concatenate["CurrentStudy", Arguments], Result | Otherwise]:
        @wraps(method)
        def guarded(self: "CurrentStudy", /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result | Otherwise:
            return method(self, *args, **kwargs) if self.may_change() else otherwise

        return guarded

    return marked


class ReviewOrder(Protocol):
    """Decides which frame of the open study is to be reviewed next."""

    def next_frame(self, current: FrameIndex | None) -> Next | None:
        """The next frame after one, and why; None where it does not know."""


@dataclass(frozen=True, eq=False)
class _Checked:
    """What was found in a label map, and the region and share of the ring it was checked by."""

    labels: LabelMap
    rule: tuple[Region | None, float]
    findings: "tuple[Finding, ...]"


class CurrentStudy(QObject):
    """The open study, in one of its reads; or none.

    A change is made on `reading`, which holds the study without Qt. What follows from it is carried out at once: it is
    saved, frames are segmented anew, and signals say what changed.

    Attributes:
        review_order: Decides what is next; None for the order by certainty.
        ring_fraction: Share of the ring by which frames of the base are checked; None for the program's own.

    Signals:
        opened(): `data` and `stack` are there; regions and label maps follow.
        left(): The study that was open, or the read of it that was shown, is so no longer: all that is shown or known
            of it is dropped. `data` is None; opened or closed follows.
        closed(): No study is open.
        restored(): What the workspace holds of the study has been put back.
        region_changed(object FrameIndex): Region of a frame, by the classifier or the reader.
        regions_followed(object tuple of FrameIndex): These frames have another predicted region, because the reader
            set that of another frame, or took it back; after the signals for single frames.
        labels_changed(object FrameIndex): Label map that is shown of a frame; also for each part of a brush stroke.
        offer_changed(): A tool offers label maps in `offer`, or no longer.
        proposal_changed(object FrameIndex): A prediction is offered beside a frame's label map, or no longer.
        status_changed(object FrameIndex): Review status of a frame.
        frames_changed(object tuple of FrameIndex): All frames of which anything changed, once for each batch of
            results or action, after the signals for single frames; for views that draw many frames.
        measures_changed(): `measures` is new; at most every 50 ms.
        history_changed(): `can_undo`, `can_redo`, `undo_text` or `redo_text`.
        phase_marks_changed(): `ed_phase` or `es_phase`.
        facts_changed(): What `fact` gives.
        frames_accepted(object tuple of FrameIndex): These frames are saved as accepted; also of a study that was left.
        analysed(): Everything that was missing of the study is computed.
        message(str severity, str text): For the reader; severity is "info", "warning" or "error".
    """

    opened = Signal()
    left = Signal()
    closed = Signal()
    restored = Signal()
    region_changed = Signal(object)
    regions_followed = Signal(object)
    labels_changed = Signal(object)
    offer_changed = Signal()
    proposal_changed = Signal(object)
    status_changed = Signal(object)
    frames_changed = Signal(object)
    measures_changed = Signal()
    history_changed = Signal()
    phase_marks_changed = Signal()
    facts_changed = Signal()
    frames_accepted = Signal(object)
    analysed = Signal()
    message = Signal(str, str)

    def __init__(self, saving: Saving, models: ModelsInUse, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.review_order: ReviewOrder | None = None
        self.ring_fraction: float | None = None
        self._saving, self._models = saving, models
        self._effort = OwnEffort(saving, saving.saved.effort, saving.workspace, self)
        self._reading: OpenStudy | None = None
        self._read: Read | None = None
        self._offer: Offer | None = None
        self._checked: dict[FrameIndex, _Checked] = {}
        self._ed_es: tuple[int | None, int | None] = (None, None)
        self._restored = self._unread = False
        self._shown: FrameIndex | None = None
        self._measures_timer = QTimer(self, singleShot=True, interval=MEASURES_INTERVAL_MS)
        self._measures_timer.timeout.connect(self._emit_measures)
        saving.accepted.connect(self._on_accepted)
        saving.not_accepted.connect(self._on_not_accepted)
        models.changed.connect(self._on_models_changed)
        models.computed.connect(self._on_computed)
        models.analysed.connect(self.analysed)

    # -- one study after another ---------------------------------------------------------------------------------------

    def begin(self, reading: OpenStudy, read: Read | None, restore: Callable[[OpenStudy], Saved]) -> None:
        """Show a study in one of its reads.

        Args:
            reading: The study.
            read: The read; None for the first.
            restore: Reads what the workspace holds of it; called on the store thread.
        """
        self._reading, self._read, self._ed_es = reading, read, reading.ed_es()
        self._effort.begin(reading.stack.stack_id, reading.read_id, counts=self.can_change)
        self._saving.save_again()  # before what is saved is read, which may be of a study whose work is not saved yet
        self._saving.do(
            "Loading your saved work",
            partial(restore, reading),
            on_done=partial(self._on_restored, reading),
            on_failed=partial(self._on_not_restored, reading),
        )
        self.opened.emit()
        self.history_changed.emit()
        self.phase_marks_changed.emit()
        self.measures_changed.emit()

    def end(self) -> None:
        """Save all that was done, and forget the study; the caller emits `left` once everything else has too."""
        reading = self._reading
        if reading is None:
            return
        reading.end_stroke()
        self._models.stop()
        self.carry_out(last=True)
        self._effort.end()
        self._reading, self._read, self._restored, self._unread, self._shown = None, None, False, False, None
        self._checked.clear()
        self._set_offer(None)

    def stop(self) -> None:
        """End the study and everything that would still be emitted."""
        self.end()
        self._measures_timer.stop()

    def _on_restored(self, reading: OpenStudy, saved: Saved) -> None:
        if reading is not self._reading:
            return
        put_back(reading, saved)
        if RENEWED_KEY in saved.facts:  # the reader is shown which frames are new, once
            forget = partial(self._saving.saved.facts.set, reading.stack.stack_id, RENEWED_KEY, None, reading.read_id)
            self._saving.do("Saving that new label maps are shown", forget, quiet=True)
        self._effort.add_earlier(saved.effort)
        self._begin_work(reading)
        self.facts_changed.emit()
        if saved.carried:
            moved = "1 saved frame was" if saved.carried == 1 else f"{saved.carried} saved frames were"
            self.message.emit("info", f"The stack was opened in a different way; {moved} carried over to it.")

    def _on_not_restored(self, reading: OpenStudy, _message: str) -> None:
        if reading is self._reading:
            self._unread = True
            self._begin_work(reading)

    def _begin_work(self, reading: OpenStudy) -> None:
        self._restored = True
        self._use_models(reading)
        self.carry_out()
        self.restored.emit()
        self.analyse()

    # -- what there is -------------------------------------------------------------------------------------------------

    @property
    def reading(self) -> OpenStudy | None:
        """The open study as it is read, for what computes from it; only this object changes it."""
        return self._reading

    @property
    def data(self) -> Study | None:
        """What was opened: images, geometry and notes."""
        return None if self._reading is None else self._reading.study

    @property
    def stack(self) -> Stack | None:
        """The stack of the open study that is read."""
        return None if self._reading is None else self._reading.stack

    @property
    def read(self) -> Read | None:
        """The read that is shown; None for the first."""
        return self._read

    @property
    def is_blinded(self) -> bool:
        """Whether the read that is shown is not to learn anything of another."""
        return self._read is not None and self._read.blinded and not self._read.is_finished

    @property
    def can_change(self) -> bool:
        """Whether the read that is shown can be changed; one that is finished is only looked at."""
        return self._read is None or not self._read.is_finished

    @property
    def is_restored(self) -> bool:
        """Whether what is saved of the open study has been put back; until then nothing of it can be changed."""
        return self._restored and not self._unread

    @property
    def shown(self) -> FrameIndex | None:
        """The frame that the reader looks at."""
        return self._shown

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._reading is not None and self._reading.history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._reading is not None and self._reading.history.can_redo

    @property
    def undo_text(self) -> str:
        """What `undo` takes back, in words; empty if nothing."""
        return "" if self._reading is None else self._reading.history.undo_text

    @property
    def redo_text(self) -> str:
        """What `redo` makes again, in words; empty if nothing."""
        return "" if self._reading is None else self._reading.history.redo_text

    @property
    def ed_phase(self) -> int | None:
        """End-diastole: as the reader marked it, else as the source states, else by volume once all is segmented."""
        return None if self._reading is None else self._reading.ed_es()[0]

    @property
    def es_phase(self) -> int | None:
        """End-systole, likewise."""
        return None if self._reading is None else self._reading.ed_es()[1]

    @property
    def measures(self) -> Measures:
        """Volumes, ejection fractions and mass as the label maps are now."""
        if self._reading is None:
            names = MEASURE_NAMES
            return Measures(None, None, dict.fromkeys(names), dict.fromkeys(names, "No study is open."))
        return self._reading.measures()

    @property
    def phase_counts(self) -> NDArray[np.float64]:
        """(phase, 4) voxels of each label in the stack as the label maps are now; -1 where a phase is not segmented."""
        return np.zeros((0, 4)) if self._reading is None else self._reading.frames.counts.of_phases()

    @property
    def offer(self) -> Offer | None:
        """What a tool offers for frames of the open study; None for nothing."""
        return self._offer

    def fact(self, key: str) -> Any:
        """What the reader entered about the open study, by key as in `store.study_facts`; None for nothing."""
        return None if self._reading is None else self._reading.facts.get(key)

    def effort(self) -> StudyEffort:
        """What readers spent on the open study so far, the present moment included."""
        return self._effort.all

    def save_effort(self) -> None:
        """Save what was spent since the last time."""
        self._effort.save()

    def log(self, limit: int | None = 1000) -> list[Event]:
        """What was done to the open study, with reader and time, oldest first; the last of it only, where limited.

        Of the read that is shown; whoever adjudicates, or reads again unblinded, sees all reads.
        """
        reading, read = self._reading, self._read
        if reading is None:
            return []
        log, stack_id = EventLog(self._saving.workspace), reading.stack.stack_id
        if read is not None and (read.kind is ReadKind.ADJUDICATION or not read.blinded):
            return log.events(stack_id=stack_id, limit=limit)
        events = [event for event in log.events(stack_id=stack_id) if event.read_id == reading.read_id]
        return events if limit is None else events[max(0, len(events) - limit) :]

    def frame_state(self, frame: FrameIndex) -> FrameState:
        """A frame as it is shown now.

        Raises:
            KeyError: There is no such frame in the open study.
        """
        return self.require().frames.state(frame)

    def findings(self, frame: FrameIndex) -> "list[Finding]":
        """What looks wrong in a frame's label map; nothing where there is none."""
        record = self.require().frames[frame]
        if record.labels is None:
            return []
        from cmr_viewer.review import checks  # noqa: PLC0415 - scipy; imported beside the window by now

        rule = self.ring_fraction or checks.BASE_RING_FRACTION
        known = self._checked.get(frame)
        if known is not None and known.labels is record.labels and known.rule == (record.region, rule):
            return list(known.findings)
        found = checks.check_frame(frame, record.labels, record.region, ring_fraction=rule)
        self._checked[frame] = _Checked(record.labels, (record.region, rule), tuple(found))
        return found

    def next_review(self, frame: FrameIndex | None = None) -> Next | None:
        """The next frame to review after this one, and why; None where all are accepted or no study is open."""
        if self._reading is None:
            return None
        found = None if self.review_order is None else self.review_order.next_frame(frame)
        return found or self._reading.next_frame(frame)

    @property
    def why_not_whole(self) -> str:
        """Why the results are not whole yet, where the analysis is still to come to frames; empty where it is not."""
        reading = self._reading
        if reading is None or not self.can_change:
            return ""
        if self._restored and not self._models.is_loading and not self._models.is_analysing:
            return ""
        lacking, frames = len(reading.frames) - len(reading.frames.segmented()), len(reading.frames)
        return f"The analysis is not finished: {lacking} of {frames} frames have no label map yet." if lacking else ""

    def require(self) -> OpenStudy:
        """The open study as it is read.

        Raises:
            RuntimeError: No study is open.
        """
        if self._reading is None:
            raise RuntimeError("No study is open.")
        return self._reading

    def may_change(self) -> bool:
        """Whether the study can be changed now; where it cannot, a message gives the reason.

        A finished read is not changed. Nor is a study before its saved work was put back: that would be overwritten.
        """
        why_not = ""
        if not self.can_change:
            why_not = "This read is finished and is read-only. Show another read to make changes."
        elif self._reading is not None and self._unread:
            why_not = (
                "Your saved work on this study could not be loaded. The study is read-only, because changes would "
                "overwrite that work. Close the study and open it again."
            )
        elif self._reading is not None and not self._restored:
            why_not = "Your saved work is still loading. Try again in a moment."
        if why_not:
            self.message.emit("info", why_not)
        return not why_not

    # -- what the reader does ------------------------------------------------------------------------------------------

    def look_at(self, frame: FrameIndex) -> None:
        """Note which frame is shown, so that it is computed first; what was new of the one before has been seen."""
        before, self._shown = self._shown, frame
        frames = None if self._reading is None else self._reading.frames
        if frames is not None and before is not None and before != frame and frames[before].renewed:
            frames.note_seen(before)
            self.carry_out()
        self._effort.show(frame)

    def note_input(self) -> None:
        """Note that the reader used mouse or keyboard; without that, half a minute counts as a pause."""
        self._effort.note_input()

    @changes(None)
    def set_region(self, frame: FrameIndex, region: Region) -> None:
        """Set the region of a frame: it is saved, routed and segmented anew; an edited label map gets a proposal."""
        self.require().set_region(frame, region)
        self.carry_out()

    @changes(())
    def set_region_of_slice(self, slice_index: int, region: Region) -> tuple[FrameIndex, ...]:
        """Set the region of a slice at all phases, as one change; the frames that changed."""
        reading = self.require()
        changed = reading.set_regions([f for f in reading.frames if f.slice_index == slice_index], region)
        self.carry_out()
        return changed

    @changes(None)
    def take_proposal(self, frame: FrameIndex) -> None:
        """Show the offered prediction in place of the reader's label map; undo brings that back."""
        self.require().take_proposal(frame)
        self.carry_out()

    @changes(None)
    def dismiss_proposal(self, frame: FrameIndex) -> None:
        """Decline the offered prediction."""
        self.require().dismiss_proposal(frame)
        self.carry_out()

    @changes(None)
    def begin_stroke(self, frame: FrameIndex, label: Label, radius_px: float, point: Point) -> Box | None:
        """Put the brush down.

        Args:
            frame: The frame.
            label: What is painted; BACKGROUND erases.
            radius_px: Radius of the brush in pixels of the frame.
            point: (row, col), centres of pixels are whole numbers.

        Returns:
            The box of the label map that changed, or None.

        Raises:
            LabelMapError: The radius is not positive, or a point is not a number.
        """
        box = self.require().begin_stroke(frame, label, radius_px, point)
        self.carry_out()
        return box

    def extend_stroke(self, point: Point) -> Box | None:
        """Move the brush; the box of the label map that changed, or None.

        Raises:
            LabelMapError: The point is not a number.
        """
        box = self.require().extend_stroke(point)
        self.carry_out()
        return box

    def end_stroke(self) -> None:
        """Lift the brush: one change, and a draft is saved."""
        self.require().end_stroke()
        self.carry_out()

    def cancel_stroke(self) -> None:
        """Lift the brush and take the stroke back."""
        self.require().cancel_stroke()
        self.carry_out()

    @changes(None)
    def clear_label(self, frame: FrameIndex, label: Label | None = None) -> None:
        """Remove one label from a frame, or all."""
        self.require().clear(frame, label)
        self.carry_out()

    @changes(None)
    def copy_to_next_slice(self, frame: FrameIndex) -> FrameIndex | None:
        """Copy the label map to the next slice towards the apex; that frame, or None where there is none."""
        reading = self.require()
        target = FrameIndex(frame.phase, frame.slice_index + 1)
        if target not in reading.frames or reading.frames[frame].labels is None:
            self.message.emit("info", "There is no next slice, or this frame has no label map to copy.")
            return None
        reading.copy_to(frame, target)
        self.carry_out()
        return target

    @changes(None)
    def put_labels(self, label_maps: Mapping[FrameIndex, LabelMap], imported: Imported) -> None:
        """Give frames the label maps (row, col) of another program: one change, and drafts are saved."""
        self.require().put_labels(label_maps, imported)
        self.carry_out()

    def change_labels(self, label_maps: Mapping[FrameIndex, LabelMap], text: str) -> tuple[FrameIndex, ...]:
        """Give frames other label maps by the reader's hand: one change, and drafts are saved.

        Args:
            label_maps: (row, col) by frame; frames that are so already are left as they are.
            text: What was done, in words: "smooth LV myocardium".

        Returns:
            The frames that changed.
        """
        return self._change_labels(label_maps, text, ChangeKind.EDIT)

    @changes(())
    def _change_labels(
        self, label_maps: Mapping[FrameIndex, LabelMap], text: str, kind: ChangeKind
    ) -> tuple[FrameIndex, ...]:
        changed = self.require().change_labels(label_maps, text, kind)
        self.carry_out()
        return changed

    def offer_labels(self, label_maps: Mapping[FrameIndex, LabelMap], text: str) -> None:
        """Offer label maps that a tool made; they are shown beside what is there, and replace an older offer.

        An offer ends when one of its frames is changed otherwise, and when the study is closed.

        Args:
            label_maps: (row, col) by frame; those that are so already are left out.
            text: What was done, in words, as in `change_labels`.
        """
        reading = self.require()
        new = {frame: labels for frame, labels in label_maps.items() if (reading.still(frame) != labels).any()}
        self._set_offer(Offer(new, text) if new else None)

    def take_offer(self) -> tuple[FrameIndex, ...]:
        """Put what is offered in the place of what is shown, as one change; the frames that changed."""
        offer = self._offer
        if offer is None:
            return ()
        self._set_offer(None)
        return self._change_labels(offer.label_maps, offer.text, ChangeKind.OFFER)

    def drop_offer(self) -> None:
        """Decline what is offered."""
        self._set_offer(None)

    def _set_offer(self, offer: Offer | None) -> None:
        if offer is not self._offer:
            self._offer = offer
            self.offer_changed.emit()

    @changes(None)
    def undo(self) -> FrameIndex | None:
        """Take the last change back; its frame, to be shown, or None."""
        return self._step(self.require().undo)

    @changes(None)
    def redo(self) -> FrameIndex | None:
        """Make the last undone change again; its frame, to be shown, or None."""
        return self._step(self.require().redo)

    def _step(self, step: Callable[[], FrameIndex | None]) -> FrameIndex | None:
        try:
            frame = step()
        except LabelMapError as error:
            self.message.emit("error", str(error))
            frame = None
        self.carry_out()
        return frame

    def set_ed(self, phase: int | None) -> None:
        """Mark end-diastole; None leaves it to the source or the volumes."""
        self._mark("reader_ed", phase)

    def set_es(self, phase: int | None) -> None:
        """Mark end-systole; None leaves it to the source or the volumes."""
        self._mark("reader_es", phase)

    @changes(None)
    def _mark(self, name: str, phase: int | None) -> None:
        reading = self.require()
        if phase is not None and not 0 <= phase < reading.stack.phases:
            self.message.emit("error", f"There is no phase {phase + 1}: this study has {reading.stack.phases} phases.")
            return
        marks = {"reader_ed": reading.reader_ed, "reader_es": reading.reader_es, name: phase}
        reading.mark_phases(marks["reader_ed"], marks["reader_es"])
        self.carry_out()

    @changes(None)
    def set_fact(self, key: str, value: Any, text: str) -> None:
        """Enter a fact about the open study, such as the patient's height: one change, and it is saved.

        Args:
            key: Which, as in `store.study_facts`.
            value: As JSON can hold it; None takes it back.
            text: What was done, in words, for undo: "type the patient's height".
        """
        self.require().set_fact(key, value, text)
        self.carry_out()

    # -- accepting -----------------------------------------------------------------------------------------------------

    @changes(None)
    def accept(self, frame: FrameIndex) -> None:
        """Accept a frame; `status_changed` follows when it is on disk."""
        why_not = why_not_acceptable(self.require(), frame)
        if why_not:
            self.message.emit("warning", why_not)
            return
        self.accept_frames([frame], "accept")

    def accept_slice(self, slice_index: int) -> None:
        """Accept all phases of a slice that have label maps."""
        frames = [frame for frame in self.require().frames if frame.slice_index == slice_index]
        self._accept_many(frames, f"accept slice {slice_index + 1}")

    def accept_phase(self, phase: int) -> None:
        """Accept all slices of a phase that have label maps."""
        frames = [frame for frame in self.require().frames if frame.phase == phase]
        self._accept_many(frames, f"accept phase {phase + 1}")

    def accept_all(self) -> None:
        """Accept all frames that have label maps."""
        self._accept_many(list(self.require().frames), "accept the study")

    @changes(None)
    def _accept_many(self, frames: list[FrameIndex], text: str) -> None:
        reading = self.require()
        lacking = sum(bool(why_not_acceptable(reading, frame)) for frame in frames)
        self.accept_frames(frames, text)
        if lacking:
            self.message.emit(
                "info", f"{lacking} of {len(frames)} frames were not accepted: they have no label map or no region yet."
            )

    def accept_frames(self, frames: Iterable[FrameIndex], text: str) -> None:
        """Accept those of some frames that can be, as one change.

        Args:
            frames: Which.
            text: What is done, in words: "accept slice 3".
        """
        reading = self.require()
        reading.end_stroke()
        self.carry_out(last=True)
        if self._saving.accept(reading, frames, text):
            self._effort.note_edit(self._shown)
        self.carry_out()

    @Slot(object, object)
    def _on_accepted(self, reading: OpenStudy, frames: tuple[FrameIndex, ...]) -> None:
        if reading is self._reading:
            self.carry_out()
        self.frames_accepted.emit(frames)

    @Slot(object)
    def _on_not_accepted(self, reading: OpenStudy) -> None:
        if reading is self._reading:
            self.carry_out()

    # -- what is computed ----------------------------------------------------------------------------------------------

    @Slot()
    def analyse(self) -> None:
        """Compute what the study lacks, such as after a cancelled analysis."""
        if self._reading is None or not self._restored:
            return
        if self.can_change:
            self._models.analyse(self._reading, self._shown)
        else:  # what a finished read shows stays as it was
            self.analysed.emit()

    @Slot(object, object)
    def _on_computed(self, reading: OpenStudy, results: list[FrameResult]) -> None:
        if reading is self._reading:
            reading.receive(results)
            self.carry_out()

    @Slot()
    def _on_models_changed(self) -> None:
        if self._reading is not None and self._restored and self._use_models(self._reading):
            self.carry_out()
        self.analyse()

    def _use_models(self, reading: OpenStudy) -> bool:
        """Show what the models in use made of unedited frames; whether there are models and the read can change."""
        models = self._models.loaded
        if models is None or not self.can_change:
            return False
        reading.frames.set_active(models.active)
        return True

    # -- what follows --------------------------------------------------------------------------------------------------

    def finish_saving(self) -> bool:
        """End what the reader is doing, and wait until it is on disk; False where something could not be saved."""
        if self._reading is not None:
            self._reading.end_stroke()
            self.carry_out(last=True)
        self._saving.save_again()
        self._saving.wait()
        return not self._saving.has_unsaved

    def carry_out(self, *, last: bool = False) -> None:
        """Save, compute and emit what follows from the changes of `reading` since the last call.

        Args:
            last: Whether it is the last chance to save what could not be saved before; else the next change tries.
        """
        reading = self._reading
        if reading is None:
            return
        effects = reading.take_effects()
        for frame, what in effects.changed.items():
            if Changed.LABELS in what:  # a brush writes into the very label map that was checked
                self._checked.pop(frame, None)
        self._effort.note_moves(effects.moves)
        work = work_of(reading, effects, self._effort.take() if effects.moves else {})
        if (work or (last and self._saving.lacks(reading))) and self.can_change:
            self._saving.save(reading, work)
        if effects.accepting:
            self._saving.accept_again(reading, effects.accepting)
        if effects.wanted:
            self._models.segment(reading, effects.wanted)
        if effects.missing and self._restored:
            self._models.analyse(reading, self._shown, without=effects.wanted)
        self._emit(effects)

    def _emit(self, effects: Effects) -> None:
        drawn = [frame for frame, what in effects.changed.items() if Changed.LABELS in what]
        if self._offer is not None and any(frame in self._offer for frame in drawn):
            self._set_offer(None)
        self._emit_changed(effects.changed)
        if effects.followed:
            self.regions_followed.emit(effects.followed)
        if effects.phase_marks:
            self._emit_measures()
        if effects.facts:
            self.facts_changed.emit()
        if effects.history:
            self.history_changed.emit()

    def _emit_changed(self, changed: dict[FrameIndex, Changed]) -> None:
        signals = (
            (Changed.REGION, self.region_changed),
            (Changed.LABELS, self.labels_changed),
            (Changed.PROPOSAL, self.proposal_changed),
            (Changed.STATUS, self.status_changed),
        )
        for frame, what in changed.items():
            for flag, signal in signals:
                if flag in what:
                    signal.emit(frame)
        if changed:
            self.frames_changed.emit(tuple(changed))
        if any(Changed.LABELS in what for what in changed.values()) and not self._measures_timer.isActive():
            self._measures_timer.start()

    @Slot()
    def _emit_measures(self) -> None:
        if self._reading is None:
            return
        ed_es = self._reading.ed_es()
        if ed_es != self._ed_es:
            self._ed_es = ed_es
            self.phase_marks_changed.emit()
        self.measures_changed.emit()
