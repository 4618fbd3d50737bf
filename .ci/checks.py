"""Every check of the project, run by the Python of .venv; `python3 start.py check` sets it up and comes here.

    ruff check, ruff format, mypy, import contracts     read the code
    tests without Qt                                    everything below cmr_viewer.app, with PySide6 blocked
    tests with Qt, offscreen                            the rest, on Qt's platform without a screen
    tests with Qt, xcb                                  those marked `xcb`, on an X server (Xvfb), if it is installed
    coverage                                            of the three together

All run, whatever earlier ones find; the last lines are the summary. Pictures that tests take lie in artefacts/.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

COVERAGE_PERCENT = 80
STEP_LIMIT_S = 15 * 60

# What below tests/ runs with PySide6 blocked; everything else runs with it.
WITHOUT_QT = [
    *("domain", "load", "prepare", "classify", "networks", "route", "segment", "review", "store"),
    *("train", "promote", "evaluate", "commands", "export", "reading"),
    *(
        "test_analyse.py",
        "test_kill_learning.py",
        "test_learn.py",
        "test_pipeline.py",
        "test_words.py",
        "test_architecture.py",
        "test_file_names.py",
        "test_paths.py",
        "test_progress.py",
        "test_phantom.py",
        "test_start.py",
    ),
]


class Step(NamedTuple):
    """One check: its name, the command and what is added to its environment."""

    name: str
    command: list[str]
    environment: dict[str, str]


class Outcome(NamedTuple):
    """How a step went: exit status, duration, and the closing line of pytest where it is one."""

    name: str
    status: int
    seconds: float
    closing: str = ""


def show(text: str) -> None:
    """Write a line for the person at the terminal, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def reading_steps() -> list[Step]:
    """The checks that only read the code."""
    python = sys.executable
    contracts = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    return [
        Step("ruff check", [python, "-m", "ruff", "check", "."], {}),
        Step("ruff format", [python, "-m", "ruff", "format", "--check", "."], {}),
        Step("mypy", [python, "-m", "mypy"], {}),
        Step("import contracts", [python, "-c", contracts], {}),
    ]


def testing_steps(tests: Path, xvfb_run: str | None) -> list[Step]:
    """The tests in processes of their own, and the coverage of all of them.

    Args:
        tests: The folder of tests.
        xvfb_run: The command that starts an X server for another, or None where there is none.
    """
    without_qt = [str(tests / name) for name in WITHOUT_QT if (tests / name).exists()]
    with_qt = [str(tests), *(f"--ignore={path}" for path in without_qt)]
    pytest = [sys.executable, "-m", "pytest", "-o", "faulthandler_timeout=300", "--cov", "--cov-report="]
    # A file of tests shares what it prepares, so it stays in one process.
    blocked = ["-p", "tests.no_qt", "-p", "no:pytest-qt", "-n", "auto", "--dist", "loadfile"]
    steps = [
        Step("tests without Qt", [*pytest, *blocked, *without_qt], {}),
        Step(
            "tests with Qt, offscreen",
            [*pytest, "--cov-append", "-m", "not xcb", *with_qt],
            {"QT_QPA_PLATFORM": "offscreen"},
        ),
    ]
    if xvfb_run:
        server = [xvfb_run, "-a", "-s", "-screen 0 1920x1080x24 -nolisten tcp"]
        environment = {"QT_QPA_PLATFORM": "xcb", "QT_XCB_GL_INTEGRATION": "none", "WAYLAND_DISPLAY": ""}
        steps.append(Step("tests with Qt, xcb", [*server, *pytest, "--cov-append", "-m", "xcb", *with_qt], environment))
    coverage = ["coverage", "report", "--skip-covered", "--skip-empty", f"--fail-under={COVERAGE_PERCENT}"]
    return [*steps, Step("coverage", [sys.executable, "-m", *coverage], {})]


def run(step: Step) -> Outcome:
    """Run one check, its output shown as it comes; killed when it takes longer than `STEP_LIMIT_S`."""
    show(f"\n---- {step.name}")
    started = time.monotonic()
    closing = ""
    with subprocess.Popen(
        step.command,
        cwd=ROOT,
        env={**os.environ, "CMR_VIEWER_ARTEFACTS": str(ROOT / "artefacts"), **step.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        guard = threading.Timer(STEP_LIMIT_S, process.kill)
        guard.start()
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            closing = closing_of(line) or closing
        status = process.wait()
        guard.cancel()
    return Outcome(step.name, status, time.monotonic() - started, closing)


def closing_of(line: str) -> str:
    """`12 passed, 1 skipped in 3.45s` if the line is pytest's last, else nothing."""
    text = line.strip().strip("=").strip()
    return text if re.fullmatch(r"\d+ [a-z]+(, \d+ [a-z]+)* in [\d.]+s( \([\d:]+\))?", text) else ""


def total_of(outcomes: Sequence[Outcome]) -> str:
    """All runs of pytest in one line, in pytest's own words; tests deselected in one run are counted where they ran."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        for number, word in re.findall(r"(\d+) ([a-z]+)", outcome.closing.partition(" in ")[0]):
            plural = "errors" if word == "error" else "warnings" if word == "warning" else word
            if plural != "deselected":
                counts[plural] = counts.get(plural, 0) + int(number)
    order = sorted(counts, key=["failed", "errors", "passed", "skipped", "xfailed", "xpassed", "warnings"].index)
    seconds = sum(outcome.seconds for outcome in outcomes if outcome.closing)
    return (", ".join(f"{counts[word]} {word}" for word in order) or "no tests ran") + f" in {seconds:.2f}s"


def main() -> int:
    """Run all steps and close with the summary; 0 if all is well."""
    (ROOT / "artefacts").mkdir(exist_ok=True)
    xvfb_run = shutil.which("xvfb-run")
    outcomes = [run(step) for step in [*reading_steps(), *testing_steps(ROOT / "tests", xvfb_run)]]
    show("\n---- summary")
    for outcome in outcomes:
        verdict = "ok" if outcome.status == 0 else "FAILED"
        show(f"{verdict:<7} {outcome.name:<25} {outcome.seconds:6.1f} s  {outcome.closing}".rstrip())
    if not xvfb_run:
        show("skipped tests with Qt, xcb: there is no xvfb-run here (Debian, Ubuntu: sudo apt install xvfb xauth)")
    failed = [outcome.name for outcome in outcomes if outcome.status]
    show(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    show(f"===== {total_of(outcomes)} =====")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
