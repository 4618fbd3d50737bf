"""What the worklist shows beside studies: readers, flags, what was reopened or imported, and studies that wait."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.tables import IMPORTED_COLUMN, READ_COLUMN, annotations, in_read, now_text, study_facts, waiting


class WaitingStore:
    """Sources that wait, of one workspace.

    Every call is a transaction of its own, from any thread, and raises StoreError where the workspace cannot be read or
    written.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def add(self, sources: Sequence[Path]) -> None:
        """Let files and folders wait, behind those that do already."""
        if not sources:
            return
        rows = [{"source": str(source.absolute()), "created_at": now_text()} for source in sources]
        with self._workspace.write() as connection:
            connection.execute(insert(waiting).values(rows).on_conflict_do_nothing())

    def remove(self, sources: Sequence[Path]) -> None:
        """Remove files and folders from those that wait."""
        names = [str(source.absolute()) for source in sources]
        with self._workspace.write() as connection:
            connection.execute(delete(waiting).where(waiting.c.source.in_(names)))

    def all(self) -> list[Path]:
        """What waits, in the order in which it came."""
        with self._workspace.read() as connection:
            rows = connection.execute(select(waiting.c.source).order_by(waiting.c.id))
            return [Path(source) for source in rows.scalars()]


FLAG_KEY = "worklist.flag"
"""Fact of a study: a reader's word beside it in the worklist, a text."""

FAILED_CHECKS_KEY = "worklist.failed_checks"
"""Fact of a study: how many checks failed when it was open last, a whole number."""


RENEWED_KEY = "renewed"
"""Fact of a study: frames that other models in service have segmented anew since it was open, as [phase, slice]."""


@dataclass(frozen=True)
class StudyMarks:
    """Marks of a study in the worklist.

    Attributes:
        readers: Who has saved label maps of it, in alphabetical order.
        imported: Frames whose label map came from another program at some time.
        reopened: Frames that were accepted and are not any more.
        flag: A reader's word, or empty.
        failed_checks: Checks that failed when it was open last; None where they were not counted.
        renewed: Frames that have a new label map since it was open.
    """

    readers: tuple[str, ...] = ()
    imported: int = 0
    reopened: int = 0
    flag: str = ""
    failed_checks: int | None = None
    renewed: int = 0


class WorklistMarks:
    """Marks of the studies of a workspace; use from any thread. StoreError where the workspace cannot be read."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def all(self) -> Mapping[str, StudyMarks]:
        """Marks by stack, of those that have any."""
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        with self._workspace.read() as connection:
            for stack_id, readers in _readers(connection).items():
                found[stack_id]["readers"] = tuple(sorted(readers))
            for row in connection.execute(_imported()):
                found[row.stack_id]["imported"] = row.frames
            for row in connection.execute(_reopened()):
                found[row.stack_id]["reopened"] = row.frames
            facts = connection.execute(_facts()).all()
        for row in facts:
            value = json.loads(row.value)
            if row.key == FLAG_KEY and isinstance(value, str):
                found[row.stack_id]["flag"] = value
            elif row.key == FAILED_CHECKS_KEY and isinstance(value, int):
                found[row.stack_id]["failed_checks"] = value
            elif row.key == RENEWED_KEY and isinstance(value, list):
                found[row.stack_id]["renewed"] = len(value)
        return {stack_id: StudyMarks(**values) for stack_id, values in found.items()}


def _readers(connection: Connection) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in connection.execute(select(annotations.c.stack_id, annotations.c.reader).distinct()):
        found.setdefault(row.stack_id, set()).add(row.reader)
    return found


def _imported() -> Select[Any]:
    a = annotations.c
    frames = select(a.stack_id, a.phase, a.slice_index).where(a[IMPORTED_COLUMN].is_not(None)).distinct().subquery()
    return select(frames.c.stack_id, func.count().label("frames")).group_by(frames.c.stack_id)


def _reopened() -> Select[Any]:
    a = annotations.c
    accepted = func.max(a.version).filter(a.status == str(ReviewStatus.ACCEPTED))
    frames = (
        select(a.stack_id)
        .where(in_read(annotations, None))
        .group_by(a.stack_id, a.phase, a.slice_index)
        .having(accepted < func.max(a.version))
        .subquery()
    )
    return select(frames.c.stack_id, func.count().label("frames")).group_by(frames.c.stack_id)


def _facts() -> Select[Any]:
    f = study_facts.c
    mine = f.key.in_((FLAG_KEY, FAILED_CHECKS_KEY, RENEWED_KEY)) & f[READ_COLUMN].is_(None)
    last = select(func.max(f.id)).where(mine).group_by(f.stack_id, f.key)
    return select(f.stack_id, f.key, f.value).where(f.id.in_(last))
