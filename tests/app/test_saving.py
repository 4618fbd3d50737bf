from typing import Any

from cmr_viewer.app.saving import Saving
from cmr_viewer.errors import StoreError
from cmr_viewer.store.database import Workspace


def fail() -> None:
    raise StoreError("The disk is full.")


def test_writes_are_done_in_their_order_also_at_the_end(qapp: Any, workspace: Workspace) -> None:
    saving, written, told = Saving(workspace), [], []
    for number in range(50):
        saving.do("Writing", lambda n=number: written.append(n), on_done=told.append)
    assert saving.is_busy and saving.shutdown()
    assert written == list(range(50)) and told == [None] * 50


def test_a_write_that_fails_is_told_and_the_next_is_done(qtbot: Any, workspace: Workspace) -> None:
    saving, done = Saving(workspace), []
    with qtbot.waitSignal(saving.failed) as told:
        saving.do("Writing", fail)
        saving.do("Writing", lambda: done.append(1))
    saving.shutdown()
    assert told.args == ["The disk is full."] and done == [1]


def test_a_quiet_write_tells_its_failure_to_the_one_who_asked_alone(qapp: Any, workspace: Workspace) -> None:
    saving, loud, asked = Saving(workspace), [], []
    saving.failed.connect(loud.append)
    saving.do("Writing", fail, on_failed=asked.append, quiet=True)
    saving.shutdown()
    assert (loud, asked) == ([], ["The disk is full."])
