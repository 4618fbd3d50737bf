"""The models in use: loaded once, then asked for what the open study lacks."""

import logging
from collections.abc import Collection
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cmr_viewer.analyse import Flow, FrameResult, LoadedModels
from cmr_viewer.app.jobs import Jobs, Priority
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.pipeline import analyse, load_active_models
from cmr_viewer.progress import Progress
from cmr_viewer.reading.missing import missing_of, missing_of_frame
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.store.model_registry import ModelRegistry

log = logging.getLogger(__name__)

MODELS_KEY = "models"
ANALYSIS_KEY = "analysis"


class ModelsInUse(QObject):
    """Loads the active models on the job thread and runs them; single frames go before the analysis of a study.

    Attributes:
        registry: Which models there are, and which are active.
        flow: The steps that compute.
        loaded: The active models, once they are loaded.
        problem: Why they could not be loaded, for a reader; empty if they could, or are not yet.

    Signals:
        changed(): `loaded` or `problem` is new: the models were loaded, or loaded anew after a promotion or roll-back.
        not_loaded(str message): The models could not be loaded; earlier ones stay in use. Or a retrained one could not
            be; the one before it stands in. `changed` follows.
        computed(object OpenStudy, object list of FrameResult): New results of a study; a batch at a time.
        analysed(): Everything that was missing of a study is computed.
        busy_changed(bool busy): The models begin to compute for the open study, or have come to an end.
    """

    changed = Signal()
    not_loaded = Signal(str)
    computed = Signal(object, object)
    analysed = Signal()
    busy_changed = Signal(bool)

    def __init__(
        self, jobs: Jobs, registry: ModelRegistry, flow: Flow, device: str, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.registry, self.flow = registry, flow
        self.loaded: LoadedModels | None = None
        self.problem = ""
        self._jobs, self._device = jobs, device
        self._results: list[FrameResult] = []
        self._reading: OpenStudy | None = None
        self._frame_keys: set[str] = set()
        self._was_busy = False
        for signal in (jobs.started, jobs.finished, jobs.failed, jobs.cancelled):
            signal.connect(self._on_jobs_changed)
        self._batch = QTimer(self, singleShot=True, interval=0)
        self._batch.timeout.connect(self._emit_results)

    @property
    def is_analysing(self) -> bool:
        """Whether regions and label maps of the open study are being computed."""
        return self._jobs.is_busy(ANALYSIS_KEY)

    @property
    def is_busy(self) -> bool:
        """Whether the models compute for the open study, all of it or single frames."""
        return any(self._jobs.is_busy(key) for key in (ANALYSIS_KEY, *self._frame_keys))

    @Slot()
    def _on_jobs_changed(self) -> None:
        if self.is_busy != self._was_busy:
            self._was_busy = not self._was_busy
            self.busy_changed.emit(self._was_busy)

    @property
    def is_loading(self) -> bool:
        """Whether the models are not loaded yet, and nothing stands in the way."""
        return self.loaded is None and not self.problem

    def load(self) -> None:
        """Load the active models, or load them anew."""
        self._jobs.submit(
            MODELS_KEY,
            "Loading models",
            self._load,
            priority=Priority.MODELS,
            outlives_study=True,
            on_finished=self._on_loaded,
            on_failed=self._on_not_loaded,
        )

    def _load(self, progress: Progress) -> tuple[LoadedModels, list[str]]:
        """The active models, and what the reader should know about those that are not among them."""
        warnings: list[str] = []
        return load_active_models(self.flow, self.registry, self._device, progress, warn=warnings.append), warnings

    def _on_loaded(self, loaded: tuple[LoadedModels, list[str]]) -> None:
        models, warnings = loaded
        self.loaded, self.problem = models, ""
        log.info("Models in use: %s.", ", ".join(models.active.values()))
        for warning in warnings:
            self.not_loaded.emit(warning)
        self.changed.emit()

    def _on_not_loaded(self, message: str) -> None:
        self.problem = message
        self.not_loaded.emit(message)
        self.changed.emit()

    def analyse(
        self, reading: OpenStudy, shown: FrameIndex | None, *, without: Collection[FrameIndex] = frozenset()
    ) -> None:
        """Compute what a study lacks; an analysis that runs is superseded. Nothing without models.

        Args:
            reading: The open study.
            shown: The frame that the reader looks at, or None.
            without: Frames whose label maps are being computed by themselves.
        """
        self._take(reading)
        models = self.loaded
        if models is None:
            return
        missing = missing_of(reading, shown)
        if without:
            segment = {frame: region for frame, region in missing.segment.items() if frame not in without}
            missing = replace(missing, segment=segment)
        if not missing:
            self.analysed.emit()
            return
        self._jobs.submit(
            ANALYSIS_KEY,
            "Classifying and segmenting" if missing.classify else "Segmenting",
            partial(analyse, self.flow, reading.stack, models, missing),
            priority=Priority.BACKGROUND,
            on_partial=self._on_result,
            on_finished=self._on_analysed,
        )

    def segment(self, reading: OpenStudy, wanted: dict[FrameIndex, Region]) -> None:
        """Segment single frames before everything else. Nothing without models."""
        self._take(reading)
        models = self.loaded
        if models is None:
            return
        for frame, region in wanted.items():
            missing = missing_of_frame(reading, frame, region)
            key = f"frame-{frame.phase}-{frame.slice_index}"
            self._frame_keys.add(key)
            self._jobs.submit(
                key,
                f"Segmenting phase {frame.phase + 1}, slice {frame.slice_index + 1} as {region.text.lower()}",
                partial(analyse, self.flow, reading.stack, models, missing),
                priority=Priority.READER,
                on_partial=self._on_result,
            )

    def stop(self) -> None:
        """Stop computing for the open study; what is ready is emitted first."""
        self._emit_results()
        for key in (ANALYSIS_KEY, *sorted(self._frame_keys)):
            self._jobs.cancel(key)
        self._frame_keys.clear()
        self._reading = None

    def _take(self, reading: OpenStudy) -> None:
        if self._reading is not reading:
            self.stop()
            self._reading = reading

    def _on_result(self, result: FrameResult) -> None:
        self._results.append(result)
        if not self._batch.isActive():
            self._batch.start()

    def _on_analysed(self, _nothing: object) -> None:
        self._emit_results()
        self.analysed.emit()

    def _emit_results(self) -> None:
        self._batch.stop()
        results, self._results = self._results, []
        if results and self._reading is not None:
            self.computed.emit(self._reading, results)
