"""Seconds from the README's command to a window on the screen, set-up already done.

    python3 benchmarks/start_to_window.py [--runs 5]

Needs an X server (or xvfb-run) and xdotool. Starts `python3 start.py` with a workspace of its own each time, waits
until a window of that name is visible, and ends it.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WINDOW_NAME = "CMR Viewer"
LIMIT_S = 60.0


def visible(process: int) -> bool:
    """Whether a window of the program is on the screen."""
    found = subprocess.run(
        ["xdotool", "search", "--onlyvisible", "--pid", str(process), "--name", WINDOW_NAME],
        capture_output=True,
        check=False,
    )
    return found.returncode == 0


def once() -> float:
    """One start."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder, "XDG_STATE_HOME": folder}
        began = time.perf_counter()
        command = [sys.executable, str(ROOT / "start.py")]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as program:
            try:
                while not visible(program.pid):
                    if time.perf_counter() - began > LIMIT_S or program.poll() is not None:
                        sys.exit("No window came.")
                    time.sleep(0.01)
                return time.perf_counter() - began
            finally:
                program.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    if not shutil.which("xdotool") or not os.environ.get("DISPLAY"):
        sys.exit("This needs xdotool and an X server: run it in a desktop session, or with xvfb-run.")
    seconds = [once() for _ in range(runs)]
    print(f"start to window: median {statistics.median(seconds):.2f} s, worst {max(seconds):.2f} s, {runs} runs")


if __name__ == "__main__":
    main()
