"""Studies come and go: what is opened, how, and the notes on it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDialog, QFileDialog, QMenu, QWidget

from cmr_viewer.app.opening import OPEN_KEY
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.file_names import path_of_text, readable
from cmr_viewer.load.gather import IMAGE_ENDINGS, archive_of
from cmr_viewer.paths import demo_study_dir
from cmr_viewer.ui.dialogs.study_dialogs import NotesDialog, SpacingDialog, StacksDialog, notes_of
from cmr_viewer.ui.window.feature import Context, Feature, Wire

_FILES = "Studies (*.nii *.nii.gz *.mha *.mhd *.nrrd *.nhdr *.dcm *.zip DICOMDIR);;All files (*)"
_PATIENCE_MS = 250
"""How long the open study stays displayed while another is loading; most are loaded by then."""


class Studies(Feature):
    """Opens studies, shows them coming, and asks what can be decided about them; every window has it.

    Attributes:
        recent_menu: The studies opened last.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._session, self._settings, self._parts = context.session, context.settings, context.parts
        self._actions, self._window = context.actions, context.window
        self._asked, self._asked_stack = Path(), ""
        self._locate = QAction("Locate\u2026", self)
        self._locate.triggered.connect(self.locate)
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(self._show_page)
        self.recent_menu = QMenu("Open &recent", context.window)
        self.recent_menu.aboutToShow.connect(self._fill_recent)
        self._parts.welcome.show_recent(self._settings.recent_studies)

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        session = self._session
        return {
            "open_folder": self.open_folder,
            "open_file": self.open_file,
            "open_demo": self.open_demo,
            "cancel_opening": session.opening.cancel,
            "choose_stack": self.choose_stack,
            "turn_round": session.opening.swap_ends,
            "correct_spacing": self.correct_spacing,
            "slice_axis": session.opening.take_next_slice_axis,
            "any_size": session.opening.change_any_size,
            "study_notes": self.show_notes,
        }

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session, parts = self._session, self._parts
        return (
            (parts.welcome.study_chosen, self.open_path),
            (parts.opening.cancel_wanted, session.opening.cancel),
            (session.opening.started, self.show_opening),
            (session.opening.previewed, parts.opening.show_preview),
            (session.opening.failed, self.show_failed),
            (session.opening.cancelled, self.show_cancelled),
            (session.study.opened, self.show_opened),
            (session.study.closed, self.show_closed),
            (session.jobs.progressed, self.show_progress),
        )

    # Opening

    @Slot(object, object)
    @Slot(object)
    def open_path(self, path: Path, stack_id: str | None = None) -> None:
        """Open a study; with the id of its stack where the worklist names one."""
        self._asked_stack = stack_id or ""
        self._session.opening.open_path(path, stack_id)

    def open_paths(self, studies: Sequence[Path]) -> None:
        """Open the first of several studies; the others wait in the worklist."""
        if not studies:
            return
        first, *others = studies
        if others:
            self._session.worklist.add(others)
            text = f"{len(studies)} studies dropped: the first is being opened, the others are in the worklist."
            if all(path.is_dir() for path in studies) and len({path.parent for path in studies}) == 1:
                text += " If they are series of one study, drop the folder that contains them."
            self.context.show_message("info", text)
        self.open_path(first)

    @Slot()
    def open_folder(self) -> None:
        """Ask for a folder."""
        chosen = QFileDialog.getExistingDirectory(
            self._window, "Open a folder of DICOM files", last_folder(self._settings)
        )
        if chosen:
            self.open_path(Path(chosen))

    @Slot()
    def open_file(self) -> None:
        """Ask for a file."""
        chosen, _ = QFileDialog.getOpenFileName(self._window, "Open a study", last_folder(self._settings), _FILES)
        if chosen:
            self.open_path(Path(chosen))

    @Slot()
    def open_demo(self) -> None:
        """Open the study that comes with the program."""
        self.open_path(demo_study_dir())

    @Slot()
    def open_recent(self) -> None:
        """Open the study that the menu's line names."""
        action = self.sender()
        if isinstance(action, QAction):
            self.open_path(path_of_text(str(action.data())))

    def _fill_recent(self) -> None:
        self.recent_menu.clear()
        for text in self._settings.recent_studies:
            path = path_of_text(text)
            action = self.recent_menu.addAction(readable(path.name).replace("&", "&&"))
            action.setData(text)
            action.setToolTip(readable(str(path)))
            action.triggered.connect(self.open_recent)
        if not self._settings.recent_studies:
            self.recent_menu.addAction("No recent studies").setEnabled(False)

    # What the session signals

    @Slot(str)
    def show_opening(self, path: str) -> None:
        """A study is being loaded."""
        self._asked = path_of_text(path)
        self._parts.opening.begin(readable(self._asked.name))
        if self._session.study.data is None:
            self._show_page()
        else:
            self._patience.start()
        self.context.refresh_possible()

    @Slot(str, float, str)
    def show_progress(self, key: str, fraction: float, text: str) -> None:
        """How far a job is."""
        if key == OPEN_KEY:
            self._parts.opening.show_progress(fraction, text)

    @Slot(str)
    def show_failed(self, text: str) -> None:
        """It could not be loaded; where it is no longer there, the reader can point at where it is now."""
        self._show_page()
        gone = not self._asked.exists() and archive_of(self._asked) is None
        self._parts.bell.add("error", text, study=readable(self._asked.name))
        self._parts.messages.show_message(
            "error", text, self._locate if gone else None, study=readable(self._asked.name)
        )

    @Slot()
    def locate(self) -> None:
        """Ask where the study is now that was not found, and open it; what was saved of it is found by its images."""
        lost, start = self._asked, self._asked.parent
        while not start.is_dir() and start != start.parent:
            start = start.parent
        title = f"Where is {readable(lost.name)} now?"
        if lost.name.lower().endswith((*IMAGE_ENDINGS, ".zip", ".dcm")):
            chosen, _ = QFileDialog.getOpenFileName(self._window, title, str(start), _FILES)
        else:
            chosen = QFileDialog.getExistingDirectory(self._window, title, str(start))
        if chosen:
            self._session.worklist.remove([lost])
            self._settings.forget_study(lost)
            self.open_path(Path(chosen), self._asked_stack or None)

    @Slot()
    def show_cancelled(self) -> None:
        """The reader stopped it."""
        self._show_page()
        self.context.show_message("info", "Opening was cancelled.")

    @Slot()
    def show_opened(self) -> None:
        """A study is there."""
        study = self._session.study.data
        if study is None:
            return
        self._show_page()
        self._parts.view.setFocus()
        self._settings.remember_study(study.source)
        notes = notes_of(study, self._session.opening.chosen)
        self._actions["study_notes"].setIconText("1 note" if len(notes) == 1 else f"{len(notes)} notes")
        self._show_first_note(notes, len(study.warnings), spacing_known=study.stack.geometry.spacing_known)

    @Slot()
    def show_closed(self) -> None:
        """No study is open."""
        self._parts.welcome.show_recent(self._settings.recent_studies)
        self._show_page()

    def _show_page(self) -> None:
        """Put in the middle what belongs there now."""
        self._patience.stop()
        parts = self._parts
        if self._session.opening.is_busy:
            page: QWidget = parts.opening
        else:
            parts.opening.begin("")
            page = parts.welcome if self._session.study.data is None else parts.desk_page
        parts.middle.setCurrentWidget(page)
        self.context.refresh_possible()

    def _show_first_note(self, notes: Sequence[str], warnings: int, *, spacing_known: bool) -> None:
        """Show the first note in the bar, and list all behind the bell; the first `warnings` notes are warnings."""
        study = self._session.study.data
        name = "" if study is None else study.name
        for number, text in enumerate(notes):
            self._parts.bell.add("warning" if number < warnings else "info", text, study=name, ends=True)
        if not notes:
            return
        text, action = notes[0], "study_notes"
        if len(notes) > 1:
            more = "1 more note" if len(notes) == 2 else f"{len(notes) - 1} more notes"
            text = f"{text} There {'is' if len(notes) == 2 else 'are'} {more} on this study."
        if not spacing_known:
            action = "correct_spacing"
        elif any(isinstance(note, Note) and note.code is Code.SLICE_AXIS_GUESSED for note in notes):
            action = "slice_axis"
        elif len(notes) == 1 and not warnings:
            action = "choose_stack" if self._actions["choose_stack"].isEnabled() else "turn_round"
        severity = "warning" if warnings else "info"
        self._parts.messages.show_message(severity, text, self._actions[action], study=name, ends=True)

    # What can be decided

    @Slot()
    def choose_stack(self) -> None:
        """Show the stacks and repeated slices."""
        study = self._session.study.data
        if study is None:
            return
        dialog = StacksDialog(study, self._session.opening.chosen, self._window)
        dialog.stack_chosen.connect(self._session.opening.choose_stack)
        dialog.repeats_chosen.connect(self._session.opening.choose_repeats)
        show_study_dialog(dialog)

    @Slot()
    def correct_spacing(self) -> None:
        """Ask for the true spacing."""
        stack = self._session.study.stack
        if stack is None:
            return
        dialog = SpacingDialog(stack.geometry, self._session.opening.chosen, self._window)
        dialog.spacing_chosen.connect(self._session.opening.correct_spacing)
        show_study_dialog(dialog)

    @Slot()
    def show_notes(self) -> None:
        """Show all notes in full."""
        study = self._session.study.data
        if study is not None:
            show_study_dialog(NotesDialog(study, self._session.opening.chosen, self._actions, self._window))


def last_folder(settings: Settings) -> str:
    """Where a dialog for files begins."""
    recent = settings.recent_studies
    return str(path_of_text(recent[0]).parent) if recent else str(Path.home())


def show_dialog(dialog: QDialog) -> None:
    """Open a dialog that lets the program go on and ends when it is closed."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


_OF_STUDY = "of_study"


def show_study_dialog(dialog: QDialog) -> None:
    """Open a dialog about the open study, which closes with it, so that it never acts on another study."""
    dialog.setProperty(_OF_STUDY, True)
    show_dialog(dialog)


def close_study_dialogs(window: QWidget) -> None:
    """Close the dialogs about the study that is left, without doing what was chosen in them."""
    for dialog in window.findChildren(QDialog):
        if dialog.property(_OF_STUDY):
            dialog.done(QDialog.DialogCode.Rejected)
