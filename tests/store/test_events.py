from datetime import UTC, datetime
from typing import Any

import pytest

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import EventLog, What, write_event


def add(workspace: Workspace, what: str, **about: Any) -> None:
    with workspace.write() as connection:
        write_event(connection, workspace, what, **about)


def test_an_event_holds_who_when_what_and_about_which(workspace: Workspace) -> None:
    before = datetime.now(UTC)
    add(workspace, "looked", stack_id="s", frame=FrameIndex(1, 2), model_id="m", detail={"for": [1, None, "ä"]})
    (event,) = EventLog(workspace).events()
    assert (event.who, event.what) == ("reader", "looked")
    assert (event.stack_id, event.frame, event.model_id) == ("s", FrameIndex(1, 2), "m")
    assert event.detail == {"for": [1, None, "ä"]}
    assert before <= event.at <= datetime.now(UTC)


def test_events_are_found_by_stack_and_kind_oldest_first(workspace: Workspace) -> None:
    for stack in ("s", "t"):
        for what in (What.ACCEPTED, "looked"):
            add(workspace, what, stack_id=stack)
    log = EventLog(workspace)
    numbers = [one.id for one in log.events()]
    assert numbers == sorted(numbers) and len(numbers) == 4
    assert [one.id for one in log.events(stack_id="t")] == numbers[2:]
    assert [one.id for one in log.events(what=What.ACCEPTED)] == [numbers[0], numbers[2]]
    assert [one.id for one in log.events(limit=2)] == numbers[2:]
    assert log.events()[0].frame is None


@pytest.mark.parametrize("detail", [{"a": object()}, {"a": float("nan")}])
def test_a_detail_that_json_cannot_hold_is_refused(workspace: Workspace, detail: dict) -> None:
    with pytest.raises(StoreError, match="JSON"):
        add(workspace, "looked", detail=detail)
    assert EventLog(workspace).events() == []
