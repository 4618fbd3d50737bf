"""Rows of the database by frame: queries that all tables of frames share."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, Select, Table, and_, func, or_, select

from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store import tables


def check_frames(connection: Connection, stack_id: str, frames: Sequence[FrameIndex]) -> None:
    """Raise unless the study is known and has the frames.

    Raises:
        StoreError: It is unknown, or lacks one.
    """
    s = tables.studies
    row = connection.execute(select(s.c.phases, s.c.slices).where(s.c.stack_id == stack_id)).first()
    if row is None:
        raise StoreError(f"The study with stack {stack_id} is not in this workspace. Open it first.")
    for phase, slice_index in frames:
        if not (0 <= phase < row.phases and 0 <= slice_index < row.slices):
            raise StoreError(
                f"Phase {phase}, slice {slice_index} is not in the study, which has {row.phases} phases and "
                f"{row.slices} slices."
            )


def is_frame(table: Table, stack_id: str, frame: FrameIndex) -> ColumnElement[bool]:
    """Condition: the row is of this frame."""
    return and_(table.c.stack_id == stack_id, table.c.phase == frame.phase, table.c.slice_index == frame.slice_index)


def latest_rows(table: Table, by: str, read_id: int | None = None) -> Select[Any]:
    """Rows of a table that are the last of their frame, by a column that counts up.

    Args:
        table: The table.
        by: The column.
        read_id: Of this read only, where the table tells reads apart; None for the first read.
    """
    other = table.alias()
    last = select(func.max(other.c[by])).where(
        other.c.stack_id == table.c.stack_id,
        other.c.phase == table.c.phase,
        other.c.slice_index == table.c.slice_index,
    )
    if tables.READ_COLUMN not in table.c:
        return select(table).where(table.c[by] == last.correlate(table).scalar_subquery())
    last = last.where(in_read(other, read_id))
    return select(table).where(in_read(table, read_id), table.c[by] == last.correlate(table).scalar_subquery())


def in_read(table: FromClause, read_id: int | None) -> ColumnElement[bool]:
    """Condition: the row belongs to a read; None for the first read."""
    column = table.c[tables.READ_COLUMN]
    return column.is_(None) if read_id is None else column == read_id


def is_unfinished(annotations: FromClause) -> ColumnElement[bool]:
    """Condition: the row of `annotations` is a draft that says more than that the prediction was left as it is."""
    c = annotations.c
    said = or_(c.provenance != str(Provenance.AUTOMATIC), c[tables.IMPORTED_COLUMN].is_not(None))
    return and_(c.status == str(ReviewStatus.DRAFT), said)


def frame_of(row: RowMapping) -> FrameIndex:
    """The frame that a row is of."""
    return FrameIndex(row["phase"], row["slice_index"])
