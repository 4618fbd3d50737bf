# ruff: noqa: E501 - one row per action reads as a table
"""The worklist in the window: the list on the left, the table of all studies, the next unread."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QInputDialog, QWidget

from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.dialogs.study_dialogs import notes_of, shows_choice
from cmr_viewer.ui.features.worklist.page import WorklistPage
from cmr_viewer.ui.features.worklist.panel import WorklistLines, WorklistPanel, facts_of
from cmr_viewer.ui.features.worklist.worklist import Worklist, WorklistEntry
from cmr_viewer.ui.window.actions import ActionSpec, Menu, When
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.studies import show_dialog

if TYPE_CHECKING:
    from cmr_viewer.review.checks import Finding


class WorklistFeature(Feature):
    """The studies of the workspace, and the progress of the open one."""

    # fmt: off
    specs = (
        ActionSpec("worklist", "&Worklist", ("Ctrl+L",), "List all studies in the workspace: sort, filter and search", Menu.FILE, When.ALWAYS, "list", checkable=True, section=1),
        ActionSpec("next_unread", "Next unread st&udy", ("Shift+N",), "Open the next study in the worklist that no one has started", Menu.FILE, When.ALWAYS, "next", section=1, short="Next unread"),
        ActionSpec("flag_study", "Fla&g study…", ("Ctrl+Shift+F",), "Add a short remark to a study in the worklist, such as why it needs a second opinion", Menu.FILE, When.ALWAYS, "flag", section=1, short="Flag"),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.panel = WorklistPanel(context.actions)
        context.parts.fill_left(self.panel)
        self.worklist = Worklist(context.session, self)
        self.page = WorklistPage(context.actions, self.worklist)
        context.parts.middle.addWidget(self.page)
        self._was_here = False
        self._findings: Mapping[FrameIndex, Sequence[Finding]] | None = None
        self.list_studies()

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {"worklist": self.show_worklist, "next_unread": self.open_next_unread, "flag_study": self.flag_study}

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        context, session, page = self.context, self.context.session, self.page
        return (
            (self.panel.study_chosen, session.opening.open_path),
            (self.panel.study_dismissed, self.dismiss_study),
            (context.parts.middle.currentChanged, self.show_page),
            (page.study_chosen, self.open_study),
            (page.study_dismissed, self.dismiss_study),
            (page.left, self.leave_worklist),
            (page.table.selectionModel().currentRowChanged, self.context.refresh_possible),
            (session.study.opened, self._show_study),
            (session.worklist.changed, self.list_studies),
            (session.worklist.changed, self.worklist.refresh),
            (session.renewal.changed, self.list_studies),
            (session.renewal.changed, self.worklist.refresh),
            (session.opening.started, self.note_checks),
            (session.study.frames_accepted, self.note_checks),
            (session.study.analysed, self._show_next),
            (context.display.checked, self._take_findings),
            (context.display.changes_shown, self._show_progress),
            (context.desk.next_changed, self._show_next),
        )

    def drop_study(self) -> None:
        """No study is shown, and none is highlighted in the list."""
        self._findings = None
        self.panel.show_study("", ())
        self.panel.show_progress(0, 0)
        self.panel.show_next("")
        self.panel.show_buttons(notes=False, choices=False)
        self.list_studies()

    def possible(self) -> Mapping[str, bool]:
        """Flagging needs a study."""
        return {"flag_study": bool(self._meant())}

    # The open study and the list

    @Slot()
    def _show_study(self) -> None:
        study = self.context.session.study.data
        if study is not None:
            self.panel.show_study(study.name, facts_of(study.stack, study.format_name))
            notes = notes_of(study, self.context.session.opening.chosen)
            self.panel.show_buttons(notes=bool(notes), choices=shows_choice(study))
            self.list_studies()

    @Slot()
    def list_studies(self) -> None:
        """List the studies of the workspace; those that wait come first."""
        session = self.context.session
        stack = session.study.stack
        open_stack = "" if stack is None else stack.stack_id
        older = session.renewal.older
        self.panel.show_worklist(WorklistLines(session.worklist.waiting, session.worklist.studies, open_stack, older))

    @Slot()
    def _show_progress(self) -> None:
        """Show how many frames are accepted, and the next to review."""
        reading = self.context.session.study.reading
        if reading is not None:
            status = [record.status for record in reading.frames.values()]
            self.panel.show_progress(status.count(ReviewStatus.ACCEPTED), len(status))
            self._show_next()

    @Slot()
    def _show_next(self) -> None:
        """Show which frame is next to review, and why."""
        session = self.context.session
        found = None if session.models.is_analysing else session.study.next_review(self.context.desk.frame)
        text = ""
        if found is not None:
            text = f"Slice {found.frame.slice_index + 1}, phase {found.frame.phase + 1}. {found.why}"
        self.panel.show_next(text)

    # The page

    @Slot(bool)
    def show_worklist(self, on: bool) -> None:
        """Show the worklist in the middle of the window, or what else belongs there."""
        self.context.parts.middle.setCurrentWidget(self.page if on else self._other_page())

    @Slot()
    def leave_worklist(self) -> None:
        """Go back to the frame."""
        self.show_worklist(False)

    def _other_page(self) -> QWidget:
        parts, session = self.context.parts, self.context.session
        if session.opening.is_busy and session.study.data is None:
            return parts.opening
        return parts.welcome if session.study.data is None else parts.desk_page

    @Slot()
    def show_page(self) -> None:
        """Another page is in the middle."""
        here = self.context.parts.middle.currentWidget() is self.page
        self.context.actions["worklist"].setChecked(here)
        side = self.context.parts.side.parentWidget()
        if side is not None:
            side.setVisible(not here)  # it is about one study, and the list needs the room
        stack = self.context.session.study.stack
        if here:
            self.note_checks()
            self.context.desk.player.stop()
            self.page.begin("" if stack is None else stack.stack_id)
        elif self._was_here:
            self.page.end()
            self.context.parts.view.setFocus()
        self._was_here = here
        self.context.refresh_possible()

    @Slot(object, object)
    def open_study(self, path: Path, stack_id: str | None) -> None:
        """Open a study, or go back to it where it is open."""
        stack = self.context.session.study.stack
        if stack is not None and stack.stack_id == stack_id:
            self.leave_worklist()
        else:
            self.context.session.opening.open_path(path, stack_id)

    @Slot(object)
    def dismiss_study(self, path: Path) -> None:
        """Remove a waiting study from the worklist."""
        self.context.session.worklist.remove([path])

    @Slot(object)
    def _take_findings(self, findings: "Mapping[FrameIndex, Sequence[Finding]] | None") -> None:
        self._findings = findings

    @Slot()
    def note_checks(self) -> None:
        """Record for the worklist how many checks of the open study fail, once all its frames are checked."""
        stack = self.context.session.study.stack
        if stack is not None and self._findings is not None:
            failing = sum(not each.is_note for found in self._findings.values() for each in found)
            self.worklist.note_failed_checks(stack.stack_id, failing)

    @Slot()
    def open_next_unread(self) -> None:
        """Open the next study that no one has started."""
        stack = self.context.session.study.stack
        after = None if stack is None else self._entry(stack.stack_id)
        if not self.page.open_next_unread(after):
            narrowed = self.page.model.rowCount() < self.page.model.count
            where = " among those that match the search and filters of the worklist" if narrowed else ""
            self.context.show_message("info", f"No unread studies left{where}.")

    def _entry(self, stack_id: str) -> WorklistEntry | None:
        return next((each for each in self.worklist.entries_now() if each.stack_id == stack_id), None)

    def _meant(self) -> str:
        """Stack of the study selected on the page, else of the open study; empty for none."""
        if self.context.parts.middle.currentWidget() is self.page:
            return "" if self.page.current is None else self.page.current.stack_id
        stack = self.context.session.study.stack
        return "" if stack is None else stack.stack_id

    @Slot()
    def flag_study(self) -> None:
        """Ask for the flag of a study."""
        stack_id = self._meant()
        entry = self._entry(stack_id)
        if entry is None:
            return
        dialog = QInputDialog(self.context.window)
        dialog.setWindowTitle("Flag study")
        dialog.setLabelText(f"Remark for {entry.name} in the worklist; leave it empty to remove the flag:")
        dialog.setTextValue(entry.marks.flag)
        dialog.textValueSelected.connect(lambda word: self.worklist.flag(stack_id, word))
        show_dialog(dialog)
