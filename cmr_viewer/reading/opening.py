"""What a reader asks to be opened, what was loaded, and where the frames of the open study are in it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.opening import NO_CHOICES, Opening, SliceMap, StackChange
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.progress import Progress
from cmr_viewer.store.reads import Read

Preview = Callable[[NDArray[Any]], None]
"""Takes a first frame (row, col) of the stack that is being loaded."""


class Opener(Protocol):
    """What loads a study, such as `load.study.open_study`."""

    def __call__(self, path: Path, progress: Progress, opening: Opening, preview: Preview | None) -> Study:
        """Open a file or folder as was decided."""


@dataclass(frozen=True, eq=False)
class OpeningRequest:
    """What the reader asked to be opened.

    Attributes:
        path: File or folder.
        opening: How; None for as it was decided last.
        stack_id: The stack of the worklist that is meant, or None for the one that was opened last.
        before: The stack that is open, where it is opened differently; else None.
        shown: The frame of it that is shown.
        before_opening: How that was opened.
        follow: Whether a later decision about the stack that is found goes before `opening`.
    """

    path: Path
    opening: Opening | None = None
    stack_id: str | None = None
    before: Stack | None = None
    shown: FrameIndex | None = None
    before_opening: Opening = NO_CHOICES
    follow: bool = True


@dataclass(frozen=True, eq=False)
class Loaded:
    """A study that was loaded.

    Attributes:
        study: The study.
        request: What was asked for.
        opening: How it was opened.
        change: How the slices of the stack that was open go over to this one; None where they do not.
        read: The read that it is opened in; None for the first.
        left_at: Where the reader was when the stack was left the last time, or None.
        stay_at: Where the reader is, where another read of the same stack was open; else None.
    """

    study: Study
    request: OpeningRequest
    opening: Opening
    change: StackChange | None = None
    read: Read | None = None
    stay_at: FrameIndex | None = None
    left_at: FrameIndex | None = None

    @property
    def is_decided(self) -> bool:
        """Whether the reader decided about the opening now, so that it is to be saved."""
        return self.request.opening is not None or self.request.stack_id is not None

    @property
    def begin_at(self) -> FrameIndex | None:
        """Where the frame that was shown, or was when the stack was left, is in this stack; None where it is not."""
        if self.stay_at is not None:
            return self.stay_at
        if self.request.before is None:
            return self.left_at
        shown, change = self.request.shown, self.change
        if shown is None or change is None or shown.phase >= self.study.stack.phases:
            return None
        there = change.slices[shown.slice_index]
        return None if there is None else FrameIndex(shown.phase, there)

    @property
    def sources(self) -> tuple[str, ...]:
        """What the opening is remembered by: the study's source, and what was pointed at where that is another."""
        return tuple(dict.fromkeys((source_key(self.study.source), source_key(self.request.path))))


def source_key(path: Path) -> str:
    """A file or folder as an absolute path, for the workspace."""
    return str(path.absolute())


def change_between(before: Stack | None, now: Stack) -> StackChange | None:
    """Which slices of the stack that was open are which of this one; None where most of them are not in it."""
    if before is None or before.stack_id == now.stack_id:
        return None
    slices = same_slices(before, now)
    shared = sum(there is not None for there in slices)
    return StackChange(before.stack_id, now.stack_id, slices) if 2 * shared >= before.slices else None


def same_slices(first: Stack, second: Stack) -> SliceMap:
    """Per slice of one stack: the slice of another that has the same pixels at all phases, or None.

    Slices that look all the same, such as empty ones, are taken in their order.
    """
    places: dict[bytes, list[int]] = {}
    for there in range(second.slices):
        places.setdefault(_digest(second, there), []).append(there)
    found: list[int | None] = []
    for here in range(first.slices):
        left = places.get(_digest(first, here), [])
        found.append(left.pop(0) if left else None)
    return tuple(found)


def _digest(stack: Stack, slice_index: int) -> bytes:
    pixels = stack.pixels[:, slice_index]
    digest = hashlib.blake2b(repr((pixels.shape, pixels.dtype.str)).encode(), digest_size=16)
    for frame in pixels:
        digest.update(np.ascontiguousarray(frame).data)
    return digest.digest()


def with_stack(opening: Opening, key: str) -> Opening:
    """Another stack of the same files; what was decided about slice order and spacing was about the one before."""
    return opening if opening.stack == key else Opening(stack=key)


def with_repeats(opening: Opening, chosen: dict[str, str]) -> Opening:
    """Other acquisitions of repeated slices, by key of the place."""
    return replace(opening, repeats={**opening.repeats, **chosen})
