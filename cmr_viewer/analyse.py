"""Regions and label maps of a stack by the models in use: classify, route and segment joined.

Every frame is classified by itself and then in the order of its stack, routed to the model of its region and segmented.
torch is imported only when models are loaded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cmr_viewer.classify.in_stack import frames_of_stack
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, RegionPrediction
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError, UnusableModelError
from cmr_viewer.prepare.grid import working_spacing_mm
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.route.router import DecidedBy, Route, route

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cmr_viewer.classify.region_classifier import RegionClassifier
    from cmr_viewer.segment.segmenter import FrameSegmenter

CLASSIFY_BATCH = 8
SEGMENT_BATCH = 8


@dataclass(frozen=True, eq=False)
class Models:
    """The models in use, loaded.

    Attributes:
        classifier: The region classifier.
        segmenters: Baseline and specialists; a baseline is among them.
    """

    classifier: "RegionClassifier"
    segmenters: Mapping[Role, "FrameSegmenter"]
    _centres: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def active(self) -> Mapping[Role, str]:
        """Model id by role."""
        ids = {role: segmenter.plan.model_id for role, segmenter in self.segmenters.items()}
        return {Role.CLASSIFIER: self.classifier.plan.model_id, **ids}

    def with_model(self, role: Role, model: "RegionClassifier | FrameSegmenter") -> "Models":
        """The same models with another one in one role; centres of hearts that are known stay, but for a baseline."""
        if role is Role.CLASSIFIER:
            return Models(model, self.segmenters, self._centres)  # type: ignore[arg-type]
        segmenters: dict[Role, Any] = {**self.segmenters, role: model}
        return Models(self.classifier, segmenters, {} if role is Role.BASELINE else self._centres)

    def heart_centre(self, stack: Stack) -> tuple[float, float]:
        """(row, col) of the heart in a stack; computed once per stack."""
        from cmr_viewer.segment.segmenter import heart_centre

        if stack.stack_id not in self._centres:
            self._centres[stack.stack_id] = heart_centre(stack, self.segmenters[Role.BASELINE])
        return self._centres[stack.stack_id]


@dataclass(frozen=True, eq=False)
class FrameResult:
    """A new result for a frame.

    Attributes:
        frame: The frame.
        region_prediction: The classifier's result, if that is new.
        prediction: The segmentation, if that is new.
    """

    frame: FrameIndex
    region_prediction: RegionPrediction | None = None
    prediction: Prediction | None = None


def by_frame(
    results: Iterable[FrameResult],
) -> tuple[dict[FrameIndex, RegionPrediction], dict[FrameIndex, Prediction]]:
    """The last region prediction and the last segmentation of each frame that has one."""
    regions: dict[FrameIndex, RegionPrediction] = {}
    predictions: dict[FrameIndex, Prediction] = {}
    for one in results:
        if one.region_prediction is not None:
            regions[one.frame] = one.region_prediction
        if one.prediction is not None:
            predictions[one.frame] = one.prediction
    return regions, predictions


def load_models(folders: Mapping[Role, Path], device: str = "auto") -> Models:
    """Load the models in use.

    Args:
        folders: Model folder by role; a classifier and a baseline at least.
        device: "auto", "cpu" or "cuda".

    Raises:
        UnusableModelError: One of them cannot be read.
        ModelError: A model is missing, or there is no such device.
    """
    from cmr_viewer.classify.region_classifier import load_classifier
    from cmr_viewer.networks.device import choose_device
    from cmr_viewer.segment.segmenter import load_segmenter

    for needed in (Role.CLASSIFIER, Role.BASELINE):
        if needed not in folders:
            raise ModelError(f"The models folder has no {needed.text.lower()}. Choose a complete models folder.")
    where = choose_device(device)
    segmenters: dict[Role, FrameSegmenter] = {}
    for role, path in folders.items():
        try:
            if role is Role.CLASSIFIER:
                classifier = load_classifier(path, where)
            else:
                segmenters[role] = load_segmenter(path, where)
        except ModelError as error:
            raise UnusableModelError(str(error), role) from error
    return Models(classifier, segmenters)


def classify_frames(
    stack: Stack,
    frames: Sequence[FrameIndex],
    models: Models,
    progress: Progress = silent,
    *,
    regions: Mapping[FrameIndex, Region] | None = None,
) -> dict[FrameIndex, RegionPrediction]:
    """Region predictions of some frames of a stack, in the order of the stack as far as these frames show it.

    Args:
        stack: The stack.
        frames: Which frames; whole phases are best.
        models: The models in use.
        progress: Called after each batch.
        regions: Regions that a reader set; they guide the frames around them.
    """
    alone: dict[FrameIndex, RegionPrediction] = {}
    for batch in _classified(stack, frames, models, part(progress, 0.0, 0.9)):
        alone.update(batch)
    found, _ = _in_stack(stack, alone, models, part(progress, 0.9, 1.0), regions or {})
    return found


def certainty_of(predictions: Mapping[FrameIndex, RegionPrediction]) -> dict[FrameIndex, float]:
    """How probable the regions are of those frames that were seen in their stack, for `segment_frames`."""
    return {frame: made.probability for frame, made in predictions.items() if made.posterior is not None}


def segment_frames(
    stack: Stack,
    regions: Mapping[FrameIndex, Region],
    models: Models,
    progress: Progress = silent,
    by: Mapping[FrameIndex, DecidedBy] | None = None,
    certainty: Mapping[FrameIndex, float] | None = None,
    *,
    baseline_maps: Mapping[FrameIndex, LabelMap] | None = None,
    baseline_only: bool = False,
) -> Iterator[tuple[FrameIndex, Prediction]]:
    """Segment frames, each by the model that its region routes to; in batches, as computed.

    Frames of one model come in the order given; those of different models are mixed as their batches fill.

    Args:
        stack: The stack.
        regions: Frames to segment with their regions.
        models: The models in use.
        progress: Called after each batch.
        by: Frames whose region a reader set; the classifier decided the others.
        certainty: How probable the regions are, where the whole stack is classified; a frame that is surely non-cardiac
            gets an empty label map.
        baseline_maps: The baseline's label maps, (row, col), of frames that it has segmented already.
        baseline_only: Whether the baseline segments all frames.
    """
    if not regions:
        return
    active: dict[Role, str] = {
        role: model_id for role, model_id in models.active.items() if role is not Role.CLASSIFIER
    }
    decided, sure, drawn = by or {}, certainty or {}, baseline_maps or {}
    waiting: dict[Role, list[tuple[FrameIndex, Route]]] = {}
    centre = models.heart_centre(stack)
    done = 0

    def made(
        choices: list[tuple[FrameIndex, Route]], label_maps: list[LabelMap]
    ) -> Iterator[tuple[FrameIndex, Prediction]]:
        nonlocal done
        done += len(choices)
        progress(done / len(regions), f"Segmenting, {done} of {len(regions)} frames")
        for (frame, choice), labels in zip(choices, label_maps, strict=True):
            labels.setflags(write=False)
            yield frame, Prediction(labels, choice.model_id, choice.region, choice.reason)

    def flush(role: Role) -> Iterator[tuple[FrameIndex, Prediction]]:
        batch = waiting.pop(role)
        yield from made(batch, models.segmenters[role].predict_frames(stack, [frame for frame, _ in batch], centre))

    for frame, region in regions.items():
        choice = route(
            region,
            active=active,
            by=decided.get(frame, "predicted"),
            certainty=sure.get(frame),
            baseline_only=baseline_only,
        )
        if choice.empty:
            yield from made([(frame, choice)], [empty_label_map(stack.geometry.rows, stack.geometry.cols)])
        elif choice.role is Role.BASELINE and frame in drawn:
            yield from made([(frame, choice)], [drawn[frame]])
        else:
            waiting.setdefault(choice.role, []).append((frame, choice))
            if len(waiting[choice.role]) == SEGMENT_BATCH:
                yield from flush(choice.role)
    for role in list(waiting):
        yield from flush(role)


def frame_probabilities(stack: Stack, frame: FrameIndex, role: Role, models: Models) -> "NDArray[np.float16]":
    """How probable each label is in a frame, by the model of a role.

    Args:
        stack: The stack.
        frame: Which frame.
        role: The baseline or a specialist in use.
        models: The models in use.

    Returns:
        (label, row, col) in the order of `Label`, on the frame's own pixels, adding up to 1.
    """
    return models.segmenters[role].frame_probabilities(stack, frame, models.heart_centre(stack))


def analyse(
    stack: Stack,
    models: Models,
    progress: Progress = silent,
    regions: Mapping[FrameIndex, Region] | None = None,
    order: Sequence[FrameIndex] | None = None,
    *,
    baseline_only: bool = False,
) -> Iterator[FrameResult]:
    """Classify and segment a stack: first all region predictions, then all label maps, as they are computed.

    Each frame gives two region predictions: that of the frame by itself as soon as it is classified, and, when all
    frames are, that of the frame in its stack.

    Args:
        stack: The stack.
        models: The models in use.
        progress: Called after each batch; raises `Cancelled` to stop.
        regions: Regions that a reader set; they route instead of the predicted ones, and guide the frames around
            them.
        order: The frames wanted, most urgent first; None for all.
        baseline_only: Whether the baseline segments all frames.
    """
    frames = list(order) if order is not None else stack.frame_indices
    readers = regions or {}
    alone: dict[FrameIndex, RegionPrediction] = {}
    progress(0.0, "Locating the heart")
    models.heart_centre(stack)
    for batch in _classified(stack, frames, models, part(progress, 0.02, 0.4)):
        alone.update(batch)
        for frame, prediction in batch.items():
            yield FrameResult(frame, region_prediction=prediction)
    found, drawn = _in_stack(stack, alone, models, part(progress, 0.4, 0.5), readers)
    for frame, prediction in found.items():
        yield FrameResult(frame, region_prediction=prediction)
    segmented = segment_frames(
        stack,
        {frame: readers.get(frame, found[frame].region) for frame in frames},
        models,
        part(progress, 0.5, 1.0),
        by={frame: "reader" for frame in frames if frame in readers},
        certainty=certainty_of(found),
        baseline_maps=drawn,
        baseline_only=baseline_only,
    )
    for frame, made in segmented:
        yield FrameResult(frame, prediction=made)


def _in_stack(
    stack: Stack,
    alone: Mapping[FrameIndex, RegionPrediction],
    models: Models,
    progress: Progress,
    readers: Mapping[FrameIndex, Region],
) -> tuple[dict[FrameIndex, RegionPrediction], dict[FrameIndex, LabelMap]]:
    """Predictions in the order of the stack, and what the baseline drew to help with them."""
    frames = frames_of_stack(alone, phases=stack.phases, slices=stack.slices, readers=readers)
    wanted = frames.to_ask()
    row_mm, col_mm = working_spacing_mm(stack.geometry)
    drawn: dict[FrameIndex, LabelMap] = {}
    for start in range(0, len(wanted), SEGMENT_BATCH):
        batch = wanted[start : start + SEGMENT_BATCH]
        label_maps = models.segmenters[Role.BASELINE].predict_frames(stack, batch, models.heart_centre(stack))
        drawn.update(zip(batch, label_maps, strict=True))
        progress(len(drawn) / len(wanted), "Finding the ends of the heart")
    return frames.in_stack({f: np.count_nonzero(labels) * row_mm * col_mm for f, labels in drawn.items()}), drawn


def _classified(
    stack: Stack, frames: Sequence[FrameIndex], models: Models, progress: Progress
) -> Iterator[dict[FrameIndex, RegionPrediction]]:
    if not frames:
        return
    centre = models.heart_centre(stack)
    for start in range(0, len(frames), CLASSIFY_BATCH):
        batch = frames[start : start + CLASSIFY_BATCH]
        predictions = models.classifier.predict_frames(stack, batch, centre)
        done = start + len(batch)
        progress(done / len(frames), f"Classifying regions, {done} of {len(frames)} frames")
        yield dict(zip(batch, predictions, strict=True))


class LoadedModels(Protocol):
    """Models that are ready to be used: `Models`, or what a test has in their place."""

    @property
    def active(self) -> Mapping[Role, str]:
        """Model id by role."""


@dataclass(frozen=True)
class Flow:
    """What the models do for an open study; tests give their own.

    Attributes:
        load_models: (folders by role, device) -> models.
        analyse: (stack, models, progress, regions, order) -> results, all regions before the label maps.
        segment_frames: (stack, {frame: region}, models, progress, {frame: who decided the region}, {frame: how probable
            it is in the whole stack}) -> (frame, prediction), as computed.
        probabilities: (stack, frame, role, models) -> (label, row, col) how probable each label is to the role's model;
            None where they give none.
    """

    load_models: Callable[[Mapping[Role, Path], str], LoadedModels]
    analyse: Callable[[Stack, Any, Progress, Mapping[FrameIndex, Region], Sequence[FrameIndex]], Iterator[FrameResult]]
    segment_frames: Callable[
        [Stack, Mapping[FrameIndex, Region], Any, Progress, Mapping[FrameIndex, DecidedBy], Mapping[FrameIndex, float]],
        Iterator[tuple[FrameIndex, Prediction]],
    ]
    probabilities: Callable[[Stack, FrameIndex, Role, Any], "NDArray[np.float16]"] | None = None


def own_flow() -> Flow:
    """The program's own models; torch is imported when they are loaded and not before."""
    return Flow(load_models, analyse, segment_frames, frame_probabilities)
