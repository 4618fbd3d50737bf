"""Mouse and keyboard of the scripted reader: events of an X server, through xdotool, and the program that gets them."""

import base64
import json
import os
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import exp, sqrt
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from benchmarks.scripted.pace import Effort, Place, length_of
from benchmarks.scripted.strategy import TOOLS, Sight, Step, radius_presses, target_px
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap

EVENT_S = 0.008
"""Between two moves of the mouse: one of 125 Hz."""

MOVE_PX = 6.0
"""Screen pixels between two moves while drawing."""

TREMOR_PX = 2.0
"""Standard deviation, on the screen, by which the hand misses a place: half a millimetre."""

TREMOR_LENGTH_PX = 40.0
"""Way of the pointer over which a drawing hand strays and comes back."""

_LIMIT_S = 120.0
_TOOL_KEYS = {"contour": "o", "click": "q", "brush": "b"}
_NAMES = {".": "period", ",": "comma", "[": "bracketleft", "]": "bracketright", "Del": "Delete", "Return": "Return"}


class LostError(RuntimeError):
    """The program did not do what its events should have made it do."""


class Program:
    """The program in a process of its own."""

    def __init__(self, study: Path, folder: Path, environment: dict[str, str], *, models: Path | None = None) -> None:
        script = Path(__file__).with_name("program.py")
        command = [sys.executable, str(script), str(study), "--workspace", str(folder / "workspace")]
        command += [] if models is None else ["--models", str(models)]
        self._log = (folder / "program.log").open("w")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=environment, text=True
        )

    def ask(self, what: str) -> dict[str, Any]:
        """What the periscope sees."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise LostError("The program has ended; its log says why.")
        return dict(json.loads(line))

    def close(self) -> None:
        """Close the window and wait for the program's end."""
        if self._process.poll() is None:
            self.ask("quit")
            self._process.wait(60)
        self._log.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._log.close()


class Hand:
    """Does steps with mouse and keys, waits until the program has taken them, and counts what a person would need."""

    def __init__(self, program: Program, environment: dict[str, str], seed: int, tremor_px: float = TREMOR_PX) -> None:
        self.program = program
        self.tremor_px = tremor_px
        self.effort = Effort()
        self.waited_s = 0.0
        self.slowest: list[tuple[float, str]] = []
        self._dice = random.Random(seed)
        self._xdotool = subprocess.Popen(["xdotool", "-"], stdin=subprocess.PIPE, env=environment, text=True)
        self._at: Place = (0.0, 0.0)
        self._released = 0
        self.seen: dict[str, Any] = {}

    def __enter__(self) -> "Hand":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._xdotool.stdin is not None
        self._xdotool.stdin.close()
        self._xdotool.wait(10)

    # Eyes

    def look(self) -> dict[str, Any]:
        """What is on the screen now."""
        self.seen = self.program.ask("look")
        return self.seen

    def wait_for_study(self, limit_s: float) -> None:
        """Wait until the study is open and everything is computed; then bring the window to the front."""
        until = time.monotonic() + limit_s
        while not self.look().get("ready"):
            if time.monotonic() > until:
                raise LostError("The study was not opened and analysed in time.")
            time.sleep(0.3)
        self._send(f"windowfocus {self.seen['window']}")
        until = time.monotonic() + 20
        while not self.look()["active"]:
            if time.monotonic() > until:
                raise LostError("The window does not get the keyboard.")
            time.sleep(0.05)
        self._released = self.seen["released"]

    @property
    def labels(self) -> LabelMap:
        """(row, col) label map on show."""
        data = zlib.decompress(base64.b64decode(self.seen["labels"]))
        return np.frombuffer(data, np.uint8).reshape(self.seen["shape"])

    @property
    def zoom(self) -> float:
        """Screen pixels for a pixel of the frame."""
        return float(self.seen["scale"][0])

    def sight(self, expert: LabelMap, compared: frozenset[Label], beside: Mapping[str, LabelMap]) -> Sight:
        """What the strategy needs to know."""
        seen = self.seen
        held, label, radius = seen["tool"], Label(seen["label"]), seen["radius"]
        return Sight(self.labels, expert, compared, self.zoom, held, label, radius, beside)

    def place(self, point: tuple[float, float]) -> Place:
        """Where a (row, col) is on the screen."""
        scale, origin = self.seen["scale"], self.seen["origin"]
        return origin[1] + point[1] * scale[1], origin[0] + point[0] * scale[0]

    # Hands

    def press(self, keys: str, times: int = 1) -> None:
        """Press a key, or keys together such as Shift+Del, some times."""
        parts = keys.split("+")
        chord = "+".join(_NAMES.get(each, each) for each in parts)
        self.effort.press_keys(len(parts) * times)
        began = time.perf_counter()
        for _ in range(times):
            self._send(f"key {chord}")
            self._released += len(parts)
        self._settle(began, keys)

    def go_to(self, point: tuple[float, float], size_px: float) -> None:
        """Bring the pointer to a (row, col)."""
        to = self._trembling(self.place(point))
        self.effort.point(length_of([self._at, to]), size_px)
        self._move(to)

    def click(self, point: tuple[float, float], size_px: float, *, right: bool = False) -> None:
        """Click at a (row, col)."""
        self.go_to(point, size_px)
        self.effort.click()
        began = time.perf_counter()
        self._send(f"click {3 if right else 1}")
        self._released += 1
        self._settle(began, "click")

    def drag(self, line: Sequence[tuple[float, float]], size_px: float, *, right: bool = False, held: str = "") -> None:
        """Drag along (row, col) points with a button down, and perhaps a key."""
        self.go_to(line[0], size_px)
        places = self._drawn([self.place(point) for point in line])
        self.effort.draw(places, self.zoom)
        button = 3 if right else 1
        if held:
            self.effort.press_keys(1)
            self._send(f"keydown {held}")
        self._send(f"mousedown {button}")
        for a, b in pairwise(places):
            moves = max(1, round(length_of([a, b]) / MOVE_PX))
            for number in range(1, moves + 1):
                part = number / moves
                self._move((a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])))
                time.sleep(EVENT_S)
        began = time.perf_counter()
        self._send(f"mouseup {button}")
        if held:
            self._send(f"keyup {held}")
        self._released += 1 + bool(held)
        self._settle(began, "stroke")

    def do(self, step: Step) -> None:
        """Do a step of the strategy."""
        self._get_ready(step)
        size = target_px(step, self.zoom)
        if step.kind in ("grow", "shrink", "nudge", "remove", "copy"):
            self.press(step.keys, step.times)
        elif step.kind == "click":
            self.click(step.line[0], 3 * self.zoom, right=not step.inside)
        elif step.kind == "draw":
            self.drag(step.line, size, held="shift")
        elif step.kind in ("pull", "redraw"):
            self.drag(step.line, size)
        else:
            self.drag(step.line, size, right=step.label is Label.BACKGROUND)

    def _get_ready(self, step: Step) -> None:
        """Take the tool, choose the label, set the size of the brush."""
        tool = TOOLS.get(step.kind, "")
        if tool and self.seen["tool"] != tool:
            self.press(_TOOL_KEYS[tool])
        if step.label is not Label.BACKGROUND and self.seen["label"] != int(step.label):
            self.press(str(int(step.label)))
        if step.radius_px is not None:
            presses = radius_presses(self.seen["radius"], step.radius_px)
            if presses:
                self.press("]" if presses > 0 else "[", abs(presses))
        if tool and self.seen["tool"] != tool:
            raise LostError(f"The tool in hand is {self.seen['tool']}, not {tool}.")

    def _trembling(self, place: Place) -> Place:
        return place[0] + self._dice.gauss(0, self.tremor_px), place[1] + self._dice.gauss(0, self.tremor_px)

    def _drawn(self, line: list[Place]) -> list[Place]:
        """Where a hand goes that follows a line: it strays, and what it strays by lasts for a while (an
        Ornstein-Uhlenbeck process along the line)."""
        off = (self._at[0] - line[0][0], self._at[1] - line[0][1])
        drawn = [self._at]
        for a, b in pairwise(line):
            lasts = exp(-length_of([a, b]) / TREMOR_LENGTH_PX)
            new = self.tremor_px * sqrt(1 - lasts * lasts)
            off = (lasts * off[0] + self._dice.gauss(0, new), lasts * off[1] + self._dice.gauss(0, new))
            drawn.append((b[0] + off[0], b[1] + off[1]))
        return drawn

    def _move(self, to: Place) -> None:
        self._at = (round(to[0]), round(to[1]))
        self._send(f"mousemove {self._at[0]} {self._at[1]}")

    def _send(self, command: str) -> None:
        assert self._xdotool.stdin is not None
        self._xdotool.stdin.write(command + "\n")
        self._xdotool.stdin.flush()

    def _settle(self, began: float, what: str) -> None:
        """Wait until the program has had all events and is done with what they began."""
        until = time.perf_counter() + _LIMIT_S
        while True:
            seen = self.look()
            if seen["dialog"]:
                raise LostError(f"A dialog stands in the way after {what}.")
            busy = seen["busy"] or seen["painting"] or (what == "click" and seen["ahead"])
            if seen["released"] >= self._released and not busy:
                break
            if time.perf_counter() > until:
                raise LostError(f"After {what} the program had {seen['released']} of {self._released} releases.")
            time.sleep(0.002)
        took = time.perf_counter() - began
        self.waited_s += took
        self.slowest.append((took, what))


def environment_for(folder: Path, display: str) -> dict[str, str]:
    """Environment of the program: a display, and settings of its own without retraining."""
    config = folder / "config" / "cmr-viewer"
    config.mkdir(parents=True, exist_ok=True)
    settings = {"reader": "scripted reader", "auto_retrain": False, "tour_seen": True, "theme": "dark"}
    (config / "settings.json").write_text(json.dumps(settings))
    places = {f"XDG_{name}_HOME": str(folder / "config") for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    return {**os.environ, **places, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
