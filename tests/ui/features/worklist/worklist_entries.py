"""Entries of a worklist of every kind."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cmr_viewer.store.worklist import StudyMarks
from cmr_viewer.ui.features.worklist.worklist import WorklistEntry

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def entry(name: str, **values) -> WorklistEntry:
    """A study of 20 phases and 10 slices that was opened, unless the values say otherwise."""
    usual = {"stack_id": f"stack-{name}", "phases": 20, "slices": 10, "opened_at": NOON}
    return WorklistEntry(name, Path("/data") / name, **(usual | values))


def waiting(name: str) -> WorklistEntry:
    return WorklistEntry(name, Path("/data") / name)


def several() -> list[WorklistEntry]:
    """Waiting, begun, accepted in part, finished; flags and readers of every kind."""
    return [
        waiting("delta"),
        entry("alpha", marks=StudyMarks(readers=("Zoe",)), drafts=2),
        entry("Bravo", accepted=5, marks=StudyMarks(readers=("Adam", "Zoe"), flag="ask Eve"), phases=25),
        entry("charlie", accepted=200, marks=StudyMarks(readers=("Adam",), failed_checks=3, imported=2)),
        entry("echo", accepted=120, marks=StudyMarks(reopened=1), opened_at=NOON + timedelta(days=1)),
        entry("foxtrot", opened_at=NOON - timedelta(days=1), marks=StudyMarks(failed_checks=0)),
    ]
