"""Reads of the open study: a second one, blinded or not, and the adjudication of both."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal, Slot

from cmr_viewer.app.models import ModelsInUse
from cmr_viewer.app.saving import Saving
from cmr_viewer.app.study import CurrentStudy
from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.reads import (
    BOTH_READS,
    SECOND_KEY,
    BothReads,
    SavedRead,
    agreed,
    both_reads,
    first_read,
    patient_facts,
    taken,
)
from cmr_viewer.reading.saving import SavedStudies
from cmr_viewer.review.compare_reads import FrameDifference
from cmr_viewer.store.annotations import Work
from cmr_viewer.store.reads import Read, ReadKind, ReadSummary

FIRST, SECOND = 0, 1
"""Which of two reads an adjudicator takes a frame from."""


class Reads(QObject):
    """Begins, shows and finishes reads of the open study.

    A study is in one read at a time. All that is saved goes to it, and nothing of another is put back with it. The
    first read needs no beginning; the name of its reader is the workspace's.

    Attributes:
        both: The two reads that are adjudicated, while that read is shown; None before they are loaded.
        beside: Reads whose label maps may be shown beside the one that is shown: those adjudicated, or the first,
            unblinded.

    Signals:
        changed(): The read that is shown is another, or `summaries`, `both` or `beside` is new.
        message(str severity, str text): For the reader.
    """

    changed = Signal()
    message = Signal(str, str)

    def __init__(
        self,
        saving: Saving,
        study: CurrentStudy,
        models: ModelsInUse,
        enter: Callable[[Read | None], None],
        parent: QObject | None = None,
    ) -> None:
        """Follow the open study.

        Args:
            saving: Where reads are saved.
            study: The open study.
            models: The models in use.
            enter: Leaves the read that is shown, and shows another.
            parent: Qt parent.
        """
        super().__init__(parent)
        self.both: BothReads | None = None
        self.beside: tuple[SavedRead, ...] = ()
        self._saving, self._study, self._models, self._enter = saving, study, models, enter
        self._saved = saving.saved
        self._own_name = self._name = saving.workspace.reader
        self._summaries: tuple[ReadSummary, ...] = ()
        study.restored.connect(self._load_beside)

    def end_study(self) -> None:
        """Forget the reads of the study that is left."""
        self.take_name(None)
        self._summaries, self.both, self.beside = (), None, ()

    @property
    def summaries(self) -> tuple[ReadSummary, ...]:
        """Reads of the open study, the first first, as of the last `changed`; a blinded reader's own alone."""
        if self._study.is_blinded:
            read = self._study.read
            return tuple(one for one in self._summaries if one.read is not None and one.read == read)
        return self._summaries

    # -- who reads -----------------------------------------------------------------------------------------------------

    @property
    def reader(self) -> str:
        """Name of the reader of the read that is shown."""
        read = self._study.read
        return self._saving.workspace.reader if read is None or read.is_finished else read.reader

    def set_reader(self, name: str) -> None:
        """From now on, what is saved of first reads is saved as this reader's; an empty name changes nothing."""
        self._own_name = name.strip() or self._own_name
        if self._study.read is None:
            self.take_name(None)

    def take_name(self, read: Read | None) -> None:
        """What is written from now on is the reader's of a read; what is queued still is the one's before."""
        name = self._own_name if read is None or read.is_finished else read.reader
        if name != self._name:
            self._name = name
            self._saving.do("Changing the reader", partial(setattr, self._saving.workspace, "reader", name), quiet=True)

    def why_not_second_reader(self, name: str) -> str:
        """Why somebody cannot read the open study for the second time, in words; empty if they can."""
        name = " ".join(name.split())
        if not name:
            return "Enter the name of the second reader."
        first = next((one.readers for one in self._summaries if one.read is None), ()) or (self._own_name,)
        if name.casefold() in {" ".join(one.split()).casefold() for one in first}:
            return f"{name} did the first read. The second reader must be someone else."
        return ""

    # -- reads ---------------------------------------------------------------------------------------------------------

    def begin_second(self, name: str, *, blinded: bool) -> bool:
        """Begin a second read of the open study, from what the models say of it, and show it.

        Args:
            name: Who reads.
            blinded: Whether nothing of the first read is to be seen until it is finished.

        Returns:
            Whether it is begun; else a message says why not.
        """
        self._study.require()
        why_not = self.why_not_second_reader(name)
        if not why_not and self._models.is_analysing:
            why_not = "The study is still being analysed. Start the second read when the analysis is finished."
        if why_not:
            self.message.emit("warning", why_not)
            return False
        self._start(ReadKind.SECOND, " ".join(name.split()), blinded=blinded)
        return True

    def begin_adjudication(self, name: str, second_id: int) -> bool:
        """Begin an adjudication of the first read and another; frames that both agree on are taken over.

        Args:
            name: Who adjudicates.
            second_id: Id of the other read, which is finished.

        Returns:
            Whether it is begun; else a message says why not.
        """
        self._study.require()
        other = next((one.read for one in self.summaries if one.read is not None and one.read.id == second_id), None)
        name = " ".join(name.split())
        why_not = "" if name else "Enter the name of the adjudicator."
        if not why_not and (other is None or not other.is_finished):
            why_not = "The second read is not finished. Finish it before you adjudicate."
        if why_not:
            self.message.emit("warning", why_not)
            return False
        self._start(ReadKind.ADJUDICATION, name, blinded=False, second_id=second_id)
        return True

    def _start(self, kind: ReadKind, name: str, *, blinded: bool, second_id: int | None = None) -> None:
        reading = self._study.require()
        reading.end_stroke()
        self._study.carry_out()

        def work() -> Read:
            before, self._saving.workspace.reader = self._saving.workspace.reader, name
            try:
                read = self._saved.reads.begin(reading.stack.stack_id, kind, blinded=blinded)
                if second_id is not None:
                    self._saved.facts.set(reading.stack.stack_id, SECOND_KEY, second_id, read.id)
            finally:
                self._saving.workspace.reader = before
            return read

        self._saving.do("Starting a read", work, on_done=partial(self._on_begun, reading))

    def _on_begun(self, reading: OpenStudy, read: Read) -> None:
        if reading is self._study.reading:
            self._enter(read)

    def show(self, read_id: int | None) -> None:
        """Show another read of the open study; None for the first. It goes on where it was left."""
        self._study.require()
        wanted = {None if one.read is None else one.read.id: one.read for one in self._summaries}
        if read_id in wanted:
            self._enter(wanted[read_id])

    def lacking(self) -> tuple[FrameIndex, ...]:
        """Frames at ED and ES that are not accepted in the read on show, in the order of phase and slice."""
        reading = self._study.require()
        marked = {phase for phase in reading.ed_es() if phase is not None}
        frames = (frame for frame in reading.frames if frame.phase in marked)
        return tuple(sorted(f for f in frames if reading.frames[f].status is not ReviewStatus.ACCEPTED))

    def finish(self) -> None:
        """Finish the read on show, which is not the first; from then on nothing of it changes."""
        reading, read = self._study.require(), self._study.read
        if not self._study.may_change():
            return
        if read is None:
            self.message.emit("info", "The first read does not need to be finished. Accept its frames instead.")
            return
        reading.end_stroke()
        self._study.carry_out()
        self._study.save_effort()
        shown = {f: one.base for f, one in reading.frames.items() if one.base is not None and not one.edited}
        work = partial(_finish, self._saved, read, shown)
        self._saving.do("Finishing the read", work, on_done=partial(self._on_finished, reading))

    def _on_finished(self, reading: OpenStudy, read: Read) -> None:
        if reading is self._study.reading:
            self._enter(read)

    def refresh_list(self) -> None:
        """Read what reads there are of the open study."""
        reading = self._study.reading
        if reading is not None:
            work = partial(self._saved.reads.summaries, reading.stack.stack_id)
            self._saving.do("Loading the list of reads", work, on_done=partial(self._on_summaries, reading))

    def refresh(self) -> None:
        """Read anew what was done in each read; `changed` follows."""
        self._study.save_effort()
        self.refresh_list()

    def _on_summaries(self, reading: OpenStudy, summaries: tuple[ReadSummary, ...]) -> None:
        if reading is self._study.reading and summaries != self._summaries:
            self._summaries = summaries
            self.changed.emit()

    # -- adjudication --------------------------------------------------------------------------------------------------

    def left_to_adjudicate(self) -> tuple[FrameDifference, ...]:
        """Frames that the reads do not agree on and that are not accepted yet, most millilitres first."""
        both, reading = self.both, self._study.reading
        if both is None or reading is None:
            return ()
        open_ = {frame for frame, one in reading.frames.items() if one.status is not ReviewStatus.ACCEPTED}
        return tuple(one for one in both.comparison.disagreements() if one.frame in open_)

    def take_from(self, which: int, frame: FrameIndex) -> bool:
        """Take a frame from one of the reads that are adjudicated, and accept it.

        Args:
            which: FIRST or SECOND.
            frame: The frame.

        Returns:
            Whether that read has a label map of it.
        """
        both = self.both
        if not self._study.may_change() or both is None:
            return False
        from_read = (both.first, both.second)[which]
        name = f"the {from_read.name[:1].lower()}{from_read.name[1:]}"
        labels, source = taken({frame: from_read.frames[frame]}, name, f"use {name}")
        if not labels:
            self.message.emit("info", f"This frame has no label map in {name}.")
            return False
        self._study.put_labels(labels, source)
        self._study.accept_frames([frame], "accept")
        return True

    @Slot()
    def _load_beside(self) -> None:
        """The read on show has been put back: read what is shown beside it."""
        reading, read = self._study.reading, self._study.read
        self.both, self.beside = None, ()
        if reading is None or read is None:
            return
        second_id = reading.facts.get(SECOND_KEY)
        if read.kind is ReadKind.ADJUDICATION and isinstance(second_id, int):
            both = partial(both_reads, self._saved, reading.study, second_id)
            self._saving.do("Loading both reads", both, on_done=partial(self._on_both, reading))
        elif not read.blinded and self._study.can_change:
            first = partial(first_read, self._saved, reading.study)
            self._saving.do("Loading the first read", first, on_done=partial(self._on_first, reading))

    def _on_first(self, reading: OpenStudy, first: SavedRead) -> None:
        if reading is self._study.reading:
            self.beside = (first,)
            self.changed.emit()

    def _on_both(self, reading: OpenStudy, both: BothReads) -> None:
        if reading is not self._study.reading:
            return
        self.both, self.beside = both, (both.first, both.second)
        untouched = not reading.history.can_undo and not reading.history.can_redo
        if self._study.can_change and untouched and not any(one.saved for one in reading.frames.values()):
            self._take_over(reading, both)
        self.changed.emit()

    def _take_over(self, reading: OpenStudy, both: BothReads) -> None:
        """What both reads agree on, and what is no matter of reading, is there from the start."""
        for key, value in patient_facts(both).items():
            reading.set_fact(key, value, "copy patient data from the reads")
        ed, es = (one if one == other else None for one, other in zip(both.first.marks, both.second.marks, strict=True))
        reading.mark_phases(ed, es)
        self._study.carry_out()
        frames = agreed(both)
        if frames:
            self._study.put_labels(*taken(frames, BOTH_READS, "copy frames that both reads agree on"))
            self._study.accept_frames(list(frames), "accept frames that both reads agree on")


def _finish(saved: SavedStudies, read: Read, shown: dict[FrameIndex, Prediction]) -> Read:
    """Save what is shown as it is, whatever models come later, and finish. For the store thread."""
    saved.annotations.save(read.stack_id, Work(shown=shown), read_id=read.id)
    return saved.reads.finish(read.id)
