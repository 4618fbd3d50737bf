"""Work beside the window: jobs run one after another, the more urgent first.

A job is a plain function `work(progress)` of the Qt-free packages. If it is a generator, each yielded value is a
partial result, and a more urgent job may run between two of them: the generator waits and goes on afterwards.

What the reader waits for does not wait for a step of what computes in the background, which may take seconds: opening a
study and the reader's own requests have a thread each. Background work rests while they run, from its next result or
call of `progress` on.
"""

import heapq
import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from cmr_viewer.errors import CmrViewerError
from cmr_viewer.progress import Cancelled, Progress

log = logging.getLogger(__name__)

Work = Callable[[Progress], Any]


class Priority(IntEnum):
    """How urgent a job is; the larger goes first."""

    RENEWAL = 5
    BACKGROUND = 10
    MODELS = 20
    OPEN = 30
    READER = 40


class _Lane(IntEnum):
    """What runs one after another on a thread of its own."""

    BACKGROUND = 0
    OPEN = 1
    READER = 2


def _lane_of(priority: int) -> _Lane:
    return _Lane.BACKGROUND if priority < Priority.OPEN else _Lane.OPEN if priority == Priority.OPEN else _Lane.READER


class _News(Enum):
    STARTED = "started"
    PROGRESS = "progress"
    PARTIAL = "partial"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class _Job:
    key: str
    text: str
    work: Work
    priority: int
    serial: int
    on_partial: Callable[[Any], None] | None
    on_finished: Callable[[Any], None] | None
    on_failed: Callable[[str], None] | None
    outlives_study: bool
    stop: threading.Event = field(default_factory=threading.Event)
    begun: bool = False
    steps: Generator[Any, Any, Any] | None = None
    latest_progress: tuple[float, str] | None = None

    def __lt__(self, other: "_Job") -> bool:
        return (-self.priority, self.serial) < (-other.priority, other.serial)

    @property
    def lane(self) -> _Lane:
        """Where it runs."""
        return _lane_of(self.priority)

    def close(self) -> None:
        """Let an unfinished generator clean up; call it on the thread that runs the job."""
        steps, self.steps = self.steps, None
        if steps is not None:
            try:
                steps.close()
            except Exception:
                log.exception("%s did not clean up.", self.text)


class Jobs(QObject):
    """Runs jobs on threads of its own and emits what became of them on the thread it was made on.

    A key names what a job is for. Submitting a key again supersedes the earlier job of that key: it is asked to stop
    and nothing of it is emitted any more. The same holds for a cancelled job.

    Signals:
        started(str key, str text): A job was begun.
        progressed(str key, float fraction, str text): How far it is; only the latest is emitted.
        partial(str key, object result): A generator yielded a result.
        finished(str key, object result): What the function returned.
        failed(str key, str message, str details): The work raised; `message` is for a reader, `details` the traceback.
        cancelled(str key): The job was cancelled; emitted at once, also where the work needs a moment to notice.
    """

    started = Signal(str, str)
    progressed = Signal(str, float, str)
    partial = Signal(str, object)
    finished = Signal(str, object)
    failed = Signal(str, str, str)
    cancelled = Signal(str)
    _wake = Signal()

    def __init__(self, name: str = "jobs", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._current: dict[str, _Job] = {}
        self._serial = 0
        self._condition = threading.Condition()
        self._waiting: dict[_Lane, list[_Job]] = {lane: [] for lane in _Lane}
        self._urgent = 0
        self._closing = False
        self._queue: deque[tuple[_News, _Job, Any]] = deque()
        self._queue_lock = threading.Lock()
        self._wake_is_due = False
        self._has_news = threading.Event()
        self._wake.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._threads: dict[_Lane, threading.Thread] = {}

    def submit(
        self,
        key: str,
        text: str,
        work: Work,
        *,
        priority: int = Priority.BACKGROUND,
        on_partial: Callable[[Any], None] | None = None,
        on_finished: Callable[[Any], None] | None = None,
        on_failed: Callable[[str], None] | None = None,
        outlives_study: bool = False,
    ) -> None:
        """Queue a job.

        Args:
            key: What the job is for; an earlier job of the same key is superseded.
            text: What it does, for a reader.
            work: Called with a `Progress` on a job thread; may be a generator function.
            priority: The larger goes first; equals in the order they were submitted. What is as urgent as
                `Priority.OPEN`, or more, does not wait for what is less urgent to come to the end of a step.
            on_partial: Called on this object's thread with each yielded value.
            on_finished: Called on this object's thread with the returned value.
            on_failed: Called on this object's thread with the message.
            outlives_study: Whether it goes on when the study is left, such as the opening of another one.

        Raises:
            RuntimeError: `shutdown` was called.
        """
        self._stop(key)
        with self._condition:
            if self._closing:
                raise RuntimeError("Jobs were submitted after the job thread was shut down.")
            self._serial += 1
            job = _Job(key, text, work, int(priority), self._serial, on_partial, on_finished, on_failed, outlives_study)
            self._current[key] = job
            heapq.heappush(self._waiting[job.lane], job)
            self._urgent += job.lane is not _Lane.BACKGROUND
            if job.lane not in self._threads:
                name = f"cmr-viewer-{self._name}-{job.lane.name.lower()}"
                thread = threading.Thread(target=self._run, args=(job.lane,), name=name, daemon=True)
                self._threads[job.lane] = thread
                thread.start()
            self._condition.notify_all()

    def cancel(self, key: str) -> None:
        """Ask a job to stop; `cancelled` is emitted at once and no result after that. Unknown keys are ignored."""
        if self._stop(key):
            self.cancelled.emit(key)

    def leave_study(self) -> None:
        """Cancel everything that was done for the study which was open."""
        for key in [key for key, job in self._current.items() if not job.outlives_study]:
            self.cancel(key)

    def is_busy(self, key: str | None = None) -> bool:
        """Whether a job of this key, or any job, is queued or running."""
        return bool(self._current) if key is None else key in self._current

    def shutdown(self, *, finish: bool = False, timeout_s: float = 15.0) -> bool:
        """End the threads.

        Args:
            finish: True runs everything that is queued first; False asks all work to stop.
            timeout_s: How long to wait for the threads.

        Returns:
            Whether they have ended; they are daemons and cannot keep the program from ending.
        """
        deadline = time.monotonic() + timeout_s
        if finish:
            self.finish(timeout_s)
        for key in list(self._current):
            self.cancel(key)
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        ended = not any(thread.is_alive() for thread in self._threads.values())
        if not ended:
            log.warning("A job did not stop within %.0f s.", timeout_s)
        self._deliver()
        return ended

    def finish(self, timeout_s: float) -> bool:
        """Wait for what is queued, and for what the results of it queue; whether all of it is done."""
        deadline = time.monotonic() + timeout_s
        while self._current and (left := deadline - time.monotonic()) > 0:
            self._has_news.wait(min(left, 1.0))
            self._deliver()
        return not self._current

    def _stop(self, key: str) -> bool:
        job = self._current.pop(key, None)
        if job is None:
            return False
        job.stop.set()
        with self._condition:
            self._condition.notify_all()
        return True

    # -- on the job threads --------------------------------------------------------------------------------------------

    def _run(self, lane: _Lane) -> None:
        waiting = self._waiting[lane]
        while True:
            with self._condition:
                while not (self._closing or (waiting and (self._may_run(lane) or waiting[0].stop.is_set()))):
                    self._condition.wait()
                if not waiting:
                    return
                job = heapq.heappop(waiting)
            more = self._step(job)
            with self._condition:
                if more:
                    heapq.heappush(waiting, job)
                elif lane is not _Lane.BACKGROUND:
                    self._urgent -= 1
                    self._condition.notify_all()

    def _may_run(self, lane: _Lane) -> bool:
        """Whether nothing more urgent is there that a lane rests for."""
        return lane is not _Lane.BACKGROUND or not self._urgent

    def _rest(self, job: _Job) -> None:
        """Wait for what is more urgent, on the thread of the job."""
        with self._condition:
            while not (self._may_run(job.lane) or job.stop.is_set() or self._closing):
                self._condition.wait()

    def _step(self, job: _Job) -> bool:
        """Run a job to its end or to its next partial result; whether there is more to do."""
        try:
            if job.stop.is_set():
                raise Cancelled
            if not job.begun:
                job.begun = True
                self._post(_News.STARTED, job)
                result = job.work(self._progress_of(job))
                if not isinstance(result, Generator):
                    self._post(_News.FINISHED, job, result)
                    return False
                job.steps = result
            assert job.steps is not None
            self._post(_News.PARTIAL, job, next(job.steps))
            return True
        except StopIteration as end:
            self._post(_News.FINISHED, job, end.value)
        except Cancelled:
            job.close()
            self._post(_News.CANCELLED, job)
        except CmrViewerError as error:
            self._post(_News.FAILED, job, (str(error), traceback.format_exc()))
        except Exception as error:  # noqa: BLE001 - the job boundary: whatever happens, the thread goes on
            message = f"{job.text} failed: {type(error).__name__}: {error}. The log has details."
            self._post(_News.FAILED, job, (message, traceback.format_exc()))
        return False

    def _progress_of(self, job: _Job) -> Progress:
        def progress(fraction: float, text: str) -> None:
            self._rest(job)
            if job.stop.is_set():
                raise Cancelled
            first = job.latest_progress is None
            job.latest_progress = (fraction, text)
            if first:
                self._post(_News.PROGRESS, job)

        return progress

    def _post(self, what: _News, job: _Job, value: Any = None) -> None:
        with self._queue_lock:
            self._queue.append((what, job, value))
            self._has_news.set()
            wake, self._wake_is_due = not self._wake_is_due, True
        if wake:
            try:
                self._wake.emit()
            except RuntimeError:  # the QObject was deleted while the work was ending
                log.warning("A job reported its result after the program was closed.")

    # -- on the thread this object was made on -------------------------------------------------------------------------

    @Slot()
    def _deliver(self) -> None:
        with self._queue_lock:
            self._wake_is_due = False
        while True:
            with self._queue_lock:
                if not self._queue:
                    self._has_news.clear()
                    return
                what, job, value = self._queue.popleft()
                # A receiver may run an event loop of its own, as a dialog does, or fail: this delivers the rest then.
                wake = bool(self._queue) and not self._wake_is_due
                self._wake_is_due = self._wake_is_due or wake
            if wake:
                self._wake.emit()
            if self._current.get(job.key) is job:
                self._deliver_one(what, job, value)

    def _deliver_one(self, what: _News, job: _Job, value: Any) -> None:
        if what is _News.STARTED:
            self.started.emit(job.key, job.text)
        elif what is _News.PROGRESS:
            latest, job.latest_progress = job.latest_progress, None
            if latest is not None:
                self.progressed.emit(job.key, min(1.0, max(0.0, latest[0])), latest[1])
        elif what is _News.PARTIAL:
            if job.on_partial is not None:
                job.on_partial(value)
            self.partial.emit(job.key, value)
        else:
            del self._current[job.key]
            self._deliver_end(what, job, value)

    def _deliver_end(self, what: _News, job: _Job, value: Any) -> None:
        if what is _News.FINISHED:
            if job.on_finished is not None:
                job.on_finished(value)
            self.finished.emit(job.key, value)
        elif what is _News.FAILED:
            message, details = value
            log.error("%s failed.\n%s", job.text, details)
            if job.on_failed is not None:
                job.on_failed(message)
            self.failed.emit(job.key, message, details)
        else:
            self.cancelled.emit(job.key)
