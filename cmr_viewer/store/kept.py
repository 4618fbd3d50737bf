"""New versions of frames before they enter the database: encoded, added with their pixels, logged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, func, insert, select

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Annotation, Provenance, ReviewStatus
from cmr_viewer.domain.label_codec import decode_label_map, encode_label_map, encode_pixels
from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, write_event
from cmr_viewer.store.frames import frame_of, is_frame
from cmr_viewer.store.tables import now_text

Encoded = tuple[bytes, Mapping[int, bytes]]
"""Compressed label map, and pixels by distance in slices (0 is the frame itself)."""


@dataclass(frozen=True, eq=False)
class Kept:
    """What is saved of one frame; the attributes are those of `AnnotationStore.save`, and three more.

    Attributes:
        detail: For the log.
        imported_from: Where the label map was imported from, for a reader; empty where it was not.
        neighbours: (row, col) pixels of the slices beside an accepted frame, by distance in slices, -1 towards the
            base; networks with context learn from them too.
    """

    frame: FrameIndex
    labels: LabelMap
    region: Region
    provenance: Provenance
    status: ReviewStatus
    model_id: str | None = None
    frame_pixels: NDArray[Any] | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    neighbours: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    imported_from: str = ""


def encoded(kept: Kept) -> Encoded:
    """Compress what is saved, before the transaction, so that others need not wait for it.

    Raises:
        LabelMapError: The labels are no label map.
        StoreError: The pixels or their spacing do not fit.
    """
    labels = as_label_map(kept.labels)
    if labels.ndim != 2:
        raise StoreError(f"An annotation needs one frame, (row, col), not an array of shape {labels.shape}.")
    if kept.status is not ReviewStatus.ACCEPTED or kept.frame_pixels is None:
        return encode_label_map(labels), {}
    pixels, spacing = kept.frame_pixels, kept.pixel_spacing_mm
    around = {0: pixels, **kept.neighbours}
    for one in around.values():
        if one.shape != labels.shape:
            raise StoreError(f"Pixels of shape {one.shape} do not fit a label map of shape {labels.shape}.")
    if spacing is None or not all(np.isfinite(value) and value > 0 for value in spacing):
        raise StoreError(f"An accepted frame needs its pixel spacing, not {spacing}.")
    return encode_label_map(labels), {offset: encode_pixels(one) for offset, one in around.items()}


def add_version(
    connection: Connection, workspace: Workspace, stack_id: str, kept: Kept, blobs: Encoded, read_id: int | None = None
) -> Annotation:
    """Add a version of a frame, with its pixels where it is accepted, and its event, to an open transaction.

    Raises:
        StoreError: It is accepted and its pixels are neither given nor saved.
    """
    a, at = tables.annotations, now_text()
    last = connection.execute(select(func.max(a.c.version)).where(is_frame(a, stack_id, kept.frame))).scalar_one()
    version = (last or 0) + 1
    connection.execute(
        insert(a).values(
            stack_id=stack_id,
            phase=kept.frame.phase,
            slice_index=kept.frame.slice_index,
            version=version,
            labels=blobs[0],
            region=str(kept.region),
            provenance=str(kept.provenance),
            status=str(kept.status),
            reader=workspace.reader,
            model_id=kept.model_id,
            created_at=at,
            session_id=workspace.session(),
            **{tables.IMPORTED_COLUMN: kept.imported_from or None, tables.READ_COLUMN: read_id},
        )
    )
    accepted = kept.status is ReviewStatus.ACCEPTED
    if accepted:
        _keep_pixels(connection, stack_id, kept, blobs[1])
    write_event(
        connection,
        workspace,
        What.ACCEPTED if accepted else What.DRAFT_SAVED,
        stack_id=stack_id,
        frame=kept.frame,
        model_id=kept.model_id,
        detail={
            **kept.detail,
            "version": version,
            "region": str(kept.region),
            "provenance": str(kept.provenance),
        },
        read_id=read_id,
    )
    return Annotation(
        stack_id=stack_id,
        frame=kept.frame,
        version=version,
        labels=decode_label_map(blobs[0]),
        region=kept.region,
        provenance=kept.provenance,
        status=kept.status,
        reader=workspace.reader,
        model_id=kept.model_id,
        created_at=datetime.fromisoformat(at),
        imported_from=kept.imported_from,
    )


def _keep_pixels(connection: Connection, stack_id: str, kept: Kept, pixels: Mapping[int, bytes]) -> None:
    """Save the pixels of an accepted frame and of its neighbours, unless they are saved already."""
    p = tables.frame_pixels
    phase, at = kept.frame.phase, kept.frame.slice_index
    for offset in sorted({0, *pixels}):
        frame = FrameIndex(phase, at + offset)
        if connection.execute(select(p.c.id).where(is_frame(p, stack_id, frame))).first() is not None:
            continue
        if offset not in pixels or kept.pixel_spacing_mm is None:
            raise StoreError(f"Phase {phase}, slice {at} cannot be accepted without its pixels and their spacing.")
        connection.execute(
            insert(p).values(
                stack_id=stack_id,
                phase=phase,
                slice_index=frame.slice_index,
                pixels=pixels[offset],
                row_spacing_mm=float(kept.pixel_spacing_mm[0]),
                col_spacing_mm=float(kept.pixel_spacing_mm[1]),
            )
        )


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
