"""Studies, annotations, regions and predictions of a workspace.

What a reader does is append-only: a new version after the earlier ones, with its event, in one transaction.
Predictions are what the models made; the same model on the same frame and region replaces its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
from cmr_viewer.domain.change import Move
from cmr_viewer.domain.ed_es import PhasePair
from cmr_viewer.domain.label_codec import encode_label_map
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.effort import write_effort
from cmr_viewer.store.events import What, write_event
from cmr_viewer.store.frames import check_frames, frame_of, in_read, is_frame, is_unfinished, latest_rows
from cmr_viewer.store.kept import Kept, add_version, annotation_of, encoded
from cmr_viewer.store.read_predictions import ReadPredictions, keep_shown_in_read, prediction_of
from cmr_viewer.store.reads import check_read
from cmr_viewer.store.samples import AcceptedSample, read_accepted_samples
from cmr_viewer.store.stack_changes import moved_slices
from cmr_viewer.store.study_facts import write_fact
from cmr_viewer.store.tables import now_text
from cmr_viewer.store.undo_log import write_moves
from cmr_viewer.store.work import RegionSet, Work

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
        drafts: Frames whose latest version is a draft, other than one that came back to its prediction.
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


class AnnotationStore:
    """Saved work on the studies of a workspace. Every call is a transaction of its own; use from any thread.

    What readers make belongs to a read: `read_id` is its id in `store.reads`; None for the first, which needs none.
    """

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
        """Note that a study was opened; needed before any work on it can be saved.

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
                func.count().filter(is_unfinished(last)).label("drafts"),
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
        """Save a new version of a frame's annotation in the first read; on disk when this returns.

        Args:
            stack_id: The stack, known by `keep_study`.
            frame: The frame.
            labels: (row, col) label map; copied.
            region: Region of the frame now.
            provenance: How the label map was made.
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
                written; then nothing is saved.
        """
        kept = Kept(frame, labels, region, provenance, status, model_id, frame_pixels, pixel_spacing_mm)
        return self.save_all(stack_id, [kept])[0]

    def save_all(
        self, stack_id: str, kept: Sequence[Kept], *, moves: Sequence[Move] = (), read_id: int | None = None
    ) -> list[Annotation]:
        """Save new versions of several frames of a stack, and the steps that led to them, all or none of them.

        Raises:
            LabelMapError: As `save`.
            StoreError: As `save`.
        """
        return self.save_work(stack_id, Work(versions=kept, moves=moves), read_id=read_id)

    def save_work(self, stack_id: str, work: Work, *, read_id: int | None = None) -> list[Annotation]:
        """Save all that an action of a reader changed, or nothing; on disk when this returns.

        Args:
            stack_id: The stack, known by `keep_study`.
            work: What changed.
            read_id: The read it belongs to.

        Returns:
            The annotations of `work.versions` with their versions, reader and time.

        Raises:
            LabelMapError: As `save`.
            StoreError: As `save`; the read is not known or finished.
        """
        workspace = self._workspace
        blobs = [encoded(one) for one in work.versions]
        regions = _region_prediction_rows(stack_id, work.region_predictions)
        made, shown = (_prediction_rows(stack_id, one) for one in (work.predictions, work.shown))
        with workspace.write() as connection:
            check_read(connection, stack_id, read_id)
            versions = [one.frame for one in work.versions]
            predicted = [*work.region_predictions, *work.predictions, *work.shown]
            check_frames(connection, stack_id, [*versions, *work.regions, *predicted])
            for frame, said in work.regions.items():
                _add_region(connection, workspace, stack_id, frame, said, read_id)
            kept = [
                add_version(connection, workspace, stack_id, one, data, read_id)
                for one, data in zip(work.versions, blobs, strict=True)
            ]
            _replace(connection, tables.region_predictions, regions)
            _replace(connection, tables.predictions, made if read_id is not None else made + shown)
            if shown and read_id is not None:  # not the first read's to be shown
                keep_shown_in_read(connection, read_id, shown)
            if work.phase_marks is not None:
                _add_phase_marks(connection, workspace, stack_id, work.phase_marks, read_id)
            for key, value in work.facts.items():
                write_fact(connection, workspace, stack_id, key, value, read_id)
            write_moves(connection, workspace, stack_id, work.moves, read_id)
            write_effort(connection, workspace, stack_id, work.effort, read_id)
        return kept

    def latest(self, stack_id: str, read_id: int | None = None) -> dict[FrameIndex, Annotation]:
        """The latest version of each frame of a stack that has one.

        Raises:
            StoreError: The database, or a label map in it, is damaged.
        """
        statement = latest_rows(tables.annotations, "version", read_id)
        statement = statement.where(tables.annotations.c.stack_id == stack_id)
        return {one.frame: one for one in self._annotations(statement)}

    def versions(self, stack_id: str, frame: FrameIndex, read_id: int | None = None) -> list[Annotation]:
        """All versions of a frame in a read, the first first; all reads of a frame count their versions together.

        Raises:
            StoreError: The database, or a label map in it, is damaged.
        """
        a = tables.annotations
        return self._annotations(
            select(a).where(is_frame(a, stack_id, frame), in_read(a, read_id)).order_by(a.c.version)
        )

    def _annotations(self, statement: Select[Any]) -> list[Annotation]:
        with self._workspace.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [annotation_of(row) for row in rows]

    def save_region(
        self,
        stack_id: str,
        frame: FrameIndex,
        region: Region | None,
        *,
        predicted: Region | None = None,
        read_id: int | None = None,
    ) -> None:
        """Save the region that a reader gives a frame.

        Args:
            stack_id: The stack, known by `keep_study`.
            frame: The frame.
            region: The reader's region; None removes the reader's choice, so that the predicted region holds again.
            predicted: The classifier's region, for the log.
            read_id: The read it belongs to.

        Raises:
            StoreError: The study or frame is not known, or it cannot be written.
        """
        self.save_work(stack_id, Work(regions={frame: RegionSet(region, predicted)}), read_id=read_id)

    def regions(self, stack_id: str, read_id: int | None = None) -> dict[FrameIndex, Region]:
        """The reader's region of each frame that has one."""
        r = tables.regions
        rows = self._rows(latest_rows(r, "id", read_id).where(r.c.stack_id == stack_id))
        return {frame_of(row): Region(row["region"]) for row in rows if row["region"] is not None}

    def save_region_predictions(self, stack_id: str, predictions: Mapping[FrameIndex, RegionPrediction]) -> None:
        """Save the classifier's predictions for frames of a stack, all or none of them.

        Raises:
            StoreError: The study or a frame is not known, or it cannot be written.
        """
        self.save_work(stack_id, Work(region_predictions=predictions))

    def region_predictions(self, stack_id: str) -> dict[FrameIndex, RegionPrediction]:
        """The classifier's last prediction for each frame."""
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
        """Save predictions of segmentation models for frames of a stack, all or none of them.

        Raises:
            LabelMapError: A label map has codes outside `Label`.
            StoreError: The study or a frame is not known, or it cannot be written.
        """
        self.save_work(stack_id, Work(predictions=predictions))

    def predictions(self, stack_id: str) -> dict[FrameIndex, Prediction]:
        """The last prediction of each frame.

        Raises:
            StoreError: The database, or a label map in it, is damaged.
        """
        t = tables.predictions
        rows = self._rows(latest_rows(t, "id").where(t.c.stack_id == stack_id))
        return {frame_of(row): prediction_of(row) for row in rows}

    def predictions_in_read(
        self, stack_id: str, read_id: int, regions: Mapping[FrameIndex, Region]
    ) -> dict[FrameIndex, Prediction]:
        """What a read other than the first is shown of frames that its reader has not changed.

        Args:
            stack_id: The stack.
            read_id: The read.
            regions: As the models alone, led by this read's reader, have them; others' regions show in nothing.

        Raises:
            StoreError: The database, or a label map in it, is damaged.
        """
        kept = ReadPredictions(self._workspace)
        return {**kept.made_as(stack_id, regions), **kept.shown(read_id)}

    def save_phase_mark(self, stack_id: str, *, ed: int | None, es: int | None, read_id: int | None = None) -> None:
        """Save the ED and ES phases that a reader set, both at once; None where a phase is not set by the reader.

        Raises:
            StoreError: The study or a phase is not known, or it cannot be written.
        """
        self.save_work(stack_id, Work(phase_marks=(ed, es)), read_id=read_id)

    def phase_marks(self, stack_id: str, read_id: int | None = None) -> PhasePair:
        """(ED, ES) as the reader set them last; None where not set."""
        t = tables.phase_marks
        statement = select(t).where(t.c.stack_id == stack_id, in_read(t, read_id)).order_by(t.c.id.desc()).limit(1)
        rows = self._rows(statement)
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
            since: Saved later than this only (with time zone), or None for all.
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


_PROBABILITIES = ("base", "middle", "apex", "non_cardiac")


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)


def _four(row: RowMapping, names: Sequence[str]) -> Probabilities:
    base, middle, apex, none = (float(row[name]) for name in names)
    return base, middle, apex, none


def _replace(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Add rows in the place of those of the same model and frame."""
    if rows:
        connection.execute(insert(table).prefix_with("OR REPLACE"), rows)


def _region_prediction_rows(stack_id: str, predictions: Mapping[FrameIndex, RegionPrediction]) -> list[dict[str, Any]]:
    return [
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


def _prediction_rows(stack_id: str, predictions: Mapping[FrameIndex, Prediction]) -> list[dict[str, Any]]:
    return [
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


def _add_region(
    connection: Connection, workspace: Workspace, stack_id: str, frame: FrameIndex, said: RegionSet, read_id: int | None
) -> None:
    region, predicted = said.region, said.predicted
    connection.execute(
        insert(tables.regions).values(
            {
                "stack_id": stack_id,
                "phase": frame.phase,
                "slice_index": frame.slice_index,
                "region": None if region is None else str(region),
                "predicted": None if predicted is None else str(predicted),
                "reader": workspace.reader,
                "created_at": now_text(),
                "session_id": workspace.session(),
                tables.READ_COLUMN: read_id,
            }
        )
    )
    write_event(
        connection,
        workspace,
        What.REGION_WITHDRAWN if region is None else What.REGION_SET,
        stack_id=stack_id,
        frame=frame,
        detail={"region": region, "predicted": predicted},
        read_id=read_id,
    )


def _add_phase_marks(
    connection: Connection, workspace: Workspace, stack_id: str, marks: PhasePair, read_id: int | None
) -> None:
    ed, es = marks
    check_frames(connection, stack_id, [FrameIndex(phase, 0) for phase in marks if phase is not None])
    connection.execute(
        insert(tables.phase_marks).values(
            {
                "stack_id": stack_id,
                "ed": ed,
                "es": es,
                "reader": workspace.reader,
                "created_at": now_text(),
                "session_id": workspace.session(),
                tables.READ_COLUMN: read_id,
            }
        )
    )
    detail = {"ed": ed, "es": es}
    write_event(connection, workspace, What.PHASE_MARKS_SET, stack_id=stack_id, detail=detail, read_id=read_id)
