from typing import Any

from cmr_viewer.app.keeping import Keeper
from cmr_viewer.errors import StoreError


def fail() -> None:
    raise StoreError("The disk is full.")


def test_writes_are_done_in_their_order_also_at_the_end(qapp: Any) -> None:
    keeper, written, told = Keeper(), [], []
    for number in range(50):
        keeper.do("Writing", lambda n=number: written.append(n), on_done=told.append)
    assert keeper.is_busy and keeper.shutdown()
    assert written == list(range(50)) and told == [None] * 50


def test_a_write_that_fails_is_told_and_the_next_is_done(qtbot: Any) -> None:
    keeper, done = Keeper(), []
    with qtbot.waitSignal(keeper.failed) as told:
        keeper.do("Writing", fail)
        keeper.do("Writing", lambda: done.append(1))
    keeper.shutdown()
    assert told.args == ["The disk is full."] and done == [1]


def test_a_quiet_write_tells_its_failure_to_the_one_who_asked_alone(qapp: Any) -> None:
    keeper, loud, asked = Keeper(), [], []
    keeper.failed.connect(loud.append)
    keeper.do("Writing", fail, on_failed=asked.append, quiet=True)
    keeper.shutdown()
    assert (loud, asked) == ([], ["The disk is full."])
