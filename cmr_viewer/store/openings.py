"""What readers decided about how studies are opened, by the file or folder they are opened from.

The rows are added and never changed: the last one of a source holds. Each names the stack that it led to, so that a
stack of the worklist is opened again as it was, also where the same files hold several.
"""

import json
from typing import Any

from sqlalchemy import Select, insert, select

from cmr_viewer.domain.opening import Opening, opening_from_json
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, write_event


class OpeningStore:
    """Decisions about opening, of one workspace. Every call is a transaction of its own; use from any thread."""

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

        Raises:
            StoreError: The workspace cannot be read.
        """
        o = tables.openings
        wanted = [o.c.source == source] if stack_id is None else [o.c.source == source, o.c.stack_id == stack_id]
        return self._first(select(o.c.decided).where(*wanted).order_by(o.c.id.desc()).limit(1))

    def of_stack(self, stack_id: str) -> Opening | None:
        """What was decided last to come to a stack, wherever its files lay; None where nothing was.

        Raises:
            StoreError: The workspace cannot be read.
        """
        o = tables.openings
        return self._first(select(o.c.decided).where(o.c.stack_id == stack_id).order_by(o.c.id.desc()).limit(1))

    def _first(self, statement: Select[Any]) -> Opening | None:
        with self._workspace.read() as connection:
            decided = connection.execute(statement).scalar_one_or_none()
        return None if decided is None else opening_from_json(json.loads(decided))
