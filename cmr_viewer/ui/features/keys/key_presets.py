"""Keys of programs that readers come from, as tables; docs/keys.md gives their sources.

An action that is not in a preset keeps its own keys of the table of actions, but for those that the preset gives to
another. An action whose only key means something else in the other program is in the preset's `moved` with the key
that it has instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Keys = tuple[str, ...]
"""Keys as Qt's portable text, the one that is shown first."""

OWN = "CMR Viewer"
"""Name of the preset that is the table of actions itself."""


@dataclass(frozen=True)
class Preset:
    """Keys of another program.

    Attributes:
        name: What readers call it.
        taken: Keys of its own for what this program can do too, by action id.
        moved: Keys of actions that make room for those, by action id.
    """

    name: str
    taken: Mapping[str, Keys]
    moved: Mapping[str, Keys]

    @property
    def keys(self) -> dict[str, Keys]:
        """Keys by action id, where they are not those of the table of actions."""
        return {**self.moved, **self.taken}


SEGMENT = Preset(
    "Segment",
    taken={
        "phase_previous": ("Left",),
        "phase_next": ("Right",),
        "slice_down": ("Down",),
        "slice_up": ("Up",),
        "go_ed": ("D",),
        "go_es": ("S",),
        "set_ed": ("Alt+D",),
        "set_es": ("Alt+S",),
        "play": ("P",),
        "hide_masks": ("H",),
        "zoom_heart": ("Shift+Z",),
        "window_auto": ("Ctrl+C",),
        "open_folder": ("Ctrl+O",),
        "close_study": ("Ctrl+W",),
        "quit": ("Ctrl+Q",),
        "worklist": ("Ctrl+P",),
        "next_unread": ("Ctrl+N",),
        "analyse": ("Ctrl+L",),
        "copy_to_next_slice": ("Ctrl+D",),
        "propagate": ("Ctrl+F",),
        "tool_grow": ("Ctrl+E",),
        "tool_shrink": ("Ctrl+K",),
        "nudge_up": ("Alt+W",),
        "nudge_down": ("Alt+Z",),
        "nudge_left": ("Alt+A",),
        "nudge_right": ("Alt+X",),
    },
    moved={"export_labels": ("Ctrl+Shift+S",), "command_palette": ("Ctrl+Shift+K",)},
)

ITK_SNAP = Preset(
    "ITK-SNAP",
    taken={
        "slice_up": ("PgUp", "Up"),
        "slice_down": ("PgDown", "Down"),
        "hide_masks": ("S",),
        "brush": ("4",),
        "zoom_fit": ("Ctrl+F",),
        "undo": ("Ctrl+Z",),
        "redo": ("Ctrl+Shift+Z",),
        "open_folder": ("Ctrl+G",),
        "import_labels": ("Ctrl+O",),
        "close_study": ("Ctrl+W",),
        "quit": ("Ctrl+Q",),
    },
    moved={"go_es": ("Shift+D",)},
)

SLICER = Preset(
    "Slicer",
    taken={
        "slice_up": ("Left", "Up"),
        "slice_down": ("Right", "Down"),
        "undo": ("Z", "Ctrl+Z"),
        "redo": ("Y", "Ctrl+Y"),
        "brush_smaller": ("-",),
        "brush_larger": ("+", "="),
        "hide_masks": ("G",),
        "zoom_fit": ("R",),
        "open_folder": ("Ctrl+O",),
        "close_study": ("Ctrl+W",),
        "command_palette": ("Ctrl+F",),
    },
    moved={
        "phase_previous": ("PgUp",),
        "phase_next": ("PgDown",),
        "grid": ("Shift+G",),
        "zoom_heart": ("Shift+Z",),
        "propagate": ("J",),
    },
)

PRESETS: tuple[Preset, ...] = (Preset(OWN, {}, {}), SEGMENT, ITK_SNAP, SLICER)
"""In the order in which they are offered."""
