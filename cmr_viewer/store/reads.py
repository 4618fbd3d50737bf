"""Reads of a study: the first, a second one that may be blinded, and the adjudication of the two.

The first read needs no row: what is saved without a read belongs to it. Another read has its own annotations, regions,
ED and ES, undo, effort and facts. Neither sees anything of the other. Predictions and pixels belong to no reader and
are shared.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, write_event
from cmr_viewer.store.tables import (
    READ_COLUMN,
    annotations,
    check_frames,
    effort,
    events,
    in_read,
    latest_rows,
    now_text,
    reads,
    regions,
    undo_moves,
)


class ReadKind(StrEnum):
    """What a read is for."""

    FIRST = "first"
    SECOND = "second"
    ADJUDICATION = "adjudication"


@dataclass(frozen=True)
class Read:
    """A read of a study.

    Attributes:
        id: Counts up.
        stack_id: The stack.
        reader: Who reads.
        kind: What it is for.
        blinded: Whether the reader sees nothing of the other reads until it is finished.
        started_at: When it began.
        finished_at: When it was finished; None until then.
    """

    id: int
    stack_id: str
    reader: str
    kind: ReadKind
    blinded: bool
    started_at: datetime
    finished_at: datetime | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more can be added."""
        return self.finished_at is not None


@dataclass(frozen=True)
class ReadSummary:
    """A read, and what was done in it.

    Attributes:
        read: The read; None for the first.
        readers: Who has worked in it.
        edits: Changes, without those that were undone.
        active_s: Active time, s.
        accepted: Frames that are accepted.
    """

    read: Read | None
    readers: tuple[str, ...]
    edits: int
    active_s: float
    accepted: int


def check_read(connection: Connection, stack_id: str, read_id: int | None) -> None:
    """Raise unless a read is of this stack and is not finished; the first read, None, always is.

    Raises:
        StoreError: There is no such read of the stack, or it is finished.
    """
    if read_id is None:
        return
    r = reads
    row = connection.execute(select(r.c.stack_id, r.c.finished_at).where(r.c.id == read_id)).first()
    if row is None or row.stack_id != stack_id:
        raise StoreError(f"There is no read {read_id} of the stack {stack_id}. Start one first.")
    if row.finished_at is not None:
        raise StoreError(f"Read {read_id} is finished and can no longer be changed. Start another one.")


class ReadStore:
    """Reads of the studies of a workspace.

    Every call is a transaction of its own, from any thread, and raises StoreError where the workspace cannot be read or
    written.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def begin(self, stack_id: str, kind: ReadKind, *, blinded: bool) -> Read:
        """Begin a read of a study by the workspace's reader.

        Args:
            stack_id: The stack, known by `AnnotationStore.save_study`.
            kind: What it is for.
            blinded: Whether the reader is to see nothing of the other reads.

        Raises:
            StoreError: The study is not known, or it cannot be written.
        """
        workspace = self._workspace
        with workspace.write() as connection:
            check_frames(connection, stack_id, [FrameIndex(0, 0)])
            values = {
                "stack_id": stack_id,
                "reader": workspace.reader,
                "kind": str(kind),
                "blinded": int(blinded),
                "started_at": now_text(),
                "session_id": workspace.session(),
            }
            read_id = int(connection.execute(insert(reads).values(values).returning(reads.c.id)).scalar_one())
            detail = {"kind": str(kind), "blinded": blinded}
            write_event(connection, workspace, What.READ_STARTED, stack_id=stack_id, detail=detail, read_id=read_id)
        return self.read(read_id)

    def finish(self, read_id: int) -> Read:
        """Finish a read; from then on nothing is added to it.

        Raises:
            StoreError: There is no such read, it is finished already, or it cannot be written.
        """
        workspace = self._workspace
        with workspace.write() as connection:
            row = connection.execute(select(reads.c.stack_id).where(reads.c.id == read_id)).first()
            check_read(connection, "" if row is None else row.stack_id, read_id)
            connection.execute(update(reads).where(reads.c.id == read_id).values(finished_at=now_text()))
            stack_id = None if row is None else row.stack_id
            write_event(connection, workspace, What.READ_FINISHED, stack_id=stack_id, read_id=read_id)
        return self.read(read_id)

    def read(self, read_id: int) -> Read:
        """A read by its id.

        Raises:
            StoreError: There is none, or the workspace cannot be read.
        """
        with self._workspace.read() as connection:
            row = connection.execute(select(reads).where(reads.c.id == read_id)).mappings().first()
        if row is None:
            raise StoreError(f"There is no read {read_id} in this workspace.")
        return _read_of(row)

    def note_shown(self, stack_id: str, read_id: int | None) -> None:
        """Note in the log which read is shown from now on; None for the first.

        Raises:
            StoreError: The study is not known, or it cannot be written.
        """
        with self._workspace.write() as connection:
            check_frames(connection, stack_id, [FrameIndex(0, 0)])
            write_event(connection, self._workspace, What.READ_SHOWN, stack_id=stack_id, read_id=read_id)

    def to_open(self, stack_id: str) -> Read | None:
        """The read that a study is opened in; None for the first.

        That is the one that was shown last, as long as it is not finished, so that a blinded reader who comes back
        sees nothing of another read; else the result, where there is one.
        """
        known = {one.id: one for one in self.list(stack_id)}
        if not known:
            return None
        shown_ever = (events.c.stack_id == stack_id) & events.c.what.in_((str(What.READ_STARTED), str(What.READ_SHOWN)))
        with self._workspace.read() as connection:
            last = connection.execute(
                select(events.c[READ_COLUMN]).where(shown_ever).order_by(events.c.id.desc()).limit(1)
            ).first()
        shown = None if last is None else known.get(last[0])
        return shown if shown is not None and not shown.is_finished else self.result(stack_id)

    def result(self, stack_id: str) -> Read | None:
        """The read that counts: the last finished adjudication; None for the first read, where there is none."""
        done = [one for one in self.list(stack_id) if one.kind is ReadKind.ADJUDICATION and one.is_finished]
        return done[-1] if done else None

    def first_readers(self, stack_id: str) -> tuple[str, ...]:
        """Who has saved label maps or regions in the first read of a stack, in the order of the alphabet."""
        with self._workspace.read() as connection:
            return tuple(sorted(_readers(connection, stack_id, None)))

    def summaries(self, stack_id: str) -> tuple[ReadSummary, ...]:
        """All reads of a stack, the first first, with what was done in each."""
        others = [one for one in self.list(stack_id) if one.kind is not ReadKind.FIRST]
        with self._workspace.read() as connection:
            return tuple(_summary(connection, stack_id, one) for one in (None, *others))

    def list(self, stack_id: str) -> tuple[Read, ...]:
        """The reads of a stack that were begun, in their order; the first read is named only where it was begun."""
        statement = select(reads).where(reads.c.stack_id == stack_id).order_by(reads.c.id)
        with self._workspace.read() as connection:
            return tuple(_read_of(row) for row in connection.execute(statement).mappings())


def _readers(connection: Connection, stack_id: str, read_id: int | None) -> set[str]:
    names: set[str] = set()
    for table in (annotations, regions):
        mine = (table.c.stack_id == stack_id) & in_read(table, read_id)
        names.update(connection.execute(select(table.c.reader).where(mine).distinct()).scalars())
    return names


def _summary(connection: Connection, stack_id: str, read: Read | None) -> ReadSummary:
    read_id = None if read is None else read.id
    a, e, m = annotations, effort, undo_moves
    spent = (e.c.stack_id == stack_id) & in_read(e, read_id)
    names = _readers(connection, stack_id, read_id) | (set() if read is None else {read.reader})
    last = latest_rows(a, "version", read_id).where(a.c.stack_id == stack_id).subquery()
    accepted = select(func.count()).where(last.c.status == str(ReviewStatus.ACCEPTED))
    moves = (m.c.stack_id == stack_id) & in_read(m, read_id)
    counted = select(m.c.verb, func.count()).where(moves).group_by(m.c.verb)
    by_verb: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    edits = by_verb.get("do", 0) + by_verb.get("redo", 0) - by_verb.get("undo", 0)
    active_s = connection.execute(select(func.coalesce(func.sum(e.c.active_s), 0.0)).where(spent)).scalar_one()
    return ReadSummary(read, tuple(sorted(names)), edits, float(active_s), connection.execute(accepted).scalar_one())


def _read_of(row: RowMapping) -> Read:
    finished = row["finished_at"]
    return Read(
        id=row["id"],
        stack_id=row["stack_id"],
        reader=row["reader"],
        kind=ReadKind(row["kind"]),
        blinded=bool(row["blinded"]),
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=None if finished is None else datetime.fromisoformat(finished),
    )


def carry_reads_over(
    connection: Connection, workspace: Workspace, start: str, end: str
) -> dict[int | None, int | None]:
    """Let the reads of a stack go over to the one that takes its place, within an open transaction.

    Returns:
        The read of the second stack for each of the first; None, the first read, is None there.
    """
    same: dict[int | None, int | None] = {None: None}
    for row in connection.execute(select(reads).where(reads.c.stack_id == start)).mappings().all():
        key = {name: row[name] for name in ("reader", "kind", "blinded", "started_at")}
        there = connection.execute(select(reads.c.id, reads.c.finished_at).filter_by(stack_id=end, **key)).first()
        if there is None:
            values = {**key, "stack_id": end, "finished_at": row["finished_at"], "session_id": workspace.session()}
            same[row["id"]] = int(connection.execute(insert(reads).values(values).returning(reads.c.id)).scalar_one())
        else:
            same[row["id"]] = there.id
            if there.finished_at is None and row["finished_at"] is not None:
                finished = {"finished_at": row["finished_at"]}
                connection.execute(update(reads).where(reads.c.id == there.id).values(finished))
    return same
