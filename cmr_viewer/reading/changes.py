"""What a reader did to a study, as steps that can be undone and kept; and a brush stroke while it lasts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.domain.ed_es import PhasePair
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.marks import Marks
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.edit import Patch, Point
from cmr_viewer.store.undo_steps import (
    FactPart,
    FramePart,
    PackedPatch,
    PhaseMarksPart,
    StatusPart,
    StepKind,
    StepPart,
    label_digest,
    packed,
)


class Frames(Protocol):
    """What a change needs of the study that is read."""

    def go_to(self, frame: FrameIndex, marks: Marks, labels: LabelMap | None) -> None:
        """Give a frame its marks and its label map; an edited label map becomes the frame's own."""

    def canvas(self, frame: FrameIndex) -> LabelMap:
        """A copy of the label map that is shown of a frame, (row, col); background where there is none."""

    def canvas_of(self, base: Prediction | None) -> LabelMap:
        """A copy of a prediction's label map, (row, col); background without one."""


class KeptChange(Protocol):
    """A change that can be kept on disk."""

    @property
    def kind(self) -> StepKind:
        """What kind of step it is."""

    def parts(self) -> tuple[StepPart, ...]:
        """What of what was changed."""


class FrameChange:
    """One undo step: a patch of the label map, the region, or what the label map is.

    A label map that is not edited is its prediction's, so it comes back from `Marks.base` and not from the patch; that
    holds also where another prediction was shown meanwhile.

    Attributes:
        frame: The frame.
        text: What was done, in words.
        kind: What kind of step.
    """

    def __init__(
        self,
        frame: FrameIndex,
        text: str,
        before: Marks,
        after: Marks,
        patch: Patch | PackedPatch | None,
        frames: Frames,
        kind: StepKind = StepKind.EDIT,
    ) -> None:
        """Note a change that has been made.

        Args:
            frame: The frame.
            text: What was done, in words.
            before: The frame's marks before the change.
            after: The frame's marks after it.
            patch: From the label map shown before to the one after; None if that did not change.
            frames: The study that is read.
            kind: What kind of step.
        """
        self.frame = frame
        self.text = text
        self.kind = kind
        self._before, self._after, self._frames = before, after, frames
        if isinstance(patch, Patch):
            patch = None if patch.is_empty else packed(patch.row0, patch.col0, patch.before, patch.after)
        self._patch = patch

    def parts(self) -> tuple[StepPart, ...]:
        """What was changed, to be kept."""
        return (FramePart(self.frame, self._before, self._after, self._patch),)

    def apply(self) -> None:
        """Make the change again.

        Raises:
            LabelMapError: The label map is not as it was; nothing is changed.
            StoreError: The change was damaged on disk; nothing is changed.
        """
        self._move(self._before, self._after, forward=True)

    def revert(self) -> None:
        """Take the change back.

        Raises:
            LabelMapError: The label map is not as it was; nothing is changed.
            StoreError: The change was damaged on disk; nothing is changed.
        """
        self._move(self._after, self._before, forward=False)

    def _move(self, start: Marks, end: Marks, *, forward: bool) -> None:
        labels = self._frames.canvas(self.frame) if start.edited else self._frames.canvas_of(start.base)
        if self._patch is not None and (start.edited or end.edited):
            before, after = self._patch.unpacked()
            patch = Patch(self._patch.row0, self._patch.col0, before, after)
            (patch.apply if forward else patch.revert)(labels)
        if not end.edited:
            self._frames.go_to(self.frame, end, None if end.base is None else end.base.labels)
        else:
            self._frames.go_to(self.frame, end, labels)


class PhaseMarksChange:
    """ED and ES were marked otherwise.

    Attributes:
        frame: None; it is about no frame.
        text: What was done, in words.
        kind: What kind of step.
    """

    frame: FrameIndex | None = None
    kind = StepKind.PHASE_MARKS

    def __init__(self, text: str, before: PhasePair, after: PhasePair, set_marks: Callable[[PhasePair], None]) -> None:
        """Note a change.

        Args:
            text: What was done, in words.
            before: ED and ES as the reader had set them.
            after: As the reader sets them now.
            set_marks: Sets both.
        """
        self.text = text
        self._before, self._after, self._set_marks = before, after, set_marks

    def parts(self) -> tuple[StepPart, ...]:
        """What was changed, to be kept."""
        return (PhaseMarksPart(self._before, self._after),)

    def apply(self) -> None:
        """Set the new marks."""
        self._set_marks(self._after)

    def revert(self) -> None:
        """Set the former marks."""
        self._set_marks(self._before)


class FactChange:
    """A fact about the study was said otherwise.

    Attributes:
        frame: None; it is about no frame.
        text: What was done, in words.
        kind: What kind of step.
    """

    frame: FrameIndex | None = None
    kind = StepKind.FACT

    def __init__(self, text: str, key: str, before: Any, after: Any, set_fact: Callable[[str, Any], None]) -> None:
        """Note a change.

        Args:
            text: What was done, in words.
            key: Which fact.
            before: As it was, None for nothing.
            after: As it is now.
            set_fact: Sets it.
        """
        self.text = text
        self._key, self._before, self._after, self._set_fact = key, before, after, set_fact

    def parts(self) -> tuple[StepPart, ...]:
        """What was changed, to be kept."""
        return (FactPart(self._key, self._before, self._after),)

    def apply(self) -> None:
        """Say the new one."""
        self._set_fact(self._key, self._after)

    def revert(self) -> None:
        """Say the former one."""
        self._set_fact(self._key, self._before)


class Acceptable(Protocol):
    """What the acceptance of frames needs of the study that is read."""

    def still(self, frame: FrameIndex) -> LabelMap:
        """The label map that is shown of a frame, (row, col), not to be written to."""

    def accept_again(self, frames: tuple[FrameIndex, ...]) -> None:
        """Ask for the acceptance of frames."""

    def withdraw(self, frame: FrameIndex) -> None:
        """Take the acceptance of a frame back; nothing where it is not accepted."""


class AcceptChange:
    """Frames were accepted.

    Attributes:
        frame: The first of them.
        text: What was done, in words.
        kind: What kind of step.
        accepted: Digest of what was accepted, by frame.
    """

    kind = StepKind.ACCEPT

    def __init__(
        self,
        text: str,
        accepted: Mapping[FrameIndex, str],
        before: Mapping[FrameIndex, ReviewStatus | None],
        reading: Acceptable,
    ) -> None:
        """Note an acceptance.

        Args:
            text: What was done, in words.
            accepted: `label_digest` of what was accepted, by frame; at least one.
            before: How far the reader was with each.
            reading: The study that is read.
        """
        self.frame: FrameIndex | None = next(iter(accepted))
        self.text = text
        self.accepted = dict(accepted)
        self._before, self._reading = dict(before), reading

    def parts(self) -> tuple[StepPart, ...]:
        """What was changed, to be kept."""
        return tuple(StatusPart(frame, self._before[frame], digest) for frame, digest in self.accepted.items())

    def apply(self) -> None:
        """Accept the frames again.

        Raises:
            LabelMapError: What is shown of one is not what was accepted; then none is.
        """
        for frame, digest in self.accepted.items():
            if label_digest(self._reading.still(frame)) != digest:
                raise LabelMapError(
                    f"Phase {frame.phase + 1}, slice {frame.slice_index + 1} has changed since it was accepted."
                )
        self._reading.accept_again(tuple(self.accepted))

    def revert(self) -> None:
        """Take the acceptance back; frames that were changed since are left as they are."""
        for frame in self.accepted:
            self._reading.withdraw(frame)


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
