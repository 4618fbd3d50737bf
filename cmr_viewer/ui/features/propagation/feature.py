"""Corrections that the computer helps with, in the window: clicks, propagation, copies fitted to the image."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtGui import QColor

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.correction import Click
from cmr_viewer.ui.features.propagation.click_tool import CLICK, ClickTool
from cmr_viewer.ui.features.propagation.panel import ProposePanel
from cmr_viewer.ui.features.propagation.prompts import Prompts
from cmr_viewer.ui.features.propagation.propagation import Propagation
from cmr_viewer.ui.frame.mouse_tools import MOVE
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page

_SOURCES = {"refine_base": (0, -1), "refine_apex": (0, 1), "refine_before": (-1, 0), "refine_after": (1, 0)}
"""Phases and slices from the frame on show to the one that is copied from."""


class ProposeFeature(Feature):
    """Clicks change the frame at once; what is propagated or copied is offered."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.prompts = Prompts(context.session, self)
        self.propagation = Propagation(context.session, self)
        self.panel = ProposePanel(context.actions)
        context.parts.add_section(Page.FRAME, "Assisted", self.panel)
        self.tool = ClickTool()
        self.tool.setParent(self)
        context.parts.view.add_tool(self.tool)
        context.desk.tools_with_label.add(CLICK)

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What each of its actions does."""
        return {
            "click": self._hold,
            "propagate": self._propagate,
            "propagate_over": self._propagate_over,
            **{name: partial(self._copy_from, *by) for name, by in _SOURCES.items()},
        }

    def wires(self) -> Iterable[Wire]:
        """Who tells whom."""
        context, prompts = self.context, self.prompts
        return (
            (self.tool.clicked, self._click),
            (prompts.said, context.say),
            (prompts.changed, self._show),
            (self.propagation.said, context.say),
            (context.desk.tool_changed, self._take_tool),
            (context.desk.frame_changed, self._take_frame),
            (context.desk.player.running_changed, self._take_frame),
            (context.session.study.frames_changed, self._take_changes),
            (context.session.models.changed, self._take_frame),
        )

    def possible(self) -> Mapping[str, bool]:
        """There must be other phases to propagate to, and a frame to copy from."""
        stack, frame = self.context.session.study.stack, self.context.desk.frame
        if stack is None:
            return {}
        several = stack.phases > 1
        return {
            "propagate": several,
            "propagate_over": several,
            "refine_base": frame.slice_index > 0,
            "refine_apex": frame.slice_index < stack.slices - 1,
            "refine_before": several,
            "refine_after": several,
        }

    @property
    def held(self) -> bool:
        """Whether the mouse clicks."""
        return self.context.desk.tool == CLICK

    # Clicks

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
            self.panel.say("")
            return
        clicks = self.prompts.clicks_of(context.desk.frame)
        colours = {each: QColor(context.settings.label_colour(each)) for each in STRUCTURES}
        pending = self.prompts.pending_of(context.desk.frame)
        self.tool.show_clicks(clicks, colours, pending)
        view.redraw()
        if pending:
            self.panel.say("Segmenting around the click\N{HORIZONTAL ELLIPSIS}")
            return
        name = context.desk.label.text
        self.panel.say(f"Left click: inside {name}. Right click or Shift+click: outside.")

    # Offers

    @Slot()
    def _propagate(self) -> None:
        self.context.desk.player.stop()
        self.propagation.propagate(self.context.desk.frame)

    @Slot()
    def _propagate_over(self) -> None:
        self.context.desk.player.stop()
        self.propagation.propagate_over(self.context.desk.frame)

    def _copy_from(self, phases: int, slices: int, _checked: bool = False) -> None:
        stack, frame = self.context.session.study.stack, self.context.desk.frame
        if stack is not None:
            self.context.desk.player.stop()
            source = FrameIndex((frame.phase + phases) % stack.phases, frame.slice_index + slices)
            self.propagation.copy_refined(frame, source)

    def drop_study(self) -> None:
        """No clicks and no offers."""
        self.prompts.forget()
        self.propagation.forget()
        self.tool.show_clicks((), {})
