"""Milliseconds that a frame of the cine takes to be drawn, with outlines and fills on, and so frames a second.

    python3 benchmarks/cine_speed.py [--platform offscreen|xcb] [--sizes 1280x800 3840x2160] [--cycles 6] [--repeats 3]
                                     [--markdown FILE]

A real window on the synthetic study of `benchmarks/painting.py`: 512 x 512 pixels, 30 phases, all frames segmented.
Each phase is asked for as the player asks for it, and the clock runs until the window has drawn it. The first cycle, in
which each phase is drawn for the first time, is given apart. The frame is shown as the program opens it, zoomed to the
heart, and as a whole. Of several runs the one with the lowest 99th percentile is given. The first cycle is measured
twice: at once, with nothing ready, and as a reader finds it who has rested on the slice for a second or two.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from benchmarks.desk import Desk

AIM_MS = 1000.0 / 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", default="offscreen")
    parser.add_argument("--sizes", nargs="+", default=["1280x800", "3840x2160"])
    parser.add_argument("--cycles", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--markdown", type=Path, help="where the table is written")
    asked = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = asked.platform
    from benchmarks.desk import Desk, markdown_table

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), asked.sizes[0])
        for size in asked.sizes:
            desk.resize(size)
            for name in ("zoom_heart", "zoom_fit"):
                desk.take("move")
                desk.trigger(name)
                firsts = {}
                for state in ("nothing ready", "after a rest"):
                    desk.forget_frames()
                    if state == "after a rest":
                        desk.rest()
                    desk.work.clear()
                    firsts[state] = desk.cine(1), list(desk.work)
                desk.work.clear()
                runs = [desk.cine(asked.cycles) for _ in range(asked.repeats)]
                best = min(runs, key=lambda times: desk.percentile(times, 99))
                view = desk.window.parts.view
                where = f"{size} (frame {view.width()}x{view.height()}), {name.replace('_', ' ')}"
                for state, (clock, work) in firsts.items():
                    print(f"{where}, first cycle, {state}: {desk.line(clock)}; processor time {desk.line(work)}")
                    rows.append(_row(desk, f"{where}, first cycle, {state}", clock, work))
                for times in runs:
                    print(f"{where}, one run: {desk.line(times)}")
                print(f"{where}, processor time, all runs: {desk.line(desk.work)}")
                rows.append(_row(desk, f"{where}, from the second cycle on", best, desk.work))
                rate = 1000.0 / desk.percentile(best, 50)
                share = 100.0 * sum(each <= AIM_MS for each in best) / len(best)
                print(f"{where}, quietest: {desk.line(best)}; {rate:.0f} frames/s, {share:.1f} % within 1/60 s")
                if asked.profile:
                    desk.profile(lambda: desk.cine(3))
        desk.close()
    if asked.markdown:
        heads = ["", "p50, ms", "p99, ms", "within 1/60 s", "processor time p50, ms", "p99, ms"]
        asked.markdown.write_text(markdown_table(heads, rows))


def _row(desk: "Desk", what: str, clock: list[float], work: list[float]) -> list[str]:
    share = 100.0 * sum(each <= AIM_MS for each in clock) / len(clock)
    parts = [desk.percentile(times, share) for times in (clock, work) for share in (50, 99)]
    return [what, f"{parts[0]:.1f}", f"{parts[1]:.1f}", f"{share:.0f} %", f"{parts[2]:.1f}", f"{parts[3]:.1f}"]


if __name__ == "__main__":
    main()
