"""A real window on a large synthetic study, driven by mouse events; for `painting.py` and `cine_speed.py`."""

import cProfile
import json
import pstats
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import open_program
from cmr_viewer.domain.anatomy import STRUCTURES
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.ui.features.contours.feature import ContourFeature
from cmr_viewer.ui.frame.ahead import AheadFeature
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.run import application
from tests.phantom import ras_affine, sax_cine, voxels_of, write_nifti
from tests.ui.conftest import KnowingFlow
from tests.ui.rich_study import RichReader

PHASES, SLICES, SIDE = 30, 12, 512
EVENT_MS = 8.0
"""From one mouse event to the next, as a mouse of 125 Hz tells them."""


class Desk:
    """A window with the study open and everything computed.

    Attributes:
        work: Milliseconds of the processor that the window's thread took for each event, drawing included but for what
            Qt does in threads of its own.
        between: The same of what came due between events, such as measures.
        released: The same of letting go, which changes no pixel, but makes the step to undo and what follows from it.

    Args:
        folder: Where the study and the workspace are written.
        size: Of the window, WIDTHxHEIGHT.
        rich: Whether the study offers all that a study can: other stacks, repeated slices, long-axis views, warnings.
            Then nothing is read from its file.
    """

    def __init__(self, folder: Path, size: str, *, rich: bool = False) -> None:
        self.app = application([])
        self.work: list[float] = []
        self.between: list[float] = []
        self.released: list[float] = []
        phantom = sax_cine(phases=PHASES, slices=SLICES, rows=SIDE, cols=SIDE, pixel_spacing_mm=(0.7, 0.7))
        self.path = folder / "study.nii.gz"
        write_nifti(self.path, voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
        self.program = open_program(
            Settings(reader="R. Eader", path=folder / "settings.json", auto_retrain=False),
            workspace_folder=folder / "workspace",
            shipped_models=_models(folder / "models"),
            flow=KnowingFlow(phantom).flow(),
        )
        if rich:
            study = Study("rich", self.path, (phantom.stack,), patient_key="one")
            self.program.session.opening._opener = RichReader(study)
        self.window = MainWindow(self.program.session, self.program.settings, "")
        self.resize(size)
        self.window.show()
        done: list[bool] = []
        self.program.session.study.analysed.connect(lambda: done.append(True))
        self.program.session.opening.open_path(self.path)
        self.program.start()
        while not done:
            self.app.processEvents()
            time.sleep(0.005)
        self.settle()
        self.trigger("zoom_heart")
        self.settle()

    def close(self) -> None:
        """End the program."""
        self.window.close()
        self.program.close()

    def resize(self, size: str) -> None:
        """Give the window another size, WIDTHxHEIGHT."""
        width, height = (int(part) for part in size.split("x"))
        self.window.setMinimumSize(width, height)
        self.window.resize(width, height)
        self.settle()

    def trigger(self, action: str) -> None:
        """Do an action."""
        self.window.actions_by_id[action].trigger()
        self.settle()

    def settle(self) -> None:
        """Wait until everything is computed, kept and shown."""
        session, until = self.program.session, time.perf_counter() + 0.15
        while session.jobs.is_busy() or session.saving.is_busy or time.perf_counter() < until:
            self.app.processEvents()
            time.sleep(0.002)

    def take(self, tool: str) -> None:
        """Hold a tool by its name, and go to a frame in the middle of the heart."""
        self.window.desk.hold(tool)
        self.window.desk.go(FrameIndex(0, SLICES // 2))
        self.settle()

    # Events

    def brush_stroke(self, number: int) -> list[float]:
        """One stroke around the middle of the frame, on another frame each; milliseconds of each event."""
        desk = self.window.desk
        desk.go(FrameIndex(number % PHASES, 3 + number % (SLICES - 6)))
        desk.label = STRUCTURES[number % 3]
        desk.set_radius(9.0)
        self.settle()
        angle = np.linspace(0, 1.5 * np.pi, 60) + number
        middle = np.argwhere(self._labels() > 0).mean(axis=0)
        return self._drag(middle + 30 * np.stack([np.sin(angle), np.cos(angle)], axis=1))

    def contour_drag(self, number: int) -> list[float]:
        """One knot dragged outward and back; milliseconds of each event."""
        self.window.desk.go(FrameIndex(number % PHASES, 3 + number % (SLICES - 6)))
        self.window.desk.choose_label(STRUCTURES[number % 3])
        self.settle()
        feature = self.window.feature(ContourFeature)
        knots = feature.tool.contours[0].knot_points
        knot = knots[number % len(knots)]
        out = np.concatenate([np.linspace(0, 12, 30), np.linspace(12, 5, 30)])[:, None]
        away = knot - knots.mean(axis=0)
        return self._drag(knot + out * away / np.hypot(*away))

    def _labels(self) -> Any:
        return self.program.session.study.frame_state(self.window.desk.frame).labels

    def _drag(self, points: Any) -> list[float]:
        """A drag with the left button, an event each `EVENT_MS`; those that come too late for that become one, as Qt
        does it, and the first of them counts."""
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        self._send(QEvent.Type.MouseMove, points[0], none, none)
        self.app.processEvents()
        began = time.perf_counter()
        times, sent = [], 0
        while sent < len(points):
            due = began + sent * EVENT_MS / 1000.0
            while time.perf_counter() < due:
                busy = time.thread_time()
                self.app.processEvents()
                self.between.append(1000.0 * (time.thread_time() - busy))
                time.sleep(0.0003)
            busy = time.thread_time()
            late = int((time.perf_counter() - began) * 1000.0 / EVENT_MS)
            at = sent if sent == 0 else min(max(sent, late), len(points) - 1)
            self._send(QEvent.Type.MouseMove if sent else QEvent.Type.MouseButtonPress, points[at], left, left)
            self.app.sync()
            times.append(1000.0 * (time.perf_counter() - due))
            self.work.append(1000.0 * (time.thread_time() - busy))
            sent = at + 1
        busy = time.thread_time()
        self._send(QEvent.Type.MouseButtonRelease, points[-1], left, none)
        self.app.sync()
        self.released.append(1000.0 * (time.thread_time() - busy))
        return times

    def _send(self, kind: QEvent.Type, point: Any, button: Qt.MouseButton, held: Qt.MouseButton) -> None:
        view = self.window.parts.view
        at = view.to_widget((float(point[0]), float(point[1])))
        button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else button
        event = QMouseEvent(kind, at, QPointF(view.mapToGlobal(at)), button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(view, event)

    def cine(self, cycles: int) -> list[float]:
        """Milliseconds of each frame, phase after phase, while the player runs."""
        desk, times = self.window.desk, []
        desk.player.start(desk.frame.phase)
        desk.player._timer.setInterval(1 << 30)  # phases are asked for here, as fast as they are drawn
        for number in range(cycles * PHASES):
            began, busy = time.perf_counter(), time.thread_time()
            desk.player.phase_due.emit((number + 1) % PHASES)
            self.app.sync()
            times.append(1000.0 * (time.perf_counter() - began))
            self.work.append(1000.0 * (time.thread_time() - busy))
        desk.player.stop()
        self.settle()
        return times

    def forget_frames(self) -> None:
        """Let the view forget what it kept of frames, as after a change of zoom and labels."""
        view = self.window.parts.view
        view._grey._scaled_frames.clear()
        view._marks._remembered.clear()
        self.window.parts.strip.refresh_all()
        view.repaint()

    def rest(self) -> None:
        """Do nothing until the frames of the slice on show are ready."""
        ahead = self.window.feature(AheadFeature)
        ahead.begin_anew()
        while not ahead.is_ready:
            self.app.processEvents()
            time.sleep(0.002)

    # Figures

    def figures(self, times: list[float]) -> list[str]:
        """Percentiles, as cells of a table."""
        return [f"{self.percentile(times, share):.1f}" for share in (50, 95, 99)]

    @staticmethod
    def percentile(times: list[float], share: float) -> float:
        """Percentile of times."""
        return float(np.percentile(times, share))

    def line(self, times: list[float]) -> str:
        """Percentiles, as a line."""
        parts = [f"p{share:g} {self.percentile(times, share):.1f}" for share in (50, 95, 99)]
        return f"{' '.join(parts)} max {max(times):.1f} ms, {len(times)} events"

    @staticmethod
    def profile(work: Callable[[], Any]) -> None:
        """Print where the time goes."""
        profiler = cProfile.Profile(time.thread_time)
        profiler.enable()
        work()
        profiler.disable()
        pstats.Stats(profiler).sort_stats("cumtime").print_stats(80)


def markdown_table(heads: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; all columns but the first hold figures."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _models(folder: Path) -> Path:
    for role in Role:
        place = folder / f"{role.value}-1"
        place.mkdir(parents=True)
        (place / "plan.json").write_text(json.dumps({"model_id": place.name, "role": role.value}))
        (place / "weights.safetensors").write_bytes(b"0")
    return folder
