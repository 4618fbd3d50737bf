"""The window: makes the parts and the features, and connects their signals."""

import base64
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeVar

from PySide6.QtCore import QByteArray, QEvent, Qt, QUrl, Slot
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
)
from PySide6.QtWidgets import QMainWindow

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import Study
from cmr_viewer.paths import log_dir
from cmr_viewer.ui.dialogs.program_dialogs import NOT_A_DEVICE, About, SettingsDialog
from cmr_viewer.ui.dialogs.study_dialogs import offers_choice
from cmr_viewer.ui.features.table import ACTIONS, FEATURES
from cmr_viewer.ui.window.actions import When, build_actions, give_keys, keys_of, tip_of
from cmr_viewer.ui.window.desk import Desk
from cmr_viewer.ui.window.display import Display
from cmr_viewer.ui.window.drop_target import DropTarget, dropped_paths, studies_of
from cmr_viewer.ui.window.feature import Context, Feature, OfStudy, Wire, save_settings
from cmr_viewer.ui.window.layout import Page, Parts
from cmr_viewer.ui.window.studies import Studies, close_study_dialogs, show_dialog
from cmr_viewer.ui.window.unsaved import Quitting, UnsavedButton
from cmr_viewer.ui.window.widgets import DASH, TipsBeside, belongs_to_focus, label

_Kind = TypeVar("_Kind", bound=Feature)


class MainWindow(QMainWindow):
    """One reader's window.

    Args:
        session: The workspace and its open study; not yet started.
        settings: What the reader has set.
        workspace_text: Where the reader's work is saved, for the about box.
    """

    def __init__(self, session: Session, settings: Settings, workspace_text: str = "") -> None:
        super().__init__()
        self.session, self.settings = session, settings
        self.retraining = retraining = session.retraining
        self._workspace_text = workspace_text
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.actions_by_id = build_actions(self, ACTIONS, settings.key_bindings)
        self.parts = parts = Parts(self.actions_by_id)
        self.desk = Desk(session, settings, self)
        self.display = Display(session, settings, self.desk, parts)
        self.quitting = Quitting(session, settings, self)
        self.quitting.may_quit.connect(self.close)
        self._make_status_bar()
        self.features: tuple[Feature, ...] = ()
        self._context = context = Context(
            session,
            retraining,
            settings,
            self.desk,
            self.display,
            parts,
            self.actions_by_id,
            ACTIONS,
            self.show_message,
            self.show_message_about,
            self.show_general_message,
            self,
            self._show_possible,
        )
        self.studies = Studies(context)
        self.features = (self.studies, *(make(context) for make in FEATURES))
        self.setCentralWidget(parts.arranged())
        self._make_menus()
        self._drop_target = DropTarget(self)
        TipsBeside(self)
        for signal, slot in self._wires():
            signal.connect(slot)
        if settings.window_geometry:
            self.restoreGeometry(QByteArray(base64.b64decode(settings.window_geometry)))
        self.actions_by_id["hide_masks"].setChecked(not settings.show_labels)
        self.parts.view.set_hidden(not settings.show_labels)
        self._show_title()
        self._show_possible()
        self._sync_tools()

    def feature(self, kind: type[_Kind]) -> _Kind:
        """The feature of a class.

        Raises:
            StopIteration: The window does not have it.
        """
        return next(one for one in self.features if isinstance(one, kind))

    def _wires(self) -> Iterable[Wire]:
        """Signals and the slots they are connected to."""
        session, parts, desk, display, view = self.session, self.parts, self.desk, self.display, self.parts.view
        # First, so that whatever else follows from it finds nothing of the last study, and the desk at a frame of this.
        yield session.study.left, self._drop_study
        yield session.study.opened, self._show_opened
        yield from self._action_wires()
        for feature in self.features:
            yield from feature.wires()
        yield from (
            # the mouse over the frame
            (view.stroke_began, desk.begin_stroke),
            (view.stroke_moved, desk.extend_stroke),
            (view.stroke_ended, desk.end_stroke),
            (view.slice_stepped, desk.step_slice),
            (view.phase_stepped, desk.step_phase),
            (view.brush_stepped, desk.step_radius),
            (view.window_dragged, display.show_window),
            (view.heart_toggled, display.toggle_heart),
            # the parts
            (parts.strip.frame_chosen, desk.go),
            (parts.navigator.phase_chosen, desk.go_phase),
            (parts.navigator.speed_chosen, desk.player.set_speed),
            (parts.bell.clicked, parts.bell.open_list),
            (parts.work.cancel_wanted, session.jobs.cancel),
            # the desk
            (desk.frame_changed, display.show_frame),
            (desk.stroke_painted, display.show_stroke),
            (desk.tool_changed, display.show_tool),
            (desk.tool_changed, self._sync_tools),
            (desk.noted, parts.work.note),
            (desk.player.running_changed, self.actions_by_id["play"].setChecked),
            (desk.player.running_changed, display.show_rest),
            (display.possible_changed, self._show_possible),
            (display.message, self.show_message),
            # the session
            (session.study.frames_changed, display.take_changes),
            (session.study.regions_followed, display.show_followed),
            (session.study.offer_changed, display.show_offer),
            (session.study.phase_marks_changed, display.show_marks),
            (session.study.history_changed, self._show_possible),
            (session.message, self.show_message),
            # what runs
            (session.jobs.started, parts.work.begin),
            (session.jobs.progressed, parts.work.progress),
            (session.jobs.finished, parts.work.end),
            (session.jobs.failed, parts.work.end),
            (session.jobs.cancelled, parts.work.end),
        )

    def _action_wires(self) -> Iterable[Wire]:
        """What each action does."""
        desk, display, view, side = self.desk, self.display, self.parts.view, self.parts.side
        slots: dict[str, Callable[..., Any]] = {
            "close_study": self.session.close_study,
            "settings": self._settings,
            "quit": self.close,
            "undo": desk.undo,
            "redo": desk.redo,
            "brush": desk.hold_brush,
            "label_lvbp": desk.label_lvbp,
            "label_lvm": desk.label_lvm,
            "label_rvbp": desk.label_rvbp,
            "label_erase": desk.label_erase,
            "brush_smaller": desk.brush_smaller,
            "brush_larger": desk.brush_larger,
            "copy_to_next_slice": desk.copy_to_next_slice,
            "clear_frame": desk.clear_frame,
            "slice_up": desk.slice_up,
            "slice_down": desk.slice_down,
            "phase_previous": desk.phase_previous,
            "phase_next": desk.phase_next,
            "play": desk.play,
            "go_ed": desk.go_ed,
            "go_es": desk.go_es,
            "set_ed": desk.set_ed,
            "set_es": desk.set_es,
            "hide_masks": self._hide_masks,
            "exact_edges": view.set_exact,
            "zoom_heart": display.fit_heart,
            "zoom_fit": display.fit_frame,
            "zoom_in": view.zoom_in,
            "zoom_out": view.zoom_out,
            "window_auto": display.window_auto,
            "grid": self.parts.strip.set_grid,
            "page_frame": side.show_frame,
            "page_measures": side.show_measures,
            "page_review": side.show_review,
            "page_models": side.show_models,
            "full_screen": self._full_screen,
            "accept": desk.accept,
            "accept_slice": desk.accept_slice,
            "accept_phase": desk.accept_phase,
            "accept_all": desk.accept_all,
            "next_review": desk.next_review,
            "analyse": self.session.study.analyse,
            "proposal_show": display.show_proposal,
            "proposal_take": desk.take_proposal,
            "proposal_keep": desk.keep_mine,
            "messages": self.parts.bell.open_list,
            "open_logs": self._open_logs,
            "about": self._about,
        }
        toggled = _TOGGLED
        for feature in self.features:
            slots |= feature.slots()
            toggled |= feature.toggled()
        for name, slot in slots.items():
            action = self.actions_by_id[name]
            yield (action.toggled if name in toggled else action.triggered), slot

    # Menus and status bar

    def _make_menus(self) -> None:
        for menu, specs in groupby(ACTIONS, key=lambda spec: spec.menu):
            shown = self.menuBar().addMenu(menu.value)
            section: int | None = None
            for spec in specs:
                if section is not None and spec.section != section:
                    shown.addSeparator()
                section = spec.section
                shown.addAction(self.actions_by_id[spec.id])
                if spec.id == "open_demo":
                    shown.addMenu(self.studies.recent_menu)
        labels = QActionGroup(self)
        labels.setExclusionPolicy(QActionGroup.ExclusionPolicy.ExclusiveOptional)
        for name in ("label_lvbp", "label_lvm", "label_rvbp", "label_erase"):
            labels.addAction(self.actions_by_id[name])
        for action in self.actions_by_id.values():
            self.addAction(action)

    def _make_status_bar(self) -> None:
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        bar.addWidget(self.parts.work)
        bar.addPermanentWidget(label(NOT_A_DEVICE.split(".")[0], "small"))
        bar.addPermanentWidget(UnsavedButton(self.session))
        bar.addPermanentWidget(self.parts.bell)

    # What is possible

    @Slot()
    def _show_possible(self) -> None:
        """Enable what is possible, and name what can be undone."""
        session, state = self.session, self.display.state
        study = session.study.stack is not None and self.parts.middle.currentWidget() is self.parts.desk_page
        choices = session.study.data is not None and offers_choice(session.study.data)
        true = {
            When.ALWAYS: True,
            When.STUDY: study,
            When.MASK: study and state is not None and state.labels is not None,
            When.REGION: study and state is not None and state.region is not None,
            When.UNDO: study and session.study.can_undo,
            When.REDO: study and session.study.can_redo,
            When.PROPOSAL: study
            and ((state is not None and state.proposal is not None) or session.study.offer is not None),
            When.IDLE: not self.retraining.running,
            When.TRAINING: self.retraining.running,
            When.OPENING: session.opening.is_busy,
            When.CHOICES: study and choices,
            When.VOLUME: session.study.data is not None and session.study.data.source_affine is not None,
            When.SLICES: study and session.study.stack is not None and session.study.stack.slices > 1,
            When.LONG_AXIS: study and session.study.data is not None and bool(session.study.data.long_axis),
        }
        possible = {f"page_{page.name.lower()}": self.parts.side.has_sections(page) for page in Page}
        for feature in self.features:
            possible |= feature.possible()
        for spec in ACTIONS:
            self.actions_by_id[spec.id].setEnabled(true[spec.when] and possible.get(spec.id, True))
        for name, word, when, text in (
            ("undo", "&Undo", When.UNDO, session.study.undo_text),
            ("redo", "&Redo", When.REDO, session.study.redo_text),
        ):
            does = f"{word} {text}" if true[when] and text else word
            spec = next(one for one in ACTIONS if one.id == name)
            named = spec if does == word else replace(spec, tip=does.replace("&", ""))
            self.actions_by_id[name].setText(does)
            self.actions_by_id[name].setToolTip(tip_of(named, keys_of(spec, self.settings.key_bindings)))

    @Slot()
    def _sync_tools(self) -> None:
        desk = self.desk
        self.actions_by_id["brush"].setChecked(desk.brush_on)
        chosen = {
            Label.LVBP: "label_lvbp",
            Label.LVM: "label_lvm",
            Label.RVBP: "label_rvbp",
            Label.BACKGROUND: "label_erase",
        }[desk.label]
        self.actions_by_id[chosen].setChecked(True)

    # Studies

    @Slot()
    def _show_opened(self) -> None:
        if self.session.study.data is not None:
            self.parts.messages.make_way()
            self.display.show_study()
            self._show_title()

    @Slot()
    def _drop_study(self) -> None:
        """The study is left: everything of it goes at once, whether another one follows or not."""
        close_study_dialogs(self)
        self.parts.messages.make_way()
        self.parts.work.end_note()
        self.parts.bell.drop_study()
        holders: tuple[OfStudy, ...] = (self.desk, self.display, *self.features)
        for holder in holders:
            holder.drop_study()
        self._show_title()
        self._show_possible()

    def _show_title(self) -> None:
        study = self.session.study.data
        self.setWindowTitle("CMR Viewer" if study is None else f"{study.name} {DASH} CMR Viewer")

    def event(self, event: QEvent) -> bool:
        """Leave the keys that a control lives by to the control that has the keyboard."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and belongs_to_focus(event):
            event.accept()
            return True
        return bool(super().event(event))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files and folders may be dropped: show where, and what would be opened."""
        studies = studies_of(dropped_paths(event.mimeData()))
        if studies:
            event.acceptProposedAction()
            self._drop_target.offer(studies)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """They were dragged out again."""
        self._drop_target.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        self._drop_target.hide()
        self.studies.open_paths(studies_of(dropped_paths(event.mimeData())))

    # Dialogs

    @Slot()
    def _settings(self) -> None:
        dialog = SettingsDialog(self.settings, self)
        dialog.accepted.connect(self._take_settings)
        show_dialog(dialog)

    @Slot()
    def _take_settings(self) -> None:
        for spec in ACTIONS:
            give_keys(self.actions_by_id[spec.id], spec, keys_of(spec, self.settings.key_bindings))
        self.display.take_settings()
        self.actions_by_id[f"theme_{self.settings.theme}"].trigger()
        save_settings(self._context)

    @Slot()
    def _about(self) -> None:
        show_dialog(About(self._workspace_text, self))

    @Slot()
    def _open_logs(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(log_dir())))

    @Slot(bool)
    def _hide_masks(self, hidden: bool) -> None:
        self.settings.show_labels = not hidden
        self.parts.view.set_hidden(hidden)

    @Slot(bool)
    def _full_screen(self, on: bool) -> None:
        full = Qt.WindowState.WindowFullScreen
        self.setWindowState(self.windowState() | full if on else self.windowState() & ~full)

    @Slot(str, str)
    def show_message(self, severity: str, text: str, action: QAction | None = None) -> None:
        """Show a message about the open study, if there is one: in the bar over the frame, and behind the bell."""
        study = self.session.study.data
        name = "" if study is None else study.name
        self.parts.bell.add(severity, text, study=name, ends=study is not None)
        self.parts.messages.show_message(severity, text, action, study=name, ends=study is not None)

    @Slot(str, str)
    def show_general_message(self, severity: str, text: str) -> None:
        """Show a message that is not about the open study, and stays true when it is closed."""
        self.parts.bell.add(severity, text)
        self.parts.messages.show_message(severity, text)

    def show_message_about(self, study: Study, severity: str, text: str) -> None:
        """Show a message about a study that may be closed by now: then it waits behind the bell."""
        if study is self.session.study.data:
            self.show_message(severity, text)
        else:
            self.parts.bell.add(severity, text, study=study.name)

    @Slot(str, str, str)
    def report(self, severity: str, text: str, _details: str) -> None:
        """Report something unexpected; the details are in the log."""
        self.show_general_message(severity, text)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the layout, unless work would be lost; the program is closed by whoever started it."""
        self.desk.player.stop()
        if not self.quitting.ask():
            event.ignore()
            return
        self.settings.window_geometry = base64.b64encode(self.saveGeometry().data()).decode("ascii")
        save_settings(self._context)
        super().closeEvent(event)


_TOGGLED = frozenset({"hide_masks", "exact_edges", "grid", "proposal_show"})
"""Actions whose slot follows the state, however it was changed; the rest follow the reader alone."""
