"""Opens the window and runs it until it is closed."""

import gc
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QTimer, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QMessageBox

import cmr_viewer
from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import Program, Reporter, open_program, start_reporting
from cmr_viewer.errors import StoreError
from cmr_viewer.paths import demo_study_dir, resources_dir
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.shell import ShellFeature
from cmr_viewer.ui.window.theme import apply_theme

INTERVAL_MS = 1000


class Collector(QObject):
    """Takes the place of automatic collection; made and used on the GUI thread, from before other threads start."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    @Slot()
    def collect(self) -> None:
        """Collect the oldest generation that is due by Python's own thresholds, with all younger ones."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > gc.get_threshold()[generation]:
                gc.collect(generation)
                return

    @Slot()
    def spare_what_is_loaded(self) -> None:
        """Look no more at what is alive now, until `stop`: modules for the most part, which live to the end anyway.

        Once torch is imported, looking at all of them takes more than 100 ms each time.
        """
        gc.freeze()

    def stop(self) -> None:
        """Hand collection back to Python, when the other threads have ended."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()


_SETTLE_MS = 400


class _Begin(QObject):
    """Starts the work behind the window once the window has been painted, and ends a run that was asked to end.

    Args:
        window: The window.
        program: What runs behind it.
        path: A study to open, or None.
        screenshot: Where to save a picture of the window before it is closed, or None.
        quit_after_s: Seconds after which the window is closed at the latest; None leaves it open, or closes it when the
            picture is taken.
    """

    def __init__(
        self,
        window: MainWindow,
        program: Program,
        path: Path | None,
        screenshot: Path | None,
        quit_after_s: float | None,
    ) -> None:
        super().__init__(window)
        self._window, self._program, self._path = window, program, path
        self._screenshot, self._quit_after_s = screenshot, quit_after_s
        self._begun = False
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Wait for the first paint."""
        if event.type() == QEvent.Type.Paint and not self._begun:
            self._begun = True
            QTimer.singleShot(0, self._begin)
        return False

    @Slot()
    def _begin(self) -> None:
        self._window.removeEventFilter(self)
        if self._screenshot is None:
            fit_on_screen(self._window)
        session = self._program.session
        if self._quit_after_s is not None:
            QTimer.singleShot(round(1000 * self._quit_after_s), self._end)
        if self._screenshot is not None:
            opened = session.study.analysed, session.opening.failed
            ends = opened if self._path is not None else (session.worklist.changed,)
            for signal in ends:
                signal.connect(self._end_soon)
            session.models.changed.connect(self._end_without_models)
            session.study.opened.connect(self._end_without_models)
        if self._path is not None:
            session.opening.open_path(self._path)
        self._program.start()

    @Slot()
    def _end_without_models(self) -> None:
        """Nothing is computed without models: the picture need not wait for more than the study."""
        if self._program.session.models.problem and self._program.session.study.data is not None:
            self._end_soon()

    @Slot()
    def _end_soon(self) -> None:
        QTimer.singleShot(_SETTLE_MS, self._end)

    @Slot()
    def _end(self) -> None:
        if self._screenshot is not None:
            self._window.grab().save(str(self._screenshot))
            self._screenshot = None
        self._window.close()


def run(
    argv_path: Path | None = None,
    demo: bool = False,
    workspace: Path | None = None,
    models: Path | None = None,
    screenshot: Path | None = None,
    quit_after_s: float | None = None,
    qt_arguments: list[str] | None = None,
) -> int:
    """Open the window and run it until it is closed. `cmr_viewer.app.startup` gives the order.

    Args:
        argv_path: A study to open, or None.
        demo: Whether to open the demo study, where no study is named.
        workspace: The workspace; None for the one in the settings.
        models: Folder of the models to start from; None for those that come with the program.
        screenshot: Where to save a picture of the window; it is taken when all is computed, or after `quit_after_s` at
            the latest, and the window is closed.
        quit_after_s: Seconds after which the window is closed, or None.
        qt_arguments: Arguments for Qt, such as ["-platform", "offscreen"].

    Returns:
        Exit status: 0, or 1 where the workspace cannot be opened.
    """
    reporter = start_reporting()
    try:
        settings = Settings.load()
        app = application(qt_arguments or [], settings.theme)
        program = _opened(settings, workspace, models, interactive=screenshot is None and quit_after_s is None)
        if program is None:
            return 1
        collector = Collector()
        program.session.models.changed.connect(collector.spare_what_is_loaded)
        try:
            return _show(
                app, program, reporter, argv_path or (demo_study_dir() if demo else None), screenshot, quit_after_s
            )
        finally:
            program.close()
            collector.stop()
    finally:
        reporter.stop()


def _show(
    app: QApplication,
    program: Program,
    reporter: Reporter,
    path: Path | None,
    screenshot: Path | None,
    quit_after_s: float | None,
) -> int:
    window = MainWindow(program.session, program.settings, str(program.workspace.folder))
    reporter.problem.connect(window.report)
    begin = _Begin(window, program, path, screenshot, quit_after_s)
    if screenshot is None:
        window.resize(window.size().boundedTo(window.screen().availableSize()))
    window.show()
    if path is None and screenshot is None and quit_after_s is None:
        _greet(window)
    status = int(app.exec())
    begin.deleteLater()
    reporter.problem.disconnect(window.report)
    window.deleteLater()
    app.processEvents()
    return status


def fit_on_screen(window: MainWindow) -> None:
    """Make a window with its frame no larger than the screen has room, and put it there; once it is shown."""
    screen, frame = window.screen().availableGeometry(), window.frameGeometry()
    if window.isMaximized() or window.isFullScreen() or screen.contains(frame):
        return
    around = frame.size() - window.size()
    window.resize(window.size().boundedTo(screen.size() - around))
    size = window.size() + around
    left = max(screen.left(), min(frame.left(), screen.right() + 1 - size.width()))
    top = max(screen.top(), min(frame.top(), screen.bottom() + 1 - size.height()))
    window.move(left, top)


def _greet(window: MainWindow) -> None:
    """Offer the tour to a reader who has never seen the program."""
    window.feature(ShellFeature).greet()


def application(arguments: list[str], theme: str = "system") -> QApplication:
    """The QApplication with the program's look; the one that exists already, if there is one.

    Args:
        arguments: For Qt.
        theme: One of `theme.THEMES`.
    """
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication([sys.argv[0], *arguments])
    app.setApplicationName("CMR Viewer")
    app.setApplicationVersion(cmr_viewer.__version__)
    for name in ("app.svg", "app.png"):
        picture = resources_dir() / "icons" / name
        if picture.exists():
            app.setWindowIcon(QIcon(str(picture)))
            break
    apply_theme(app, theme)
    return app


def _opened(settings: Settings, workspace: Path | None, models: Path | None, *, interactive: bool) -> Program | None:
    """Open the workspace; a problem is shown in a dialog, or on standard error where no one is at the screen."""
    report: Callable[[str], object] = _ask if interactive else _write
    try:
        return open_program(settings, workspace_folder=workspace, shipped_models=models)
    except StoreError as error:
        report(str(error))
        return None


def _ask(text: str) -> None:
    QMessageBox.critical(None, "CMR Viewer could not start", text)


def _write(text: str) -> None:
    sys.stderr.write(text + "\n")
