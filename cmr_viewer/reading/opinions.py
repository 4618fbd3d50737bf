"""Label maps that other models make of frames of the open study, beside the current ones."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cmr_viewer.analyse import Flow, LoadedModels
from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.progress import Progress
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.route.router import DecidedBy, Route, route

BATCH = 4
"""Frames that are segmented before something more urgent may go first."""


class Question(NamedTuple):
    """A frame and the model that is asked about it."""

    frame: FrameIndex
    model_id: str


class Opinions:
    """What is known of what each model makes of each frame of a study; what is shown stays as it is.

    Args:
        reading: The open study.
    """

    def __init__(self, reading: OpenStudy) -> None:
        self._reading = reading
        self._made: dict[Question, LabelMap] = {}

    def labels_of(self, asked: Question) -> LabelMap | None:
        """What a model made of a frame, (row, col), not to be written to; None where it was not asked yet."""
        shown = self._reading.frames[asked.frame].predictions.get(asked.model_id)
        return self._made.get(asked) if shown is None else shown.labels

    def known(self, wanted: Iterable[Question]) -> dict[Question, LabelMap]:
        """Those of `wanted` that are known."""
        found = ((asked, self.labels_of(asked)) for asked in wanted)
        return {asked: labels for asked, labels in found if labels is not None}

    def add(self, made: Mapping[Question, LabelMap]) -> None:
        """Remember what models made."""
        self._made.update(made)


def routes_of(active: Mapping[Role, str]) -> dict[Region, Route]:
    """Where a frame goes as each region, if the reader says so; nothing without a baseline."""
    if Role.BASELINE not in active:
        return {}
    return {region: route(region, active=active, by="reader") for region in REGIONS}


def segmenters_of(active: Mapping[Role, str]) -> dict[str, Role]:
    """Role by id of all models that segment."""
    return {model_id: role for role, model_id in active.items() if role is not Role.CLASSIFIER}


def ask(
    flow: Flow, stack: Stack, models: LoadedModels, wanted: Sequence[Question], progress: Progress
) -> Iterator[dict[Question, LabelMap]]:
    """Ask models about frames, a few at a time; for the job thread.

    Args:
        flow: What computes.
        stack: The stack of the frames.
        models: Loaded models; those that are asked are among them.
        wanted: Frames and models, the most wanted first; those of one model are asked together.
        progress: Told after each batch.

    Raises:
        ModelError: A model does not fit.
        Cancelled: `progress` asked to stop.
    """
    done = 0
    for model_id in dict.fromkeys(asked.model_id for asked in wanted):
        role = segmenters_of(models.active).get(model_id)
        frames = [asked.frame for asked in wanted if asked.model_id == model_id]
        if role is None:
            continue
        region, by = _way_to(role, models.active)
        for start in range(0, len(frames), BATCH):
            batch = frames[start : start + BATCH]
            progress(done / len(wanted), "Comparing regions")
            regions, deciders = dict.fromkeys(batch, region), dict.fromkeys(batch, by)
            made = flow.segment_frames(stack, regions, models, progress, deciders, {})
            yield {Question(frame, model_id): prediction.labels for frame, prediction in made}
            done += len(batch)


def _way_to(role: Role, active: Mapping[Role, str]) -> tuple[Region, DecidedBy]:
    """The region that is routed to a role, and who says it: the baseline serves regions without a specialist."""
    if role is not Role.BASELINE:
        return Region(role.value), "reader"
    without = [region for region in (Region.MIDDLE, Region.BASE, Region.APEX) if Role(region.value) not in active]
    return (without[0], "reader") if without else (Region.NON_CARDIAC, "predicted")
