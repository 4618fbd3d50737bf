"""The review queue on the page of the review; N goes through it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PySide6.QtCore import QTimer, Slot

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.features.queue.panel import QueuePanel
from cmr_viewer.ui.features.queue.queue import ReviewQueue
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page

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
