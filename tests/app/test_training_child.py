import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.app.training_child import TrainingChild

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


def child(tmp_path: Path, script: str) -> TrainingChild:
    return TrainingChild([sys.executable, "-S", "-c", script], tmp_path / "log" / "training.log")


def ignore(fraction: float, text: str) -> None:
    pass


def test_progress_and_the_last_line_are_read(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    values: list[tuple[str, int, float]] = []
    script = """if True:
        print('{"event": "curve", "curve": "loss", "batch": 20, "value": 0.25}')
        print('{"event": "curve", "curve": "loss", "batch": null}')
        print('{"event": "progress", "fraction": 0.5, "text": "Half"}')
        print('not json')
        print('[1]')
        print('{"event": "progress", "fraction": 7, "text": "More"}')
        print('{"event": "done", "assessment": {"frames": 3}}')
    """
    result = child(tmp_path, script).run(lambda *args: told.append(args), lambda *args: values.append(args))
    assert values == [("loss", 20, 0.25)]
    assert told == [(0.5, "Half"), (1.0, "More")]
    assert result.assessment == {"frames": 3} and not result.cancelled and result.reason == ""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("""print('{"event": "error", "message": "Too few."}'); raise SystemExit(1)""", "Too few."),
        ("import sys; print('a\\nlast words', file=sys.stderr); raise SystemExit(3)", "with code 3: last words."),
        ("pass", "ended without a result"),
        ("""print('{"event": "done"}'); raise SystemExit(1)""", "ended with code 1."),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)", "killed, probably because memory ran out", marks=needs_signals
        ),
        pytest.param("import os; os.kill(os.getpid(), 11)", "crashed (signal 11)", marks=needs_signals),
    ],
)
def test_a_child_that_fails_is_told_with_its_reason(tmp_path: Path, script: str, reason: str) -> None:
    result = child(tmp_path, script).run(ignore)
    assert result.assessment is None and not result.cancelled and reason in result.reason


def test_a_program_that_is_missing_is_told(tmp_path: Path) -> None:
    result = TrainingChild([str(tmp_path / "nothing")], tmp_path / "training.log").run(ignore)
    assert result.reason.startswith("Could not start the training process")


def run_and_cancel(tmp_path: Path, script: str) -> tuple[bool, list[str]]:
    """Cancel a child once it has told its progress; whether it was cancelled, and what it told."""
    one = child(tmp_path, script)
    told: list[str] = []
    ready = threading.Event()

    def on_progress(fraction: float, text: str) -> None:
        told.append(text)
        ready.set()

    results = []
    thread = threading.Thread(target=lambda: results.append(one.run(on_progress)))
    thread.start()
    assert ready.wait(20)
    one.cancel()
    thread.join(20)
    assert not thread.is_alive()
    return results[0].cancelled, told


SAY = 'print(\'{"event": "progress", "fraction": 0, "text": "\' + str(os.getpid()) + \'"}\', flush=True)'


def test_cancel_ends_the_child(tmp_path: Path) -> None:
    cancelled, told = run_and_cancel(tmp_path, f"import os, time\n{SAY}\ntime.sleep(60)")
    assert cancelled
    with pytest.raises(OSError, match=r".*"):
        os.kill(int(told[0]), 0)


@needs_signals
def test_a_child_that_does_not_listen_is_killed_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmr_viewer.app.training_child.TERMINATE_SECONDS", 0.1)
    script = f"""if True:
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])
        {SAY}
        time.sleep(60)
    """
    cancelled, _ = run_and_cancel(tmp_path, script)
    assert cancelled


def test_a_child_cancelled_before_it_began_does_not_begin(tmp_path: Path) -> None:
    one = child(tmp_path, f"open({str(tmp_path / 'trace')!r}, 'w')")
    one.cancel()
    assert one.run(ignore).cancelled and not (tmp_path / "trace").exists()


@needs_signals
def test_a_child_whose_window_was_killed_sees_the_end_of_its_standard_input(qtbot: Any, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    child_script = f"import os, sys\n{SAY}\nsys.stdin.read()\nopen({str(trace)!r}, 'w').close()"
    window_script = f"""if True:
        import sys
        from pathlib import Path
        from cmr_viewer.app.training_child import TrainingChild
        one = TrainingChild([sys.executable, '-S', '-c', {child_script!r}], Path({str(tmp_path / "training.log")!r}))
        one.run(lambda fraction, text: print(text, flush=True))
    """
    with subprocess.Popen([sys.executable, "-c", window_script], stdout=subprocess.PIPE, text=True) as window:
        assert window.stdout is not None and int(window.stdout.readline())
        window.kill()
    qtbot.waitUntil(trace.exists)
