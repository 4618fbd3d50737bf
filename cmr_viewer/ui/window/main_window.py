"""The window: makes the parts, wires them in one table, and asks what only a dialog can ask."""

import base64
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

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
from cmr_viewer.errors import CmrViewerError
from cmr_viewer.file_names import path_of_text, readable
from cmr_viewer.paths import log_dir
from cmr_viewer.ui.dialogs.about import NOT_A_DEVICE, About
from cmr_viewer.ui.dialogs.notes_dialog import offers_choice
from cmr_viewer.ui.dialogs.settings_dialog import SettingsDialog
from cmr_viewer.ui.features.export.exchange import Exchange
from cmr_viewer.ui.features.keys.keys_sheet import KeysSheet
from cmr_viewer.ui.features.long_axis.presenter import LongAxisShowing
from cmr_viewer.ui.features.models.presenter import ModelsShowing
from cmr_viewer.ui.features.table import FEATURES
from cmr_viewer.ui.window.actions import ACTIONS, Menu, When, build_actions, give_keys, keys_of, tip_of
from cmr_viewer.ui.window.desk import Desk
from cmr_viewer.ui.window.drop_target import DropTarget, dropped_paths
from cmr_viewer.ui.window.dropped import studies_of
from cmr_viewer.ui.window.feature import Context, Feature, OfStudy, Wire
from cmr_viewer.ui.window.layout import Page, Parts
from cmr_viewer.ui.window.showing import Screen, Showing
from cmr_viewer.ui.window.studies import Studies, close_study_dialogs, show_dialog
from cmr_viewer.ui.window.tips import TipsBeside
from cmr_viewer.ui.window.unsaved import Quitting, UnsavedButton
from cmr_viewer.ui.window.widgets import DASH, belongs_to_focus, label


class MainWindow(QMainWindow):
    """One reader's window.

    Args:
        session: The workspace and its open study; not yet started.
        settings: What the reader has set.
        workspace_text: Where the reader's work is kept, for the about box.
    """

    def __init__(self, session: Session, settings: Settings, workspace_text: str = "") -> None:
        super().__init__()
        self.session, self.settings = session, settings
        self.retraining = retraining = session.retraining
        self._workspace_text = workspace_text
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.actions_by_id = build_actions(self, settings.key_bindings)
        self.parts = parts = Parts(self.actions_by_id)
        self.desk = Desk(session, settings, self)
        screen = Screen(
            parts.view,
            parts.strip,
            parts.navigator,
            parts.tools,
            parts.region,
            parts.measures,
            parts.worklist,
            parts.proposal,
        )
        self.showing = Showing(session, settings, self.desk, screen)
        self.long_axis = LongAxisShowing(session, self.desk, parts.long_axis)
        self.studies = Studies(session, settings, parts, self.actions_by_id, self.say, self)
        self.exchange = Exchange(session, self.desk, self.studies, self.say, self.say_of, self)
        self.models = ModelsShowing(session, retraining, parts.models, parts.training)
        self.quitting = Quitting(session, settings, self)
        self.quitting.may_quit.connect(self.close)
        self.features: tuple[Feature, ...] = ()
        context = Context(
            session,
            retraining,
            settings,
            self.desk,
            self.showing,
            parts,
            self.actions_by_id,
            self.say,
            self.say_of,
            self,
            self._show_possible,
        )
        self.features = tuple(make(context) for make in FEATURES)
        parts.add_section(Page.FRAME, "Image", parts.tools.image)
        self.setCentralWidget(parts.arranged())
        self._make_menus()
        self._make_status_bar()
        self._drop_target = DropTarget(self)
        TipsBeside(self)
        for signal, slot in self._wires():
            signal.connect(slot)
        if settings.window_geometry:
            self.restoreGeometry(QByteArray(base64.b64decode(settings.window_geometry)))
        self.actions_by_id["hide_masks"].setChecked(not settings.show_labels)
        self.actions_by_id["long_axis"].setChecked(True)
        self.parts.view.set_hidden(not settings.show_labels)
        parts.welcome.show_recent(settings.recent_studies)
        self.studies.show_worklist()
        self._show_title()
        self._show_possible()
        self._sync_tools()

    def _wires(self) -> Iterable[Wire]:
        """Who tells whom: signal, slot."""
        session, parts, desk, showing, models = self.session, self.parts, self.desk, self.showing, self.models
        retraining, view, studies, long_axis = self.retraining, self.parts.view, self.studies, self.long_axis
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
            (view.window_dragged, showing.show_window),
            (view.heart_toggled, showing.toggle_heart),
            # panels
            (parts.strip.frame_chosen, desk.go),
            (parts.navigator.phase_chosen, desk.go_phase),
            (parts.navigator.speed_chosen, desk.player.set_speed),
            (parts.measures.phase_chosen, desk.go_phase),
            (parts.tools.radius_chosen, desk.set_radius),
            (parts.tools.fill_chosen, showing.set_fill),
            (parts.tools.window_chosen, showing.set_window_parts),
            (parts.models.roll_back_wanted, models.roll_back),
            (parts.worklist.study_chosen, studies.open_path),
            (parts.worklist.study_dismissed, studies.forget),
            (parts.welcome.study_chosen, studies.open_path),
            (parts.opening.cancel_wanted, studies.cancel_opening),
            (parts.long_axis.view_chosen, long_axis.show_view),
            (parts.long_axis.view.slice_chosen, desk.go_slice),
            (parts.long_axis.view.slice_stepped, desk.step_slice),
            (parts.places.alone_changed, long_axis.set_room),
            (parts.bell.clicked, parts.bell.open_list),
            (parts.work.cancel_wanted, session.jobs.cancel),
            (parts.training.cancel_wanted, models.cancel),
            # the desk
            (desk.frame_changed, showing.show_frame),
            (desk.frame_changed, long_axis.show_frame),
            (desk.stroke_painted, showing.show_stroke),
            (desk.tool_changed, showing.show_tool),
            (desk.tool_changed, self._sync_tools),
            (desk.noted, parts.work.note),
            (desk.player.running_changed, self.actions_by_id["play"].setChecked),
            (desk.player.running_changed, showing.show_panels_again),
            (showing.possible_changed, self._show_possible),
            (long_axis.possible_changed, self._show_possible),
            (studies.page_changed, self._show_possible),
            # the session
            (session.opening.started, studies.show_opening),
            (session.opening.previewed, studies.show_preview),
            (session.opening.failed, studies.show_failed),
            (session.opening.cancelled, studies.show_cancelled),
            (session.study.closed, studies.show_closed),
            (session.study.frames_changed, showing.take_changes),
            (session.study.regions_followed, showing.show_followed),
            (session.study.offer_changed, showing.show_offer),
            (showing.said, self.say),
            (session.study.analysed, showing.show_next),
            (session.study.phase_marks_changed, showing.show_marks),
            (session.study.history_changed, self._show_possible),
            (session.message, self.say),
            (session.models.changed, models.refresh),
            (session.worklist.changed, studies.show_worklist),
            # what runs
            (session.jobs.started, parts.work.begin),
            (session.jobs.progressed, parts.work.progress),
            (session.jobs.progressed, studies.show_progress),
            (session.jobs.finished, parts.work.end),
            (session.jobs.failed, parts.work.end),
            (session.jobs.cancelled, parts.work.end),
            # training
            (retraining.started, models.show_started),
            (retraining.progressed, models.show_progress),
            (retraining.finished, models.show_finished),
            (retraining.rolled_back, models.show_rolled_back),
            (retraining.waiting_changed, models.show_lines),
            (models.possible_changed, self._show_possible),
            (models.said, self.say_in_general),
        )

    def _action_wires(self) -> Iterable[Wire]:
        """What each action does."""
        desk, showing, models, view = self.desk, self.showing, self.models, self.parts.view
        studies, exchange = self.studies, self.exchange
        slots: dict[str, Callable[..., Any]] = {
            "open_folder": studies.open_folder,
            "open_file": studies.open_file,
            "open_demo": studies.open_demo,
            "cancel_opening": studies.cancel_opening,
            "choose_stack": studies.choose_stack,
            "turn_round": studies.turn_round,
            "correct_spacing": studies.correct_spacing,
            "slice_axis": studies.take_next_slice_axis,
            "any_size": studies.change_any_size,
            "study_notes": studies.show_notes,
            "import_labels": exchange.import_file,
            "import_folder": exchange.import_folder,
            "export_labels": exchange.export_label_maps,
            "export": exchange.export,
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
            "zoom_heart": showing.fit_heart,
            "zoom_fit": showing.fit_frame,
            "zoom_in": view.zoom_in,
            "zoom_out": view.zoom_out,
            "window_auto": showing.window_auto,
            "grid": self.parts.strip.set_grid,
            "long_axis": self.long_axis.set_wanted,
            "long_axis_next": self.parts.long_axis.choose_next,
            "page_frame": self.parts.side.show_frame,
            "page_measures": self.parts.side.show_measures,
            "page_review": self.parts.side.show_review,
            "page_models": self.parts.side.show_models,
            "full_screen": self._full_screen,
            "region_base": desk.region_base,
            "region_middle": desk.region_middle,
            "region_apex": desk.region_apex,
            "region_non_cardiac": desk.region_non_cardiac,
            "accept": desk.accept,
            "accept_slice": desk.accept_slice,
            "accept_phase": desk.accept_phase,
            "accept_all": desk.accept_all,
            "next_review": desk.next_review,
            "analyse": self.session.study.analyse,
            "proposal_show": showing.show_proposal,
            "proposal_take": desk.take_proposal,
            "proposal_keep": desk.keep_mine,
            "retrain_base": models.retrain_base,
            "retrain_middle": models.retrain_middle,
            "retrain_apex": models.retrain_apex,
            "cancel_training": models.cancel,
            "keys": self._keys,
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
        for menu in Menu:
            shown = self.menuBar().addMenu(menu.value)
            section: int | None = None
            for spec in ACTIONS:
                if spec.menu is not menu:
                    continue
                if section is not None and spec.section != section:
                    shown.addSeparator()
                section = spec.section
                shown.addAction(self.actions_by_id[spec.id])
                if spec.id == "open_demo":
                    self._recent = shown.addMenu("Open &recent")
                    self._recent.aboutToShow.connect(self._fill_recent)
        labels = QActionGroup(self)
        labels.setExclusionPolicy(QActionGroup.ExclusionPolicy.ExclusiveOptional)
        for name in ("label_lvbp", "label_lvm", "label_rvbp", "label_erase"):
            labels.addAction(self.actions_by_id[name])
        for action in self.actions_by_id.values():
            self.addAction(action)

    def _fill_recent(self) -> None:
        self._recent.clear()
        for text in self.settings.recent_studies:
            path = path_of_text(text)
            action = self._recent.addAction(readable(path.name).replace("&", "&&"))
            action.setData(text)
            action.setToolTip(readable(str(path)))
            action.triggered.connect(self.studies.open_recent)
        if not self.settings.recent_studies:
            self._recent.addAction("No recent studies").setEnabled(False)

    def _make_status_bar(self) -> None:
        bar = self.statusBar()
        bar.setSizeGripEnabled(False)
        bar.addWidget(self.parts.work)
        bar.addWidget(self.parts.training)
        bar.addPermanentWidget(label(NOT_A_DEVICE.split(".")[0], "small"))
        bar.addPermanentWidget(UnsavedButton(self.session))
        bar.addPermanentWidget(self.parts.bell)

    # What is possible

    @Slot()
    def _show_possible(self) -> None:
        """Enable what is possible, and say what undo takes back."""
        session, state = self.session, self.showing.state
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
            When.LONG_AXIS: study and self.long_axis.has_views,
        }
        self.parts.tools.set_possible(study)
        possible: dict[str, bool] = {}
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
        if self.session.study.data is None:
            return
        self.parts.messages.make_way()
        self.showing.show_study()
        self.long_axis.show_study()
        self.studies.show_opened()
        self._show_title()

    @Slot()
    def _drop_study(self) -> None:
        """The study is left: everything of it goes at once, whether another one follows or not."""
        close_study_dialogs(self)
        self.parts.messages.make_way()
        self.parts.work.end_note()
        self.parts.bell.drop_study()
        holders: tuple[OfStudy, ...] = (self.desk, self.showing, self.long_axis, self.studies, *self.features)
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
        """They were taken away again."""
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
        self.showing.take_settings()
        self.actions_by_id[f"theme_{self.settings.theme}"].trigger()
        self.save_settings()

    def save_settings(self) -> None:
        """Keep the settings; what goes wrong is said."""
        try:
            self.settings.save()
        except (CmrViewerError, OSError) as error:
            self.say_in_general("warning", f"Could not save the settings to {self.settings.path}: {error}")

    @Slot()
    def _keys(self) -> None:
        show_dialog(KeysSheet(self.settings.key_bindings, self))

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
    def say(self, severity: str, text: str, action: QAction | None = None) -> None:
        """Tell the reader something about the open study: in the bar over the frame, and behind the bell."""
        study = self.session.study.data
        name = "" if study is None else study.name
        self.parts.bell.add(severity, text, study=name, ends=study is not None)
        self.parts.messages.say(severity, text, action, study=name, ends=study is not None)

    @Slot(str, str)
    def say_in_general(self, severity: str, text: str) -> None:
        """Tell the reader something that is not about the open study, and stays true when it is left."""
        self.parts.bell.add(severity, text)
        self.parts.messages.say(severity, text)

    def say_of(self, study: Study, severity: str, text: str) -> None:
        """Tell the reader something about a study that may be left by now: then it waits behind the bell."""
        if study is self.session.study.data:
            self.say(severity, text)
        else:
            self.parts.bell.add(severity, text, study=study.name)

    @Slot(str, str, str)
    def report(self, severity: str, text: str, _details: str) -> None:
        """Tell the reader of something unexpected; the details are in the log."""
        self.say_in_general(severity, text)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the layout, unless work would be lost; the program is closed by whoever started it."""
        self.desk.player.stop()
        if not self.quitting.ask():
            event.ignore()
            return
        self.settings.window_geometry = base64.b64encode(self.saveGeometry().data()).decode("ascii")
        self.save_settings()
        super().closeEvent(event)


_TOGGLED = frozenset({"hide_masks", "exact_edges", "grid", "proposal_show", "long_axis"})
"""Actions whose slot follows the state, however it was changed; the rest follow the reader alone."""
