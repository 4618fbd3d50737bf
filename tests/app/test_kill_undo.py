"""A reader who is killed at any moment finds everything again, and undo goes back to the predictions."""

import random
import sys
from pathlib import Path

import pytest

from tests.app.killing import Killer, Tally

KILLS = 40


@pytest.mark.skipif(sys.platform == "win32", reason="children are forked")
def test_after_each_kill_all_that_was_acknowledged_is_there_and_undo_and_redo_walk_all_the_way(tmp_path: Path) -> None:
    chance, tally = random.Random(2026), Tally()
    for workspace in ("one", "two"):
        with Killer(tmp_path / workspace, chance, tally) as killer:
            for _ in range(KILLS // 2):
                killer.run_and_kill()
                killer.check()
    assert tally.kills == KILLS and tally.actions > KILLS and tally.in_a_write > 0 and tally.longest_line > 5
