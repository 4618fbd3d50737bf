"""What could not be saved, such as on a full disk: shown until it is saved, with a question before it is lost."""

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QMessageBox, QToolButton, QWidget

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.errors import CmrViewerError
from cmr_viewer.ui.window.studies import show_dialog
from cmr_viewer.ui.window.theme import icon


def unsaved_text(session: Session) -> str:
    """What could not be saved, in words."""
    frames = session.saving.unsaved_frames
    if not frames:
        return "Changes could not be saved"
    return "1 frame could not be saved" if frames == 1 else f"{frames} frames could not be saved"


class UnsavedButton(QToolButton):
    """Stands in the status bar as long as something is not saved; a click tries again.

    Args:
        session: The session.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setIcon(icon("error", "bad"))
        self.setIconSize(QSize(16, 16))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clicked.connect(session.saving.save_again)
        session.saving.unsaved_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what is not saved now."""
        text = unsaved_text(self._session)
        self.setText(f"{text}: try again")
        self.setToolTip(f"{text}. Free up space on the disk, then click to try again")
        self.setAccessibleName(f"{text}: try again")
        self.setVisible(self._session.saving.has_unsaved)


class Quitting(QObject):
    """Asks before the window closes on work that is not on disk: try again, save elsewhere, or quit and lose it.

    Args:
        session: The session.
        settings: Name the workspace of the next start.
        window: The window.

    Signals:
        may_quit(): The question is answered; the window may close.
    """

    may_quit = Signal()

    def __init__(self, session: Session, settings: Settings, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._settings, self._window = session, settings, window
        self._lose = False
        self._question: QMessageBox | None = None

    def ask(self) -> bool:
        """Whether the window may close at once; else the reader is asked."""
        if self._lose or self._session.study.finish_saving():
            return True
        self._ask(unsaved_text(self._session) + ".")
        return False

    def _ask(self, text: str) -> None:
        if self._question is not None:
            return
        box = QMessageBox(QMessageBox.Icon.Warning, "Not saved", text, parent=self._window)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setInformativeText(
            f"Could not write to the workspace {self._session.workspace.folder}. Free up space on its disk and "
            "try again, or save a copy of the whole workspace elsewhere."
        )
        roles = QMessageBox.ButtonRole
        for name, title, role, slot in (
            ("try_again", "Try again", roles.AcceptRole, self._try_again),
            ("elsewhere", "Save elsewhere…", roles.ActionRole, self._choose_folder),
            ("lose", "Quit and lose them", roles.DestructiveRole, self._quit),
        ):
            button = box.addButton(title, role)
            button.setObjectName(name)
            button.clicked.connect(slot)
        stay = box.addButton("Do not quit", roles.RejectRole)
        box.setEscapeButton(stay)
        box.finished.connect(self._forget)
        self._question = box
        show_dialog(box)

    @Slot()
    def _forget(self) -> None:
        self._question = None

    @Slot()
    def _try_again(self) -> None:
        self._question = None
        if self.ask():
            self.may_quit.emit()

    @Slot()
    def _quit(self) -> None:
        self._lose = True
        self.may_quit.emit()

    @Slot()
    def _choose_folder(self) -> None:
        self._question = None
        chosen = QFileDialog.getExistingDirectory(self._window, "Save the workspace in", str(Path.home()))
        if chosen:
            self.save_in(Path(chosen))
        else:
            self._ask(unsaved_text(self._session) + ".")

    def save_in(self, folder: Path) -> None:
        """Save the whole workspace in a new folder within this one, and quit once it is there."""
        name = f"CMR Viewer workspace {datetime.now().astimezone():%Y-%m-%d %H.%M.%S}"
        self._session.saving.save_elsewhere(folder / name, self._on_saved, self._ask)

    def _on_saved(self, folder: Path) -> None:
        self._settings.workspace = str(folder)
        more = "From the next start, the program opens this workspace."
        try:
            self._settings.save()
        except (CmrViewerError, OSError):
            more = f"To continue with it, start the program with --workspace “{folder}”."
        text = f"Everything was saved in {folder}. {more}"
        box = QMessageBox(QMessageBox.Icon.Information, "Saved elsewhere", text, parent=self._window)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.finished.connect(self.may_quit)
        show_dialog(box)
