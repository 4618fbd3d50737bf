# ruff: noqa: E501 - one row per action reads as a table
"""The long-axis view beside the frames, in step with the reader's frame."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from PySide6.QtCore import Slot

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import LongAxisView as Cine
from cmr_viewer.domain.study import Stack, slice_line
from cmr_viewer.ui.features.long_axis.panel import LongAxisPanel
from cmr_viewer.ui.frame.cine import cine_clock, matching_phases
from cmr_viewer.ui.frame.frame_view import Box
from cmr_viewer.ui.window.actions import ActionSpec, Menu, When
from cmr_viewer.ui.window.feature import Context, Feature, Wire

_ROOM_MM = 45.0
"""Shown around the stack's ends: half the width of a large left ventricle, with its walls."""


class LongAxisFeature(Feature):
    """Fills the long-axis panel from the open study; hidden where the study has no long-axis cine."""

    # fmt: off
    specs = (
        ActionSpec("long_axis", "&Long-axis views", ("L",), "Show the long-axis cines with the slice positions as lines", Menu.VIEW, When.LONG_AXIS, "long_axis", checkable=True, section=2),
        ActionSpec("long_axis_next", "Nex&t long-axis view", ("Shift+L",), "Show the next long-axis cine", Menu.VIEW, When.LONG_AXIS, "chevron_right", section=2),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._session, self._desk = context.session, context.desk
        self.panel = LongAxisPanel(context.actions)
        context.parts.add_beside(self.panel)
        self._wanted = self._has_room = True
        self._views: tuple[Cine, ...] = ()
        self._phases: tuple[int, ...] = ()
        self.panel.hide()
        context.actions["long_axis"].setChecked(True)

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {"long_axis": self.set_wanted, "long_axis_next": self.panel.choose_next}

    def toggled(self) -> frozenset[str]:
        """The panel follows the state."""
        return frozenset({"long_axis"})

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        desk, panel = self._desk, self.panel
        return (
            (self._session.study.opened, self.show_study),
            (desk.frame_changed, self.show_frame),
            (panel.view_chosen, self.show_view),
            (panel.view.slice_chosen, desk.go_slice),
            (panel.view.slice_stepped, desk.step_slice),
            (self.context.parts.places.alone_changed, self.set_room),
        )

    @property
    def has_views(self) -> bool:
        """Whether the open study has long-axis cines."""
        return bool(self._views)

    @Slot()
    def show_study(self) -> None:
        """Another study was opened, or none is open."""
        study = self._session.study.data
        self._views = () if study is None else study.long_axis
        self.panel.show_names([name_of(view, number) for number, view in enumerate(self._views)])
        if not self._views:
            self.panel.view.show_cine(None, (1.0, 1.0), ())
        self._show_panel()
        self.context.refresh_possible()

    def drop_study(self) -> None:
        """The study is left: its views go."""
        self.show_study()

    @Slot(bool)
    def set_wanted(self, wanted: bool) -> None:
        """Show or hide the panel."""
        self._wanted = wanted
        self._show_panel()
        self.show_frame()

    @Slot(bool)
    def set_room(self, has_room: bool) -> None:
        """Whether the layout of the desk has room for the panel."""
        self._has_room = has_room
        self._show_panel()
        self.show_frame()

    def _show_panel(self) -> None:
        self.panel.setVisible(self._wanted and self._has_room and self.has_views)

    @Slot(int)
    def show_view(self, number: int) -> None:
        """Show another long-axis cine; lines and phases are worked out here and not again for each frame."""
        stack = self._session.study.stack
        if stack is None or not 0 <= number < len(self._views):
            return
        cine = self._views[number]
        clock = cine_clock(stack.phases, stack.phase_times_ms, stack.heart_rate_bpm)
        self._phases = matching_phases(clock, cine_clock(cine.phases, cine.phase_times_ms, stack.heart_rate_bpm))
        lines = [slice_line(cine.geometry, stack.geometry, each) for each in range(stack.slices)]
        self.panel.view.show_cine(cine.pixels, cine.geometry.pixel_spacing_mm, lines, heart_box(cine.geometry, stack))
        self._show(number)

    @Slot()
    def show_frame(self) -> None:
        """The reader is at another frame."""
        if self.panel.isVisible():
            self._show(self.panel.chosen)

    def _show(self, number: int) -> None:
        frame = self._desk.frame
        if 0 <= number < len(self._views) and frame.phase < len(self._phases):
            self.panel.view.show_phase(self._phases[frame.phase])
            self.panel.view.show_slice(frame.slice_index)


def name_of(view: Cine, number: int) -> str:
    """What a long-axis cine is called."""
    return view.description or f"Long axis {number + 1}"


def heart_box(view: Geometry, stack: Stack) -> Box | None:
    """The part of a long-axis frame around the middles of the slices; None for the whole frame.

    Args:
        view: Grid of the long-axis plane.
        stack: The short-axis stack.

    Returns:
        (row0, row1, col0, col1) within the frame, ends excluded.
    """
    geometry = stack.geometry
    if not (view.spacing_known and geometry.spacing_known):
        return None
    middle = ((geometry.rows - 1) / 2, (geometry.cols - 1) / 2)
    ends = np.stack([geometry.to_patient_mm(at, middle) for at in (0, geometry.slices - 1)])
    from_first = ends - np.asarray(view.positions_mm[0])
    down_mm, across_mm = view.pixel_spacing_mm
    rows = from_first @ np.asarray(view.col_direction) / down_mm
    cols = from_first @ np.asarray(view.row_direction) / across_mm
    side_mm = float(np.hypot(np.ptp(rows) * down_mm, np.ptp(cols) * across_mm)) + 2 * _ROOM_MM
    limits = []
    for along, count, step in ((rows, view.rows, down_mm), (cols, view.cols, across_mm)):
        start = round(float(along.mean()) - side_mm / step / 2)
        limits += [max(0, start), min(count, start + round(side_mm / step))]
    row0, row1, col0, col1 = limits
    return (row0, row1, col0, col1) if row1 - row0 > 8 and col1 - col0 > 8 else None
