"""Kills learning programs at random moments for half an hour, and checks after each kill that nothing is lost.

    python benchmarks/soak_learning.py [--minutes 30] [--seed 1] [--markdown FILE]

Round after round on a workspace of phantoms, with very small models: a writer accepts corrections of patients, new ones
and known ones; then one of these works in it, and most are killed (SIGKILL) at a random moment:

- learn: `cmr-viewer learn`, in one process; every second one with a training that is stood in for by one that takes no
  time and gains 5 points, so that many kills fall into the decision, and many candidates are promoted;
- window: what the window does: a run is begun, a child `cmr-viewer train --workspace` trains, and its candidate is
  decided on. Killed is the window, its child, or both.

The writer is killed as well. After each kill the workspace is opened: the database is whole; each patient's accepted
frames are those that were last told to be on disk, or that were just being written; the model in service is that of the
last promotion on record, and each promotion belongs to a run that ended so; all models that are there can be loaded,
and each was decided on; no model in the making is left; the opening says what was interrupted. A child whose window was
killed ends. Ends with 1 at the first that is not so. Programs are forked from one that has imported all. POSIX.
"""

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from cmr_viewer.app.training_child import TrainingChild  # noqa: E402
from cmr_viewer.commands import learn as command  # noqa: E402
from cmr_viewer.domain.annotation import Provenance, ReviewStatus  # noqa: E402
from cmr_viewer.domain.geometry import geometry_to_json  # noqa: E402
from cmr_viewer.domain.role import Role  # noqa: E402
from cmr_viewer.domain.study import FrameIndex  # noqa: E402
from cmr_viewer.errors import TrainingError  # noqa: E402
from cmr_viewer.promote.records import Records  # noqa: E402
from cmr_viewer.segment.segmenter import load_segmenter  # noqa: E402
from cmr_viewer.store.annotations import AnnotationStore, Work  # noqa: E402
from cmr_viewer.store.database import STAGING_PREFIX, open_workspace  # noqa: E402
from cmr_viewer.store.frame_pixels import Pixels  # noqa: E402
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns  # noqa: E402
from cmr_viewer.store.reviewed import read_reviewed  # noqa: E402
from cmr_viewer.store.versions import Version  # noqa: E402
from tests.killed_learning import learned, stand_in  # noqa: E402
from tests.tiny_models import tiny_id, write_tiny_models  # noqa: E402
from tests.workspaces import phantom_of, regions_of  # noqa: E402

MOST_PATIENTS = 16
"""With more, a new workspace is begun: a learning takes longer with each."""

PATIENCE_S = 120.0

LONGEST_WRITE_S, LONGEST_END_S = 0.03, 0.4
"""Half of the kills fall at random into so long a time after a patient's correction began to be written, or after the
training came to its end."""


def tell(line: str) -> None:
    """Say something to who reads the standard output; at once."""
    os.write(1, f"{line}\n".encode())


def digest_of(labels: dict[FrameIndex, bytes]) -> str:
    """What a patient's accepted label maps are recognised by."""
    return hashlib.blake2b(b"".join(labels[frame] for frame in sorted(labels)), digest_size=8).hexdigest()


# -- the programs that are killed --------------------------------------------------------------------------------------


def write(folder: Path, known: int, more: int, chance: random.Random) -> None:
    """Accept corrections of patients, some of whom are known; tells "doing" and "kept" with patient and digest."""
    with open_workspace(folder, reader="writer") as workspace:
        store = AnnotationStore(workspace)
        numbers = [*range(known, known + more), *(chance.randrange(known + more) for _ in range(2))]
        for number in numbers:
            phantom = phantom_of(number)
            stack, regions = phantom.stack, regions_of(phantom)
            moved = np.roll(phantom.labels, chance.randrange(-2, 3), axis=-1)
            name = f"patient{number}"
            tell(f"doing {stack.stack_id} {digest_of({f: moved[f].tobytes() for f in regions})}")
            store.save_study(
                stack.stack_id,
                name=name,
                source="phantom",
                patient_key=name,
                geometry_json=geometry_to_json(stack.geometry),
                phases=stack.phases,
                slices=stack.slices,
            )
            made, done = Provenance.MANUAL, ReviewStatus.ACCEPTED
            versions = [Version(f, np.ascontiguousarray(moved[f]), r, made, done) for f, r in regions.items()]
            frames = {frame: stack.frame(frame) for frame in stack.frame_indices}
            store.save(stack.stack_id, Work(versions), pixels=Pixels(frames, stack.geometry.pixel_spacing_mm))
            tell("kept")


def learn(folder: Path, shipped: Path, gain: str) -> None:
    """`cmr-viewer learn`; tells what it says of its progress."""
    if gain == "stood-in":
        command.retrain = stand_in(0.05)
    learned(folder, shipped, roles="base,apex")


def window(folder: Path, shipped: Path) -> None:
    """What the window does to retrain; tells the process of the child."""
    with open_workspace(folder, reader="window") as workspace:
        records = Records(workspace, ModelRegistry(shipped, workspace))
        try:
            run = records.begin(Role.BASE)
        except TrainingError:
            return
        given = ["train", "--workspace", str(folder), "--role", "base", "--output", str(run.staging)]
        more = ["--models", str(shipped), "--device", "cpu", "--iterations", "1", "--threads", "1"]
        child = TrainingChild(
            [sys.executable, "-m", "cmr_viewer", *given, *more, "--progress", "json", "--end-with-input"],
            folder / "training.log",
        )
        teller = threading.Thread(target=_tell_child, args=(child,), daemon=True)
        teller.start()
        trained = child.run(lambda _fraction, text: tell(text))
        tell("concluding")
        tell(f"ended {records.conclude(run, trained).end}")


def _tell_child(child: TrainingChild) -> None:
    while child._process is None:
        time.sleep(0.01)
    tell(f"child {child._process.pid}")


def serve() -> None:
    """Fork a program for each line of standard input; tells its process, and "dead" with how it ended."""
    torch.set_num_threads(1)
    for line in sys.stdin:
        kind, folder, shipped, *more = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            try:
                if kind == "write":
                    write(Path(folder), int(more[0]), int(more[1]), random.Random(int(more[2])))
                elif kind == "learn":
                    learn(Path(folder), Path(shipped), more[0])
                else:
                    window(Path(folder), Path(shipped))
                os._exit(0)
            except BaseException as error:  # noqa: BLE001 - what a fork raises must not go on in it
                tell(f"raised {error!r}")
            finally:
                os._exit(1)
        tell(f"pid {child}")
        _, status = os.waitpid(child, 0)
        tell(f"dead {os.waitstatus_to_exitcode(status)}")


# -- who kills them ----------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What happened in all rounds."""

    rounds: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    workspaces: int = 0


class Soak:
    """Works on one workspace after another; a context manager."""

    def __init__(self, place: Path, chance: random.Random) -> None:
        self.place, self.chance, self.tally = place, chance, Tally()
        self.shipped = place / "models"
        write_tiny_models(self.shipped)
        self.longest: dict[str, float] = {}
        self.begin_anew()
        command = [sys.executable, str(Path(__file__).resolve()), "--serve"]
        self.server = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )

    def close(self) -> None:
        """End the program that forks."""
        assert self.server.stdin is not None and self.server.stdout is not None
        self.server.stdin.close()
        self.server.wait()
        self.server.stdout.close()

    def begin_anew(self) -> None:
        """Begin a new workspace."""
        self.tally.workspaces += 1
        if self.tally.workspaces > 1:
            shutil.rmtree(self.folder)
        self.folder = self.place / str(self.tally.workspaces)
        self.patients = 0
        self.kept: dict[str, str] = {}
        self.doing: tuple[str, str] | None = None

    def round(self) -> None:
        """Correct, work, and look at what is there after each."""
        if self.patients >= MOST_PATIENTS:
            self.begin_anew()
        given = (str(self.patients), "4", str(self.chance.randrange(1 << 30)))
        self.run("write", "write", *given, kill=self.chance.random() < 0.3)
        self.check("write")
        if self.chance.random() < 0.25:
            kind, more = "window", ()
            name = self.chance.choice(["window", "child of window", "window and child"])
        else:
            more = (self.chance.choice(["trained", "stood-in"]),)
            kind, name = "learn", f"learn, {more[0]}"
        self.run(kind, name, *more, kill=self.chance.random() < 0.85)
        self.check(name)

    def run(self, kind: str, name: str, *more: str, kill: bool) -> None:  # noqa: C901 - one thing after the other
        """Let a program work, and perhaps kill it at a random moment."""
        assert self.server.stdin is not None and self.server.stdout is not None
        self.server.stdin.write("\t".join([kind, str(self.folder), str(self.shipped), *more]).encode() + b"\n")
        began, pid, child = time.perf_counter(), 0, 0
        at_the_end = kill and (kind == "write" or self.chance.random() < 0.5)
        writes = self.chance.randrange(1, 7)
        wait = self.chance.uniform(0, self.longest.get(name, 1.0))
        timer: threading.Timer | None = None
        self.tally.rounds[name] += 1
        while not (line := self._line()).startswith("dead"):
            word, _, rest = line.partition(" ")
            if word == "pid":
                pid = int(rest)
                if kill and not at_the_end and kind != "window":
                    timer = self._later(wait, [pid])
            elif word == "child":
                child = int(rest)
                if kill and not at_the_end:
                    timer = self._later(wait, self._victims(name, pid, child))
            elif word == "doing":
                stack_id, digest = rest.split()
                self.doing, writes = (stack_id, digest), writes - 1
            elif word == "kept" and self.doing is not None:
                self.kept[self.doing[0]], self.doing = self.doing[1], None
            elif word == "raised":
                raise AssertionError(f"{name}: {rest}")
            if at_the_end and timer is None and ("Comparing" in line or word == "concluding" or not writes):
                longest = LONGEST_WRITE_S if kind == "write" else LONGEST_END_S
                timer = self._later(self.chance.uniform(0, longest), self._victims(name, pid, child))
        if timer is not None:
            timer.cancel()
            timer.join()
        code = int(line.split()[1])
        assert code in (0, -signal.SIGKILL), f"{name} ended with {code}"
        if code:
            self.tally.killed[name] += 1
        else:
            self.longest[name] = max(self.longest.get(name, 0.0), time.perf_counter() - began)
        if child:
            self._wait_for(child)
        if kind == "write":
            self.patients = len(self.kept.keys() | ({self.doing[0]} if self.doing else set()))

    def _victims(self, name: str, pid: int, child: int) -> list[int]:
        return {"child of window": [child or pid], "window and child": [one for one in (child, pid) if one]}.get(
            name, [pid]
        )

    def _line(self) -> str:
        assert self.server.stdout is not None
        line = self.server.stdout.readline()
        assert line, "the program that forks ended by itself"
        return line.decode(errors="replace").rstrip("\n")

    def _later(self, seconds: float, victims: list[int]) -> threading.Timer:
        def strike() -> None:
            for one in victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)

        timer = threading.Timer(seconds, strike)
        timer.start()
        return timer

    def _wait_for(self, child: int) -> None:
        """Wait until the child of a window is gone; it must end by itself."""
        until = time.perf_counter() + PATIENCE_S
        while Path(f"/proc/{child}").exists() and _state(child) != "Z":
            assert time.perf_counter() < until, "the child outlives its window"
            time.sleep(0.02)

    def check(self, name: str) -> None:
        """Open the workspace and look at all that must hold."""
        with open_workspace(self.folder, reader="parent") as workspace:
            with workspace.read() as connection:
                assert list(connection.exec_driver_sql("PRAGMA integrity_check").scalars()) == ["ok"]
            self._check_corrections({s.stack_id: s.frames for s in read_reviewed(workspace)})
            registry, runs = ModelRegistry(self.shipped, workspace), TrainingRuns(workspace).runs()
            assert registry.problems() == [], registry.problems()
            decided = set()
            for role in (Role.BASE, Role.APEX):
                rows = registry.history(role)
                decided |= {row.model_id for row in rows}
                of_rows = [("promoted" if row.kind == "promote" else "kept", row.model_id) for row in rows]
                ended = [run for run in runs if run.role is role and run.outcome in ("promoted", "kept")]
                assert [(run.outcome, run.detail["model_id"]) for run in ended] == of_rows
                promoted = [row.model_id for row in rows if row.kind == "promote"]
                assert registry.active(role).model_id == (promoted[-1] if promoted else tiny_id(role))
            there = (
                {one.name for one in workspace.models_folder.glob("*")} if workspace.models_folder.exists() else set()
            )
            assert there <= decided, f"{there - decided} was not decided on"
            assert not [one for one in there if one.startswith(STAGING_PREFIX)]
            for one in registry.models():
                if not one.shipped:
                    load_segmenter(one.folder, torch.device("cpu"))
            text, interrupted = workspace.recovery.text(), workspace.recovery.interrupted_training
            assert bool(interrupted) == ("interrupted" in text)
            self.tally.found["runs interrupted"] += len(interrupted)
            self.tally.found["unfinished models removed"] += workspace.recovery.partial_models
            self.tally.found[f"closed properly: {not workspace.recovery.unclean}"] += 1
            if name != "write":
                self._runs = Counter(run.outcome or "running" for run in runs)
        self.doing = None

    def _check_corrections(self, found: dict[str, object]) -> None:
        digests = {
            stack_id: digest_of({frame: one.labels.tobytes() for frame, one in frames.items()})  # type: ignore[attr-defined]
            for stack_id, frames in found.items()
        }
        doing = self.doing
        for stack_id, digest in self.kept.items():
            may_be = {digest} | ({doing[1]} if doing is not None and doing[0] == stack_id else set())
            assert digests.get(stack_id) in may_be, "what was told to be on disk is not there"
        assert digests.keys() <= self.kept.keys() | ({doing[0]} if doing is not None else set())
        self.kept = digests
        self.tally.found["patients looked at"] += len(digests)


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def table(soak: Soak, minutes: float, outcomes: Counter[str]) -> str:
    """What happened, as Markdown."""
    tally = soak.tally
    lines = ["| program | times | killed |", "|---|---:|---:|"]
    lines += [f"| {name} | {count} | {tally.killed[name]} |" for name, count in sorted(tally.rounds.items())]
    lines += ["", "| | |", "|---|---:|", f"| minutes | {minutes:.0f} |", f"| workspaces | {tally.workspaces} |"]
    lines += [f"| {name} | {count} |" for name, count in sorted(tally.found.items())]
    lines += [f"| runs that ended: {name} | {count} |" for name, count in sorted(outcomes.items())]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", type=Path, help="where the table is written")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve()
        return 0
    began, outcomes, workspace_outcomes, at = time.perf_counter(), Counter[str](), Counter[str](), 1
    with tempfile.TemporaryDirectory() as place:
        soak = Soak(Path(place), random.Random(asked.seed))
        try:
            while time.perf_counter() - began < 60 * asked.minutes:
                soak.round()
                if soak.tally.workspaces != at:
                    outcomes, at = outcomes + workspace_outcomes, soak.tally.workspaces
                workspace_outcomes = soak._runs
        finally:
            soak.close()
            found = table(soak, (time.perf_counter() - began) / 60, outcomes + workspace_outcomes)
            print(found)
    print("nothing lost")
    if asked.markdown:
        asked.markdown.write_text(f"{found}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
