"""The event log: who did what, when, to what, with which model. Rows are added and never changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, insert, select

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.tables import READ_COLUMN, check_frames, events, now_text


class What(StrEnum):
    """Events that the store itself writes; others may add their own."""

    STUDY_OPENED = "study_opened"
    DRAFT_SAVED = "draft_saved"
    ACCEPTED = "accepted"
    REGION_SET = "region_set"
    REGION_WITHDRAWN = "region_withdrawn"
    PHASE_MARKS_SET = "phase_marks_set"
    OPENING_DECIDED = "opening_decided"
    STACK_CHANGED = "stack_changed"
    MODEL_ADOPTED = "model_adopted"
    MODEL_PROMOTED = "model_promoted"
    MODEL_NOT_PROMOTED = "model_kept"
    MODEL_ROLLED_BACK = "model_rolled_back"
    MODEL_REMOVED = "model_removed"
    CHANGED = "changed"
    OFFER_TAKEN = "offer_taken"
    UNDONE = "undone"
    REDONE = "redone"
    STEP_LEFT = "step_left"
    FACT_SET = "fact_set"
    READ_STARTED = "read_started"
    READ_FINISHED = "read_finished"
    READ_SHOWN = "read_shown"
    TRAINING_STARTED = "training_started"
    TRAINING_FINISHED = "training_finished"


@dataclass(frozen=True)
class Event:
    """One entry of the log.

    Attributes:
        id: Counts up.
        at: When, with time zone.
        who: The reader.
        what: A value of `What`, or another word.
        stack_id: The stack it is about, or None.
        frame: The frame it is about, or None.
        model_id: The model it is about, or None.
        detail: Anything more, as JSON can hold it.
        read_id: The read it belongs to; None for the first read, and for what belongs to none.
    """

    id: int
    at: datetime
    who: str
    what: str
    stack_id: str | None = None
    frame: FrameIndex | None = None
    model_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    read_id: int | None = None


def write_event(
    connection: Connection,
    workspace: Workspace,
    what: str,
    *,
    stack_id: str | None = None,
    frame: FrameIndex | None = None,
    model_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
    read_id: int | None = None,
) -> None:
    """Add an event within a transaction that is already open, so that it is saved together with the change.

    Raises:
        StoreError: `detail` is not what JSON can hold.
    """
    try:
        text = json.dumps(dict(detail or {}), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise StoreError(f"The detail of the event {what} could not be saved as JSON: {error}.") from error
    values = {
        "at": now_text(),
        "who": workspace.reader,
        "what": str(what),
        "stack_id": stack_id,
        "phase": None if frame is None else frame.phase,
        "slice_index": None if frame is None else frame.slice_index,
        "model_id": model_id,
        "detail": text,
        "session_id": workspace.session(),
        READ_COLUMN: read_id,
    }
    connection.execute(insert(events).values(values))


@dataclass(frozen=True, eq=False)
class Writing:
    """An open transaction on one stack in one of its reads.

    Attributes:
        connection: The transaction.
        workspace: The workspace.
        stack_id: The stack.
        read_id: The read; None for the first.
    """

    connection: Connection
    workspace: Workspace
    stack_id: str
    read_id: int | None = None

    def check_frames(self, frames: Sequence[FrameIndex]) -> None:
        """As `tables.check_frames`."""
        check_frames(self.connection, self.stack_id, frames)

    def add(self, table: Table, values: Mapping[str, Any]) -> int:
        """Add a row of a reader's work, with stack, read, reader, time and session; its id."""
        row = {"stack_id": self.stack_id, READ_COLUMN: self.read_id, **values, **self.workspace.stamp()}
        return int(self.connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one())

    def event(
        self,
        what: What,
        detail: Mapping[str, Any],
        *,
        frame: FrameIndex | None = None,
        model_id: str | None = None,
    ) -> None:
        """Add an event; as `write_event`."""
        write_event(
            self.connection,
            self.workspace,
            what,
            stack_id=self.stack_id,
            frame=frame,
            model_id=model_id,
            detail=detail,
            read_id=self.read_id,
        )


class EventLog:
    """The event log of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def events(self, *, stack_id: str | None = None, what: str | None = None, limit: int | None = None) -> list[Event]:
        """The log, oldest first.

        Args:
            stack_id: Of this stack only, or None for all.
            what: Of this kind only, or None for all.
            limit: At most so many, the latest of them; None for all.
        """
        statement = select(events).order_by(events.c.id.desc()).limit(limit)
        if stack_id is not None:
            statement = statement.where(events.c.stack_id == stack_id)
        if what is not None:
            statement = statement.where(events.c.what == str(what))
        with self._workspace.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [_event(row) for row in reversed(rows)]


def _event(row: RowMapping) -> Event:
    return Event(
        id=row["id"],
        at=datetime.fromisoformat(row["at"]),
        who=row["who"],
        what=row["what"],
        stack_id=row["stack_id"],
        frame=None if row["phase"] is None else FrameIndex(row["phase"], row["slice_index"]),
        model_id=row["model_id"],
        detail=json.loads(row["detail"]),
        read_id=row[READ_COLUMN],
    )
