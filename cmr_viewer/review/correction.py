"""What can be done to the label map of a frame by itself, as data: which tool, which label, how far."""

from dataclasses import dataclass
from enum import Enum

from cmr_viewer.domain.anatomy import Label

WALL_MM = (2.0, 25.0)
"""Wall thickness that can be asked for, in mm. At end-diastole 15 mm and more is called hypertrophic.

Source:
    Elliott et al. 2014, ESC guidelines on hypertrophic cardiomyopathy, Eur Heart J 35:2733.
"""


class Tool(Enum):
    """A correction; its value is the word for it."""

    FILL_HOLES = "fill holes of"
    SMOOTH = "smooth"
    GROW = "grow"
    SHRINK = "shrink"
    NUDGE = "nudge"
    KEEP_LARGEST = "keep the largest piece of"
    REMOVE = "delete"
    RING = "draw a ring of LV myocardium"
    CLOSE_RING = "close the ring of LV myocardium"
    PAPILLARIES = "include papillary muscles"


_OF_THE_LV = frozenset({Tool.RING, Tool.CLOSE_RING, Tool.PAPILLARIES})

_NOTHING = {
    Tool.FILL_HOLES: "has no holes",
    Tool.SMOOTH: "is as smooth as it can be, or is not drawn yet",
    Tool.GROW: "has no room to grow, or is not drawn yet",
    Tool.SHRINK: "cannot shrink, or is not drawn yet",
    Tool.NUDGE: "is not drawn yet",
    Tool.KEEP_LARGEST: "is in one piece, or is not drawn yet",
    Tool.REMOVE: "is not drawn",
}

_NOTHING_OF_THE_LV = {
    Tool.RING: "There is no LV blood pool to draw a ring around, or the ring is there. Paint the blood pool first.",
    Tool.CLOSE_RING: (
        "The ring is closed, or there is no LV blood pool or no myocardium yet. Paint some of both, or draw a ring."
    ),
    Tool.PAPILLARIES: "The LV blood pool is convex already, or is not drawn yet.",
}


@dataclass(frozen=True)
class Correction:
    """One correction of a label map.

    Attributes:
        tool: What is done.
        label: Whose outline; None for all. Tools of the left ventricle ask nobody.
        by_mm: How far an outline grows or shrinks; how thick a ring is.
        rows: Pixels downwards that are nudged.
        cols: Pixels to the right.
    """

    tool: Tool
    label: Label | None = None
    by_mm: float = 0.0
    rows: int = 0
    cols: int = 0

    @property
    def text(self) -> str:
        """What is done, in words, for undo and progress: "smooth LV myocardium"."""
        if self.tool is Tool.RING:
            return f"{self.tool.value} of {self.by_mm:g} mm"
        if self.tool in _OF_THE_LV:
            return str(self.tool.value)
        return f"{self.tool.value} {'all labels' if self.label is None else self.label.text}"

    @property
    def nothing(self) -> str:
        """Why there was nothing to do, for a reader."""
        if self.tool in _OF_THE_LV:
            return _NOTHING_OF_THE_LV[self.tool]
        if self.label is None:
            return f"Nothing to {self.tool.value.split()[0]}: no label {_NOTHING[self.tool].replace('has no', 'has')}."
        return f"{self.label.text} {_NOTHING[self.tool]}."
