"""What a report is built from: a study as it was read at one moment, measured. Nothing in it changes any more."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cmr_viewer.domain.measures.ed_es import EdEs
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import BsaFormula, PatientMeasures, patient_measures
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.result_notes import not_segmented
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.progress import Progress, silent
from cmr_viewer.reading.frames import FrameState
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.reads import read_name
from cmr_viewer.reading.study_measures import (
    Curves,
    MeasureChoices,
    Wall,
    WallMaterial,
    choices_of,
    counts_by_convention,
    curves_of,
    measures_by_convention,
    patient_in_files,
    wall_of,
)
from cmr_viewer.reading.volumes import VoxelCounts
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.effort import EffortRow, EffortStore
from cmr_viewer.store.events import Event, EventLog
from cmr_viewer.store.reads import ReadStore


@dataclass(frozen=True)
class WorkDone:
    """What readers did to a study.

    Attributes:
        events: The log of the read, oldest first.
        effort: What was spent on the frames.
        read: Which read of the study it is, in words; empty where it is the only one.
    """

    events: tuple[Event, ...] = ()
    effort: tuple[EffortRow, ...] = ()
    read: str = ""


def work_done(workspace: Workspace, reading: OpenStudy) -> WorkDone:
    """What readers did to a study in this read of it. For the store thread.

    Raises:
        StoreError: The workspace cannot be read.
    """
    stack_id, read_id = reading.stack.stack_id, reading.read_id
    events = EventLog(workspace).events(stack_id=stack_id)
    mine = tuple(event for event in events if event.read_id == read_id)
    reads = ReadStore(workspace)
    known = {one.id: one for one in reads.list(stack_id)}
    read = known.get(read_id) if read_id is not None else None
    name = read_name(read, reads.first_readers(stack_id)) if known else ""
    if read is not None and not read.is_finished:
        name = f"{name}, not finished"
    return WorkDone(mine, EffortStore(workspace).rows(stack_id, read_id), name)


@dataclass(frozen=True, eq=False)
class AsRead:
    """A study as it was read at one moment; nothing in it changes any more, so that it can go to another thread.

    Attributes:
        study: The study.
        frames: What is known of each frame; label maps are copies.
        choices: What the reader chose for the measures.
        ed_es: End-diastole and end-systole, with their source.
        notes: What a reader should know about the results.
    """

    study: Study
    frames: Mapping[FrameIndex, FrameState]
    choices: MeasureChoices
    ed_es: EdEs
    notes: tuple[Note, ...] = ()


def as_read(reading: OpenStudy) -> AsRead:
    """A study as it is read now; call it on the thread that the reader works on."""
    states = {frame: reading.frames.state(frame) for frame in reading.frames}
    frames = {
        frame: replace(one, labels=None if one.labels is None else one.labels.copy()) for frame, one in states.items()
    }
    notes = (*not_segmented(reading.stack, reading.frames.segmented()), *reading.notes())
    return AsRead(reading.study, frames, choices_of(reading.facts), reading.ed_es_choice(), notes)


@dataclass(frozen=True, eq=False)
class Material:
    """The input of a report.

    Attributes:
        read: The study as it was read; the report covers its first stack.
        work: What readers did to it.
        measures: Values of both ventricles.
        curves: Volumes through the cycle, NaN where a phase is not segmented whole.
        wall: Wall thickness by segment, or why it is not measured.
        made_by: The reader who asks for the report.
        made_at: When, in the local time zone.
        patient_name: The patient's name for the report; empty if not named.
    """

    read: AsRead
    work: WorkDone
    measures: PatientMeasures
    curves: Curves
    wall: Wall
    made_by: str
    made_at: datetime
    patient_name: str = ""


def material_of(
    read: AsRead,
    work: WorkDone,
    *,
    made_by: str,
    formula: BsaFormula = BsaFormula.MOSTELLER,
    convention: PapillaryConvention = PapillaryConvention.IN_BLOOD_POOL,
    patient_name: str = "",
    progress: Progress = silent,
) -> Material:
    """Measure a study and gather what a report needs; takes a second or so, and may run beside the window.

    Args:
        read: From `as_read`.
        work: From `work_done`.
        made_by: The reader who asks for the report.
        formula: Of body surface area.
        convention: Where papillary muscles are counted.
        patient_name: What is to be named as the patient; empty for nobody.
        progress: Called with how far the work is; raises `Cancelled` to stop.
    """
    study, stack, frames = read.study, read.study.stack, read.frames
    progress(0.0, "Measuring volumes")
    label_maps = {frame: one.labels for frame, one in frames.items() if one.labels is not None}
    counts = VoxelCounts(stack.phases, stack.geometry.slice_weights)
    for frame, one in counts_by_convention(stack, label_maps, convention).items():
        counts.set_counts(frame, one)
    choices, (ed, es) = read.choices, read.ed_es.phases
    patient = patient_in_files(study).with_typed(choices.typed)
    measures = patient_measures(measures_by_convention(counts, stack, ed, es, convention), patient, formula)
    curves = curves_of(counts.of_phases(), stack, patient)
    progress(0.4, "Measuring wall thickness")
    marked = {frame: labels for frame, labels in label_maps.items() if frame.phase in (ed, es)}
    regions = {frame: one.region for frame, one in frames.items() if one.region is not None}
    wall = wall_of(WallMaterial(stack, ed, es, marked, regions, choices.insertions)) if marked else Wall((), "")
    return Material(read, work, measures, curves, wall, made_by, datetime.now(UTC).astimezone(), patient_name)
