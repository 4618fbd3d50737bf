"""Keeps the long-axis view in step with the frame that the reader looks at."""

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from cmr_viewer.app.session import Session
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import LongAxisView as Cine
from cmr_viewer.domain.study import Stack, slice_line
from cmr_viewer.ui.features.long_axis.panel import LongAxisPanel
from cmr_viewer.ui.frame.cine import cine_clock, matching_phases
from cmr_viewer.ui.frame.frame_view import Box
from cmr_viewer.ui.window.desk import Desk

_ROOM_MM = 45.0
"""Shown around the stack's ends: half the width of a large left ventricle, with its walls."""


class LongAxisShowing(QObject):
    """Fills the long-axis panel from the open study; hidden where the study has no long-axis cine.

    Signals:
        possible_changed(): Whether there is a long-axis view has changed.
    """

    possible_changed = Signal()

    def __init__(self, session: Session, desk: Desk, panel: LongAxisPanel) -> None:
        super().__init__(panel)
        self._session, self._desk, self._panel = session, desk, panel
        self._wanted = self._has_room = True
        self._views: tuple[Cine, ...] = ()
        self._phases: tuple[int, ...] = ()
        panel.hide()

    @property
    def has_views(self) -> bool:
        """Whether the open study has long-axis cines."""
        return bool(self._views)

    @Slot()
    def show_study(self) -> None:
        """Another study was opened, or none is open."""
        study = self._session.study.data
        self._views = () if study is None else study.long_axis
        self._panel.show_names([name_of(view, number) for number, view in enumerate(self._views)])
        if not self._views:
            self._panel.view.show_cine(None, (1.0, 1.0), ())
        self._show_panel()
        self.possible_changed.emit()

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
        self._panel.setVisible(self._wanted and self._has_room and self.has_views)

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
        self._panel.view.show_cine(cine.pixels, cine.geometry.pixel_spacing_mm, lines, heart_box(cine.geometry, stack))
        self._show(number)

    @Slot()
    def show_frame(self) -> None:
        """The reader is at another frame."""
        if self._panel.isVisible():
            self._show(self._panel.chosen)

    def _show(self, number: int) -> None:
        frame = self._desk.frame
        if 0 <= number < len(self._views) and frame.phase < len(self._phases):
            self._panel.view.show_phase(self._phases[frame.phase])
            self._panel.view.show_slice(frame.slice_index)


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
