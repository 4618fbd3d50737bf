"""Shows the frame, the thumbnails, the time and the suggestion of the open study, no more often than it can be seen."""

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal, Slot

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.reading.frames import FrameState
from cmr_viewer.ui.frame.frame_notes import FrameNotes
from cmr_viewer.ui.frame.frame_view import Box
from cmr_viewer.ui.frame.thumbnails import Cell, Thumbnails, moving_box, usual_window
from cmr_viewer.ui.window.desk import Desk
from cmr_viewer.ui.window.layout import Parts
from cmr_viewer.ui.window.theme import STRUCTURE_TEXTS

_GATHER_MS = 40
_TURN_MS = 8
"""So long at a time thumbnails of many frames that changed may take, before the window turns to the reader."""


class Display(QObject):
    """Fills the parts of the window that every study needs, and signals features when to fill theirs.

    Signals:
        possible_changed(): What is possible with the displayed frame may have changed.
        message(str severity, str text): Something for the reader.
        colours_changed(): The reader set other colours, or another opacity of the fills.
        window_changed(float, float, float, float): Window centre and width in the pixels' unit, and both as parts of
            the study's range.
        state_shown(object FrameState): What is known of the displayed frame; while a cine plays, not until it stops.
        changes_shown(): The thumbnails show all changes.

    Signals from one feature to others that may be there:
        checked(object): Findings of the checks by frame, those compared with other frames included; None while they are
            not known.
        rule_changed(): Another share of the ring makes a basal slice count as left ventricle.
    """

    possible_changed = Signal()
    message = Signal(str, str)
    colours_changed = Signal()
    window_changed = Signal(float, float, float, float)
    state_shown = Signal(object)
    changes_shown = Signal()
    checked = Signal(object)
    rule_changed = Signal()

    def __init__(self, session: Session, settings: Settings, desk: Desk, parts: Parts) -> None:
        super().__init__(parts.view)
        self._session, self._settings, self._desk, self._parts = session, settings, desk, parts
        self._box: Box = (0, 1, 0, 1)
        self._usual_window = (0.5, 1.0)
        self._state: FrameState | None = None
        self._changed: set[FrameIndex] = set()
        self._with_proposal = False
        self._substituted: frozenset[FrameIndex] = frozenset()
        self._gather = QTimer(self, singleShot=True)
        self._gather.timeout.connect(self.show_changes)
        self.take_settings()

    @property
    def state(self) -> FrameState | None:
        """What is known about the displayed frame; None without a study."""
        return self._state

    @property
    def has_more_to_show(self) -> bool:
        """Whether the thumbnails are about to show a change."""
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

    @property
    def label_colours(self) -> dict[Label, str]:
        """Colours of the labels, #rrggbb."""
        return {each: self._settings.label_colour(each) for each in STRUCTURES}

    @property
    def region_colours(self) -> dict[Region, str]:
        """Colours of the regions, #rrggbb."""
        return {each: self._settings.region_colour(each) for each in REGIONS}

    def take_settings(self) -> None:
        """Take colours, fill and brush from the settings."""
        self._parts.view.set_colours(self.label_colours, self._settings.outline_width_px)
        self._parts.view.set_fill(self._settings.overlay_opacity)
        self._parts.strip.set_colours(self.region_colours)
        self._show_brush()
        self.colours_changed.emit()
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
        self._changed.clear()
        self._box, self._usual_window = moving_box(stack), usual_window(stack)
        self._substituted = substituted_frames(study)
        self._parts.view.clear()
        self._parts.view.set_window(*self._usual_window)
        self._parts.strip.show_stack(None, stack.phases, stack.slices)
        self._new_thumbnails(stack)
        self._parts.navigator.show_phases(stack.phases)
        self.show_window()
        self._desk.begin_study()
        self.fit_heart()
        self.take_changes(tuple(stack.frame_indices))
        self.show_marks()

    def drop_study(self) -> None:
        """The study is left: nothing of it stays on the parts."""
        self._gather.stop()
        self._state, self._box, self._usual_window = None, (0, 1, 0, 1), (0.5, 1.0)
        self._substituted = frozenset()
        self._changed.clear()
        self._parts.view.clear()
        self.window_auto()
        self._parts.strip.show_stack(None, 0, 0)
        self._parts.navigator.show_phases(0)
        self.show_marks()
        self._parts.proposal.offer("")
        self.possible_changed.emit()

    def _new_thumbnails(self, stack: Stack) -> None:
        thumbnails = Thumbnails(stack, self._box, self._usual_window, self._labels_of, self.label_colours)
        self._parts.strip.show_thumbnails(thumbnails)

    def _labels_of(self, frame: FrameIndex) -> LabelMap | None:
        if self._session.study.stack is None:  # thumbnails are made in later turns, and the study may be closed by then
            return None
        return self._session.study.frame_state(frame).labels

    # The frame

    @Slot()
    def show_frame(self) -> None:
        """Show the reader's frame."""
        stack, frame, parts = self._session.study.stack, self._desk.frame, self._parts
        if stack is None:
            return
        geometry = stack.geometry
        state = self._session.study.frame_state(frame)
        self._state = state
        parts.view.show_frame(
            stack.frame(frame), geometry.pixel_spacing_mm, spacing_known=geometry.spacing_known, key=frame
        )
        parts.view.show_labels(state.labels, key=frame)
        parts.strip.set_current(frame)
        parts.navigator.show_phase(frame.phase, stack.phase_times_ms)
        self._show_notes(stack, frame, state)
        if not self._desk.player.running:
            self._show_state(state)

    @Slot(bool)
    def show_rest(self, playing: bool) -> None:
        """Show all of the frame at which the cine stopped; while it plays, only the frame itself."""
        if not playing and self._session.study.stack is not None:
            self._session.study.look_at(self._desk.frame)
            self.show_frame()

    def _show_state(self, state: FrameState) -> None:
        self.state_shown.emit(state)
        self._gather_changes()
        self._show_offer(state)
        self.possible_changed.emit()

    def _show_offer(self, state: FrameState) -> None:
        """The suggestion for the frame: by a tool, dashed at once; else by a model, dashed when asked for."""
        offer, proposal = self._session.study.offer, state.proposal
        if offer is not None:
            self._parts.proposal.offer(offer.sentence)
            self._parts.view.show_proposal(offer.label_maps.get(self._desk.frame))
        elif proposal is not None:
            self._parts.proposal.offer(f"New prediction by {self._made_by(proposal)}. Your label map is unchanged.")
            self._parts.view.show_proposal(proposal.labels if self._with_proposal else None)
        else:
            self._parts.proposal.offer("")
            self._parts.view.show_proposal(None)

    def _made_by(self, prediction: Prediction) -> str:
        """The model that made a prediction, in words; where a region has no specialist, that is another one."""
        models = self._session.models.loaded
        roles = {} if models is None else {model_id: role for role, model_id in models.active.items()}
        role = roles.get(prediction.model_id)
        return f"model {prediction.model_id}" if role is None else f"the {role.text.lower()}"

    @Slot()
    def show_offer(self) -> None:
        """A tool has a suggestion, or no longer."""
        if self._session.study.stack is not None and self._state is not None:
            self._show_offer(self._state)
        self.possible_changed.emit()

    def _show_notes(self, stack: Stack, frame: FrameIndex, state: FrameState) -> None:
        notes = self.notes_of(stack, frame, state)
        self._parts.view.set_border(notes.region_colour if state.region is not None else None)
        self._parts.view.set_notes(notes)

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
        elif state.renewed:
            words.append("New label map")
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
        """The brush changed the displayed frame in a box."""
        self._state = self._session.study.frame_state(self._desk.frame)
        if self._state.labels is not None:
            self._parts.view.refresh_labels(self._state.labels, box, key=self._desk.frame)

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
                self._parts.view.forget_labels(frame)
        if self._desk.frame in frames and not self._desk.painting:
            self.show_frame()
        self._gather_changes()

    @Slot(object)
    def show_followed(self, frames: tuple[FrameIndex, ...]) -> None:
        """Other frames have another region, because the reader set that of one: highlight them, with a message."""
        self._parts.strip.light(frames)
        several = f"{len(frames)} neighbouring frames" if len(frames) > 1 else "1 neighbouring frame"
        self.message.emit("info", f"{several} changed region too.")

    @Slot()
    def show_changes(self) -> None:
        """Bring the thumbnails up to date, as many as a turn allows; the rest in the next turn."""
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
            self._parts.strip.set_cell(frame, cell_of(self._session.study.frame_state(frame)))
            self._parts.strip.refresh(frame)
        self.changes_shown.emit()

    @Slot()
    def show_marks(self) -> None:
        """End-diastole or end-systole has changed."""
        ed, es = self._session.study.ed_phase, self._session.study.es_phase
        self._parts.strip.set_marks(ed, es)
        self._parts.navigator.slider.set_marks(ed, es)
        if self._session.study.stack is not None and self._state is not None:
            self._show_notes(self._session.study.stack, self._desk.frame, self._state)

    # View

    @Slot()
    def show_tool(self) -> None:
        """Brush, label or radius have changed."""
        self._settings.brush_radius_px = self._desk.radius_px
        self._show_brush()

    def _show_brush(self) -> None:
        desk = self._desk
        tint = "#ffffff" if desk.label is Label.BACKGROUND else self._settings.label_colour(desk.label)
        self._parts.view.set_brush(desk.brush_on, desk.radius_px, tint)
        self._parts.view.hold(desk.tool)

    @Slot(float)
    def set_fill(self, opacity: float) -> None:
        """Opacity of the fills."""
        self._settings.overlay_opacity = opacity
        self._parts.view.set_fill(opacity)

    @Slot(float, float)
    def set_window_parts(self, centre_part: float, width_part: float) -> None:
        """Window and level from the sliders."""
        low, span = self._range()
        self.set_window(low + centre_part * span, max(width_part, 0.001) * span)

    @Slot(float, float)
    def set_window(self, centre: float, width: float) -> None:
        """Window and level from the histogram, in the pixels' own unit."""
        self._parts.view.set_window(centre, width)
        self.show_window()

    @Slot()
    def window_auto(self) -> None:
        """Window and level that suit the study."""
        self._parts.view.set_window(*self._usual_window)
        self.show_window()

    def _range(self) -> tuple[float, float]:
        """Start and span of the sliders: half as far again as the usual window."""
        centre, width = self._usual_window
        return centre - 0.75 * width, 1.5 * width

    @Slot()
    def show_window(self) -> None:
        """Report window and level, as after a drag over the frame."""
        low, span = self._range()
        centre, width = self._parts.view.grey_window
        self.window_changed.emit(centre, width, (centre - low) / span, width / span)

    @Slot()
    def fit_heart(self) -> None:
        """Zoom to the heart."""
        self._parts.view.fit(self._box)

    @Slot()
    def fit_frame(self) -> None:
        """Show the whole frame."""
        self._parts.view.fit()

    @Slot()
    def toggle_heart(self) -> None:
        """Between the heart and the whole frame."""
        if self._parts.view.shows_whole_frame:
            self.fit_heart()
        else:
            self.fit_frame()


SUBSTITUTED = "This frame is damaged or missing: nearest in time shown"
"""What is written over a frame that replaces a damaged one."""


def substituted_frames(study: Study) -> frozenset[FrameIndex]:
    """Frames in whose place another one of the slice is shown, as in the notes on the study."""
    return frozenset(
        FrameIndex(phase, slice_index)
        for note in study.warnings
        for slice_index in note.slices
        for phase in note.phases
    )


def cell_of(state: FrameState) -> Cell:
    """What the thumbnail of a frame shows."""
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
        renewed=state.renewed,
    )
