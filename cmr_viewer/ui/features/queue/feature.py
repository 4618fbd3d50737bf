"""The review queue on the page of the review; N goes through it."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.session import Session
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.frames import FrameRecord
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opinions import Question, segmenters_of
from cmr_viewer.reading.stakes import TEXT, FrameSnapshot, Memory, Snapshot, Stakes, stakes_of_frames
from cmr_viewer.review.queue import FrameReview, Next, Stake, next_frame, queue
from cmr_viewer.ui.features.queue.panel import Entry, QueuePanel, QueueProgress
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page

if TYPE_CHECKING:
    from cmr_viewer.review.checks import Finding

KEY = "review-queue"
IDLE_MS = 400
"""So long nothing must change before the queue is made anew."""

PRIORITY = Priority.BACKGROUND - 5


class ReviewQueue(QObject):
    """Frames by millilitres at stake; follows what the reader does.

    Signals:
        changed(): The queue, or how far the reader is, is new.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._reading: OpenStudy | None = None
        self._memory = Memory()
        self._stakes: Stakes | None = None
        self._looked: set[FrameIndex] = set()
        self._dirty: set[FrameIndex] = set()
        self._since: set[FrameIndex] = set()
        self._idle = QTimer(self, singleShot=True, interval=IDLE_MS)
        self._idle.timeout.connect(self._submit)

    # -- what is known -------------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether stakes are known."""
        return self._stakes is not None

    @property
    def findings(self) -> "Mapping[FrameIndex, tuple[Finding, ...]] | None":
        """Findings of the checks by frame, as of the last change; None while they are not known."""
        return None if self._stakes is None else self._stakes.findings

    def entries(self) -> list[Entry]:
        """The queue in order; frames that were looked at or accepted come last."""
        reviews = self._reviews()
        accepted = {f for f, one in reviews.items() if one.status is ReviewStatus.ACCEPTED}
        order = [one.frame for one in queue(reviews)] + sorted(accepted)
        return [self._entry(frame, reviews[frame]) for frame in order]

    def progress(self, entries: "list[Entry] | None" = None) -> QueueProgress:
        """How far the reader is; with the entries, where they are known already."""
        entries = self.entries() if entries is None else entries
        left = [one for one in entries if not (one.looked_at or one.accepted)]
        reading = self._reading
        in_ml = reading is None or reading.voxel_ml()[0] is not None
        return QueueProgress(len(entries) - len(left), len(entries), sum(one.ml for one in left), in_ml)

    def next_frame(self, current: FrameIndex | None) -> Next | None:
        """The next frame to review and why; None where nothing is known yet, or nothing is left in the queue."""
        if self._stakes is None:
            return None
        left = {f: one for f, one in self._reviews().items() if one.is_worth_a_look and not one.looked_at}
        left = {f: one for f, one in left.items() if f != current}
        return next_frame(left) if left else None

    def _reviews(self) -> dict[FrameIndex, FrameReview]:
        """The frames that belong into the queue: something is at stake in them, or the reader has looked at them."""
        reading, stakes = self._reading, self._stakes
        if reading is None or stakes is None:
            return {}
        frames = {frame for frame, stake in stakes.stakes.items() if stake.is_worth_a_look} | self._looked
        return {frame: self._review(frame, reading.frames[frame], stakes) for frame in frames}

    def _review(self, frame: FrameIndex, record: FrameRecord, stakes: Stakes) -> FrameReview:
        predicted = record.region_prediction
        return FrameReview(
            region=record.region,
            probability=None if predicted is None else predicted.probability,
            by_reader=record.reader_region is not None,
            status=record.status,
            stake=stakes.stakes.get(frame),
            looked_at=frame in self._looked or record.edited,
        )

    def _entry(self, frame: FrameIndex, review: FrameReview) -> Entry:
        stake = review.stake or Stake(0.0, "")
        return Entry(
            frame=frame,
            region=review.region,
            ml=stake.ml,
            why=stake.why or "Nothing left at stake.",
            failed=stake.failed,
            looked_at=review.looked_at,
            accepted=review.status is ReviewStatus.ACCEPTED,
            in_ml=stake.in_ml,
        )

    # -- what the reader does ------------------------------------------------------------------------------------------

    def note_looked_at(self, frame: FrameIndex) -> None:
        """The reader has looked at a frame; counts where it is in the queue."""
        if frame not in self._looked and frame in self._reviews():
            self._looked.add(frame)
            self.changed.emit()

    @Slot()
    def begin(self) -> None:
        """A study was opened or left."""
        self._looked.clear()
        self.start_over()

    @Slot()
    def start_over(self) -> None:
        """Other models are in service, or the rules are others: what was found is dropped, what was looked at stays."""
        self._session.jobs.cancel(KEY)
        self._reading = self._session.study.reading
        self._memory, self._stakes = Memory(), None
        self._dirty = set() if self._reading is None else set(self._reading.frames)
        self.changed.emit()
        self.refresh()

    @Slot(object)
    def take_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        """Something of frames has changed: they are checked anew."""
        self._dirty.update(frames)
        self._since.update(frames)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Make the queue anew when nothing has changed for a moment."""
        if self._reading is None:
            self._idle.stop()
        else:
            self._idle.start()

    # -- what is computed ----------------------------------------------------------------------------------------------

    @Slot()
    def _submit(self) -> None:
        session, reading = self._session, self._reading
        if reading is None or reading is not session.study.reading:  # the session has ended
            return
        if session.models.is_analysing or not any(r.labels is not None for r in reading.frames.values()):
            return  # `analysed` comes
        changed = frozenset(self._dirty)
        self._since.clear()
        work = partial(
            stakes_of_frames,
            self._memory,
            session.models.flow,
            reading.stack,
            session.models.loaded,
            session.study.ring_fraction,
            self._snapshot(reading),
        )
        session.jobs.submit(KEY, TEXT, work, priority=PRIORITY, on_partial=partial(self._take, reading, changed))

    def _snapshot(self, reading: OpenStudy) -> Snapshot:
        records, (ed, es), models = reading.frames, reading.ed_es(), self._session.models.loaded
        ids = () if models is None else tuple(segmenters_of(models.active))
        known = {}
        for frame in (f for f in records if f.phase in (ed, es)):
            made = records[frame].predictions
            known.update({Question(frame, model): made[model].labels for model in ids if model in made})
        changed = {f: (_still(reading, f), records[f].region) for f in self._dirty}
        frames = {frame: _frame_snapshot(record) for frame, record in records.items()}
        geometry = reading.stack.geometry
        voxel_ml = reading.voxel_ml()[0]
        slice_ml = geometry.slice_weights * (voxel_ml or 0.001)
        return Snapshot(changed, frames, known, ed, es, slice_ml, voxel_ml is not None)

    def _take(self, reading: OpenStudy, changed: frozenset[FrameIndex], stakes: Stakes) -> None:
        if reading is self._reading:
            self._dirty -= changed - self._since  # what has changed since the job was made is for the next one
            self._stakes = stakes
            self.changed.emit()


def _still(reading: OpenStudy, frame: FrameIndex) -> LabelMap | None:
    """The label map of a frame, which is never written to; None where there is none."""
    return None if reading.frames[frame].labels is None else reading.still(frame)


def _frame_snapshot(record: FrameRecord) -> FrameSnapshot:
    return FrameSnapshot(
        region=record.region,
        by_reader=record.reader_region is not None,
        predicted=record.region_prediction,
        model_id=record.origin,
        done=record.stays,
        offered=None if record.proposal is None else record.proposal.labels,
    )


DWELL_MS = 1500
"""A frame that is displayed this long counts as reviewed."""

_AFTER_STROKE_MS = 40


class QueueFeature(Feature):
    """Shows the review queue, and notes what the reader looks at."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.queue = ReviewQueue(context.session, self)
        self.panel = QueuePanel(context.actions)
        context.parts.side.add_section(Page.REVIEW, "Review queue", self.panel)
        context.session.study.review_order = self.queue
        self._dwell = QTimer(self, singleShot=True, interval=DWELL_MS)
        self._dwell.timeout.connect(self._note)
        self._after_stroke = QTimer(self, singleShot=True, interval=_AFTER_STROKE_MS)
        self._after_stroke.timeout.connect(self._show)

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {"next_review": self.go_on}

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session, desk = self.context.session, self.context.desk
        return (
            (session.study.opened, self.queue.begin),
            (session.models.changed, self.queue.start_over),
            (session.study.analysed, self.queue.refresh),
            (session.study.frames_changed, self.queue.take_changes),
            (session.study.phase_marks_changed, self.queue.refresh),
            (self.queue.changed, self._show),
            (self.panel.frame_chosen, self.go_to),
            (desk.frame_changed, self._look),
            (desk.player.running_changed, self._look),
            (self.context.display.rule_changed, self.queue.start_over),
        )

    def drop_study(self) -> None:
        """The queue of no study is empty."""
        self._dwell.stop()
        self._after_stroke.stop()
        self.queue.begin()
        self.panel.show_current(None, (None, None))

    @Slot()
    def go_on(self) -> None:
        """The displayed frame was looked at: go to the one with most at stake."""
        desk = self.context.desk
        self.queue.note_looked_at(desk.frame)
        order = self.context.session.study.review_order  # another one while reads are adjudicated
        if self.queue.is_ready and order is not None and order.next_frame(desk.frame) is None:
            self.context.show_message("info", "The review queue is empty.")
        desk.next_review()

    @Slot(object)
    def go_to(self, frame: FrameIndex) -> None:
        """Show a frame of the queue."""
        self.context.desk.player.stop()
        self.context.desk.go(frame)

    @Slot()
    def _note(self) -> None:
        if self.context.session.study.stack is not None and not self.context.desk.player.running:
            self.queue.note_looked_at(self.context.desk.frame)

    @Slot()
    def _look(self) -> None:
        desk = self.context.desk
        if desk.player.running or self.context.session.study.stack is None:
            self._dwell.stop()
            return
        self._dwell.start()
        self._show_current()

    def _show_current(self) -> None:
        session, frame = self.context.session, self.context.desk.frame
        self.panel.show_current(frame, (session.study.ed_phase, session.study.es_phase))

    @Slot()
    def _show(self) -> None:
        if self.context.desk.painting:  # the stroke has all of the time; the queue follows when it ends
            self._after_stroke.start()
            return
        self.panel.set_colours(self.context.display.region_colours)
        session = self.context.session
        if session.study.stack is not None:
            self._show_current()
        entries = self.queue.entries()
        self.panel.show_queue(entries, self.queue.progress(entries), ready=self.queue.is_ready)
        self.context.display.checked.emit(self.queue.findings)
        self.context.desk.next_changed.emit()
