"""Reads of the open study: a second one, blinded or not, and the adjudication of both."""

from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import QObject

from cmr_viewer.analyse import Flow
from cmr_viewer.app.session_edits import SessionEdits, changes
from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import Reading
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
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.reads import Read, ReadKind, ReadSummary

FIRST, SECOND = 0, 1
"""Which of two reads an adjudicator takes a frame from."""


class SessionReads(SessionEdits):
    """Begins, shows and finishes reads of the open study.

    A study is in one read at a time. All that is kept goes to it, and nothing of another is put back with it. The
    first read needs no beginning; the name of its reader is the workspace's.
    """

    def __init__(
        self, workspace: Workspace, registry: ModelRegistry, flow: Flow, device: str, parent: QObject | None
    ) -> None:
        super().__init__(workspace, registry, flow, device, parent)
        self._own_name = self._name = workspace.reader
        self._both: BothReads | None = None
        self._beside: tuple[SavedRead, ...] = ()

    # -- what the session below does -----------------------------------------------------------------------------------

    def _enter(self, read: Read | None) -> None:
        """Put the read on show away, and show another."""
        raise NotImplementedError

    def _accept(self, frames: Iterable[FrameIndex], text: str) -> None:
        """Accept frames as one step."""
        raise NotImplementedError

    # -- who reads -----------------------------------------------------------------------------------------------------

    def set_reader(self, name: str) -> None:
        """From now on, what is kept of first reads is kept as this reader's; an empty name changes nothing."""
        self._own_name = name.strip() or self._own_name
        if self._read is None:
            self._take_name(None)

    def _take_name(self, read: Read | None) -> None:
        """What is written from now on is the reader's of a read; what is queued still is the one's before."""
        name = self._own_name if read is None or read.is_finished else read.reader
        if name != self._name:
            self._name = name
            self.keeper.do("Changing the reader", partial(setattr, self.workspace, "reader", name), quiet=True)

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

    def begin_second_read(self, name: str, *, blinded: bool) -> bool:
        """Begin a second read of the open study, from what the models say of it, and show it.

        Args:
            name: Who reads.
            blinded: Whether nothing of the first read is to be seen until it is finished.

        Returns:
            Whether it is begun; else a message says why not.
        """
        self._open()
        why_not = self.why_not_second_reader(name)
        if not why_not and self.is_analysing:
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
        self._open()
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
        reading = self._open()
        reading.end_stroke()
        self._carry_out()

        def work() -> Read:
            before, self.workspace.reader = self.workspace.reader, name
            try:
                read = self.saved.reads.begin(reading.stack.stack_id, kind, blinded=blinded)
                if second_id is not None:
                    self.saved.facts.set(reading.stack.stack_id, SECOND_KEY, second_id, read.id)
            finally:
                self.workspace.reader = before
            return read

        self.keeper.do("Starting a read", work, on_done=partial(self._on_begun, reading))

    def _on_begun(self, reading: Reading, read: Read) -> None:
        if reading is self._reading:
            self._enter(read)

    def show_read(self, read_id: int | None) -> None:
        """Show another read of the open study; None for the first. It goes on where it was left."""
        self._open()
        wanted = {None if one.read is None else one.read.id: one.read for one in self._summaries}
        if read_id in wanted:
            self._enter(wanted[read_id])

    def lacking(self) -> tuple[FrameIndex, ...]:
        """Frames at ED and ES that are not accepted in the read on show, in the order of phase and slice."""
        reading = self._open()
        marked = {phase for phase in reading.ed_es() if phase is not None}
        frames = (frame for frame in reading.records if frame.phase in marked)
        return tuple(sorted(f for f in frames if reading.records[f].status is not ReviewStatus.ACCEPTED))

    @changes(None)
    def finish_read(self) -> None:
        """Finish the read on show, which is not the first; from then on nothing of it changes."""
        reading, read = self._open(), self._read
        if read is None:
            self.message.emit("info", "The first read does not need to be finished. Accept its frames instead.")
            return
        reading.end_stroke()
        self._carry_out()
        self._effort.keep()
        shown = {f: one.base for f, one in reading.records.items() if one.base is not None and not one.edited}
        work = partial(_finish, self.saved, read, shown)
        self.keeper.do("Finishing the read", work, on_done=partial(self._on_finished, reading))

    def _on_finished(self, reading: Reading, read: Read) -> None:
        if reading is self._reading:
            self._enter(read)

    def _refresh_reads(self) -> None:
        """Read what reads there are of the open study."""
        reading = self._reading
        if reading is not None:
            work = partial(self.saved.reads.summaries, reading.stack.stack_id)
            self.keeper.do("Loading the list of reads", work, on_done=partial(self._on_summaries, reading))

    def refresh_reads(self) -> None:
        """Ask anew what was done in each read; `reads_changed` tells."""
        self._effort.keep()
        self._refresh_reads()

    def _on_summaries(self, reading: Reading, summaries: tuple[ReadSummary, ...]) -> None:
        if reading is self._reading and summaries != self._summaries:
            self._summaries = summaries
            self.reads_changed.emit()

    # -- adjudication --------------------------------------------------------------------------------------------------

    @property
    def both(self) -> BothReads | None:
        """The two reads that are adjudicated, while that read is on show; None before they are read."""
        return self._both

    @property
    def beside(self) -> tuple[SavedRead, ...]:
        """Reads whose label maps may be shown beside the one on show: those adjudicated, or the first, unblinded."""
        return self._beside

    def left_to_adjudicate(self) -> tuple[FrameDifference, ...]:
        """Frames that the reads do not agree on and that are not accepted yet, most millilitres first."""
        both, reading = self._both, self._reading
        if both is None or reading is None:
            return ()
        open_ = {frame for frame, one in reading.records.items() if one.status is not ReviewStatus.ACCEPTED}
        return tuple(one for one in both.comparison.disagreements() if one.frame in open_)

    @changes(False)
    def take_from(self, which: int, frame: FrameIndex) -> bool:
        """Take a frame from one of the reads that are adjudicated, and accept it.

        Args:
            which: FIRST or SECOND.
            frame: The frame.

        Returns:
            Whether that read has a label map of it.
        """
        both = self._both
        if both is None:
            return False
        kept = (both.first, both.second)[which]
        name = f"the {kept.name[:1].lower()}{kept.name[1:]}"
        labels, source = taken({frame: kept.frames[frame]}, name, f"use {name}")
        if not labels:
            self.message.emit("info", f"This frame has no label map in {name}.")
            return False
        self.put_labels(labels, source)
        self._accept([frame], "accept")
        return True

    def _read_beside(self) -> None:
        """The read on show has been put back: read what is shown beside it."""
        reading, read = self._reading, self._read
        self._both, self._beside = None, ()
        if reading is None or read is None:
            return
        second_id = reading.facts.get(SECOND_KEY)
        if read.kind is ReadKind.ADJUDICATION and isinstance(second_id, int):
            both = partial(both_reads, self.saved, reading.study, second_id)
            self.keeper.do("Loading both reads", both, on_done=partial(self._on_both, reading))
        elif not read.blinded and self.can_change:
            first = partial(first_read, self.saved, reading.study)
            self.keeper.do("Loading the first read", first, on_done=partial(self._on_first, reading))

    def _on_first(self, reading: Reading, first: SavedRead) -> None:
        if reading is self._reading:
            self._beside = (first,)
            self.reads_changed.emit()

    def _on_both(self, reading: Reading, both: BothReads) -> None:
        if reading is not self._reading:
            return
        self._both, self._beside = both, (both.first, both.second)
        untouched = not reading.history.can_undo and not reading.history.can_redo
        if self.can_change and untouched and not any(one.kept for one in reading.records.values()):
            self._take_over(reading, both)
        self.reads_changed.emit()

    def _take_over(self, reading: Reading, both: BothReads) -> None:
        """What both reads agree on, and what is no matter of reading, is there from the start."""
        for key, value in patient_facts(both).items():
            reading.set_fact(key, value, "copy patient data from the reads")
        ed, es = (one if one == other else None for one, other in zip(both.first.marks, both.second.marks, strict=True))
        reading.mark_phases(ed, es)
        self._carry_out()
        frames = agreed(both)
        if frames:
            self.put_labels(*taken(frames, BOTH_READS, "copy frames that both reads agree on"))
            self._accept(list(frames), "accept frames that both reads agree on")


def _finish(saved: SavedStudies, read: Read, shown: dict[FrameIndex, Prediction]) -> Read:
    """Save what is shown as it is, whatever models come later, and finish. For the store thread."""
    saved.annotations.save(read.stack_id, Work(shown=shown), read_id=read.id)
    return saved.reads.finish(read.id)
