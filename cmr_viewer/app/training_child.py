"""The child process that trains, and what it writes to its standard output."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cmr_viewer.progress import Follow, not_followed
from cmr_viewer.promote.records import Trained

log = logging.getLogger(__name__)

NICE = 10
"""How much the child gives way to the window. POSIX `nice`; on Windows the priority class below normal."""

TERMINATE_SECONDS = 2.0
"""How long a child may take to end after SIGTERM before it is killed."""

EXIT_SECONDS = 10.0
"""How long a child that closed its output may take to end before it is killed."""

_FASTER_ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}
"""Keeps glibc from handing large batches back to the system after each step; it must be set before Python starts."""


@dataclass(eq=False)
class TrainingChild:
    """One run of the child; `run` blocks and belongs on a thread of its own, `cancel` may be called from any.

    The child gets a pipe as standard input that ends when this program ends, in whatever way: a child whose standard
    input ends has lost its window.

    Attributes:
        command: Program and arguments.
        stderr_file: Where its standard error goes, written over.
    """

    command: Sequence[str]
    stderr_file: Path
    _process: "subprocess.Popen[str] | None" = None
    _paused: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self, on_progress: Callable[[float, str], None], on_value: Follow = not_followed) -> Trained:
        """Start the child and follow it to its end.

        Args:
            on_progress: Called on this thread with (fraction, text).
            on_value: Called on this thread with values of the curves of the training.
        """
        self.stderr_file.parent.mkdir(parents=True, exist_ok=True)
        with self.stderr_file.open("w", encoding="utf-8") as stderr:
            try:
                with self._lock:
                    if self._cancelled.is_set():
                        return Trained(cancelled=True)
                    self._process = _start(self.command, stderr)
                    if self._paused:
                        self._ask()
            except OSError as error:
                return Trained(reason=f"Could not start the training process: {error.strerror or error}.")
            try:
                last = self._follow(self._process, on_progress, on_value)
            finally:
                self._ended.set()
        return self._result(self._process.returncode, last)

    def cancel(self) -> None:
        """Ask the child to end, and kill it if it does not; returns at once."""
        self._cancelled.set()
        with self._lock:
            process = self._process
        if process is None or self._ended.is_set():
            return
        _signal_group(process, kill=False)
        threading.Thread(target=self._kill_later, args=(process,), name="cmr-viewer-kill", daemon=True).start()

    def pause(self, paused: bool) -> None:
        """Ask the child to rest before its next step, or to go on; also before it is started."""
        with self._lock:
            if paused != self._paused:
                self._paused = paused
                self._ask()

    def _ask(self) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not self._ended.is_set():
            with contextlib.suppress(OSError, ValueError):  # the child is gone, which `run` finds
                process.stdin.write("pause\n" if self._paused else "go on\n")
                process.stdin.flush()

    def _kill_later(self, process: "subprocess.Popen[str]") -> None:
        if not self._ended.wait(TERMINATE_SECONDS):
            _signal_group(process, kill=True)

    def _follow(
        self, process: "subprocess.Popen[str]", on_progress: Callable[[float, str], None], on_value: Follow
    ) -> dict[str, Any]:
        """Read lines until the child closes its output; the last "done" or "error" line, or nothing."""
        assert process.stdout is not None and process.stdin is not None
        last: dict[str, Any] = {}
        with process.stdout, contextlib.suppress(BrokenPipeError), process.stdin:
            for line in process.stdout:
                message = _parsed(line)
                if message.get("event") == "progress":
                    on_progress(_fraction(message.get("fraction")), str(message.get("text", "")))
                elif message.get("event") == "curve":
                    with contextlib.suppress(KeyError, TypeError, ValueError):  # a line that is not whole is left out
                        on_value(str(message["curve"]), int(message["batch"]), float(message["value"]))
                elif message.get("event") in ("done", "error"):
                    last = message
        try:
            process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:  # it closed its output and does not end
            _signal_group(process, kill=True)
            process.wait()
        return last

    def _result(self, code: int, last: Mapping[str, Any]) -> Trained:
        if self._cancelled.is_set():
            return Trained(cancelled=True)
        if code == 0 and last.get("event") == "done":
            return Trained(last.get("assessment") or {})
        tail = self._stderr_tail()
        if tail:
            log.error("Training ended with code %s:\n%s", code, tail)
        return Trained(reason=_why(code, last, tail))

    def _stderr_tail(self, characters: int = 4000) -> str:
        try:
            return self.stderr_file.read_text(encoding="utf-8", errors="replace")[-characters:].strip()
        except OSError:
            return ""


def _start(command: Sequence[str], stderr: Any) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    if sys.platform == "linux":
        environment.update(_FASTER_ALLOCATOR)
    flags = 0
    if sys.platform == "win32":
        flags = (
            subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NO_WINDOW
        )
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
        creationflags=flags,
        start_new_session=sys.platform != "win32",
    )


def _signal_group(process: "subprocess.Popen[str]", *, kill: bool) -> None:
    """Signal the child and whatever it started; nothing happens where all of it has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)


def _parsed(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        log.info("Training: %s", line.rstrip())
        return {}
    return message if isinstance(message, dict) else {}


def _fraction(value: Any) -> float:
    return min(1.0, max(0.0, float(value))) if isinstance(value, int | float) else 0.0


def _why(code: int, last: Mapping[str, Any], tail: str) -> str:
    if last.get("event") == "error":
        return str(last.get("message", "")) or "Training failed without giving a reason."
    if code in (-9, 137):
        return "The training process was killed, probably because memory ran out. Close other programs and try again."
    if code < 0:
        return f"The training process crashed (signal {-code}). The log has details."
    line = tail.splitlines()[-1].strip() if tail else ""
    if code == 0:
        return "The training process ended without a result. The log has details."
    return f"The training process ended with code {code}{': ' + line if line else ''}."
