"""What can be undone and redone in a study, also after a restart.

Steps are added when they are done (`undo_steps`, with their parts in `undo_changes`), and each way that the reader goes
is added too (`undo_moves`): do, undo, redo, leave a step that does not fit, or set both lines after frames came from
another stack. The lines of what is done and of what is undone follow from the moves; nothing is changed or deleted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import merge
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, write_event
from cmr_viewer.store.frames import check_frames, in_read
from cmr_viewer.store.study_facts import follows
from cmr_viewer.store.tables import READ_COLUMN, now_text, undo_changes, undo_moves, undo_predictions, undo_steps
from cmr_viewer.store.undo_steps import KeptStep, StepKind, add_parts, part_of, read_bases

_AT_ONCE = 500
"""Ids in one statement; SQLite takes 999 at least."""


class Verb(StrEnum):
    """A way that a reader goes."""

    DO = "do"
    UNDO = "undo"
    REDO = "redo"
    LEAVE = "leave"
    SET = "set"


@dataclass(frozen=True, eq=False)
class Move:
    """One way that the reader went.

    Attributes:
        verb: Which; not SET.
        key: The step.
        step: The step itself where it was done now; else None.
    """

    verb: Verb
    key: str
    step: KeptStep | None = None


@dataclass(frozen=True, eq=False)
class KeptHistory:
    """What can be undone and redone.

    Attributes:
        done: Steps that can be undone, the first first.
        undone: Steps that can be redone, the next to be redone last.
    """

    done: tuple[KeptStep, ...] = ()
    undone: tuple[KeptStep, ...] = ()


def write_moves(
    connection: Connection, workspace: Workspace, stack_id: str, moves: Sequence[Move], read_id: int | None = None
) -> None:
    """Add steps and moves, with their events, to an open transaction.

    A move over a step that could not be saved when it was done, as on a full disk, is not saved either.

    Raises:
        StoreError: The study or a frame is not known, or a step cannot be saved.
    """
    for move in moves:
        if move.step is not None:
            check_frames(connection, stack_id, move.step.frames)
            step_id = _add_step(connection, workspace, stack_id, move.step, read_id)
            text, kind, frames = move.step.text, move.step.kind, move.step.frames
        else:
            known = connection.execute(
                select(undo_steps.c.id, undo_steps.c.text, undo_steps.c.kind).where(
                    undo_steps.c.stack_id == stack_id, undo_steps.c.key == move.key
                )
            ).first()
            if known is None:
                continue
            step_id, text, kind, frames = known.id, known.text, StepKind(known.kind), ()
        _add_move(connection, workspace, stack_id, move.verb, step_id, read_id)
        write_event(
            connection,
            workspace,
            _event(move.verb, kind),
            stack_id=stack_id,
            frame=frames[0] if frames else _first_frame(connection, step_id),
            detail={"step": step_id, "text": text, "kind": str(kind), **({"frames": len(frames)} if frames else {})},
            read_id=read_id,
        )


def _event(verb: Verb, kind: StepKind) -> What:
    if verb is Verb.DO:
        return What.OFFER_TAKEN if kind in (StepKind.PROPOSAL, StepKind.OFFER) else What.CHANGED
    return {Verb.UNDO: What.UNDONE, Verb.REDO: What.REDONE}.get(verb, What.STEP_LEFT)


def _first_frame(connection: Connection, step_id: int) -> FrameIndex | None:
    c = undo_changes
    row = connection.execute(
        select(c.c.phase, c.c.slice_index).where(c.c.step_id == step_id).order_by(c.c.place).limit(1)
    ).first()
    return None if row is None or row.phase is None else FrameIndex(row.phase, row.slice_index)


def _add_step(connection: Connection, workspace: Workspace, stack_id: str, step: KeptStep, read_id: int | None) -> int:
    values = {
        "key": step.key,
        "stack_id": stack_id,
        READ_COLUMN: read_id,
        "kind": str(step.kind),
        "text": step.text,
        **_kept_by(workspace),
    }
    step_id = int(connection.execute(insert(undo_steps).values(values).returning(undo_steps.c.id)).scalar_one())
    add_parts(connection, stack_id, step_id, step.parts)
    return step_id


def _add_move(
    connection: Connection,
    workspace: Workspace,
    stack_id: str,
    verb: Verb,
    step_id: int | None,
    read_id: int | None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    values = {"stack_id": stack_id, READ_COLUMN: read_id, "verb": str(verb), "step_id": step_id}
    text = json.dumps(dict(detail or {}))
    connection.execute(insert(undo_moves).values({**values, "detail": text, **_kept_by(workspace)}))


def _kept_by(workspace: Workspace) -> dict[str, Any]:
    return {"reader": workspace.reader, "created_at": now_text(), "session_id": workspace.session()}


def lines_of(connection: Connection, stack_id: str, read_id: int | None) -> tuple[list[int], list[int]]:
    """Ids of the steps that can be undone and redone: those of `KeptHistory`."""
    m = undo_moves
    statement = select(m.c.verb, m.c.step_id, m.c.detail).where(m.c.stack_id == stack_id, in_read(m, read_id))
    done: list[int] = []
    undone: list[int] = []
    for verb, step_id, detail in connection.execute(statement.order_by(m.c.id)):
        if verb == Verb.SET:
            lines = json.loads(detail)
            done, undone = list(lines["done"]), list(lines["undone"])
        elif verb == Verb.DO:
            done.append(step_id)
            undone.clear()
        elif verb == Verb.LEAVE:
            done, undone = ([one for one in line if one != step_id] for line in (done, undone))
        else:
            here, there = (done, undone) if verb == Verb.UNDO else (undone, done)
            if step_id in here[-1:]:
                there.append(here.pop())
            elif step_id in here:  # steps above it were not kept
                there.extend(reversed(here[here.index(step_id) :]))
                del here[here.index(step_id) :]
    return done, undone


class UndoLog:
    """What can be undone in the studies of a workspace. Use from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def write(self, stack_id: str, moves: Sequence[Move], read_id: int | None = None) -> None:
        """Keep steps and moves by themselves; `AnnotationStore.save_work` keeps them with what they changed.

        Raises:
            StoreError: As `write_moves`, or they cannot be written; then none of them is.
        """
        with self._workspace.write() as connection:
            write_moves(connection, self._workspace, stack_id, moves, read_id)

    def history(self, stack_id: str, read_id: int | None = None) -> KeptHistory:
        """What can be undone and redone of a study.

        Raises:
            StoreError: The database, or a step in it, is damaged.
        """
        with self._workspace.read() as connection:
            done, undone = lines_of(connection, stack_id, read_id)
            steps = _steps(connection, stack_id, [*done, *undone])
        return KeptHistory(tuple(steps[one] for one in done), tuple(steps[one] for one in undone))


def _steps(connection: Connection, stack_id: str, ids: Sequence[int]) -> dict[int, KeptStep]:
    if not ids:
        return {}
    bases = read_bases(connection, stack_id)
    steps, changes = undo_steps, undo_changes
    parts: dict[int, list[RowMapping]] = {}
    found: dict[int, RowMapping] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        for row in connection.execute(select(steps).where(steps.c.id.in_(some))).mappings():
            found[row["id"]] = row
        ordered = select(changes).where(changes.c.step_id.in_(some)).order_by(changes.c.step_id, changes.c.place)
        for row in connection.execute(ordered).mappings():
            parts.setdefault(row["step_id"], []).append(row)
    return {
        step_id: KeptStep(
            row["key"], StepKind(row["kind"]), row["text"], tuple(part_of(one, bases) for one in parts[step_id])
        )
        for step_id, row in found.items()
    }


# -- stacks that are opened differently --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Way:
    """From one stack to another, of one read.

    Attributes:
        start: The stack that was open.
        end: The one that takes its place.
        slices: Per slice of the first: the slice of the second, or None.
        start_read: The read in the first; None for the first read.
        end_read: The same read in the second.
    """

    start: str
    end: str
    slices: tuple[int | None, ...]
    start_read: int | None = None
    end_read: int | None = None

    @property
    def same_slices(self) -> bool:
        """Whether slices keep their numbers."""
        return all(there in (None, here) for here, there in enumerate(self.slices))

    def target(self, slice_index: int) -> int | None:
        """Where a slice went."""
        return self.slices[slice_index] if 0 <= slice_index < len(self.slices) else None


def carry_undo_over(connection: Connection, workspace: Workspace, way: Way) -> int:
    """Let the steps of a stack follow its frames to another, within an open transaction.

    Steps that the other stack has already are not added again; of a step over several frames those parts follow whose
    frames do. Steps that the other stack alone has, on frames that the first has not, keep their place by time.

    Returns:
        Number of steps that were added.
    """
    lines = lines_of(connection, way.start, way.start_read)
    if not lines[0] and not lines[1]:
        return 0
    there = lines_of(connection, way.end, way.end_read)
    from_here, over_there = _keys(connection, way.start), _keys(connection, way.end)
    ids = {key: step_id for step_id, key in over_there.items()}
    carried = set(from_here.values())
    added = 0
    new: tuple[list[int], list[int]] = ([], [])
    for line, result in zip(lines, new, strict=True):
        for step_id in line:
            copy = ids.get(from_here[step_id])
            if copy is None:
                copy = _copy_step(connection, workspace, way, step_id)
                added += copy is not None
            if copy is not None:
                result.append(copy)
    own_done, own_undone = ([one for one in line if over_there[one] not in carried] for line in there)
    times = _times(connection, way.end)
    done = list(merge(own_done, new[0], key=times.__getitem__))
    undone = list(merge(own_undone[::-1], new[1][::-1], key=times.__getitem__))[::-1]
    if (done, undone) != there:
        detail = {"done": done, "undone": undone}
        _add_move(connection, workspace, way.end, Verb.SET, None, way.end_read, detail)
    return added


def _keys(connection: Connection, stack_id: str) -> dict[int, str]:
    s = undo_steps
    return {row.id: row.key for row in connection.execute(select(s.c.id, s.c.key).where(s.c.stack_id == stack_id))}


def _times(connection: Connection, stack_id: str) -> dict[int, str]:
    s = undo_steps
    rows = connection.execute(select(s.c.id, s.c.created_at).where(s.c.stack_id == stack_id))
    return {row.id: row.created_at for row in rows}


def _copy_step(connection: Connection, workspace: Workspace, way: Way, step_id: int) -> int | None:
    """Copy a step as far as its frames go over; its new id, or None where none does."""
    s, c = undo_steps, undo_changes
    parts = []
    for row in connection.execute(select(c).where(c.c.step_id == step_id).order_by(c.c.place)).mappings():
        values = {name: value for name, value in row.items() if name != "id"}
        if row["slice_index"] is not None:
            there = way.target(row["slice_index"])
            if there is None:
                continue
            values["slice_index"] = there
            _copy_bases(connection, way, row, there)
        elif row["kind"] == "fact" and not follows(json.loads(row["after"])["key"], same_slices=way.same_slices):
            continue  # it names slices that are others there
        parts.append(values)
    if not parts:
        return None
    row = connection.execute(select(s).where(s.c.id == step_id)).mappings().one()
    values = {name: value for name, value in row.items() if name != "id"}
    values |= {"stack_id": way.end, READ_COLUMN: way.end_read, "session_id": workspace.session()}
    copy = int(connection.execute(insert(s).values(values).returning(s.c.id)).scalar_one())
    connection.execute(insert(c), [{**one, "step_id": copy, "place": place} for place, one in enumerate(parts)])
    return copy


def _copy_bases(connection: Connection, way: Way, change: RowMapping, slice_index: int) -> None:
    """Copy the predictions that a change starts from, those that the other stack has not yet."""
    p = undo_predictions
    for side in (change["before"], change["after"]):
        values = json.loads(side)
        digest = values.get("base") if isinstance(values, dict) else None
        if digest is None:
            continue
        key = {"phase": change["phase"], "digest": digest}
        here = select(p).filter_by(stack_id=way.end, slice_index=slice_index, **key)
        if connection.execute(here).first() is None:
            old = select(p).filter_by(stack_id=way.start, slice_index=change["slice_index"], **key)
            row = connection.execute(old).mappings().one()
            copied = {name: value for name, value in row.items() if name != "id"}
            connection.execute(insert(p).values({**copied, "stack_id": way.end, "slice_index": slice_index}))
