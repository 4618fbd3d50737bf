"""Brush, corrections, overlay, window and level."""

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.review.correction import WALL_MM
from cmr_viewer.ui.window.widgets import action_button, column, label, row, rule, slider, swatch

_LABEL_ACTIONS = (("label_lvbp", Label.LVBP), ("label_lvm", Label.LVM), ("label_rvbp", Label.RVBP))

_UNDER_THE_MOUSE = ("brush", "contour", "click")
_STEPS_BACK = ("undo", "redo", "clear_frame")
_REACH = ("reach_frame", "reach_slice", "reach_phase", "reach_study")
_SHAPE = (
    "tool_fill_holes",
    "tool_fill_here",
    "tool_smooth",
    "tool_grow",
    "tool_shrink",
    "tool_keep_largest",
    "tool_remove",
)
_NUDGE = ("nudge_left", "nudge_up", "nudge_down", "nudge_right")
_COPY = ("copy_base", "copy_apex", "copy_before", "copy_after", "copy_to_next_slice")
_BETWEEN = ("interpolate_slices", "interpolate_phases")

_NAME_WIDTH = 48

USUAL_WALL_MM = 8.0
"""Thickness of a ring to begin with, in mm: normal at end-diastole.

Source:
    Kawel-Boehm et al. 2020, J Cardiovasc Magn Reson 22:87.
"""

_STEPS: tuple[tuple[str, float | None], ...] = (("1 pixel", None), ("0.5 mm", 0.5), ("1 mm", 1.0), ("2 mm", 2.0))


class ToolsPanel(QWidget):
    """Tools.

    Attributes:
        image: Controls for the display: fill, level, window, zoom; a section of its own.
        steps: Undo, redo and clear, for the heading.

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
        self._size = slider("Brush size", 1, 80, "Brush size ([ and ], or Alt + wheel)")
        self._fill = slider("Fill opacity", 0, 100, "Opacity of the fills; outlines do not change")
        self._level = slider("Level", 0, 1000, "Brightness: grey value at the window centre (right-drag up or down)")
        self._width = slider("Window", 1, 1000, "Contrast: range of grey values (right-drag left or right)")
        self._values = {widget: label("", "small") for widget in (self._size, self._fill, self._level, self._width)}
        self._wall = _wall_box()
        self._step = _step_box()
        self.setLayout(
            column(
                row(*(_choice(actions[name]) for name in _UNDER_THE_MOUSE), spacing=4),
                self._labels(actions),
                row(self._sliders(("Size", self._size)), action_button(actions["ball_brush"], text=False), spacing=4),
                rule(),
                self._corrections(actions),
            )
        )
        self.image = QWidget()
        self.image.setLayout(
            column(
                self._sliders(("Fill", self._fill), ("Level", self._level), ("Window", self._width)),
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
        self.steps = QWidget()
        self.steps.setLayout(row(*(action_button(actions[name], text=False) for name in _STEPS_BACK), spacing=0))
        self._size.valueChanged.connect(self._on_size)
        self._fill.valueChanged.connect(self._on_fill)
        self._level.valueChanged.connect(self._on_window)
        self._width.valueChanged.connect(self._on_window)

    # What is in it

    def _labels(self, actions: Mapping[str, QAction]) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(4)
        for index, (name, structure) in enumerate(_LABEL_ACTIONS):
            button = _choice(actions[name])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            self._label_actions[structure] = actions[name]
            grid.addWidget(button, index // 2, index % 2)
        grid.addWidget(_choice(actions["label_erase"]), 1, 1)
        return grid

    def _corrections(self, actions: Mapping[str, QAction]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(4)
        reach = row(*(_choice(actions[name]) for name in _REACH), spacing=3)
        grid.addLayout(reach, 0, 0, 1, 2)
        lines = (
            ("Step", row(self._step, None, _choice(actions["all_labels"]))),
            ("Shape", _icons(actions, _SHAPE)),
            ("Ring", self._ring(actions)),
            ("Move", _icons(actions, _NUDGE, ("tool_snap",))),
            ("Copy", _icons(actions, _COPY, _BETWEEN)),
        )
        for line, (name, layout) in enumerate(lines, start=1):
            grid.addWidget(_name(name), line, 0)
            grid.addLayout(layout, line, 1)
        grid.setColumnStretch(1, 1)
        return grid

    def _ring(self, actions: Mapping[str, QAction]) -> QHBoxLayout:
        return row(
            action_button(actions["tool_ring"], text=False),
            self._wall,
            action_button(actions["tool_close_ring"], text=False),
            action_button(actions["tool_papillaries"], text=False),
            None,
            spacing=2,
        )

    def _sliders(self, *named: tuple[str, QSlider]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(2)
        for line, (name, widget) in enumerate(named):
            text = _name(name)
            text.setBuddy(widget)
            value = self._values[widget]
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setFixedWidth(52)
            grid.addWidget(text, line, 0)
            grid.addWidget(widget, line, 1)
            grid.addWidget(value, line, 2)
        return grid

    # What is chosen in it

    @property
    def wall_mm(self) -> float:
        """Thickness of a ring of myocardium, in mm."""
        return self._wall.value()

    @property
    def step_mm(self) -> float | None:
        """How far outlines grow and shrink, in mm; None for a pixel."""
        chosen = self._step.currentData()
        return None if chosen is None else float(chosen)

    def set_possible(self, possible: bool) -> None:
        """Whether there is a study to look at."""
        for widget in (self._level, self._width, self._wall, self._step):
            widget.setEnabled(possible)

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


def _name(text: str) -> QLabel:
    name = label(text, "small")
    name.setFixedWidth(_NAME_WIDTH)
    return name


def _choice(action: QAction) -> QToolButton:
    button = action_button(action)
    button.setSizePolicy(button.sizePolicy().Policy.MinimumExpanding, button.sizePolicy().Policy.Fixed)
    button.setProperty("part", "choice")
    return button


def _icons(actions: Mapping[str, QAction], left: tuple[str, ...], right: tuple[str, ...] = ()) -> QHBoxLayout:
    beside = [action_button(actions[name], text=False) for name in left]
    return row(*beside, None, *(action_button(actions[name], text=False) for name in right), spacing=1)


def _wall_box() -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(*WALL_MM)
    box.setSingleStep(0.5)
    box.setDecimals(1)
    box.setSuffix(" mm")
    box.setValue(USUAL_WALL_MM)
    box.setAccessibleName("Wall thickness")
    box.setToolTip("Thickness of the ring of myocardium to draw")
    box.setFixedWidth(98)
    return box


def _step_box() -> QComboBox:
    box = QComboBox()
    for text, step_mm in _STEPS:
        box.addItem(text, step_mm)
    box.setAccessibleName("Step for Grow and Shrink")
    box.setToolTip("Distance by which Grow and Shrink move an outline")
    box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return box
