"""What can be asked of a session, what it tells, and the parts it is made of."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from cmr_viewer.analyse import Flow, LoadedModels
from cmr_viewer.app.accepting import Accepting
from cmr_viewer.app.computing import ANALYSIS_KEY, Computing
from cmr_viewer.app.effort import StudyEffort
from cmr_viewer.app.effort_keeping import EffortKeeping
from cmr_viewer.app.jobs import Jobs
from cmr_viewer.app.keeping import Keeper
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures import MEASURE_NAMES, Measures
from cmr_viewer.domain.opening import NO_CHOICES, Opening
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.reading.frames import FrameState
from cmr_viewer.reading.offers import Offer
from cmr_viewer.reading.open_study import Reading
from cmr_viewer.reading.opening import Loaded
from cmr_viewer.reading.saving import SavedStudies
from cmr_viewer.review.queue import Next
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.events import Event, EventLog
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.reads import Read, ReadKind, ReadSummary
from cmr_viewer.store.worklist import WaitingStore

if TYPE_CHECKING:
    from cmr_viewer.review.checks import Finding


class ReviewOrder(Protocol):
    """Says which frame of the open study is to be reviewed next."""

    def next_frame(self, current: FrameIndex | None) -> Next | None:
        """The next frame after one, and why; None where it does not know."""


@dataclass(frozen=True, eq=False)
class _Checked:
    """What was found in a label map, and the region and share of the ring it was checked by."""

    labels: LabelMap
    said: tuple[Region | None, float]
    findings: "tuple[Finding, ...]"


class SessionState(QObject):
    """A workspace, its open study and the parts that work on them; what can be asked of a session.

    Signals:
        study_opening(str path): A study is being loaded; the one that is open stays until it is there. The path is as
            `paths.text_of_path` writes it.
        study_previewed(object NDArray): A first frame (row, col) of the study that is being loaded.
        study_opened(): `study` and `stack` are there; regions and label maps follow.
        study_failed(str message): It could not be loaded; the study that was open still is.
        opening_cancelled(): The reader stopped the loading; the study that was open still is.
        study_left(): The study that was open, or the read of it that was on show, is so no longer: all that is shown or
            known of it is dropped. `study` is None; study_opened or study_closed follows.
        study_restored(): What the workspace keeps of the study has been put back.
        study_closed(): No study is open.
        region_changed(object FrameIndex): Region of a frame, by the classifier or the reader.
        regions_followed(object tuple of FrameIndex): These frames have another predicted region, because the reader
            set that of another frame, or took it back; after the signals for single frames.
        labels_changed(object FrameIndex): Label map that is shown of a frame; also for each part of a brush stroke.
        offer_changed(): A tool offers label maps in `offer`, or no longer.
        proposal_changed(object FrameIndex): A prediction is offered beside a frame's label map, or no longer.
        status_changed(object FrameIndex): Review status of a frame.
        frames_changed(object tuple of FrameIndex): All frames of which anything changed, told once for each batch of
            results or action, after the signals for single frames; for views that draw many frames.
        measures_changed(): `measures` is new; at most every 50 ms.
        history_changed(): `can_undo`, `can_redo`, `undo_text` or `redo_text`.
        phase_marks_changed(): `ed_phase` or `es_phase`.
        facts_changed(): What `fact` gives, or what is kept of it was put back.
        frames_accepted(object tuple of FrameIndex): These frames are stored as accepted.
        analysed(): Everything that was missing of the study is computed.
        message(str severity, str text): For the reader; severity is "info", "warning" or "error".
        models_changed(): The active models were loaded, or loaded anew after a promotion or roll-back.
        worklist_changed(): `studies` or `waiting` is new.
        unsaved_changed(): `unsaved_frames` or `has_unsaved` is new.
        reads_changed(): `read` is another, or `summaries` is new.
    """

    study_opening = Signal(str)
    study_previewed = Signal(object)
    study_opened = Signal()
    study_failed = Signal(str)
    opening_cancelled = Signal()
    study_left = Signal()
    study_restored = Signal()
    study_closed = Signal()
    region_changed = Signal(object)
    regions_followed = Signal(object)
    labels_changed = Signal(object)
    offer_changed = Signal()
    proposal_changed = Signal(object)
    status_changed = Signal(object)
    frames_changed = Signal(object)
    measures_changed = Signal()
    history_changed = Signal()
    phase_marks_changed = Signal()
    facts_changed = Signal()
    frames_accepted = Signal(object)
    analysed = Signal()
    message = Signal(str, str)
    models_changed = Signal()
    worklist_changed = Signal()
    unsaved_changed = Signal()
    reads_changed = Signal()

    def __init__(
        self, workspace: Workspace, registry: ModelRegistry, flow: Flow, device: str, parent: QObject | None
    ) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.registry = registry
        self.saved = SavedStudies(workspace)
        self.waiting_studies = WaitingStore(workspace)
        self.jobs = Jobs("jobs", self)
        self.flow = flow
        self.review_order: ReviewOrder | None = None
        self.ring_fraction: float | None = None
        self.keeper = Keeper(self)
        self._accepting = Accepting(self.keeper, self.saved, self)
        self._effort = EffortKeeping(self.keeper, self.saved.effort, workspace, self)
        self._computing = Computing(self.jobs, registry, flow, device, self)
        self._reading: Reading | None = None
        self._loaded: Loaded | None = None
        self._offer: Offer | None = None
        self._checked: dict[FrameIndex, _Checked] = {}
        self._read: Read | None = None
        self._summaries: tuple[ReadSummary, ...] = ()
        self._studies: tuple[StudyRow, ...] = ()
        self._waiting: tuple[Path, ...] = ()

    @property
    def reader(self) -> str:
        """Name of the reader."""
        read = self._read
        return self.workspace.reader if read is None or read.is_finished else read.reader

    @property
    def read(self) -> Read | None:
        """The read of the open study that is on show; None for the first."""
        return self._read

    @property
    def is_blinded(self) -> bool:
        """Whether the read on show is not to be told anything of another."""
        return self._read is not None and self._read.blinded and not self._read.is_finished

    @property
    def can_change(self) -> bool:
        """Whether the read on show can be changed; one that is finished is only looked at."""
        return self._read is None or not self._read.is_finished

    @property
    def summaries(self) -> tuple[ReadSummary, ...]:
        """Reads of the open study, the first first, as of the last reads_changed; a blinded reader's own alone."""
        if self.is_blinded:
            return tuple(one for one in self._summaries if one.read is not None and one.read == self._read)
        return self._summaries

    @property
    def study(self) -> Study | None:
        """The open study."""
        return None if self._reading is None else self._reading.study

    @property
    def stack(self) -> Stack | None:
        """The stack of the open study that is read."""
        return None if self._reading is None else self._reading.stack

    @property
    def opening(self) -> Opening:
        """How the study was opened, as far as a reader decided about it."""
        return NO_CHOICES if self._loaded is None else self._loaded.opening

    @property
    def begin_at(self) -> FrameIndex | None:
        """The frame that was on show, where the stack is opened again or the study differently; None for any."""
        return None if self._loaded is None else self._loaded.begin_at

    @property
    def studies(self) -> tuple[StudyRow, ...]:
        """Studies of the workspace, the last opened first; as of the last worklist_changed.

        Of the open study a blinded reader sees how far their own read is, and not the first.
        """
        reading = self._reading
        if reading is None or not self.is_blinded:
            return self._studies
        status = [record.status for record in reading.records.values()]
        accepted, drafts = status.count(ReviewStatus.ACCEPTED), status.count(ReviewStatus.DRAFT)
        mine = reading.stack.stack_id
        return tuple(
            replace(row, accepted=accepted, drafts=drafts) if row.stack_id == mine else row for row in self._studies
        )

    @property
    def waiting(self) -> tuple[Path, ...]:
        """Files and folders that wait to be opened for the first time; as of the last worklist_changed."""
        return self._waiting

    @property
    def models_ready(self) -> bool:
        """Whether models are loaded."""
        return self._computing.models is not None

    @property
    def models_problem(self) -> str:
        """Why models could not be loaded, for a reader; empty if they could, or are not yet."""
        return self._computing.problem

    @property
    def reading(self) -> Reading | None:
        """The open study as it is read, for what computes beside it; not to be changed but by the session."""
        return self._reading

    @property
    def models(self) -> LoadedModels | None:
        """The models in service, once they are loaded."""
        return self._computing.models

    @property
    def is_analysing(self) -> bool:
        """Whether regions and masks of the study are being computed."""
        return self.jobs.is_busy(ANALYSIS_KEY)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._reading is not None and self._reading.history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._reading is not None and self._reading.history.can_redo

    @property
    def undo_text(self) -> str:
        """What `undo` takes back, in words; empty if nothing."""
        return "" if self._reading is None else self._reading.history.undo_text

    @property
    def redo_text(self) -> str:
        """What `redo` makes again, in words; empty if nothing."""
        return "" if self._reading is None else self._reading.history.redo_text

    @property
    def ed_phase(self) -> int | None:
        """End-diastole: as the reader marked it, else as the source states, else by volume once all is segmented."""
        return None if self._reading is None else self._reading.ed_es()[0]

    @property
    def es_phase(self) -> int | None:
        """End-systole, likewise."""
        return None if self._reading is None else self._reading.ed_es()[1]

    @property
    def measures(self) -> Measures:
        """Volumes, ejection fractions and mass as the label maps are now."""
        if self._reading is None:
            names = MEASURE_NAMES
            return Measures(None, None, dict.fromkeys(names), dict.fromkeys(names, "No study is open."))
        return self._reading.measures()

    @property
    def phase_counts(self) -> NDArray[np.float64]:
        """(phase, 4) voxels of each label in the stack as the label maps are now; -1 where a phase is not segmented."""
        return np.zeros((0, 4)) if self._reading is None else self._reading.frames.counts.of_phases()

    @property
    def offer(self) -> Offer | None:
        """What a tool offers for frames of the open study; None for nothing."""
        return self._offer

    def fact(self, key: str) -> Any:
        """What the reader said of the open study, by key as in `store.study_facts`; None for nothing."""
        return None if self._reading is None else self._reading.facts.get(key)

    def effort(self) -> StudyEffort:
        """What readers spent on the open study so far, the present moment included."""
        return self._effort.all

    def log(self, limit: int | None = 1000) -> list[Event]:
        """What was done to the open study, with reader and time, oldest first; the last of it only, where limited.

        Of the read on show; whoever adjudicates, or reads again unblinded, sees all reads.
        """
        reading, read = self._reading, self._read
        if reading is None:
            return []
        log, stack_id = EventLog(self.workspace), reading.stack.stack_id
        if read is not None and (read.kind is ReadKind.ADJUDICATION or not read.blinded):
            return log.events(stack_id=stack_id, limit=limit)
        events = [event for event in log.events(stack_id=stack_id) if event.read_id == reading.read_id]
        return events if limit is None else events[max(0, len(events) - limit) :]

    def frame_state(self, frame: FrameIndex) -> FrameState:
        """A frame as it is shown now.

        Raises:
            KeyError: There is no such frame in the open study.
        """
        return self._open().frames.state(frame)

    def findings(self, frame: FrameIndex) -> "list[Finding]":
        """What looks wrong in a frame's label map; nothing where there is none."""
        record = self._open().records[frame]
        if record.labels is None:
            return []
        from cmr_viewer.review import checks  # noqa: PLC0415 - scipy; imported beside the window by now

        rule = self.ring_fraction or checks.BASE_RING_FRACTION
        known = self._checked.get(frame)
        if known is not None and known.labels is record.labels and known.said == (record.region, rule):
            return list(known.findings)
        found = checks.check_frame(frame, record.labels, record.region, ring_fraction=rule)
        self._checked[frame] = _Checked(record.labels, (record.region, rule), tuple(found))
        return found

    def next_frame(self, frame: FrameIndex | None = None) -> FrameIndex | None:
        """The next frame to review after this one; None where all are accepted or no study is open."""
        found = self.next_review(frame)
        return None if found is None else found.frame

    def next_reason(self, frame: FrameIndex | None = None) -> str:
        """Why that frame is next, in words."""
        found = self.next_review(frame)
        return "" if found is None else found.why

    def next_review(self, frame: FrameIndex | None = None) -> Next | None:
        """The next frame to review after this one, and why; None where all are accepted or no study is open."""
        if self._reading is None:
            return None
        found = None if self.review_order is None else self.review_order.next_frame(frame)
        return found or self._reading.next_frame(frame)

    def _open(self) -> Reading:
        if self._reading is None:
            raise RuntimeError("No study is open.")
        return self._reading
