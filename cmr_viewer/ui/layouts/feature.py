# ruff: noqa: E501 - one row per action reads as a table
"""The layouts of the desk in the window, one of them shown at a time."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtGui import QActionGroup

from cmr_viewer.app.settings import LAYOUTS
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.frame.frame_view import Box
from cmr_viewer.ui.layouts.before_after import BeforeAfterLayout
from cmr_viewer.ui.layouts.desk_layout import DeskLayout
from cmr_viewer.ui.layouts.ed_es import EdEsLayout
from cmr_viewer.ui.layouts.montage import MontageLayout
from cmr_viewer.ui.window.actions import ActionSpec, Menu
from cmr_viewer.ui.window.feature import Context, Feature, Wire

SINGLE, ED_ES, BEFORE_AFTER, MONTAGE = LAYOUTS


class LayoutsFeature(Feature):
    """Chooses the layout, remembers it, and wires the second view to desk and session.

    Attributes:
        layouts: All layouts by the name that the settings know.
    """

    # fmt: off
    specs = (
        ActionSpec("layout_single", "&Single frame", ("F5",), "Show one frame as large as possible", Menu.VIEW, icon="layout_single", checkable=True, section=3, short="Single"),
        ActionSpec("layout_ed_es", "ED and ES side &by side", ("F6",), "Show the slice at end-diastole and end-systole; you can correct both", Menu.VIEW, icon="layout_ed_es", checkable=True, section=3, short="ED and ES"),
        ActionSpec("layout_before_after", "Before &and after", ("F7",), "Compare the frame before and after changes, with the difference in ml", Menu.VIEW, icon="layout_before_after", checkable=True, section=3, short="Before and after"),
        ActionSpec("layout_montage", "Mo&ntage", ("F8",), "Show many frames at once: slices and phases, ED and ES, or all slices of a phase", Menu.VIEW, icon="layout_montage", checkable=True, section=3, short="Montage"),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.montage = MontageLayout(context, self)
        self.layouts: dict[str, DeskLayout] = {
            SINGLE: DeskLayout(context, self),
            ED_ES: EdEsLayout(context, self),
            BEFORE_AFTER: BeforeAfterLayout(context, self),
            MONTAGE: self.montage,
        }
        self._name = SINGLE
        group = QActionGroup(self)
        for name in LAYOUTS:
            group.addAction(context.actions[f"layout_{name}"])
        context.actions[f"layout_{SINGLE}"].setChecked(True)

    @property
    def name(self) -> str:
        """Name of the current layout."""
        return self._name

    @property
    def layout(self) -> DeskLayout:
        """The current layout."""
        return self.layouts[self._name]

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """The four layouts."""
        return {
            "layout_single": self.choose_single,
            "layout_ed_es": self.choose_ed_es,
            "layout_before_after": self.choose_before_after,
            "layout_montage": self.choose_montage,
        }

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session, desk, places = self.context.session, self.context.desk, self.context.parts.places
        second = places.second
        return (
            (session.study.frames_changed, self._take_changes),
            (session.study.phase_marks_changed, self._take_marks),
            (desk.frame_changed, self._take_frame),
            (desk.stroke_painted, self._take_stroke),
            (desk.player.running_changed, self._take_playing),
            (places.first.look_changed, self._take_look),
            (second.wanted, self._take_over),
            (second.window_dragged, self._take_window),
            (second.slice_stepped, desk.step_slice),
            (second.phase_stepped, desk.step_phase),
            (second.brush_stepped, desk.step_radius),
            (second.heart_toggled, self.context.display.toggle_heart),
            (self.montage.opened, self.choose_single),
        )

    def drop_study(self) -> None:
        """All layouts drop it, shown or not."""
        for layout in self.layouts.values():
            layout.drop_study()

    def possible(self) -> Mapping[str, bool]:
        """The long-axis panel has room beside a single frame only, the strip's grid beside frames."""
        alone = self._name == SINGLE
        return {"long_axis": alone, "long_axis_next": alone, "grid": self._name != MONTAGE}

    # The layout

    @Slot()
    def choose_single(self) -> None:
        """One frame."""
        self.choose(SINGLE)

    @Slot()
    def choose_ed_es(self) -> None:
        """ED and ES side by side."""
        self.choose(ED_ES)

    @Slot()
    def choose_before_after(self) -> None:
        """As it was beside as it is."""
        self.choose(BEFORE_AFTER)

    @Slot()
    def choose_montage(self) -> None:
        """Many frames."""
        self.choose(MONTAGE)

    def choose(self, name: str) -> None:
        """Show another layout, and remember it."""
        self.context.settings.layout = name
        self._show(name)

    def _show(self, name: str) -> None:
        self.context.actions[f"layout_{name}"].setChecked(True)
        if name == self._name or self.context.desk.painting:
            self.context.actions[f"layout_{self._name}"].setChecked(True)
            return
        self.layout.end()
        self._name = name
        self.layout.begin()
        self.context.refresh_possible()

    # What happens

    @Slot()
    def _take_frame(self) -> None:
        if self.context.session.study.stack is None:
            return
        if self._name != self.context.settings.layout:  # the one that is remembered, with the first study
            self._show(self.context.settings.layout)
        else:
            self.layout.show_frame()

    @Slot(object)
    def _take_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        if self.context.session.study.stack is not None:
            for layout in self.layouts.values():
                layout.show_changes(frames)

    @Slot()
    def _take_marks(self) -> None:
        if self.context.session.study.stack is not None:
            self.layout.show_marks()

    @Slot(object)
    def _take_stroke(self, box: Box) -> None:
        self.layout.show_stroke(box)

    @Slot(bool)
    def _take_playing(self, playing: bool) -> None:
        if self.context.session.study.stack is not None:
            self.layout.show_playing(playing)

    @Slot()
    def _take_look(self) -> None:
        self.layout.show_look()

    @Slot(bool)
    def _take_over(self, pressed: bool) -> None:
        self.layout.take_over(pressed)

    @Slot(float, float)
    def _take_window(self, centre: float, width: float) -> None:
        """The second view was windowed, which cannot be seen as another window than the first's."""
        self.context.parts.view.set_window(centre, width)
        self.context.display.show_window()
