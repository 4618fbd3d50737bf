"""What can be undone and redone in a study, also after a restart.

Steps are added when they are done (`undo_steps`, with their parts in `undo_changes`), and each way that the reader goes
is added too (`undo_moves`): do, undo, redo, leave a step that does not fit, or set both lines after frames came from
another stack. The lines of what is done and of what is undone follow from the moves; nothing is changed or deleted.
"""

import json
from collections.abc import Mapping, Sequence
from heapq import merge
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from cmr_viewer.domain.annotation import Prediction
from cmr_viewer.domain.change import Change, ChangeKind, Move, UndoLines, Verb, prediction_digest
from cmr_viewer.domain.label_codec import encode_label_map
from cmr_viewer.domain.opening import StackChange
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, Writing
from cmr_viewer.store.predictions import prediction_of
from cmr_viewer.store.study_facts import follows
from cmr_viewer.store.tables import (
    READ_COLUMN,
    frame_of,
    in_read,
    undo_changes,
    undo_moves,
    undo_predictions,
    undo_steps,
)

_AT_ONCE = 500
"""Ids in one statement; SQLite takes 999 at least."""


def write_moves(writing: Writing, moves: Sequence[Move]) -> None:
    """Add changes and moves over them, with their events.

    A move over a change that could not be saved when it was made, as on a full disk, is not saved either.

    Raises:
        StoreError: The study or a frame is not known, or a change cannot be saved.
    """
    s = undo_steps
    for move in moves:
        verb, change, more = move.verb, move.change, {}
        if verb is Verb.DO:
            step_id: int | None = _add_change(writing, change)
            more = {"frames": len(change.frames)} if change.frames else {}
        else:
            known = select(s.c.id).where(s.c.stack_id == writing.stack_id, s.c.key == change.key)
            step_id = writing.connection.execute(known).scalar_one_or_none()
            if step_id is None:
                continue
        _add_move(writing, verb, step_id)
        detail = {"step": step_id, "text": change.text, "kind": str(change.kind), **more}
        writing.event(_event(verb, change.kind), detail, frame=change.frame)


def _event(verb: Verb, kind: ChangeKind) -> What:
    if verb is Verb.DO:
        return What.OFFER_TAKEN if kind in (ChangeKind.PROPOSAL, ChangeKind.OFFER) else What.CHANGED
    return {Verb.UNDO: What.UNDONE, Verb.REDO: What.REDONE}.get(verb, What.STEP_LEFT)


def _add_change(writing: Writing, change: Change) -> int:
    writing.check_frames(change.frames)
    step_id = writing.add(undo_steps, {"key": change.key, "kind": str(change.kind), "text": change.text})
    p, connection = undo_predictions, writing.connection
    for (frame, digest), base in change.bases.items():  # those of the models are replaced when a model predicts again
        key = {"stack_id": writing.stack_id, **frame._asdict(), "digest": digest}
        if connection.execute(select(p.c.id).filter_by(**key)).first() is None:
            values = {"model_id": base.model_id, "region": str(base.region), "reason": base.reason}
            connection.execute(insert(p).values(**key, **values, labels=encode_label_map(base.labels)))
    rows = [{"step_id": step_id, "place": place, **row} for place, row in enumerate(change.rows())]
    connection.execute(insert(undo_changes), rows)
    return step_id


def _add_move(writing: Writing, verb: Verb, step_id: int | None, detail: Mapping[str, Any] | None = None) -> None:
    writing.add(undo_moves, {"verb": str(verb), "step_id": step_id, "detail": json.dumps(dict(detail or {}))})


def _ids(connection: Connection, stack_id: str, read_id: int | None) -> tuple[list[int], list[int]]:
    """Ids of the steps that can be undone and redone: those of `UndoLog.lines`."""
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
            elif step_id in here:  # changes after it were not saved
                there.extend(reversed(here[here.index(step_id) :]))
                del here[here.index(step_id) :]
    return done, undone


class UndoLog:
    """What can be undone in the studies of a workspace. Use from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def lines(
        self, stack_id: str, read_id: int | None = None, shown: Mapping[FrameIndex, Prediction] | None = None
    ) -> UndoLines:
        """What can be undone and redone in a study.

        Args:
            stack_id: The stack.
            read_id: The read; None for the first.
            shown: Predictions that will be shown; a change that starts from one of them gets that very one.

        Raises:
            StoreError: The database, or a change in it, is damaged.
        """
        with self._workspace.read() as connection:
            done, undone = _ids(connection, stack_id, read_id)
            changes = _changes(connection, stack_id, [*done, *undone], shown or {})
        return UndoLines(tuple(changes[one] for one in done), tuple(changes[one] for one in undone))


def _changes(
    connection: Connection, stack_id: str, ids: Sequence[int], shown: Mapping[FrameIndex, Prediction]
) -> dict[int, Change]:
    if not ids:
        return {}
    steps, parts, p = undo_steps, undo_changes, undo_predictions
    bases = {
        (frame_of(row), row["digest"]): prediction_of(row)
        for row in connection.execute(select(p).where(p.c.stack_id == stack_id)).mappings()
    }
    bases |= {(frame, prediction_digest(one)): one for frame, one in shown.items()}
    found: list[RowMapping] = []
    rows: dict[int, list[RowMapping]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        found += connection.execute(select(steps).where(steps.c.id.in_(some))).mappings()
        ordered = select(parts).where(parts.c.step_id.in_(some)).order_by(parts.c.step_id, parts.c.place)
        for row in connection.execute(ordered).mappings():
            rows.setdefault(row["step_id"], []).append(row)
    return {one["id"]: Change.from_rows(one["key"], one["kind"], one["text"], rows[one["id"]], bases) for one in found}


# -- stacks that are opened differently --------------------------------------------------------------------------------


def carry_undo_over(writing: Writing, way: StackChange, read_id: int | None) -> int:
    """Let the changes of a stack follow its frames to the one that is written.

    Changes that the other stack has already are not added again; of a change of several frames those parts follow whose
    frames do. Changes that the other stack alone has, on frames that the first has not, keep their place by time.

    Args:
        writing: The transaction, on the stack that takes the place of the first.
        way: From the one stack to the other.
        read_id: The read in the first stack.

    Returns:
        Number of changes that were added.
    """
    connection, start, end = writing.connection, way.from_stack_id, way.to_stack_id
    lines = _ids(connection, start, read_id)
    if not lines[0] and not lines[1]:
        return 0
    there = _ids(connection, end, writing.read_id)
    from_here, over_there = _keys(connection, start), _keys(connection, end)
    ids = {key: step_id for step_id, key in over_there.items()}
    carried = set(from_here.values())
    added = 0
    new: tuple[list[int], list[int]] = ([], [])
    for line, result in zip(lines, new, strict=True):
        for step_id in line:
            copy = ids.get(from_here[step_id])
            if copy is None:
                copy = _copy_change(writing, way, step_id)
                added += copy is not None
            if copy is not None:
                result.append(copy)
    own_done, own_undone = ([one for one in line if over_there[one] not in carried] for line in there)
    times = _times(connection, end)
    done = list(merge(own_done, new[0], key=times.__getitem__))
    undone = list(merge(own_undone[::-1], new[1][::-1], key=times.__getitem__))[::-1]
    if (done, undone) != there:
        _add_move(writing, Verb.SET, None, {"done": done, "undone": undone})
    return added


def _keys(connection: Connection, stack_id: str) -> dict[int, str]:
    s = undo_steps
    return {row.id: row.key for row in connection.execute(select(s.c.id, s.c.key).where(s.c.stack_id == stack_id))}


def _times(connection: Connection, stack_id: str) -> dict[int, str]:
    s = undo_steps
    rows = connection.execute(select(s.c.id, s.c.created_at).where(s.c.stack_id == stack_id))
    return {row.id: row.created_at for row in rows}


def _copy_change(writing: Writing, way: StackChange, step_id: int) -> int | None:
    """Copy a change as far as its frames go over; its new id, or None where none does."""
    s, c, connection = undo_steps, undo_changes, writing.connection
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
    values |= {"stack_id": writing.stack_id, READ_COLUMN: writing.read_id, "session_id": writing.workspace.session()}
    copy = int(connection.execute(insert(s).values(values).returning(s.c.id)).scalar_one())
    connection.execute(insert(c), [{**one, "step_id": copy, "place": place} for place, one in enumerate(parts)])
    return copy


def _copy_bases(connection: Connection, way: StackChange, change: RowMapping, slice_index: int) -> None:
    """Copy the predictions that a change starts from, those that the other stack has not yet."""
    p = undo_predictions
    for side in (change["before"], change["after"]):
        values = json.loads(side)
        digest = values.get("base") if isinstance(values, dict) else None
        if digest is None:
            continue
        key = {"phase": change["phase"], "digest": digest}
        here = select(p).filter_by(stack_id=way.to_stack_id, slice_index=slice_index, **key)
        if connection.execute(here).first() is None:
            old = select(p).filter_by(stack_id=way.from_stack_id, slice_index=change["slice_index"], **key)
            row = connection.execute(old).mappings().one()
            copied = {name: value for name, value in row.items() if name != "id"}
            connection.execute(insert(p).values({**copied, "stack_id": way.to_stack_id, "slice_index": slice_index}))
