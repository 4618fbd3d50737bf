"""Studies come and go: what is opened, how, and what is said about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, overload

from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from cmr_viewer.app.opening import OPEN_KEY
from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.file_names import path_of_text, readable
from cmr_viewer.load.gather import IMAGE_ENDINGS, archive_of
from cmr_viewer.paths import demo_study_dir
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.ui.dialogs.notes_dialog import NotesDialog, notes_of, tells_choice
from cmr_viewer.ui.dialogs.spacing_dialog import SpacingDialog
from cmr_viewer.ui.dialogs.stacks_dialog import StacksDialog
from cmr_viewer.ui.features.worklist.panel import StudyLine
from cmr_viewer.ui.features.worklist.worklist import waiting_names
from cmr_viewer.ui.window.layout import Parts

_FILES = "Studies (*.nii *.nii.gz *.mha *.mhd *.nrrd *.nhdr *.dcm *.zip DICOMDIR);;All files (*)"
_PATIENCE_MS = 250
"""How long the open study stays on show while another is being loaded; most are there by then."""


class Say(Protocol):
    """Tells the reader something."""

    def __call__(self, severity: str, text: str, action: QAction | None = None) -> None:
        """Tell it, with what can be done about it."""


class Studies(QObject):
    """Opens studies, shows them coming, and offers what can be decided about them.

    Signals:
        page_changed(): What stands in the middle of the window is another: welcome, opening or the frame.
    """

    page_changed = Signal()

    def __init__(
        self,
        session: Session,
        settings: Settings,
        parts: Parts,
        actions: Mapping[str, QAction],
        say: Say,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._settings, self._parts = session, settings, parts
        self._actions, self._say, self._window = actions, say, window
        self._asked, self._asked_stack = Path(), ""
        self._locate = QAction("Locate\u2026", self)
        self._locate.triggered.connect(self.locate)
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(self._show_page)

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
            self._say("info", text)
        self.open_path(first)

    @Slot(object)
    def forget(self, path: Path) -> None:
        """Take a study that waits off the worklist."""
        self._session.worklist.remove([path])

    @Slot()
    def open_folder(self) -> None:
        """Ask for a folder."""
        chosen = QFileDialog.getExistingDirectory(self._window, "Open a folder of DICOM files", self.last_folder())
        if chosen:
            self.open_path(Path(chosen))

    @Slot()
    def open_file(self) -> None:
        """Ask for a file."""
        chosen, _ = QFileDialog.getOpenFileName(self._window, "Open a study", self.last_folder(), _FILES)
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

    def last_folder(self) -> str:
        """Where a dialog for files begins."""
        recent = self._settings.recent_studies
        return str(path_of_text(recent[0]).parent) if recent else str(Path.home())

    @Slot()
    def cancel_opening(self) -> None:
        """Stop loading."""
        self._session.opening.cancel()

    # What the session tells

    @Slot(str)
    def show_opening(self, path: str) -> None:
        """A study is being loaded."""
        self._asked = path_of_text(path)
        self._parts.opening.begin(readable(self._asked.name))
        if self._session.study.data is None:
            self._show_page()
        else:
            self._patience.start()
        self.page_changed.emit()

    @Slot(str, float, str)
    def show_progress(self, key: str, fraction: float, text: str) -> None:
        """How far a job is."""
        if key == OPEN_KEY:
            self._parts.opening.show_progress(fraction, text)

    @Slot(object)
    def show_preview(self, pixels: NDArray[Any]) -> None:
        """A first frame (row, col) is there."""
        self._parts.opening.show_preview(pixels)

    @Slot(str)
    def show_failed(self, text: str) -> None:
        """It could not be loaded; where it is no longer there, the reader can point at where it is now."""
        self._show_page()
        gone = not self._asked.exists() and archive_of(self._asked) is None
        self._parts.bell.add("error", text, study=readable(self._asked.name))
        self._parts.messages.say("error", text, self._locate if gone else None, study=readable(self._asked.name))

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
        self._say("info", "Opening was cancelled.")

    def show_opened(self) -> None:
        """A study is there."""
        study = self._session.study.data
        assert study is not None
        self._show_page()
        self._parts.view.setFocus()
        self.show_worklist()
        self._settings.remember_study(study.source)
        notes = notes_of(study, self._session.opening.chosen)
        self._parts.worklist.show_notes(len(notes), choices=tells_choice(study))
        self._tell_notes(notes, len(study.warnings), spacing_known=study.stack.geometry.spacing_known)

    def drop_study(self) -> None:
        """The study is left: its notes go, and it stands out in the worklist no longer."""
        self._parts.worklist.show_notes(0, choices=False)
        self.show_worklist()

    @Slot()
    def show_closed(self) -> None:
        """No study is open."""
        self._parts.welcome.show_recent(self._settings.recent_studies)
        self._show_page()

    @Slot()
    def show_worklist(self) -> None:
        """List the studies of the workspace, and before them those that wait."""
        stack = self._session.study.stack
        open_stack = "" if stack is None else stack.stack_id
        worklist = self._session.worklist
        self._parts.worklist.show_worklist(WorklistLines(worklist.waiting, worklist.studies, open_stack))

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
        self.page_changed.emit()

    def _tell_notes(self, notes: Sequence[str], warnings: int, *, spacing_known: bool) -> None:
        """Say in the bar what stood out, and keep all of it behind the bell; the first notes are warnings."""
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
        self._parts.messages.say(severity, text, self._actions[action], study=name, ends=True)

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
    def turn_round(self) -> None:
        """Turn base and apex round."""
        self._session.opening.swap_ends()

    @Slot()
    def take_next_slice_axis(self) -> None:
        """Open the volume with its slices along another axis."""
        self._session.opening.take_next_slice_axis()

    @Slot()
    def change_any_size(self) -> None:
        """Allow volumes that no human heart has, or withhold them again."""
        self._session.opening.change_any_size()

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


class WorklistLines(Sequence[StudyLine]):
    """The lines of the worklist, each made when it is asked for: tens of thousands are there, and twenty are seen.

    Args:
        waiting: What waits to be opened for the first time; it stands first.
        studies: Studies of the workspace.
        open_stack: Stack of the open study; empty for none.
    """

    def __init__(self, waiting: Sequence[Path], studies: Sequence[StudyRow], open_stack: str) -> None:
        self._waiting, self._studies, self._open = waiting, studies, open_stack
        self._times = Counter(each.source for each in studies)
        self._names = waiting_names(waiting)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._studies)

    @overload
    def __getitem__(self, place: int) -> StudyLine: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[StudyLine]: ...
    def __getitem__(self, place: int | slice) -> StudyLine | Sequence[StudyLine]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        if place < len(self._waiting):
            path = self._waiting[place]
            return StudyLine(self._names[place], path, 0, 0, 0)
        row = self._studies[place - len(self._waiting)]
        return StudyLine(
            row.name,
            Path(row.source),
            row.frames,
            row.accepted,
            row.drafts,
            is_open=row.stack_id == self._open,
            stack_id=row.stack_id,
            detail=f"{row.slices} slices, {row.phases} phases" if self._times[row.source] > 1 else "",
        )

    def place_of(self, source: Path, stack_id: str) -> int | None:
        """Where the line of a study stands; None where there is none."""
        if not stack_id:
            return self._waiting.index(source) if source in self._waiting else None
        rows = enumerate(self._studies, start=len(self._waiting))
        return next((place for place, row in rows if row.stack_id == stack_id), None)


def show_dialog(dialog: QDialog) -> None:
    """Open a dialog that lets the program go on and ends when it is closed."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


_OF_STUDY = "of_study"


def show_study_dialog(dialog: QDialog) -> None:
    """Open a dialog about the open study, which ends with it: what it would do must not befall another one."""
    dialog.setProperty(_OF_STUDY, True)
    show_dialog(dialog)


def close_study_dialogs(window: QWidget) -> None:
    """Close the dialogs about the study that is left; nothing that was chosen in them is done."""
    for dialog in window.findChildren(QDialog):
        if dialog.property(_OF_STUDY):
            dialog.done(QDialog.DialogCode.Rejected)
