"""Accepted frames as training uses them, independent of the source files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, and_, select

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.label_codec import decode_label_map, decode_pixels
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.frames import frame_of, latest_rows
from cmr_viewer.store.stack_changes import moved_slices


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
    """See `AnnotationStore.accepted_samples`."""
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
