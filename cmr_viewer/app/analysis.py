"""What is computed for a study, in which order; functions for the job thread, without Qt."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cmr_viewer import pipeline
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, RegionPrediction
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.progress import Progress
from cmr_viewer.reading.open_study import Reading
from cmr_viewer.route.router import DecidedBy
from cmr_viewer.store.model_registry import ModelRegistry


class LoadedModels(Protocol):
    """Models that are ready to be used."""

    @property
    def active(self) -> Mapping[Role, str]:
        """Model id of each role."""


class FrameResult(Protocol):
    """What was computed for one frame."""

    @property
    def frame(self) -> FrameIndex:
        """The frame."""

    @property
    def region_prediction(self) -> RegionPrediction | None:
        """What the classifier says, if this result is about that."""

    @property
    def prediction(self) -> Prediction | None:
        """What the segmentation model made, if this result is about that."""


class Result(NamedTuple):
    """What was computed for one frame; a `FrameResult`."""

    frame: FrameIndex
    region_prediction: RegionPrediction | None
    prediction: Prediction | None


@dataclass(frozen=True)
class Flow:
    """The steps of `pipeline` that a session uses; tests give their own.

    Attributes:
        load_models: (folders by role, device) -> models.
        analyse: (stack, models, progress, regions, order) -> results, all regions before the label maps.
        segment_frames: (stack, {frame: region}, models, progress, {frame: who says the region}, {frame: how probable it
            is in the whole stack}) -> (frame, prediction), as computed.
        probabilities: (stack, frame, role, models) -> (label, row, col) how probable each label is to the role's model;
            None where that cannot be asked.
    """

    load_models: Callable[[Mapping[Role, Path], str], LoadedModels]
    analyse: Callable[[Stack, Any, Progress, Mapping[FrameIndex, Region], Sequence[FrameIndex]], Iterator[FrameResult]]
    segment_frames: Callable[
        [Stack, Mapping[FrameIndex, Region], Any, Progress, Mapping[FrameIndex, DecidedBy], Mapping[FrameIndex, float]],
        Iterator[tuple[FrameIndex, Prediction]],
    ]
    probabilities: Callable[[Stack, FrameIndex, Role, Any], NDArray[np.float16]] | None = None


def pipeline_flow() -> Flow:
    """The program's own pipeline; torch is imported when models are loaded and not before."""
    return Flow(
        load_models=pipeline.load_models,
        analyse=lambda stack, models, progress, regions, order: pipeline.analyse(
            stack, models, progress, regions=regions, order=order
        ),
        segment_frames=lambda stack, regions, models, progress, by, certainty: pipeline.segment_frames(
            stack, regions, models, progress, by=by, certainty=certainty
        ),
        probabilities=pipeline.frame_probabilities,
    )


@dataclass(frozen=True)
class Todo:
    """What is missing of a study.

    Attributes:
        order: All frames, the most wanted first.
        classify: Whether regions are missing: then everything is computed, in two passes.
        reader_regions: Regions that the reader has set; they go before the classifier's.
        segment: Where only label maps are missing: the frames and their regions, the most wanted first.
        by: Who says the region of each frame in `segment`.
        certainty: How probable the region is in the whole stack, of frames in `segment` whose region is predicted so.
    """

    order: tuple[FrameIndex, ...]
    classify: bool
    reader_regions: Mapping[FrameIndex, Region]
    segment: Mapping[FrameIndex, Region]
    by: Mapping[FrameIndex, DecidedBy]
    certainty: Mapping[FrameIndex, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.classify or bool(self.segment)


def load_active_models(flow: Flow, registry: ModelRegistry, device: str, progress: Progress) -> LoadedModels:
    """Load the models that are in service; imports torch.

    Raises:
        ModelError: None is there, or one cannot be read.
    """
    folders = {role: entry.folder for role, entry in registry.active_all().items()}
    if not folders:
        raise ModelError(
            "No models are installed, so regions and label maps are not predicted. Give their folder with --models."
        )
    progress(0.1, "Loading models")
    models = flow.load_models(folders, device)
    progress(1.0, "Models loaded")
    return models


def order_of_work(
    stack: Stack, shown: FrameIndex | None, ed_phase: int | None, es_phase: int | None
) -> tuple[FrameIndex, ...]:
    """All frames of a stack, the most wanted first.

    The frame that is shown, then the phases that matter (ED and ES where they are known, and the phase that is shown),
    then the rest of the slice that is shown, then everything else in order.
    """
    first: list[FrameIndex] = [] if shown is None else [shown]
    wanted = [ed_phase, es_phase, shown.phase if shown is not None else None]
    for phase in dict.fromkeys(p for p in wanted if p is not None and 0 <= p < stack.phases):
        first += [FrameIndex(phase, s) for s in range(stack.slices)]
    if shown is not None:
        first += [FrameIndex(p, shown.slice_index) for p in range(stack.phases)]
    return tuple(dict.fromkeys([*first, *stack.frame_indices]))


def todo_of(reading: Reading, shown: FrameIndex | None) -> Todo:
    """What is missing of the open study, the most wanted first.

    Args:
        reading: The open study, its active models set.
        shown: The frame that the reader looks at, or None.
    """
    order = order_of_work(reading.stack, shown, *reading.ed_es())
    reader_regions = {f: r.reader_region for f, r in reading.records.items() if r.reader_region is not None}
    routes = {frame: reading.route_of(frame) for frame in order if reading.lacks_prediction(frame)}
    segment = {frame: choice.region for frame, choice in routes.items() if choice is not None}
    return Todo(
        order=order,
        classify=any(reading.lacks_region(frame) for frame in order),
        reader_regions=reader_regions,
        segment=segment,
        by={frame: "reader" for frame in segment if frame in reader_regions},
        certainty={f: sure for f in segment if (sure := reading.records[f].certainty) is not None},
    )


def compute(
    flow: Flow, stack: Stack, models: LoadedModels, todo: Todo, progress: Progress
) -> Generator[FrameResult, None, None]:
    """Compute what is missing, one frame at a time; a generator job.

    Raises:
        ModelError: A model does not fit.
        Cancelled: `progress` asked to stop.
    """
    if todo.classify:
        yield from flow.analyse(stack, models, progress, todo.reader_regions, todo.order)
    else:
        yield from segment(flow, stack, models, todo, progress)


def segment(
    flow: Flow, stack: Stack, models: LoadedModels, todo: Todo, progress: Progress
) -> Generator[FrameResult, None, None]:
    """The label maps of `todo.segment`, one at a time; a generator job.

    Raises:
        ModelError: A model does not fit.
        Cancelled: `progress` asked to stop.
    """
    for frame, prediction in flow.segment_frames(stack, todo.segment, models, progress, todo.by, todo.certainty):
        yield Result(frame, None, prediction)
