"""Readers' effort: active time and number of edits by frame, reader and session; rows are added and never changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import func, select

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import Writing
from cmr_viewer.store.tables import effort, in_read


@dataclass(frozen=True)
class Effort:
    """What a reader spent; adds up.

    Attributes:
        active_s: Time with the frame shown and the reader active, s.
        strokes: Brush strokes.
        edits: Other changes: tools, regions, proposals taken, marks, acceptances.
        undos: Steps taken back or made again.
    """

    active_s: float = 0.0
    strokes: int = 0
    edits: int = 0
    undos: int = 0

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(
            self.active_s + other.active_s,
            self.strokes + other.strokes,
            self.edits + other.edits,
            self.undos + other.undos,
        )

    def __bool__(self) -> bool:
        return self != Effort()


@dataclass(frozen=True)
class EffortRow:
    """What one reader spent on one frame in one session.

    Attributes:
        frame: The frame.
        reader: Who.
        session: Which session of the workspace, counting up.
        begun_at: When it was noted first, ISO 8601 UTC.
        effort: How much.
    """

    frame: FrameIndex
    reader: str
    session: int
    begun_at: str
    effort: Effort


def write_effort(writing: Writing, spent: Mapping[FrameIndex, Effort]) -> None:
    """Add what the reader spent since the last time, by frame.

    Raises:
        StoreError: The study or a frame is not known.
    """
    for frame, one in spent.items():
        if one:
            writing.check_frames([frame])
            writing.add(effort, {**frame._asdict(), **asdict(one)})


class EffortStore:
    """Effort in the studies of a workspace.

    Every call is a transaction of its own, from any thread, and raises StoreError where the workspace cannot be read or
    written.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def add(self, stack_id: str, spent: Mapping[FrameIndex, Effort], read_id: int | None = None) -> None:
        """Keep what the reader spent since the last time, by frame.

        Raises:
            StoreError: The study or a frame is not known, or it cannot be written.
        """
        with self._workspace.write() as connection:
            write_effort(Writing(connection, self._workspace, stack_id, read_id), spent)

    def rows(self, stack_id: str, read_id: int | None = None) -> tuple[EffortRow, ...]:
        """What was spent on a study, by frame, reader and session, in that order."""
        e = effort
        group = (e.c.phase, e.c.slice_index, e.c.reader, e.c.session_id)
        sums = (func.sum(e.c.active_s), func.sum(e.c.strokes), func.sum(e.c.edits), func.sum(e.c.undos))
        statement = (
            select(*group, func.min(e.c.created_at), *sums)
            .where(e.c.stack_id == stack_id, in_read(e, read_id))
            .group_by(*group)
            .order_by(*group)
        )
        with self._workspace.read() as connection:
            rows = connection.execute(statement).all()
        return tuple(
            EffortRow(FrameIndex(phase, at), reader, session, begun, Effort(float(active), strokes, edits, undos))
            for phase, at, reader, session, begun, active, strokes, edits, undos in rows
        )
