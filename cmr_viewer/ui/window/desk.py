"""What the reader is looking at, with which tool in hand; turns what they do into calls of the session."""

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.label_map import LabelMap, Point
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.edit import discs_of_ball
from cmr_viewer.ui.frame.cine import CinePlayer, cine_clock
from cmr_viewer.ui.frame.mouse_tools import BRUSH, MOVE

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last)."""


class BallStroke:
    """A stroke through slices while it lasts.

    The displayed frame is painted by the session's own brush, which is quick and is seen at once. The other slices are
    painted beside, and at the end all of them are handed over together in the place of that stroke.

    Args:
        session: The session with an open study.
        frame: The displayed frame; the middle of the ball lies in it.
        label: What is painted; BACKGROUND erases.
        radius_px: Radius of the ball in pixels of the frame.

    Raises:
        LabelMapError: The radius is not positive.
        RuntimeError: No study is open.
    """

    def __init__(self, session: Session, frame: FrameIndex, label: Label, radius_px: float) -> None:
        stack = session.study.stack
        if stack is None:
            raise RuntimeError("No study is open.")
        self._session, self._stack = session, stack
        self._frame, self._label, self._radius_px = frame, label, radius_px
        discs = discs_of_ball(stack.geometry, frame.slice_index, radius_px)
        self._discs = {FrameIndex(frame.phase, each): disc for each, disc in discs.items() if each != frame.slice_index}
        self._painted: dict[FrameIndex, LabelMap] = {}
        self._last: Point = (0.0, 0.0)

    @property
    def frames(self) -> tuple[FrameIndex, ...]:
        """Frames that the ball reaches, the shown one first."""
        return (self._frame, *self._discs)

    @property
    def text(self) -> str:
        """What is done, in words."""
        if self._label is Label.BACKGROUND:
            return "erase through slices"
        return f"paint {self._label.text} through slices"

    def begin(self, point: Point) -> Box | None:
        """Put the ball down at a (row, col) point; the box of the shown frame that changed, or None.

        Raises:
            LabelMapError: The point is not a number; nothing has begun.
        """
        box = self._session.study.begin_stroke(self._frame, self._label, self._radius_px, point)
        if not (self._session.study.is_restored and self._session.study.can_change):  # refused, with a message
            self._discs = {}
        self._painted = {frame: self._canvas(frame) for frame in self._discs}
        self._paint_beside(point, point)
        return box

    def extend(self, point: Point) -> Box | None:
        """Move the ball; the box of the shown frame that changed, or None.

        Raises:
            LabelMapError: The point is not a number.
        """
        if self._session.study.stack is not self._stack:
            return None
        box = self._session.study.extend_stroke(point)
        self._paint_beside(self._last, point)
        return box

    def end(self) -> tuple[FrameIndex, ...]:
        """Lift the ball: one undo step over all slices; the frames that changed, none where the study was closed."""
        if self._session.study.stack is not self._stack:
            return ()
        shown = self._session.study.frame_state(self._frame).labels
        label_maps = {} if shown is None else {self._frame: shown.copy()}
        self._session.study.cancel_stroke()
        return self._session.study.change_labels(label_maps | self._painted, self.text)

    def cancel(self) -> None:
        """Lift the ball and take the stroke back."""
        self._painted = {}
        self._session.study.cancel_stroke()

    def _paint_beside(self, from_point: Point, to_point: Point) -> None:
        for frame, disc in self._discs.items():
            labels = self._painted[frame]
            disc.paint(labels, from_point, to_point, self._label).apply(labels)
        self._last = to_point

    def _canvas(self, frame: FrameIndex) -> LabelMap:
        labels, geometry = self._session.study.frame_state(frame).labels, self._stack.geometry
        return np.zeros((geometry.rows, geometry.cols), np.uint8) if labels is None else labels.copy()


RADII_PX = (0.5, 40.0)


class Desk(QObject):
    """Position and tools of the reader.

    Attributes:
        frame: The displayed frame.
        tool: Name of the tool in hand, as in `mouse_tools`.
        tools_with_label: Names of the tools that work on the chosen label; features add theirs.
        label: The label that is chosen.
        radius_px: Radius of the brush in pixels of the frame.
        painting: Whether the brush is down.
        ball_on: Whether the brush is a ball that paints through slices.
        plays_frame: Whether `frame` follows the cine; else only what listens to the player does.

    Signals:
        frame_changed(): `frame` is another.
        tool_changed(): `tool`, `label` or `radius_px`.
        noted(str): What was done just now, in words; such as what was undone.
        next_changed(): Another frame may be the next to review.
        stroke_painted(object): The label map of `frame` changed in a box (row0, row1, col0, col1), ends excluded.
    """

    frame_changed = Signal()
    tool_changed = Signal()
    stroke_painted = Signal(object)
    noted = Signal(str)
    next_changed = Signal()

    def __init__(self, session: Session, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.player = CinePlayer(self)
        self.player.phase_due.connect(self._play_phase)
        self.plays_frame = True
        self.frame = FrameIndex(0, 0)
        self.tool = MOVE
        self.tools_with_label = {BRUSH}
        self.label = Label.LVBP
        self.radius_px = settings.brush_radius_px
        self.painting = False
        self.ball_on = False
        self._ball: BallStroke | None = None

    # Where

    def drop_study(self) -> None:
        """The study is left: no cine and no stroke, and a frame that each study has."""
        self.player.stop()
        self.painting, self._ball = False, None
        self.frame = FrameIndex(0, 0)

    def begin_study(self) -> None:
        """Take the clock of the study that was opened; begin in the middle of its stack, or where the reader was."""
        stack = self._session.study.stack
        if stack is None:
            return
        self.player.set_clock(cine_clock(stack.phases, stack.phase_times_ms, stack.heart_rate_bpm))
        middle = FrameIndex(stack.ed_phase or 0, (stack.slices - 1) // 2)
        self.frame = self._session.opening.begin_at or middle
        self._session.study.look_at(self.frame)
        self.frame_changed.emit()

    @Slot(object)
    def go(self, frame: FrameIndex) -> None:
        """Show a frame; one outside the stack is left alone."""
        stack = self._session.study.stack
        if stack is None or frame == self.frame or self.painting:
            return
        if 0 <= frame.phase < stack.phases and 0 <= frame.slice_index < stack.slices:
            self.frame = frame
            if not self.player.running:
                self._session.study.look_at(frame)
            self.frame_changed.emit()

    @Slot(int)
    def go_phase(self, phase: int) -> None:
        """Show another phase of the slice."""
        self.go(FrameIndex(phase, self.frame.slice_index))

    @Slot(int)
    def _play_phase(self, phase: int) -> None:
        if self.plays_frame:
            self.go_phase(phase)

    @Slot(int)
    def go_slice(self, slice_index: int) -> None:
        """Show another slice at the same phase."""
        self.go(FrameIndex(self.frame.phase, slice_index))

    @Slot(int)
    def step_slice(self, step: int) -> None:
        """Go some slices towards the apex; stops at the ends of the stack."""
        stack = self._session.study.stack
        if stack is not None:
            wanted = min(stack.slices - 1, max(0, self.frame.slice_index + step))
            self.go(FrameIndex(self.frame.phase, wanted))

    @Slot(int)
    def step_phase(self, step: int) -> None:
        """Go some phases on; after the last comes the first."""
        stack = self._session.study.stack
        if stack is not None:
            self.player.stop()
            self.go_phase((self.frame.phase + step) % stack.phases)

    @Slot()
    def slice_up(self) -> None:
        """One slice towards the base."""
        self.step_slice(-1)

    @Slot()
    def slice_down(self) -> None:
        """One slice towards the apex."""
        self.step_slice(1)

    @Slot()
    def phase_previous(self) -> None:
        """One phase back."""
        self.step_phase(-1)

    @Slot()
    def phase_next(self) -> None:
        """One phase on."""
        self.step_phase(1)

    @Slot()
    def go_ed(self) -> None:
        """To end-diastole, if it is known."""
        self._go_mark(self._session.study.ed_phase)

    @Slot()
    def go_es(self) -> None:
        """To end-systole, if it is known."""
        self._go_mark(self._session.study.es_phase)

    def _go_mark(self, phase: int | None) -> None:
        if phase is not None:
            self.player.stop()
            self.go_phase(phase)

    @Slot()
    def set_ed(self) -> None:
        """This phase is end-diastole."""
        self._session.study.set_ed(self.frame.phase)

    @Slot()
    def set_es(self) -> None:
        """This phase is end-systole."""
        self._session.study.set_es(self.frame.phase)

    @Slot(bool)
    def play(self, on: bool) -> None:
        """Play or pause."""
        if on and self._session.study.stack is not None:
            self.player.start(self.frame.phase)
        else:
            self.player.stop()

    @Slot()
    def next_review(self) -> None:
        """To the frame that needs a look most."""
        found = self._session.study.next_review(self.frame)
        if found is not None:
            self.player.stop()
            self.go(found.frame)

    # Tools

    @property
    def brush_on(self) -> bool:
        """Whether the brush is held."""
        return self.tool == BRUSH

    def hold(self, tool: str) -> None:
        """Take a tool by its name; `mouse_tools.MOVE` is none."""
        self.tool = tool
        self.tool_changed.emit()

    @Slot(bool)
    def hold_brush(self, on: bool) -> None:
        """Take the brush, or no tool."""
        self.hold(BRUSH if on else MOVE)

    @Slot(bool)
    def hold_ball(self, on: bool) -> None:
        """Make the brush a ball that paints through slices, or flat again; a ball is selected at once."""
        if on != self.ball_on:
            self.ball_on = on
            self.hold(BRUSH if on else self.tool)

    def choose_label(self, label: Label) -> None:
        """Choose a label for the tool in hand; the brush is selected where that has no use for one.

        `BACKGROUND` erases, which only the brush does.
        """
        keeps = self.tool in self.tools_with_label and (label is not Label.BACKGROUND or self.tool == BRUSH)
        self.label, self.tool = label, self.tool if keeps else BRUSH
        self.tool_changed.emit()

    @Slot()
    def label_lvbp(self) -> None:
        """Paint LV blood pool."""
        self.choose_label(Label.LVBP)

    @Slot()
    def label_lvm(self) -> None:
        """Paint LV myocardium."""
        self.choose_label(Label.LVM)

    @Slot()
    def label_rvbp(self) -> None:
        """Paint RV blood pool."""
        self.choose_label(Label.RVBP)

    @Slot()
    def label_erase(self) -> None:
        """Erase."""
        self.choose_label(Label.BACKGROUND)

    @Slot(float)
    def set_radius(self, radius_px: float) -> None:
        """Radius of the brush, in pixels of the frame."""
        self.radius_px = min(RADII_PX[1], max(RADII_PX[0], radius_px))
        self.tool_changed.emit()

    @Slot(int)
    def step_radius(self, steps: int) -> None:
        """Make the brush larger or smaller: by half pixels, and by more where it is large."""
        step = 0.5 if self.radius_px < 5 else 1.0 if self.radius_px < 8 else 2.0
        self.set_radius(self.radius_px + steps * step)

    @Slot()
    def brush_smaller(self) -> None:
        """Make the brush smaller."""
        self.step_radius(-1)

    @Slot()
    def brush_larger(self) -> None:
        """Make the brush larger."""
        self.step_radius(1)

    # Label maps

    @Slot(float, float, bool)
    def begin_stroke(self, row: float, col: float, erase: bool) -> None:
        """Put the brush down at (row, col)."""
        if self._session.study.stack is None:
            return
        self.player.stop()
        label = Label.BACKGROUND if erase else self.label
        self.painting = True
        if self.ball_on:
            self._ball = BallStroke(self._session, self.frame, label, self.radius_px)
            self._painted(self._ball.begin((row, col)))
        else:
            self._painted(self._session.study.begin_stroke(self.frame, label, self.radius_px, (row, col)))

    @Slot(float, float)
    def extend_stroke(self, row: float, col: float) -> None:
        """Draw the brush on to (row, col)."""
        if self.painting:
            extend = self._session.study.extend_stroke if self._ball is None else self._ball.extend
            self._painted(extend((row, col)))

    @Slot()
    def end_stroke(self) -> None:
        """Lift the brush."""
        ball, self._ball = self._ball, None
        if ball is not None:
            self.painting = False
            ball.end()
        elif self.painting:
            self.painting = False  # first, so that what follows from the stroke is shown
            self._session.study.end_stroke()

    def _painted(self, box: tuple[int, int, int, int] | None) -> None:
        if box is not None:
            self.stroke_painted.emit(box)

    @Slot()
    def undo(self) -> None:
        """Undo the last change and show its frame."""
        if not self.painting:
            text = self._session.study.undo_text
            self._follow(self._session.study.undo())
            if text and self._session.study.redo_text == text:
                self.noted.emit(f"Undone: {text}")

    @Slot()
    def redo(self) -> None:
        """Redo the change and show its frame."""
        if not self.painting:
            text = self._session.study.redo_text
            self._follow(self._session.study.redo())
            if text and self._session.study.undo_text == text:
                self.noted.emit(f"Redone: {text}")

    def _follow(self, frame: FrameIndex | None) -> None:
        if frame is not None:
            self.player.stop()
            self.go(frame)

    @Slot()
    def copy_to_next_slice(self) -> None:
        """Copy the label map to the next slice and go there."""
        self._follow(self._session.study.copy_to_next_slice(self.frame))

    @Slot()
    def clear_frame(self) -> None:
        """Remove every label of the frame."""
        self._session.study.clear_label(self.frame)

    # Review

    def set_region(self, region: Region) -> None:
        """Set the region of the frame."""
        if self._session.study.stack is not None:
            self.player.stop()
            self._session.study.set_region(self.frame, region)

    @Slot()
    def region_base(self) -> None:
        """The frame is base."""
        self.set_region(Region.BASE)

    @Slot()
    def region_middle(self) -> None:
        """The frame is middle."""
        self.set_region(Region.MIDDLE)

    @Slot()
    def region_apex(self) -> None:
        """The frame is apex."""
        self.set_region(Region.APEX)

    @Slot()
    def region_non_cardiac(self) -> None:
        """The frame is non-cardiac."""
        self.set_region(Region.NON_CARDIAC)

    @Slot()
    def accept(self) -> None:
        """Accept the frame."""
        self._session.study.accept(self.frame)

    @Slot()
    def accept_slice(self) -> None:
        """Accept the slice at all phases."""
        self._session.study.accept_slice(self.frame.slice_index)

    @Slot()
    def accept_phase(self) -> None:
        """Accept the phase in all slices."""
        self._session.study.accept_phase(self.frame.phase)

    @Slot()
    def accept_all(self) -> None:
        """Accept the study."""
        self._session.study.accept_all()

    @Slot()
    def take_proposal(self) -> None:
        """Replace the reader's label map with the suggestion of a tool or a model."""
        if self._session.study.offer is not None:
            self._session.study.take_offer()
        else:
            self._session.study.take_proposal(self.frame)

    @Slot()
    def keep_mine(self) -> None:
        """Discard the suggestion."""
        if self._session.study.offer is not None:
            self._session.study.drop_offer()
        else:
            self._session.study.dismiss_proposal(self.frame)
