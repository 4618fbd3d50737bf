"""How the program with a window starts and ends.

The order, each step relying on the ones before it:

    1.  `__main__` reads the command line. Nothing heavy is imported yet.
    2.  `start_reporting`: log file, fault handler, hooks for exceptions of all threads and for Qt's messages. From here
        on nothing goes wrong in silence.
    3.  `Settings.load`. A file that cannot be read gives the defaults and a warning.
    4.  ui makes the QApplication.
    5.  `open_program`: the workspace is opened (locked, mended, recovery noted), then registry and session
        are made. `StoreError` goes to a dialog: another window may hold the workspace.
    6.  ui makes the main window, connects `Reporter.problem` and `Session`, and shows it.
    7.  A study that was named on the command line: `StudyOpening.open_path`.
    8.  `Program.start`: worklist, and models on the job thread. torch is imported here, off the GUI thread, with the
        window on the screen and behind the study in the queue.

At the end: `Program.close` cancels a training, writes everything that is queued, joins the threads, saves the settings
and closes the workspace; `Reporter.stop` takes the hooks away.
"""

import faulthandler
import logging
import logging.handlers
import platform
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, Signal, qInstallMessageHandler, qVersion

from cmr_viewer import __version__
from cmr_viewer.analyse import Flow
from cmr_viewer.app.private_log import PrivateFormatter, without_names
from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.errors import CmrViewerError, StoreError
from cmr_viewer.paths import default_workspace_dir, index_dir, log_dir, shipped_models_dir
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.model_registry import ModelRegistry

log = logging.getLogger(__name__)

LOG_NAME = "cmr-viewer.log"
FAULT_LOG_NAME = "fault.log"
LOG_BYTES = 1_000_000
LOG_FILES = 5

_QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class Reporter(QObject):
    """Writes what goes wrong to the log, for the window too.

    Signals:
        problem(str severity, str text, str details): Something unexpected happened; severity is "warning" or "error",
            `details` a traceback without names of studies.
    """

    problem = Signal(str, str, str)

    def __init__(self, folder: Path) -> None:
        """Make a reporter; `start` puts it in place.

        Args:
            folder: Where the logs go; made if missing.
        """
        super().__init__()
        self.folder = folder
        self._handler: logging.Handler | None = None
        self._fault_file: IO[str] | None = None

    def start(self) -> None:
        """Take over logging, the exception hooks and Qt's messages.

        A log folder that cannot be written is no reason not to start: the log then goes to standard error.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._handler = logging.handlers.RotatingFileHandler(
                self.folder / LOG_NAME,
                maxBytes=LOG_BYTES,
                backupCount=LOG_FILES,
                encoding="utf-8",
                errors="backslashreplace",
            )
            self._fault_file = (self.folder / FAULT_LOG_NAME).open("a", encoding="utf-8")
        except OSError:
            self._handler = logging.StreamHandler()
        self._handler.setFormatter(PrivateFormatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
        logger = logging.getLogger("cmr_viewer")
        logger.addHandler(self._handler)
        logger.setLevel(logging.INFO)
        # The log has it; on the console it is of use with --debug alone.
        logger.propagate = logging.getLogger().isEnabledFor(logging.DEBUG)
        if self._fault_file is not None:
            faulthandler.enable(self._fault_file)
        sys.excepthook = self.on_exception
        threading.excepthook = self._on_thread_exception
        qInstallMessageHandler(self.on_qt_message)
        log.info(
            "CMR Viewer %s, Python %s, Qt %s, %s.", __version__, platform.python_version(), qVersion(), sys.platform
        )

    def stop(self) -> None:
        """Give back what `start` took."""
        qInstallMessageHandler(None)
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__
        faulthandler.disable()
        if self._handler is not None:
            logging.getLogger("cmr_viewer").removeHandler(self._handler)
            logging.getLogger("cmr_viewer").propagate = True
            self._handler.close()
            self._handler = None
        if self._fault_file is not None:
            self._fault_file.close()
            self._fault_file = None

    def on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Report an exception that nobody caught; the program goes on. For `sys.excepthook`."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        log.error("An exception was not caught.", exc_info=(kind, error, trace))
        if isinstance(error, CmrViewerError):
            text = str(error)
        else:
            text = f"An unexpected error occurred ({kind.__name__}). Accepted frames are saved. The log has details."
        details = "".join(traceback.format_exception(kind, error, trace))
        self.problem.emit("error", text, without_names(details))

    def on_qt_message(self, kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
        """Write a message of Qt to the log. For `qInstallMessageHandler`."""
        log.log(_QT_LEVELS.get(kind, logging.WARNING), "Qt: %s", text)

    def _on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self.on_exception(args.exc_type, args.exc_value, args.exc_traceback)


def start_reporting(folder: Path | None = None) -> Reporter:
    """Step 2: a reporter that is in place.

    Args:
        folder: Where the logs go; None for the usual place.
    """
    reporter = Reporter(log_dir() if folder is None else folder)
    reporter.start()
    return reporter


@dataclass
class Program:
    """One running program, without its window.

    Attributes:
        settings: What the reader has set.
        workspace: Where everything is saved.
        session: The reader's work, and training beside it.
    """

    settings: Settings
    workspace: Workspace
    session: Session

    def start(self) -> None:
        """Step 8: models and worklist, after the window is shown."""
        self.session.start()
        if self.settings.warning:
            self.session.message.emit("warning", self.settings.warning)

    def close(self) -> None:
        """End everything in order; nothing that was done is lost. Told in the log, since the window may be gone."""
        self.session.shutdown()
        try:
            self.settings.save()
        except StoreError as error:
            log.warning("The settings were not saved: %s", error)
        try:
            self.workspace.close()
        except StoreError as error:
            log.warning("The workspace was not closed properly: %s", error)


def open_program(
    settings: Settings,
    *,
    workspace_folder: Path | None = None,
    shipped_models: Path | None = None,
    flow: Flow | None = None,
) -> Program:
    """Step 5: open the workspace and make the session.

    Args:
        settings: What the reader has set.
        workspace_folder: The workspace; None for the one in the settings, or else the default one.
        shipped_models: Folder of the models that come with the program; None for the usual place.
        flow: What computes; None for the program's own pipeline.

    Raises:
        WorkspaceInUseError: Another window holds the workspace.
        StoreError: The workspace cannot be opened.
    """
    chosen = Path(settings.workspace) if settings.workspace else default_workspace_dir()
    workspace = open_workspace(workspace_folder or chosen, reader=settings.reader)
    registry = ModelRegistry(shipped_models or shipped_models_dir(), workspace)
    session = Session(workspace, registry, settings, flow=flow, index=index_dir(), shipped_models=shipped_models)
    return Program(settings, workspace, session)
