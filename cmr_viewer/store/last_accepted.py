"""The last accepted version of each frame of a stack, also where a later draft exists."""

from sqlalchemy import select

from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.label_codec import decode_label_map
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.frames import frame_of, in_read


def last_accepted(workspace: Workspace, stack_id: str, read_id: int | None = None) -> dict[FrameIndex, LabelMap]:
    """The label maps (row, col) that were accepted last, by frame; frames that never were are left out.

    Args:
        workspace: Where they are saved.
        stack_id: The stack.
        read_id: The read; None for the first.

    Raises:
        StoreError: The database, or a label map in it, is damaged.
    """
    a = tables.annotations
    accepted = (
        select(a.c.phase, a.c.slice_index, a.c.labels)
        .where(a.c.stack_id == stack_id, a.c.status == str(ReviewStatus.ACCEPTED), in_read(a, read_id))
        .order_by(a.c.version)
    )
    with workspace.read() as connection:
        packed = {frame_of(row): row["labels"] for row in connection.execute(accepted).mappings()}
    return {frame: decode_label_map(data) for frame, data in packed.items()}
