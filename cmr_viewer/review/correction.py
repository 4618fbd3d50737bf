"""Corrections of the label map of one frame, as data: which tool, which label, how far."""

from dataclasses import dataclass
from enum import Enum

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import Point

WALL_MM = (2.0, 25.0)
"""Range of the wall thickness, in mm. At end-diastole 15 mm and more is called hypertrophic.

Source:
    Elliott et al. 2014, ESC guidelines on hypertrophic cardiomyopathy, Eur Heart J 35:2733.
"""


class Tool(Enum):
    """A correction; its value is its name for a reader."""

    FILL_HOLES = "fill holes of"
    SMOOTH = "smooth"
    SNAP = "snap to the edge"
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
    Tool.SMOOTH: "cannot be smoother, or is not drawn yet",
    Tool.SNAP: "lies on the edge already, or is not drawn yet",
    Tool.GROW: "has no room to grow, or is not drawn yet",
    Tool.SHRINK: "cannot shrink, or is not drawn yet",
    Tool.NUDGE: "is not drawn yet",
    Tool.KEEP_LARGEST: "is in one piece, or is not drawn yet",
    Tool.REMOVE: "is not drawn",
}

_NOTHING_OF_THE_LV = {
    Tool.RING: "The ring exists already, or there is no LV blood pool to draw it around. Paint the blood pool first.",
    Tool.CLOSE_RING: (
        "The ring is closed already, or LV blood pool or myocardium is missing. Paint some of both, or draw a ring."
    ),
    Tool.PAPILLARIES: "No papillary muscles to include.",
}


@dataclass(frozen=True)
class Correction:
    """One correction of a label map.

    Attributes:
        tool: What is done.
        label: The structure; None for all. Tools of the left ventricle ignore it.
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
        """The correction in words, for undo and progress: "smooth LV myocardium"."""
        if self.tool is Tool.RING:
            return f"{self.tool.value} of {self.by_mm:g} mm"
        if self.tool in _OF_THE_LV:
            return str(self.tool.value)
        what = "all labels" if self.label is None else self.label.text
        return f"snap {what} to the edge" if self.tool is Tool.SNAP else f"{self.tool.value} {what}"

    @property
    def nothing(self) -> str:
        """Why there is nothing to do, for a reader."""
        if self.tool in _OF_THE_LV:
            return _NOTHING_OF_THE_LV[self.tool]
        if self.label is None:
            return f"Nothing to do in this frame: {self.text}."
        return f"{self.label.text} {_NOTHING[self.tool]}."


@dataclass(frozen=True)
class Click:
    """A reader's click.

    Attributes:
        point: (row, col), centres of pixels are whole numbers.
        label: The structure.
        inside: Whether the point belongs to it.
    """

    point: Point
    label: Label
    inside: bool
