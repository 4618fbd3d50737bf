import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMessageLogContext, QtMsgType

from cmr_viewer.app.private_log import hide_from_log
from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import FAULT_LOG_NAME, LOG_NAME, Reporter, open_program, start_reporting
from cmr_viewer.errors import LoadError, WorkspaceInUseError
from cmr_viewer.store.database import open_workspace
from tests.app.test_session import kept
from tests.reading.small import FormulaFlow


@pytest.fixture
def reporter(qapp: Any, tmp_path: Path) -> Iterator[Reporter]:
    hooks = sys.excepthook, threading.excepthook
    made = start_reporting(tmp_path / "logs")
    yield made
    made.stop()
    sys.excepthook, threading.excepthook = hooks


def logged(reporter: Reporter) -> str:
    return (reporter.folder / LOG_NAME).read_text("utf-8")


def raised(error: Exception) -> tuple[type[Exception], Exception, Any]:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - any error is reported
        return type(caught), caught, caught.__traceback__


def test_versions_stand_at_the_head_of_the_log(reporter: Reporter) -> None:
    assert "CMR Viewer" in logged(reporter) and "Qt 6" in logged(reporter)
    assert (reporter.folder / FAULT_LOG_NAME).exists()


def test_an_exception_that_nobody_caught_is_logged_and_told(qtbot: Any, reporter: Reporter) -> None:
    with qtbot.waitSignal(reporter.problem) as told:
        reporter.on_exception(*raised(ZeroDivisionError("by zero")))
    severity, text, details = told.args
    assert severity == "error" and "ZeroDivisionError" in text and "by zero" in details
    assert "ZeroDivisionError: by zero" in logged(reporter)


def test_the_programs_own_errors_are_told_in_their_own_words_and_logged_without(qtbot: Any, reporter: Reporter) -> None:
    with qtbot.waitSignal(reporter.problem) as told:
        reporter.on_exception(*raised(LoadError("/data/Doe^Jane holds nothing.")))
    assert told.args[1] == "/data/Doe^Jane holds nothing."
    assert "LoadError" in logged(reporter) and "Doe" not in logged(reporter)


def test_an_exception_in_a_thread_is_told_on_the_gui_thread(qtbot: Any, reporter: Reporter) -> None:
    def fail() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail)
    with qtbot.waitSignal(reporter.problem) as told:
        thread.start()
    thread.join()
    assert "in a thread" in told.args[2]


def test_messages_of_qt_are_logged(reporter: Reporter) -> None:
    reporter.on_qt_message(QtMsgType.QtWarningMsg, QMessageLogContext(), "QPainter: not active")
    assert "WARNING" in logged(reporter) and "Qt: QPainter: not active" in logged(reporter)


def test_names_that_are_hidden_do_not_reach_the_log(reporter: Reporter) -> None:
    hide_from_log(Path("/data/Mustermann^Erika"))
    logging.getLogger("cmr_viewer.load").warning("No pixels in %s.", "/data/Mustermann^Erika/IM0001")
    logging.getLogger("cmr_viewer.load").error("Mustermann^Erika", exc_info=raised(OSError("Mustermann^Erika")))
    assert "Mustermann" not in logged(reporter) and "<study>" in logged(reporter)


def test_a_log_folder_that_cannot_be_written_does_not_keep_the_program_from_starting(qapp: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    hooks = sys.excepthook, threading.excepthook
    made = start_reporting(tmp_path / "file")
    made.stop()
    sys.excepthook, threading.excepthook = hooks


def test_a_program_is_opened_and_closed_in_order(
    qtbot: Any, tmp_path: Path, shipped: Path, formula: FormulaFlow
) -> None:
    settings = Settings(path=tmp_path / "settings.json", reader="R. Eader", warning="The settings were odd.")
    folder = tmp_path / "workspace of the program"
    program = open_program(settings, workspace_folder=folder, shipped_models=shipped, flow=formula.flow())
    told: list[tuple[str, str]] = []
    program.session.message.connect(lambda *args: told.append(args))
    with qtbot.waitSignal(program.session.models.changed):
        program.start()
    kept(qtbot, program.session)
    assert told == [("warning", "The settings were odd.")] and program.session.reads.reader == "R. Eader"
    with pytest.raises(WorkspaceInUseError):
        open_program(settings, workspace_folder=folder, shipped_models=shipped)
    program.close()
    assert settings.path.exists()
    with open_workspace(folder, reader="x") as again:
        assert again.recovery.text() == ""


def test_the_workspace_of_the_settings_is_opened(qapp: Any, tmp_path: Path, shipped: Path) -> None:
    settings = Settings(path=tmp_path / "settings.json", workspace=str(tmp_path / "mine"))
    program = open_program(settings, shipped_models=shipped)
    assert program.workspace.folder == tmp_path / "mine"
    program.close()


@pytest.mark.parametrize("debug", [False, True])
def test_the_console_shows_the_log_in_debugging_alone(tmp_path: Path, debug: bool) -> None:
    code = (
        "import logging, sys; from pathlib import Path; from cmr_viewer.app.startup import start_reporting;"
        f"logging.basicConfig(level=logging.{'DEBUG' if debug else 'WARNING'});"
        "reporter = start_reporting(Path(sys.argv[1])); logging.getLogger('cmr_viewer.x').error('It failed.');"
        "reporter.stop()"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "It failed." in (tmp_path / LOG_NAME).read_text("utf-8")
    assert ("It failed." in done.stderr) is debug and (done.stderr == "") is not debug
