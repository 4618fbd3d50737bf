# ruff: noqa: E501 - one row per action reads as a table
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
from cmr_viewer.ui.features.tools.panel import ToolsPanel
from cmr_viewer.ui.features.tools.tools import Scope, Tools
from cmr_viewer.ui.window.actions import ActionSpec, Menu
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page

REACH = {
    "reach_frame": Scope.FRAME,
    "reach_slice": Scope.SLICE,
    "reach_phase": Scope.PHASE,
    "reach_study": Scope.STUDY,
}
"""The actions that set how far corrections reach."""

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
"""Phases and slices from the displayed frame to the one that is copied from."""

_TOGGLED = frozenset({"ball_brush", "all_labels", *REACH})


class ToolsFeature(Feature):
    """Corrects what the reader looks at with one key or click."""

    # fmt: off
    specs = (
        ActionSpec("ball_brush", "3D brush across s&lices", ("Shift+B",), "Paint with a ball: the brush also paints neighbouring slices within its radius", Menu.TOOLS, icon="ball", checkable=True),
        ActionSpec("all_labels", "Correct &all labels", ("A",), "Tools change all labels, not only the chosen one", Menu.TOOLS, checkable=True, section=1, short="All labels"),
        ActionSpec("reach_frame", "Apply to this frame", (), "Tools correct this frame only", Menu.TOOLS, checkable=True, section=1, short="Frame"),
        ActionSpec("reach_slice", "Apply to this slice, all phases", (), "Shape, ring and move tools correct this slice at all phases", Menu.TOOLS, checkable=True, section=1, short="Slice"),
        ActionSpec("reach_phase", "Apply to this phase, all slices", (), "Shape, ring and move tools correct all slices of this phase", Menu.TOOLS, checkable=True, section=1, short="Phase"),
        ActionSpec("reach_study", "Apply to the whole study", (), "Shape, ring and move tools correct every frame", Menu.TOOLS, checkable=True, section=1, short="Study"),
        ActionSpec("tool_fill_holes", "&Fill holes", ("Shift+H",), "Fill holes inside the outline", Menu.TOOLS, icon="fill_holes", section=2),
        ActionSpec("tool_fill_here", "Fill &here", ("Shift+F",), "Fill the closed region under the pointer with the chosen label", Menu.TOOLS, icon="fill_here", section=2),
        ActionSpec("tool_smooth", "&Smooth", ("Shift+S",), "Smooth the outline; its area stays the same", Menu.TOOLS, icon="smooth", section=2),
        ActionSpec("tool_snap", "Snap contour to edge", ("Shift+E",), "Move the outline to the nearest edge of the image, by 4 mm at most", Menu.TOOLS, icon="snap", section=2),
        ActionSpec("tool_grow", "&Grow", (".",), "Move the outline outwards by one step", Menu.TOOLS, icon="grow", section=2),
        ActionSpec("tool_shrink", "Shrin&k", (",",), "Move the outline inwards by one step", Menu.TOOLS, icon="shrink", section=2),
        ActionSpec("tool_keep_largest", "Keep larg&est piece", ("Shift+K",), "Delete all pieces of the label except the largest", Menu.TOOLS, icon="largest", section=2),
        ActionSpec("tool_remove", "&Delete label", ("Shift+Del",), "Delete the chosen label in all frames that the tools apply to", Menu.TOOLS, icon="delete_label", section=2),
        ActionSpec("tool_ring", "Draw &ring of myocardium", ("Shift+M",), "Draw a ring of myocardium of even thickness around the LV blood pool", Menu.TOOLS, icon="ring", section=3),
        ActionSpec("tool_close_ring", "&Close ring", ("Shift+R",), "Fill gaps in the myocardium around the LV blood pool", Menu.TOOLS, icon="close_ring", section=3),
        ActionSpec("tool_papillaries", "Include &papillary muscles", ("Shift+P",), "Extend the LV blood pool to its convex hull", Menu.TOOLS, icon="papillaries", section=3),
        ActionSpec("nudge_up", "Nudge &up", ("Alt+Up",), "Move the outline up by one pixel", Menu.TOOLS, icon="nudge_up", section=4),
        ActionSpec("nudge_down", "Nudge d&own", ("Alt+Down",), "Move the outline down by one pixel", Menu.TOOLS, icon="nudge_down", section=4),
        ActionSpec("nudge_left", "Nudge left", ("Alt+Left",), "Move the outline left by one pixel", Menu.TOOLS, icon="nudge_left", section=4),
        ActionSpec("nudge_right", "Nudge right", ("Alt+Right",), "Move the outline right by one pixel", Menu.TOOLS, icon="nudge_right", section=4),
        ActionSpec("copy_base", "Copy from the slice towards the &base", ("Shift+Up",), "Copy the chosen label, or all labels, from the next slice towards the base", Menu.TOOLS, icon="copy_base", section=5),
        ActionSpec("copy_apex", "Copy from the slice towards the ape&x", ("Shift+Down",), "Copy the chosen label, or all labels, from the next slice towards the apex", Menu.TOOLS, icon="copy_apex", section=5),
        ActionSpec("copy_before", "Copy from the previous phase", ("Shift+Left",), "Copy the chosen label, or all labels, from the previous phase", Menu.TOOLS, icon="copy_before", section=5),
        ActionSpec("copy_after", "Copy from the next phase", ("Shift+Right",), "Copy the chosen label, or all labels, from the next phase", Menu.TOOLS, icon="copy_after", section=5),
        ActionSpec("interpolate_slices", "&Interpolate slices", ("I",), "Fill the slices between corrected slices of this phase", Menu.TOOLS, icon="between_slices", section=6),
        ActionSpec("interpolate_phases", "Interpolate phases", ("Shift+I",), "Fill the phases between corrected phases of this slice", Menu.TOOLS, icon="between_phases", section=6),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._point: tuple[float, float] | None = None
        self._reached: tuple[int, ...] = ()
        self.tools = Tools(context.session, self)
        self.panel = ToolsPanel(context.actions)
        context.parts.side.add_section(Page.FRAME, "Tools", self.panel, self.panel.steps)
        self.panel.set_possible(False)
        self._show_colours()
        self._show_tool()
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
        """Signals and slots."""
        session, tools = self.context.session, self.tools
        return (
            (tools.message, self.context.show_message),
            (session.study.opened, self._show_study),
            (self.context.parts.view.pointed, self._note_pointer),
            (self.context.desk.tool_changed, self._show_tool),
            (self.context.display.colours_changed, self._show_colours),
            (self.panel.radius_chosen, self.context.desk.set_radius),
        )

    def drop_study(self) -> None:
        """What reached a whole study shall not reach the next unasked."""
        self.tools.forget_study()
        self.panel.set_possible(False)
        self._point, self._reached = None, ()
        self.context.actions["reach_frame"].setChecked(True)

    @Slot()
    def _show_study(self) -> None:
        self.tools.begin_study()
        self.panel.set_possible(True)

    @Slot()
    def _show_colours(self) -> None:
        self.panel.set_colours(self.context.display.label_colours)

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
            by_mm = self.panel.step_mm or sqrt(rows_mm * cols_mm)
        self._correct(Correction(tool, self.label, by_mm=by_mm))

    def _correct_lv(self, tool: Tool, _checked: bool = False) -> None:
        thickness = self.panel.wall_mm if tool is Tool.RING else 0.0
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
    def _show_tool(self) -> None:
        """Show the radius; the thumbnails of the slices that a ball reaches are highlighted for a moment."""
        desk, stack = self.context.desk, self.context.session.study.stack
        self.panel.set_radius(desk.radius_px)
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
