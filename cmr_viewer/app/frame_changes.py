"""What a reader did to a frame, as one step that can be undone; and a brush stroke while it lasts."""

from dataclasses import dataclass
from typing import Protocol

from cmr_viewer.app.frame_states import Marks
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import Prediction
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.edit import Patch, Point
from cmr_viewer.review.history import LabelChange


class Frames(Protocol):
    """What a change needs of the study that is read."""

    def go_to(self, frame: FrameIndex, marks: Marks, labels: LabelMap | None) -> None:
        """Give a frame its marks and its label map; an edited label map becomes the frame's own."""

    def canvas(self, frame: FrameIndex) -> LabelMap:
        """A copy of the label map that is shown of a frame, (row, col); background where there is none."""

    def canvas_of(self, base: Prediction | None) -> LabelMap:
        """A copy of a prediction's label map, (row, col); background without one."""


class FrameChange:
    """One undo step: a patch of the label map, the region, or what the label map is.

    A label map that is not edited is its prediction's, so it comes back from `Marks.base` and not from the patch; that
    holds also where another prediction was shown meanwhile.

    Attributes:
        frame: The frame.
        text: What was done, in words.
    """

    def __init__(
        self, frame: FrameIndex, text: str, before: Marks, after: Marks, patch: Patch | None, frames: Frames
    ) -> None:
        """Note a change that has been made.

        Args:
            frame: The frame.
            text: What was done, in words.
            before: The frame's marks before the change.
            after: The frame's marks after it.
            patch: From the label map shown before to the one after; None if that did not change.
            frames: The study that is read.
        """
        self.frame = frame
        self.text = text
        self._before, self._after, self._frames = before, after, frames
        # LabelChange serves as a compressed patch here; it is never applied by itself.
        self._pixels = None if patch is None or patch.is_empty else LabelChange(frame, text, patch, frames.canvas)

    def apply(self) -> None:
        """Make the change again.

        Raises:
            LabelMapError: The label map is not as it was; nothing is changed.
        """
        self._move(self._before, self._after, forward=True)

    def revert(self) -> None:
        """Take the change back.

        Raises:
            LabelMapError: The label map is not as it was; nothing is changed.
        """
        self._move(self._after, self._before, forward=False)

    def _move(self, start: Marks, end: Marks, *, forward: bool) -> None:
        if not end.edited:
            self._frames.go_to(self.frame, end, None if end.base is None else end.base.labels)
            return
        labels = self._frames.canvas(self.frame) if start.edited else self._frames.canvas_of(start.base)
        if self._pixels is not None:
            patch = self._pixels.patch
            (patch.apply if forward else patch.revert)(labels)
        self._frames.go_to(self.frame, end, labels)


@dataclass(eq=False)
class Stroke:
    """A brush stroke while it lasts.

    Attributes:
        frame: The frame.
        label: What is painted; BACKGROUND erases.
        radius_px: Radius of the brush.
        only: The label that an eraser is limited to, or None.
        last: Where the brush is.
        before: Marks before the stroke.
        shown_before: The label map before the stroke, not written to by it; None where there was none.
    """

    frame: FrameIndex
    label: Label
    radius_px: float
    only: Label | None
    last: Point
    before: Marks
    shown_before: LabelMap | None

    @property
    def text(self) -> str:
        """What is done, in words."""
        if self.label is Label.BACKGROUND:
            return "erase" if self.only is None else f"erase {self.only.text}"
        return f"paint {self.label.text}"
