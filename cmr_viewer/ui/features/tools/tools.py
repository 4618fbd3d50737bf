"""Correction tools on frames of the open study: one at once, several on the job thread, each as one undo step."""

from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.label_map import LabelMap, Point, fingerprint
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import LabelMapError
from cmr_viewer.progress import Progress, silent
from cmr_viewer.reading.offers import between_phases, between_slices
from cmr_viewer.review.correction import Correction

TOOLS_KEY = "tools"
"""The job that corrects several frames; one at a time."""

LabelMaps = dict[FrameIndex, LabelMap]


class Scope(Enum):
    """How far a correction reaches; the value is for a reader."""

    FRAME = "This frame"
    SLICE = "Slice, all phases"
    PHASE = "Phase, all slices"
    STUDY = "Whole study"

    def frames(self, stack: Stack, frame: FrameIndex) -> list[FrameIndex]:
        """Frames of a stack that a correction reaches from one of them."""
        if self is Scope.FRAME:
            return [frame]
        return [
            each
            for each in stack.frame_indices
            if self is Scope.STUDY
            or (self is Scope.SLICE and each.slice_index == frame.slice_index)
            or (self is Scope.PHASE and each.phase == frame.phase)
        ]


class Tools(QObject):
    """Corrects label maps of the open study; every correction is one undo step.

    Signals:
        message(str severity, str text): Something for the reader, such as why there was nothing to do.
    """

    message = Signal(str, str)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._interpolated: dict[FrameIndex, int] = {}
        self._waiting: deque[Callable[[], None]] = deque()
        session.jobs.finished.connect(self._go_on)
        session.jobs.failed.connect(self._give_up)
        session.jobs.cancelled.connect(self._give_up)

    @Slot()
    def begin_study(self) -> None:
        """A study was opened: forget the last one, and get ready beside the window."""
        self.forget_study()
        self._session.saving.do("Preparing the correction tools", _import_tools)

    @Slot()
    def forget_study(self) -> None:
        """The study is no longer open; corrections that are still being made, or wait for that, are dropped."""
        self._waiting.clear()
        self._session.jobs.cancel(TOOLS_KEY)
        self._interpolated.clear()

    # -- each frame by itself ------------------------------------------------------------------------------------------

    def correct(self, frame: FrameIndex, wanted: Correction, scope: Scope = Scope.FRAME) -> None:
        """Make a correction: of one frame at once, of several on the job thread, where it can be cancelled.

        Args:
            frame: The frame that the reader is at.
            wanted: What is done.
            scope: How far it reaches; frames without a label map are left out. While several frames are being
                corrected, the next correction of several waits.
        """
        stack = self._session.study.stack
        if stack is None or (scope is not Scope.FRAME and self._waits(partial(self.correct, frame, wanted, scope))):
            return
        before = self._label_maps(scope.frames(stack, frame))
        work = partial(_correct_all, stack, before, wanted)
        if len(before) > 1:
            self._in_background(wanted.text, work, partial(self._show, stack, before, wanted.text, wanted.nothing))
            return
        try:
            changed = work(silent)
        except LabelMapError as error:
            self.message.emit("warning", str(error))
            return
        if not self._session.study.change_labels(changed, wanted.text):
            self.message.emit("info", wanted.nothing)

    def fill_at(self, frame: FrameIndex, point: Point | None, label: Label) -> None:
        """Fill the region under a point with a label; None where the pointer is not over the frame."""
        from cmr_viewer.review.shape import fill_at  # noqa: PLC0415 - scipy; imported beside the window by now

        if self._session.study.stack is None:
            return
        if point is None:
            self.message.emit("info", "Fill works at the pointer. Point at an enclosed area of the frame.")
            return
        try:
            filled = fill_at(self._canvas(frame), point, label)
        except LabelMapError as error:
            self.message.emit("info", str(error))
            return
        text = "empty an area" if label is Label.BACKGROUND else f"fill with {label.text}"
        if not self._session.study.change_labels({frame: filled}, text):
            self.message.emit("info", f"This area is already {label.text}.")

    def copy_from(self, frame: FrameIndex, source: FrameIndex, label: Label | None) -> None:
        """Take over the label map of another frame, or one outline of it.

        Args:
            frame: The frame that is changed.
            source: The frame beside it; one that is not in the stack gives a message.
            label: Whose outline; None for everything.
        """
        from cmr_viewer.review.shape import take_over  # noqa: PLC0415 - scipy; imported beside the window by now

        stack = self._session.study.stack
        if stack is None:
            return
        where = f"slice {source.slice_index + 1}, phase {source.phase + 1}"
        if not (0 <= source.slice_index < stack.slices and 0 <= source.phase < stack.phases):
            self.message.emit("info", "There is no frame on that side to copy from.")
            return
        taken = self._session.study.frame_state(source).labels
        if taken is None or not (taken.any() if label is None else (taken == int(label)).any()):
            what = "labels" if label is None else label.text
            self.message.emit("info", f"There is no {what} in {where} to copy.")
            return
        whose = "" if label is None else f"{label.text} "
        labels = take_over(taken, self._canvas(frame), label)
        if not self._session.study.change_labels({frame: labels}, f"copy {whose}from {where}"):
            self.message.emit("info", f"This frame already matches {where}.")

    # -- between corrected frames --------------------------------------------------------------------------------------

    def is_corrected(self, frame: FrameIndex) -> bool:
        """Whether a reader corrected or accepted a frame, and not only had it interpolated."""
        state = self._session.study.frame_state(frame)
        if state.status is ReviewStatus.ACCEPTED:
            return True
        if not state.edited or state.labels is None:
            return False
        return self._interpolated.get(frame) != fingerprint(state.labels)

    def interpolate_slices(self, frame: FrameIndex) -> None:
        """Fill the slices of a phase that lie between corrected ones; those stay as they are."""
        stack = self._session.study.stack
        if stack is None or self._waits(partial(self.interpolate_slices, frame)):
            return
        known = self._corrected(Scope.PHASE.frames(stack, frame))
        if len(known) < 2:
            self.message.emit(
                "info", "Interpolation needs two corrected slices in this phase. Correct or accept one more."
            )
            return
        work = partial(between_slices, stack, known, frame.phase)
        self._interpolate(stack, f"interpolate slices of phase {frame.phase + 1}", work, Scope.PHASE, frame)

    def interpolate_phases(self, frame: FrameIndex) -> None:
        """Fill the phases of a slice that lie between corrected ones, round the cycle; those stay as they are."""
        stack = self._session.study.stack
        if stack is None or self._waits(partial(self.interpolate_phases, frame)):
            return
        known = self._corrected(Scope.SLICE.frames(stack, frame))
        if len(known) < 2:
            self.message.emit(
                "info", "Interpolation needs two corrected phases of this slice. Correct or accept one more."
            )
            return
        work = partial(between_phases, stack, known, frame.slice_index)
        self._interpolate(stack, f"interpolate phases of slice {frame.slice_index + 1}", work, Scope.SLICE, frame)

    def _corrected(self, frames: list[FrameIndex]) -> LabelMaps:
        return self._label_maps([each for each in frames if self.is_corrected(each)], empty_too=True)

    def _interpolate(
        self, stack: Stack, text: str, work: Callable[[Progress], LabelMaps], scope: Scope, frame: FrameIndex
    ) -> None:
        before = {each: self._canvas(each) for each in scope.frames(stack, frame)}
        nothing = "There are no frames between the corrected ones, or they are already interpolated."

        def done(found: LabelMaps) -> None:
            changed = self._put(stack, before, text, nothing, found)
            for each in changed:
                self._interpolated[each] = fingerprint(found[each])

        self._in_background(text, work, done)

    # -- several frames ------------------------------------------------------------------------------------------------

    def _label_maps(self, frames: list[FrameIndex], *, empty_too: bool = False) -> LabelMaps:
        reading = self._session.study.reading
        if reading is None:
            return {}
        found = {frame: reading.still(frame) for frame in frames if reading.frames[frame].labels is not None}
        return {frame: labels for frame, labels in found.items() if empty_too or labels.any()}

    def _is_as(self, frame: FrameIndex, before: LabelMap) -> bool:
        labels = self._session.study.frame_state(frame).labels
        if labels is None:
            return not before.any()
        return labels is before or np.array_equal(labels, before)

    def _canvas(self, frame: FrameIndex) -> LabelMap:
        labels, stack = self._session.study.frame_state(frame).labels, self._session.study.stack
        assert stack is not None
        return np.zeros((stack.geometry.rows, stack.geometry.cols), np.uint8) if labels is None else labels.copy()

    def _in_background(
        self, text: str, work: Callable[[Progress], LabelMaps], done: Callable[[LabelMaps], None]
    ) -> None:
        shown = f"{text[:1].upper()}{text[1:]}"
        self._session.jobs.submit(TOOLS_KEY, shown, work, priority=Priority.READER, on_finished=done)

    def _waits(self, again: Callable[[], None]) -> bool:
        """Whether a correction of several frames is still being made; then this one is made after it."""
        busy = self._session.jobs.is_busy(TOOLS_KEY)
        if busy:
            self._waiting.append(again)
        return busy

    @Slot(str, object)
    def _go_on(self, key: str, _result: object) -> None:
        while key == TOOLS_KEY and self._waiting and not self._session.jobs.is_busy(TOOLS_KEY):
            self._waiting.popleft()()

    @Slot(str)
    def _give_up(self, key: str) -> None:
        """What waited was meant to come after what did not come about."""
        if key == TOOLS_KEY:
            self._waiting.clear()

    def _show(
        self, stack: Stack, before: Mapping[FrameIndex, LabelMap], text: str, nothing: str, found: LabelMaps
    ) -> None:
        self._put(stack, before, text, nothing, found)

    def _put(
        self, stack: Stack, before: Mapping[FrameIndex, LabelMap], text: str, nothing: str, found: LabelMaps
    ) -> tuple[FrameIndex, ...]:
        """Show what was made of frames that are as they were when it was begun; which changed."""
        if self._session.study.stack is not stack:
            return ()
        current = {each: labels for each, labels in found.items() if self._is_as(each, before[each])}
        changed = self._session.study.change_labels(current, text)
        left = len(found) - len(current)
        frames = "1 frame" if len(changed) == 1 else f"{len(changed)} frames"
        summary = f"{text[:1].upper()}{text[1:]}: {frames} changed." if changed else nothing
        if left:
            summary += f" {left} changed in the meantime and {'was' if left == 1 else 'were'} not touched."
        self.message.emit("info", summary)
        return changed


def _import_tools() -> None:
    """Import what corrects before it is first used: scipy and scikit-image would keep the window waiting."""
    import scipy.interpolate  # noqa: F401, PLC0415
    import skimage.graph  # noqa: F401, PLC0415

    from cmr_viewer.review import interpolate, shape  # noqa: F401, PLC0415


def _correct_all(stack: Stack, before: LabelMaps, wanted: Correction, progress: Progress) -> LabelMaps:
    """Correct each frame by itself; those that changed. Runs on the job thread."""
    from cmr_viewer.review.shape import corrected  # noqa: PLC0415 - scipy; imported beside the window by now

    changed = {}
    for number, (frame, labels) in enumerate(before.items()):
        progress(number / len(before), f"Slice {frame.slice_index + 1}, phase {frame.phase + 1}")
        after = corrected(labels, wanted, stack.geometry.pixel_spacing_mm, stack.frame(frame))
        if not np.array_equal(after, labels):
            after.setflags(write=False)  # so that it is shown as it is, without a copy
            changed[frame] = after
    return changed
