from datetime import UTC, datetime

import pytest

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import EventLog, What


def test_an_event_keeps_who_when_what_and_about_which(workspace: Workspace) -> None:
    log = EventLog(workspace)
    before = datetime.now(UTC)
    number = log.add("looked", stack_id="s", frame=FrameIndex(1, 2), model_id="m", detail={"for": [1, None, "ä"]})
    (event,) = log.events()
    assert (event.id, event.who, event.what) == (number, "reader", "looked")
    assert (event.stack_id, event.frame, event.model_id) == ("s", FrameIndex(1, 2), "m")
    assert event.detail == {"for": [1, None, "ä"]}
    assert before <= event.at <= datetime.now(UTC)


def test_events_are_found_by_stack_kind_and_place_oldest_first(workspace: Workspace) -> None:
    log = EventLog(workspace)
    numbers = [log.add(what, stack_id=stack) for stack in ("s", "t") for what in (What.ACCEPTED, "looked")]
    assert [one.id for one in log.events()] == numbers
    assert [one.id for one in log.events(stack_id="t")] == numbers[2:]
    assert [one.id for one in log.events(what=What.ACCEPTED)] == [numbers[0], numbers[2]]
    assert [one.id for one in log.events(after_id=numbers[1])] == numbers[2:]
    assert [one.id for one in log.events(limit=2)] == numbers[2:]
    assert log.events()[0].frame is None


@pytest.mark.parametrize("detail", [{"a": object()}, {"a": float("nan")}])
def test_a_detail_that_json_cannot_hold_is_refused(workspace: Workspace, detail: dict) -> None:
    log = EventLog(workspace)
    with pytest.raises(StoreError, match="JSON"):
        log.add("looked", detail=detail)
    assert log.events() == []
