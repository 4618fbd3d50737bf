"""What the workspace saves of the open study, and what it gives back when the study is opened again."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cmr_viewer.classify.in_stack import led_by_readers
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Annotation, Prediction, Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.change import Move, UndoLines
from cmr_viewer.domain.geometry import geometry_to_json
from cmr_viewer.domain.measures.ed_es import PhasePair
from cmr_viewer.domain.opening import NO_CHOICES, Opening
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import StoreError
from cmr_viewer.prepare.grid import working_spacing_mm
from cmr_viewer.progress import Progress
from cmr_viewer.reading.frames import Changed, Effects, FrameRecord
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opening import Loaded, Opener, OpeningRequest, Preview, change_between, source_key
from cmr_viewer.store.annotations import AnnotationStore, RegionSet, Work
from cmr_viewer.store.database import Workspace, copied_workspace
from cmr_viewer.store.effort import Effort, EffortRow, EffortStore
from cmr_viewer.store.frame_pixels import Pixels
from cmr_viewer.store.openings import OpeningStore, StackChangeStore
from cmr_viewer.store.reads import ReadStore
from cmr_viewer.store.study_facts import ReaderSettings, StudyFacts
from cmr_viewer.store.undo_log import UndoLog
from cmr_viewer.store.versions import Version
from cmr_viewer.store.worklist import RENEWED_KEY

log = logging.getLogger(__name__)

REGION_OF_DRAFTS = Region.MIDDLE
"""Saved with drafts of frames whose region nobody has set; the region itself is saved apart from them."""

FRAMES_AT_ONCE = 16
"""Accepted frames of one transaction; compressing the pixels of their phases takes some 20 ms a slice, and other writes
wait for it."""


@dataclass(frozen=True, eq=False)
class Saved:
    """What is saved of a study in one read.

    Attributes:
        regions: The reader's.
        region_predictions: The classifier's.
        predictions: The last of each frame.
        annotations: The last version of each frame.
        phase_marks: ED and ES as the reader marked them, or None.
        lines: What can be undone and redone.
        facts: What the reader entered about the study, by key.
        effort: What readers spent on it.
        carried: Annotations that came from the stack that was opened until now.
    """

    regions: Mapping[FrameIndex, Region] = field(default_factory=dict)
    region_predictions: Mapping[FrameIndex, RegionPrediction] = field(default_factory=dict)
    predictions: Mapping[FrameIndex, Prediction] = field(default_factory=dict)
    annotations: Mapping[FrameIndex, Annotation] = field(default_factory=dict)
    phase_marks: PhasePair = (None, None)
    lines: UndoLines = field(default_factory=UndoLines)
    facts: Mapping[str, Any] = field(default_factory=dict)
    effort: tuple[EffortRow, ...] = ()
    carried: int = 0


class SavedStudies:
    """All that a workspace holds of studies.

    Every call works from any thread, and raises StoreError where the workspace cannot be read or written.

    Args:
        workspace: The workspace; where it is read-only, what writes raises StoreError.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.annotations = AnnotationStore(workspace)
        self.openings = OpeningStore(workspace)
        self.stack_changes = StackChangeStore(workspace)
        self.undo = UndoLog(workspace)
        self.facts = StudyFacts(workspace)
        self.effort = EffortStore(workspace)
        self.reads = ReadStore(workspace)
        self.settings = ReaderSettings(workspace)

    # -- opening -------------------------------------------------------------------------------------------------------

    def load(self, opener: Opener, request: OpeningRequest, preview: Preview, progress: Progress) -> Loaded:
        """Load a study as its reader decided; a job.

        Where nothing was decided about the path, but about the stack that is found in it (its folder was moved), that
        is obeyed too.

        Raises:
            NotAStudyError: There is nothing that could be a study.
            LoadError: There is, and it cannot be read.
            Cancelled: `progress` asked to stop.
        """
        known = request.opening or self._decided(request)
        opening = known or NO_CHOICES
        study = opener(request.path, progress, opening, preview)
        if request.follow and (known is None or request.opening is not None):
            later = self._decided_later(study.stack.stack_id)
            if later is not None and later != opening:
                opening = later
                study = opener(request.path, progress, opening, None)
        stack = study.stack
        return Loaded(
            study,
            request,
            opening,
            change_between(request.before, stack),
            read=self.reads.to_open(stack.stack_id),
            left_at=self.last_place(stack),
        )

    def _decided(self, request: OpeningRequest) -> Opening | None:
        key = source_key(request.path)
        try:
            meant = None if request.stack_id is None else self.openings.last(key, request.stack_id)
            return meant or self.openings.last(key)
        except StoreError as error:  # the study can be read all the same
            log.warning("Could not read how the study was opened last: %s", error)
            return None

    def _decided_later(self, stack_id: str) -> Opening | None:
        try:
            change = self.stack_changes.successor(stack_id)
            return None if change is None else self.openings.of_stack(change.to_stack_id)
        except StoreError as error:
            log.warning("Could not read how the stack was opened last: %s", error)
            return None

    def open(self, loaded: Loaded, study: OpenStudy) -> Saved:
        """Save that a study was opened, and how; read what is saved of it.

        What readers made of frames that were in another stack until now comes with them.

        Args:
            loaded: The study as it was loaded.
            study: The study as it will be read; nothing is done to it.
        """
        stack, request, change = study.stack, loaded.request, loaded.change
        self.annotations.save_study(
            stack.stack_id,
            name=study.study.name,
            source=str(study.study.source),
            patient_key=study.study.patient_key,
            geometry_json=geometry_to_json(stack.geometry),
            phases=stack.phases,
            slices=stack.slices,
        )
        left_for = None if change is not None else self.stack_changes.successor(stack.stack_id)
        if left_for is not None:  # opened again other than by turning back: what was made since comes with it
            rows = self.annotations.studies()
            slices = next(row.slices for row in rows if row.stack_id == left_for.to_stack_id)
            change = left_for.inverse(slices)
        carried = 0
        if change is not None:
            carried = self.stack_changes.carry_over(change, pixel_spacing_mm=working_spacing_mm(stack.geometry))
        for source in loaded.sources if loaded.is_decided else ():
            if request.before is not None and self.openings.last(source) is None:
                self.openings.save(source, request.before.stack_id, request.before_opening)
            self.openings.save(source, stack.stack_id, loaded.opening)
        return self.read(study, carried)

    def enter(self, study: OpenStudy) -> Saved:
        """Save which read of a study is shown from now on; read what is saved in it."""
        self.reads.note_shown(study.stack.stack_id, study.read_id)
        return self.read(study)

    def read(self, study: OpenStudy, carried: int = 0) -> Saved:
        """Read what is saved of a study in its read; nothing is done to it."""
        store, stack, read_id = self.annotations, study.stack, study.read_id
        stack_id = stack.stack_id
        regions = store.regions(stack_id, read_id)
        predictions = self.predictions(stack, read_id)
        return Saved(
            regions=regions,
            region_predictions=self.region_predictions(stack, read_id, regions),
            predictions=predictions,
            annotations=store.latest(stack_id, read_id),
            phase_marks=store.phase_marks(stack_id, read_id),
            lines=self.undo.lines(stack_id, read_id, predictions),
            facts=self.facts.all(stack_id, read_id),
            effort=self.effort.rows(stack_id, read_id),
            carried=carried,
        )

    def region_predictions(
        self, stack: Stack, read_id: int | None, readers: Mapping[FrameIndex, Region]
    ) -> dict[FrameIndex, RegionPrediction]:
        """Region predictions as a read is shown them; those that are saved are led by what the first reader set.

        In another read, nothing where they are not of the whole stack yet: then it is unknown what the first reader
        has led them to, and they are made anew.

        Args:
            stack: The stack.
            read_id: The read; None for the first.
            readers: Regions that were set in it.
        """
        found = self.annotations.region_predictions(stack.stack_id)
        if read_id is None:
            return found
        if len(found) != len(stack.frame_indices) or any(one.decoded is None for one in found.values()):
            return {}
        return {**found, **led_by_readers(found, readers, phases=stack.phases, slices=stack.slices)}

    def predictions(self, stack: Stack, read_id: int | None) -> dict[FrameIndex, Prediction]:
        """What models made of frames, as a read is shown it.

        Args:
            stack: The stack.
            read_id: The read; None for the first.
        """
        if read_id is None:
            return self.annotations.predictions(stack.stack_id)
        readers = self.annotations.regions(stack.stack_id, read_id)
        predicted = self.region_predictions(stack, read_id, readers)
        by_frame = {frame: readers.get(frame, one.region) for frame, one in predicted.items()}
        return self.annotations.predictions_in_read(stack.stack_id, read_id, by_frame)

    def study(self, study: Study, read_id: int | None) -> OpenStudy:
        """A study as a read left it: what readers and models made of it; no model is asked anything."""
        reading = OpenStudy(study, read_id)
        put_back(reading, self.read(reading))
        return reading

    # -- saving --------------------------------------------------------------------------------------------------------

    def save(self, study: OpenStudy, work: Work) -> None:
        """Save all of some work, or nothing; on disk when this returns.

        Where a frame is accepted or a region is set, the pixels of all slices of its phase are saved too: what is
        learnt from it is judged as it is served, in the order of the stack and around the heart that is found in it.

        Raises:
            StoreError: It cannot be written; the read is not known or finished.
        """
        stack = study.stack
        phases = {one.frame.phase for one in work.versions if one.status is ReviewStatus.ACCEPTED}
        phases |= {frame.phase for frame, one in work.regions.items() if one.region is not None}
        frames = {one: stack.frame(one) for one in stack.frame_indices if one.phase in phases}
        pixels = Pixels(frames, working_spacing_mm(stack.geometry)) if frames else None
        self.annotations.save(stack.stack_id, work, read_id=study.read_id, pixels=pixels)

    def save_elsewhere(self, folder: Path, unsaved: Mapping[OpenStudy, Work]) -> Path:
        """Copy the workspace to another folder, and save there what could not be saved here.

        Args:
            folder: It must not exist.
            unsaved: The work by study.

        Returns:
            The folder.

        Raises:
            StoreError: As `copied_workspace`.
        """
        with copied_workspace(self._workspace, folder) as copy:
            for study, work in unsaved.items():
                SavedStudies(copy).save(study, work)
        return folder

    def save_place(self, stack_id: str, frame: FrameIndex) -> None:
        """Save where the reader is in a stack."""
        self.settings.set(f"place.{stack_id}", [frame.phase, frame.slice_index])

    def last_place(self, stack: Stack) -> FrameIndex | None:
        """Where the reader was; None where that is not known, or not in the stack."""
        try:
            found = self.settings.get(f"place.{stack.stack_id}")
        except StoreError as error:  # the study can be read all the same
            log.warning("Could not read where the reader was: %s", error)
            return None
        if not (isinstance(found, list) and len(found) == 2 and all(isinstance(each, int) for each in found)):
            return None
        frame = FrameIndex(*found)
        inside = 0 <= frame.phase < stack.phases and 0 <= frame.slice_index < stack.slices
        return frame if inside else None


# -- putting back ------------------------------------------------------------------------------------------------------


def put_back(study: OpenStudy, saved: Saved) -> None:
    """Show what was saved; frames that the reader has changed meanwhile stay as they are."""
    frames = study.frames
    for frame, record in frames.items():
        predicted, annotation = saved.predictions.get(frame), saved.annotations.get(frame)
        if predicted is not None and (predicted.region is not Region.NON_CARDIAC or predicted.labels.any()):
            record.predictions.setdefault(predicted.model_id, predicted)  # else no model may have been asked
        if record.region_prediction is None and frame in saved.region_predictions:
            record.region_prediction = saved.region_predictions[frame]
            frames.note(frame, Changed.REGION)
        if record.edit_number:
            record.saved = record.saved or annotation is not None
            continue
        if frame in saved.regions:
            record.reader_region = saved.regions[frame]
            frames.note(frame, Changed.REGION)
        _put_labels_back(record, annotation, predicted)
        if record.labels is not None:
            frames.counts.set_frame(frame, record.labels)
            frames.note(frame, Changed.LABELS)
        if record.status is not None:
            frames.note(frame, Changed.STATUS)
    ed, es = saved.phase_marks
    study.reader_ed = ed if study.reader_ed is None else study.reader_ed
    study.reader_es = es if study.reader_es is None else study.reader_es
    study.facts = {**{key: value for key, value in saved.facts.items() if key != RENEWED_KEY}, **study.facts}
    new = saved.facts.get(RENEWED_KEY)
    for place in new if isinstance(new, list) else ():
        one = frames.get(FrameIndex(*place))
        if one is not None and one.labels is not None and not one.stays:
            one.renewed = True
    study.put_history_back(saved.lines)


def _put_labels_back(record: FrameRecord, saved: Annotation | None, predicted: Prediction | None) -> None:
    record.saved = saved is not None
    if saved is not None and (saved.imported_from or saved.provenance is not Provenance.AUTOMATIC):
        same = predicted is not None and predicted.model_id == saved.model_id
        record.labels, record.edited, record.status = saved.labels.copy(), True, saved.status
        record.base, record.origin = predicted if same else None, saved.model_id
        record.imported, record.made = saved.imported_from, saved.provenance if saved.imported_from else None
    elif saved is not None and saved.status is ReviewStatus.ACCEPTED:
        reason = predicted.reason if predicted is not None and predicted.model_id == saved.model_id else "Accepted."
        record.base = Prediction(saved.labels, saved.model_id or "", saved.region, reason)
        record.labels, record.origin, record.status = saved.labels, saved.model_id, saved.status
    elif predicted is not None:
        record.base, record.labels, record.origin = predicted, predicted.labels, predicted.model_id


# -- what is to be saved -----------------------------------------------------------------------------------------------


def work_of(study: OpenStudy, effects: Effects, spent: Mapping[FrameIndex, Effort]) -> Work:
    """All that is to be saved of what a reader did, together.

    Args:
        study: The open study.
        effects: What follows from it.
        spent: The reader's effort since the last time, by frame.
    """
    regions = {}
    for frame in effects.regions:
        record = study.frames[frame]
        predicted = None if record.region_prediction is None else record.region_prediction.region
        regions[frame] = RegionSet(record.reader_region, predicted)
    versions = {frame: draft_of(study, frame) for frame in dict.fromkeys(effects.drafts)}
    versions |= {one.frame: one for one in acceptances_of(study, effects.held)}
    return Work(
        versions=list(versions.values()),
        regions=regions,
        shown=effects.shown,
        phase_marks=(study.reader_ed, study.reader_es) if effects.phase_marks else None,
        facts=effects.facts,
        region_predictions=effects.region_predictions,
        predictions=effects.predictions,
        moves=effects.moves,
        effort=spent,
    )


def joined_work(study: OpenStudy, works: Sequence[Work]) -> Work:
    """What is to be saved now, with what could not be saved before, such as on a full disk.

    Args:
        study: The open study; what could not be saved is saved as it is shown now.
        works: In the order in which they were done; the last is what is to be saved now.
    """
    *failed, now = works
    if not failed:
        return now
    frames = study.frames
    versions = {one.frame: one for one in now.versions}
    regions, facts, shown, spent = dict(now.regions), dict(now.facts), dict(now.shown), dict(now.effort)
    for work in failed:
        for frame in {one.frame for one in work.versions} - versions.keys():
            if not frames[frame].is_held:
                versions[frame] = draft_of(study, frame)
        for frame in work.regions.keys() - regions.keys():
            regions[frame] = replace(work.regions[frame], region=frames[frame].reader_region)
        shown = {frame: made for frame, made in work.shown.items() if frames[frame].base is made} | shown
        facts |= {key: study.facts.get(key) for key in work.facts.keys() - facts.keys()}
        for frame, more in work.effort.items():
            spent[frame] = spent.get(frame, Effort()) + more
    marked = any(work.phase_marks is not None for work in works)
    return Work(
        versions=list(versions.values()),
        regions=regions,
        shown=shown,
        phase_marks=(study.reader_ed, study.reader_es) if marked else None,
        facts=facts,
        region_predictions={frame: one for work in works for frame, one in work.region_predictions.items()},
        predictions={frame: one for work in works for frame, one in work.predictions.items()},
        moves=[move for work in works for move in work.moves],
        effort=spent,
    )


def draft_of(study: OpenStudy, frame: FrameIndex) -> Version:
    """A draft of a frame as it is shown now.

    A frame that came back to its prediction by undo is saved as an automatic draft, so that no older draft of it is
    put back later.
    """
    record = study.frames[frame]
    return Version(
        frame=frame,
        labels=study.still(frame),
        region=record.region or REGION_OF_DRAFTS,
        provenance=record.provenance or Provenance.AUTOMATIC,
        status=ReviewStatus.DRAFT,
        model_id=record.origin,
        imported_from=record.imported,
    )


def why_not_acceptable(study: OpenStudy, frame: FrameIndex) -> str:
    """Why a frame cannot be accepted, for a reader; empty if it can be."""
    record = study.frames[frame]
    where = f"Phase {frame.phase + 1}, slice {frame.slice_index + 1}"
    if record.labels is None:
        return f"{where} has no label map yet. Wait for the prediction, or draw one."
    if record.region is None:
        return f"{where} has no region yet. Set its region first."
    return ""


def acceptances_of(study: OpenStudy, frames: Iterable[FrameIndex]) -> list[Version]:
    """What is to be saved of those frames that can be accepted and are not yet."""
    wanted = [one for one in frames if not (study.frames[one].is_held or why_not_acceptable(study, one))]
    return [replace(draft_of(study, frame), status=ReviewStatus.ACCEPTED) for frame in wanted]


def works_of_acceptance(versions: Sequence[Version], moves: Sequence[Move] = ()) -> list[Work]:
    """Accepted versions as works of at most `FRAMES_AT_ONCE` frames; the first has the moves that led to them."""
    starts = range(0, len(versions), FRAMES_AT_ONCE)
    return [Work(versions[at : at + FRAMES_AT_ONCE], moves=() if at else moves) for at in starts]
