"""The montage of the open study: its columns, the frame that is chosen in it, and the cine of all thumbnails."""

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QFrame, QSizePolicy, QSlider, QToolButton

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.ui.frame.thumbnails import Cell, Thumbnails
from cmr_viewer.ui.layouts.desk_layout import DeskLayout
from cmr_viewer.ui.layouts.montage_plan import Columns
from cmr_viewer.ui.layouts.montage_view import MontageView
from cmr_viewer.ui.window.display import cell_of
from cmr_viewer.ui.window.feature import Context
from cmr_viewer.ui.window.widgets import label, row, slider

_SMOOTH_MS = 1000.0 / 60.0
_RATE_EVERY_MS = 500
_SLIDER = 100


class MontageFoot(QFrame):
    """What the montage shows, how large, and how fast it plays.

    Signals:
        columns_chosen(object Columns): What is to be shown.
        zoom_chosen(float): How much larger than what fits.
    """

    columns_chosen = Signal(object)
    zoom_chosen = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("foot")
        self._group = QButtonGroup(self)
        self.buttons: dict[Columns, QToolButton] = {}
        for columns in Columns:
            button = QToolButton()
            button.setText(columns.text)
            button.setProperty("part", "choice")
            button.setCheckable(True)
            button.setToolTip(columns.tip)
            button.setAccessibleName(f"Montage: {columns.text}")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._group.addButton(button)
            self.buttons[columns] = button
        self._group.buttonClicked.connect(self._choose)
        self.zoom: QSlider = slider("Thumbnail size", 100, 600, "Thumbnail size (Ctrl + wheel)")
        self.zoom.setFixedWidth(120)
        self.zoom.valueChanged.connect(self._resize)
        self.text = label("", "small")
        self.text.setAccessibleName("Status of the montage")
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        line = row(
            *self.buttons.values(), self.text, label("Size", "small"), self.zoom, spacing=6, margins=(12, 6, 12, 6)
        )
        line.setStretch(len(self.buttons), 1)
        self.setLayout(line)

    def _choose(self, button: QToolButton) -> None:
        self.columns_chosen.emit(next(each for each, one in self.buttons.items() if one is button))

    def _resize(self, value: int) -> None:
        self.zoom_chosen.emit(value / _SLIDER)

    def show_zoom(self, zoom: float) -> None:
        """How much larger than what fits."""
        self.zoom.blockSignals(True)
        self.zoom.setValue(round(zoom * _SLIDER))
        self.zoom.blockSignals(False)


class MontageLayout(DeskLayout):
    """Slices and phases, ED and ES only, or all slices of a phase.

    The desk is at the frame that is chosen; the cine moves the thumbnails and not the desk.

    Signals:
        opened(): The frame that was chosen is to be shown alone.
    """

    opened = Signal()

    def __init__(self, context: Context, parent: QObject) -> None:
        super().__init__(context, parent)
        self.view, self.foot = MontageView(), MontageFoot()
        self._columns = Columns(context.settings.montage_columns)
        self._on = self._stale = False
        self._look: object = None
        self._last = FrameIndex(0, 0)
        self._from_phase = 0
        self._rate_timer = QTimer(self, interval=_RATE_EVERY_MS)
        self._rate_timer.timeout.connect(self._show_rate)
        self.foot.buttons[self._columns].setChecked(True)
        self.foot.columns_chosen.connect(self.choose_columns)
        self.foot.zoom_chosen.connect(self.view.set_zoom)
        self.view.frame_chosen.connect(context.desk.go)
        self.view.frame_opened.connect(self._open)
        self.view.phase_stepped.connect(context.desk.step_phase)
        context.desk.player.phase_due.connect(self._play)

    @property
    def columns(self) -> Columns:
        """What is shown."""
        return self._columns

    def begin(self) -> None:
        """Show it."""
        self._on = True
        self.context.desk.player.stop()
        self.context.desk.plays_frame = False
        self.context.parts.strip.hide()
        self.context.parts.places.show_page(self.view, self.foot)
        self._last = self.context.desk.frame
        self._show_hint()
        self.show_frame()

    def end(self) -> None:
        """Leave the frame that was chosen on the desk."""
        self._on = False
        self.context.desk.player.stop()
        self.context.desk.plays_frame = True
        self.context.parts.strip.show()

    def drop_study(self) -> None:
        """Thumbnails of another study are made when they are seen."""
        self._stale = True
        self.view.show_stack(None, 0, 0, self._cell_of)

    @Slot(object)
    def choose_columns(self, columns: Columns) -> None:
        """Show something else."""
        self._columns = Columns(columns)
        self.context.settings.montage_columns = str(self._columns)
        self.foot.buttons[self._columns].setChecked(True)
        self.context.desk.player.stop()
        if self.stack is not None:
            self._show_columns(self.stack)
            self.view.set_current(self.context.desk.frame)

    @Slot(object)
    def _open(self, frame: FrameIndex) -> None:
        self.context.desk.go(frame)
        self.opened.emit()

    # What is shown

    def show_frame(self) -> None:
        """Another frame is chosen, or the study is."""
        stack, frame = self.stack, self.context.desk.frame
        if not self._on or stack is None:
            return
        if self._stale:
            self._stale, self._look = False, None
        self.show_look()
        before, self._last = self._last, frame
        hidden = self._columns is Columns.ED_ES and frame.phase not in self._ed_es()
        if hidden and self._turn_to_other_mark(before, frame):
            return
        self._show_columns(stack)
        self.view.set_current(frame)
        self.foot.show_zoom(self.view.zoom)

    def _turn_to_other_mark(self, before: FrameIndex, frame: FrameIndex) -> bool:
        """A step to a phase that is not shown goes to the other mark; any other way there shows all phases."""
        marks, phases = self._ed_es(), 0 if self.stack is None else self.stack.phases
        steps = (frame.phase - before.phase) % max(1, phases)
        if before.slice_index == frame.slice_index and before.phase in marks and steps in (1, phases - 1):
            if len(marks) == 2:
                self.context.desk.go_phase(marks[1 - marks.index(before.phase)])
            else:
                self.context.desk.go_phase(before.phase)
            return True
        if marks:
            self.choose_columns(Columns.PHASES)
        return False

    def show_look(self) -> None:
        """Make thumbnails anew where colours, box or what is hidden are others."""
        stack, display, settings = self.stack, self.context.display, self.context.settings
        if not self._on or stack is None or self._stale:
            return
        colours = {each: settings.label_colour(each) for each in STRUCTURES}
        regions = {each: settings.region_colour(each) for each in REGIONS}
        look = (stack.stack_id, display.box, colours, self.context.parts.view.hides_labels, regions)
        if look == self._look:
            return
        self._look = look
        made = Thumbnails(stack, display.box, display.usual_window, self._labels_of, colours)
        self.view.set_colours(regions)
        self.view.show_stack(made, stack.phases, stack.slices, self._cell_of)
        self._show_columns(stack)

    def _labels_of(self, frame: FrameIndex) -> LabelMap | None:
        if self.stack is None or self.context.parts.view.hides_labels:
            return None
        return self.context.session.study.frame_state(frame).labels

    def _cell_of(self, frame: FrameIndex) -> Cell:
        return Cell() if self.stack is None else cell_of(self.context.session.study.frame_state(frame))

    def _ed_es(self) -> list[int]:
        marks = (self.context.session.study.ed_phase, self.context.session.study.es_phase)
        return list(dict.fromkeys(phase for phase in marks if phase is not None))

    def _show_columns(self, stack: Stack) -> None:
        ed, es = self.context.session.study.ed_phase, self.context.session.study.es_phase
        marks = {phase: text for phase, text in ((es, "ES"), (ed, "ED")) if phase is not None}
        if self._columns is Columns.PHASES:
            self.view.show_columns(range(stack.phases), marks, wraps=False)
        elif self._columns is Columns.SLICES:
            self.view.show_columns((self.context.desk.frame.phase,), marks, wraps=True)
        else:
            why = "" if self._ed_es() else _WHY_NOT
            self.view.show_columns(self._ed_es(), marks, wraps=True, message=why)

    def show_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        """Thumbnails follow."""
        self.view.refresh(frames)

    def show_marks(self) -> None:
        """End-diastole or end-systole has changed."""
        if self._on and self.stack is not None:
            self._show_columns(self.stack)

    # The cine

    def show_playing(self, playing: bool) -> None:
        """All thumbnails play from where they are, and come back when the cine stops."""
        stack = self.stack
        if playing and stack is not None:
            self._from_phase = self.context.desk.frame.phase
            slices = range(stack.slices)
            self.view.play(0)
            self.view.want([FrameIndex(phase, index) for phase in range(stack.phases) for index in slices])
            self._rate_timer.start()
            self._show_rate()
        else:
            self._rate_timer.stop()
            self.view.play(None)
            self._show_hint()

    @Slot(int)
    def _play(self, phase: int) -> None:
        if self._on and self.stack is not None:
            self.view.play((phase - self._from_phase) % self.stack.phases)

    @Slot()
    def _show_rate(self) -> None:
        """Show how often all thumbnails are drawn; the cine skips phases rather than slow down."""
        drawn, due = self.view.painting_ms, float(self.context.desk.player.interval_ms)
        if drawn is None or drawn <= max(_SMOOTH_MS, 0.9 * due):
            self.foot.text.setText("Playing · every phase is shown")
        else:
            self.foot.text.setText(f"Playing · {1000.0 / drawn:.0f} phases/s shown")

    def _show_hint(self) -> None:
        alone = self.context.actions["layout_single"].shortcut().toString()
        self.foot.text.setText(f"Double-click{f' or press {alone}' if alone else ''} to open a frame")


_WHY_NOT = (
    "End-diastole and end-systole are not known yet. They are detected when all phases are segmented. You can also "
    "show all phases, select one and set it."
)
