"""A stroke of a brush that is a ball: the shown frame follows at once, all slices together are one undo step."""

import numpy as np

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Point
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.edit import discs_of_ball

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last)."""


class BallStroke:
    """A stroke through slices while it lasts.

    The frame on show is painted by the session's own brush, which is quick and is seen at once. The other slices are
    painted beside, and at the end all of them are handed over together in the place of that stroke.

    Args:
        session: The session with an open study.
        frame: The frame on show; the middle of the ball lies in it.
        label: What is painted; BACKGROUND erases.
        radius_px: Radius of the ball in pixels of the frame.

    Raises:
        LabelMapError: The radius is not positive.
        RuntimeError: No study is open.
    """

    def __init__(self, session: Session, frame: FrameIndex, label: Label, radius_px: float) -> None:
        stack = session.study.stack
        if stack is None:
            raise RuntimeError("No study is open.")
        self._session, self._stack = session, stack
        self._frame, self._label, self._radius_px = frame, label, radius_px
        discs = discs_of_ball(stack.geometry, frame.slice_index, radius_px)
        self._discs = {FrameIndex(frame.phase, each): disc for each, disc in discs.items() if each != frame.slice_index}
        self._painted: dict[FrameIndex, LabelMap] = {}
        self._last: Point = (0.0, 0.0)

    @property
    def frames(self) -> tuple[FrameIndex, ...]:
        """Frames that the ball reaches, the shown one first."""
        return (self._frame, *self._discs)

    @property
    def text(self) -> str:
        """What is done, in words."""
        if self._label is Label.BACKGROUND:
            return "erase through slices"
        return f"paint {self._label.text} through slices"

    def begin(self, point: Point) -> Box | None:
        """Put the ball down at a (row, col) point; the box of the shown frame that changed, or None.

        Raises:
            LabelMapError: The point is not a number; nothing has begun.
        """
        box = self._session.study.begin_stroke(self._frame, self._label, self._radius_px, point)
        if not (self._session.study.is_restored and self._session.study.can_change):  # a message gave the reason
            self._discs = {}
        self._painted = {frame: self._canvas(frame) for frame in self._discs}
        self._paint_beside(point, point)
        return box

    def extend(self, point: Point) -> Box | None:
        """Move the ball; the box of the shown frame that changed, or None.

        Raises:
            LabelMapError: The point is not a number.
        """
        if self._session.study.stack is not self._stack:
            return None
        box = self._session.study.extend_stroke(point)
        self._paint_beside(self._last, point)
        return box

    def end(self) -> tuple[FrameIndex, ...]:
        """Lift the ball: one undo step over all slices; the frames that changed, none where the study was closed."""
        if self._session.study.stack is not self._stack:
            return ()
        shown = self._session.study.frame_state(self._frame).labels
        label_maps = {} if shown is None else {self._frame: shown.copy()}
        self._session.study.cancel_stroke()
        return self._session.study.change_labels(label_maps | self._painted, self.text)

    def cancel(self) -> None:
        """Lift the ball and take the stroke back."""
        self._painted = {}
        self._session.study.cancel_stroke()

    def _paint_beside(self, from_point: Point, to_point: Point) -> None:
        for frame, disc in self._discs.items():
            labels = self._painted[frame]
            disc.paint(labels, from_point, to_point, self._label).apply(labels)
        self._last = to_point

    def _canvas(self, frame: FrameIndex) -> LabelMap:
        labels, geometry = self._session.study.frame_state(frame).labels, self._stack.geometry
        return np.zeros((geometry.rows, geometry.cols), np.uint8) if labels is None else labels.copy()
