"""How studies are opened: what readers decided, and stacks that are opened differently from then on.

The decisions are rows that are added and never changed: the last one of a source holds. Each names the stack that it
led to, so that a stack of the worklist is opened again as it was, also where the same files hold several.

Its pixels in their order and their spacing identify a stack, so a stack that is reversed or corrected is another one.
Readers' work on its frames is added to the new stack and stays in the old one. Where a stack was replaced by another,
its slices in the new one no longer count for it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Table, and_, func, insert, select

from cmr_viewer.domain.opening import Opening, SliceMap, StackChange, opening_from_json
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, Writing, write_event
from cmr_viewer.store.reads import carry_reads_over
from cmr_viewer.store.study_facts import carry_facts_over
from cmr_viewer.store.tables import in_read, is_frame, latest_rows
from cmr_viewer.store.undo_log import carry_undo_over

ReadPair = tuple[int | None, int | None]
"""A read in the stack that was open, and the same read in the one that takes its place; None for the first read."""


class OpeningStore:
    """Decisions about opening, of one workspace.

    Every call is a transaction of its own, from any thread, and raises StoreError where the workspace cannot be read or
    written.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def save(self, source: str, stack_id: str, opening: Opening) -> None:
        """Save how a source was opened; nothing is added where it is what holds already.

        Args:
            source: File or folder, as an absolute path.
            stack_id: The stack that this led to, known by `AnnotationStore.save_study`.
            opening: What was decided.

        Raises:
            StoreError: It cannot be written, or the stack is not known.
        """
        o, workspace = tables.openings, self._workspace
        values = opening.as_json()
        last = select(o.c.stack_id, o.c.decided).where(o.c.source == source).order_by(o.c.id.desc()).limit(1)
        with workspace.write() as connection:
            row = connection.execute(last).first()
            if row is not None and row.stack_id == stack_id and opening_from_json(json.loads(row.decided)) == opening:
                return
            connection.execute(
                insert(o).values(
                    source=source,
                    stack_id=stack_id,
                    decided=json.dumps(values, sort_keys=True),
                    **workspace.stamp(),
                )
            )
            write_event(connection, workspace, What.OPENING_DECIDED, stack_id=stack_id, detail=values)

    def last(self, source: str, stack_id: str | None = None) -> Opening | None:
        """What was decided last about a source.

        Args:
            source: File or folder, as an absolute path.
            stack_id: Only of decisions that led to this stack; None for all.

        Returns:
            The decision, or None where nothing was decided.
        """
        o = tables.openings
        wanted = [o.c.source == source] if stack_id is None else [o.c.source == source, o.c.stack_id == stack_id]
        return self._first(select(o.c.decided).where(*wanted).order_by(o.c.id.desc()).limit(1))

    def of_stack(self, stack_id: str) -> Opening | None:
        """What was decided last to come to a stack, wherever its files lay; None where nothing was."""
        o = tables.openings
        return self._first(select(o.c.decided).where(o.c.stack_id == stack_id).order_by(o.c.id.desc()).limit(1))

    def _first(self, statement: Select[Any]) -> Opening | None:
        with self._workspace.read() as connection:
            decided = connection.execute(statement).scalar_one_or_none()
        return None if decided is None else opening_from_json(json.loads(decided))


class StackChangeStore:
    """Changes of stacks in one workspace.

    Every call is a transaction of its own, from any thread, and raises StoreError where the workspace cannot be read or
    written.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def carry_over(self, change: StackChange, *, pixel_spacing_mm: tuple[float, float]) -> int:
        """Add to a stack what readers made of the same frames in another, where that is the newer.

        Annotations keep their reader, time, provenance and review status; regions, ED and ES, what can be undone, and
        facts that hold for the new stack follow too. Predictions do not: they depend on order and spacing, and are made
        anew. Effort stays where it was spent.

        Args:
            change: Both stacks, known by `AnnotationStore.save_study`.
            pixel_spacing_mm: (row, col) of the new stack, that its accepted frames are prepared with.

        Returns:
            Number of annotations that were added.
        """
        workspace = self._workspace
        with workspace.write() as connection:
            row_mm, col_mm = pixel_spacing_mm
            spacing = {"row_spacing_mm": row_mm, "col_spacing_mm": col_mm}
            _add_missing(connection, tables.frame_pixels, change, spacing)
            reads = carry_reads_over(connection, workspace, change.from_stack_id, change.to_stack_id)
            annotations = regions = steps = 0
            for here, there in reads.items():
                both = (here, there)
                annotations += _add_newer(connection, workspace, tables.annotations, "version", change, both)
                regions += _add_newer(connection, workspace, tables.regions, "id", change, both)
                _add_newer_marks(connection, workspace, change, both)
                steps += carry_undo_over(Writing(connection, workspace, change.to_stack_id, there), change, here)
            carry_facts_over(
                connection,
                workspace,
                change.from_stack_id,
                change.to_stack_id,
                same_slices=change.same_slices,
                reads=reads,
            )
            connection.execute(
                insert(tables.stack_changes).values(
                    from_stack_id=change.from_stack_id,
                    to_stack_id=change.to_stack_id,
                    slices=json.dumps(change.slices),
                    **workspace.stamp(),
                )
            )
            detail = {"from": change.from_stack_id, "slices": change.slices, "annotations": annotations}
            write_event(
                connection,
                workspace,
                What.STACK_CHANGED,
                stack_id=change.to_stack_id,
                detail={**detail, "regions": regions, "steps": steps},
            )
        return annotations

    def successor(self, stack_id: str) -> StackChange | None:
        """The stack that a stack was left for, over all steps; None where it is in use."""
        with self._workspace.read() as connection:
            left = _left(connection)
        now: str = stack_id
        slices: SliceMap | None = None
        seen = {stack_id}
        while now in left:
            change = left[now]
            slices = (
                change.slices
                if slices is None
                else tuple(None if there is None else change.target(there) for there in slices)
            )
            now = change.to_stack_id
            if now in seen:
                return None
            seen.add(now)
        return None if slices is None else StackChange(stack_id, now, slices)


def moved_slices(connection: Connection) -> dict[str, frozenset[int]]:
    """Slices that are no longer counted for a stack, because they went over to the one it was left for."""
    return {
        stack_id: frozenset(here for here, there in enumerate(change.slices) if there is not None)
        for stack_id, change in _left(connection).items()
    }


def _left(connection: Connection) -> dict[str, StackChange]:
    """The change by which each stack was left; a stack that was come back to since is in use."""
    c = tables.stack_changes
    left: dict[str, StackChange] = {}
    for row in connection.execute(select(c).order_by(c.c.id)).mappings():
        change = StackChange(row["from_stack_id"], row["to_stack_id"], tuple(json.loads(row["slices"])))
        left[change.from_stack_id] = change
        left.pop(change.to_stack_id, None)
    return left


def _target(change: StackChange, row: RowMapping) -> FrameIndex | None:
    there = change.target(row["slice_index"])
    return None if there is None else FrameIndex(row["phase"], there)


def _last_by_frame(
    connection: Connection, table: Table, by: str, stack_id: str, read_id: int | None
) -> Sequence[RowMapping]:
    return connection.execute(latest_rows(table, by, read_id).where(table.c.stack_id == stack_id)).mappings().all()


def _add_newer(
    connection: Connection, workspace: Workspace, table: Table, by: str, change: StackChange, reads: ReadPair
) -> int:
    """Add the last row of each frame where the new stack has none that is as new; how many.

    What was written later is newer, whatever the clock showed.
    """
    there = {
        FrameIndex(row["phase"], row["slice_index"]): row
        for row in _last_by_frame(connection, table, by, change.to_stack_id, reads[1])
    }
    added = 0
    for row in _last_by_frame(connection, table, by, change.from_stack_id, reads[0]):
        frame = _target(change, row)
        if frame is None or _holds(there.get(frame), row):
            continue
        other = {"slice_index": frame.slice_index, "session_id": workspace.session(), tables.READ_COLUMN: reads[1]}
        values = _copied(row, change.to_stack_id, other)
        if by == "version":
            last = select(func.max(table.c.version)).where(is_frame(table, change.to_stack_id, frame))
            values["version"] = (connection.execute(last).scalar_one() or 0) + 1
        connection.execute(insert(table).values(values))
        added += 1
    return added


def _add_missing(connection: Connection, table: Table, change: StackChange, other: Mapping[str, Any]) -> None:
    """Add the rows of frames that the new stack has none of."""
    c = table.c
    for row in connection.execute(select(table).where(c.stack_id == change.from_stack_id)).mappings().all():
        frame = _target(change, row)
        if frame is None:
            continue
        here = and_(c.stack_id == change.to_stack_id, c.phase == frame.phase, c.slice_index == frame.slice_index)
        if connection.execute(select(c.id).where(here)).first() is None:
            values = _copied(row, change.to_stack_id, {"slice_index": frame.slice_index, **other})
            connection.execute(insert(table).values(values))


def _add_newer_marks(connection: Connection, workspace: Workspace, change: StackChange, reads: ReadPair) -> None:
    """ED and ES are of all slices, and follow as they are."""
    m = tables.phase_marks
    here, there = (
        connection.execute(
            select(m).where(m.c.stack_id == stack_id, in_read(m, read_id)).order_by(m.c.id.desc()).limit(1)
        )
        .mappings()
        .first()
        for stack_id, read_id in ((change.from_stack_id, reads[0]), (change.to_stack_id, reads[1]))
    )
    if here is not None and not _holds(there, here):
        other = {"session_id": workspace.session(), tables.READ_COLUMN: reads[1]}
        connection.execute(insert(m).values(_copied(here, change.to_stack_id, other)))


_OF_A_STACK = frozenset({"id", "stack_id", "slice_index", "version", "session_id", tables.READ_COLUMN})


def _holds(there: RowMapping | None, here: RowMapping) -> bool:
    """Whether the row of the new stack is later than that of the old one, or either is a copy of the other."""
    if there is None:
        return False
    return there["id"] > here["id"] or all(there[name] == here[name] for name in here.keys() - _OF_A_STACK)


def _copied(row: RowMapping, stack_id: str, other: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in row.items() if name != "id"}
    return {**values, "stack_id": stack_id, **other}
