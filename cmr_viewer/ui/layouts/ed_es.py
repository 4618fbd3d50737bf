"""ED and ES of a slice side by side: the side under the pointer is the one that is corrected."""

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QFrame

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.layouts.desk_layout import DeskLayout
from cmr_viewer.ui.window.feature import Context
from cmr_viewer.ui.window.widgets import label, row

ED, ES = 0, 1
_NAMES = ("End-diastole", "End-systole")
_MARKS = ("ED", "ES")
_KEYS = (("go_ed", "set_ed"), ("go_es", "set_es"))


class EdEsFoot(QFrame):
    """What each side is, below it."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("foot")
        self.sides = (label("", "small"), label("", "small"))
        for side, name in zip(self.sides, ("Left side", "Right side"), strict=True):
            side.setAccessibleName(name)
        self.setLayout(row(*self.sides, spacing=16, margins=(12, 4, 12, 4)))


class EdEsLayout(DeskLayout):
    """The slice at end-diastole at the left and at end-systole at the right.

    The desk is always at the frame of the active side. Phase keys move the active side away from its phase; it comes
    back when the other side is pointed at, with the key for its mark, or when it is marked where it is.
    """

    def __init__(self, context: Context, parent: QObject) -> None:
        super().__init__(context, parent)
        self.foot = EdEsFoot()
        self._active = ED
        self._played_from: FrameIndex | None = None
        self._stopped_at: FrameIndex | None = None
        self._return = QTimer(self, singleShot=True, interval=0)
        self._return.timeout.connect(self._come_back)

    @property
    def active(self) -> int:
        """Which side is corrected: `ED` or `ES`."""
        return self._active

    @property
    def phases(self) -> tuple[int | None, int | None]:
        """ED and ES, where they are known."""
        return self.context.session.study.ed_phase, self.context.session.study.es_phase

    def begin(self) -> None:
        """Go to end-diastole, unless the reader is at ED or ES."""
        self.context.parts.places.second.live = True
        self._go_to_side()
        self.show_frame()

    def end(self) -> None:
        """Leave the frame where it is."""
        second = self.context.parts.places.second
        second.live = False
        second.show_message("")
        self._return.stop()
        self._played_from = None

    def drop_study(self) -> None:
        """The reader begins at the left."""
        self._return.stop()
        self._active, self._played_from = ED, None
        self.context.parts.places.second.clear()
        self.context.parts.places.second.show_message("")
        for text in self.foot.sides:
            text.setText("")

    def _go_to_side(self) -> None:
        phase, desk = self.phases[ED], self.context.desk
        if self.stack is not None and phase is not None and desk.frame.phase not in self.phases:
            desk.go_phase(phase)

    def show_frame(self) -> None:
        """Bring the active side to its place, and the other beside it."""
        phase, places = self.context.desk.frame.phase, self.context.parts.places
        if self._played_from is None and phase != self.phases[self._active] and phase == self.phases[1 - self._active]:
            self._active = 1 - self._active
        places.show_beside(places.first if self._active == ED else places.second, self.foot, framed=True)
        places.update()
        self._show_other()
        self._show_foot()

    def _show_other(self) -> None:
        stack, second, display = self.stack, self.context.parts.places.second, self.context.display
        phase = self.phases[1 - self._active]
        if stack is None or phase is None:
            second.clear()
            second.show_message("" if stack is None else self._why_not(1 - self._active))
            return
        second.show_message("")
        frame = FrameIndex(phase, self.context.desk.frame.slice_index)
        state, geometry = self.context.session.study.frame_state(frame), stack.geometry
        second.show_frame(
            stack.frame(frame), geometry.pixel_spacing_mm, spacing_known=geometry.spacing_known, key=frame
        )
        second.show_labels(state.labels, key=frame)
        second.follow()
        notes = display.notes_of(stack, frame, state)
        second.set_notes(notes)
        second.set_border(notes.region_colour if state.region is not None else None)

    def _why_not(self, side: int) -> str:
        keys = self.context.actions[_KEYS[side][1]].shortcut().toString()
        return (
            f"{_NAMES[side]} is not known yet. It is detected when all phases are segmented. You can also go to its "
            f"phase and set it{f' with {keys}' if keys else ''}."
        )

    def _show_foot(self) -> None:
        for side, text in enumerate(self.foot.sides):
            text.setText(self._foot_of(side))

    def _foot_of(self, side: int) -> str:
        own, frame = self.phases[side], self.context.desk.frame
        if own is None:
            return f"{_NAMES[side]}: not known yet"
        if side != self._active:
            return _NAMES[side]
        if frame.phase == own:
            return f"{_NAMES[side]} · tools apply here"
        if self._played_from is not None:
            return f"{_NAMES[side]} · playing"
        back, mark = (self.context.actions[name].shortcut().toString() for name in _KEYS[side])
        return f"Phase {frame.phase + 1}, not {_MARKS[side]} · {back} goes back, {mark} sets {_MARKS[side]} here"

    def show_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        """Labels, regions and states of the other side follow."""
        second = self.context.parts.places.second
        for frame in frames:
            second.forget_labels(frame)
        phase = self.phases[1 - self._active]
        if phase is None or not second.isVisible():
            return
        if FrameIndex(phase, self.context.desk.frame.slice_index) in frames:
            self._show_other()

    def show_marks(self) -> None:
        """The pair follows."""
        self.show_frame()

    def take_over(self, pressed: bool) -> None:
        """Make the other side the active one, unless something is being done."""
        desk, session = self.context.desk, self.context.session
        phase = self.phases[1 - self._active]
        if phase is None or self.stack is None or desk.painting or self.context.parts.view.is_dragging:
            return
        if desk.player.running:
            if not pressed:
                return
            desk.player.stop()
        self._return.stop()
        self._played_from = None
        self._active = 1 - self._active
        wanted = FrameIndex(phase, desk.frame.slice_index)
        if desk.frame != wanted:
            desk.go(wanted)
        else:
            session.study.look_at(wanted)
            self.show_frame()

    def show_playing(self, playing: bool) -> None:
        """The cine plays in the active side, which comes back to its phase when it stops."""
        if playing:
            self._return.stop()
            own = self.phases[self._active]
            here = self.context.desk.frame
            self._played_from = FrameIndex(here.phase if own is None else own, here.slice_index)
        elif self._played_from is not None:
            self._stopped_at = self.context.desk.frame
            self._return.start()

    @Slot()
    def _come_back(self) -> None:
        """Once what stopped the cine is done: a stroke stays where it began, and a key has gone where it goes."""
        home, self._played_from = self._played_from, None
        desk = self.context.desk
        if home is not None and self.stack is not None and desk.frame == self._stopped_at and not desk.painting:
            desk.go(FrameIndex(home.phase, desk.frame.slice_index))
        self._show_foot()
