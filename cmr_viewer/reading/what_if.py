"""What another region of a frame would change: label maps, measures and the frames that would follow."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cmr_viewer.analyse import Flow, LoadedModels
from cmr_viewer.classify.in_stack import led_by_readers
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.measures.volumes import label_counts
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.progress import Progress
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opinions import Opinions, Question, ask, routes_of, segmenters_of
from cmr_viewer.review.what_if import Candidate, Counts, FrameCounts, measure_changes, phase_change_ml
from cmr_viewer.route.router import Route, route

TEXT = "Comparing regions"


@dataclass(frozen=True, eq=False)
class WhatIfQuestion:
    """What the job thread needs to know: the study as it is when asked.

    Attributes:
        frame: The displayed frame.
        regions: Its candidates that are not its region.
        active: Model id by role.
        predictions: Region predictions of all frames.
        readers: Regions that the reader has set.
        held: Frames whose label maps stay, whatever their region.
        phases: Phases that measures are taken at.
        known: What models are known to make of frames.
        lacking: What is to be asked about the frame itself.
    """

    frame: FrameIndex
    regions: tuple[Region, ...]
    active: Mapping[Role, str]
    predictions: Mapping[FrameIndex, RegionPrediction]
    readers: Mapping[FrameIndex, Region]
    held: frozenset[FrameIndex]
    phases: tuple[int, ...]
    known: Mapping[Question, LabelMap]
    lacking: tuple[Question, ...]


@dataclass(frozen=True, eq=False)
class Following:
    """Frames that would follow a region.

    Attributes:
        region: The region.
        frames: Those that would have another region.
        models: Of those that count for the measures and whose label map would change: the model, or None for nothing.
    """

    region: Region
    frames: tuple[FrameIndex, ...]
    models: Mapping[FrameIndex, str | None]


Answer = Following | dict[Question, LabelMap]


def candidates_of(
    reading: OpenStudy,
    frame: FrameIndex,
    active: Mapping[Role, str],
    opinions: Opinions,
    following: Mapping[Region, Following],
) -> tuple[Candidate, ...]:
    """Every region as a candidate for a frame, as far as its label map and followers are known.

    Args:
        reading: The open study.
        frame: The frame.
        active: Model id by role.
        opinions: What models are known to make of frames.
        following: Frames that would follow each region, as far as they are known.

    Returns:
        One for each region; none where the frame has no region yet, or there is no baseline.
    """
    record, routes = reading.frames[frame], routes_of(active)
    if record.region is None or not routes:
        return ()
    counts = _counts(reading, {frame.phase, *reading.ed_es()})
    made = []
    for region, choice in routes.items():
        chosen, model = record.region is region, _served(choice)
        labels = record.labels if chosen else _labels(reading, opinions, frame, model)
        one = Candidate(
            region=region,
            chosen=chosen,
            by=choice.role.text,
            model_id=model or "",
            same_as=tuple(
                other for other, way in routes.items() if other is not region and model and _served(way) == model
            ),
            labels=labels,
            stays=not chosen and record.stays,
        )
        if not chosen and labels is not None and counts[frame][0] >= 0:
            one = _with_changes(one, reading, opinions, frame, counts, label_counts(labels), following.get(region))
        made.append(one)
    return tuple(made)


def _with_changes(
    base: Candidate,
    reading: OpenStudy,
    opinions: Opinions,
    frame: FrameIndex,
    counts: Counts,
    instead: FrameCounts,
    following: Following | None,
) -> Candidate:
    ed, es = reading.ed_es()
    weights = reading.stack.geometry.slice_weights
    voxel_ml, _ = reading.voxel_ml()
    change = partial(measure_changes, counts, voxel_ml=voxel_ml, slice_weights=weights, ed_phase=ed, es_phase=es)
    together = None
    if following is not None:
        others = {f: _labels(reading, opinions, f, model) for f, model in following.models.items()}
        replaced = {f: label_counts(labels) for f, labels in others.items() if labels is not None}
        if len(replaced) == len(others):
            together = change({**replaced, frame: instead})
    return replace(
        base,
        alone=change({frame: instead}),
        together=together,
        followers=() if following is None else following.frames,
        curve_ml=phase_change_ml(
            counts[frame], instead, None if voxel_ml is None else voxel_ml * weights[frame.slice_index]
        ),
    )


def _labels(reading: OpenStudy, opinions: Opinions, frame: FrameIndex, model_id: str | None) -> LabelMap | None:
    """What a model makes of a frame, background for none; None where it is not known."""
    if model_id is None:
        geometry = reading.stack.geometry
        return empty_label_map(geometry.rows, geometry.cols)
    return opinions.labels_of(Question(frame, model_id))


def question_of(
    reading: OpenStudy,
    frame: FrameIndex,
    active: Mapping[Role, str],
    opinions: Opinions,
    candidates: tuple[Candidate, ...],
) -> WhatIfQuestion:
    """What is to be found out about a frame; arguments as for `candidates_of`, with its result."""
    records = reading.frames
    phases = tuple(p for p in dict.fromkeys(reading.ed_es()) if p is not None)
    counted = [FrameIndex(p, s) for p in phases for s in range(reading.stack.slices)]
    ids = segmenters_of(active)
    known = opinions.known(Question(f, model_id) for f in {*counted, frame} for model_id in ids)
    wanted = [Question(frame, one.model_id) for one in candidates if one.model_id and not one.chosen]
    return WhatIfQuestion(
        frame=frame,
        regions=tuple(one.region for one in candidates if not one.chosen),
        active=active,
        predictions={f: r.region_prediction for f, r in records.items() if r.region_prediction is not None},
        readers={f: r.reader_region for f, r in records.items() if r.reader_region is not None},
        held=frozenset(f for f in counted if records[f].stays),
        phases=phases,
        known=known,
        lacking=tuple(one for one in dict.fromkeys(wanted) if one not in known),
    )


def _counts(reading: OpenStudy, phases: set[int | None]) -> Counts:
    """Pixels of each label at some phases, (phase, slice, 4); -1 elsewhere, and where a frame is not segmented."""
    counts = np.full((reading.stack.phases, reading.stack.slices, 4), -1, dtype=np.int64)
    for phase in (p for p in phases if p is not None):
        for s in range(reading.stack.slices):
            found = reading.frames.counts.of_frame(FrameIndex(phase, s))
            if found is not None:
                counts[phase, s] = found
    return counts


def _served(way: Route) -> str | None:
    """Model id of a route, None where nothing is marked."""
    return None if way.empty else way.model_id


def answer(
    flow: Flow, stack: Stack, models: LoadedModels, question: WhatIfQuestion, progress: Progress
) -> Generator[Answer, None, None]:
    """The masks of the frame itself, then who would follow, then their masks; a generator job."""
    known = dict(question.known)
    for made in ask(flow, stack, models, question.lacking, progress):
        known.update(made)
        yield made
    wanted: list[Question] = []
    for region in question.regions:
        progress(0.5, TEXT)
        following = followers(question, region, stack.phases, stack.slices)
        yield following
        wanted += [Question(f, m) for f, m in following.models.items() if m is not None and Question(f, m) not in known]
    yield from ask(flow, stack, models, tuple(dict.fromkeys(wanted)), progress)


def followers(question: WhatIfQuestion, region: Region, phases: int, slices: int) -> Following:
    """Frames that would have another region if the frame were set to one, by the order of the stack."""
    readers = {**question.readers, question.frame: region}
    led = led_by_readers(question.predictions, readers, phases=phases, slices=slices)
    frames, models = [], {}
    for frame, predicted in led.items():
        if frame in readers:
            continue
        before = question.predictions[frame]
        if predicted.region is not before.region:
            frames.append(frame)
        ways = [
            route(one.region, active=question.active, certainty=None if one.posterior is None else one.probability)
            for one in (before, predicted)
        ]
        was, now = (_served(way) for way in ways)
        if was != now and frame.phase in question.phases and frame not in question.held:
            models[frame] = now
    return Following(region, tuple(sorted(frames)), models)
