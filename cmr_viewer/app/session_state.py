"""What can be asked of a session, what it tells, and the parts it is made of."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from cmr_viewer.app.accepting import Accepting
from cmr_viewer.app.analysis import Flow
from cmr_viewer.app.computing import ANALYSIS_KEY, Computing
from cmr_viewer.app.frame_states import FrameState
from cmr_viewer.app.jobs import Jobs
from cmr_viewer.app.keeping import Keeper
from cmr_viewer.app.offers import Offer
from cmr_viewer.app.reading import Reading
from cmr_viewer.app.study_loading import Loaded
from cmr_viewer.domain.measures import MEASURE_NAMES, Measures
from cmr_viewer.domain.opening import AS_FOUND, Opening
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.store.annotations import AnnotationStore, StudyRow
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.openings import OpeningStore
from cmr_viewer.store.stack_changes import StackChangeStore
from cmr_viewer.store.waiting import WaitingStore

if TYPE_CHECKING:
    from cmr_viewer.review.checks import Finding


class SessionState(QObject):
    """A workspace, its open study and the parts that work on them; what can be asked of a session.

    Signals:
        study_opening(str path): A study is being loaded; the one that is open stays until it is there.
        study_previewed(object NDArray): A first frame (row, col) of the study that is being loaded.
        study_opened(): `study` and `stack` are there; regions and label maps follow.
        study_failed(str message): It could not be loaded; the study that was open still is.
        opening_cancelled(): The reader stopped the loading; the study that was open still is.
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
        frames_accepted(object tuple of FrameIndex): These frames are stored as accepted.
        analysed(): Everything that was missing of the study is computed.
        message(str severity, str text): For the reader; severity is "info", "warning" or "error".
        models_changed(): The active models were loaded, or loaded anew after a promotion or roll-back.
        worklist_changed(): `studies` or `waiting` is new.
    """

    study_opening = Signal(str)
    study_previewed = Signal(object)
    study_opened = Signal()
    study_failed = Signal(str)
    opening_cancelled = Signal()
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
    frames_accepted = Signal(object)
    analysed = Signal()
    message = Signal(str, str)
    models_changed = Signal()
    worklist_changed = Signal()

    def __init__(
        self, workspace: Workspace, registry: ModelRegistry, flow: Flow, device: str, parent: QObject | None
    ) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.registry = registry
        self.store = AnnotationStore(workspace)
        self.openings = OpeningStore(workspace)
        self.stack_changes = StackChangeStore(workspace)
        self.waiting_studies = WaitingStore(workspace)
        self.jobs = Jobs("jobs", self)
        self.keeper = Keeper(self)
        self._accepting = Accepting(self.keeper, self.store, self)
        self._computing = Computing(self.jobs, registry, flow, device, self)
        self._reading: Reading | None = None
        self._loaded: Loaded | None = None
        self._offer: Offer | None = None
        self._studies: tuple[StudyRow, ...] = ()
        self._waiting: tuple[Path, ...] = ()

    @property
    def reader(self) -> str:
        """Name of the reader."""
        return self.workspace.reader

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
        return AS_FOUND if self._loaded is None else self._loaded.opening

    @property
    def begin_at(self) -> FrameIndex | None:
        """The frame that was on show, where the study that was open is opened differently; None for any."""
        return None if self._loaded is None else self._loaded.begin_at

    @property
    def studies(self) -> tuple[StudyRow, ...]:
        """Studies of the workspace, the last opened first; as of the last worklist_changed."""
        return self._studies

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
    def offer(self) -> Offer | None:
        """What a tool offers for frames of the open study; None for nothing."""
        return self._offer

    def frame_state(self, frame: FrameIndex) -> FrameState:
        """A frame as it is shown now.

        Raises:
            KeyError: There is no such frame in the open study.
        """
        return self._open().state(frame)

    def findings(self, frame: FrameIndex) -> "list[Finding]":
        """What looks wrong in a frame's label map; nothing where there is none."""
        record = self._open().records[frame]
        if record.labels is None:
            return []
        from cmr_viewer.review.checks import check_frame  # noqa: PLC0415 - scipy; imported beside the window by now

        return check_frame(frame, record.labels, record.region)

    def next_frame(self, frame: FrameIndex | None = None) -> FrameIndex | None:
        """The next frame to review after this one; None where all are accepted or no study is open."""
        found = None if self._reading is None else self._reading.next_frame(frame)
        return None if found is None else found.frame

    def next_reason(self, frame: FrameIndex | None = None) -> str:
        """Why that frame is next, in words."""
        found = None if self._reading is None else self._reading.next_frame(frame)
        return "" if found is None else found.why

    def _open(self) -> Reading:
        if self._reading is None:
            raise RuntimeError("No study is open.")
        return self._reading
