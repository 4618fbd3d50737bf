"""A reader's choices on how to open a study, saved so that the program asks only once; and what follows for slices."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Opening:
    """How a study is opened where its files leave it open or are wrong.

    Attributes:
        stack: Key of the stack to open (`StackChoice.key`); empty for the one that is suggested.
        repeats: Per repeated slice (`RepeatedSlice.key`), the key of the acquisition to use; the last one where it is
            not named.
        base_reversed: Whether base and apex are swapped against what the program found.
        spacing_mm: (row, col, slice) distances to use instead of the files', or None.
        slice_axis: Axis of the slices of a volume file, 0 to 2, or None for the one that is found.
        any_size: Whether volumes are shown that no human heart has.
    """

    stack: str = ""
    repeats: Mapping[str, str] = field(default_factory=dict)
    base_reversed: bool = False
    spacing_mm: tuple[float, float, float] | None = None
    slice_axis: int | None = None
    any_size: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether nothing was decided."""
        return self == NO_CHOICES

    def as_json(self) -> dict[str, Any]:
        """As JSON values; `opening_from_json` is the way back."""
        return {
            "stack": self.stack,
            "repeats": dict(self.repeats),
            "base_reversed": self.base_reversed,
            "spacing_mm": None if self.spacing_mm is None else list(self.spacing_mm),
            "slice_axis": self.slice_axis,
            "any_size": self.any_size,
        }


NO_CHOICES = Opening()
"""Nothing was decided: as the files state and the program finds."""


def opening_from_json(values: Mapping[str, Any]) -> Opening:
    """Read what `Opening.as_json` wrote; what is absent or of another form counts as not decided."""
    stack, repeats, spacing = values.get("stack"), values.get("repeats"), values.get("spacing_mm")
    spacing_mm = None
    if isinstance(spacing, list) and len(spacing) == 3 and all(_is_length(value) for value in spacing):
        spacing_mm = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    return Opening(
        stack=stack if isinstance(stack, str) else "",
        repeats={str(k): str(v) for k, v in repeats.items()} if isinstance(repeats, dict) else {},
        base_reversed=values.get("base_reversed") is True,
        spacing_mm=spacing_mm,
        slice_axis=axis if isinstance(axis := values.get("slice_axis"), int) and axis in (0, 1, 2) else None,
        any_size=values.get("any_size") is True,
    )


def _is_length(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0


SliceMap = tuple[int | None, ...]
"""Per slice of a stack: the same slice of another one, or None where that does not have it."""


@dataclass(frozen=True)
class StackChange:
    """Which slices of one stack are which of another, because the same files are opened differently.

    Attributes:
        from_stack_id: The stack that was open.
        to_stack_id: The one that takes its place.
        slices: Per slice of the first: the slice of the second with the same pixels, or None.
    """

    from_stack_id: str
    to_stack_id: str
    slices: SliceMap

    @property
    def same_slices(self) -> bool:
        """Whether slices keep their numbers."""
        return all(there in (None, here) for here, there in enumerate(self.slices))

    def target(self, slice_index: int) -> int | None:
        """Where a slice went; None where the second stack does not have it."""
        return self.slices[slice_index] if 0 <= slice_index < len(self.slices) else None

    def inverse(self, slices: int) -> "StackChange":
        """The way back, from a second stack of so many slices."""
        back: list[int | None] = [None] * slices
        for here, there in enumerate(self.slices):
            if there is not None and there < slices:
                back[there] = here
        return StackChange(self.to_stack_id, self.from_stack_id, tuple(back))
