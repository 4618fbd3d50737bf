"""Milliseconds to open each layout of the desk, to correct in it and to play it; and what the montage takes of memory.

    python3 benchmarks/layout_speed.py [--platform offscreen|xcb] [--size 1280x800] [--repeats 7] [--strokes 10]

The study of `painting.py`: 512 x 512 pixels, 12 slices, 30 phases, all segmented. Opening runs from the action until
the window has drawn the layout; thumbnails of the montage are made in idle turns after it, and how long all that are
seen take is given too. Strokes are those of `painting.py`, drawn in each layout. A turn of the montage's cine, or of
its wheel, runs until all thumbnails are drawn. Beside the time on the clock stands the processor's time of the window's
thread, in which other programs on the machine hardly count.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

AIM_OPEN_MS, AIM_STROKE_MS, AIM_CINE_MS = 100.0, 16.0, 1000.0 / 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", default="offscreen")
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--strokes", type=int, default=10)
    asked = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = asked.platform
    from benchmarks.desk import Desk

    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), asked.size)
        opening(desk, asked.repeats)
        corrections(desk, asked.strokes)
        montage(desk)
        desk.close()


def timed(desk: Any, work: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds until the window has drawn what some work brought: on the clock, and of the processor."""
    began, busy = time.perf_counter(), time.thread_time()
    work()
    desk.app.sync()
    return 1000.0 * (time.perf_counter() - began), 1000.0 * (time.thread_time() - busy)


def told(times: list[tuple[float, float]]) -> str:
    parts = []
    for name, column in (("clock", 0), ("processor", 1)):
        values = sorted(each[column] for each in times)
        parts.append(f"{name} median {values[len(values) // 2]:.1f}, largest {values[-1]:.1f} ms")
    return "; ".join(parts)


def opening(desk: Any, repeats: int) -> None:
    actions = desk.window.actions_by_id
    for name in ("ed_es", "before_after", "montage", "single"):
        times = []
        for _ in range(repeats):
            desk.trigger("layout_montage" if name == "single" else "layout_single")
            times.append(timed(desk, actions[f"layout_{name}"].trigger))
            desk.settle()
        met = max(each[1] for each in times) <= AIM_OPEN_MS
        print(f"open {name}: {told(times)}; first {times[0][0]:.1f} ms; {'met' if met else 'MISSED'}")


def corrections(desk: Any, strokes: int) -> None:
    for name in ("single", "ed_es", "before_after"):
        desk.trigger(f"layout_{name}")
        desk.take("brush")
        desk.work.clear()
        times: list[float] = []
        for number in range(strokes):
            times += stroke(desk, name, number)
        print(f"brush in {name}: {desk.line(times)}; processor {desk.line(desk.work)}; aim p99 <= {AIM_STROKE_MS:g} ms")


def stroke(desk: Any, layout: str, number: int) -> list[float]:
    """One of `Desk.brush_stroke`; in ED and ES at the side that is active, since another phase is none of both."""
    if layout != "ed_es":
        return desk.brush_stroke(number)  # type: ignore[no-any-return]
    desk.trigger("go_es" if number % 2 else "go_ed")
    phase, go = desk.window.desk.frame.phase, desk.window.desk.go
    desk.window.desk.go = lambda frame: go(type(frame)(phase, frame.slice_index))
    try:
        return desk.brush_stroke(number)  # type: ignore[no-any-return]
    finally:
        del desk.window.desk.go


def montage(desk: Any) -> None:
    from cmr_viewer.ui.layouts.feature import LayoutsFeature
    from cmr_viewer.ui.layouts.montage_plan import Columns

    before = resident_mb()
    desk.trigger("layout_montage")
    feature = desk.window.feature(LayoutsFeature).montage
    view = feature.view
    for columns in Columns:
        chosen = timed(desk, lambda columns=columns: feature.choose_columns(columns))
        view.refresh_all()
        began = time.perf_counter()
        desk.app.processEvents()
        while view._missing:
            desk.app.processEvents()
        made_ms = 1000.0 * (time.perf_counter() - began)
        seen = len(view.plan.seen(view.viewport().rect().translated(-view._scrolled())))
        made = f"{seen} thumbnails of {view.plan.side} made in {made_ms:.0f} ms"
        print(f"montage {columns}: chosen in {chosen[0]:.1f} ms; {made}")
        scroll(desk, view)
        cine(desk, view)
    print(f"memory: {before:.0f} MB before the montage, {resident_mb():.0f} MB after playing all of it")


def scroll(desk: Any, view: Any) -> None:
    bar = view.verticalScrollBar() if view.verticalScrollBar().maximum() else view.horizontalScrollBar()
    if not bar.maximum():
        return
    times = [timed(desk, lambda at=at: bar.setValue(at)) for at in range(0, min(bar.maximum(), 400), 8)]
    print(f"    scrolled: {told(times)}")
    bar.setValue(0)
    desk.settle()


def cine(desk: Any, view: Any) -> None:
    player = desk.window.desk.player
    desk.window.actions_by_id["play"].trigger()
    player._timer.setInterval(1 << 30)  # phases are asked for here
    while view._missing:
        desk.app.processEvents()
    times = [timed(desk, lambda phase=phase: player.phase_due.emit(phase % 30)) for phase in range(1, 61)]
    desk.window.actions_by_id["play"].trigger()
    desk.settle()
    middle = sorted(each[1] for each in times)[len(times) // 2]
    print(f"    cine: {told(times)}; 60 a second {'met' if middle <= AIM_CINE_MS else 'MISSED: the rate is told'}")


def resident_mb() -> float:
    """What the program holds of memory now; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024.0


if __name__ == "__main__":
    main()
