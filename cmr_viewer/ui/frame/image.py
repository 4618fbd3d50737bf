"""How the frame looks: histogram, opacity of the fills, window and level, zoom."""

from collections.abc import Iterable, Mapping

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from cmr_viewer.reading.frames import FrameState
from cmr_viewer.ui.frame.histogram import Histogram
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.widgets import SliderGrid, action_button, column, row, slider


class ImagePanel(QWidget):
    """Controls for the display.

    Attributes:
        histogram: Grey values of the displayed frame, with window and level.

    Signals:
        fill_chosen(float): Opacity of the fills, 0.0 to 1.0.
        window_chosen(float, float): Window centre and width, as parts (0.0 to 1.0) of the study's range.
    """

    fill_chosen = Signal(float)
    window_chosen = Signal(float, float)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.histogram = Histogram()
        self._fill = slider("Fill opacity", 0, 100, "Opacity of the fills; outlines do not change")
        self._level = slider("Level", 0, 1000, "Brightness: grey value at the window centre (right-drag up or down)")
        self._width = slider("Window", 1, 1000, "Contrast: range of grey values (right-drag left or right)")
        self._sliders = SliderGrid(("Fill", self._fill), ("Level", self._level), ("Window", self._width))
        buttons = row(
            action_button(actions["hide_masks"], text=False),
            action_button(actions["exact_edges"]),
            None,
            *(action_button(actions[name], text=False) for name in ("window_auto", "zoom_heart", "zoom_fit")),
            spacing=4,
        )
        self.setLayout(column(self.histogram, self._sliders, buttons))
        self._fill.valueChanged.connect(self._on_fill)
        self._level.valueChanged.connect(self._on_window)
        self._width.valueChanged.connect(self._on_window)

    def set_possible(self, possible: bool) -> None:
        """Enable what needs a study."""
        for widget in (self._level, self._width):
            widget.setEnabled(possible)

    def set_fill(self, opacity: float) -> None:
        """Show the opacity of the fills."""
        self._sliders.set_value(self._fill, round(opacity * 100), f"{opacity * 100:.0f} %")

    @Slot(float, float, float, float)
    def set_window(self, centre: float, width: float, centre_part: float, width_part: float) -> None:
        """Show window and level: in the pixels' unit, and as parts of the study's range."""
        self._sliders.set_value(self._level, round(centre_part * 1000), f"{centre:.5g}")
        self._sliders.set_value(self._width, round(width_part * 1000), f"{width:.5g}")

    def _on_fill(self, value: int) -> None:
        self.fill_chosen.emit(value / 100.0)

    def _on_window(self) -> None:
        self.window_chosen.emit(self._level.value() / 1000.0, self._width.value() / 1000.0)


class ImageFeature(Feature):
    """The section below the tools of every feature."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.panel = ImagePanel(context.actions)
        context.parts.side.add_section(Page.FRAME, "Image", self.panel)
        self.panel.set_possible(False)
        self._show_fill()

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        display = self.context.display
        return (
            (self.context.session.study.opened, self._show_study),
            (display.colours_changed, self._show_fill),
            (display.window_changed, self.panel.set_window),
            (display.window_changed, self._show_window),
            (display.state_shown, self._show_frame),
            (self.panel.histogram.window_dragged, display.set_window),
            (self.panel.histogram.place.message, self.context.show_message),
            (self.panel.fill_chosen, self._set_fill),
            (self.panel.window_chosen, display.set_window_parts),
        )

    def drop_study(self) -> None:
        """There is nothing to look at."""
        self.panel.set_possible(False)
        self.panel.histogram.show_frame(None)

    @Slot()
    def _show_study(self) -> None:
        self.panel.set_possible(True)

    @Slot(object)
    def _show_frame(self, _state: FrameState) -> None:
        stack = self.context.session.study.stack
        if stack is not None:
            self.panel.histogram.show_frame(stack.frame(self.context.desk.frame))

    @Slot(float, float, float, float)
    def _show_window(self, centre: float, width: float, centre_part: float, width_part: float) -> None:
        span = width / width_part if width_part > 0 else width
        low = centre - centre_part * span
        self.panel.histogram.show_window(centre, width, low, low + span)

    @Slot()
    def _show_fill(self) -> None:
        self.panel.set_fill(self.context.settings.overlay_opacity)

    @Slot(float)
    def _set_fill(self, opacity: float) -> None:
        self.context.display.set_fill(opacity)
        self._show_fill()
