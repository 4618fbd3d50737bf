"""The effort of this reader at the open study: measured, and saved now and then."""

from collections.abc import Iterable
from functools import partial
from time import monotonic

from PySide6.QtCore import QObject, QTimer, Slot

from cmr_viewer.app.saving import Saving
from cmr_viewer.domain.change import ChangeKind, Move, Verb
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.effort import EffortMeter, StudyEffort
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.effort import Effort, EffortRow, EffortStore
from cmr_viewer.store.tables import now_text

SAVE_EVERY_MS = 20_000
"""Time without changes is saved so often; with each change it is saved at once."""


class OwnEffort(QObject):
    """Measures one reader at one study at a time; a kill loses at most `SAVE_EVERY_MS` of looking."""

    def __init__(self, saving: Saving, store: EffortStore, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._saving, self._store, self._workspace = saving, store, workspace
        self._meter = EffortMeter(monotonic)
        self._stack_id: str | None = None
        self._read_id: int | None = None
        self._all = StudyEffort()
        self._to_save: dict[FrameIndex, Effort] = {}
        self._timer = QTimer(self, interval=SAVE_EVERY_MS)
        self._timer.timeout.connect(self.save)

    def begin(self, stack_id: str, read_id: int | None = None, *, counts: bool = True) -> None:
        """A study is open; looking at a read that is finished does not count."""
        self.end()
        self._stack_id, self._read_id, self._all = stack_id if counts else None, read_id, StudyEffort()
        self._timer.start()

    def add_earlier(self, rows: Iterable[EffortRow]) -> None:
        """What was spent on the study before it was opened now."""
        since, self._all = self._all, StudyEffort(rows)
        for row in since.rows:
            self._all = self._all.plus({row.frame: row.effort}, row.reader, row.session, row.begun_at)

    def end(self) -> None:
        """The study is closed; what is not saved yet is saved."""
        self.save()
        self._timer.stop()
        self._meter.show(None)
        self._stack_id, self._all = None, StudyEffort()

    def show(self, frame: FrameIndex | None) -> None:
        """A frame is shown."""
        self._meter.show(frame)

    def note_input(self) -> None:
        """The reader did something with mouse or keyboard."""
        self._meter.note_input()

    def note_edit(self, frame: FrameIndex | None) -> None:
        """A change was made; its frame, or None for the one that is shown."""
        self._meter.note_edit(frame)

    def note_moves(self, moves: Iterable[Move]) -> None:
        """The reader did, undid or redid something."""
        for move in moves:
            frame = move.change.frame
            if move.verb in (Verb.UNDO, Verb.REDO):
                self._meter.note_undo(frame)
            elif move.verb is Verb.DO and move.change.kind is ChangeKind.STROKE:
                self._meter.note_stroke(frame)
            elif move.verb is Verb.DO:
                self._meter.note_edit(frame)

    def take(self) -> dict[FrameIndex, Effort]:
        """What was spent since the last call, for the caller to save."""
        self._count()
        to_save, self._to_save = self._to_save, {}
        return to_save

    def _count(self) -> None:
        """Add what was spent up to now to all that was."""
        spent = self._meter.take()
        if self._stack_id is not None and spent:
            self._all = self._all.plus(spent, self._workspace.reader, self._workspace.session(), now_text())
            for frame, more in spent.items():
                self._to_save[frame] = self._to_save.get(frame, Effort()) + more

    @property
    def all(self) -> StudyEffort:
        """What was spent on the open study, the present moment included; asking saves nothing."""
        self._count()
        return self._all

    @Slot()
    def save(self) -> None:
        """Save what was spent since the last time."""
        stack_id, spent = self._stack_id, self.take()
        if stack_id is not None and spent:
            add = partial(self._store.add, stack_id, spent, self._read_id)
            self._saving.do("Saving the time spent", add, quiet=True)
