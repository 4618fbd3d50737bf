"""Brings what the session knows onto the screen, no more often than it can be seen."""

from dataclasses import dataclass

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal, Slot

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.reading.frames import FrameState
from cmr_viewer.ui.features.measures.panel import MeasuresPanel
from cmr_viewer.ui.features.region.panel import RegionPanel
from cmr_viewer.ui.features.tools.panel import ToolsPanel
from cmr_viewer.ui.features.worklist.panel import WorklistPanel
from cmr_viewer.ui.frame.frame_cell import Cell
from cmr_viewer.ui.frame.frame_notes import FrameNotes
from cmr_viewer.ui.frame.frame_view import Box, FrameView
from cmr_viewer.ui.frame.navigator import Navigator
from cmr_viewer.ui.frame.proposal_bar import ProposalBar
from cmr_viewer.ui.frame.stack_strip import StackStrip
from cmr_viewer.ui.frame.thumbnails import Thumbnails, moving_box, usual_window
from cmr_viewer.ui.window.desk import Desk
from cmr_viewer.ui.window.theme import STRUCTURE_TEXTS
from cmr_viewer.ui.window.widgets import TIMES

_GATHER_MS = 40
_TURN_MS = 8
"""So long at a time thumbnails of many frames that changed may take, before the window turns to the reader."""


@dataclass(frozen=True)
class Screen:
    """The widgets that show a study.

    Attributes:
        view: The frame.
        strip: Thumbnails.
        navigator: Time.
        tools: Tools.
        region: Region of the frame.
        measures: Volumes.
        worklist: Study and worklist.
        proposal: Offer of a new prediction.
    """

    view: FrameView
    strip: StackStrip
    navigator: Navigator
    tools: ToolsPanel
    region: RegionPanel
    measures: MeasuresPanel
    worklist: WorklistPanel
    proposal: ProposalBar


class Showing(QObject):
    """Fills the widgets from the session.

    Signals:
        possible_changed(): What is possible with the frame on show may have changed.
        said(str severity, str text): Something for the reader.
    """

    possible_changed = Signal()
    said = Signal(str, str)

    def __init__(self, session: Session, settings: Settings, desk: Desk, screen: Screen) -> None:
        super().__init__(screen.view)
        self._session, self._settings, self._desk, self._screen = session, settings, desk, screen
        self._box: Box = (0, 1, 0, 1)
        self._usual_window = (0.5, 1.0)
        self._state: FrameState | None = None
        self._accepted: set[FrameIndex] = set()
        self._changed: set[FrameIndex] = set()
        self._with_proposal = False
        self._substituted: frozenset[FrameIndex] = frozenset()
        self._gather = QTimer(self)
        self._gather.setSingleShot(True)
        self._gather.timeout.connect(self.show_changes)
        self.take_settings()

    @property
    def state(self) -> FrameState | None:
        """What is known about the frame on show; None without a study."""
        return self._state

    @property
    def has_more_to_show(self) -> bool:
        """Whether thumbnails, progress and volume curve are about to follow a change."""
        return self._gather.isActive()

    def _gather_changes(self) -> None:
        if not self._gather.isActive():
            self._gather.start(_GATHER_MS)

    @property
    def box(self) -> Box:
        """The part of the frames that beats, as thumbnails show it."""
        return self._box

    @property
    def usual_window(self) -> tuple[float, float]:
        """Window centre and width that suit the study."""
        return self._usual_window

    def take_settings(self) -> None:
        """Take colours, fill and brush from the settings."""
        labels: dict[Label, str] = {each: self._settings.label_colour(each) for each in STRUCTURES}
        regions: dict[Region, str] = {each: self._settings.region_colour(each) for each in REGIONS}
        self._screen.view.set_colours(labels, self._settings.outline_width_px)
        self._screen.view.set_fill(self._settings.overlay_opacity)
        self._screen.tools.set_colours(labels)
        self._screen.measures.curve.set_colours(labels)
        self._screen.tools.set_fill(self._settings.overlay_opacity)
        self._screen.region.set_colours(regions)
        self._screen.strip.set_colours(regions)
        self._show_tool()
        if self._session.study.stack is not None:
            self._new_thumbnails(self._session.study.stack)
            self.show_frame()

    # A study

    @Slot()
    def show_study(self) -> None:
        """A study was opened: its frame is there first, regions and label maps follow."""
        study, stack = self._session.study.data, self._session.study.stack
        if study is None or stack is None:
            return
        self._accepted.clear()
        self._changed.clear()
        self._box, self._usual_window = moving_box(stack), usual_window(stack)
        self._substituted = substituted_frames(study)
        self._screen.view.clear()
        self._screen.view.set_window(*self._usual_window)
        self._screen.strip.show_stack(None, stack.phases, stack.slices)
        self._new_thumbnails(stack)
        self._screen.navigator.show_phases(stack.phases)
        self._screen.worklist.show_study(study.name, facts_of(stack, study.format_name))
        self._show_window()
        self._desk.begin_study()
        self.fit_heart()
        self.take_changes(tuple(stack.frame_indices))
        self.show_marks()

    def drop_study(self) -> None:
        """The study is left: nothing of it stays on the screen."""
        self._gather.stop()
        self._state, self._box, self._usual_window = None, (0, 1, 0, 1), (0.5, 1.0)
        self._substituted = frozenset()
        self._accepted.clear()
        self._changed.clear()
        self._screen.view.clear()
        self.window_auto()
        self._screen.strip.show_stack(None, 0, 0)
        self._screen.navigator.show_phases(0)
        self._screen.measures.curve.set_phase(0)
        self.show_marks()
        self._screen.worklist.show_study("", ())
        self._screen.worklist.show_progress(0, 0)
        self._screen.worklist.show_next("")
        self._screen.region.show_nothing()
        self._screen.proposal.offer("")
        self.possible_changed.emit()

    def _new_thumbnails(self, stack: Stack) -> None:
        colours = {each: self._settings.label_colour(each) for each in STRUCTURES}
        thumbnails = Thumbnails(stack, self._box, self._usual_window, self._labels_of, colours)
        self._screen.strip.show_thumbnails(thumbnails)

    def _labels_of(self, frame: FrameIndex) -> LabelMap | None:
        if self._session.study.stack is None:  # thumbnails are made in later turns, and the study may be closed by then
            return None
        return self._session.study.frame_state(frame).labels

    # The frame

    @Slot()
    def show_frame(self) -> None:
        """Show the frame that the reader is at."""
        stack, frame, screen = self._session.study.stack, self._desk.frame, self._screen
        if stack is None:
            return
        geometry = stack.geometry
        state = self._session.study.frame_state(frame)
        self._state = state
        screen.view.show_frame(
            stack.frame(frame), geometry.pixel_spacing_mm, spacing_known=geometry.spacing_known, key=frame
        )
        screen.view.show_labels(state.labels, key=frame)
        screen.strip.set_current(frame)
        screen.navigator.show_phase(frame.phase, stack.phase_times_ms)
        screen.measures.curve.set_phase(frame.phase)
        self._show_notes(stack, frame, state)
        if not self._desk.player.running:
            self._show_panels(state)

    @Slot(bool)
    def show_panels_again(self, playing: bool) -> None:
        """The panels rest while the cine plays, and follow when it stops."""
        if not playing and self._session.study.stack is not None:
            self._session.study.look_at(self._desk.frame)
            self.show_frame()

    def _show_panels(self, state: FrameState) -> None:
        self._screen.region.show_region(
            state.region,
            state.region_prediction,
            by_reader=state.region_by == "reader",
            reason=state.reason,
            model_id=state.model_id,
            accepted=state.status is ReviewStatus.ACCEPTED,
        )
        findings = self._session.study.findings(self._desk.frame)
        self._screen.region.show_findings(
            [each.text for each in findings if not each.is_note], [each.text for each in findings if each.is_note]
        )
        self._gather_changes()
        self._show_offer(state)
        self.possible_changed.emit()

    def _show_offer(self, state: FrameState) -> None:
        """What is offered for the frame: by a tool, dashed at once; else by a model, dashed when asked for."""
        offer, proposal = self._session.study.offer, state.proposal
        if offer is not None:
            self._screen.proposal.offer(offer.sentence)
            self._screen.view.show_proposal(offer.label_maps.get(self._desk.frame))
        elif proposal is not None:
            self._screen.proposal.offer(f"New prediction by {self._made_by(proposal)}. Your label map is unchanged.")
            self._screen.view.show_proposal(proposal.labels if self._with_proposal else None)
        else:
            self._screen.proposal.offer("")
            self._screen.view.show_proposal(None)

    def _made_by(self, prediction: Prediction) -> str:
        """The model that made a prediction, in words; where a region has no specialist, that is another one."""
        models = self._session.models.loaded
        roles = {} if models is None else {model_id: role for role, model_id in models.active.items()}
        role = roles.get(prediction.model_id)
        return f"model {prediction.model_id}" if role is None else f"the {role.text.lower()}"

    @Slot()
    def show_offer(self) -> None:
        """A tool offers something, or no longer."""
        if self._session.study.stack is not None and self._state is not None:
            self._show_offer(self._state)
        self.possible_changed.emit()

    def _show_notes(self, stack: Stack, frame: FrameIndex, state: FrameState) -> None:
        notes = self.notes_of(stack, frame, state)
        self._screen.view.set_border(notes.region_colour if state.region is not None else None)
        self._screen.view.set_notes(notes)

    def notes_of(self, stack: Stack, frame: FrameIndex, state: FrameState) -> FrameNotes:
        """What is written over a frame."""
        times = stack.phase_times_ms
        time = f"Phase {frame.phase + 1} of {stack.phases}"
        ed, es = self._session.study.ed_phase, self._session.study.es_phase
        mark = "ED" if frame.phase == ed else "ES" if frame.phase == es else ""
        region, tint = "", ""
        if state.region is not None:
            tint = self._settings.region_colour(state.region)
            predicted = state.region_prediction
            if state.region_by == "reader":
                region = f"{state.region.text} · you"
            elif predicted is not None:
                region = f"{state.region.text} · {100 * predicted.of(state.region):.0f} %"
        words = []
        if state.status is ReviewStatus.ACCEPTED:
            words.append(f"Accepted · imported from {state.imported}" if state.imported else "Accepted")
        elif state.edited:
            words.append(f"Imported from {state.imported}" if state.imported else "Corrected")
        elif state.labels is None and self._session.models.loaded is not None:
            words.append("Label map pending")
        return FrameNotes(
            place=f"Slice {frame.slice_index + 1} of {stack.slices}",
            time=time if times is None else f"{time} · {times[frame.phase]:.0f} ms",
            mark=mark,
            region=region,
            region_colour=tint or "#000000",
            state=" ".join(words),
            badge=SUBSTITUTED if frame in self._substituted else "",
            legend=[(self._settings.label_colour(each), STRUCTURE_TEXTS[each]) for each in STRUCTURES],
        )

    @Slot(object)
    def show_stroke(self, box: Box) -> None:
        """The brush changed the frame on show in a box."""
        self._state = self._session.study.frame_state(self._desk.frame)
        if self._state.labels is not None:
            self._screen.view.refresh_labels(self._state.labels, box, key=self._desk.frame)

    @Slot(bool)
    def show_proposal(self, on: bool) -> None:
        """Show the outline of the new prediction, dashed."""
        self._with_proposal = on
        self.show_frame()

    # Changes from the session

    @Slot(object)
    def take_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        """Something of some frames has changed; during a stroke the brush shows it already."""
        self._changed.update(frames)
        for frame in frames:
            if not (self._desk.painting and frame == self._desk.frame):
                self._screen.view.forget_labels(frame)
        if self._desk.frame in frames and not self._desk.painting:
            self.show_frame()
        self._gather_changes()

    @Slot(object)
    def show_followed(self, frames: tuple[FrameIndex, ...]) -> None:
        """Other frames have another region, because the reader set that of one: make them stand out, and say so."""
        self._screen.strip.light(frames)
        several = f"{len(frames)} neighbouring frames" if len(frames) > 1 else "1 neighbouring frame"
        self.said.emit("info", f"{several} changed region too.")

    @Slot()
    def show_changes(self) -> None:
        """Bring thumbnails and progress up to date, as many as a turn allows; the rest in the next turn."""
        if self._desk.painting:  # the stroke has all of the time; they follow when it ends
            self._gather.start(_GATHER_MS)
            return
        stack = self._session.study.stack
        if stack is None:
            self._changed.clear()
            return
        clock = QElapsedTimer()
        clock.start()
        while self._changed:
            if clock.hasExpired(_TURN_MS):
                self._gather.start(0)
                return
            frame = self._changed.pop()
            state = self._session.study.frame_state(frame)
            self._screen.strip.set_cell(frame, cell_of(state))
            self._screen.strip.refresh(frame)
            if state.status is ReviewStatus.ACCEPTED:
                self._accepted.add(frame)
            else:
                self._accepted.discard(frame)
        self._screen.worklist.show_progress(len(self._accepted), stack.phases * stack.slices)
        self.show_next()

    @Slot()
    def show_next(self) -> None:
        """Say which frame is next to review, and why."""
        found = None if self._session.models.is_analysing else self._session.study.next_review(self._desk.frame)
        text = ""
        if found is not None:
            text = f"Slice {found.frame.slice_index + 1}, phase {found.frame.phase + 1}. {found.why}"
        self._screen.worklist.show_next(text)

    @Slot()
    def show_marks(self) -> None:
        """End-diastole or end-systole has changed."""
        ed, es = self._session.study.ed_phase, self._session.study.es_phase
        self._screen.strip.set_marks(ed, es)
        self._screen.navigator.slider.set_marks(ed, es)
        self._screen.measures.curve.set_marks(ed, es)
        if self._session.study.stack is not None and self._state is not None:
            self._show_notes(self._session.study.stack, self._desk.frame, self._state)

    # View

    @Slot()
    def show_tool(self) -> None:
        """Brush, label or radius have changed."""
        self._settings.brush_radius_px = self._desk.radius_px
        self._show_tool()

    def _show_tool(self) -> None:
        desk = self._desk
        tint = "#ffffff" if desk.label is Label.BACKGROUND else self._settings.label_colour(desk.label)
        self._screen.view.set_brush(desk.brush_on, desk.radius_px, tint)
        self._screen.view.hold(desk.tool)
        self._screen.tools.set_radius(desk.radius_px)

    @Slot(float)
    def set_fill(self, opacity: float) -> None:
        """Opacity of the fills."""
        self._settings.overlay_opacity = opacity
        self._screen.view.set_fill(opacity)
        self._screen.tools.set_fill(opacity)

    @Slot(float, float)
    def set_window_parts(self, centre_part: float, width_part: float) -> None:
        """Window and level from the sliders."""
        low, span = self._range()
        self._screen.view.set_window(low + centre_part * span, max(width_part, 0.001) * span)
        self._show_window()

    @Slot()
    def window_auto(self) -> None:
        """Window and level that suit the study."""
        self._screen.view.set_window(*self._usual_window)
        self._show_window()

    @Slot()
    def show_window(self) -> None:
        """Window and level were dragged."""
        self._show_window()

    def _range(self) -> tuple[float, float]:
        """Start and span of the sliders: half as far again as the usual window."""
        centre, width = self._usual_window
        return centre - 0.75 * width, 1.5 * width

    def _show_window(self) -> None:
        low, span = self._range()
        centre, width = self._screen.view.grey_window
        self._screen.tools.set_window(centre, width, (centre - low) / span, width / span)

    @Slot()
    def fit_heart(self) -> None:
        """Zoom to the heart."""
        self._screen.view.fit(self._box)

    @Slot()
    def fit_frame(self) -> None:
        """Show the whole frame."""
        self._screen.view.fit()

    @Slot()
    def toggle_heart(self) -> None:
        """Between the heart and the whole frame."""
        if self._screen.view.shows_whole_frame:
            self.fit_heart()
        else:
            self.fit_frame()


SUBSTITUTED = "This frame is damaged or missing: nearest in time shown"
"""What is written over a frame that stands for another one."""


def substituted_frames(study: Study) -> frozenset[FrameIndex]:
    """Frames in whose place another one of the slice is shown, as the notes on the study tell."""
    return frozenset(
        FrameIndex(phase, slice_index)
        for note in study.warnings
        for slice_index in note.slices
        for phase in note.phases
    )


def cell_of(state: FrameState) -> Cell:
    """What the thumbnail of a frame says."""
    predicted = state.region_prediction
    probability = None
    if state.region is not None and state.region_by == "predicted" and predicted is not None:
        probability = predicted.of(state.region)
    return Cell(
        region=state.region,
        probability=probability,
        accepted=state.status is ReviewStatus.ACCEPTED,
        edited=state.edited or state.region_by == "reader",
        offered=state.proposal is not None,
        differs=predicted.differs if predicted is not None and state.region_by == "predicted" else "",
    )


def facts_of(stack: Stack, format_name: str) -> list[str]:
    """What a reader wants to know of a stack, line by line."""
    geometry = stack.geometry
    lines = [f"{stack.slices} slices · {stack.phases} phases"]
    matrix = f"{geometry.rows} {TIMES} {geometry.cols}"
    if geometry.spacing_known:
        down, across = geometry.pixel_spacing_mm
        in_plane = f"{down:.2f} mm" if abs(down - across) < 0.005 else f"{down:.2f} {TIMES} {across:.2f} mm"
        apart = geometry.single_slice_spacing_mm if geometry.slices == 1 else geometry.slice_spacing_mm
        lines.append(f"{matrix} · {in_plane}")
        lines += [] if apart is None else [f"Slices {apart:.1f} mm apart"]
    else:
        lines += [matrix, "Spacing not known: no ml, mm or g"]
    rate = f"{stack.heart_rate_bpm:.0f} beats/min" if stack.heart_rate_bpm else ""
    last = " · ".join(text for text in (format_name, rate) if text)
    return [*lines, last] if last else lines
