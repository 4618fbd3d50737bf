"""`cmr-viewer train`: train a model from data sets or from a workspace's accepted corrections."""

import contextlib
import itertools
import json
import logging
import os
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cmr_viewer import __version__
from cmr_viewer.commands.service import make_output_folder
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import CmrViewerError, TrainingError, in_one_line
from cmr_viewer.learn import retrain
from cmr_viewer.networks.device import choose_device, use_threads
from cmr_viewer.progress import Follow, Progress, not_followed, part
from cmr_viewer.store.database import MODELS_NAME
from cmr_viewer.train.checkpoint import CHECKPOINT_FILE
from cmr_viewer.train.samples import read_training_data
from cmr_viewer.train.spec import TrainingSpec, default_spec, read_spec
from cmr_viewer.train.split import Split, read_split
from cmr_viewer.train.train_model import train_model

JSON_EVERY_S = 0.2


def json_line(values: Mapping[str, Any]) -> None:
    """Print one JSON object on its own line, at once, for a supervising program."""
    print(json.dumps(values), flush=True)


def json_progress() -> Progress:
    """Progress as JSON lines, a few a second."""
    last = [0.0]

    def report(fraction: float, text: str) -> None:
        now = time.monotonic()
        if fraction >= 1.0 or now - last[0] >= JSON_EVERY_S:
            last[0] = now
            json_line({"event": "progress", "fraction": round(fraction, 4), "text": text})

    return report


def json_curve(curve: str, batch: int, value: float) -> None:
    """Values of the curves of a training as JSON lines; a `progress.Follow`."""
    json_line({"event": "curve", "curve": curve, "batch": batch, "value": round(value, 5)})


def text_progress() -> Progress:
    """Progress as lines on standard error, one for each percent."""
    last = [-1]

    def report(fraction: float, text: str) -> None:
        percent = int(100 * fraction)
        if percent != last[0]:
            last[0] = percent
            print(f"{percent:3d} %  {text}", file=sys.stderr, flush=True)

    return report


def new_model_id(role: Role, workspace: Path) -> str:
    """A name for a new model: role and UTC time; another one where a clock that was set back gave it before."""
    name = f"{role.value}-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S')}"
    names = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    return next(one for one in names if not (workspace / MODELS_NAME / one).exists())


def run(arguments: Namespace) -> int:
    """Train as the command line states.

    Returns:
        Exit code.

    Raises:
        CmrViewerError: What went wrong, unless a JSON line reported it.
    """
    if arguments.nice and hasattr(os, "nice"):
        give_way(arguments.nice)
    may_go_on = threading.Event()
    may_go_on.set()
    if arguments.end_with_input:
        follow_input = threading.Thread(target=_follow_input, args=(may_go_on,), name="cmr-viewer-input", daemon=True)
        follow_input.start()
    as_json = arguments.progress == "json"
    if not as_json:
        logging.getLogger("cmr_viewer.train").setLevel(
            logging.INFO
        )  # what is found at each look at the validation part
    progress = resting(json_progress() if as_json else text_progress(), may_go_on)
    try:
        if arguments.threads is not None:
            use_threads(arguments.threads)
        train = _from_workspace if arguments.workspace else _from_data
        done = train(arguments, progress, json_curve if as_json else not_followed)
    except (CmrViewerError, OSError) as error:
        if not as_json:
            raise
        json_line({"event": "error", "message": in_one_line(error)})
        return 1
    if as_json:
        json_line({"event": "done", **done})
    else:
        print(f"Model {done['model_id']} saved in {done['folder']}.")
    return 0


def give_way(by: int) -> None:
    """Lower the priority of this process; POSIX.

    Linux may share processor's time between sessions first (autogroup), and among the processes of each by `nice`. A
    child in a session of its own, as the window starts it, would take half of the time whatever its `nice` is, so the
    session's own is lowered, too.

    Args:
        by: Added to `nice`.
    """
    os.nice(by)
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # there is no such thing in every kernel
            Path("/proc/self/autogroup").write_text(str(by), encoding="ascii")


def resting(progress: Progress, may_go_on: threading.Event) -> Progress:
    """Progress that waits at its next call while it may not go on."""

    def report(fraction: float, text: str) -> None:
        may_go_on.wait()
        progress(fraction, text)

    return report


def _follow_input(may_go_on: threading.Event) -> None:
    """Rest at "pause" and go on at "go on"; end the process when standard input ends: its program is gone."""
    while line := sys.stdin.readline():
        if line.strip() == "pause":
            may_go_on.clear()
        else:
            may_go_on.set()
    os._exit(1)


def _given(arguments: Namespace) -> dict[str, Any]:
    """Values of the spec that the command line names."""
    values = {name: getattr(arguments, name) for name in ("iterations", "batch", "seed", "learning_rate")}
    return {name: value for name, value in values.items() if value is not None}


def _spec_of(arguments: Namespace) -> TrainingSpec:
    given = _given(arguments)
    if arguments.spec:
        return replace(read_spec(arguments.spec), **given).check()
    if arguments.role is None:
        raise TrainingError("Set what to train with --role or --spec.")
    return default_spec(Role(arguments.role), **given)


def _new_folder(arguments: Namespace) -> Path:
    """The folder of the new model, made before any work starts."""
    return _empty_folder(arguments.output.resolve(), "--output")


def _empty_folder(folder: Path, option: str) -> Path:
    """A folder for a model, made if missing; it may contain a checkpoint and nothing else."""
    make_output_folder(folder)
    if any(file.name.removeprefix(".").removesuffix(".part") != CHECKPOINT_FILE for file in folder.iterdir()):
        raise TrainingError(f"{folder} is not empty. Name a new folder with {option}; the model gets its name.")
    return folder


def _from_data(arguments: Namespace, progress: Progress, follow: Follow) -> dict[str, Any]:
    if not arguments.data:
        raise TrainingError("Name the training data with --data, or a workspace with --workspace.")
    spec = _spec_of(arguments)
    device = choose_device(arguments.device)
    folder = _new_folder(arguments)
    split = read_split(arguments.split_file) if arguments.split_file else Split()
    data = read_training_data(arguments.data, spec, split, part(progress, 0.0, 0.05))
    about = {
        "split": arguments.split_file.name if arguments.split_file else "by a hash of the name",
        "program": __version__,
        "revision": git_revision(),
        **({"note": arguments.note} if arguments.note else {}),
    }
    written = _empty_folder(arguments.snapshot.resolve(), "--snapshot") if arguments.snapshot else folder
    plan = train_model(
        spec,
        replace(data, origin={**data.origin, **about}),
        written,
        model_id=written.name,
        device=device,
        start_from=arguments.start_from,
        snapshot_of=folder if arguments.snapshot else None,
        progress=part(progress, 0.05, 1.0),
        follow=follow,
    )
    return {"model_id": plan.model_id, "folder": str(written)}


def _from_workspace(arguments: Namespace, progress: Progress, follow: Follow) -> dict[str, Any]:
    if arguments.role is None:
        raise TrainingError("Set which model to retrain with --role.")
    role = Role(arguments.role)
    folder = _new_folder(arguments)
    assessment = retrain(
        arguments.workspace,
        role,
        folder,
        model_id=new_model_id(role, arguments.workspace),
        shipped=arguments.models,
        device=arguments.device,
        changes=_given(arguments),
        progress=progress,
        follow=follow,
    )
    return {"model_id": assessment.candidate_id, "folder": str(folder), "assessment": assessment.as_json()}


def git_revision() -> str | None:
    """The checkout's revision, or None where there is no checkout."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.strip() or None) if done.returncode == 0 else None
