"""One reader at work: a workspace, the study that is open, and what is being computed for it."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot

from cmr_viewer.app.analysis import Flow, FrameResult, pipeline_flow
from cmr_viewer.app.computing import MODELS_KEY
from cmr_viewer.app.frame_states import Changed
from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.kept_frames import (
    Restored,
    draft_of,
    keep_and_read,
    put_back,
    why_not_acceptable,
)
from cmr_viewer.app.private_log import hide_from_log
from cmr_viewer.app.reading import Reading
from cmr_viewer.app.session_state import SessionState
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError
from cmr_viewer.progress import Progress
from cmr_viewer.review.edit import Point
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import ModelRegistry

log = logging.getLogger(__name__)

OPEN_KEY = "open"
MEASURES_INTERVAL_MS = 50

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last)."""

Opener = Callable[[Path, Progress], Study]


def open_with_readers(path: Path, progress: Progress) -> Study:
    """`load.study.open_study`; on the job thread."""
    from cmr_viewer.load.study import open_study  # noqa: PLC0415 - the readers would keep the window waiting

    return open_study(path, progress)


class Session(SessionState):
    """One workspace and the study that is open in it; its signals stand in `SessionState`.

    All methods and signals belong to the GUI thread and return at once; what takes time runs on the job thread, and
    what is kept is written on the store thread, in the order it was done.
    """

    def __init__(
        self,
        workspace: Workspace,
        registry: ModelRegistry,
        *,
        device: str = "auto",
        flow: Flow | None = None,
        opener: Opener = open_with_readers,
        parent: QObject | None = None,
    ) -> None:
        """Begin a session; `start` loads models once the window is shown.

        Args:
            workspace: Where everything is kept; it stays open, closing it is the caller's.
            registry: The models.
            device: "auto", "cpu" or "cuda".
            flow: What computes; None for the program's own pipeline.
            opener: What loads a study.
            parent: Qt parent.
        """
        super().__init__(workspace, registry, flow or pipeline_flow(), device, parent)
        self._opener = opener
        self._restored = False
        self._shown: FrameIndex | None = None
        self._ed_es: tuple[int | None, int | None] = (None, None)
        self._measures_timer = QTimer(self, singleShot=True, interval=MEASURES_INTERVAL_MS)
        self._measures_timer.timeout.connect(self._tell_measures)
        self._start_timer = QTimer(self, singleShot=True, interval=0)
        self._start_timer.timeout.connect(self.reload_models)
        self.jobs.failed.connect(self._on_job_failed)
        self.jobs.cancelled.connect(self._on_job_cancelled)
        self.keeper.failed.connect(self._on_not_kept)
        self._accepting.accepted.connect(self._on_accepted)
        self._computing.loaded.connect(self._on_models_loaded)
        self._computing.not_loaded.connect(self._on_models_not_loaded)
        self._computing.computed.connect(self._on_computed)
        self._computing.analysed.connect(self.analysed)

    # -- start, open, close --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Load models and worklist, and tell what was recovered; call it once the window is shown."""
        recovered = self.workspace.recovery.text()
        if recovered:
            self.message.emit("info", recovered)
        for problem in self.registry.problems():
            self.message.emit("warning", problem)
        self._refresh_worklist()
        self._start_timer.start()  # a study that is opened in this turn of the loop is loaded before torch is

    def reload_models(self) -> None:
        """Load the models that are in service now; unedited frames follow them."""
        self._computing.load()

    def open_path(self, path: Path) -> None:
        """Load a study from a folder or file."""
        path = Path(path)
        hide_from_log(path)
        self.study_opening.emit(str(path))
        self.jobs.submit(
            OPEN_KEY,
            "Opening the study",
            partial(_load, self._opener, path),
            priority=Priority.OPEN,
            on_finished=self._on_loaded,
            on_failed=self.study_failed.emit,
        )

    def close_study(self) -> None:
        """Close the study; all that was done in it is kept."""
        if self._put_away():
            self.study_closed.emit()

    def look_at(self, frame: FrameIndex) -> None:
        """Note which frame is shown, so that it is computed first."""
        self._shown = frame

    def analyse(self) -> None:
        """Compute what the study lacks, such as after a cancelled analysis."""
        if self._reading is not None and self._restored:
            self._computing.analyse(self._reading, self._shown)

    def shutdown(self) -> None:
        """Close the study, write everything that is queued and end the threads; no method may be called after it."""
        self._start_timer.stop()
        self._put_away()
        self._measures_timer.stop()
        self.jobs.shutdown()
        self.keeper.shutdown()

    def _put_away(self) -> bool:
        reading = self._reading
        if reading is None:
            return False
        reading.end_stroke()
        self._computing.stop()
        self._carry_out()
        self._reading, self._restored, self._shown = None, False, None
        return True

    def _on_loaded(self, study: Study) -> None:
        self._put_away()
        hide_from_log(study.name)
        reading = Reading(study)
        self._reading, self._ed_es = reading, reading.ed_es()
        log.info("Stack %s: %d phases, %d slices.", study.stack.stack_id, study.stack.phases, study.stack.slices)
        self.keeper.do(
            "Reading what is kept of the study",
            partial(keep_and_read, self.store, study),
            on_done=partial(self._on_restored, reading),
            on_failed=partial(self._on_not_restored, reading),
        )
        self.study_opened.emit()
        self.history_changed.emit()
        self.phase_marks_changed.emit()
        self.measures_changed.emit()
        for warning in study.warnings:
            self.message.emit("warning", warning)

    def _on_restored(self, reading: Reading, restored: Restored) -> None:
        if reading is self._reading:
            put_back(reading, restored)
            self._begin_work(reading)

    def _on_not_restored(self, reading: Reading, _message: str) -> None:
        if reading is self._reading:
            self._begin_work(reading)

    def _begin_work(self, reading: Reading) -> None:
        self._restored = True
        models = self._computing.models
        if models is not None:
            reading.set_active(models.active)
        self._carry_out()
        self.study_restored.emit()
        self._refresh_worklist()
        self.analyse()

    # -- what the reader does ------------------------------------------------------------------------------------------

    def set_reader(self, name: str) -> None:
        """From now on, what is kept is kept as this reader's; an empty name changes nothing."""
        self.workspace.reader = name.strip() or self.workspace.reader

    def set_region(self, frame: FrameIndex, region: Region) -> None:
        """Say the region of a frame: it is kept, routed and segmented anew; an edited label map gets a proposal."""
        self._open().set_region(frame, region)
        self._carry_out()

    def take_proposal(self, frame: FrameIndex) -> None:
        """Show the offered prediction in place of the reader's label map; undo brings that back."""
        self._open().take_proposal(frame)
        self._carry_out()

    def dismiss_proposal(self, frame: FrameIndex) -> None:
        """Decline the offered prediction."""
        self._open().dismiss_proposal(frame)
        self._carry_out()

    def begin_stroke(
        self, frame: FrameIndex, label: Label, radius_px: float, point: Point, only: Label | None = None
    ) -> Box | None:
        """Put the brush down.

        Args:
            frame: The frame.
            label: What is painted; BACKGROUND erases.
            radius_px: Radius of the brush in pixels of the frame.
            point: (row, col), centres of pixels are whole numbers.
            only: The label that an eraser is limited to, or None.

        Returns:
            The box of the label map that changed, or None.

        Raises:
            LabelMapError: The radius is not positive, or a point is not a number.
        """
        box = self._open().begin_stroke(frame, label, radius_px, point, only)
        self._carry_out()
        return box

    def extend_stroke(self, point: Point) -> Box | None:
        """Move the brush; the box of the label map that changed, or None.

        Raises:
            LabelMapError: The point is not a number.
        """
        box = self._open().extend_stroke(point)
        self._carry_out()
        return box

    def end_stroke(self) -> None:
        """Lift the brush: one undo step, and a draft is kept."""
        self._open().end_stroke()
        self._carry_out()

    def cancel_stroke(self) -> None:
        """Lift the brush and take the stroke back."""
        self._open().cancel_stroke()
        self._carry_out()

    def clear_label(self, frame: FrameIndex, label: Label | None = None) -> None:
        """Remove one label from a frame, or all."""
        self._open().clear(frame, label)
        self._carry_out()

    def copy_to_next_slice(self, frame: FrameIndex) -> FrameIndex | None:
        """Copy the label map to the next slice towards the apex; that frame, or None where there is none."""
        reading = self._open()
        target = FrameIndex(frame.phase, frame.slice_index + 1)
        if target not in reading.records or reading.records[frame].labels is None:
            self.message.emit("info", "There is no next slice, or there are no masks to copy.")
            return None
        reading.copy_to(frame, target)
        self._carry_out()
        return target

    def undo(self) -> FrameIndex | None:
        """Take the last change back; its frame, to be shown, or None."""
        return self._step(self._open().undo)

    def redo(self) -> FrameIndex | None:
        """Make the last undone change again; its frame, to be shown, or None."""
        return self._step(self._open().redo)

    def _step(self, step: Callable[[], FrameIndex | None]) -> FrameIndex | None:
        try:
            frame = step()
        except LabelMapError as error:
            self.message.emit("error", str(error))
            frame = None
        self._carry_out()
        return frame

    def set_ed(self, phase: int | None) -> None:
        """Mark end-diastole; None leaves it to the source or the volumes."""
        self._mark("reader_ed", phase)

    def set_es(self, phase: int | None) -> None:
        """Mark end-systole; None leaves it to the source or the volumes."""
        self._mark("reader_es", phase)

    def _mark(self, name: str, phase: int | None) -> None:
        reading = self._open()
        if phase is not None and not 0 <= phase < reading.stack.phases:
            self.message.emit("error", f"Phase {phase + 1} is not in this study of {reading.stack.phases} phases.")
            return
        setattr(reading, name, phase)
        ed, es, stack_id = reading.reader_ed, reading.reader_es, reading.stack.stack_id
        self.keeper.do("Keeping ED and ES", lambda: self.store.save_phase_mark(stack_id, ed=ed, es=es))
        self._tell_measures()

    # -- accepting -----------------------------------------------------------------------------------------------------

    def accept(self, frame: FrameIndex) -> None:
        """Accept a frame; `status_changed` tells when it is on disk."""
        why_not = why_not_acceptable(self._open(), frame)
        if why_not:
            self.message.emit("warning", why_not)
            return
        self._accept([frame])

    def accept_slice(self, slice_index: int) -> None:
        """Accept all phases of a slice that have masks."""
        self._accept_many([frame for frame in self._open().records if frame.slice_index == slice_index])

    def accept_all(self) -> None:
        """Accept all frames that have masks."""
        self._accept_many(list(self._open().records))

    def _accept_many(self, frames: list[FrameIndex]) -> None:
        reading = self._open()
        lacking = sum(bool(why_not_acceptable(reading, frame)) for frame in frames)
        self._accept(frames)
        if lacking:
            self.message.emit("info", f"{lacking} of {len(frames)} frames have no masks or region yet.")

    def _accept(self, frames: Iterable[FrameIndex]) -> None:
        reading = self._open()
        reading.end_stroke()
        self._carry_out()
        self._accepting.accept(reading, frames)
        self._carry_out()

    @Slot(object, object)
    def _on_accepted(self, reading: Reading, frames: tuple[FrameIndex, ...]) -> None:
        if reading is self._reading:
            self._carry_out()
        self.frames_accepted.emit(frames)
        self._refresh_worklist()

    # -- what follows --------------------------------------------------------------------------------------------------

    def _carry_out(self) -> None:
        """Keep, compute and tell what follows from the changes since the last call."""
        reading = self._reading
        if reading is None:
            return
        effects = reading.take_effects()
        stack_id = reading.stack.stack_id
        for frame in dict.fromkeys(effects.regions):
            record = reading.records[frame]
            predicted = None if record.region_prediction is None else record.region_prediction.region
            self.keeper.do(
                "Keeping a region",
                partial(self.store.save_region, stack_id, frame, record.reader_region, predicted=predicted),
            )
        drafts = [draft_of(reading, frame) for frame in dict.fromkeys(effects.drafts)]
        if drafts:
            self.keeper.do("Keeping a draft", partial(self.store.save_all, stack_id, drafts))
        if effects.wanted:
            self._computing.segment(reading, effects.wanted)
        self._tell(effects.changed)
        if effects.history:
            self.history_changed.emit()

    def _tell(self, changed: dict[FrameIndex, Changed]) -> None:
        signals = (
            (Changed.REGION, self.region_changed),
            (Changed.LABELS, self.labels_changed),
            (Changed.PROPOSAL, self.proposal_changed),
            (Changed.STATUS, self.status_changed),
        )
        for frame, what in changed.items():
            for flag, signal in signals:
                if flag in what:
                    signal.emit(frame)
        if changed:
            self.frames_changed.emit(tuple(changed))
        if any(Changed.LABELS in what for what in changed.values()) and not self._measures_timer.isActive():
            self._measures_timer.start()

    @Slot()
    def _tell_measures(self) -> None:
        if self._reading is None:
            return
        ed_es = self._reading.ed_es()
        if ed_es != self._ed_es:
            self._ed_es = ed_es
            self.phase_marks_changed.emit()
        self.measures_changed.emit()

    @Slot(object, object)
    def _on_computed(self, reading: Reading, results: list[FrameResult]) -> None:
        if reading is not self._reading:
            return
        regions = {r.frame: r.region_prediction for r in results if r.region_prediction is not None}
        predictions = {r.frame: r.prediction for r in results if r.prediction is not None}
        for frame, said in regions.items():
            reading.receive_region(frame, said)
        for frame, made in predictions.items():
            reading.receive_prediction(frame, made)
        stack_id = reading.stack.stack_id
        if regions:
            self.keeper.do("Keeping regions", partial(self.store.save_region_predictions, stack_id, regions))
        if predictions:
            self.keeper.do("Keeping masks", partial(self.store.save_predictions, stack_id, predictions))
        self._carry_out()

    @Slot()
    def _on_models_loaded(self) -> None:
        reading, models = self._reading, self._computing.models
        if reading is not None and models is not None and self._restored:
            reading.set_active(models.active)
            self._carry_out()
        self.models_changed.emit()
        self.analyse()

    @Slot(str)
    def _on_models_not_loaded(self, message: str) -> None:
        more = "" if self.models_ready else " Frames can be read and corrected by hand meanwhile."
        self.message.emit("warning", message + more)
        self.models_changed.emit()

    @Slot(str, str, str)
    def _on_job_failed(self, key: str, message: str, _details: str) -> None:
        if key not in (OPEN_KEY, MODELS_KEY):
            self.message.emit("error", message)

    @Slot(str)
    def _on_job_cancelled(self, key: str) -> None:
        if key == OPEN_KEY:
            self.study_failed.emit("Opening the study was cancelled.")

    @Slot(str)
    def _on_not_kept(self, message: str) -> None:
        self.message.emit("error", message)

    def _refresh_worklist(self) -> None:
        self.keeper.do("Reading the worklist", self.store.studies, on_done=self._on_studies)

    def _on_studies(self, studies: list[StudyRow]) -> None:
        self._studies = tuple(studies)
        self.worklist_changed.emit()


def _load(opener: Opener, path: Path, progress: Progress) -> Study:
    study = opener(path, progress)
    _ = study.stack.stack_id  # computed here, off the GUI thread, and kept by the stack
    return study
