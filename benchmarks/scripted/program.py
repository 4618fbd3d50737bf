"""The program as it is, in its window, with a periscope: standard input asks what is on the screen, standard output
answers. Nothing is changed through it; whatever changes comes as events from the X server.

    python program.py STUDY --workspace FOLDER [--models FOLDER]

Every answer is a line of JSON. `look` answers with the frame on show, its label map, the tool in hand, where the frame
is on the screen, and how many presses the window was given; `stalls` with each time that the window's thread was busy
for longer than `STALL_MS`, and with what.
"""

import argparse
import base64
import json
import sys
import threading
import time
import zlib
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from PySide6.QtCore import QEvent, QObject, QPoint, QSocketNotifier, QTimer  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402

from cmr_viewer.ui.window.main_window import MainWindow  # noqa: E402
from cmr_viewer.ui.window.run import application, run  # noqa: E402

STALL_MS = 100.0
_BEAT_MS = 5


class Watch(QObject):
    """Sees when the window's thread does not come round, and what it is at."""

    def __init__(self) -> None:
        super().__init__()
        self.stalls: list[dict[str, Any]] = []
        self._main = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._main)
        self._beat = time.perf_counter()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._beats)
        self._timer.start(_BEAT_MS)
        self._ends = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _beats(self) -> None:
        self._beat = time.perf_counter()

    def _watch(self) -> None:
        while not self._ends.wait(_BEAT_MS / 1000):
            beat = self._beat
            if 1000 * (time.perf_counter() - beat) < STALL_MS / 2:
                busy = time.clock_gettime(self._clock)
                continue
            seen: dict[str, int] = {}
            while self._beat == beat and not self._ends.wait(_BEAT_MS / 1000):
                at = _where(sys._current_frames().get(self._main))
                seen[at] = seen.get(at, 0) + 1
            took = 1000 * (self._beat - beat)
            if took >= STALL_MS:
                worked = 1000 * (time.clock_gettime(self._clock) - busy)
                most = sorted(seen.items(), key=lambda item: -item[1])[:3]
                self.stalls.append({"at": beat, "ms": took, "processor_ms": worked, "where": most})


def _where(frame: FrameType | None) -> str:
    """The innermost functions of the program that a thread is in."""
    found: list[str] = []
    while frame is not None and len(found) < 4:
        name = frame.f_code.co_filename
        if "cmr_viewer" in name:
            found.append(f"{Path(name).stem}.{frame.f_code.co_name}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(found) or "Qt"


class Periscope(QObject):
    """Answers what is on the screen."""

    def __init__(self) -> None:
        super().__init__()
        self._watch = Watch()
        self._window: MainWindow | None = None
        self.released = 0
        self._asked = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read, self)
        self._asked.activated.connect(self._answer)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Count what the X server sent."""
        if event.type() in (QEvent.Type.MouseButtonRelease, QEvent.Type.KeyRelease):
            self.released += 1
        return False

    def _find(self) -> MainWindow | None:
        if self._window is None:
            found = [each for each in QApplication.topLevelWidgets() if isinstance(each, MainWindow)]
            if found and found[0].windowHandle() is not None:
                self._window = found[0]
                self._window.windowHandle().installEventFilter(self)
        return self._window

    def _answer(self) -> None:
        asked = sys.stdin.readline().split()
        if not asked:
            self._asked.setEnabled(False)
            return
        answers = {"look": self._look, "stalls": self._stalls, "quit": self._quit}
        print(json.dumps(answers[asked[0]](*asked[1:])), file=sys.__stdout__, flush=True)

    def _quit(self) -> dict[str, Any]:
        window = self._find()
        if window is not None:
            QTimer.singleShot(0, window.close)
        return {}

    def _stalls(self) -> dict[str, Any]:
        return {"stalls": self._watch.stalls}

    def _look(self) -> dict[str, Any]:
        window = self._find()
        if window is None or window.session.study.stack is None or not window.parts.view.has_frame:
            return {"ready": False}
        session, desk, view = window.session, window.desk, window.parts.view
        at, shown = view.transform, view.mapToGlobal(QPoint(0, 0))
        labels = session.study.frame_state(desk.frame).labels
        rows, cols = session.study.stack.geometry.rows, session.study.stack.geometry.cols
        labels = np.zeros((rows, cols), np.uint8) if labels is None else labels
        return {
            "ready": bool(session.models.problem)
            or (session.models.loaded is not None and not session.models.is_analysing),
            "busy": any(session.jobs.is_busy(key) for key in ("tools", "click", "propagate")),
            "ahead": session.jobs.is_busy("click-ahead"),
            "painting": desk.painting,
            "frame": [desk.frame.phase, desk.frame.slice_index],
            "marks": [session.study.ed_phase, session.study.es_phase],
            "tool": desk.tool,
            "label": int(desk.label),
            "radius": desk.radius_px,
            "offers": session.study.offer is not None,
            "undo": session.study.undo_text if session.study.can_undo else "",
            "status": str(session.study.frame_state(desk.frame).status),
            "scale": [at.m22(), at.m11()],
            "origin": [shown.y() + at.dy(), shown.x() + at.dx()],
            "view": [shown.x(), shown.y(), view.width(), view.height()],
            "window": int(window.winId()),
            "active": window.isActiveWindow(),
            "dialog": QApplication.activeModalWidget() is not None,
            "released": self.released,
            "shape": [rows, cols],
            "labels": base64.b64encode(zlib.compress(np.ascontiguousarray(labels).tobytes(), 1)).decode("ascii"),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--models", type=Path)
    asked = parser.parse_args()
    application([])
    periscope = Periscope()
    status = run(asked.study, workspace=asked.workspace, models=asked.models)
    periscope.deleteLater()
    return status


if __name__ == "__main__":
    sys.exit(main())
