"""What readers enter about a study besides label maps and regions, and settings of a project by reader.

Values are JSON and only ever added: the last one of a key holds. A key that begins with `PATIENT_PREFIX` or
`WORKLIST_PREFIX` is of the patient or the study and follows it however its stack is opened; others are of the stack,
and follow only where its slices keep their numbers.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, Writing
from cmr_viewer.store.tables import READ_COLUMN, in_read, reader_settings, study_facts

PATIENT_PREFIX = "patient."
"""How keys of facts about the patient begin, such as "patient.height_cm"."""

WORKLIST_PREFIX = "worklist."
"""How keys of what is shown beside a study in the worklist begin, such as "worklist.flag"."""


def follows(key: str, *, same_slices: bool) -> bool:
    """Whether a fact holds for a stack that is opened differently too.

    Args:
        key: Which fact.
        same_slices: Whether slices keep their numbers.
    """
    return same_slices or key.startswith((PATIENT_PREFIX, WORKLIST_PREFIX))


def write_fact(writing: Writing, key: str, value: Any) -> None:
    """Add a fact with its event; the event names the key and not the value.

    Raises:
        StoreError: The study is not known, or JSON cannot hold the value.
    """
    writing.check_frames([FrameIndex(0, 0)])
    writing.add(study_facts, {"key": key, "value": _json(key, value)})
    writing.event(What.FACT_SET, {"key": key})


class StudyFacts:
    """Facts about the studies of a workspace.

    Every call is a transaction of its own, from any thread, and raises StoreError where the workspace cannot be read or
    written.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def set(self, stack_id: str, key: str, value: Any, read_id: int | None = None) -> None:
        """Set a fact.

        Args:
            stack_id: The stack, known by `AnnotationStore.save_study`.
            key: Which fact, such as "patient.height_cm" or "insertion_points".
            value: As JSON can hold it; None removes it.
            read_id: The read it belongs to; None for the first.

        Raises:
            StoreError: The study is not known, JSON cannot hold the value, or it cannot be written.
        """
        with self._workspace.write() as connection:
            write_fact(Writing(connection, self._workspace, stack_id, read_id), key, value)

    def get(self, stack_id: str, key: str, read_id: int | None = None) -> Any:
        """The last value; None where none was set, or it was removed."""
        return self.all(stack_id, read_id).get(key)

    def all(self, stack_id: str, read_id: int | None = None) -> dict[str, Any]:
        """All facts of a study that hold."""
        f = study_facts
        mine = (f.c.stack_id == stack_id) & in_read(f, read_id)
        last = select(func.max(f.c.id)).where(mine).group_by(f.c.key)
        return _values(self._workspace, select(f.c.key, f.c.value).where(f.c.id.in_(last)))


class ReaderSettings:
    """Settings of the project by reader, such as where papillary muscles belong; saved in the workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def set(self, key: str, value: Any) -> None:
        """Save a setting of the workspace's reader.

        Raises:
            StoreError: JSON cannot hold the value, or it cannot be written.
        """
        workspace = self._workspace
        with workspace.write() as connection:
            connection.execute(
                insert(reader_settings).values({"key": key, "value": _json(key, value), **workspace.stamp()})
            )

    def get(self, key: str, otherwise: Any = None) -> Any:
        """The setting of the workspace's reader, or `otherwise` where there is none."""
        s = reader_settings
        last = select(func.max(s.c.id)).where(s.c.reader == self._workspace.reader).group_by(s.c.key)
        found = _values(self._workspace, select(s.c.key, s.c.value).where(s.c.id.in_(last)))
        return found.get(key, otherwise)


def carry_facts_over(
    connection: Connection,
    workspace: Workspace,
    start: str,
    end: str,
    *,
    same_slices: bool,
    reads: Mapping[int | None, int | None],
) -> None:
    """Let the last facts of a stack go over to the one that takes its place, where they are the newer.

    Args:
        connection: In a transaction.
        workspace: The workspace.
        start: The stack that was open.
        end: The one that takes its place.
        same_slices: Whether slices keep their numbers.
        reads: The read of the second stack for each of the first.
    """
    f = study_facts
    last = select(func.max(f.c.id)).where(f.c.stack_id == start).group_by(f.c.key, f.c[READ_COLUMN])
    for row in connection.execute(select(f).where(f.c.id.in_(last)).order_by(f.c.id)).mappings().all():
        if not follows(row["key"], same_slices=same_slices):
            continue
        read_id = reads[row[READ_COLUMN]]
        there = select(f).where(f.c.stack_id == end, f.c.key == row["key"], in_read(f, read_id))
        held = connection.execute(there.order_by(f.c.id.desc()).limit(1)).mappings().first()
        same = held is not None and all(held[name] == row[name] for name in ("value", "created_at"))
        if held is None or (held["id"] < row["id"] and not same):  # what was written later, whatever the clock showed
            values = {name: value for name, value in row.items() if name != "id"}
            values |= {"stack_id": end, READ_COLUMN: read_id, "session_id": workspace.session()}
            connection.execute(insert(f).values(values))


def _values(workspace: Workspace, statement: Select[Any]) -> dict[str, Any]:
    with workspace.read() as connection:
        rows = connection.execute(statement).all()
    found = {row.key: json.loads(row.value) for row in rows}
    return {key: value for key, value in found.items() if value is not None}


def _json(key: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise StoreError(f"The value of {key} could not be saved as JSON: {error}.") from error
