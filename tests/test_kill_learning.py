"""A learning that is killed (SIGKILL) at any moment loses nothing, and leaves no half model and no half decision."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
import torch

from cmr_viewer.domain.role import Role
from cmr_viewer.promote.records import Records
from cmr_viewer.segment.segmenter import load_segmenter
from cmr_viewer.store.database import STAGING_PREFIX, Workspace, open_workspace
from cmr_viewer.store.model_registry import INTERRUPTED, ModelRegistry, TrainingRuns
from cmr_viewer.store.reviewed import read_reviewed
from tests.killed_learning import DECIDED, NO_GAIN, OF_CONCLUDING, OF_TRAINING
from tests.tiny_models import calm_torch, tiny_id, write_tiny_models
from tests.workspaces import PATIENTS, make_workspace

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="children are forked")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped") / "models"
    with calm_torch():
        write_tiny_models(folder)
    return folder


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory, shipped: Path) -> Path:
    """A workspace of four corrected patients, with declined candidates up to the number that stays."""
    folder = make_workspace(tmp_path_factory.mktemp("kill") / "workspace", PATIENTS[:4])
    with open_workspace(folder, reader="reader") as opened:
        registry = ModelRegistry(shipped, opened)
        for name in ("old-1", "old-2", "old-3"):
            staging = registry.staging_folder()
            copytree(shipped / tiny_id(Role.BASE), staging, dirs_exist_ok=True)
            plan = (staging / "plan.json").read_text(encoding="utf-8")
            (staging / "plan.json").write_text(plan.replace(tiny_id(Role.BASE), name), encoding="utf-8")
            registry.adopt(staging)
            registry.decline(Role.BASE, name, "No better.")
    return folder


@pytest.fixture
def workspace(corrected: Path, tmp_path: Path) -> Path:
    return Path(copytree(corrected, tmp_path / "workspace"))


class Server:
    """Lets learnings die; each is forked from one program that has imported all, which takes no time."""

    def __init__(self, shipped: Path) -> None:
        self._shipped = shipped
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.killed_learning"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def learn_until(self, point: str, workspace: Path) -> None:
        """Learn until the point, and die there."""
        assert self._program.stdin is not None and self._program.stdout is not None
        self._program.stdin.write(f"{point}\t{workspace}\t{self._shipped}\n")
        self._program.stdin.flush()
        assert self._program.stdout.readline() == "dead -9\n", f"it did not come to where {point}"

    def close(self) -> None:
        assert self._program.stdin is not None and self._program.stdout is not None
        self._program.stdin.close()
        self._program.wait()
        self._program.stdout.close()


@pytest.fixture(scope="module")
def server(shipped: Path) -> Iterator[Server]:
    made = Server(shipped)
    yield made
    made.close()


def accepted_of(workspace: Workspace) -> dict[tuple[str, object], bytes]:
    """All that is accepted, with its pixels."""
    found: dict[tuple[str, object], bytes] = {}
    for stack in read_reviewed(workspace):
        for frame, one in stack.frames.items():
            assert one.labels is not None
            found[stack.stack_id, frame] = one.labels.tobytes() + stack.pixels[frame].tobytes()
    return found


@pytest.mark.parametrize("point", [*OF_TRAINING, *OF_CONCLUDING])
def test_a_learning_that_is_killed_leaves_all_as_it_was_or_all_as_it_is_to_be(
    server: Server, corrected: Path, workspace: Path, shipped: Path, point: str
) -> None:
    with open_workspace(corrected, reader="reader") as opened:
        accepted = accepted_of(opened)
    server.learn_until(point, workspace)

    with open_workspace(workspace, reader="reader") as opened:
        with opened.read() as connection:
            assert list(connection.exec_driver_sql("PRAGMA integrity_check").scalars()) == ["ok"]
        assert accepted_of(opened) == accepted
        registry, runs = ModelRegistry(shipped, opened), TrainingRuns(opened).runs()
        active, served = registry.active(Role.BASE), registry.history(Role.BASE)[3:]
        if point in DECIDED:
            (run,), (row,) = runs, served
            assert (run.outcome, row.kind) == (("kept", "keep") if point in NO_GAIN else ("promoted", "promote"))
            assert run.detail["model_id"] == row.model_id
            assert active.model_id == (tiny_id(Role.BASE) if point in NO_GAIN else row.model_id)
            assert opened.recovery.interrupted_training == ()
        else:
            assert active.model_id == tiny_id(Role.BASE) and served == []
            begun = point != "the run is about to begin"
            assert [run.outcome for run in runs] == ([INTERRUPTED] if begun else [])
            told = "The training of the base specialist was interrupted; the models in use are unchanged."
            assert (told in opened.recovery.text()) == begun
        assert_models_are_whole(opened, registry)
        assert opened.recovery.text().startswith(
            "The program did not close properly last time. All accepted frames are saved."
        )
        if point not in DECIDED:
            again = Records(opened, registry).begin(Role.BASE)
            assert again.readiness.look == 4 and not again.readiness.tried


def assert_models_are_whole(opened: Workspace, registry: ModelRegistry) -> None:
    """Nothing but whole models is there: those from before, and one that was decided on."""
    names = {one.name for one in opened.models_folder.iterdir()}
    assert not [name for name in names if name.startswith(STAGING_PREFIX)]
    assert registry.problems() == []
    of_workspace = {one.model_id: one for one in registry.models() if not one.shipped}
    assert of_workspace.keys() == names
    decided = {row.model_id for row in registry.history(Role.BASE)}
    assert names <= decided
    for one in of_workspace.values():
        assert load_segmenter(one.folder, torch.device("cpu")).plan.model_id == one.model_id
