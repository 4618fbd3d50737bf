"""How late the window's event loop is, and how long a study takes, while a training runs beside it and while none does.

    python benchmarks/learning_beside_work.py [--platform offscreen|xcb] [--repeats 4] [--markdown FILE]

A real window on the synthetic study of `benchmarks/painting.py`, and a child that trains as the window starts it, with
its priority and its threads, from the shipped baseline on a workspace of phantoms. The child rests and goes on between
measurements, so that both are taken by turns on the same machine:

- painting: from when an event of a brush stroke was due until the window has drawn it;
- cine: how late a timer of 5 ms is while the player plays;
- a study: classified and segmented by the shipped models, on two phases of ten slices; beside a training that goes on,
  and as the window does it, which lets the training rest from when it begins to compute.

Other programs on the machine count as well, in both columns.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from cmr_viewer.app.training_child import NICE, TrainingChild  # noqa: E402
from tests.phantom import sax_cine  # noqa: E402
from tests.workspaces import make_workspace  # noqa: E402

BEAT_MS = 5
CINE_S = 3.0
PATIENCE_S = 300.0
STUDY, AS_IN_WINDOW = "a study, if the training went on", "a study, as the window does it"
AIMS = {
    "painting": "p99 ≤ 16 ms, max ≤ 100 ms",
    "cine": "p99 ≤ 16 ms, max ≤ 100 ms",
    STUDY: "",
    AS_IN_WINDOW: "≤ 1.5 times",
}


class Training:
    """A child that trains until it is cancelled, and rests when asked to."""

    def __init__(self, place: Path) -> None:
        workspace = make_workspace(place / "learned", [f"patient{n:03d}" for n in range(5)])
        threads = max(1, (os.cpu_count() or 1) // 2)
        command = [sys.executable, "-m", "cmr_viewer", "train", "--workspace", str(workspace), "--role", "baseline"]
        options = ["--output", str(place / "candidate"), "--progress", "json", "--nice", str(NICE)]
        more = ["--threads", str(threads), "--device", "cpu", "--end-with-input", "--iterations", "100000"]
        self._child = TrainingChild([*command, *options, *more], place / "training.log")
        self._steps = 0
        self._thread = threading.Thread(target=self._child.run, args=(self._count,))
        self._thread.start()
        self._wait_for(5)

    def _count(self, _fraction: float, text: str) -> None:
        self._steps += text.startswith("Training")

    def _wait_for(self, steps: int) -> None:
        until = time.perf_counter() + PATIENCE_S
        while self._steps < steps:
            assert time.perf_counter() < until and self._thread.is_alive(), "the training does not get on"
            time.sleep(0.05)

    def rest(self, resting: bool) -> None:
        """Let it rest, or go on and come back once it does."""
        self._child.pause(resting)
        if resting:
            time.sleep(2.0)
        else:
            self._wait_for(self._steps + 2)

    def give_way(self) -> None:
        """Let it rest, and do not wait until it does."""
        self._child.pause(True)

    def close(self) -> None:
        """End it."""
        self._child.cancel()
        self._thread.join()


def lateness_of_cine(desk: object) -> list[float]:
    """Milliseconds that a timer is late while the player plays."""
    from PySide6.QtCore import Qt, QTimer

    late: list[float] = []
    last = [time.perf_counter()]

    def beat() -> None:
        now = time.perf_counter()
        late.append(max(0.0, 1000.0 * (now - last[0]) - BEAT_MS))
        last[0] = now

    timer = QTimer(interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
    timer.timeout.connect(beat)
    desk.window.desk.play(True)  # type: ignore[attr-defined]
    timer.start()
    until = time.perf_counter() + CINE_S
    while time.perf_counter() < until:
        desk.app.processEvents()  # type: ignore[attr-defined]
        time.sleep(0.0003)
    timer.stop()
    desk.window.desk.player.stop()  # type: ignore[attr-defined]
    return late


def study_seconds() -> Callable[[], list[float]]:
    """What times a study, with the shipped models loaded."""
    from cmr_viewer.analyse import analyse, own_flow
    from cmr_viewer.paths import shipped_models_dir
    from cmr_viewer.pipeline import load_active_models
    from cmr_viewer.store.model_registry import ModelRegistry

    models = load_active_models(own_flow(), ModelRegistry(shipped_models_dir(), None), "cpu")
    stacks = [sax_cine(phases=2, slices=10, rows=256, cols=256, seed=seed).stack for seed in range(20)]

    def timed() -> list[float]:
        stack = stacks.pop()  # another one each time: the heart is found once a stack
        began = time.perf_counter()
        for _ in analyse(stack, models):  # type: ignore[arg-type]
            pass
        return [1000.0 * (time.perf_counter() - began)]

    return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", default="offscreen")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--markdown", type=Path, help="where the table is written")
    asked = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = asked.platform
    from benchmarks.desk import Desk, markdown_table

    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), "1280x800")
        training = Training(Path(folder))
        timed = study_seconds()

        def strokes() -> list[float]:
            desk.take("brush")
            return [ms for number in range(4) for ms in desk.brush_stroke(number)]

        def cine() -> list[float]:
            desk.take("move")
            return lateness_of_cine(desk)

        def study_in_window() -> list[float]:
            training.give_way()
            return timed()

        jobs = {"painting": strokes, "cine": cine, STUDY: timed, AS_IN_WINDOW: study_in_window}
        found: dict[str, dict[bool, list[float]]] = {name: {True: [], False: []} for name in AIMS}
        try:
            for number in range(asked.repeats):
                for resting in (True, False) if number % 2 else (False, True):
                    training.rest(resting)
                    for name, job in jobs.items():
                        found[name][resting] += job()
        finally:
            training.close()
            desk.close()
    rows = []
    for name, times in found.items():
        cells = [
            f"{statistics.median(of):.0f}"
            if name in (STUDY, AS_IN_WINDOW)
            else f"{desk.percentile(of, 99):.1f} / {max(of):.0f}"
            for of in (times[True], times[False])
        ]
        ratio = statistics.median(times[False]) / statistics.median(times[True])
        rows.append([f"{name}, ms", *cells, f"{ratio:.2f}" if name in (STUDY, AS_IN_WINDOW) else "", AIMS[name]])
    heads = ["p99 / max; median of a study", "no training", "beside a training", "ratio", "aim"]
    text = markdown_table(heads, rows)
    print(text)
    if asked.markdown:
        asked.markdown.write_text(text)


if __name__ == "__main__":
    main()
