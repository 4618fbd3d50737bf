"""What would come of the frame on show if its region were another: masks and measures, before anything is set."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cmr_viewer.analyse import Flow, LoadedModels
from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.session import Session
from cmr_viewer.classify.in_stack import led_by_readers
from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.annotation import RegionPrediction, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.measures.volumes import label_counts
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.progress import Progress
from cmr_viewer.reading.frames import FrameRecord
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.review.what_if import Candidate, Counts, FrameCounts, measure_changes, phase_change_ml
from cmr_viewer.route.router import Route, route
from cmr_viewer.ui.features.queue.opinions import Asked, Opinions, ask, routes_of, segmenters_of

KEY = "what-if"
TEXT = "Comparing regions"
WAIT_MS = 120
"""A frame must be on show so long before models are asked about it."""


@dataclass(frozen=True, eq=False)
class Question:
    """What the job thread needs to know; a picture of the study as it is when asked.

    Attributes:
        frame: The frame on show.
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
    known: Mapping[Asked, LabelMap]
    lacking: tuple[Asked, ...]


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


Answer = Following | dict[Asked, LabelMap]


class WhatIf(QObject):
    """Candidates for the region of the frame on show; they fill as their masks come.

    Signals:
        changed(): `candidates` is new.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.candidates: tuple[Candidate, ...] = ()
        self.frame: FrameIndex | None = None
        self.opinions: Opinions | None = None
        self._session = session
        self._reading: OpenStudy | None = None
        self._following: dict[Region, Following] = {}
        self._timer = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._timer.timeout.connect(self._ask)

    @Slot()
    def begin(self) -> None:
        """A study was opened or left, or other models are in service: what was known of it is dropped."""
        self._session.jobs.cancel(KEY)
        self._timer.stop()
        self._reading = self._session.study.reading
        self.opinions = None if self._reading is None else Opinions(self._reading)
        self._following = {}
        if self._reading is None:
            self.frame = None
        self._show()
        if self.frame is not None:
            self._timer.start()

    def look_at(self, frame: FrameIndex | None) -> None:
        """Another frame is on show; None while the cine plays."""
        if frame == self.frame:
            return
        self._session.jobs.cancel(KEY)
        self.frame, self._following = frame, {}
        self._show()
        if frame is None:
            self._timer.stop()
        else:
            self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Something of the study has changed: tell anew what is known, and ask again for what follows."""
        self._following = {}
        self._show()
        if self.frame is not None and not self._timer.isActive():
            self._timer.start()

    # -- what is known -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        self.candidates = self._made()
        self.changed.emit()

    def _made(self) -> tuple[Candidate, ...]:
        reading, frame, models = self._reading, self.frame, self._session.models.loaded
        if reading is None or frame is None or models is None or frame not in reading.frames:
            return ()
        record, routes = reading.frames[frame], routes_of(models.active)
        if record.region is None or not routes:
            return ()
        counts = _counts(reading, {frame.phase, *reading.ed_es()})
        return tuple(self._candidate(reading, frame, region, counts) for region in REGIONS)

    def _candidate(self, reading: OpenStudy, frame: FrameIndex, region: Region, counts: Counts) -> Candidate:
        models = self._session.models.loaded
        assert models is not None
        record, routes = reading.frames[frame], routes_of(models.active)
        choice = routes[region]
        chosen = record.region is region
        model = _served(choice)
        labels = record.labels if chosen else self._labels(frame, model)
        base = Candidate(
            region=region,
            chosen=chosen,
            by=choice.role.text,
            model_id=model or "",
            same_as=tuple(
                other for other, way in routes.items() if other is not region and model and _served(way) == model
            ),
            labels=labels,
            stays=not chosen and is_held(record),
        )
        if chosen or labels is None or counts[frame][0] < 0:
            return base
        return self._with_changes(base, reading, frame, counts, label_counts(labels))

    def _with_changes(
        self, base: Candidate, reading: OpenStudy, frame: FrameIndex, counts: Counts, instead: FrameCounts
    ) -> Candidate:
        ed, es = reading.ed_es()
        weights = reading.stack.geometry.slice_weights
        voxel_ml, _ = reading.voxel_ml()
        change = partial(measure_changes, counts, voxel_ml=voxel_ml, slice_weights=weights, ed_phase=ed, es_phase=es)
        following = self._following.get(base.region)
        together = None
        if following is not None:
            others = {f: self._labels(f, model) for f, model in following.models.items()}
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

    def _labels(self, frame: FrameIndex, model_id: str | None) -> LabelMap | None:
        """What a model makes of a frame, background for none; None where it is not known."""
        assert self._reading is not None and self.opinions is not None
        if model_id is None:
            geometry = self._reading.stack.geometry
            return empty_label_map(geometry.rows, geometry.cols)
        return self.opinions.labels_of(Asked(frame, model_id))

    # -- what is asked -------------------------------------------------------------------------------------------------

    @Slot()
    def _ask(self) -> None:
        session, reading, frame, models = self._session, self._reading, self.frame, self._session.models.loaded
        if reading is None or reading is not session.study.reading or self.opinions is None:
            return
        if frame is None or models is None or not self.candidates:
            return
        question = self._question(reading, frame, models)
        if session.models.is_analysing and not question.lacking:  # `analysed` will ask again
            return
        session.jobs.submit(
            KEY,
            TEXT,
            partial(_answer, session.models.flow, reading.stack, models, question),
            priority=Priority.READER - 5,
            on_partial=partial(self._take, reading, frame),
        )

    def _question(self, reading: OpenStudy, frame: FrameIndex, models: LoadedModels) -> Question:
        assert self.opinions is not None
        records = reading.frames
        phases = tuple(p for p in dict.fromkeys(reading.ed_es()) if p is not None)
        counted = [FrameIndex(p, s) for p in phases for s in range(reading.stack.slices)]
        ids = segmenters_of(models.active)
        known = self.opinions.known(Asked(f, model_id) for f in {*counted, frame} for model_id in ids)
        wanted = [Asked(frame, one.model_id) for one in self.candidates if one.model_id and not one.chosen]
        return Question(
            frame=frame,
            regions=tuple(one.region for one in self.candidates if not one.chosen),
            active=models.active,
            predictions={f: r.region_prediction for f, r in records.items() if r.region_prediction is not None},
            readers={f: r.reader_region for f, r in records.items() if r.reader_region is not None},
            held=frozenset(f for f in counted if is_held(records[f])),
            phases=phases,
            known=known,
            lacking=tuple(asked for asked in dict.fromkeys(wanted) if asked not in known),
        )

    def _take(self, reading: OpenStudy, frame: FrameIndex, answer: Answer) -> None:
        if reading is not self._reading or frame != self.frame or self.opinions is None:
            return
        if isinstance(answer, Following):
            self._following[answer.region] = answer
        else:
            self.opinions.add(answer)
        self._show()


def is_held(record: FrameRecord) -> bool:
    """Whether the label map of a frame is the reader's, so that a prediction is only offered beside it."""
    return record.edited or record.accepting or record.status is ReviewStatus.ACCEPTED


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


def _answer(
    flow: Flow, stack: Stack, models: LoadedModels, question: Question, progress: Progress
) -> Generator[Answer, None, None]:
    """The masks of the frame itself, then who would follow, then their masks; a generator job."""
    known = dict(question.known)
    for made in ask(flow, stack, models, question.lacking, progress):
        known.update(made)
        yield made
    wanted: list[Asked] = []
    for region in question.regions:
        progress(0.5, TEXT)
        following = followers(question, region, stack.phases, stack.slices)
        yield following
        wanted += [Asked(f, m) for f, m in following.models.items() if m is not None and Asked(f, m) not in known]
    yield from ask(flow, stack, models, tuple(dict.fromkeys(wanted)), progress)


def followers(question: Question, region: Region, phases: int, slices: int) -> Following:
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
