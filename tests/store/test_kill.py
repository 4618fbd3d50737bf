"""Programs that are killed (SIGKILL) in the middle of writing lose nothing that was acknowledged."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.model_registry import INTERRUPTED, ModelRegistry, TrainingRuns
from cmr_viewer.store.reviewed import read_reviewed
from tests.store import saving

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("CMR_VIEWER_KILLS", "15"))
"""Set the variable to a few hundred for a thorough run."""


PROGRAM = [sys.executable, "-m", "tests.store.saving"]


def told_of(lines: list[bytes]) -> list[tuple[int, int]]:
    """Pairs of numbers in the lines that are whole."""
    whole_lines = [line.decode().split() for line in lines if line.endswith(b"\n")]
    return [(int(line[0]), int(line[1])) for line in whole_lines if len(line) == 2 and line[0].isdigit()]


def write_and_kill(path: Path, first: int, after: int) -> list[tuple[int, int]]:
    """Start the program that writes a file, kill it after so many lines, give all that it told."""
    with subprocess.Popen([*PROGRAM, "file", str(path), str(first)], cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(after)]
        child.kill()
        told += child.stdout.readlines()
    return told_of(told)


class Savers:
    """Starts programs that save annotations, each forked from one that has imported all: that takes no time."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [*PROGRAM, "serve"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def run_and_kill(self, folder: Path, first: int, after: int) -> list[tuple[int, int]]:
        """Let one save, kill it after so many lines, give all that it told."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(f"{folder} {first}\n".encode())
        lines, child, count = [], 0, 0
        while (line := self._server.stdout.readline()) != b"dead\n":
            assert line, "the program that forks ended by itself"
            if line.startswith(b"pid "):
                child = int(line.split()[1])
            else:
                count += 1
            lines.append(line)
            if child and count >= after:
                os.kill(child, signal.SIGKILL)
                child = 0
        return told_of(lines)

    def close(self) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()


@pytest.fixture
def savers() -> Iterator[Savers]:
    made = Savers()
    yield made
    made.close()


def whole(workspace: Workspace) -> bool:
    with workspace.read() as connection:
        return list(connection.exec_driver_sql("PRAGMA integrity_check").scalars()) == ["ok"]


@pytest.mark.skipif(sys.platform == "win32", reason="children are forked")
def test_every_acknowledged_version_is_there_whole_and_equal_after_each_kill(tmp_path: Path, savers: Savers) -> None:
    chance = random.Random(20260)
    folder = tmp_path / "workspace"
    acknowledged: dict[int, int] = {}
    for _ in range(KILLS):
        first = max(acknowledged, default=-1) + 2  # the one that was being written may be there or not
        # After 0 lines the child is killed while it opens the workspace.
        told = savers.run_and_kill(folder, first, after=chance.choice([0, 1, 2, 3, 5, 8, 21]))
        acknowledged.update(told)
        with open_workspace(folder, reader="parent") as workspace:
            assert whole(workspace)
            assert workspace.recovery.unclean or not told
            check_all(AnnotationStore(workspace), acknowledged)
    assert len(acknowledged) > KILLS


def check_all(store: AnnotationStore, acknowledged: dict[int, int]) -> None:
    versions = {
        (frame, one.version): one
        for frame in {saving.frame_of(number) for number in acknowledged}
        for one in store.versions(saving.STACK_ID, frame)
    }
    for number, version in acknowledged.items():
        saved = versions[saving.frame_of(number), version]
        np.testing.assert_array_equal(saved.labels, saving.labels_of(number))
        assert saved.status is saving.status_of(number)
    reviewed = [(stack, frame) for stack in read_reviewed(store._workspace) for frame in stack.frames]
    for stack, frame in reviewed:
        np.testing.assert_array_equal(stack.pixels[frame], saving.pixels_of(frame))
    latest = store.latest(saving.STACK_ID)
    accepted_now = {frame for frame, one in latest.items() if one.status == "accepted"}
    assert {frame for _, frame in reviewed} == accepted_now


def test_a_file_that_is_written_atomically_is_whole_after_each_kill(tmp_path: Path) -> None:
    path = tmp_path / "file"
    last = -1
    for after in (2, 3, 7):
        told = write_and_kill(path, last + 1, after)
        found = int(path.read_bytes().split(b"\n")[0])
        assert path.read_bytes() == saving.file_content(found)
        assert found >= told[-1][0]
        last = found


def test_the_next_opening_tells_what_a_killed_program_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    command = [*PROGRAM, "draft", str(folder), "0"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).stdout == b"ready\n"

    with open_workspace(folder, reader="parent") as workspace:
        recovery = workspace.recovery
        assert (recovery.unclean, recovery.drafts) == (True, 1)
        assert (recovery.interrupted_training, recovery.partial_models) == ((Role.BASE,), 1)
        assert recovery.text() == (
            "The program did not close properly last time. All accepted frames are saved. 1 frame has an unfinished "
            "draft; nothing of it is lost. The training of the base specialist was interrupted; the models in use are "
            "unchanged. 1 unfinished model was removed."
        )
        assert [run.outcome for run in TrainingRuns(workspace).runs()] == [INTERRUPTED]
        assert list(workspace.models_folder.iterdir()) == []
        assert ModelRegistry(folder / "shipped", workspace).models() == []
    with open_workspace(folder, reader="parent") as workspace:
        assert workspace.recovery.text() == ""
