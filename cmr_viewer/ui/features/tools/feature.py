"""Correction tools in the window: their actions, how far they reach, which label they change."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import sqrt
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtGui import QActionGroup

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.correction import Correction, Tool
from cmr_viewer.review.edit import discs_of_ball
from cmr_viewer.ui.features.tools.tools import Scope, Tools
from cmr_viewer.ui.window.feature import Context, Feature, Wire

REACH = {
    "reach_frame": Scope.FRAME,
    "reach_slice": Scope.SLICE,
    "reach_phase": Scope.PHASE,
    "reach_study": Scope.STUDY,
}
"""The actions that say how far corrections reach."""

_OUTLINES = {
    "tool_fill_holes": Tool.FILL_HOLES,
    "tool_smooth": Tool.SMOOTH,
    "tool_snap": Tool.SNAP,
    "tool_grow": Tool.GROW,
    "tool_shrink": Tool.SHRINK,
    "tool_keep_largest": Tool.KEEP_LARGEST,
    "tool_remove": Tool.REMOVE,
}
_OF_THE_LV = {
    "tool_ring": Tool.RING,
    "tool_close_ring": Tool.CLOSE_RING,
    "tool_papillaries": Tool.PAPILLARIES,
}
_NUDGES = {"nudge_up": (-1, 0), "nudge_down": (1, 0), "nudge_left": (0, -1), "nudge_right": (0, 1)}
_SOURCES = {"copy_base": (0, -1), "copy_apex": (0, 1), "copy_before": (-1, 0), "copy_after": (1, 0)}
"""Phases and slices from the frame on show to the one that is copied from."""

_TOGGLED = frozenset({"ball_brush", "all_labels", *REACH})


class ToolsFeature(Feature):
    """Corrects what the reader looks at with one key or click."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.tools = Tools(context.session, self)
        self._point: tuple[float, float] | None = None
        self._reached: tuple[int, ...] = ()
        reach = QActionGroup(self)
        for name in REACH:
            reach.addAction(context.actions[name])
        context.actions["reach_frame"].setChecked(True)

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What each of its actions does."""
        return {
            "ball_brush": self.context.desk.hold_ball,
            "all_labels": self._refresh,
            **dict.fromkeys(REACH, self._refresh),
            **{name: partial(self._correct_outline, tool) for name, tool in _OUTLINES.items()},
            **{name: partial(self._correct_lv, tool) for name, tool in _OF_THE_LV.items()},
            **{name: partial(self._nudge, *by) for name, by in _NUDGES.items()},
            **{name: partial(self._copy_from, *by) for name, by in _SOURCES.items()},
            "tool_fill_here": self._fill_here,
            "interpolate_slices": self._interpolate_slices,
            "interpolate_phases": self._interpolate_phases,
        }

    def toggled(self) -> frozenset[str]:
        """Brush through slices, reach and labels are states."""
        return _TOGGLED

    def wires(self) -> Iterable[Wire]:
        """Who tells whom."""
        session, tools = self.context.session, self.tools
        return (
            (tools.said, self.context.say),
            (session.study.opened, tools.begin_study),
            (self.context.parts.view.pointed, self._note_pointer),
            (self.context.desk.tool_changed, self._show_ball),
        )

    def drop_study(self) -> None:
        """What reached a whole study shall not reach the next unasked."""
        self.tools.forget_study()
        self._point, self._reached = None, ()
        self.context.actions["reach_frame"].setChecked(True)

    def possible(self) -> Mapping[str, bool]:
        """There must be a frame to copy from, and several to be between."""
        stack, frame = self.context.session.study.stack, self.context.desk.frame
        if stack is None:
            return {}
        several_slices, several_phases = stack.slices > 1, stack.phases > 1
        return {
            "ball_brush": several_slices,
            "copy_base": frame.slice_index > 0,
            "copy_apex": frame.slice_index < stack.slices - 1,
            "copy_before": several_phases,
            "copy_after": several_phases,
            "interpolate_slices": stack.slices > 2,
            "interpolate_phases": stack.phases > 2,
        }

    @property
    def scope(self) -> Scope:
        """How far corrections reach."""
        return next(scope for name, scope in REACH.items() if self.context.actions[name].isChecked())

    @property
    def label(self) -> Label | None:
        """The label that is corrected; None for all, as with the eraser in hand."""
        chosen = self.context.desk.label
        if self.context.actions["all_labels"].isChecked() or chosen is Label.BACKGROUND:
            return None
        return chosen

    def _correct(self, wanted: Correction) -> None:
        self.context.desk.player.stop()
        self.tools.correct(self.context.desk.frame, wanted, self.scope)

    def _correct_outline(self, tool: Tool, _checked: bool = False) -> None:
        by_mm = 0.0
        stack = self.context.session.study.stack
        if tool in (Tool.GROW, Tool.SHRINK) and stack is not None:
            rows_mm, cols_mm = stack.geometry.pixel_spacing_mm
            by_mm = self.context.parts.tools.step_mm or sqrt(rows_mm * cols_mm)
        self._correct(Correction(tool, self.label, by_mm=by_mm))

    def _correct_lv(self, tool: Tool, _checked: bool = False) -> None:
        thickness = self.context.parts.tools.wall_mm if tool is Tool.RING else 0.0
        self._correct(Correction(tool, by_mm=thickness))

    def _nudge(self, rows: int, cols: int, _checked: bool = False) -> None:
        self._correct(Correction(Tool.NUDGE, self.label, rows=rows, cols=cols))

    def _copy_from(self, phases: int, slices: int, _checked: bool = False) -> None:
        stack, frame = self.context.session.study.stack, self.context.desk.frame
        if stack is not None:
            self.context.desk.player.stop()
            source = FrameIndex((frame.phase + phases) % stack.phases, frame.slice_index + slices)
            self.tools.copy_from(frame, source, self.label)

    @Slot()
    def _fill_here(self) -> None:
        self.context.desk.player.stop()
        self.tools.fill_at(self.context.desk.frame, self._point, self.context.desk.label)

    @Slot()
    def _interpolate_slices(self) -> None:
        self.context.desk.player.stop()
        self.tools.interpolate_slices(self.context.desk.frame)

    @Slot()
    def _interpolate_phases(self) -> None:
        self.context.desk.player.stop()
        self.tools.interpolate_phases(self.context.desk.frame)

    @Slot(object)
    def _note_pointer(self, point: tuple[float, float] | None) -> None:
        self._point = point

    @Slot()
    def _show_ball(self) -> None:
        """Where the ball reaches, the thumbnails stand out for a moment."""
        desk, stack = self.context.desk, self.context.session.study.stack
        self.context.actions["ball_brush"].setChecked(desk.ball_on)
        reached: tuple[int, ...] = ()
        if desk.ball_on and desk.brush_on and stack is not None:
            reached = tuple(discs_of_ball(stack.geometry, desk.frame.slice_index, desk.radius_px))
        if reached != self._reached:
            self._reached = reached
            self.context.parts.strip.light([FrameIndex(desk.frame.phase, each) for each in reached])

    @Slot()
    def _refresh(self) -> None:
        self.context.refresh_possible()
