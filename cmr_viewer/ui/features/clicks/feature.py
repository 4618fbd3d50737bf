# ruff: noqa: E501 - one row per action reads as a table
"""Clicks in the window: the mouse tool, and the label maps that clicks make."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPainterPath

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.correction import Click
from cmr_viewer.ui.features.clicks.prompts import Prompts
from cmr_viewer.ui.frame.drawing import screen_pen
from cmr_viewer.ui.frame.mouse_tools import MOVE, Canvas, MouseTool, Pointer
from cmr_viewer.ui.window.actions import ActionSpec, Menu
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.widgets import label

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
