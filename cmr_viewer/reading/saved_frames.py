"""Between the open study and the workspace: what is kept of a frame, and putting it back. Without Qt."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cmr_viewer.classify.in_stack import led_by_readers
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Annotation, Prediction, Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.change import Lines
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.prepare.grid import working_spacing_mm
from cmr_viewer.reading.frames import Changed, Effects, FrameRecord
from cmr_viewer.reading.open_study import Reading
from cmr_viewer.reading.opening import Loaded
from cmr_viewer.store.annotations import AnnotationStore, Kept
from cmr_viewer.store.effort import Effort, EffortRow, EffortStore
from cmr_viewer.store.openings import OpeningStore
from cmr_viewer.store.stack_changes import StackChange, StackChangeStore, inverse
from cmr_viewer.store.study_facts import StudyFacts
from cmr_viewer.store.undo_log import UndoLog
from cmr_viewer.store.work import RegionSet, Work

UNSAID_REGION = Region.MIDDLE
"""Stands in drafts of frames whose region nobody has said; the frame's own region is kept apart from its drafts."""


@dataclass(frozen=True, eq=False)
class Restored:
    """What the workspace keeps of a study.

    Attributes:
        regions: The reader's.
        region_predictions: The classifier's.
        predictions: The last of each frame.
        annotations: The last version of each frame.
        ed_phase: As the reader marked it, or None.
        es_phase: Likewise.
        carried: Annotations that came from the stack that was opened until now.
        lines: What can be undone and redone.
        facts: What the reader said of the study, by key.
        effort: What readers spent on it.
    """

    regions: Mapping[FrameIndex, Region]
    region_predictions: Mapping[FrameIndex, RegionPrediction]
    predictions: Mapping[FrameIndex, Prediction]
    annotations: Mapping[FrameIndex, Annotation]
    ed_phase: int | None
    es_phase: int | None
    carried: int = 0
    lines: Lines = field(default_factory=Lines)
    facts: Mapping[str, Any] = field(default_factory=dict)
    effort: tuple[EffortRow, ...] = ()


@dataclass(frozen=True)
class Stores:
    """Where the workspace keeps what belongs to a study.

    Attributes:
        annotations: Annotations, regions and predictions.
        openings: How studies are opened.
        changes: Stacks that are opened differently now.
        undo: What can be undone.
        facts: Facts about studies.
        effort: What readers spent.
    """

    annotations: AnnotationStore
    openings: OpeningStore
    changes: StackChangeStore
    undo: UndoLog
    facts: StudyFacts
    effort: EffortStore


def keep_and_read(stores: Stores, loaded: Loaded, reading: Reading) -> Restored:
    """Note that a study was opened, and how; read what is kept of it. For the store thread.

    What readers made of frames that were in another stack until now comes with them.

    Args:
        stores: Where it is kept.
        loaded: The study.
        reading: The study as it will be read; nothing is done to it.

    Raises:
        StoreError: The workspace cannot be read or written.
    """
    study, store = loaded.study, stores.annotations
    stack = study.stack
    store.keep_study(
        stack.stack_id,
        name=study.name,
        source=str(study.source),
        patient_key=study.patient_key,
        geometry_json=json.dumps(asdict(stack.geometry)),
        phases=stack.phases,
        slices=stack.slices,
    )
    change = loaded.change
    if change is None:
        left_for = stores.changes.successor(stack.stack_id)
        change = None if left_for is None else _way_back(store, left_for)
    carried = 0
    if change is not None:
        carried = stores.changes.carry_over(change, pixel_spacing_mm=working_spacing_mm(stack.geometry))
    if loaded.is_decided:
        asked = loaded.asked
        for source in loaded.sources:
            if asked.before is not None and stores.openings.last(source) is None:
                stores.openings.keep(source, asked.before.stack_id, asked.before_opening)
            stores.openings.keep(source, stack.stack_id, loaded.opening)
    return read_kept(stores, reading, carried)


def read_kept(stores: Stores, reading: Reading, carried: int = 0) -> Restored:
    """Read what is kept of a study. For the store thread.

    Args:
        stores: Where it is kept.
        reading: The study as it will be read, and which read of it; nothing is done to it.
        carried: Annotations that came from another stack just now.

    Raises:
        StoreError: The workspace cannot be read.
    """
    store, stack_id, read_id = stores.annotations, reading.stack.stack_id, reading.read_id
    ed, es = store.phase_marks(stack_id, read_id)
    regions = store.regions(stack_id, read_id)
    said = regions_shown(store, reading.stack, read_id, regions)
    predictions = predictions_shown(store, reading.stack, read_id)
    return Restored(
        regions=regions,
        region_predictions=said,
        predictions=predictions,
        annotations=store.latest(stack_id, read_id),
        ed_phase=ed,
        es_phase=es,
        carried=carried,
        lines=stores.undo.lines(stack_id, read_id, predictions),
        facts=stores.facts.all(stack_id, read_id),
        effort=stores.effort.rows(stack_id, read_id),
    )


def regions_shown(
    store: AnnotationStore, stack: Stack, read_id: int | None, readers: Mapping[FrameIndex, Region]
) -> dict[FrameIndex, RegionPrediction]:
    """Region predictions as a read is shown them; those that are kept are led by what the first reader said.

    In another read, nothing where they are not of the whole stack yet: then nobody can tell what the first reader has
    led them to, and they are made anew.

    Args:
        store: Where they are kept.
        stack: The stack.
        read_id: The read; None for the first.
        readers: Regions that were set in it.

    Raises:
        StoreError: The workspace cannot be read.
    """
    said = store.region_predictions(stack.stack_id)
    if read_id is None:
        return said
    if len(said) != len(stack.frame_indices) or any(one.decoded is None for one in said.values()):
        return {}
    return {**said, **led_by_readers(said, readers, phases=stack.phases, slices=stack.slices)}


def predictions_shown(store: AnnotationStore, stack: Stack, read_id: int | None) -> dict[FrameIndex, Prediction]:
    """What models made of frames, as a read is shown it.

    Args:
        store: Where it is kept.
        stack: The stack.
        read_id: The read; None for the first.

    Raises:
        StoreError: The workspace cannot be read.
    """
    if read_id is None:
        return store.predictions(stack.stack_id)
    readers = store.regions(stack.stack_id, read_id)
    said = regions_shown(store, stack, read_id, readers)
    by_frame = {frame: readers.get(frame, one.region) for frame, one in said.items()}
    return store.predictions_in_read(stack.stack_id, read_id, by_frame)


def _way_back(store: AnnotationStore, left_for: StackChange) -> StackChange:
    """The stack that was left is opened again, other than by turning back: what was made since comes with it."""
    slices = next(row.slices for row in store.studies() if row.stack_id == left_for.to_stack_id)
    return inverse(left_for, slices)


def put_back(reading: Reading, restored: Restored) -> None:
    """Show what was kept; frames that the reader has changed meanwhile stay as they are."""
    for frame, record in reading.records.items():
        if frame in restored.predictions:
            one = restored.predictions[frame]
            if one.region is not Region.NON_CARDIAC or one.labels.any():  # else no model may have been asked
                record.predictions.setdefault(one.model_id, one)
        if record.region_prediction is None and frame in restored.region_predictions:
            record.region_prediction = restored.region_predictions[frame]
            reading.frames.note(frame, Changed.REGION)
        if record.edit_number:
            record.kept = record.kept or frame in restored.annotations
            continue
        if frame in restored.regions:
            record.reader_region = restored.regions[frame]
            reading.frames.note(frame, Changed.REGION)
        _put_labels_back(record, restored.annotations.get(frame), restored.predictions.get(frame))
        if record.labels is not None:
            reading.frames.counts.set_frame(frame, record.labels)
            reading.frames.note(frame, Changed.LABELS)
        if record.status is not None:
            reading.frames.note(frame, Changed.STATUS)
    reading.reader_ed = restored.ed_phase if reading.reader_ed is None else reading.reader_ed
    reading.reader_es = restored.es_phase if reading.reader_es is None else reading.reader_es
    reading.facts = {**restored.facts, **reading.facts}
    reading.put_history_back(restored.lines)


def _put_labels_back(record: FrameRecord, kept: Annotation | None, predicted: Prediction | None) -> None:
    record.kept = kept is not None
    if kept is not None and (kept.imported_from or kept.provenance is not Provenance.AUTOMATIC):
        same = predicted is not None and predicted.model_id == kept.model_id
        record.labels, record.edited, record.status = kept.labels.copy(), True, kept.status
        record.base, record.origin = predicted if same else None, kept.model_id
        record.imported, record.made = kept.imported_from, kept.provenance if kept.imported_from else None
    elif kept is not None and kept.status is ReviewStatus.ACCEPTED:
        reason = predicted.reason if predicted is not None and predicted.model_id == kept.model_id else "Accepted."
        record.base = Prediction(kept.labels, kept.model_id or "", kept.region, reason)
        record.labels, record.origin, record.status = kept.labels, kept.model_id, kept.status
    elif predicted is not None:
        record.base, record.labels, record.origin = predicted, predicted.labels, predicted.model_id


def work_of(reading: Reading, effects: Effects, spent: Mapping[FrameIndex, Effort]) -> Work:
    """All that is to be kept of what a reader did, together.

    Args:
        reading: The open study.
        effects: What follows from it.
        spent: The reader's effort since the last time, by frame.
    """
    regions = {}
    for frame in effects.regions:
        record = reading.records[frame]
        predicted = None if record.region_prediction is None else record.region_prediction.region
        regions[frame] = RegionSet(record.reader_region, predicted)
    versions = {frame: draft_of(reading, frame) for frame in dict.fromkeys(effects.drafts)}
    versions |= {one.frame: one for one in acceptances_of(reading, effects.held)}
    return Work(
        versions=list(versions.values()),
        regions=regions,
        shown=effects.shown,
        phase_marks=(reading.reader_ed, reading.reader_es) if effects.phase_marks else None,
        facts=effects.facts,
        region_predictions=effects.region_predictions,
        predictions=effects.predictions,
        moves=effects.moves,
        effort=spent,
    )


def joined_work(reading: Reading, works: Sequence[Work]) -> Work:
    """What is to be kept now, with what could not be kept before, such as on a full disk.

    Args:
        reading: The open study; what could not be kept is kept as it is shown now.
        works: In the order in which they were done; the last is what is to be kept now.
    """
    *failed, now = works
    if not failed:
        return now
    records = reading.records
    held = {f for f, record in records.items() if record.status is ReviewStatus.ACCEPTED or record.accepting}
    versions = {one.frame: one for one in now.versions}
    regions, facts, shown, spent = dict(now.regions), dict(now.facts), dict(now.shown), dict(now.effort)
    region_predictions: dict[FrameIndex, RegionPrediction] = {}
    predictions: dict[FrameIndex, Prediction] = {}
    for work in works:
        region_predictions |= work.region_predictions
        predictions |= work.predictions
    for work in failed:
        for frame in {one.frame for one in work.versions} - versions.keys() - held:
            versions[frame] = draft_of(reading, frame)
        for frame in work.regions.keys() - regions.keys():
            regions[frame] = replace(work.regions[frame], region=records[frame].reader_region)
        for frame, made in work.shown.items():
            if records[frame].base is made:
                shown.setdefault(frame, made)
        facts.update({key: reading.facts.get(key) for key in work.facts.keys() - facts.keys()})
        for frame, more in work.effort.items():
            spent[frame] = spent.get(frame, Effort()) + more
    marked = any(work.phase_marks is not None for work in works)
    return Work(
        versions=list(versions.values()),
        regions=regions,
        shown=shown,
        phase_marks=(reading.reader_ed, reading.reader_es) if marked else None,
        facts=facts,
        region_predictions=region_predictions,
        predictions=predictions,
        moves=[move for work in works for move in work.moves],
        effort=spent,
    )


def draft_of(reading: Reading, frame: FrameIndex) -> Kept:
    """A draft of a frame as it is shown now.

    A frame that came back to its prediction by undo is kept as an automatic draft, so that no older draft of it is put
    back later.
    """
    record = reading.records[frame]
    labels = reading.still(frame)
    return Kept(
        frame=frame,
        labels=labels,
        region=record.region or UNSAID_REGION,
        provenance=record.provenance or Provenance.AUTOMATIC,
        status=ReviewStatus.DRAFT,
        model_id=record.origin,
        detail=_detail(record),
        imported_from=record.imported,
    )


def _detail(record: FrameRecord) -> dict[str, str]:
    return {"imported_from": record.imported} if record.imported else {}


def why_not_acceptable(reading: Reading, frame: FrameIndex) -> str:
    """Why a frame cannot be accepted, for a reader; empty if it can be."""
    record = reading.records[frame]
    where = f"Phase {frame.phase + 1}, slice {frame.slice_index + 1}"
    if record.labels is None:
        return f"{where} has no label map yet. Wait for the prediction, or draw one."
    if record.region is None:
        return f"{where} has no region yet. Set its region first."
    return ""


def acceptances_of(reading: Reading, frames: Iterable[FrameIndex]) -> list[Kept]:
    """What is to be kept of those frames that can be accepted and are not yet."""
    kept = []
    wanted = list(frames)
    with_pixels = {frame for frame, record in reading.records.items() if record.status is ReviewStatus.ACCEPTED}
    with_pixels.update(wanted)
    for frame in wanted:
        record = reading.records[frame]
        if record.status is ReviewStatus.ACCEPTED or record.accepting or why_not_acceptable(reading, frame):
            continue
        assert record.region is not None and record.provenance is not None
        kept.append(
            Kept(
                frame=frame,
                labels=reading.still(frame),
                region=record.region,
                provenance=record.provenance,
                status=ReviewStatus.ACCEPTED,
                model_id=record.origin,
                frame_pixels=reading.stack.frame(frame),
                pixel_spacing_mm=working_spacing_mm(reading.stack.geometry),
                detail=_detail(record),
                imported_from=record.imported,
                neighbours={
                    offset: reading.stack.frame(beside)
                    for offset in (-1, 1)
                    if (beside := FrameIndex(frame.phase, frame.slice_index + offset)) in reading.records
                    and beside not in with_pixels
                },
            )
        )
    return kept
