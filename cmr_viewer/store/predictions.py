"""Predictions of models: regions, label maps, and what a read other than the first is shown of them.

The first read's predictions are in `predictions`, where the last of a frame is the one that is shown. A region that its
reader set asks another model, so the last is no longer what the models alone would show: another read takes, of each
frame, what was made of it as the region that the models themselves give it, and saves what it is shown by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, and_, func, insert, null, select

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, Probabilities, Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.label_codec import decode_label_map, encode_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store import tables
from cmr_viewer.store.tables import READ_COLUMN, frame_of, latest_rows, now_text

REASON = "Predicted."
"""Why a model segmented a frame, in a read that takes over its prediction: the first reader may stand in the words."""

_PROBABILITIES = ("base", "middle", "apex", "non_cardiac")

Rows = list[dict[str, Any]]


def region_prediction_rows(stack_id: str, made: Mapping[FrameIndex, RegionPrediction]) -> Rows:
    """Rows of `region_predictions`."""
    return [
        {
            "stack_id": stack_id,
            **frame._asdict(),
            "model_id": one.model_id,
            **dict(zip(_PROBABILITIES, map(float, one.probabilities), strict=True)),
            tables.DECODED_COLUMN: None if one.decoded is None else str(one.decoded),
            **dict(zip(tables.IN_STACK_COLUMNS, map(_real, one.posterior or (None,) * 4), strict=True)),
            tables.HEART_COLUMN: _real(one.heart_mm2),
            "created_at": now_text(),
        }
        for frame, one in made.items()
    ]


def prediction_rows(stack_id: str, made: Mapping[FrameIndex, Prediction]) -> Rows:
    """Rows of `predictions`.

    Raises:
        LabelMapError: A label map has codes outside `Label`.
    """
    return [
        {
            "stack_id": stack_id,
            **frame._asdict(),
            "model_id": one.model_id,
            "region": str(one.region),
            "reason": one.reason,
            "labels": encode_label_map(one.labels),
            "created_at": now_text(),
        }
        for frame, one in made.items()
    ]


def replace_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Add predictions in the place of those of the same model and frame, in an open transaction."""
    if rows:
        connection.execute(insert(table).prefix_with("OR REPLACE"), rows)


def save_shown_in_read(connection: Connection, read_id: int, rows: Rows) -> None:
    """Save the predictions that a read other than the first shows from now on, in an open transaction.

    Args:
        connection: In a transaction.
        read_id: The read.
        rows: As rows of `predictions`.
    """
    mine = [{name: value for name, value in row.items() if name != "stack_id"} | {READ_COLUMN: read_id} for row in rows]
    replace_rows(connection, tables.read_predictions, mine)


def last_region_predictions(connection: Connection, stack_id: str) -> dict[FrameIndex, RegionPrediction]:
    """The classifier's last prediction for each frame."""
    t = tables.region_predictions
    rows = connection.execute(latest_rows(t, "id").where(t.c.stack_id == stack_id)).mappings()
    return {
        frame_of(row): RegionPrediction(
            _four(row, _PROBABILITIES),
            row["model_id"],
            None if row[tables.DECODED_COLUMN] is None else Region(row[tables.DECODED_COLUMN]),
            None if row[tables.DECODED_COLUMN] is None else _four(row, tables.IN_STACK_COLUMNS),
            row[tables.HEART_COLUMN],
        )
        for row in rows
    }


def last_predictions(connection: Connection, stack_id: str) -> dict[FrameIndex, Prediction]:
    """The last prediction of each frame.

    Raises:
        StoreError: A label map is damaged.
    """
    t = tables.predictions
    return _by_frame(connection.execute(latest_rows(t, "id").where(t.c.stack_id == stack_id)).mappings().all())


def predictions_in_read(
    connection: Connection, stack_id: str, read_id: int, regions: Mapping[FrameIndex, Region]
) -> dict[FrameIndex, Prediction]:
    """What a read other than the first is shown of frames that its reader has not changed.

    Args:
        connection: To the database.
        stack_id: The stack.
        read_id: The read.
        regions: As the models alone, led by this read's reader, have them; others' regions show in nothing.

    Raises:
        StoreError: A label map is damaged.
    """
    p, r = tables.predictions, tables.read_predictions
    last = select(func.max(p.c.id)).where(p.c.stack_id == stack_id).group_by(p.c.phase, p.c.slice_index, p.c.region)
    rows = connection.execute(select(p).where(p.c.id.in_(last))).mappings().all()
    shown = connection.execute(select(r).where(r.c[READ_COLUMN] == read_id)).mappings().all()
    as_regions = _by_frame([row for row in rows if regions.get(frame_of(row)) == row["region"]])
    return {frame: replace(one, reason=REASON) for frame, one in as_regions.items()} | _by_frame(shown)


def models_of_unreviewed(connection: Connection) -> dict[str, set[tuple[Region | None, str]]]:
    """By stack: the models behind what the first read shows of frames that no reader has changed or accepted.

    Each with the region that its frames were segmented as; None for the classifier. Frames that were segmented as
    non-cardiac are left out: in most of them nothing is marked, whatever the model.
    """
    last = latest_rows(tables.annotations, "version").subquery()
    made = last.c[tables.IMPORTED_COLUMN].is_not(None) | (last.c.provenance != str(Provenance.AUTOMATIC))
    reviewed = select(last).where(made | (last.c.status == str(ReviewStatus.ACCEPTED))).subquery()
    found: dict[str, set[tuple[Region | None, str]]] = {}
    for table in (tables.predictions, tables.region_predictions):
        shown = select(func.max(table.c.id)).group_by(table.c.stack_id, table.c.phase, table.c.slice_index)
        same = [table.c[name] == reviewed.c[name] for name in ("stack_id", "phase", "slice_index")]
        as_region = table.c.region if table is tables.predictions else null().label("region")
        statement = (
            select(table.c.stack_id, as_region, table.c.model_id)
            .select_from(table.outerjoin(reviewed, and_(*same)))
            .where(table.c.id.in_(shown), reviewed.c.stack_id.is_(None))
            .distinct()
        )
        if table is tables.predictions:
            statement = statement.where(table.c.region != str(Region.NON_CARDIAC))
        for row in connection.execute(statement):
            region = None if row.region is None else Region(row.region)
            found.setdefault(row.stack_id, set()).add((region, row.model_id))
    return found


def prediction_of(row: RowMapping) -> Prediction:
    """The prediction that a row holds.

    Raises:
        StoreError: Its label map is damaged.
    """
    return Prediction(decode_label_map(row["labels"]), row["model_id"], Region(row["region"]), row["reason"])


def _by_frame(rows: Sequence[RowMapping]) -> dict[FrameIndex, Prediction]:
    return {frame_of(row): prediction_of(row) for row in rows}


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)


def _four(row: RowMapping, names: Sequence[str]) -> Probabilities:
    base, middle, apex, none = (float(row[name]) for name in names)
    return base, middle, apex, none
