"""Parts of the whole window: palette of actions, keys, theme, tour, worklist page, text for screen readers."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QApplication, QInputDialog, QWidget

from cmr_viewer.errors import CmrViewerError
from cmr_viewer.file_names import path_of_text, readable, text_of_path
from cmr_viewer.paths import demo_study_dir
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.ui.features.keys.keys_dialog import KeysDialog
from cmr_viewer.ui.features.queue.queue import ReviewQueue
from cmr_viewer.ui.features.worklist.worklist import Worklist, WorklistEntry
from cmr_viewer.ui.features.worklist.worklist_page import WorklistPage
from cmr_viewer.ui.window.actions import ACTIONS, When, give_keys, keys_of, shown_keys
from cmr_viewer.ui.window.command_palette import Command, CommandPalette
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.spoken_frame import spoken_frame
from cmr_viewer.ui.window.studies import show_dialog
from cmr_viewer.ui.window.theme import THEMES, apply_theme, icon, theme_of, theme_on_show
from cmr_viewer.ui.window.tour import Tour
from cmr_viewer.ui.window.tour_steps import GREETING, tour_steps

_STUDY = "study:"
_STUDIES = 50
"""Most studies that the palette shows; typing more of a name narrows them."""

_SPOKEN_AFTER_MS = 150
"""How long a frame must stay before its description is updated: fast scrolling would flood a screen reader."""


class ShellFeature(Feature):
    """The desk's shell."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        window = context.window
        self.palette = CommandPalette(window)
        self.tour = Tour(window)
        self.worklist = Worklist(context.session, self)
        self.page = WorklistPage(context.actions, self.worklist)
        context.parts.middle.addWidget(self.page)
        self._tour_waits, self._was_here = False, False
        self._named: Sequence[StudyRow] = ()
        self._names: list[str] = []
        self._themes = QActionGroup(self)
        for theme in THEMES:
            self._themes.addAction(context.actions[f"theme_{theme}"])
        self._show_theme()
        self._spoken = QTimer(self, singleShot=True, interval=_SPOKEN_AFTER_MS)
        self._spoken.timeout.connect(self.speak_frame)
        context.parts.view.setAccessibleName("Frame")

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {
            "command_palette": self.ask,
            "change_keys": self.change_keys,
            "tour": self.take_tour,
            "theme_system": self.follow_system,
            "theme_light": self.go_light,
            "theme_dark": self.go_dark,
            "worklist": self.show_worklist,
            "next_unread": self.open_next_unread,
            "flag_study": self.flag_study,
        }

    def wires(self) -> Iterable[Wire]:
        """Who tells whom."""
        session, desk, parts = self.context.session, self.context.desk, self.context.parts
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        return (
            (self.palette.chosen, self.take_command),
            (self.tour.ended, self.show_tour_ended),
            (application.styleHints().colorSchemeChanged, self.take_system_theme),
            (parts.middle.currentChanged, self.show_page),
            (self.page.study_chosen, self.open_study),
            (self.page.study_dismissed, self.dismiss_study),
            (self.page.left, self.leave_worklist),
            (self.page.table.selectionModel().currentRowChanged, self.show_chosen),
            (session.worklist.changed, self.worklist.refresh),
            (session.study.opened, self.show_opened),
            (session.opening.failed, self.show_not_opened),
            (session.opening.cancelled, self.show_not_opened),
            (session.opening.started, self.note_checks),
            (session.study.frames_accepted, self.note_checks),
            (session.study.frames_changed, self.speak_soon),
            (session.study.phase_marks_changed, self.speak_soon),
            (desk.frame_changed, self.speak_soon),
            (desk.player.running_changed, self.speak_soon),
        )

    def drop_study(self) -> None:
        """No frame is described."""
        self._spoken.stop()
        self.speak_frame()

    def possible(self) -> Mapping[str, bool]:
        """Flagging needs a study."""
        return {"flag_study": bool(self._meant())}

    # Palette

    @Slot()
    def ask(self) -> None:
        """Open the palette of actions, or close it."""
        if self.palette.isVisible():
            self.palette.close_it()
            return
        settings = self.context.settings
        self.palette.ask([*self._actions(), *self._recent_studies()], settings.recent_actions, self._studies)

    def _actions(self) -> Iterable[Command]:
        for spec in ACTIONS:
            if spec.id == "command_palette":
                continue
            action = self.context.actions[spec.id]
            why_not = "" if action.isEnabled() else f"available when {spec.when.value}"
            if why_not and spec.when is When.ALWAYS:
                why_not = "not available now"
            yield Command(
                spec.id,
                action.text().replace("&", "").rstrip("…"),
                spec.menu.value.replace("&", ""),
                shown_keys(keys_of(spec, self.context.settings.key_bindings)),
                why_not,
                action.icon(),
                spec.tip,
            )

    def _recent_studies(self) -> Iterable[Command]:
        """The most recent studies."""
        for text in self.context.settings.recent_studies:
            name = readable(path_of_text(text).name)
            yield Command(f"{_STUDY}\n{text}", name, "Recent study", icon=icon("folder"))

    def _studies(self, query: str) -> list[Command]:
        """Studies of the worklist whose name contains every word, without the recent ones."""
        words = query.casefold().split()
        if not words:
            return []
        session, recent = self.context.session, set(self.context.settings.recent_studies)
        studies = session.worklist.studies
        if studies is not self._named:  # they may be others while the palette is open
            self._named, self._names = studies, [row.name.casefold() for row in studies]
        rows = (row for row, name in zip(studies, self._names, strict=True) if all(w in name for w in words))
        several = Counter(row.source for row in studies)
        sources = ((row, text_of_path(Path(row.source))) for row in rows)
        meant = ((row, text) for row, text in sources if text not in recent or several[row.source] > 1)
        made = [
            Command(
                f"{_STUDY}{row.stack_id}\n{text}",
                row.name,
                f"Study, {row.accepted} of {row.frames} accepted",
                icon=icon("file"),
            )
            for row, text in islice(meant, _STUDIES)
        ]
        waiting = (path for path in session.worklist.waiting if all(word in path.name.casefold() for word in words))
        made += [
            Command(f"{_STUDY}\n{text_of_path(path)}", readable(path.name), "Study, waiting", icon=icon("file"))
            for path in islice(waiting, _STUDIES)
        ]
        return made

    @Slot(str)
    def take_command(self, name: str) -> None:
        """Do what was chosen in the palette."""
        if name.startswith(_STUDY):
            stack_id, _, source = name.removeprefix(_STUDY).partition("\n")
            self.open_study(path_of_text(source), stack_id or None)
            return
        self.context.settings.remember_action(name)
        self.context.actions[name].trigger()

    # Keys and theme

    @Slot()
    def change_keys(self) -> None:
        """Open the dialog that changes the keys."""
        dialog = KeysDialog(self.context.settings, self.context.window)
        dialog.accepted.connect(self.take_keys)
        show_dialog(dialog)

    @Slot()
    def take_keys(self) -> None:
        """Give the actions the keys of the settings."""
        for spec in ACTIONS:
            give_keys(self.context.actions[spec.id], spec, keys_of(spec, self.context.settings.key_bindings))
        self._save()

    @Slot()
    def follow_system(self) -> None:
        """Light or dark as the system is."""
        self._take_theme("system")

    @Slot()
    def go_light(self) -> None:
        """Show the light theme."""
        self._take_theme("light")

    @Slot()
    def go_dark(self) -> None:
        """Show the dark theme."""
        self._take_theme("dark")

    @Slot()
    def take_system_theme(self) -> None:
        """The system went from light to dark, or back."""
        application = QApplication.instance()
        chosen = self.context.settings.theme
        if isinstance(application, QApplication) and theme_of(application, chosen) != theme_on_show():
            apply_theme(application, chosen)

    def _take_theme(self, chosen: str) -> None:
        self.context.settings.theme = chosen
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_theme(application, chosen)
        self._show_theme()
        self._save()

    def _show_theme(self) -> None:
        self.context.actions[f"theme_{self.context.settings.theme}"].setChecked(True)

    def _save(self) -> None:
        try:
            self.context.settings.save()
        except (CmrViewerError, OSError) as error:
            self.context.say("warning", f"The settings could not be saved to {self.context.settings.path}: {error}")

    # Tour

    def greet(self) -> None:
        """Offer the tour to a reader who has not seen it."""
        session, settings = self.context.session, self.context.settings
        if not settings.tour_seen and not settings.recent_studies and session.study.data is None:
            self.tour.begin((GREETING,), "Take the tour")

    @Slot()
    def take_tour(self) -> None:
        """Begin the tour, on the study that is open or else on the demo study."""
        if self.context.session.study.data is not None:
            self._begin_tour()
            return
        self._tour_waits = True
        self.context.session.opening.open_path(demo_study_dir())

    @Slot()
    def show_opened(self) -> None:
        """A study is there."""
        if self._tour_waits:
            QTimer.singleShot(0, self._begin_tour)

    @Slot()
    def show_not_opened(self) -> None:
        """A study could not be opened: there is no tour."""
        self._tour_waits = False

    @Slot()
    def _begin_tour(self) -> None:
        self._tour_waits = False
        parts = self.context.parts
        if self.context.session.study.data is not None:
            parts.middle.setCurrentWidget(parts.desk_page)
            self.tour.begin(tour_steps(parts, self.context.actions))

    @Slot(bool)
    def show_tour_ended(self, to_its_end: bool) -> None:
        """Remember that it was seen; the greeting leads on to the tour."""
        greeted = not self.context.settings.tour_seen and self.context.session.study.data is None
        self.context.settings.tour_seen = True
        self._save()
        if to_its_end and greeted:
            self.take_tour()

    # Worklist

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

    @Slot()
    def show_chosen(self) -> None:
        """Another study is chosen on the page."""
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

    @Slot()
    def note_checks(self) -> None:
        """Record for the worklist how many checks of the open study fail, once all its frames are checked."""
        session = self.context.session
        order, stack = session.study.review_order, session.study.stack
        if stack is None or not isinstance(order, ReviewQueue) or not order.is_ready:
            return
        failing = sum(not each.is_note for frame in stack.frame_indices for each in order.findings_of(frame))
        self.worklist.note_failed_checks(stack.stack_id, failing)

    @Slot()
    def open_next_unread(self) -> None:
        """Open the next study that no one has started."""
        stack = self.context.session.study.stack
        after = None if stack is None else self._entry(stack.stack_id)
        if not self.page.open_next_unread(after):
            narrowed = self.page.model.rowCount() < self.page.model.count
            where = " among those that match the search and filters of the worklist" if narrowed else ""
            self.context.say("info", f"No unread studies left{where}.")

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

    # Text for screen readers

    @Slot()
    def speak_soon(self) -> None:
        """The displayed frame may have changed."""
        if not self._spoken.isActive() and not self.context.desk.player.running:
            self._spoken.start()

    @Slot()
    def speak_frame(self) -> None:
        """Describe the displayed frame."""
        session, frame = self.context.session, self.context.desk.frame
        if session.study.stack is None:
            said = "No study is open."
        else:
            state = session.study.frame_state(frame)
            said = spoken_frame(session.study.stack, frame, state, session.study.ed_phase, session.study.es_phase)
        view = self.context.parts.view
        if view.accessibleDescription() != said:
            view.setAccessibleDescription(said)
