"""Training runs: begun, finished, and found unfinished at the next opening of the workspace."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import StoreError
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, write_event
from cmr_viewer.store.tables import now_text, training_runs

INTERRUPTED = "interrupted"
"""Outcome of a run whose program ended before it did."""


@dataclass(frozen=True)
class TrainingRun:
    """One run.

    Attributes:
        id: Counts up.
        role: What was trained.
        started_at: When it began.
        finished_at: When it ended, or was found to have been interrupted; None while it runs.
        outcome: How it ended, in the caller's word ("promoted", "kept", "cancelled", "failed") or `INTERRUPTED`; None
            while it runs.
        detail: Anything more.
    """

    id: int
    role: Role
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    detail: Mapping[str, Any]


class TrainingRuns:
    """The training runs of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def start(self, role: Role) -> int:
        """Note that a run begins.

        Returns:
            The run's id, for `finish`.

        Raises:
            StoreError: It cannot be written.
        """
        workspace = self._workspace
        with workspace.write() as connection:
            values = {"role": str(role), "started_at": now_text(), "session_id": workspace.session()}
            run_id = int(
                connection.execute(insert(training_runs).values(values).returning(training_runs.c.id)).scalar_one()
            )
            write_event(
                connection, workspace, What.TRAINING_STARTED, detail={"training_run": run_id, "role": str(role)}
            )
        return run_id

    def finish(self, run_id: int, outcome: str, detail: Mapping[str, Any] | None = None) -> None:
        """Note how a run ended.

        Args:
            run_id: From `start`.
            outcome: "promoted", "kept", "cancelled", "failed" or the like.
            detail: Anything more, as JSON can hold it; the event log gets it too.

        Raises:
            StoreError: There is no such run, it has ended already, or it cannot be written.
        """
        workspace = self._workspace
        content = dict(detail or {})
        with workspace.write() as connection:
            write_event(
                connection,
                workspace,
                What.TRAINING_FINISHED,
                detail={**content, "training_run": run_id, "outcome": outcome},
            )
            running = (training_runs.c.id == run_id) & training_runs.c.finished_at.is_(None)
            values = {"finished_at": now_text(), "outcome": outcome, "detail": json.dumps(content, sort_keys=True)}
            if connection.execute(update(training_runs).where(running).values(values)).rowcount != 1:
                raise StoreError(f"Training run {run_id} is not running.")

    def runs(self, role: Role | None = None) -> list[TrainingRun]:
        """All runs, or those of one role, oldest first."""
        statement = select(training_runs).order_by(training_runs.c.id)
        if role is not None:
            statement = statement.where(training_runs.c.role == str(role))
        with self._workspace.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [
            TrainingRun(
                id=row["id"],
                role=Role(row["role"]),
                started_at=datetime.fromisoformat(row["started_at"]),
                finished_at=None if row["finished_at"] is None else datetime.fromisoformat(row["finished_at"]),
                outcome=row["outcome"],
                detail=json.loads(row["detail"]),
            )
            for row in rows
        ]
