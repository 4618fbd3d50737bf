"""Pixels of frames, saved once each beside a reader's work, so that learning never needs the source files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, select

from cmr_viewer.domain.label_codec import encode_pixels
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store import tables
from cmr_viewer.store.tables import frame_of, is_frame


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels that are to be saved with a reader's work; those that are saved already are not saved again.

    Attributes:
        frames: (row, col) pixels as in the source, any real dtype, by frame.
        spacing_mm: (row, col) that the frames are prepared with; assumed where the true one is not known.
    """

    frames: Mapping[FrameIndex, NDArray[Any]]
    spacing_mm: tuple[float, float]

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise unless all frames have the shape of the label maps, and the spacing is one.

        Raises:
            StoreError: They do not fit.
        """
        for one in self.frames.values():
            if one.shape != shape:
                raise StoreError(f"Pixels of shape {one.shape} do not fit a label map of shape {shape}.")
        if not all(np.isfinite(value) and value > 0 for value in self.spacing_mm):
            raise StoreError(f"Pixels need their pixel spacing, not {self.spacing_mm}.")


def saved_frames(connection: Connection, stack_id: str) -> set[FrameIndex]:
    """Frames of a stack whose pixels are saved."""
    p = tables.frame_pixels
    statement = select(p.c.phase, p.c.slice_index).where(p.c.stack_id == stack_id)
    return {frame_of(row) for row in connection.execute(statement).mappings()}


def pixel_rows(connection: Connection, stack_id: str, pixels: Pixels) -> list[dict[str, Any]]:
    """Rows of `frame_pixels` for those frames that have none; compressing takes some 20 ms a frame.

    Raises:
        StoreError: A dtype is not a real one.
    """
    known = saved_frames(connection, stack_id) if pixels.frames else set()
    row_mm, col_mm = pixels.spacing_mm
    return [
        {
            "stack_id": stack_id,
            **frame._asdict(),
            "pixels": encode_pixels(one),
            "row_spacing_mm": float(row_mm),
            "col_spacing_mm": float(col_mm),
        }
        for frame, one in pixels.frames.items()
        if frame not in known
    ]


def add_pixels(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Add rows of `pixel_rows` in an open transaction; what was saved in the meantime stays."""
    if rows:
        connection.execute(insert(tables.frame_pixels).prefix_with("OR IGNORE"), rows)


def check_has_pixels(connection: Connection, stack_id: str, frame: FrameIndex) -> None:
    """Raise unless the pixels of a frame are saved.

    Raises:
        StoreError: They are not.
    """
    p = tables.frame_pixels
    if connection.execute(select(p.c.id).where(is_frame(p, stack_id, frame))).first() is None:
        raise StoreError(
            f"Phase {frame.phase}, slice {frame.slice_index} cannot be accepted without its pixels and their spacing."
        )
