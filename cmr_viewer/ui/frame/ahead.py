"""Gets the other phases of a slice ready while the reader rests: its cine then runs smoothly from the first cycle."""

from collections.abc import Iterable

from PySide6.QtCore import QElapsedTimer, QTimer, Slot

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.window.feature import Context, Feature, Wire

REST_MS = 250
"""A frame is displayed this long before the other phases of its slice are made ready."""

_TURN_MS = 4


class AheadFeature(Feature):
    """Scales the images and traces the outlines of a slice, then makes the thumbnails of all phases, a few at a time.

    Nothing is made ready while a cine plays or a stroke is drawn: those have all of the time.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._wanted: list[FrameIndex] = []
        self._thumbnails: list[FrameIndex] = []
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(self._begin)
        self._turn = QTimer(self, singleShot=True, interval=0)
        self._turn.timeout.connect(self._go_on)

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session, desk, view = self.context.session, self.context.desk, self.context.parts.view
        return (
            (desk.frame_changed, self.begin_anew),
            (desk.player.running_changed, self.begin_anew),
            (session.study.frames_changed, self.begin_anew),
            (view.camera_moved, self.begin_anew),
            (view.look_changed, self.begin_anew),
        )

    def drop_study(self) -> None:
        """Nothing is made ready any more."""
        self._rest.stop()
        self._turn.stop()
        self._wanted, self._thumbnails = [], []

    @property
    def is_ready(self) -> bool:
        """Whether all is made ready that is going to be."""
        return not (self._rest.isActive() or self._turn.isActive())

    @Slot()
    def begin_anew(self) -> None:
        """Something else is displayed, or looks different: wait until the reader pauses."""
        self._turn.stop()
        self._rest.start()

    @Slot()
    def _begin(self) -> None:
        stack, desk, view = self.context.session.study.stack, self.context.desk, self.context.parts.view
        if stack is None or not view.isVisible() or desk.player.running:
            return
        if desk.painting:
            self._rest.start()
            return
        here = desk.frame
        phases = [(here.phase + step) % stack.phases for step in range(1, stack.phases)]
        # The displayed frame stays ready as well, so there is room for one less.
        self._wanted = [FrameIndex(phase, here.slice_index) for phase in phases[: view.room - 1]]
        slices = [] if self.context.parts.strip.shows_grid else range(stack.slices)
        self._thumbnails = [FrameIndex(phase, index) for phase in phases for index in slices]
        self._turn.start()

    @Slot()
    def _go_on(self) -> None:
        session, parts = self.context.session, self.context.parts
        clock = QElapsedTimer()
        clock.start()
        while (self._wanted or self._thumbnails) and not clock.hasExpired(_TURN_MS):
            if session.study.stack is None:
                return
            if self._wanted:
                frame = self._wanted.pop(0)
                parts.view.prepare(session.study.stack.frame(frame), session.study.frame_state(frame).labels, frame)
            else:
                parts.strip.prepare(self._thumbnails.pop(0))
        if self._wanted or self._thumbnails:
            self._turn.start()
