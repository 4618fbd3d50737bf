"""The worklist of the workspace: studies, those that wait, and what readers have noted beside them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cached_property, partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from cmr_viewer.app.session import Session
from cmr_viewer.file_names import readable
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.store.study_facts import StudyFacts
from cmr_viewer.store.worklist import FAILED_CHECKS_KEY, FLAG_KEY, StudyMarks, WorklistMarks

NO_MARKS = StudyMarks()


class ReviewProgress(Enum):
    """How far the review of a study is, in the order of work."""

    WAITING = "Waiting"
    BEGUN = "Started"
    ACCEPTED = "Accepted"
    FINISHED = "Finished"


@dataclass(frozen=True)
class WorklistEntry:
    """A study of the worklist.

    Attributes:
        name: Pseudonym or file name.
        source: Where it is opened from.
        stack_id: Its stack; empty where it was not opened yet.
        phases: Phases of the stack; 0 where it was not opened yet.
        slices: Slices, likewise.
        accepted: Accepted frames.
        drafts: Frames begun and not accepted.
        opened_at: When it was last opened; None where it was not yet.
        marks: Its marks.
        older: Whether it shows unreviewed label maps of models that are no longer in use.
    """

    name: str
    source: Path
    stack_id: str = ""
    phases: int = 0
    slices: int = 0
    accepted: int = 0
    drafts: int = 0
    opened_at: datetime | None = None
    marks: StudyMarks = NO_MARKS
    older: bool = False

    @cached_property
    def key(self) -> str:
        """What distinguishes it from all others."""
        return self.stack_id or str(self.source)

    @cached_property
    def frames(self) -> int:
        """Frames of the stack."""
        return self.phases * self.slices

    @cached_property
    def progress(self) -> ReviewProgress:
        """How far its review is."""
        if not self.stack_id:
            return ReviewProgress.WAITING
        if self.frames and self.accepted == self.frames:
            return ReviewProgress.FINISHED
        return ReviewProgress.ACCEPTED if self.accepted else ReviewProgress.BEGUN

    @cached_property
    def status(self) -> str:
        """How far its review is, in words."""
        progress = self.progress
        text = f"Accepted {self.accepted}/{self.frames}" if progress is ReviewProgress.ACCEPTED else progress.value
        return f"{text}, {self.drafts} draft{'s' if self.drafts > 1 else ''}" if self.drafts else text

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """Its flags, in words; a reader's own first."""
        marks = self.marks
        flags = [marks.flag] if marks.flag else []
        if marks.failed_checks:
            flags.append("1 check failed" if marks.failed_checks == 1 else f"{marks.failed_checks} checks failed")
        if marks.reopened:
            flags.append("reopened")
        if marks.imported:
            flags.append("imported")
        if self.older:
            flags.append("older models")
        if marks.renewed:
            frames = "1 new label map" if marks.renewed == 1 else f"{marks.renewed} new label maps"
            flags.append(frames)
        return tuple(flags)

    @property
    def is_unread(self) -> bool:
        """Whether no one has saved anything of it."""
        return not self.accepted and not self.drafts


def entry_of(row: StudyRow, marks: StudyMarks, *, older: bool = False) -> WorklistEntry:
    """A study that was opened, with its marks."""
    return WorklistEntry(
        row.name,
        Path(row.source),
        row.stack_id,
        row.phases,
        row.slices,
        row.accepted,
        row.drafts,
        row.opened_at,
        marks,
        older,
    )


def waiting_names(waiting: Sequence[Path]) -> list[str]:
    """What studies that wait are called: by their file or folder, and by the one above it where names are the same."""
    count = Counter(path.name for path in waiting)
    return [readable(path.name if count[path.name] == 1 else f"{path.parent.name}/{path.name}") for path in waiting]


def entries_of(
    studies: Sequence[StudyRow],
    waiting: Sequence[Path],
    marks: Mapping[str, StudyMarks],
    older: Collection[str] = (),
) -> tuple[WorklistEntry, ...]:
    """Studies that wait, and behind them those that were opened, in the order that they come in.

    Args:
        studies: Studies of the workspace.
        waiting: Files and folders that wait to be opened for the first time.
        marks: Marks of studies, by stack.
        older: Stacks that show label maps of models that are no longer in use.
    """
    fresh = tuple(WorklistEntry(name, path) for name, path in zip(waiting_names(waiting), waiting, strict=True))
    return fresh + tuple(
        entry_of(row, marks.get(row.stack_id, NO_MARKS), older=row.stack_id in older) for row in studies
    )


class Worklist(QObject):
    """Keeps the entries up to date while someone looks at them; reads and writes on the store thread.

    Args:
        session: The workspace and its studies.
        parent: Qt parent.

    Signals:
        changed(): `entries` is new.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._stored = WorklistMarks(session.workspace)
        self._facts = StudyFacts(session.workspace)
        self._marks: Mapping[str, StudyMarks] = {}
        self._entries: tuple[WorklistEntry, ...] = ()
        self._looked_at = False
        self._noted: dict[str, int] = {}
        self._reading, self._stale = False, False

    @property
    def entries(self) -> tuple[WorklistEntry, ...]:
        """Studies that wait, and behind them those that were opened, the last opened first; as they were read last."""
        return self._entries

    @property
    def looked_at(self) -> bool:
        """Whether someone looks at the entries, which keeps them up to date."""
        return self._looked_at

    def entries_now(self) -> tuple[WorklistEntry, ...]:
        """As `entries`, also where no one has looked at them: by what the session knows, with the marks read last."""
        return entries_of(
            self._session.worklist.studies,
            self._session.worklist.waiting,
            _without(self._marks, self._unseen()),
            self._session.renewal.older,
        )

    def look(self, on: bool) -> None:
        """Set whether someone looks at the entries; while no one does, nothing is read."""
        self._looked_at = on
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Studies of the session or something of them has changed."""
        if not self._looked_at:
            return
        if self._reading:
            self._stale = True  # what changes while it is read is read once more, however often it changes
        else:
            self._read()

    def flag(self, stack_id: str, word: str) -> None:
        """Put a word beside a study; an empty one takes it away."""
        word = " ".join(word.split())
        work = partial(self._facts.set, stack_id, FLAG_KEY, word or None)
        self._session.saving.do("Saving a flag", work, on_done=self._on_written)

    def note_failed_checks(self, stack_id: str, count: int) -> None:
        """Keep how many checks of a study fail now, where that is not known already."""
        known = self._noted.get(stack_id, self._marks.get(stack_id, NO_MARKS).failed_checks)
        if known == count or self._session.study.read is not None:  # the worklist is about first reads
            return
        self._noted[stack_id] = count
        work = partial(self._facts.set, stack_id, FAILED_CHECKS_KEY, count)
        self._session.saving.do("Saving failed checks", work, on_done=self._on_written)

    def _on_written(self, _nothing: object) -> None:
        self.refresh()

    def _read(self) -> None:
        self._reading, self._stale = True, False
        studies, waiting, unseen = self._session.worklist.studies, self._session.worklist.waiting, self._unseen()
        older = self._session.renewal.older

        def read() -> tuple[Mapping[str, StudyMarks], tuple[WorklistEntry, ...]]:
            marks = self._stored.all()
            return marks, entries_of(studies, waiting, _without(marks, unseen), older)

        self._session.saving.do("Reading the worklist", read, on_done=self._on_read, on_failed=self._on_not_read)

    def _on_read(self, found: tuple[Mapping[str, StudyMarks], tuple[WorklistEntry, ...]]) -> None:
        self._reading = False
        self._marks, self._entries = found
        self.changed.emit()
        if self._stale:
            self.refresh()

    def _on_not_read(self, _message: str) -> None:
        self._reading = False

    def _unseen(self) -> str:
        """The stack whose marks are hidden, because it is read blinded; empty for none."""
        stack = self._session.study.stack
        return stack.stack_id if stack is not None and self._session.study.is_blinded else ""


def _without(marks: Mapping[str, StudyMarks], stack_id: str) -> Mapping[str, StudyMarks]:
    return {stack: one for stack, one in marks.items() if stack != stack_id} if stack_id in marks else marks
