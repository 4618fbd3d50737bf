"""Versions of frames: encoded, added with their event, and read again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, and_, func, select

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Annotation, Provenance, ReviewStatus
from cmr_viewer.domain.label_codec import decode_label_map, decode_pixels, encode_label_map
from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, Writing
from cmr_viewer.store.frame_pixels import check_has_pixels
from cmr_viewer.store.openings import moved_slices
from cmr_viewer.store.tables import frame_of, is_frame, latest_rows


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


@dataclass(frozen=True, eq=False)
class AcceptedSample:
    """An accepted frame with all that training needs; independent of the source files.

    Attributes:
        stack_id: The stack.
        patient_key: What the patient is recognised by; the stack itself where the study has none.
        frame: The frame.
        region: Region when it was accepted.
        pixels: (row, col), as in the source; not writable.
        pixel_spacing_mm: (row, col) that the frame is prepared with; assumed where the true one is not known.
        labels: (row, col) label map; not writable.
        provenance: How the label map was made.
        version: Version of the annotation.
        neighbours: (row, col) pixels of the slices beside it, by distance in slices, -1 towards the base; those that
            are saved.
    """

    stack_id: str
    patient_key: str
    frame: FrameIndex
    region: Region
    pixels: NDArray[Any]
    pixel_spacing_mm: tuple[float, float]
    labels: LabelMap
    provenance: Provenance = Provenance.SEMIAUTOMATIC
    version: int = 1
    neighbours: Mapping[int, NDArray[Any]] = field(default_factory=dict)


def read_accepted_samples(workspace: Workspace, region: Region | None) -> list[AcceptedSample]:
    """Frames whose latest version is accepted, with their pixels; see `AnnotationStore.accepted_samples`."""
    a, p, s = tables.annotations, tables.frame_pixels, tables.studies
    last = latest_rows(a, "version").where(a.c.status == str(ReviewStatus.ACCEPTED))
    if region is not None:
        last = last.where(a.c.region == str(region))
    found = last.subquery()
    same = and_(p.c.stack_id == found.c.stack_id, p.c.phase == found.c.phase, p.c.slice_index == found.c.slice_index)
    statement = (
        select(found, p.c.pixels, p.c.row_spacing_mm, p.c.col_spacing_mm, s.c.patient_key)
        .join_from(found, p, same)
        .join(s, s.c.stack_id == found.c.stack_id)
        .order_by(found.c.stack_id, found.c.phase, found.c.slice_index)
    )
    with workspace.read() as connection:
        moved = moved_slices(connection)
        every = connection.execute(statement).mappings().all()
        rows = [row for row in every if row["slice_index"] not in moved.get(row["stack_id"], frozenset())]
        beside = {(row["stack_id"], frame_of(row)): _neighbours(connection, row) for row in rows}
    return [
        AcceptedSample(
            stack_id=row["stack_id"],
            patient_key=row["patient_key"] or row["stack_id"],
            frame=frame_of(row),
            region=Region(row["region"]),
            pixels=decode_pixels(row["pixels"]),
            pixel_spacing_mm=(row["row_spacing_mm"], row["col_spacing_mm"]),
            labels=decode_label_map(row["labels"]),
            provenance=Provenance(row["provenance"]),
            version=row["version"],
            neighbours={offset: decode_pixels(pixels) for offset, pixels in beside[row["stack_id"], frame_of(row)]},
        )
        for row in rows
    ]


def _neighbours(connection: Connection, row: RowMapping) -> list[tuple[int, bytes]]:
    """Encoded pixels of the slices next to a frame, those that are saved, with their distance."""
    p = tables.frame_pixels
    at: int = row["slice_index"]
    statement = select(p.c.slice_index, p.c.pixels).where(
        p.c.stack_id == row["stack_id"], p.c.phase == row["phase"], p.c.slice_index.in_((at - 1, at + 1))
    )
    return [(found.slice_index - at, found.pixels) for found in connection.execute(statement)]
