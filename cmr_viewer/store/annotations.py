"""Studies, annotations, regions and predictions of a workspace.

What a reader does is append-only: a new version beside the earlier ones, with its event, in one transaction.
Predictions are what the models made; the same model on the same frame and region replaces its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, Select, Table, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import (
    Annotation,
    Prediction,
    Probabilities,
    Provenance,
    RegionPrediction,
    ReviewStatus,
)
from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import What, write_event
from cmr_viewer.store.frames import check_frames, frame_of, is_frame, latest_rows
from cmr_viewer.store.label_codec import decode_label_map, encode_label_map, encode_pixels
from cmr_viewer.store.samples import AcceptedSample, read_accepted_samples
from cmr_viewer.store.stack_changes import moved_slices
from cmr_viewer.store.tables import now_text

__all__ = ["AcceptedSample", "AnnotationStore", "Kept", "StudyRow"]


@dataclass(frozen=True)
class StudyRow:
    """A study that was opened in this workspace.

    Attributes:
        stack_id: Its stack.
        name: Pseudonym or file name.
        source: File or folder it was last opened from.
        patient_key: What a patient is recognised by across studies.
        opened_at: When it was last opened.
        frames: Frames in the stack.
        accepted: Frames whose latest version is accepted.
        drafts: Frames whose latest version is a draft.
        phases: Phases in the stack.
        slices: Slices in the stack.
    """

    stack_id: str
    name: str
    source: str
    patient_key: str
    opened_at: datetime
    frames: int
    accepted: int
    drafts: int
    phases: int
    slices: int


@dataclass(frozen=True, eq=False)
class Kept:
    """What is to be kept of one frame; the attributes are those of `AnnotationStore.save`, and three more.

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


class AnnotationStore:
    """What is kept of the studies of a workspace. Every call is a transaction of its own; use from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def keep_study(
        self,
        stack_id: str,
        *,
        name: str,
        source: str,
        patient_key: str,
        geometry_json: str,
        phases: int,
        slices: int,
    ) -> None:
        """Note that a study was opened; needed before anything of it can be kept.

        Args:
            stack_id: `Stack.stack_id`.
            name: Pseudonym or file name.
            source: File or folder.
            patient_key: What the patient is recognised by; empty means the stack itself.
            geometry_json: The stack's geometry, as the caller writes it.
            phases: Phases in the stack, >= 1.
            slices: Slices in the stack, >= 1.

        Raises:
            StoreError: It cannot be written.
        """
        values = {
            "name": name,
            "source": str(source),
            "patient_key": patient_key,
            "geometry_json": geometry_json,
            "phases": phases,
            "slices": slices,
            "opened_at": now_text(),
        }
        statement = upsert(tables.studies).values(stack_id=stack_id, **values)
        with self._workspace.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["stack_id"], set_=values))
            write_event(connection, self._workspace, What.STUDY_OPENED, stack_id=stack_id)

    def studies(self) -> list[StudyRow]:
        """All studies of the workspace, the last opened first; stacks that are opened differently now are left out."""
        s, last = tables.studies, latest_rows(tables.annotations, "version").subquery()
        statement = (
            select(
                s,
                func.count().filter(last.c.status == str(ReviewStatus.ACCEPTED)).label("accepted"),
                func.count().filter(last.c.status == str(ReviewStatus.DRAFT)).label("drafts"),
            )
            .select_from(s.outerjoin(last, last.c.stack_id == s.c.stack_id))
            .group_by(s.c.stack_id)
            .order_by(s.c.opened_at.desc())
        )
        with self._workspace.read() as connection:
            rows = connection.execute(statement).mappings().all()
            moved = moved_slices(connection)
        return [
            StudyRow(
                stack_id=row["stack_id"],
                name=row["name"],
                source=row["source"],
                patient_key=row["patient_key"],
                opened_at=datetime.fromisoformat(row["opened_at"]),
                frames=row["phases"] * row["slices"],
                accepted=row["accepted"],
                drafts=row["drafts"],
                phases=row["phases"],
                slices=row["slices"],
            )
            for row in rows
            if row["stack_id"] not in moved
        ]

    def geometry_json(self, stack_id: str) -> str | None:
        """The geometry that `keep_study` was given; None where the study is not known."""
        statement = select(tables.studies.c.geometry_json).where(tables.studies.c.stack_id == stack_id)
        with self._workspace.read() as connection:
            return connection.execute(statement).scalar_one_or_none()

    def save(
        self,
        stack_id: str,
        frame: FrameIndex,
        labels: LabelMap,
        *,
        region: Region,
        provenance: Provenance,
        status: ReviewStatus,
        model_id: str | None = None,
        frame_pixels: NDArray[Any] | None = None,
        pixel_spacing_mm: tuple[float, float] | None = None,
    ) -> Annotation:
        """Keep a new version of a frame's annotation; on disk when this returns.

        Args:
            stack_id: The stack, known by `keep_study`.
            frame: The frame.
            labels: (row, col) label map; copied.
            region: Region of the frame now.
            provenance: How the label map came to be.
            status: Draft or accepted.
            model_id: Model whose prediction it started from, or None.
            frame_pixels: (row, col) pixels of the frame; needed the first time that a frame is accepted, ignored in
                drafts and later.
            pixel_spacing_mm: (row, col); needed with `frame_pixels`.

        Returns:
            The annotation with its version, reader and time.

        Raises:
            LabelMapError: `labels` is no label map.
            StoreError: The study or frame is not known, an accepted frame comes without pixels, or it cannot be
                written; then nothing of it is.
        """
        kept = Kept(frame, labels, region, provenance, status, model_id, frame_pixels, pixel_spacing_mm)
        return self.save_all(stack_id, [kept])[0]

    def save_all(self, stack_id: str, kept: Sequence[Kept]) -> list[Annotation]:
        """Keep new versions of several frames of a stack, all or none of them.

        Raises:
            LabelMapError: As `save`.
            StoreError: As `save`.
        """
        encoded = [_encoded(one) for one in kept]
        with self._workspace.write() as connection:
            check_frames(connection, stack_id, [one.frame for one in kept])
            return [self._add(connection, stack_id, one, blobs) for one, blobs in zip(kept, encoded, strict=True)]

    def _add(
        self, connection: Connection, stack_id: str, kept: Kept, blobs: tuple[bytes, Mapping[int, bytes]]
    ) -> Annotation:
        a, workspace, at = tables.annotations, self._workspace, now_text()
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
                **{tables.IMPORTED_COLUMN: kept.imported_from or None},
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

    def latest(self, stack_id: str) -> dict[FrameIndex, Annotation]:
        """The latest version of each frame of a stack that has one.

        Raises:
            StoreError: The database, or a label map in it, is damaged.
        """
        statement = latest_rows(tables.annotations, "version").where(tables.annotations.c.stack_id == stack_id)
        return {one.frame: one for one in self._annotations(statement)}

    def versions(self, stack_id: str, frame: FrameIndex) -> list[Annotation]:
        """All versions of a frame, the first first.

        Raises:
            StoreError: The database, or a label map in it, is damaged.
        """
        a = tables.annotations
        return self._annotations(select(a).where(is_frame(a, stack_id, frame)).order_by(a.c.version))

    def _annotations(self, statement: Select[Any]) -> list[Annotation]:
        with self._workspace.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [_annotation(row) for row in rows]

    def save_region(
        self, stack_id: str, frame: FrameIndex, region: Region | None, *, predicted: Region | None = None
    ) -> None:
        """Keep the region that a reader gives a frame.

        Args:
            stack_id: The stack, known by `keep_study`.
            frame: The frame.
            region: The reader's region; None takes the reader's word back, so that the predicted region holds again.
            predicted: What the classifier said, for the log.

        Raises:
            StoreError: The study or frame is not known, or it cannot be written.
        """
        workspace = self._workspace
        with workspace.write() as connection:
            check_frames(connection, stack_id, [frame])
            connection.execute(
                insert(tables.regions).values(
                    stack_id=stack_id,
                    phase=frame.phase,
                    slice_index=frame.slice_index,
                    region=None if region is None else str(region),
                    predicted=None if predicted is None else str(predicted),
                    reader=workspace.reader,
                    created_at=now_text(),
                    session_id=workspace.session(),
                )
            )
            write_event(
                connection,
                workspace,
                What.REGION_WITHDRAWN if region is None else What.REGION_SET,
                stack_id=stack_id,
                frame=frame,
                detail={"region": region, "predicted": predicted},
            )

    def regions(self, stack_id: str) -> dict[FrameIndex, Region]:
        """The reader's region of each frame that has one."""
        r = tables.regions
        rows = self._rows(latest_rows(r, "id").where(r.c.stack_id == stack_id))
        return {frame_of(row): Region(row["region"]) for row in rows if row["region"] is not None}

    def save_region_predictions(self, stack_id: str, predictions: Mapping[FrameIndex, RegionPrediction]) -> None:
        """Keep what the classifier said about frames of a stack, all or none of them.

        Raises:
            StoreError: The study or a frame is not known, or it cannot be written.
        """
        rows = [
            {
                "stack_id": stack_id,
                "phase": frame.phase,
                "slice_index": frame.slice_index,
                "model_id": one.model_id,
                **dict(zip(_PROBABILITIES, map(float, one.probabilities), strict=True)),
                tables.DECODED_COLUMN: None if one.decoded is None else str(one.decoded),
                **dict(zip(tables.IN_STACK_COLUMNS, map(_real, one.posterior or (None,) * 4), strict=True)),
                tables.HEART_COLUMN: _real(one.heart_mm2),
                "created_at": now_text(),
            }
            for frame, one in predictions.items()
        ]
        self._replace(tables.region_predictions, stack_id, rows, list(predictions))

    def region_predictions(self, stack_id: str) -> dict[FrameIndex, RegionPrediction]:
        """The last that the classifier said about each frame."""
        t = tables.region_predictions
        rows = self._rows(latest_rows(t, "id").where(t.c.stack_id == stack_id))
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

    def save_predictions(self, stack_id: str, predictions: Mapping[FrameIndex, Prediction]) -> None:
        """Keep what segmentation models made of frames of a stack, all or none of them.

        Raises:
            LabelMapError: A label map has codes outside `Label`.
            StoreError: The study or a frame is not known, or it cannot be written.
        """
        rows = [
            {
                "stack_id": stack_id,
                "phase": frame.phase,
                "slice_index": frame.slice_index,
                "model_id": one.model_id,
                "region": str(one.region),
                "reason": one.reason,
                "labels": encode_label_map(one.labels),
                "created_at": now_text(),
            }
            for frame, one in predictions.items()
        ]
        self._replace(tables.predictions, stack_id, rows, list(predictions))

    def predictions(self, stack_id: str) -> dict[FrameIndex, Prediction]:
        """The last prediction of each frame.

        Raises:
            StoreError: The database, or a label map in it, is damaged.
        """
        t = tables.predictions
        rows = self._rows(latest_rows(t, "id").where(t.c.stack_id == stack_id))
        return {
            frame_of(row): Prediction(
                decode_label_map(row["labels"]), row["model_id"], Region(row["region"]), row["reason"]
            )
            for row in rows
        }

    def save_phase_mark(self, stack_id: str, *, ed: int | None, es: int | None) -> None:
        """Keep the ED and ES phases that a reader set, both at once; None where a phase is not set by the reader.

        Raises:
            StoreError: The study or a phase is not known, or it cannot be written.
        """
        workspace = self._workspace
        with workspace.write() as connection:
            check_frames(connection, stack_id, [FrameIndex(phase, 0) for phase in (ed, es) if phase is not None])
            connection.execute(
                insert(tables.phase_marks).values(
                    stack_id=stack_id,
                    ed=ed,
                    es=es,
                    reader=workspace.reader,
                    created_at=now_text(),
                    session_id=workspace.session(),
                )
            )
            write_event(connection, workspace, What.PHASE_MARKS_SET, stack_id=stack_id, detail={"ed": ed, "es": es})

    def phase_marks(self, stack_id: str) -> tuple[int | None, int | None]:
        """(ED, ES) as the reader set them last; None where not set."""
        t = tables.phase_marks
        rows = self._rows(select(t).where(t.c.stack_id == stack_id).order_by(t.c.id.desc()).limit(1))
        return (rows[0]["ed"], rows[0]["es"]) if rows else (None, None)

    def accepted_samples(self, region: Region | None = None) -> list[AcceptedSample]:
        """Frames whose latest version is accepted, with their pixels, in the order of stack, phase and slice.

        Args:
            region: Frames that were accepted as this region; None for all.

        Raises:
            StoreError: The database, or a frame in it, is damaged.
        """
        return read_accepted_samples(self._workspace, region)

    def count_corrections(self, region: Region, *, since: datetime | None = None) -> int:
        """Frames of a region whose latest version is accepted and not as predicted.

        Args:
            region: Region when they were accepted.
            since: Kept later than this only (with time zone), or None for all.
        """
        a = tables.annotations
        last = latest_rows(a, "version").where(
            a.c.status == str(ReviewStatus.ACCEPTED),
            a.c.region == str(region),
            a.c.provenance != str(Provenance.AUTOMATIC),
        )
        with self._workspace.read() as connection:
            moved = moved_slices(connection)
            rows = connection.execute(last.with_only_columns(a.c.created_at, a.c.stack_id, a.c.slice_index)).all()
        return sum(
            (since is None or datetime.fromisoformat(row.created_at) > since)
            and row.slice_index not in moved.get(row.stack_id, frozenset())
            for row in rows
        )

    def _rows(self, statement: Select[Any]) -> Sequence[RowMapping]:
        with self._workspace.read() as connection:
            return connection.execute(statement).mappings().all()

    def _replace(self, table: Table, stack_id: str, rows: list[dict[str, Any]], frames: Sequence[FrameIndex]) -> None:
        if not rows:
            return
        with self._workspace.write() as connection:
            check_frames(connection, stack_id, frames)
            connection.execute(insert(table).prefix_with("OR REPLACE"), rows)


_PROBABILITIES = ("base", "middle", "apex", "non_cardiac")


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)


def _four(row: RowMapping, names: Sequence[str]) -> Probabilities:
    base, middle, apex, none = (float(row[name]) for name in names)
    return base, middle, apex, none


def _encoded(kept: Kept) -> tuple[bytes, Mapping[int, bytes]]:
    """Compressed label map, and pixels by distance in slices (0 is the frame itself).

    Done before the transaction, so that others need not wait for it.
    """
    labels = as_label_map(kept.labels)
    if labels.ndim != 2:
        raise StoreError(f"An annotation is one frame, (row, col), not an array of shape {labels.shape}.")
    if kept.status is not ReviewStatus.ACCEPTED or kept.frame_pixels is None:
        return encode_label_map(labels), {}
    pixels, spacing = kept.frame_pixels, kept.pixel_spacing_mm
    around = {0: pixels, **kept.neighbours}
    for one in around.values():
        if one.shape != labels.shape:
            raise StoreError(f"Pixels of shape {one.shape} do not fit a label map of shape {labels.shape}.")
    if spacing is None or not all(np.isfinite(value) and value > 0 for value in spacing):
        raise StoreError(f"An accepted frame needs its pixel spacing, and {spacing} is none.")
    return encode_label_map(labels), {offset: encode_pixels(one) for offset, one in around.items()}


def _keep_pixels(connection: Connection, stack_id: str, kept: Kept, pixels: Mapping[int, bytes]) -> None:
    """Keep the pixels of an accepted frame and of its neighbours, those that are not kept yet."""
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


def _annotation(row: RowMapping) -> Annotation:
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
