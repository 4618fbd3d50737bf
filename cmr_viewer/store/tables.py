"""The tables of a workspace's database, the triggers that make saved work append-only, and queries that tables share.

Frames are (phase, slice_index). Times are ISO 8601 text with the time zone, always UTC. Blobs are written by
`domain.label_codec`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Float,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Select,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.schema import SchemaItem

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.file_names import path_of_text, text_of_path

SCHEMA_VERSION = 6
"""Counted up whenever the tables change; a program refuses a database of a newer version."""

APPLICATION_ID = 0x434D5256
"""'CMRV': how the program knows its own database. SQLite file format, offset 68."""

metadata = MetaData()


def now_text() -> str:
    """The present time as it is saved: ISO 8601, UTC, microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _one_of(column: str, values: type[Region] | type[Provenance] | type[ReviewStatus] | type[Role]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(value)) for value in values)})")


class PathText(TypeDecorator[str]):
    """A file or folder, as `str` in the program; names that are no text are saved as `file_names.text_of_path` does."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else text_of_path(Path(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """From the database."""
        return None if value is None else str(path_of_text(value))


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _stack() -> Column[str]:
    return Column("stack_id", Text, ForeignKey("studies.stack_id"), nullable=False)


def _frame() -> tuple[SchemaItem, ...]:
    return (
        Column("phase", Integer, CheckConstraint("phase >= 0"), nullable=False),
        Column("slice_index", Integer, CheckConstraint("slice_index >= 0"), nullable=False),
    )


def _session() -> Column[int]:
    return Column("session_id", Integer, ForeignKey("sessions.id"), nullable=False)


READ_COLUMN = "read_id"
"""The read that something belongs to, a row of `reads`; null for the first read of a study.

A plain column, so that a table that was brought up to date is as a new one; `store.reads.check_read` checks it."""


def _read() -> Column[int]:
    return Column(READ_COLUMN, Integer)


def _saved_by() -> tuple[SchemaItem, ...]:
    return Column("reader", Text, nullable=False), Column("created_at", Text, nullable=False), _session()


def _prediction() -> tuple[SchemaItem, ...]:
    return (
        Column("model_id", Text, nullable=False),
        Column("region", Text, _one_of("region", Region), nullable=False),
        Column("reason", Text, nullable=False),
        Column("labels", LargeBinary, nullable=False),
    )


sessions = Table(
    "sessions",
    metadata,
    _id(),
    Column("opened_at", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("reader", Text, nullable=False),
    Column("closed_at", Text),
    Column("clean", Integer, nullable=False, server_default="0"),
)

studies = Table(
    "studies",
    metadata,
    Column("stack_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("source", PathText, nullable=False),
    Column("patient_key", Text, nullable=False),
    Column("geometry_json", Text, nullable=False),
    Column("phases", Integer, CheckConstraint("phases >= 1"), nullable=False),
    Column("slices", Integer, CheckConstraint("slices >= 1"), nullable=False),
    Column("opened_at", Text, nullable=False),
)

IMPORTED_COLUMN = "imported_from"
"""Where the label map of an annotation was imported from; null where it was not."""

annotations = Table(
    "annotations",
    metadata,
    _id(),
    _stack(),
    *_frame(),
    Column("version", Integer, CheckConstraint("version >= 1"), nullable=False),
    Column("labels", LargeBinary, nullable=False),
    Column("region", Text, _one_of("region", Region), nullable=False),
    Column("provenance", Text, _one_of("provenance", Provenance), nullable=False),
    Column("status", Text, _one_of("status", ReviewStatus), nullable=False),
    Column("reader", Text, nullable=False),
    Column("model_id", Text),
    Column("created_at", Text, nullable=False),
    _session(),
    Column(IMPORTED_COLUMN, Text),
    _read(),
    UniqueConstraint("stack_id", "phase", "slice_index", "version"),
)

frame_pixels = Table(
    "frame_pixels",
    metadata,
    _id(),
    _stack(),
    *_frame(),
    Column("pixels", LargeBinary, nullable=False),
    Column("row_spacing_mm", Float, CheckConstraint("row_spacing_mm > 0"), nullable=False),
    Column("col_spacing_mm", Float, CheckConstraint("col_spacing_mm > 0"), nullable=False),
    UniqueConstraint("stack_id", "phase", "slice_index"),
)

regions = Table(
    "regions",
    metadata,
    _id(),
    _stack(),
    *_frame(),
    Column("region", Text, _one_of("region", Region)),
    Column("predicted", Text, _one_of("predicted", Region)),
    *_saved_by(),
    _read(),
    Index("regions_by_stack", "stack_id", "phase", "slice_index"),
)

DECODED_COLUMN = "decoded"
"""Region of a region prediction in its stack; null, as the probabilities, where the frame was taken by itself."""

IN_STACK_COLUMNS = ("base_in_stack", "middle_in_stack", "apex_in_stack", "non_cardiac_in_stack")
"""Probabilities of a region prediction in its stack, in the order of `REGIONS`."""

HEART_COLUMN = "heart_mm2"
"""Area that the baseline drew in a frame of a region prediction; null where it was not asked."""

region_predictions = Table(
    "region_predictions",
    metadata,
    _id(),
    _stack(),
    *_frame(),
    Column("model_id", Text, nullable=False),
    Column("base", Float, nullable=False),
    Column("middle", Float, nullable=False),
    Column("apex", Float, nullable=False),
    Column("non_cardiac", Float, nullable=False),
    Column("created_at", Text, nullable=False),
    Column(DECODED_COLUMN, Text),
    *(Column(name, Float) for name in IN_STACK_COLUMNS),
    Column(HEART_COLUMN, Float),
    UniqueConstraint("stack_id", "phase", "slice_index", "model_id"),
)

predictions = Table(
    "predictions",
    metadata,
    _id(),
    _stack(),
    *_frame(),
    *_prediction(),
    Column("created_at", Text, nullable=False),
    UniqueConstraint("stack_id", "phase", "slice_index", "model_id", "region"),
)

phase_marks = Table(
    "phase_marks",
    metadata,
    _id(),
    _stack(),
    Column("ed", Integer),
    Column("es", Integer),
    *_saved_by(),
    _read(),
    Index("phase_marks_by_stack", "stack_id"),
)

events = Table(
    "events",
    metadata,
    _id(),
    Column("at", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("stack_id", Text),
    Column("phase", Integer),
    Column("slice_index", Integer),
    Column("model_id", Text),
    Column("detail", Text, nullable=False),
    _session(),
    _read(),
    Index("events_by_stack", "stack_id"),
)

promotions = Table(
    "promotions",
    metadata,
    _id(),
    Column("role", Text, _one_of("role", Role), nullable=False),
    Column("kind", Text, CheckConstraint("kind IN ('promote', 'keep', 'roll_back')"), nullable=False),
    Column("model_id", Text, nullable=False),
    Column("previous_model_id", Text),
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Text, nullable=False),
    _session(),
)

training_runs = Table(
    "training_runs",
    metadata,
    _id(),
    Column("role", Text, _one_of("role", Role), nullable=False),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),
    Column("outcome", Text),
    Column("detail", Text, nullable=False, server_default="{}"),
    _session(),
)

openings = Table(
    "openings",
    metadata,
    _id(),
    Column("source", PathText, nullable=False),
    _stack(),
    Column("decided", Text, nullable=False),
    *_saved_by(),
    Index("openings_by_source", "source"),
)

stack_changes = Table(
    "stack_changes",
    metadata,
    _id(),
    Column("from_stack_id", Text, ForeignKey("studies.stack_id"), nullable=False),
    Column("to_stack_id", Text, ForeignKey("studies.stack_id"), nullable=False),
    Column("slices", Text, nullable=False),
    Column("reader", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    _session(),
)

waiting = Table(
    "waiting",
    metadata,
    _id(),
    Column("source", PathText, nullable=False, unique=True),
    Column("created_at", Text, nullable=False),
)

reads = Table(
    "reads",
    metadata,
    _id(),
    _stack(),
    Column("reader", Text, nullable=False),
    Column("kind", Text, CheckConstraint("kind IN ('first', 'second', 'adjudication')"), nullable=False),
    Column("blinded", Integer, CheckConstraint("blinded IN (0, 1)"), nullable=False),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),
    _session(),
    Index("reads_by_stack", "stack_id"),
)

read_predictions = Table(
    "read_predictions",
    metadata,
    _id(),
    Column(READ_COLUMN, Integer, ForeignKey("reads.id"), nullable=False),
    *_frame(),
    *_prediction(),
    Column("created_at", Text, nullable=False),
    UniqueConstraint(READ_COLUMN, "phase", "slice_index"),
)
"""What is shown of frames in a read other than the first, where its reader has not changed them."""

undo_predictions = Table(
    "undo_predictions",
    metadata,
    _id(),
    _stack(),
    *_frame(),
    Column("digest", Text, nullable=False),
    *_prediction(),
    UniqueConstraint("stack_id", "phase", "slice_index", "digest"),
)

undo_steps = Table(
    "undo_steps",
    metadata,
    _id(),
    Column("key", Text, nullable=False),
    _stack(),
    _read(),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    *_saved_by(),
    UniqueConstraint("stack_id", "key"),
)

undo_changes = Table(
    "undo_changes",
    metadata,
    _id(),
    Column("step_id", Integer, ForeignKey("undo_steps.id"), nullable=False),
    Column("place", Integer, CheckConstraint("place >= 0"), nullable=False),
    Column("kind", Text, CheckConstraint("kind IN ('frame', 'status', 'phase_marks', 'fact')"), nullable=False),
    Column("phase", Integer),
    Column("slice_index", Integer),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("row0", Integer),
    Column("col0", Integer),
    Column("patch", LargeBinary),
    UniqueConstraint("step_id", "place"),
)

undo_moves = Table(
    "undo_moves",
    metadata,
    _id(),
    _stack(),
    _read(),
    Column("verb", Text, CheckConstraint("verb IN ('do', 'undo', 'redo', 'leave', 'set')"), nullable=False),
    Column("step_id", Integer, ForeignKey("undo_steps.id")),
    Column("detail", Text, nullable=False),
    *_saved_by(),
    Index("undo_moves_by_stack", "stack_id"),
)

effort = Table(
    "effort",
    metadata,
    _id(),
    _stack(),
    _read(),
    *_frame(),
    Column("active_s", Float, CheckConstraint("active_s >= 0"), nullable=False),
    Column("strokes", Integer, CheckConstraint("strokes >= 0"), nullable=False),
    Column("edits", Integer, CheckConstraint("edits >= 0"), nullable=False),
    Column("undos", Integer, CheckConstraint("undos >= 0"), nullable=False),
    *_saved_by(),
    Index("effort_by_stack", "stack_id"),
)

study_facts = Table(
    "study_facts",
    metadata,
    _id(),
    _stack(),
    _read(),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    *_saved_by(),
    Index("study_facts_by_stack", "stack_id", "key"),
)

reader_settings = Table(
    "reader_settings",
    metadata,
    _id(),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    *_saved_by(),
    Index("reader_settings_by_reader", "reader", "key"),
)

ADDED_IN_3: tuple[Table, ...] = (openings, stack_changes)
"""Tables that workspaces of versions 1 and 2 have not."""

ADDED_IN_4: tuple[Table, ...] = (waiting,)
"""Tables that workspaces of versions 1 to 3 have not."""

APPENDED_IN_5: tuple[Table, ...] = (
    undo_predictions,
    undo_steps,
    undo_changes,
    undo_moves,
    effort,
    study_facts,
    reader_settings,
)
"""Tables that workspaces of versions 1 to 4 have not, and whose rows are added only."""

ADDED_IN_5: tuple[Table, ...] = (reads, read_predictions, *APPENDED_IN_5)
"""Tables that workspaces of versions 1 to 4 have not."""

OF_A_READ: tuple[Table, ...] = (annotations, regions, phase_marks, events)
"""Tables of earlier versions that have `READ_COLUMN` since version 5."""

APPEND_ONLY: tuple[Table, ...] = (
    annotations,
    frame_pixels,
    regions,
    phase_marks,
    events,
    promotions,
    *ADDED_IN_3,
    *APPENDED_IN_5,
)
"""Tables whose rows are added and never changed or deleted."""


def append_only_triggers(of: tuple[Table, ...] = APPEND_ONLY) -> list[str]:
    """SQL statements that make SQLite itself refuse UPDATE and DELETE on append-only tables.

    `INSERT OR REPLACE` is refused too, since connections set `recursive_triggers` (SQLite, "REPLACE: delete triggers
    fire if and only if recursive triggers are enabled").
    """
    return [
        f"CREATE TRIGGER {table.name}_no_{verb.lower()} BEFORE {verb} ON {table.name} "
        f"BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
        for table in of
        for verb in ("UPDATE", "DELETE")
    ]


# -- queries that tables of frames share -------------------------------------------------------------------------------


def check_frames(connection: Connection, stack_id: str, frames: Sequence[FrameIndex]) -> None:
    """Raise unless the study is known and has the frames.

    Raises:
        StoreError: It is unknown, or lacks one.
    """
    s = studies
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
        read_id: Of this read only, where the table has a column for it; None for the first read.
    """
    other = table.alias()
    last = select(func.max(other.c[by])).where(
        other.c.stack_id == table.c.stack_id,
        other.c.phase == table.c.phase,
        other.c.slice_index == table.c.slice_index,
    )
    if READ_COLUMN not in table.c:
        return select(table).where(table.c[by] == last.correlate(table).scalar_subquery())
    last = last.where(in_read(other, read_id))
    return select(table).where(in_read(table, read_id), table.c[by] == last.correlate(table).scalar_subquery())


def in_read(table: FromClause, read_id: int | None) -> ColumnElement[bool]:
    """Condition: the row belongs to a read; None for the first read."""
    column = table.c[READ_COLUMN]
    return column.is_(None) if read_id is None else column == read_id


def is_unfinished(annotations: FromClause) -> ColumnElement[bool]:
    """Condition: the row of `annotations` is a draft of more than an unchanged prediction."""
    c = annotations.c
    changed = or_(c.provenance != str(Provenance.AUTOMATIC), c[IMPORTED_COLUMN].is_not(None))
    return and_(c.status == str(ReviewStatus.DRAFT), changed)


def frame_of(row: RowMapping) -> FrameIndex:
    """The frame that a row is of."""
    return FrameIndex(row["phase"], row["slice_index"])
