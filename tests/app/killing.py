"""Kills a reader at random work again and again, and looks at what is there after; for tests and benchmarks."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

import numpy as np

from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.effort import EffortStore
from tests.app.working import opened, original, read_id_of, settle, shown, state, study

ROOT = Path(__file__).resolve().parents[2]
READS = ("first", "second")
LONGEST_WRITE_S = 0.008
"""A kill falls at random into so long a time after the reader began to write."""


@dataclass
class Told:
    """What a killed reader had told of a read: pairs of STATE and TIP.

    Attributes:
        kept: The last that was on disk; empty where nothing was.
        doing: What was being written, where that was not told to be on disk.
    """

    kept: tuple[str, ...] = ()
    doing: tuple[str, ...] = ()


@dataclass
class Tally:
    """What happened in all kills."""

    kills: int = 0
    actions: int = 0
    in_a_write: int = 0
    steps_walked: int = 0
    longest_line: int = 0
    told: dict[str, Told] = field(default_factory=lambda: {which: Told() for which in READS})


class Killer:
    """Runs and kills readers on one workspace; a context manager."""

    def __init__(self, folder: Path, chance: random.Random, tally: Tally) -> None:
        self.folder, self.chance, self.tally = folder, chance, tally
        tally.told = {which: Told() for which in READS}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.app.working"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def _line(self) -> list[str]:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, "the reader's program ended by itself"
        return line.decode().split()

    def run_and_kill(self) -> None:
        """Let a reader work, and kill it after so many lines and a moment more."""
        which = self.chance.choice(READS)
        told = self.tally.told[which]
        assert self._server.stdin is not None
        self._server.stdin.write(f"{self.folder} {which} {self.chance.randrange(1 << 30)}\n".encode())
        lines, child, kill_after, killed = 0, 0, self.chance.choice((0, 1, 3, 5, 8, 13, 21, 40)), False
        told.doing = ()
        while (line := self._line()) != ["dead"]:
            if line[0] == "pid":
                child = int(line[1])
            elif line[0] == "doing":
                told.doing = tuple(line[1:])
            elif line[0] == "kept":
                told.kept, told.doing = tuple(line[1:]), ()
                self.tally.actions += 1
            lines += line[0] != "pid"
            if child and not killed and lines >= kill_after:
                until = perf_counter() + self.chance.uniform(0, LONGEST_WRITE_S)
                while perf_counter() < until:
                    pass
                os.kill(child, signal.SIGKILL)
                killed = True
        self.tally.kills += 1
        self.tally.in_a_write += bool(told.doing)

    def check(self) -> None:
        """Look at what is there: the database whole, each read as it was told, undo to the start, redo to the end."""
        if not self.folder.exists():
            return
        with open_workspace(self.folder, reader="parent") as workspace:
            with workspace.read() as connection:
                assert list(connection.exec_driver_sql("PRAGMA integrity_check").scalars()) == ["ok"]
                kept = connection.exec_driver_sql("SELECT count(*) FROM reads").scalar_one()
            for which in READS:
                if kept:
                    self._check_read(workspace, which)

    def _check_read(self, workspace: Workspace, which: str) -> None:
        told, read_id = self.tally.told[which], read_id_of(workspace, which)
        reading = opened(workspace, read_id)
        wanted = [pair for pair in (told.kept, told.doing) if pair]
        if told.kept:
            assert state(reading) in [pair[0] for pair in wanted], f"{which}: not what was told to be on disk"
        now = next((pair for pair in wanted if pair[0] == state(reading)), None)
        if now is not None:
            told.kept = now
        self._walk(reading, now[1] if now is not None else None)
        spent = [row.effort for row in EffortStore(workspace).rows(study().stack.stack_id, read_id)]
        assert len(spent) <= len(reading.frames) * self.tally.kills
        assert all(one.active_s == one.strokes / 2 for one in spent), "each action adds half a second and a stroke"

    def _walk(self, reading: OpenStudy, tip: str | None) -> None:
        """Undo everything, redo everything, and compare; an LabelMapError would say that a step does not fit."""
        before, done = shown(reading), len(reading.history.lines.done)
        for _ in range(done):
            reading.undo()
            settle(reading)
        assert not reading.history.can_undo
        for frame, record in reading.frames.items():
            assert np.array_equal(record.labels, original(frame).labels), "undo to the start is the prediction"
            assert not record.edited and record.reader_region is None and record.status is not ReviewStatus.ACCEPTED
        assert (reading.reader_ed, reading.reader_es, reading.facts) == (None, None, {})
        for _ in range(done):
            reading.redo()
            settle(reading)
        assert shown(reading) == before
        while reading.history.can_redo:
            reading.redo()
            settle(reading)
        assert tip is None or shown(reading) == tip, "redo to the end is the last state"
        self.tally.steps_walked += 2 * done
        self.tally.longest_line = max(self.tally.longest_line, done)
