# ruff: noqa: E501 - one row per action reads as a table
"""Clicks in the window: the mouse tool, and the label maps that clicks make."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPainterPath

from cmr_viewer.analyse import Flow, LoadedModels
from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap, empty_label_map, fingerprint
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.progress import Progress
from cmr_viewer.review.correction import Click
from cmr_viewer.ui.frame.drawing import screen_pen
from cmr_viewer.ui.frame.mouse_tools import MOVE, Canvas, MouseTool, Pointer
from cmr_viewer.ui.window.actions import ActionSpec, Menu
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.widgets import label

CLICK_KEY = "click"
AHEAD_KEY = "click-ahead"

MOST_KNOWN = 32
"""Frames whose probabilities are cached; 0.5 MB each at 256 x 256."""

Probabilities = NDArray[np.float16]
"""(label, row, col) in the order of `Label`."""


class _Clicked:
    """Clicks on one frame, on top of the label map that was there before the first."""

    def __init__(self, drawn: LabelMap) -> None:
        self.drawn = drawn
        self.clicks: list[Click] = []
        self._marks = [fingerprint(drawn)]

    def count(self, shown: LabelMap) -> int | None:
        """How many of the clicks what is shown came of: fewer after undo; None where it came otherwise."""
        mark = fingerprint(shown)
        if mark not in self._marks:
            return None
        return len(self._marks) - 1 - self._marks[::-1].index(mark)

    def add(self, count: int, click: Click, made: LabelMap) -> None:
        """One click more after the first `count`, and what came of it."""
        self.clicks[count:] = [click]
        self._marks[count + 1 :] = [fingerprint(made)]


class Prompts(QObject):
    """Takes clicks on frames of the open study and changes their label maps.

    What the model of the frame's region thinks of each pixel is computed once per frame and cached; without models the
    image alone decides.

    Signals:
        message(str severity, str text): Something for the reader.
        changed(): `clicks_of` gives something else, or `is_busy`.
    """

    message = Signal(str, str)
    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._known: OrderedDict[tuple[FrameIndex, str], Probabilities] = OrderedDict()
        self._clicked: dict[FrameIndex, _Clicked] = {}
        self._waiting: deque[tuple[FrameIndex, Click]] = deque()
        self._working: tuple[FrameIndex, Click] | None = None
        session.jobs.cancelled.connect(self._stop_waiting)

    @Slot()
    def forget(self) -> None:
        """Another study, or none."""
        for key in (CLICK_KEY, AHEAD_KEY):
            self._session.jobs.cancel(key)
        self._waiting.clear()
        self._clicked.clear()
        self._known.clear()
        self.changed.emit()

    @property
    def is_busy(self) -> bool:
        """Whether a click is being worked on."""
        return self._session.jobs.is_busy(CLICK_KEY)

    def clicks_of(self, frame: FrameIndex) -> tuple[Click, ...]:
        """Clicks that what is shown of a frame came of, in order."""
        clicked, shown = self._clicked.get(frame), self._shown(frame)
        if clicked is None or shown is None:
            return ()
        return tuple(clicked.clicks[: clicked.count(shown) or 0])

    def pending_of(self, frame: FrameIndex) -> tuple[Click, ...]:
        """Clicks on a frame that are being worked on, or wait for that."""
        working = () if self._working is None or not self.is_busy else (self._working,)
        return tuple(click for at, click in (*working, *self._waiting) if at == frame)

    def look_ahead(self, frame: FrameIndex) -> None:
        """Compute what the model thinks of a frame before it is clicked on."""
        ask = self._question(frame)
        if ask is not None and not self.is_busy:
            self._session.jobs.submit(
                AHEAD_KEY,
                "Preparing for clicks",
                ask,
                priority=Priority.READER,
                on_finished=self._keep_ahead,
                on_failed=self._skip,
            )

    def click(self, frame: FrameIndex, click: Click) -> None:
        """The reader clicked; clicks that come while one is worked on wait for it."""
        if self._session.study.stack is not None:
            self._waiting.append((frame, click))
            self._next()
            self.changed.emit()

    def _next(self) -> None:
        stack = self._session.study.stack
        if stack is None or not self._waiting or self.is_busy or self._session.jobs.is_busy(AHEAD_KEY):
            return
        self._working = frame, click = self._waiting.popleft()
        shown = self._shown(frame)
        drawn = empty_label_map(stack.geometry.rows, stack.geometry.cols) if shown is None else shown.copy()
        clicked = self._clicked.get(frame)
        count = None if clicked is None else clicked.count(drawn)
        if clicked is None or count is None:
            clicked, count = _Clicked(drawn), 0
            self._clicked[frame] = clicked
        clicks = [*clicked.clicks[:count], click]
        self._session.jobs.submit(
            CLICK_KEY,
            "Segmenting around the click",
            partial(_segment, stack, frame, clicked.drawn, clicks, self._known_for(frame), self._question(frame)),
            priority=Priority.READER,
            on_finished=partial(self._show, stack, frame, click, drawn),
            on_failed=self._skip,
        )
        self.changed.emit()

    def _show(self, stack: Stack, frame: FrameIndex, click: Click, before: LabelMap, made: "_Made") -> None:
        if self._session.study.stack is not stack:
            return
        self._keep(made.known)
        shown, clicked = self._shown(frame), self._clicked.get(frame)
        if clicked is not None and (not before.any() if shown is None else np.array_equal(shown, before)):
            clicked.add(clicked.count(before) or 0, click, made.labels)
            word = "inside" if click.inside else "outside"
            if not self._session.study.change_labels({frame: made.labels}, f"click {word} {click.label.text}"):
                self.message.emit("info", "The click changed nothing: the label map already agrees with it.")
        else:
            self.message.emit("info", "The frame changed in the meantime, so the click was ignored.")
        self._next()
        self.changed.emit()

    def _skip(self, _message: str) -> None:
        self._next()
        self.changed.emit()

    @Slot(str)
    def _stop_waiting(self, key: str) -> None:
        """The reader cancelled a click: those that wait behind it go with it."""
        if key == CLICK_KEY:
            self._waiting.clear()
            self.changed.emit()

    def _shown(self, frame: FrameIndex) -> LabelMap | None:
        return None if self._session.study.stack is None else self._session.study.frame_state(frame).labels

    # -- what the model thinks -----------------------------------------------------------------------------------------

    def _known_for(self, frame: FrameIndex) -> Probabilities | None:
        role = self._role(frame)
        return None if role is None else self._known.get((frame, role[1]))

    def _keep_ahead(self, known: "_Known") -> None:
        self._keep(known)
        self._next()

    def _keep(self, known: "_Known | None") -> None:
        if known is not None:
            self._known[known.frame, known.model_id] = known.probabilities
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)

    def _role(self, frame: FrameIndex) -> tuple[Role, str] | None:
        """The model that segments a frame; where none does, the baseline; None without models."""
        models = self._session.models.loaded
        if models is None or self._session.study.stack is None:
            return None
        wanted = self._session.study.frame_state(frame).model_id
        by_id = {model_id: role for role, model_id in models.active.items() if role is not Role.CLASSIFIER}
        if wanted in by_id:
            return by_id[wanted], wanted
        baseline = models.active.get(Role.BASELINE)
        return None if baseline is None else (Role.BASELINE, baseline)

    def _question(self, frame: FrameIndex) -> "Callable[[Progress], _Known] | None":
        """What asks the model on the job thread; None where it is known already, or there is no model."""
        role, stack, models, flow = (
            self._role(frame),
            self._session.study.stack,
            self._session.models.loaded,
            self._session.models.flow,
        )
        if role is None or stack is None or models is None or flow.probabilities is None:
            return None
        return None if (frame, role[1]) in self._known else partial(_ask, flow, stack, frame, role, models)


@dataclass(frozen=True, eq=False)
class _Known:
    frame: FrameIndex
    model_id: str
    probabilities: Probabilities


@dataclass(frozen=True, eq=False)
class _Made:
    labels: LabelMap
    known: _Known | None


def _ask(
    flow: Flow, stack: Stack, frame: FrameIndex, role: tuple[Role, str], models: LoadedModels, progress: Progress
) -> _Known:
    """What a model thinks of a frame. Runs on the job thread."""
    assert flow.probabilities is not None
    progress(0.0, "Running the model")
    return _Known(frame, role[1], flow.probabilities(stack, frame, role[0], models))


def _segment(
    stack: Stack,
    frame: FrameIndex,
    drawn: LabelMap,
    clicks: list[Click],
    probabilities: Probabilities | None,
    ask: Callable[[Progress], _Known] | None,
    progress: Progress,
) -> _Made:
    """Segment a frame around clicks. Runs on the job thread."""
    from cmr_viewer.review.click import segment_clicks  # noqa: PLC0415 - scipy would keep the window waiting

    known = ask(progress) if probabilities is None and ask is not None else None
    believed = probabilities if known is None else known.probabilities
    progress(0.5, "Segmenting")
    spacing_mm = stack.geometry.pixel_spacing_mm
    return _Made(segment_clicks(stack.frame(frame), drawn, clicks, spacing_mm, probabilities=believed), known)


CLICK = "click"
"""Name of the tool for the desk."""

_ARM_PX = 5.0


class ClickTool(MouseTool):
    """Left means inside; right, Shift and left, or the eraser's end of a pen mean outside.

    Signals:
        clicked(float, float, bool): (row, col), and whether it means inside.
    """

    name = CLICK
    cursor = Qt.CursorShape.CrossCursor
    clicked = Signal(float, float, bool)

    def __init__(self) -> None:
        super().__init__()
        self._clicks: tuple[Click, ...] = ()
        self._pending: tuple[Click, ...] = ()
        self._colours: Mapping[Label, QColor] = {}

    def show_clicks(
        self, clicks: Sequence[Click], colours: Mapping[Label, QColor], pending: Sequence[Click] = ()
    ) -> None:
        """What is drawn over the frame: a plus for inside, a minus for outside, in the colour of the label.

        Args:
            clicks: Those that made the displayed label map.
            colours: By label.
            pending: Those that are being worked on: with a ring around them.
        """
        self._clicks, self._colours, self._pending = tuple(clicks), colours, tuple(pending)

    def press(self, pointer: Pointer, canvas: Canvas) -> bool:
        """Report where."""
        outside = pointer.right or pointer.eraser or pointer.holds(Qt.KeyboardModifier.ShiftModifier)
        self.clicked.emit(*pointer.point, not outside)
        return True

    def paint(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw the clicks, as large on the screen whatever the zoom."""
        for click in (*self._clicks, *self._pending):
            row, col = click.point
            across, down = _arms(canvas, click.point)
            sign = QPainterPath(QPointF(col - across, row))
            sign.lineTo(col + across, row)
            if click.inside:
                sign.moveTo(col, row - down)
                sign.lineTo(col, row + down)
            ring = QPainterPath()
            ring.addEllipse(QRectF(col - 1.6 * across, row - 1.6 * down, 3.2 * across, 3.2 * down))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(0, 0, 0, 150))
            painter.drawPath(ring)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(screen_pen(self._colours.get(click.label, QColor("white")), 2.0, canvas.screen_ratio()))
            painter.drawPath(sign)
            if click in self._pending:
                painter.drawPath(ring)


def _arms(canvas: Canvas, point: tuple[float, float]) -> tuple[float, float]:
    """Columns and rows that an arm of a sign is long."""
    at = canvas.to_widget(point)
    row, col = canvas.to_point(QPointF(at.x() + _ARM_PX, at.y() + _ARM_PX))
    return col - point[1], row - point[0]


class ClickFeature(Feature):
    """A click changes the frame at once; the hint is in the section of assisted corrections."""

    # fmt: off
    specs = (
        ActionSpec("click", "Click i&nside or outside", ("Q",), "Segment from clicks: left click inside the chosen label, right or Shift+left click outside", Menu.TOOLS, icon="click", checkable=True, section=7, short="Click", first=True),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.prompts = Prompts(context.session, self)
        self.hint = label("", "small", wrap=True)
        self.hint.setAccessibleName("Hint for clicks")
        self.hint.hide()
        context.parts.side.add_section(Page.FRAME, "Assisted", self.hint)
        self.tool = ClickTool()
        self.tool.setParent(self)
        context.parts.view.add_tool(self.tool)
        context.desk.tools_with_label.add(CLICK)

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its action does."""
        return {"click": self._hold}

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        context, prompts = self.context, self.prompts
        return (
            (self.tool.clicked, self._click),
            (prompts.message, context.show_message),
            (prompts.changed, self._show),
            (context.desk.tool_changed, self._take_tool),
            (context.desk.frame_changed, self._take_frame),
            (context.desk.player.running_changed, self._take_frame),
            (context.session.study.frames_changed, self._take_changes),
            (context.session.models.changed, self._take_frame),
        )

    def drop_study(self) -> None:
        """No clicks."""
        self.prompts.forget()
        self.tool.show_clicks((), {})

    @property
    def held(self) -> bool:
        """Whether the mouse clicks."""
        return self.context.desk.tool == CLICK

    @Slot(bool)
    def _hold(self, on: bool) -> None:
        desk = self.context.desk
        if on and desk.label is Label.BACKGROUND:
            desk.label = Label.LVBP
        desk.hold(CLICK if on else MOVE)

    @Slot()
    def _take_tool(self) -> None:
        """Another tool or label."""
        self.context.actions["click"].setChecked(self.held)
        self._take_frame()

    @Slot()
    def _take_frame(self) -> None:
        """Another frame: the model is asked about it, unless the cine plays."""
        if self.held and self.context.session.study.stack is not None and not self.context.desk.player.running:
            self.prompts.look_ahead(self.context.desk.frame)
        self._show()

    @Slot(object)
    def _take_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        if self.held and self.context.desk.frame in frames:
            self._show()

    @Slot(float, float, bool)
    def _click(self, row: float, col: float, inside: bool) -> None:
        desk, stack = self.context.desk, self.context.session.study.stack
        if stack is None or desk.label not in STRUCTURES:
            return
        if not (-0.5 <= row < stack.geometry.rows - 0.5 and -0.5 <= col < stack.geometry.cols - 0.5):
            return
        desk.player.stop()
        self.prompts.click(desk.frame, Click((row, col), desk.label, inside))

    @Slot()
    def _show(self) -> None:
        """Show the clicks of the frame, and what a click would be about."""
        context, view = self.context, self.context.parts.view
        if not self.held or context.session.study.stack is None:
            self._show_hint("")
            return
        clicks = self.prompts.clicks_of(context.desk.frame)
        colours = {each: QColor(context.settings.label_colour(each)) for each in STRUCTURES}
        pending = self.prompts.pending_of(context.desk.frame)
        self.tool.show_clicks(clicks, colours, pending)
        view.redraw()
        if pending:
            self._show_hint("Segmenting around the click\N{HORIZONTAL ELLIPSIS}")
            return
        name = context.desk.label.text
        self._show_hint(f"Left click: inside {name}. Right click or Shift+click: outside.")

    def _show_hint(self, text: str) -> None:
        self.hint.setText(text)
        self.hint.setVisible(bool(text))
