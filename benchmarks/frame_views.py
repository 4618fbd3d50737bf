"""Painting and cine with today's frame view and with pyqtgraph's, alternating in one run.

    python3 benchmarks/frame_views.py [--sizes 1280x800 3840x2160] [--strokes 12] [--rounds 3] [--cycles 2]
                                      [--pictures FOLDER] [--markdown FILE]

It needs an X server with a screen as large as the largest window, such as `Xvfb :91 -screen 0 3840x2160x24`, and
DISPLAY set to it. Each view has a window of its own, with the study of `painting.py` open (512 x 512 pixels, 12 slices,
30 phases, all segmented). While strokes are painted, a view draws all that it can: fills, outlines, a dashed proposal,
two other reads, insertion points, the mark of a pointer elsewhere, region border, notes and scale. A cine draws fills,
outlines, border, notes and scale.

Strokes are real: the pointer of the X server is moved and its button pressed (xdotool), 8 ms from event to event; the
clock runs from when an event was due until the window has drawn it. A cine asks for phase after phase and waits until
each is drawn. Processor time is of the whole process, its threads and the other work of the window included. Windows
take turns, stroke by stroke and cine by cine, so that other programs on the machine disturb all alike.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from benchmarks.desk import Desk

AIM_PAINT_MS, AIM_CINE_MS = 16.0, 1000.0 / 60.0
Times = dict[str, list[tuple[float, float]]]
"""(clock, processor) in ms by kind of view."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["1280x800", "3840x2160"])
    parser.add_argument("--strokes", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cycles", type=int, default=2)
    parser.add_argument("--pictures", type=Path, help="where a picture of each view is written")
    parser.add_argument("--markdown", type=Path, help="where the table is written")
    asked = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    from benchmarks.desk import markdown_table

    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        desks = opened(Path(folder), asked.sizes[0])
        for size in asked.sizes:
            extras = []
            for name, desk in desks.items():
                raised(desk)
                desk.resize(size)
                desk.take("brush")
                desk.trigger("zoom_heart")
                extras.append(Extras(desk))
                if asked.pictures:
                    asked.pictures.mkdir(parents=True, exist_ok=True)
                    desk.window.parts.view.grab().save(str(asked.pictures / f"{name}-{size}.png"))
            rows += table(f"{size}, brush", painting(desks, asked.strokes * asked.rounds), AIM_PAINT_MS)
            for each in extras:
                each.remove()
            for zoom in ("zoom_heart", "zoom_fit"):
                times = cine(desks, zoom, asked.rounds, asked.cycles)
                rows += table(f"{size}, cine, {zoom.replace('_', ' ')}", times, AIM_CINE_MS)
        for desk in desks.values():
            desk.close()
    if asked.markdown:
        heads = ["", "view", "p50, ms", "p99, ms", "within the aim", "processor p50, ms", "p99, ms", "to today's"]
        asked.markdown.write_text(markdown_table(heads, rows))


def opened(folder: Path, size: str) -> dict[str, "Desk"]:
    """A window for each kind of view."""
    from benchmarks.desk import Desk
    from benchmarks.frame_view_pyqtgraph import PlainView, TunedView
    from cmr_viewer.ui.frame.frame_view import FrameView
    from cmr_viewer.ui.window import layout

    desks = {}
    for name, kind in (("today's", FrameView), ("pyqtgraph", PlainView), ("pyqtgraph, tuned", TunedView)):
        layout.FrameView = kind  # type: ignore[misc]
        place = folder / name.replace(", ", "-").replace("'", "")
        place.mkdir()
        desk = Desk(place, size)
        desks[name] = desk
        assert type(desk.window.parts.view) is kind
        desk.window.hide()
    return desks


class Extras:
    """What a view can draw beside outlines, fills and notes."""

    def __init__(self, desk: "Desk") -> None:
        import numpy as np

        from cmr_viewer.domain.measures.insertion_points import InsertionPoints
        from cmr_viewer.ui.features.measures.feature import InsertionOverlay
        from cmr_viewer.ui.features.second_read.feature import ReadOverlay

        self._view = desk.window.parts.view
        labels = desk.program.session.study.frame_state(desk.window.desk.frame).labels
        assert labels is not None
        row, col = np.argwhere(labels == 2).mean(axis=0)
        reads, points = ReadOverlay(), InsertionOverlay()
        reads.show([np.roll(labels, 2, axis=0), np.roll(labels, -2, axis=1)])
        points.points = InsertionPoints((row - 20, col - 20), (row + 20, col - 20))
        self._overlays = (reads, points)
        for overlay in self._overlays:
            self._view.add_overlay(overlay)
        self._view.show_proposal(np.roll(labels, 3, axis=1))
        self._view.show_cursor((row + 5, col + 5))

    def remove(self) -> None:
        for overlay in self._overlays:
            self._view.remove_overlay(overlay)
        self._view.show_proposal(None)
        self._view.show_cursor(None)


def raised(desk: "Desk") -> None:
    """Show one window, at the corner of the screen."""
    for other in desk.app.topLevelWidgets():
        if other is not desk.window and other.isVisible() and other.isWindow() and type(other) is type(desk.window):
            other.hide()
    desk.window.show()
    desk.window.move(0, 0)
    desk.window.raise_()
    desk.window.activateWindow()
    desk.settle()


def painting(desks: dict[str, "Desk"], strokes: int) -> Times:
    """Real strokes, the windows in turn."""
    times: Times = {name: [] for name in desks}
    for number in range(strokes):
        for name in _turned(desks, number):
            raised(desks[name])
            times[name] += stroke(desks[name], number)
    return times


def stroke(desk: "Desk", number: int) -> list[tuple[float, float]]:
    """One stroke of the X server's pointer around the heart; (clock, processor) in ms of each event drawn."""
    import numpy as np
    from PySide6.QtCore import QEvent, QObject
    from PySide6.QtGui import QCursor

    from benchmarks.desk import EVENT_MS, PHASES, SLICES
    from cmr_viewer.domain.anatomy import STRUCTURES
    from cmr_viewer.domain.study import FrameIndex

    class Moves(QObject):
        seen = 0

        def eventFilter(self, watched: Any, event: Any) -> bool:
            self.seen += event.type() == QEvent.Type.MouseMove
            return False

    window, view = desk.window, desk.window.parts.view
    window.desk.go(FrameIndex(number % PHASES, 3 + number % (SLICES - 6)))
    window.desk.label = STRUCTURES[number % 3]
    window.desk.set_radius(9.0)
    desk.settle()
    angle = np.linspace(0, 1.5 * np.pi, 60) + number
    middle = np.argwhere(desk._labels() > 0).mean(axis=0)
    places = [
        view.mapToGlobal(view.to_widget((float(row), float(col))).toPoint())
        for row, col in middle + 30 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    ]
    QCursor.setPos(places[0])
    desk.settle()
    moves = Moves()
    view.installEventFilter(moves)
    subprocess.run(["xdotool", "mousedown", "1"], check=True)
    until = time.perf_counter() + 5.0
    while not view.is_dragging and time.perf_counter() < until:
        desk.app.processEvents()
    assert view.is_dragging, "the press did not reach the view"
    desk.app.sync()
    times, sent, began = [], 0, time.perf_counter()
    while sent < len(places):
        due = began + sent * EVENT_MS / 1000.0
        while time.perf_counter() < due:
            desk.app.processEvents()
            time.sleep(0.0003)
        busy, seen = time.process_time(), moves.seen
        late = int((time.perf_counter() - began) * 1000.0 / EVENT_MS)
        at = min(max(sent, late), len(places) - 1)
        moved = QCursor.pos() != places[at]
        QCursor.setPos(places[at])
        while moved and moves.seen == seen and time.perf_counter() < due + 1.0:
            desk.app.processEvents()
        desk.app.sync()
        if moved:
            times.append((1000.0 * (time.perf_counter() - due), 1000.0 * (time.process_time() - busy)))
        sent = at + 1
    subprocess.run(["xdotool", "mouseup", "1"], check=True)
    while view.is_dragging:
        desk.app.processEvents()
    view.removeEventFilter(moves)
    desk.settle()
    return times


def cine(desks: dict[str, "Desk"], zoom: str, rounds: int, cycles: int) -> Times:
    """All phases, the windows in turn; each has rested on its slice before, as a reader does."""
    from benchmarks.desk import PHASES

    times: Times = {name: [] for name in desks}
    for number in range(rounds):
        for name in _turned(desks, number):
            desk = desks[name]
            raised(desk)
            desk.take("move")
            desk.trigger(zoom)
            desk.rest()
            player = desk.window.desk.player
            player.start(desk.window.desk.frame.phase)
            player._timer.setInterval(1 << 30)  # phases are asked for here, as fast as they are drawn
            for phase in range(cycles * PHASES):
                began, busy = time.perf_counter(), time.process_time()
                player.phase_due.emit((phase + 1) % PHASES)
                desk.app.sync()
                times[name].append((1000.0 * (time.perf_counter() - began), 1000.0 * (time.process_time() - busy)))
            player.stop()
            desk.settle()
    return times


def _turned(desks: dict[str, "Desk"], number: int) -> list[str]:
    names = list(desks)
    first = number % len(names)
    return names[first:] + names[:first]


def table(what: str, times: Times, aim: float) -> list[list[str]]:
    """Print a table's rows, and return them."""
    import numpy as np

    rows, base = [], 0.0
    for name, pairs in times.items():
        clock, work = np.asarray(pairs).T
        base = base or float(np.median(work))
        parts = [float(np.percentile(each, share)) for each in (clock, work) for share in (50, 99)]
        within = f"{100.0 * float(np.mean(clock <= aim)):.0f} %"
        ratio = f"{float(np.median(work)) / base:.2f}"
        rows.append(
            [what, name, f"{parts[0]:.1f}", f"{parts[1]:.1f}", within, f"{parts[2]:.1f}", f"{parts[3]:.1f}", ratio]
        )
        print(" | ".join(rows[-1]), f"({len(clock)})", flush=True)
    return rows


if __name__ == "__main__":
    main()
