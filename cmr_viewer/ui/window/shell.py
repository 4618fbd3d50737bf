"""Parts of the whole window: palette of actions, theme, tour, text for screen readers."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QApplication

from cmr_viewer.domain.anatomy import STRUCTURES
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.file_names import path_of_text, readable, text_of_path
from cmr_viewer.paths import demo_study_dir
from cmr_viewer.reading.frames import FrameState
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.ui.window.actions import When, keys_of, shown_keys
from cmr_viewer.ui.window.command_palette import Command, CommandPalette
from cmr_viewer.ui.window.feature import Context, Feature, Wire, save_settings
from cmr_viewer.ui.window.theme import THEMES, apply_theme, icon, shown_theme, theme_of
from cmr_viewer.ui.window.tour import GREETING, Tour, tour_steps

_STUDY = "study:"
_STUDIES = 50
"""Most studies that the palette shows; typing more of a name narrows them."""

_SPOKEN_AFTER_MS = 150
"""How long a frame must stay before its description is updated: fast scrolling would flood a screen reader."""


class ShellFeature(Feature):
    """Palette, theme, tour and the description of the displayed frame."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        window = context.window
        self.palette = CommandPalette(window)
        self.tour = Tour(window)
        self._tour_waits = False
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
            "tour": self.take_tour,
            "theme_system": self.follow_system,
            "theme_light": self.go_light,
            "theme_dark": self.go_dark,
        }

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session, desk = self.context.session, self.context.desk
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        return (
            (self.palette.chosen, self.take_command),
            (self.tour.ended, self.show_tour_ended),
            (application.styleHints().colorSchemeChanged, self.take_system_theme),
            (session.study.opened, self.show_opened),
            (session.opening.failed, self.show_not_opened),
            (session.opening.cancelled, self.show_not_opened),
            (session.study.frames_changed, self.speak_soon),
            (session.study.phase_marks_changed, self.speak_soon),
            (desk.frame_changed, self.speak_soon),
            (desk.player.running_changed, self.speak_soon),
        )

    def drop_study(self) -> None:
        """No frame is described."""
        self._spoken.stop()
        self.speak_frame()

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
        for spec in self.context.specs:
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
            self._open_study(path_of_text(source), stack_id or None)
            return
        self.context.settings.remember_action(name)
        self.context.actions[name].trigger()

    def _open_study(self, path: Path, stack_id: str | None) -> None:
        """Open a study, or go back to it where it is open."""
        session, parts = self.context.session, self.context.parts
        if session.study.stack is not None and session.study.stack.stack_id == stack_id:
            parts.middle.setCurrentWidget(parts.desk_page)
        else:
            session.opening.open_path(path, stack_id)

    # Theme

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
        if isinstance(application, QApplication) and theme_of(application, chosen) != shown_theme():
            apply_theme(application, chosen)

    def _take_theme(self, chosen: str) -> None:
        self.context.settings.theme = chosen
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_theme(application, chosen)
        self._show_theme()
        save_settings(self.context)

    def _show_theme(self) -> None:
        self.context.actions[f"theme_{self.context.settings.theme}"].setChecked(True)

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
        save_settings(self.context)
        if to_its_end and greeted:
            self.take_tour()

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
            text = "No study is open."
        else:
            state = session.study.frame_state(frame)
            text = spoken_frame(session.study.stack, frame, state, session.study.ed_phase, session.study.es_phase)
        view = self.context.parts.view
        if view.accessibleDescription() != text:
            view.setAccessibleDescription(text)


def spoken_frame(stack: Stack, frame: FrameIndex, state: FrameState, ed: int | None, es: int | None) -> str:
    """Slice, phase, region, label map and status of a frame in sentences.

    Args:
        stack: The stack.
        frame: The frame of it.
        state: What is known of it.
        ed: Phase of end-diastole, or None.
        es: Phase of end-systole, or None.
    """
    mark = {ed: ", end-diastole", es: ", end-systole"}.get(frame.phase, "")
    sentences = [f"Slice {frame.slice_index + 1} of {stack.slices}, phase {frame.phase + 1} of {stack.phases}{mark}."]
    if state.region is None:
        sentences.append("Region not known yet.")
    elif state.region_by == "reader":
        sentences.append(f"Region {state.region.text.lower()}, set by the reader.")
    elif state.region_prediction is not None:
        certain = 100 * state.region_prediction.of(state.region)
        sentences.append(f"Region {state.region.text.lower()}, {certain:.0f} percent.")
    sentences.append(_labels(state))
    if state.status is ReviewStatus.ACCEPTED:
        sentences.append("Accepted.")
    else:
        sentences.append("Corrected, not accepted." if state.edited else "Not reviewed.")
    if state.proposal is not None:
        sentences.append("A new prediction is available.")
    return " ".join(sentences)


def _labels(state: FrameState) -> str:
    if state.labels is None:
        return "No label map yet."
    drawn = [each.text for each in STRUCTURES if (state.labels == each).any()]
    return f"Drawn: {', '.join(drawn)}." if drawn else "The label map is empty."
