"""What a reader does to the frames of the open study: it is carried out, kept and told."""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from PySide6.QtCore import QObject, QTimer, Slot

from cmr_viewer.analyse import Flow
from cmr_viewer.app.session_state import SessionState
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.change import ChangeKind
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError
from cmr_viewer.reading.frames import Changed
from cmr_viewer.reading.offers import Offer
from cmr_viewer.reading.open_study import Imported, Reading
from cmr_viewer.reading.saving import joined_work, work_of
from cmr_viewer.review.edit import Point
from cmr_viewer.store.annotations import Work
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import ModelRegistry

MEASURES_INTERVAL_MS = 50

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last)."""


Session = TypeVar("Session", bound="SessionEdits")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Otherwise = TypeVar("Otherwise")


def changes(
    otherwise: Otherwise,
) -> Callable[
    [Callable[Concatenate[Session, Arguments], Result]],
    Callable[Concatenate[Session, Arguments], Result | Otherwise],
]:
    """Mark what changes a read: in one that is finished it is not done, and the reader is told why.

    Nor is it done where what is kept of the study has not been put back: it would take the place of that.

    Args:
        otherwise: What the method returns then.
    """

    def marked(
        method: Callable[Concatenate[Session, Arguments], Result],
    ) -> Callable[Concatenate[Session, Arguments], Result | Otherwise]:
        @wraps(method)
        def guarded(self: Session, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result | Otherwise:
            why_not = self._why_not_change()
            if not why_not:
                return method(self, *args, **kwargs)
            self.message.emit("info", why_not)
            return otherwise

        return guarded

    return marked


class SessionEdits(SessionState):
    """Regions, brush, copies, undo, ED and ES of the open study, and what follows from them."""

    def __init__(
        self, workspace: Workspace, registry: ModelRegistry, flow: Flow, device: str, parent: QObject | None
    ) -> None:
        super().__init__(workspace, registry, flow, device, parent)
        self._ed_es: tuple[int | None, int | None] = (None, None)
        self._restored = self._unread = False
        self._works = 0
        self._unsaved: dict[Reading, dict[int, Work]] = {}
        self._shown: FrameIndex | None = None
        self._measures_timer = QTimer(self, singleShot=True, interval=MEASURES_INTERVAL_MS)
        self._measures_timer.timeout.connect(self._tell_measures)

    @property
    def is_restored(self) -> bool:
        """Whether what is kept of the open study has been put back; until then nothing of it can be changed."""
        return self._restored and not self._unread

    def _why_not_change(self) -> str:
        """Why nothing of the open study can be changed now, for the reader; empty if it can be."""
        if not self.can_change:
            return "This read is finished and is read-only. Show another read to make changes."
        if self._reading is None or self.is_restored:
            return ""
        if self._unread:
            return (
                "Your saved work on this study could not be loaded. The study is read-only, because changes would "
                "overwrite that work. Close the study and open it again."
            )
        return "Your saved work is still loading. Try again in a moment."

    # -- what the reader does ------------------------------------------------------------------------------------------

    def set_reader(self, name: str) -> None:
        """From now on, what is kept is kept as this reader's; an empty name changes nothing."""
        self.workspace.reader = name.strip() or self.workspace.reader

    @changes(None)
    def set_region(self, frame: FrameIndex, region: Region) -> None:
        """Say the region of a frame: it is kept, routed and segmented anew; an edited label map gets a proposal."""
        self._open().set_region(frame, region)
        self._carry_out()

    @changes(())
    def set_region_of_slice(self, slice_index: int, region: Region) -> tuple[FrameIndex, ...]:
        """Say the region of a slice at all phases, as one undo step; the frames that changed."""
        reading = self._open()
        changed = reading.set_regions([f for f in reading.records if f.slice_index == slice_index], region)
        self._carry_out()
        return changed

    @changes(None)
    def take_proposal(self, frame: FrameIndex) -> None:
        """Show the offered prediction in place of the reader's label map; undo brings that back."""
        self._open().take_proposal(frame)
        self._carry_out()

    @changes(None)
    def dismiss_proposal(self, frame: FrameIndex) -> None:
        """Decline the offered prediction."""
        self._open().dismiss_proposal(frame)
        self._carry_out()

    @changes(None)
    def begin_stroke(
        self, frame: FrameIndex, label: Label, radius_px: float, point: Point, only: Label | None = None
    ) -> Box | None:
        """Put the brush down.

        Args:
            frame: The frame.
            label: What is painted; BACKGROUND erases.
            radius_px: Radius of the brush in pixels of the frame.
            point: (row, col), centres of pixels are whole numbers.
            only: The label that an eraser is limited to, or None.

        Returns:
            The box of the label map that changed, or None.

        Raises:
            LabelMapError: The radius is not positive, or a point is not a number.
        """
        box = self._open().begin_stroke(frame, label, radius_px, point, only)
        self._carry_out()
        return box

    def extend_stroke(self, point: Point) -> Box | None:
        """Move the brush; the box of the label map that changed, or None.

        Raises:
            LabelMapError: The point is not a number.
        """
        box = self._open().extend_stroke(point)
        self._carry_out()
        return box

    def end_stroke(self) -> None:
        """Lift the brush: one undo step, and a draft is kept."""
        self._open().end_stroke()
        self._carry_out()

    def cancel_stroke(self) -> None:
        """Lift the brush and take the stroke back."""
        self._open().cancel_stroke()
        self._carry_out()

    @changes(None)
    def clear_label(self, frame: FrameIndex, label: Label | None = None) -> None:
        """Remove one label from a frame, or all."""
        self._open().clear(frame, label)
        self._carry_out()

    @changes(None)
    def copy_to_next_slice(self, frame: FrameIndex) -> FrameIndex | None:
        """Copy the label map to the next slice towards the apex; that frame, or None where there is none."""
        reading = self._open()
        target = FrameIndex(frame.phase, frame.slice_index + 1)
        if target not in reading.records or reading.records[frame].labels is None:
            self.message.emit("info", "There is no next slice, or this frame has no label map to copy.")
            return None
        reading.copy_to(frame, target)
        self._carry_out()
        return target

    @changes(None)
    def put_labels(self, label_maps: Mapping[FrameIndex, LabelMap], imported: Imported) -> None:
        """Give frames the label maps (row, col) of another program: one undo step, and drafts are kept."""
        self._open().put_labels(label_maps, imported)
        self._carry_out()

    def change_labels(self, label_maps: Mapping[FrameIndex, LabelMap], text: str) -> tuple[FrameIndex, ...]:
        """Give frames other label maps by the reader's hand: one undo step, and drafts are kept.

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
        changed = self._open().change_labels(label_maps, text, kind)
        self._carry_out()
        return changed

    def offer_labels(self, label_maps: Mapping[FrameIndex, LabelMap], text: str) -> None:
        """Offer label maps that a tool made; they are shown beside what is there, and take the place of an older offer.

        An offer goes when one of its frames is changed otherwise, and when the study is closed.

        Args:
            label_maps: (row, col) by frame; those that are so already are left out.
            text: What was done, in words, as in `change_labels`.
        """
        reading = self._open()
        new = {frame: labels for frame, labels in label_maps.items() if (reading.still(frame) != labels).any()}
        self._set_offer(Offer(new, text) if new else None)

    def take_offer(self) -> tuple[FrameIndex, ...]:
        """Put what is offered in the place of what is shown, as one undo step; the frames that changed."""
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
        return self._step(self._open().undo)

    @changes(None)
    def redo(self) -> FrameIndex | None:
        """Make the last undone change again; its frame, to be shown, or None."""
        return self._step(self._open().redo)

    def _step(self, step: Callable[[], FrameIndex | None]) -> FrameIndex | None:
        try:
            frame = step()
        except LabelMapError as error:
            self.message.emit("error", str(error))
            frame = None
        self._carry_out()
        return frame

    def set_ed(self, phase: int | None) -> None:
        """Mark end-diastole; None leaves it to the source or the volumes."""
        self._mark("reader_ed", phase)

    def set_es(self, phase: int | None) -> None:
        """Mark end-systole; None leaves it to the source or the volumes."""
        self._mark("reader_es", phase)

    @changes(None)
    def _mark(self, name: str, phase: int | None) -> None:
        reading = self._open()
        if phase is not None and not 0 <= phase < reading.stack.phases:
            self.message.emit("error", f"There is no phase {phase + 1}: this study has {reading.stack.phases} phases.")
            return
        marks = {"reader_ed": reading.reader_ed, "reader_es": reading.reader_es, name: phase}
        reading.mark_phases(marks["reader_ed"], marks["reader_es"])
        self._carry_out()

    @changes(None)
    def say(self, key: str, value: Any, text: str) -> None:
        """Say a fact about the open study, such as the patient's height: one undo step, and it is kept.

        Args:
            key: Which, as in `store.study_facts`.
            value: As JSON can hold it; None takes it back.
            text: What was done, in words, for undo: "type the patient's height".
        """
        self._open().set_fact(key, value, text)
        self._carry_out()

    def note_input(self) -> None:
        """The reader used mouse or keyboard; what is not told is taken for a pause after half a minute."""
        self._effort.note_input()

    # -- what follows --------------------------------------------------------------------------------------------------

    def _carry_out(self, *, last: bool = False) -> None:
        """Keep, compute and tell what follows from the changes since the last call.

        What could not be kept before is tried again with the next change, or now where that is the last chance.
        """
        reading = self._reading
        if reading is None:
            return
        effects = reading.take_effects()
        self._check_again(effects.changed)
        self._effort.note_moves(effects.moves)
        work = work_of(reading, effects, self._effort.take() if effects.moves else {})
        if (work or (last and reading in self._unsaved)) and self.can_change:
            self._save(reading, work)
        if effects.accepting:
            self._accepting.accept_again(reading, effects.accepting)
        if effects.wanted:
            self._computing.segment(reading, effects.wanted)
        if effects.missing and self._restored:
            self._computing.analyse(reading, self._shown, without=effects.wanted)
        offer = self._offer
        if offer is not None and any(f in offer and Changed.LABELS in what for f, what in effects.changed.items()):
            self._set_offer(None)
        self._tell(effects.changed)
        if effects.followed:
            self.regions_followed.emit(effects.followed)
        if effects.phase_marks:
            self._tell_measures()
        if effects.facts:
            self.facts_changed.emit()
        if effects.history:
            self.history_changed.emit()

    def _save(self, reading: Reading, work: Work) -> None:
        """Write work, and with it what of the same study could not be written before."""
        self._works += 1
        parts = {**self._unsaved.pop(reading, {}), self._works: work}
        work = joined_work(reading, [part for _, part in sorted(parts.items())])
        what = "Saving a draft" if work.versions else "Saving changes"
        save = partial(self.saved.save, reading, work)
        again = [one.frame for one in parts[self._works].versions if one.status is ReviewStatus.ACCEPTED]
        held = reading.hold(again)
        on_done = partial(self._on_kept, reading, held) if held else None
        self.keeper.do(what, save, on_done=on_done, on_failed=partial(self._on_failed, reading, parts, held))
        if len(parts) > 1:
            self.unsaved_changed.emit()

    def _on_kept(self, reading: Reading, held: dict[FrameIndex, int], _result: object) -> None:
        self._accepting.end_again(reading, held, kept=True)

    def _on_failed(self, reading: Reading, parts: dict[int, Work], held: dict[FrameIndex, int], _message: str) -> None:
        if held:
            self._accepting.end_again(reading, held, kept=False)
        self._unsaved[reading] = {**parts, **self._unsaved.get(reading, {})}
        self.unsaved_changed.emit()

    # -- what could not be saved ---------------------------------------------------------------------------------------

    @property
    def has_unsaved(self) -> bool:
        """Whether something that a reader did could not be saved, of the open study or of one that is left."""
        return bool(self._unsaved)

    @property
    def unsaved_frames(self) -> int:
        """Frames that could not be saved; 0 also where that is something else, such as ED."""
        return sum(
            len({frame for work in parts.values() for frame in (*(one.frame for one in work.versions), *work.regions)})
            for parts in self._unsaved.values()
        )

    def save_again(self) -> None:
        """Try again to save what could not be."""
        for reading in tuple(self._unsaved):
            self._save(reading, Work())

    def finish_saving(self) -> bool:
        """End what the reader is doing, and wait until it is on disk; False where something could not be saved."""
        if self._reading is not None:
            self._reading.end_stroke()
            self._carry_out(last=True)
        for reading in tuple(self._unsaved):
            self._save(reading, Work())
        self.keeper.finish()
        return not self._unsaved

    def save_elsewhere(self, folder: Path, on_done: Callable[[Path], None], on_failed: Callable[[str], None]) -> None:
        """Copy the workspace to another folder, and save there what could not be saved here.

        Args:
            folder: It must not exist.
            on_done: Called with the folder once all is there; nothing counts as unsaved then.
            on_failed: Called with the reason; everything is as it was then.
        """
        unsaved = {reading: joined_work(reading, [*parts.values(), Work()]) for reading, parts in self._unsaved.items()}

        def done(written: Path) -> None:
            self._unsaved.clear()
            self.unsaved_changed.emit()
            on_done(written)

        work = partial(self.saved.save_elsewhere, folder, unsaved)
        self.keeper.do("Saving elsewhere", work, on_done=done, on_failed=on_failed, quiet=True)

    def _check_again(self, changed: dict[FrameIndex, Changed]) -> None:
        for frame, what in changed.items():
            if Changed.LABELS in what:  # a brush writes into the very label map that was checked
                self._checked.pop(frame, None)

    def _tell(self, changed: dict[FrameIndex, Changed]) -> None:
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
    def _tell_measures(self) -> None:
        if self._reading is None:
            return
        ed_es = self._reading.ed_es()
        if ed_es != self._ed_es:
            self._ed_es = ed_es
            self.phase_marks_changed.emit()
        self.measures_changed.emit()
