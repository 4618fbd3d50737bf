"""Versions of frames: encoded, added with their event, and read again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, func, select

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Annotation, Provenance, ReviewStatus
from cmr_viewer.domain.label_codec import decode_label_map, encode_label_map
from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store import tables
from cmr_viewer.store.events import What, Writing
from cmr_viewer.store.frame_pixels import check_has_pixels
from cmr_viewer.store.tables import frame_of, is_frame


@dataclass(frozen=True, eq=False)
class Version:
    """A new version of a frame, to be saved.

    Attributes:
        frame: The frame.
        labels: (row, col) label map; copied when it is saved.
        region: Region of the frame now.
        provenance: How the label map was made.
        status: Draft or accepted.
        model_id: Model whose prediction it started from, or None.
        imported_from: Where the label map was imported from, for a reader; empty where it was not.
    """

    frame: FrameIndex
    labels: LabelMap
    region: Region
    provenance: Provenance
    status: ReviewStatus
    model_id: str | None = None
    imported_from: str = ""


def encoded(new: Version) -> bytes:
    """Compress a label map, before the transaction, so that others need not wait for it.

    Raises:
        LabelMapError: The labels are no label map.
        StoreError: They are not those of one frame.
    """
    labels = as_label_map(new.labels)
    if labels.ndim != 2:
        raise StoreError(f"An annotation needs one frame, (row, col), not an array of shape {labels.shape}.")
    return encode_label_map(labels)


def add_version(writing: Writing, new: Version, labels: bytes) -> Annotation:
    """Add a version of a frame, with its label map as `encoded` gives it, and its event.

    Raises:
        StoreError: It is accepted and its pixels are not saved.
    """
    a, connection = tables.annotations, writing.connection
    last = select(func.max(a.c.version)).where(is_frame(a, writing.stack_id, new.frame))
    values = {
        **new.frame._asdict(),
        "version": (connection.execute(last).scalar_one() or 0) + 1,
        "labels": labels,
        "region": str(new.region),
        "provenance": str(new.provenance),
        "status": str(new.status),
        "model_id": new.model_id,
        tables.IMPORTED_COLUMN: new.imported_from or None,
    }
    number = writing.add(a, values)
    accepted = new.status is ReviewStatus.ACCEPTED
    if accepted:
        check_has_pixels(connection, writing.stack_id, new.frame)
    imported = {"imported_from": new.imported_from} if new.imported_from else {}
    detail = imported | {name: values[name] for name in ("version", "region", "provenance")}
    what = What.ACCEPTED if accepted else What.DRAFT_SAVED
    writing.event(what, detail, frame=new.frame, model_id=new.model_id)
    return annotation_of(connection.execute(select(a).where(a.c.id == number)).mappings().one())


def annotation_of(row: RowMapping) -> Annotation:
    """The annotation that a row of `annotations` holds.

    Raises:
        StoreError: Its label map is damaged.
    """
    return Annotation(
        stack_id=row["stack_id"],
        frame=frame_of(row),
        version=row["version"],
        labels=decode_label_map(row["labels"]),
        region=Region(row["region"]),
        provenance=Provenance(row["provenance"]),
        status=ReviewStatus(row["status"]),
        reader=row["reader"],
        model_id=row["model_id"],
        created_at=datetime.fromisoformat(row["created_at"]),
        imported_from=row[tables.IMPORTED_COLUMN] or "",
    )
