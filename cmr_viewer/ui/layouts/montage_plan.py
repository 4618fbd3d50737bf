"""The places of the thumbnails of a montage: which frames, how many columns, what size."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QPoint, QRect, QSize

from cmr_viewer.domain.study import FrameIndex

GAP = 6
EDGE = 10
HEAD = 24
ROW_HEAD = 30
SIDES = (96, 720)
"""Smallest and largest side of a thumbnail, in widget pixels."""
_BETWEEN_BLOCKS = 12


class Columns(StrEnum):
    """What a montage shows."""

    PHASES = "phases"
    ED_ES = "ed_es"
    SLICES = "slices"

    @property
    def text(self) -> str:
        """What it is called."""
        return {"phases": "All phases", "ed_es": "ED and ES", "slices": "All slices"}[self.value]

    @property
    def tip(self) -> str:
        """What it shows."""
        return {
            "phases": "Slices from base to apex in rows, phases in columns",
            "ed_es": "Every slice at end-diastole and end-systole",
            "slices": "Every slice at the phase of the selected frame",
        }[self.value]


@dataclass(frozen=True)
class MontagePlan:
    """Thumbnails in blocks of phases, one block for each slice; blocks are in rows from base to apex.

    Attributes:
        phases: Phase of each column of a block.
        slices: How many slices.
        blocks: How many blocks are side by side.
        side: Of a thumbnail, in widget pixels.
        heads: Whether there are heads above columns and before rows, which only a single block has.
    """

    phases: tuple[int, ...]
    slices: int
    blocks: int
    side: int
    heads: bool

    @property
    def rows(self) -> int:
        """Rows of blocks."""
        return -(-self.slices // self.blocks)

    @property
    def step(self) -> int:
        """From one thumbnail to the next."""
        return self.side + GAP

    @property
    def corner(self) -> QPoint:
        """Of the first thumbnail."""
        return QPoint(EDGE + (ROW_HEAD if self.heads else 0), HEAD if self.heads else EDGE)

    @property
    def block_width(self) -> int:
        """From one block to the next."""
        return len(self.phases) * self.step + (_BETWEEN_BLOCKS if len(self.phases) > 1 else 0)

    @property
    def size(self) -> QSize:
        """Of all thumbnails with heads and edges."""
        wide = self.blocks * self.block_width - GAP - (_BETWEEN_BLOCKS if len(self.phases) > 1 else 0)
        return QSize(self.corner.x() + wide + EDGE, self.corner.y() + self.rows * self.step - GAP + EDGE)

    @property
    def frames(self) -> tuple[FrameIndex, ...]:
        """All frames, slice after slice."""
        return tuple(FrameIndex(phase, index) for index in range(self.slices) for phase in self.phases)

    def place(self, index: int, column: int) -> QRect:
        """Where the thumbnail of a slice is, in one of a block's columns."""
        row, block = divmod(index, self.blocks)
        corner = self.corner
        left = corner.x() + block * self.block_width + column * self.step
        return QRect(left, corner.y() + row * self.step, self.side, self.side)

    def place_of(self, frame: FrameIndex) -> QRect | None:
        """Where the thumbnail of a frame is; None where it is not shown."""
        if frame.phase not in self.phases or not 0 <= frame.slice_index < self.slices:
            return None
        return self.place(frame.slice_index, self.phases.index(frame.phase))

    def frame_at(self, position: QPoint) -> FrameIndex | None:
        """The frame whose thumbnail is at a position."""
        at = position - self.corner
        if at.x() < 0 or at.y() < 0:
            return None
        block, across = divmod(at.x(), self.block_width)
        column, index = across // self.step, (at.y() // self.step) * self.blocks + block
        if block >= self.blocks or column >= len(self.phases) or index >= self.slices:
            return None
        return FrameIndex(self.phases[column], index) if self.place(index, column).contains(position) else None

    def seen(self, area: QRect) -> list[tuple[int, int]]:
        """(slice, column) of the thumbnails that an area touches."""
        first = max(0, (area.top() - self.corner.y()) // self.step)
        last = min(self.rows - 1, (area.bottom() - self.corner.y()) // self.step)
        found = []
        for index in range(first * self.blocks, min(self.slices, (last + 1) * self.blocks)):
            found += [(index, at) for at in range(len(self.phases)) if self.place(index, at).intersects(area)]
        return found


def montage_plan(room: QSize, phases: Sequence[int], slices: int, *, wraps: bool, zoom: float = 1.0) -> MontagePlan:
    """The plan whose thumbnails are largest.

    Args:
        room: What can be seen at once.
        phases: Phase of each column.
        slices: How many slices, >= 1.
        wraps: Whether slices may be side by side; else they are below one another.
        zoom: How much larger thumbnails are than what fits.
    """
    columns = tuple(phases)
    best = MontagePlan(columns, slices, 1, 0, heads=not wraps)
    for blocks in range(1, (slices if wraps else 1) + 1):
        bare = MontagePlan(columns, slices, blocks, 0, heads=not wraps)
        across = (room.width() - bare.size.width()) // max(1, blocks * len(columns))
        down = (room.height() - bare.size.height()) // bare.rows
        side = min(across, down) if wraps else down
        if side > best.side:
            best = MontagePlan(columns, slices, blocks, side, heads=not wraps)
    side = min(SIDES[1], max(SIDES[0], round(max(best.side, SIDES[0]) * zoom)))
    blocks = best.blocks
    if wraps:  # larger thumbnails than what fits: as many side by side as there is room for
        unit = max(1, len(columns)) * (side + GAP) + (_BETWEEN_BLOCKS if len(columns) > 1 else 0)
        blocks = max(1, min(slices, (room.width() - 2 * EDGE + GAP) // unit))
        if zoom == 1.0 and best.side >= SIDES[0]:
            blocks = best.blocks
    return MontagePlan(columns, slices, blocks, side, heads=not wraps)
