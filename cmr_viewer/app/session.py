"""One reader at work: a workspace, the study that is open, and what is being computed for it."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot

from cmr_viewer.analyse import Flow, FrameResult, own_flow
from cmr_viewer.app.computing import MODELS_KEY
from cmr_viewer.app.private_log import hide_from_log
from cmr_viewer.app.second_read import SessionReads
from cmr_viewer.app.session_edits import changes
from cmr_viewer.app.study_opening import OPEN_KEY, StudyOpening
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.file_names import text_of_path
from cmr_viewer.pipeline import begin
from cmr_viewer.progress import Progress
from cmr_viewer.reading.open_study import Reading
from cmr_viewer.reading.opening import Asked, Loaded, Opener, Preview, with_repeats, with_stack
from cmr_viewer.reading.saving import Saved, put_back, why_not_acceptable
from cmr_viewer.store.annotations import StudyRow
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.reads import Read

log = logging.getLogger(__name__)


def open_with_readers(
    path: Path, progress: Progress, opening: Opening, preview: Preview | None, index: Path | None = None
) -> Study:
    """`load.study.open_study`; on the job thread."""
    from cmr_viewer.load.study import open_study  # noqa: PLC0415 - the readers would keep the window waiting

    return open_study(path, progress, opening, preview, index)


def _import_checks() -> None:
    """Import what checks label maps before the first is shown: scipy would keep the window waiting."""
    import cmr_viewer.review.checks  # noqa: F401, PLC0415


class Session(SessionReads):
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
        opener: Opener | None = None,
        index: Path | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Begin a session; `start` loads models once the window is shown.

        Args:
            workspace: Where everything is kept; it stays open, closing it is the caller's.
            registry: The models.
            device: "auto", "cpu" or "cuda".
            flow: What computes; None for the program's own pipeline.
            opener: What loads a study; None for the program's own readers.
            index: Folder where those remember headers, so that a study seen before opens at once; None for nowhere.
            parent: Qt parent.
        """
        super().__init__(workspace, registry, flow or own_flow(), device, parent)
        reads = opener or partial(open_with_readers, index=index)
        self._loading = StudyOpening(self.jobs, reads, self.saved, self)
        self._start_timer = QTimer(self, singleShot=True, interval=0)
        self._start_timer.timeout.connect(self.reload_models)
        self._loading.previewed.connect(self.study_previewed)
        self.jobs.failed.connect(self._on_job_failed)
        self.jobs.cancelled.connect(self._on_job_cancelled)
        self.keeper.failed.connect(self._on_not_kept)
        self._accepting.accepted.connect(self._on_accepted)
        self._accepting.not_accepted.connect(self._on_not_accepted)
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
        self.keeper.do("Preparing the checks", _import_checks)
        self._start_timer.start()  # a study that is opened in this turn of the loop is loaded before torch is

    def reload_models(self) -> None:
        """Load the models that are in service now; unedited frames follow them."""
        self._computing.load()

    @property
    def is_opening(self) -> bool:
        """Whether a study is being loaded."""
        return self._loading.is_busy

    def open_path(self, path: Path, stack_id: str | None = None) -> None:
        """Load a study from a folder or file, as it was opened last.

        Args:
            path: File or folder.
            stack_id: The stack of the worklist that is meant, where the files hold several; None for the last one.
        """
        self._load(Asked(Path(path), stack_id=stack_id))

    def let_wait(self, sources: Sequence[Path]) -> None:
        """Let studies wait in the worklist until they are opened, also when the program is closed meanwhile."""
        for source in sources:
            hide_from_log(source)
        self.keeper.do("Saving the worklist", partial(self.waiting_studies.add, tuple(sources)))
        self._refresh_worklist()

    def let_wait_no_longer(self, sources: Sequence[Path]) -> None:
        """Take studies that wait off the worklist."""
        self.keeper.do("Saving the worklist", partial(self.waiting_studies.remove, tuple(sources)))
        self._refresh_worklist()

    def cancel_opening(self) -> None:
        """Stop loading; the study that is open stays."""
        self._loading.cancel()

    def choose_stack(self, key: str) -> None:
        """Open another stack of the same files; `StackChoice.key`."""
        self._open_differently(with_stack(self.opening, key), follow=True)

    def choose_repeats(self, chosen: Mapping[str, str]) -> None:
        """Use other acquisitions of repeated slices: `RepeatedSlice.key` to `StackChoice.key`."""
        self._open_differently(with_repeats(self.opening, dict(chosen)))

    def turn_round(self) -> None:
        """Turn base and apex round; what was made of a frame stays with it."""
        self._open_differently(replace(self.opening, base_reversed=not self.opening.base_reversed))

    def take_next_slice_axis(self) -> None:
        """Open a volume file with its slices along the next of its axes; a spacing that was given holds no longer."""
        study = self.study
        if study is not None:
            axis = (study.source_axes.across + 1) % 3
            self._open_differently(replace(self.opening, slice_axis=axis, spacing_mm=None, base_reversed=False))

    def change_any_size(self) -> None:
        """Allow volumes that no human heart has, or withhold them again."""
        self._open_differently(replace(self.opening, any_size=not self.opening.any_size))

    def correct_spacing(self, spacing_mm: tuple[float, float, float] | None) -> None:
        """Use (row, col, slice) distances instead of the files'; None for the files' own."""
        self._open_differently(replace(self.opening, spacing_mm=spacing_mm))

    def _open_differently(self, opening: Opening, *, follow: bool = False) -> None:
        reading, loaded = self._reading, self._loaded
        if reading is None or loaded is None or opening == loaded.opening:
            return
        if self._read is not None:
            text = (
                "How a study is opened can be changed only in the first read. Show the first read and change it there."
            )
            self.message.emit("warning", text)
            return
        asked = Asked(
            loaded.asked.path,
            opening,
            before=reading.stack,
            shown=self._shown,
            before_opening=loaded.opening,
            follow=follow,
        )
        self._load(asked)

    def _load(self, asked: Asked) -> None:
        hide_from_log(asked.path)
        self._loading.open(asked, self._on_loaded, self.study_failed.emit)
        self.study_opening.emit(text_of_path(asked.path))

    def close_study(self) -> None:
        """Close the study; all that was done in it is kept."""
        if self._leave():
            self.study_closed.emit()

    def look_at(self, frame: FrameIndex) -> None:
        """Note which frame is shown, so that it is computed first."""
        self._shown = frame
        self._effort.show(frame)

    def analyse(self) -> None:
        """Compute what the study lacks, such as after a cancelled analysis."""
        if self._reading is None or not self._restored:
            return
        if self.can_change:
            self._computing.analyse(self._reading, self._shown)
        else:  # what a finished read shows stays as it was
            self.analysed.emit()

    @property
    def why_not_whole(self) -> str:
        """Why the results are not whole yet, where the analysis is still to come to frames; empty where it is not."""
        reading = self._reading
        if reading is None or not self.can_change:
            return ""
        loading = not self.models_ready and not self.models_problem
        if self._restored and not loading and not self.is_analysing:
            return ""
        lacking, frames = len(reading.records) - len(reading.frames.segmented()), len(reading.records)
        return f"The analysis is not finished: {lacking} of {frames} frames have no label map yet." if lacking else ""

    def shutdown(self) -> None:
        """Close the study, write everything that is queued and end the threads; no method may be called after it."""
        self._start_timer.stop()
        self._put_away()
        self._measures_timer.stop()
        self.jobs.shutdown()
        self.keeper.shutdown()

    def _leave(self) -> bool:
        """Leave the study that is open, so that nothing of it is shown or computed any more; whether there was one."""
        left = self._put_away()
        if left:
            self.study_left.emit()
        return left

    def _put_away(self) -> bool:
        reading = self._reading
        if reading is None:
            return False
        reading.end_stroke()
        self._computing.stop()
        self.jobs.leave_study()
        self._carry_out(last=True)
        if self._shown is not None:
            keep = partial(self.saved.save_place, reading.stack.stack_id, self._shown)
            self.keeper.do("Saving your place in the study", keep, quiet=True)
        self._effort.end()
        self._take_name(None)
        self._reading, self._loaded, self._restored, self._shown = None, None, False, None
        self._unread = False
        self._read, self._summaries, self._both, self._beside = None, (), None, ()
        self._checked.clear()
        self._set_offer(None)
        return True

    def _on_loaded(self, loaded: Loaded) -> None:
        self._leave()
        study = loaded.study
        hide_from_log(study.name)
        log.info("Stack %s: %d phases, %d slices.", study.stack.stack_id, study.stack.phases, study.stack.slices)
        self._begin(loaded, partial(self.saved.open, loaded))
        if self._waiting:
            self.let_wait_no_longer([loaded.asked.path, study.source])
        if study.others:
            self._let_others_wait(study.others)

    def _let_others_wait(self, sources: Sequence[Path]) -> None:
        """Let the other patients of a folder wait, but for those that were opened before."""
        for source in sources:
            hide_from_log(source)

        def wait() -> None:
            known = {Path(row.source).absolute() for row in self.saved.annotations.studies()}
            self.waiting_studies.add([source for source in sources if source.absolute() not in known])

        self.keeper.do("Saving the worklist", wait)
        self._refresh_worklist()

    def _enter(self, read: Read | None) -> None:
        loaded, shown = self._loaded, self._shown
        if loaded is None or read == self._read:
            return
        self._leave()
        # Another study, to all that still works for the read that is left: nothing of it may arrive in this one.
        study = replace(loaded.study, stacks=tuple(map(copy, loaded.study.stacks)))
        loaded = replace(loaded, study=study, read=read, stay_at=shown)
        self._begin(loaded, self.saved.enter)

    def _begin(self, loaded: Loaded, read: Callable[[Reading], Saved]) -> None:
        """Show a study in one of its reads; what is kept of it is read on the store thread."""
        reading = begin(loaded)
        self._reading, self._loaded, self._ed_es = reading, loaded, reading.ed_es()
        self._read = loaded.read
        self._take_name(loaded.read)
        self._effort.begin(reading.stack.stack_id, reading.read_id, counts=self.can_change)
        self.save_again()  # before what is kept is read, which may be of a study whose work is not saved yet
        self.keeper.do(
            "Loading your saved work",
            partial(read, reading),
            on_done=partial(self._on_restored, reading),
            on_failed=partial(self._on_not_restored, reading),
        )
        self._refresh_reads()
        self.study_opened.emit()
        self.reads_changed.emit()
        self.history_changed.emit()
        self.phase_marks_changed.emit()
        self.measures_changed.emit()

    def _on_restored(self, reading: Reading, saved: Saved) -> None:
        if reading is self._reading:
            put_back(reading, saved)
            self._effort.add_earlier(saved.effort)
            self._begin_work(reading)
            self.facts_changed.emit()
            if saved.carried:
                one = saved.carried == 1
                moved = "1 saved frame was" if one else f"{saved.carried} saved frames were"
                self.message.emit("info", f"The stack was opened in a different way; {moved} carried over to it.")

    def _on_not_restored(self, reading: Reading, _message: str) -> None:
        if reading is self._reading:
            self._unread = True
            self._begin_work(reading)

    def _begin_work(self, reading: Reading) -> None:
        self._restored = True
        models = self._computing.models
        if models is not None and self.can_change:
            reading.frames.set_active(models.active)
        self._carry_out()
        self.study_restored.emit()
        self._read_beside()
        self._refresh_worklist()
        self.analyse()

    # -- accepting -----------------------------------------------------------------------------------------------------

    @changes(None)
    def accept(self, frame: FrameIndex) -> None:
        """Accept a frame; `status_changed` tells when it is on disk."""
        why_not = why_not_acceptable(self._open(), frame)
        if why_not:
            self.message.emit("warning", why_not)
            return
        self._accept([frame], "accept")

    def accept_slice(self, slice_index: int) -> None:
        """Accept all phases of a slice that have masks."""
        frames = [frame for frame in self._open().records if frame.slice_index == slice_index]
        self._accept_many(frames, f"accept slice {slice_index + 1}")

    def accept_phase(self, phase: int) -> None:
        """Accept all slices of a phase that have masks."""
        self._accept_many(
            [frame for frame in self._open().records if frame.phase == phase], f"accept phase {phase + 1}"
        )

    def accept_all(self) -> None:
        """Accept all frames that have masks."""
        self._accept_many(list(self._open().records), "accept the study")

    @changes(None)
    def _accept_many(self, frames: list[FrameIndex], text: str) -> None:
        reading = self._open()
        lacking = sum(bool(why_not_acceptable(reading, frame)) for frame in frames)
        self._accept(frames, text)
        if lacking:
            self.message.emit(
                "info", f"{lacking} of {len(frames)} frames were not accepted: they have no label map or no region yet."
            )

    def _accept(self, frames: Iterable[FrameIndex], text: str) -> None:
        reading = self._open()
        reading.end_stroke()
        self._carry_out(last=True)
        if self._accepting.accept(reading, frames, text):
            self._effort.note_edit(self._shown)
        self._carry_out()

    @Slot(object, object)
    def _on_accepted(self, reading: Reading, frames: tuple[FrameIndex, ...]) -> None:
        if reading is self._reading:
            self._carry_out()
        self.frames_accepted.emit(frames)
        self._refresh_worklist()

    @Slot(object)
    def _on_not_accepted(self, reading: Reading) -> None:
        if reading is self._reading:
            self._carry_out()

    # -- what is computed ----------------------------------------------------------------------------------------------

    @Slot(object, object)
    def _on_computed(self, reading: Reading, results: list[FrameResult]) -> None:
        if reading is not self._reading:
            return
        reading.receive(results)
        self._carry_out()

    @Slot()
    def _on_models_loaded(self) -> None:
        reading, models = self._reading, self._computing.models
        if reading is not None and models is not None and self._restored and self.can_change:
            reading.frames.set_active(models.active)
            self._carry_out()
        self.models_changed.emit()
        self.analyse()

    @Slot(str)
    def _on_models_not_loaded(self, message: str) -> None:
        more = "" if self.models_ready else " You can still read frames and correct them by hand."
        self.message.emit("warning", message + more)
        self.models_changed.emit()

    @Slot(str, str, str)
    def _on_job_failed(self, key: str, message: str, _details: str) -> None:
        if key not in (OPEN_KEY, MODELS_KEY):
            self.message.emit("error", message)

    @Slot(str)
    def _on_job_cancelled(self, key: str) -> None:
        if key == OPEN_KEY:
            self.opening_cancelled.emit()

    @Slot(str)
    def _on_not_kept(self, message: str) -> None:
        self.message.emit("error", message)

    def _refresh_worklist(self) -> None:
        self.keeper.do(
            "Reading the worklist",
            lambda: (self.saved.annotations.studies(), self.waiting_studies.all()),
            on_done=self._on_worklist,
        )

    def _on_worklist(self, worklist: tuple[list[StudyRow], list[Path]]) -> None:
        studies, waiting = worklist
        self._studies, self._waiting = tuple(studies), tuple(waiting)
        self.worklist_changed.emit()
