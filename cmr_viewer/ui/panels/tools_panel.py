"""Brush, overlay, window and level."""

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QGridLayout, QLabel, QSlider, QToolButton, QWidget

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.ui.widgets import action_button, column, label, row, slider, swatch

_LABEL_ACTIONS = (("label_lvbp", Label.LVBP), ("label_lvm", Label.LVM), ("label_rvbp", Label.RVBP))


class ToolsPanel(QWidget):
    """Tools.

    Signals:
        radius_chosen(float): Radius of the brush in pixels.
        fill_chosen(float): Opacity of the fills, 0.0 to 1.0.
        window_chosen(float, float): Window centre and width, as parts (0.0 to 1.0) of the study's range.
    """

    radius_chosen = Signal(float)
    fill_chosen = Signal(float)
    window_chosen = Signal(float, float)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._label_actions: dict[Label, QAction] = {}
        self._size = slider("Brush size", 1, 80, "Brush size ([ and ], Alt and wheel)")
        self._fill = slider("Fill opacity", 0, 100, "Opacity of the fills; outlines stay")
        self._level = slider("Level", 0, 1000, "Brightness: the grey value in the middle (right drag up and down)")
        self._width = slider("Window", 1, 1000, "Contrast: the range of grey values (right drag left and right)")
        self._values = {widget: label("", "small") for widget in (self._size, self._fill, self._level, self._width)}
        self.setLayout(
            column(
                row(
                    action_button(actions["brush"]),
                    None,
                    action_button(actions["undo"], text=False),
                    action_button(actions["redo"], text=False),
                    action_button(actions["copy_to_next_slice"], text=False),
                    action_button(actions["clear_frame"], text=False),
                ),
                self._labels(actions),
                self._sliders(),
                row(
                    action_button(actions["hide_masks"], text=False),
                    action_button(actions["exact_edges"]),
                    None,
                    action_button(actions["window_auto"], text=False),
                    action_button(actions["zoom_heart"], text=False),
                    action_button(actions["zoom_fit"], text=False),
                    spacing=4,
                ),
            )
        )
        self._size.valueChanged.connect(self._on_size)
        self._fill.valueChanged.connect(self._on_fill)
        self._level.valueChanged.connect(self._on_window)
        self._width.valueChanged.connect(self._on_window)

    def _labels(self, actions: Mapping[str, QAction]) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(4)
        for index, (name, structure) in enumerate(_LABEL_ACTIONS):
            button = action_button(actions[name])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            self._label_actions[structure] = actions[name]
            self._place(grid, button, index)
        self._place(grid, action_button(actions["label_erase"]), 3)
        return grid

    @staticmethod
    def _place(grid: QGridLayout, button: QToolButton, index: int) -> None:
        button.setSizePolicy(button.sizePolicy().Policy.Expanding, button.sizePolicy().Policy.Fixed)
        button.setProperty("part", "choice")
        grid.addWidget(button, index // 2, index % 2)

    def _sliders(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(2)
        named: tuple[tuple[str, QSlider], ...] = (
            ("Brush", self._size),
            ("Fill", self._fill),
            ("Level", self._level),
            ("Window", self._width),
        )
        for line, (name, widget) in enumerate(named):
            text: QLabel = label(name, "small")
            text.setBuddy(widget)
            value = self._values[widget]
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setFixedWidth(52)
            grid.addWidget(text, line, 0)
            grid.addWidget(widget, line, 1)
            grid.addWidget(value, line, 2)
        return grid

    def set_possible(self, possible: bool) -> None:
        """Whether there is a study to look at."""
        self._level.setEnabled(possible)
        self._width.setEnabled(possible)

    def set_colours(self, colours: Mapping[Label, str]) -> None:
        """Colours of the labels."""
        for structure, action in self._label_actions.items():
            action.setIcon(swatch(colours[structure]))

    def set_radius(self, radius_px: float) -> None:
        """Show the radius of the brush, in pixels."""
        self._set(self._size, round(radius_px * 2), f"{radius_px:g} px")

    def set_fill(self, opacity: float) -> None:
        """Show the opacity of the fills."""
        self._set(self._fill, round(opacity * 100), f"{opacity * 100:.0f} %")

    def set_window(self, centre: float, width: float, centre_part: float, width_part: float) -> None:
        """Show window and level: in the pixels' unit, and as parts of the study's range."""
        self._set(self._level, round(centre_part * 1000), f"{centre:.5g}")
        self._set(self._width, round(width_part * 1000), f"{width:.5g}")

    def _set(self, widget: QSlider, value: int, text: str) -> None:
        widget.blockSignals(True)
        widget.setValue(value)
        widget.blockSignals(False)
        self._values[widget].setText(text)

    def _on_size(self, value: int) -> None:
        self.radius_chosen.emit(value / 2.0)

    def _on_fill(self, value: int) -> None:
        self.fill_chosen.emit(value / 100.0)

    def _on_window(self) -> None:
        self.window_chosen.emit(self._level.value() / 1000.0, self._width.value() / 1000.0)
