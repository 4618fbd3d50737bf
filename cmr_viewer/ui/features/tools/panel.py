"""Brush and corrections."""

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QToolButton, QWidget

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.review.correction import WALL_MM
from cmr_viewer.ui.window.widgets import NAME_WIDTH, SliderGrid, action_button, column, label, row, rule, slider, swatch

_LABEL_ACTIONS = (("label_lvbp", Label.LVBP), ("label_lvm", Label.LVM), ("label_rvbp", Label.RVBP))

_UNDER_THE_MOUSE = ("brush", "contour", "click")
"""Tools of the mouse; those of them that the window has."""
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

USUAL_WALL_MM = 8.0
"""Thickness of a ring to begin with, in mm: normal at end-diastole.

Source:
    Kawel-Boehm et al. 2020, J Cardiovasc Magn Reson 22:87.
"""

_STEPS: tuple[tuple[str, float | None], ...] = (("1 pixel", None), ("0.5 mm", 0.5), ("1 mm", 1.0), ("2 mm", 2.0))


class ToolsPanel(QWidget):
    """Tools.

    Attributes:
        steps: Undo, redo and clear, for the heading.

    Signals:
        radius_chosen(float): Radius of the brush in pixels.
    """

    radius_chosen = Signal(float)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._label_actions: dict[Label, QAction] = {}
        self._size = slider("Brush size", 1, 80, "Brush size ([ and ], or Alt + wheel)")
        self._sliders = SliderGrid(("Size", self._size))
        self._wall = _wall_box()
        self._step = _step_box()
        self.setLayout(
            column(
                row(*(_choice(actions[name]) for name in _UNDER_THE_MOUSE if name in actions), spacing=4),
                self._labels(actions),
                row(self._sliders, action_button(actions["ball_brush"], text=False), spacing=4),
                rule(),
                self._corrections(actions),
            )
        )
        self.steps = QWidget()
        self.steps.setLayout(row(*(action_button(actions[name], text=False) for name in _STEPS_BACK), spacing=0))
        self._size.valueChanged.connect(self._on_size)

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
        for widget in (self._wall, self._step):
            widget.setEnabled(possible)

    def set_colours(self, colours: Mapping[Label, str]) -> None:
        """Colours of the labels."""
        for structure, action in self._label_actions.items():
            action.setIcon(swatch(colours[structure]))

    def set_radius(self, radius_px: float) -> None:
        """Show the radius of the brush, in pixels."""
        self._sliders.set_value(self._size, round(radius_px * 2), f"{radius_px:g} px")

    def _on_size(self, value: int) -> None:
        self.radius_chosen.emit(value / 2.0)


def _name(text: str) -> QLabel:
    name = label(text, "small")
    name.setFixedWidth(NAME_WIDTH)
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
