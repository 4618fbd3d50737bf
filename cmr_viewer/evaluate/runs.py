"""One run of an evaluation: what is measured of each patient, and the four tables that store it.

The tables are frames.csv, regions.csv, stacks.csv and volumes.csv; phases and slices are numbered from 1 in them.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cmr_viewer.domain.anatomy import Label, Region, reference_regions
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LoadError
from cmr_viewer.evaluate.regions import FrameRegions, methods_of
from cmr_viewer.evaluate.scores import (
    FramePlace,
    FrameScore,
    Place,
    Score,
    StackPlace,
    StackScore,
    known_spacing_mm,
    score_labels,
)
from cmr_viewer.evaluate.volumes import VolumePair, volume_pairs
from cmr_viewer.load.datasets import LabelledSource, LabelledStack

FRAMES_FILE = "frames.csv"
REGIONS_FILE = "regions.csv"
STACKS_FILE = "stacks.csv"
VOLUMES_FILE = "volumes.csv"

_PLACE = ("group", "patient", "phase_number", "phase_name", "slice_number", "region")
_AGREEMENT = ("label", "dice", "hd95_mm", "assd_mm")
_FRAMES = (*_PLACE, *_AGREEMENT, "reference_px", "predicted_px")
_STACKS = ("group", "patient", "phase_number", "phase_name", *_AGREEMENT, "reference_voxels", "predicted_voxels")
_VOLUMES = ("group", "patient", "measure", "reference", "predicted", "error")
_FOUND = "found_"
"""Columns of regions.csv with the regions that were found begin with this."""

Row = Mapping[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """Everything that was measured.

    Attributes:
        scores: One per frame and label.
        regions: One per frame.
        stacks: One per patient, phase and label.
        volumes: One per patient and measure.
    """

    scores: tuple[FrameScore, ...] = ()
    regions: tuple[FrameRegions, ...] = ()
    stacks: tuple[StackScore, ...] = ()
    volumes: tuple[VolumePair, ...] = ()

    def __add__(self, other: "Run") -> "Run":
        return Run(
            self.scores + other.scores,
            self.regions + other.regions,
            self.stacks + other.stacks,
            self.volumes + other.volumes,
        )

    def of_group(self, group: str) -> "Run":
        """What was measured in one data set."""
        return Run(
            tuple(s for s in self.scores if s.place.group == group),
            tuple(r for r in self.regions if r.place.group == group),
            tuple(s for s in self.stacks if s.place.group == group),
            tuple(v for v in self.volumes if v.group == group),
        )

    @property
    def patients(self) -> Mapping[str, int]:
        """Number of patients by data set, in order of the data sets' names."""
        pairs = sorted({(r.place.group, r.place.patient) for r in self.regions})
        return {group: sum(1 for g, _ in pairs if g == group) for group in dict.fromkeys(g for g, _ in pairs)}


def places_of(labelled: LabelledStack, source: LabelledSource) -> dict[FrameIndex, FramePlace]:
    """The frames of the labelled phases, with their reference regions."""
    stack = labelled.study.stack
    names = {stack.es_phase: "ES", stack.ed_phase: "ED"}
    places: dict[FrameIndex, FramePlace] = {}
    for phase in labelled.phases:
        regions = reference_regions([bool(labelled.labels[phase, s].any()) for s in range(stack.slices)])
        for s, region in enumerate(regions):
            number = source.first_phase + phase
            place = FramePlace(source.group, source.name, number, names.get(phase, ""), s, region)
            places[FrameIndex(phase, s)] = place
    return places


def measured(
    labelled: LabelledStack,
    places: Mapping[FrameIndex, FramePlace],
    found: Mapping[FrameIndex, RegionPrediction],
    predicted: LabelMap,
    model_ids: Mapping[FrameIndex, str],
) -> Run:
    """Everything that is measured of one stack.

    Args:
        labelled: The stack with its reference label maps.
        places: The frames that are measured, as `places_of`.
        found: Their predicted regions.
        predicted: (phase, slice, row, col) predicted label maps, background where nothing was segmented.
        model_ids: Segmentation model of each frame; empty to measure the regions alone.
    """
    stack = labelled.study.stack
    regions = tuple(
        FrameRegions(place, {"predicted": found[f].region, "argmax": found[f].argmax}, model_ids.get(f, ""))
        for f, place in places.items()
    )
    if not model_ids or not places:
        return Run(regions=regions)
    slice_mm, pixel_mm = known_spacing_mm(stack.geometry)
    space_mm = None if slice_mm is None or pixel_mm is None else (slice_mm, *pixel_mm)
    frames: list[FrameScore] = []
    stacks: list[StackScore] = []
    for (phase, s), place in places.items():
        reference, made, labels = labelled.labels[phase], predicted[phase], labelled.phase_structures[phase]
        frames += score_labels(place, reference[s], made[s], spacing_mm=pixel_mm, structures=labels)
        if s == 0:
            whole = StackPlace(place.group, place.patient, place.phase, place.phase_name)
            stacks += score_labels(whole, reference, made, spacing_mm=space_mm, structures=labels)
    place = next(iter(places.values()))
    volumes = volume_pairs(
        place.group,
        place.patient,
        reference=labelled.labels,
        predicted=predicted,
        structures=labelled.phase_structures,
        geometry=stack.geometry,
        ed_phase=stack.ed_phase,
        es_phase=stack.es_phase,
    )
    return Run(tuple(frames), regions, tuple(stacks), tuple(volumes))


def write_run(folder: Path, run: Run) -> None:
    """Write the four tables; a value that is not known is left empty."""
    methods = methods_of(run.regions)
    _write(folder / FRAMES_FILE, _FRAMES, ((*_place_row(s.place), *_score_row(s)) for s in run.scores))
    _write(folder / STACKS_FILE, _STACKS, ((*_stack_place_row(s.place), *_score_row(s)) for s in run.stacks))
    _write(folder / VOLUMES_FILE, _VOLUMES, (_volume_row(pair) for pair in run.volumes))
    _write(
        folder / REGIONS_FILE,
        (*_PLACE, *(f"{_FOUND}{method}" for method in methods), "model"),
        ((*_place_row(r.place), *(r.found[method] for method in methods), r.model_id) for r in run.regions),
    )


def read_run(folder: Path) -> Run:
    """Read what `write_run` wrote.

    Raises:
        LoadError: A table is missing or cannot be read.
    """
    return Run(
        scores=_read(folder / FRAMES_FILE, lambda row: _score_of(_place_of(row), row, "px")),
        regions=_read(folder / REGIONS_FILE, _regions_of),
        stacks=_read(folder / STACKS_FILE, lambda row: _score_of(_stack_place_of(row), row, "voxels")),
        volumes=_read(folder / VOLUMES_FILE, _volume_of),
    )


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def _read(path: Path, take: Callable[[Row], T]) -> tuple[T, ...]:
    rows: list[T] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                rows.append(take(row))
    except OSError as error:
        raise LoadError(
            f"Could not read {path}: {error.strerror or error}. Name an output folder of cmr-viewer evaluate."
        ) from error
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise LoadError(
            f"Line {len(rows) + 2} of {path} does not match this version of cmr-viewer evaluate ({error!r}). "
            "Evaluate again."
        ) from error
    return tuple(rows)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _or_none(text: str) -> float | None:
    return float(text) if text else None


def _stack_place_row(place: StackPlace) -> tuple[object, ...]:
    return place.group, place.patient, place.phase + 1, place.phase_name


def _stack_place_of(row: Row) -> StackPlace:
    return StackPlace(row["group"], row["patient"], int(row["phase_number"]) - 1, row["phase_name"])


def _place_row(place: FramePlace) -> tuple[object, ...]:
    return *_stack_place_row(place), place.slice_index + 1, place.region


def _place_of(row: Row) -> FramePlace:
    at, region = int(row["slice_number"]) - 1, Region(row["region"])
    return FramePlace(**vars(_stack_place_of(row)), slice_index=at, region=region)


def _score_row(s: FrameScore | StackScore) -> tuple[object, ...]:
    numbers = _number(s.dice, 6), _number(s.hd95_mm, 4), _number(s.assd_mm, 4)
    return s.label.name, *numbers, s.reference_pixels, s.predicted_pixels


def _score_of(place: Place, row: Row, unit: str) -> Score[Place]:
    overlap, hd95_mm, assd_mm = (_or_none(row[name]) for name in ("dice", "hd95_mm", "assd_mm"))
    sizes = int(row[f"reference_{unit}"]), int(row[f"predicted_{unit}"])
    return Score(place, Label[row["label"]], overlap, hd95_mm, assd_mm, *sizes)


def _volume_row(pair: VolumePair) -> tuple[object, ...]:
    numbers = (_number(value, 4) for value in (pair.reference, pair.predicted, pair.error))
    return pair.group, pair.patient, pair.measure, *numbers


def _volume_of(row: Row) -> VolumePair:
    values = (float(row["reference"]), _or_none(row["predicted"]))
    return VolumePair(row["group"], row["patient"], row["measure"], *values)


def _regions_of(row: Row) -> FrameRegions:
    found = {name.removeprefix(_FOUND): Region(value) for name, value in row.items() if name.startswith(_FOUND)}
    if "predicted" not in found:
        raise KeyError(f"{_FOUND}predicted")
    return FrameRegions(_place_of(row), found, row["model"])
