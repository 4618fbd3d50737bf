"""What is at stake in the frames of a study, computed on the job thread from a snapshot of the study."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.analyse import Flow, LoadedModels
from cmr_viewer.domain.anatomy import REGIONS, Label, Region
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.volumes import label_counts
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.progress import Progress
from cmr_viewer.reading.opinions import Question, ask, routes_of, segmenters_of
from cmr_viewer.review.queue import FrameStakes, Opinion, Stake, stake_of
from cmr_viewer.review.what_if import FrameCounts

if TYPE_CHECKING:
    from cmr_viewer.review.checks import Finding
    from cmr_viewer.review.stack_checks import StackChecks

TEXT = "Ordering the review queue"


@dataclass(frozen=True, eq=False)
class FrameSnapshot:
    """A frame as it was when the job was submitted.

    Attributes:
        region: Its region, or None.
        by_reader: Whether the reader set it.
        predicted: What the classifier predicted, or None.
        model_id: The model that its label map started from, or None.
        done: Whether the reader has made or accepted the label map, so that no other opinion is asked for.
        offered: (row, col) label map that is suggested beside it, or None.
    """

    region: Region | None
    by_reader: bool
    predicted: RegionPrediction | None
    model_id: str | None
    done: bool
    offered: LabelMap | None


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The study as it was when the job was submitted.

    Attributes:
        changed: Frames whose label map or region changed since the last job: (row, col) label map that is not written
            to, or None, and region.
        frames: All frames.
        known: What models made of frames at ED and ES, as far as it is known.
        ed: End-diastole, or None.
        es: End-systole, or None.
        slice_ml: (slice,) ml that a pixel of each slice counts for; thousandths where the spacing is not known.
        in_ml: Whether the spacing is known.
    """

    changed: Mapping[FrameIndex, tuple[LabelMap | None, Region | None]]
    frames: Mapping[FrameIndex, FrameSnapshot]
    known: Mapping[Question, LabelMap]
    ed: int | None
    es: int | None
    slice_ml: NDArray[np.float64]
    in_ml: bool = True


@dataclass(frozen=True, eq=False)
class Stakes:
    """The stakes as far as they are known, and the findings of the checks.

    Attributes:
        stakes: Of all frames that are segmented.
        findings: Of all frames that have any.
    """

    stakes: Mapping[FrameIndex, Stake]
    findings: "Mapping[FrameIndex, tuple[Finding, ...]]"


@dataclass(eq=False)
class Memory:
    """What the job thread remembers from one job of a study to the next; only used there.

    Attributes:
        checks: Findings, made when first needed.
        counts: Pixels of each label that models made of frames.
    """

    checks: "StackChecks | None" = None
    counts: dict[Question, FrameCounts] = field(default_factory=dict)


def stakes_of_frames(
    memory: Memory,
    flow: Flow,
    stack: Stack,
    models: LoadedModels | None,
    ring_fraction: float | None,
    snapshot: Snapshot,
    progress: Progress,
) -> Generator[Stakes, None, None]:
    """Check what changed, then ask the models about ED and ES and tell the stakes as they come; a generator job."""
    from cmr_viewer.review import checks, stack_checks  # noqa: PLC0415 - scipy would keep the window waiting

    if memory.checks is None:
        rule = ring_fraction or checks.BASE_RING_FRACTION
        memory.checks = stack_checks.StackChecks(stack.phases, stack.slices, rule)
    for number, (frame, (labels, region)) in enumerate(snapshot.changed.items()):
        progress(0.3 * number / len(snapshot.changed), TEXT)
        memory.checks.put(frame, labels, region)
    findings = memory.checks.findings(snapshot.ed, snapshot.es)
    memory.counts.update({a: label_counts(labels) for a, labels in snapshot.known.items() if a not in memory.counts})
    yield Stakes(_stakes(memory, snapshot, models, findings), findings)
    if models is None:
        return
    for made in ask(flow, stack, models, _lacking(memory, snapshot, models), progress):
        memory.counts.update({asked: label_counts(labels) for asked, labels in made.items()})
        yield Stakes(_stakes(memory, snapshot, models, findings), findings)


def _lacking(memory: Memory, snapshot: Snapshot, models: LoadedModels) -> list[Question]:
    """Second opinions that are not there yet, of frames at ED and ES that are not the reader's own."""
    wanted = [
        Question(frame, model_id)
        for frame, one in snapshot.frames.items()
        if frame.phase in (snapshot.ed, snapshot.es) and one.region is not None and not one.done
        for model_id in segmenters_of(models.active)
    ]
    return [asked for asked in wanted if asked not in memory.counts]


def _stakes(
    memory: Memory,
    snapshot: Snapshot,
    models: LoadedModels | None,
    findings: "Mapping[FrameIndex, tuple[Finding, ...]]",
) -> dict[FrameIndex, Stake]:
    assert memory.checks is not None
    found = {}
    for frame, one in snapshot.frames.items():
        pixels = memory.checks.counts[frame]
        if one.region is None or pixels[0] < 0:
            continue
        counts = frame.phase in (snapshot.ed, snapshot.es)  # elsewhere no measure depends on it, and only checks count
        found[frame] = stake_of(
            FrameStakes(
                region=one.region,
                by_reader=one.by_reader,
                chances={} if one.predicted is None else {r: one.predicted.of(r) for r in REGIONS},
                pixels=pixels,
                if_region=_if_region(memory, frame, one, models) if counts and models and not one.done else {},
                opinions=_opinions(memory, frame, one, models) if counts else [],
                findings=findings.get(frame, ()),
                is_ed=frame.phase == snapshot.ed,
                is_es=frame.phase == snapshot.es,
            ),
            float(snapshot.slice_ml[frame.slice_index]),
            in_ml=snapshot.in_ml,
        )
    return found


def _opinions(memory: Memory, frame: FrameIndex, one: FrameSnapshot, models: LoadedModels | None) -> list[Opinion]:
    if one.offered is not None:
        return [Opinion("the new prediction", label_counts(one.offered))]
    if models is None or one.done or one.region is Region.NON_CARDIAC:
        return []
    return [
        Opinion(f"the {role.text.lower()}", memory.counts[Question(frame, model_id)])
        for model_id, role in segmenters_of(models.active).items()
        if model_id != one.model_id and Question(frame, model_id) in memory.counts
    ]


def _if_region(memory: Memory, frame: FrameIndex, one: FrameSnapshot, models: LoadedModels) -> dict[Region, Opinion]:
    found = {}
    for region, way in routes_of(models.active).items():
        if region is one.region:
            continue
        if way.empty:
            found[region] = Opinion("nothing", np.zeros(len(Label), dtype=np.int64))
        elif (asked := Question(frame, way.model_id)) in memory.counts:
            found[region] = Opinion(f"the {way.role.text.lower()}", memory.counts[asked])
    return found
