"""How long a reader is at work on each frame, and how many changes are made there. Without Qt; the clock is given."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.effort import Effort, EffortRow

PAUSE_S = 30.0
"""After so long without input a reader is taken to be away: time counts up to then, and on from the next input."""


class EffortMeter:
    """Measures one reader at one study.

    Time counts for the frame on show, up to `PAUSE_S` after the last input; showing a frame and changing one are
    inputs. A change counts for its own frame, or for the frame on show where it has none.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin to measure.

        Args:
            clock: Seconds that only ever go on, such as `time.monotonic`.
        """
        self._clock = clock
        self._shown: FrameIndex | None = None
        self._counted_to = 0.0
        self._input_at = 0.0
        self._spent: dict[FrameIndex, Effort] = {}

    def show(self, frame: FrameIndex | None) -> None:
        """Another frame is on show by the reader's doing; None for none."""
        self.note_input()
        self._shown = frame

    def note_input(self) -> None:
        """The reader moved the mouse, pressed a key or did anything else."""
        self._count_time()
        self._input_at = self._counted_to

    def note_stroke(self, frame: FrameIndex | None) -> None:
        """A brush stroke was made on a frame; None for the one on show."""
        self._add(frame, Effort(strokes=1))

    def note_edit(self, frame: FrameIndex | None) -> None:
        """Another change was made; its frame, or None for the one on show."""
        self._add(frame, Effort(edits=1))

    def note_undo(self, frame: FrameIndex | None) -> None:
        """A change was taken back or made again; its frame, or None for the one on show."""
        self._add(frame, Effort(undos=1))

    def take(self) -> dict[FrameIndex, Effort]:
        """What was spent since the last call, by frame."""
        self._count_time()
        spent, self._spent = self._spent, {}
        return spent

    def _count_time(self) -> None:
        """Count up to now, or to the end of the reader's attention."""
        now = self._clock()
        until = min(now, self._input_at + PAUSE_S)
        if self._shown is not None and until > self._counted_to:
            spent = Effort(active_s=until - self._counted_to)
            self._spent[self._shown] = self._spent.get(self._shown, Effort()) + spent
        self._counted_to = now

    def _add(self, frame: FrameIndex | None, more: Effort) -> None:
        self.note_input()
        where = self._shown if frame is None else frame
        if where is not None:
            self._spent[where] = self._spent.get(where, Effort()) + more


def effort_text(spent: Effort) -> str:
    """Effort in words, for a reader: "3 min 5 s, 12 strokes, 4 other changes, 1 undo"; empty where there is none."""
    if not spent:
        return ""
    minutes, seconds = divmod(round(spent.active_s), 60)
    hours, minutes = divmod(minutes, 60)
    time = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    counts = (
        (spent.strokes, "stroke", "strokes"),
        (spent.edits, "other change", "other changes"),
        (spent.undos, "undo", "undos"),
    )
    return ", ".join([time, *(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)])


class StudyEffort:
    """What was spent on a study, by all readers in all sessions.

    Attributes:
        rows: By frame, reader and session.
    """

    def __init__(self, rows: Iterable[EffortRow] = ()) -> None:
        self.rows = tuple(rows)

    @property
    def total(self) -> Effort:
        """Altogether."""
        return sum((row.effort for row in self.rows), Effort())

    def of_frame(self, frame: FrameIndex) -> Effort:
        """On one frame."""
        return sum((row.effort for row in self.rows if row.frame == frame), Effort())

    def of_reader(self, reader: str) -> Effort:
        """By one reader."""
        return sum((row.effort for row in self.rows if row.reader == reader), Effort())

    @property
    def text(self) -> str:
        """The total in words, for a reader; empty where nothing was spent."""
        return effort_text(self.total)

    def plus(self, more: "dict[FrameIndex, Effort]", reader: str, session: int, now: str) -> "StudyEffort":
        """This, and what a reader spent since.

        Args:
            more: By frame.
            reader: Who.
            session: In which session.
            now: When, ISO 8601 UTC.
        """
        rows = {(row.frame, row.reader, row.session): row for row in self.rows}
        for frame, spent in more.items():
            key = (frame, reader, session)
            before = rows.get(key, EffortRow(frame, reader, session, now, Effort()))
            rows[key] = replace(before, effort=before.effort + spent)
        return StudyEffort(rows[key] for key in sorted(rows))
