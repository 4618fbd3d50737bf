"""Studies, annotations, regions and predictions of a workspace.

What a reader does is append-only: a new version after the earlier ones, with its event, in one transaction.
Predictions are what the models made; the same model on the same frame and region replaces its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import (
    Annotation,
    Prediction,
    RegionPrediction,
    ReviewStatus,
)
from cmr_viewer.domain.change import Move
from cmr_viewer.domain.label_codec import decode_label_map
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.ed_es import PhasePair
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.effort import Effort, write_effort
from cmr_viewer.store.events import What, Writing, write_event
from cmr_viewer.store.frame_pixels import Pixels, add_pixels, pixel_rows
from cmr_viewer.store.openings import moved_slices
from cmr_viewer.store.predictions import (
    Rows,
    last_predictions,
    last_region_predictions,
    models_of_unreviewed,
    prediction_rows,
    predictions_in_read,
    region_prediction_rows,
    replace_rows,
    save_shown_in_read,
)
from cmr_viewer.store.reads import check_read
from cmr_viewer.store.study_facts import write_fact
from cmr_viewer.store.tables import frame_of, in_read, is_frame, is_unfinished, latest_rows, now_text
from cmr_viewer.store.undo_log import write_moves
from cmr_viewer.store.versions import (
    Version,
    add_version,
    annotation_of,
    encoded,
)


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


@dataclass(frozen=True)
class RegionSet:
    """A region that a reader gave a frame.

    Attributes:
        region: The region; None removes the reader's choice, so that the predicted region holds again.
        predicted: The classifier's region, for the log.
    """

    region: Region | None
    predicted: Region | None = None


@dataclass(frozen=True, eq=False)
class Work:
    """What is saved together, so that a kill leaves all of it or nothing.

    Attributes:
        versions: New versions of frames.
        regions: The reader's regions.
        shown: Predictions that are shown from now on.
        phase_marks: ED and ES as the reader set them, where that changed; None where one is not set by the reader.
        facts: Facts about the study, by key.
        region_predictions: Region predictions of the classifier; of the first read alone.
        predictions: Predictions of models that are not shown; of the first read alone.
        moves: What the reader did with changes, in their order.
        effort: What the reader spent since the last time, by frame.
    """

    versions: Sequence[Version] = ()
    regions: Mapping[FrameIndex, RegionSet] = field(default_factory=dict)
    shown: Mapping[FrameIndex, Prediction] = field(default_factory=dict)
    phase_marks: PhasePair | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    region_predictions: Mapping[FrameIndex, RegionPrediction] = field(default_factory=dict)
    predictions: Mapping[FrameIndex, Prediction] = field(default_factory=dict)
    moves: Sequence[Move] = ()
    effort: Mapping[FrameIndex, Effort] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    @property
    def frames(self) -> list[FrameIndex]:
        """Frames of which something is saved, but for changes and effort."""
        by_frame = (self.regions, self.region_predictions, self.predictions, self.shown)
        return [one.frame for one in self.versions] + [frame for each in by_frame for frame in each]


class AnnotationStore:
    """Saved work on the studies of a workspace.

    Every call is a transaction of its own, from any thread, and raises StoreError where the workspace cannot be read or
    written, or is damaged.

    What readers make belongs to a read: `read_id` is its id in `store.reads`; None for the first, which needs none.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def save_study(
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

    def save(
        self, stack_id: str, work: Work, *, read_id: int | None = None, pixels: Pixels | None = None
    ) -> list[Annotation]:
        """Save all that an action of a reader changed, or nothing; on disk when this returns.

        Args:
            stack_id: The stack, known by `save_study`.
            work: What changed.
            read_id: The read it belongs to.
            pixels: Pixels of frames that are saved with it, as far as they are not saved yet: those of accepted frames
                at least.

        Returns:
            The annotations of `work.versions` with their versions, reader and time.

        Raises:
            LabelMapError: A label map has codes outside `Label`.
            StoreError: The study or a frame is not known, the read is not known or finished, an accepted frame comes
                without pixels, or it cannot be written.
        """
        workspace = self._workspace
        label_maps = [encoded(one) for one in work.versions]
        images: Rows = []
        if pixels is not None:
            for one in work.versions:
                pixels.check(one.labels.shape)
            with workspace.read() as connection:
                images = pixel_rows(connection, stack_id, pixels)
        regions = region_prediction_rows(stack_id, work.region_predictions)
        made, shown = prediction_rows(stack_id, work.predictions), prediction_rows(stack_id, work.shown)
        with workspace.write() as connection:
            writing = Writing(connection, workspace, stack_id, read_id)
            check_read(connection, stack_id, read_id)
            writing.check_frames([*work.frames, *(pixels.frames if pixels is not None else ())])
            add_pixels(connection, images)
            for frame, region in work.regions.items():
                _add_region(writing, frame, region)
            saved = [add_version(writing, one, data) for one, data in zip(work.versions, label_maps, strict=True)]
            replace_rows(connection, tables.region_predictions, regions)
            replace_rows(connection, tables.predictions, made if read_id is not None else made + shown)
            if read_id is not None:  # not the first read's to be shown
                save_shown_in_read(connection, read_id, shown)
            if work.phase_marks is not None:
                _add_phase_marks(writing, work.phase_marks)
            for key, value in work.facts.items():
                write_fact(writing, key, value)
            write_moves(writing, work.moves)
            write_effort(writing, work.effort)
        return saved

    def latest(self, stack_id: str, read_id: int | None = None) -> dict[FrameIndex, Annotation]:
        """The latest version of each frame of a stack that has one."""
        statement = latest_rows(tables.annotations, "version", read_id)
        statement = statement.where(tables.annotations.c.stack_id == stack_id)
        return {one.frame: one for one in self._annotations(statement)}

    def versions(self, stack_id: str, frame: FrameIndex, read_id: int | None = None) -> list[Annotation]:
        """All versions of a frame in a read, the first first; all reads of a frame count their versions together."""
        a = tables.annotations
        return self._annotations(
            select(a).where(is_frame(a, stack_id, frame), in_read(a, read_id)).order_by(a.c.version)
        )

    def _annotations(self, statement: Select[Any]) -> list[Annotation]:
        return [annotation_of(row) for row in self._rows(statement)]

    def regions(self, stack_id: str, read_id: int | None = None) -> dict[FrameIndex, Region]:
        """The reader's region of each frame that has one."""
        r = tables.regions
        rows = self._rows(latest_rows(r, "id", read_id).where(r.c.stack_id == stack_id))
        return {frame_of(row): Region(row["region"]) for row in rows if row["region"] is not None}

    def region_predictions(self, stack_id: str) -> dict[FrameIndex, RegionPrediction]:
        """The classifier's last prediction for each frame."""
        with self._workspace.read() as connection:
            return last_region_predictions(connection, stack_id)

    def predictions(self, stack_id: str) -> dict[FrameIndex, Prediction]:
        """The last prediction of each frame."""
        with self._workspace.read() as connection:
            return last_predictions(connection, stack_id)

    def models_of_unreviewed(self) -> dict[str, set[tuple[Region | None, str]]]:
        """See `predictions.models_of_unreviewed`."""
        with self._workspace.read() as connection:
            return models_of_unreviewed(connection)

    def predictions_in_read(
        self, stack_id: str, read_id: int, regions: Mapping[FrameIndex, Region]
    ) -> dict[FrameIndex, Prediction]:
        """What a read other than the first is shown; see `predictions.predictions_in_read`."""
        with self._workspace.read() as connection:
            return predictions_in_read(connection, stack_id, read_id, regions)

    def phase_marks(self, stack_id: str, read_id: int | None = None) -> PhasePair:
        """(ED, ES) as the reader set them last; None where not set."""
        t = tables.phase_marks
        statement = select(t).where(t.c.stack_id == stack_id, in_read(t, read_id)).order_by(t.c.id.desc()).limit(1)
        rows = self._rows(statement)
        return (rows[0]["ed"], rows[0]["es"]) if rows else (None, None)

    def last_accepted(self, stack_id: str, read_id: int | None = None) -> dict[FrameIndex, LabelMap]:
        """The label maps (row, col) that were accepted last, by frame, also where a later draft exists."""
        a = tables.annotations
        mine = (a.c.stack_id == stack_id) & (a.c.status == str(ReviewStatus.ACCEPTED)) & in_read(a, read_id)
        rows = self._rows(select(a.c.phase, a.c.slice_index, a.c.labels).where(mine).order_by(a.c.version))
        packed = {frame_of(row): row["labels"] for row in rows}
        return {frame: decode_label_map(data) for frame, data in packed.items()}

    def _rows(self, statement: Select[Any]) -> Sequence[RowMapping]:
        with self._workspace.read() as connection:
            return connection.execute(statement).mappings().all()


def _add_region(writing: Writing, frame: FrameIndex, new: RegionSet) -> None:
    region, predicted = (None if one is None else str(one) for one in (new.region, new.predicted))
    values = {"region": region, "predicted": predicted}
    writing.add(tables.regions, frame._asdict() | values)
    writing.event(What.REGION_WITHDRAWN if region is None else What.REGION_SET, values, frame=frame)


def _add_phase_marks(writing: Writing, marks: PhasePair) -> None:
    writing.check_frames([FrameIndex(phase, 0) for phase in marks if phase is not None])
    values = dict(zip(("ed", "es"), marks, strict=True))
    writing.add(tables.phase_marks, values)
    writing.event(What.PHASE_MARKS_SET, values)
