"""Label maps that a tool offers for several frames of the open study: shown beside what is there until taken."""

from collections.abc import Mapping
from dataclasses import dataclass

from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex


@dataclass(frozen=True, eq=False)
class Offer:
    """What a tool made of one or several frames, for the reader to take or to drop.

    Attributes:
        label_maps: (row, col) by frame; not to be written to.
        text: What was done, in words, for the bar over the frame and for undo: "propagate through the phases".
    """

    label_maps: Mapping[FrameIndex, LabelMap]
    text: str

    def __contains__(self, frame: object) -> bool:
        return frame in self.label_maps

    @property
    def sentence(self) -> str:
        """What is offered, for a reader."""
        count = len(self.label_maps)
        frames = "1 frame" if count == 1 else f"{count} frames"
        return f"{self.text[:1].upper()}{self.text[1:]}: suggested for {frames}. Your label maps are unchanged."
