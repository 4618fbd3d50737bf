"""Studies that wait to be opened for the first time, such as those dropped on the window with another."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from cmr_viewer.store.database import Workspace
from cmr_viewer.store.tables import now_text, waiting


class WaitingStore:
    """Sources that wait, of one workspace. Every call is a transaction of its own; use from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def add(self, sources: Sequence[Path]) -> None:
        """Let files and folders wait, behind those that do already.

        Raises:
            StoreError: It cannot be written.
        """
        if not sources:
            return
        rows = [{"source": str(source.absolute()), "created_at": now_text()} for source in sources]
        with self._workspace.write() as connection:
            connection.execute(insert(waiting).values(rows).on_conflict_do_nothing())

    def remove(self, sources: Sequence[Path]) -> None:
        """Remove files and folders from those that wait.

        Raises:
            StoreError: It cannot be written.
        """
        names = [str(source.absolute()) for source in sources]
        with self._workspace.write() as connection:
            connection.execute(delete(waiting).where(waiting.c.source.in_(names)))

    def all(self) -> list[Path]:
        """What waits, in the order in which it came.

        Raises:
            StoreError: The workspace cannot be read.
        """
        with self._workspace.read() as connection:
            rows = connection.execute(select(waiting.c.source).order_by(waiting.c.id))
            return [Path(source) for source in rows.scalars()]
