"""Predictions of models, as a read other than the first sees them.

The first read's predictions are in `predictions`, where the last of a frame is the one on show. A region that its
reader set asks another model, so the last is no longer what the models alone would show: another read takes, of each
frame, what was made of it as the region that the models themselves give it, and keeps what it is shown by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction
from cmr_viewer.domain.label_codec import decode_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.frames import frame_of
from cmr_viewer.store.tables import READ_COLUMN, predictions, read_predictions

REASON = "Predicted."
"""Why a model segmented a frame, in a read that takes over its prediction: the first reader may stand in the words."""


def prediction_of(row: RowMapping) -> Prediction:
    """The prediction that a row holds.

    Raises:
        StoreError: Its label map is damaged.
    """
    return Prediction(decode_label_map(row["labels"]), row["model_id"], Region(row["region"]), row["reason"])


def keep_shown_in_read(connection: Connection, read_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Save the predictions that a read shows from now on, in an open transaction.

    Args:
        connection: In a transaction.
        read_id: The read, which is not the first.
        rows: As rows of `predictions`.
    """
    mine = [{name: value for name, value in row.items() if name != "stack_id"} | {READ_COLUMN: read_id} for row in rows]
    connection.execute(insert(read_predictions).prefix_with("OR REPLACE"), mine)


class ReadPredictions:
    """Predictions for reads other than the first. Use from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def shown(self, read_id: int) -> dict[FrameIndex, Prediction]:
        """The predictions that a read showed last, where these were saved.

        Raises:
            StoreError: The database, or a label map in it, is damaged.
        """
        r = read_predictions
        with self._workspace.read() as connection:
            rows = connection.execute(select(r).where(r.c[READ_COLUMN] == read_id)).mappings().all()
        return {frame_of(row): prediction_of(row) for row in rows}

    def made_as(self, stack_id: str, regions: Mapping[FrameIndex, Region]) -> dict[FrameIndex, Prediction]:
        """The last that models made of frames as given regions; none where they were not asked as that region.

        Args:
            stack_id: The stack.
            regions: By frame; others are left out.

        Raises:
            StoreError: The database, or a label map in it, is damaged.
        """
        p = predictions
        last = select(func.max(p.c.id)).where(p.c.stack_id == stack_id).group_by(p.c.phase, p.c.slice_index, p.c.region)
        with self._workspace.read() as connection:
            rows = connection.execute(select(p).where(p.c.id.in_(last))).mappings().all()
        wanted = [row for row in rows if regions.get(frame_of(row)) == row["region"]]
        return {frame_of(row): replace(prediction_of(row), reason=REASON) for row in wanted}
