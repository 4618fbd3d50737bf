"""Two reads of a study compared, pixel by pixel, frame by frame, and in volumes, ejection fraction and mass."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap, dice, empty_label_map, hausdorff_mm
from cmr_viewer.domain.measures.volumes import (
    MEASURE_NAMES,
    MYOCARDIAL_DENSITY_G_PER_ML,
    Measures,
    believed,
    believed_voxel_ml,
    label_counts,
    measure,
    phase_counts,
    voxel_volume_ml,
)
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.what_if import amount_text, at_stake_ml

AGREEMENT_DICE = 0.95
"""Two reads agree on a frame if they give it the same region and every label has at least this Dice: strict
enough that frames accepted without another review differ by single pixels along the borders."""

COMPARED_MEASURES = ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_mass_g", "rv_edv_ml", "rv_esv_ml", "rv_ef_percent")
"""The measures at the head of a comparison, in order."""


@dataclass(frozen=True, eq=False)
class FrameRead:
    """A frame as a reader left it.

    Attributes:
        labels: (row, col), or None where it has no label map.
        region: Its region, or None.
        by_hand: Whether the reader edited it, set its region or accepted it.
        made: How the label map came to be; None where there is none.
    """

    labels: LabelMap | None
    region: Region | None
    by_hand: bool = False
    made: Provenance | None = None


@dataclass(frozen=True, eq=False)
class ReadResult:
    """The results of a read.

    Attributes:
        name: Which read, in words: "First read by A. Reader".
        frames: All frames of the stack.
        ed_phase: End-diastole, or None.
        es_phase: End-systole, or None.
    """

    name: str
    frames: Mapping[FrameIndex, FrameRead]
    ed_phase: int | None
    es_phase: int | None


@dataclass(frozen=True)
class LabelDifference:
    """How two reads differ in one label of a frame; differences are the second minus the first.

    Attributes:
        dice: Dice similarity coefficient; None where neither has the label.
        hausdorff_mm: Hausdorff distance; None where one has not the label, or the spacing is not known.
        area_mm2: Difference of the areas; None where the spacing is not known.
        ml: Difference of the volumes in this slice; None where the spacing is not known.
        mean_ml: Mean of the volumes in this slice; None where the spacing is not known.
    """

    dice: float | None
    hausdorff_mm: float | None
    area_mm2: float | None
    ml: float | None
    mean_ml: float | None


@dataclass(frozen=True)
class FrameDifference:
    """How two reads differ in a frame.

    Attributes:
        frame: The frame.
        marks: "ED", "ES" or both, where the frame is at ED or ES of one of the reads; else empty.
        regions: Of the first and of the second read; None where it has none.
        labels: By label.
        at_stake_ml: How many ml the measures depend on the choice between the two, see `review.what_if.at_stake_ml`;
            thousands of pixels where the spacing is not known.
        lacking: "first", "second" or "both" where a read has no label map of the frame; else empty.
        in_ml: Whether the spacing is known.
    """

    frame: FrameIndex
    marks: str
    regions: tuple[Region | None, Region | None]
    labels: Mapping[Label, LabelDifference]
    at_stake_ml: float
    lacking: str = ""
    in_ml: bool = True

    @property
    def amount(self) -> str:
        """What is at stake, with its unit."""
        return amount_text(self.at_stake_ml, self.in_ml)

    @property
    def regions_differ(self) -> bool:
        """Whether the reads give the frame different regions."""
        return self.regions[0] is not self.regions[1]

    @property
    def lowest_dice(self) -> float:
        """Dice of the label that they agree on least; 1.0 where neither has any."""
        return min((one.dice for one in self.labels.values() if one.dice is not None), default=1.0)

    def agrees(self, least_dice: float = AGREEMENT_DICE) -> bool:
        """Whether the reads agree: one region, both have a label map, and no label has a Dice below `least_dice`."""
        return not self.regions_differ and not self.lacking and self.lowest_dice >= least_dice


@dataclass(frozen=True, eq=False)
class MeasureDifference:
    """One measure in two reads.

    Attributes:
        name: One of `MEASURE_NAMES`.
        first: In the first read, None where it is not known.
        second: In the second.
        by_phase: How much of the difference comes from another choice of ED or ES, with the second read's label maps;
            the rest comes from the frames. None where that is not known, and for fractions, which do not add up.
    """

    name: str
    first: float | None
    second: float | None
    by_phase: float | None = None

    @property
    def difference(self) -> float | None:
        """The second minus the first."""
        return None if self.first is None or self.second is None else self.second - self.first


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two reads of a study, compared.

    Attributes:
        names: Of the reads, in words.
        phases: (ED, ES) of each read.
        measures: By name.
        frames: Those at ED and ES of either read and those that a reader did something to; most millilitres first.
        ml_known: Whether millilitres are millilitres; else the spacing is not known.
    """

    names: tuple[str, str]
    phases: tuple[tuple[int | None, int | None], tuple[int | None, int | None]]
    measures: Mapping[str, MeasureDifference]
    frames: tuple[FrameDifference, ...]
    ml_known: bool

    @cached_property
    def by_frame(self) -> Mapping[FrameIndex, FrameDifference]:
        """Frames by their index."""
        return {one.frame: one for one in self.frames}

    def disagreements(self, least_dice: float = AGREEMENT_DICE) -> tuple[FrameDifference, ...]:
        """Frames that the reads do not agree on, most millilitres first."""
        return tuple(one for one in self.frames if not one.agrees(least_dice))


def compare_reads(first: ReadResult, second: ReadResult, geometry: Geometry, *, any_size: bool = False) -> Comparison:
    """Compare two reads of a stack.

    Args:
        first: One read.
        second: The other; differences are this minus the first.
        geometry: The stack's grid.
        any_size: Whether a reader allowed a heart of any size.

    Raises:
        LabelMapError: The reads are of stacks of different sizes.
    """
    voxel_ml, why_not = voxel_volume_ml(geometry)
    counts = tuple(_counts_of(one, geometry) for one in (first, second))
    ends = ((first.ed_phase, first.es_phase), (second.ed_phase, second.es_phase))
    measured = tuple(
        believed(
            measure(each, voxel_ml=voxel_ml, ed_phase=ed, es_phase=es, no_volume_reason=why_not), any_size=any_size
        )
        for each, (ed, es) in zip(counts, ends, strict=True)
    )
    lv = np.concatenate([each[:, Label.LVBP] for each in counts])
    voxel_ml, _ = believed_voxel_ml(voxel_ml, lv, any_size=any_size)
    marked = {phase for pair in ends for phase in pair}
    wanted = [
        frame
        for frame, one in first.frames.items()
        if frame.phase in marked or one.by_hand or second.frames[frame].by_hand
    ]
    frames = [_compare_frame(frame, first, second, geometry) for frame in wanted]
    frames.sort(key=lambda one: (-one.at_stake_ml, one.lowest_dice, one.frame))
    return Comparison(
        names=(first.name, second.name),
        phases=ends,
        measures={name: _measure(name, measured, counts[1], voxel_ml) for name in MEASURE_NAMES},
        frames=tuple(frames),
        ml_known=voxel_ml is not None,
    )


def _counts_of(read: ReadResult, geometry: Geometry) -> NDArray[np.float64]:
    """(phase, 4) voxels of each label, each slice by its weight; -1 where a slice of the phase has no label map."""
    phases = 1 + max((frame.phase for frame in read.frames), default=-1)
    counts = np.zeros((phases, geometry.slices, len(Label)), np.int64)
    for frame, one in read.frames.items():
        counts[frame] = -1 if one.labels is None else label_counts(one.labels)
    return phase_counts(counts, geometry.slice_weights)


_OF_ONE_PHASE: Mapping[str, tuple[Label, bool]] = {
    "lv_edv_ml": (Label.LVBP, True),
    "lv_esv_ml": (Label.LVBP, False),
    "lv_mass_g": (Label.LVM, True),
    "rv_edv_ml": (Label.RVBP, True),
    "rv_esv_ml": (Label.RVBP, False),
}
"""Measures that are taken at one phase: of which label, and whether at ED."""


def _measure(
    name: str, measured: tuple[Measures, ...], second: NDArray[np.float64], voxel_ml: float | None
) -> MeasureDifference:
    values = [one.values.get(name) for one in measured]
    by_phase = None
    if name in _OF_ONE_PHASE and voxel_ml is not None and None not in values:
        label, at_ed = _OF_ONE_PHASE[name]
        here, there = ((one.ed_phase if at_ed else one.es_phase) for one in measured)
        if here is not None and there is not None and second[here, 0] >= 0:
            unit = voxel_ml * (MYOCARDIAL_DENSITY_G_PER_ML if name == "lv_mass_g" else 1.0)
            by_phase = float(second[there, label] - second[here, label]) * unit
    return MeasureDifference(name, values[0], values[1], by_phase)


def _compare_frame(frame: FrameIndex, first: ReadResult, second: ReadResult, geometry: Geometry) -> FrameDifference:
    voxel_ml, _ = voxel_volume_ml(geometry)
    if voxel_ml is not None:
        voxel_ml *= float(geometry.slice_weights[frame.slice_index])
    mine, other = first.frames[frame], second.frames[frame]
    empty = empty_label_map(geometry.rows, geometry.cols)
    a, b = (empty if one.labels is None else one.labels for one in (mine, other))
    is_ed = frame.phase in (first.ed_phase, second.ed_phase)
    is_es = frame.phase in (first.es_phase, second.es_phase)
    return FrameDifference(
        frame=frame,
        marks=" ".join(text for text, so in (("ED", is_ed), ("ES", is_es)) if so),
        regions=(mine.region, other.region),
        labels={label: _compare_label(label, a, b, geometry.pixel_spacing_mm, voxel_ml) for label in STRUCTURES},
        at_stake_ml=at_stake_ml(
            label_counts(a), label_counts(b), voxel_ml=0.001 if voxel_ml is None else voxel_ml, is_ed=is_ed, is_es=is_es
        ),
        lacking=_lacking(mine, other),
        in_ml=voxel_ml is not None,
    )


def _lacking(mine: FrameRead, other: FrameRead) -> str:
    if mine.labels is None:
        return "both" if other.labels is None else "first"
    return "second" if other.labels is None else ""


def _compare_label(
    label: Label, a: LabelMap, b: LabelMap, pixel_spacing_mm: tuple[float, float], voxel_ml: float | None
) -> LabelDifference:
    score = dice(a, b, label)
    if voxel_ml is None:
        return LabelDifference(score, None, None, None, None)
    mask, other = a == int(label), b == int(label)
    first, second = int(np.count_nonzero(mask)), int(np.count_nonzero(other))
    return LabelDifference(
        dice=score,
        hausdorff_mm=hausdorff_mm(mask, other, pixel_spacing_mm),
        area_mm2=(second - first) * pixel_spacing_mm[0] * pixel_spacing_mm[1],
        ml=(second - first) * voxel_ml,
        mean_ml=(first + second) / 2 * voxel_ml,
    )


COLUMNS = (
    "phase_number",
    "slice_number",
    "marks",
    "region_first",
    "region_second",
    "agree",
    "lacking",
    "at_stake",
    *(
        f"{label.name.lower()}_{what}"
        for label in STRUCTURES
        for what in ("dice", "hausdorff_mm", "area_difference_mm2", "difference_ml")
    ),
)
"""Columns of the table of frames; what is at stake is in ml, or in thousands of pixels without a spacing."""


def frame_rows(frames: Iterable[FrameDifference], least_dice: float = AGREEMENT_DICE) -> list[dict[str, object]]:
    """Frames as rows with `COLUMNS`, in their order; None where something is not known."""
    rows = []
    for one in frames:
        row: dict[str, object] = {
            "phase_number": one.frame.phase + 1,
            "slice_number": one.frame.slice_index + 1,
            "marks": one.marks,
            "region_first": None if one.regions[0] is None else str(one.regions[0]),
            "region_second": None if one.regions[1] is None else str(one.regions[1]),
            "agree": one.agrees(least_dice),
            "lacking": one.lacking,
            "at_stake": one.at_stake_ml,
        }
        for label, found in one.labels.items():
            values = (found.dice, found.hausdorff_mm, found.area_mm2, found.ml)
            names = ("dice", "hausdorff_mm", "area_difference_mm2", "difference_ml")
            row |= {f"{label.name.lower()}_{name}": value for name, value in zip(names, values, strict=True)}
        rows.append(row)
    return rows


class Difference(IntEnum):
    """The change of a pixel."""

    NONE = 0
    ADDED = 1
    REMOVED = 2
    RELABELLED = 3


def difference_map(before: LabelMap, now: LabelMap) -> NDArray[np.uint8]:
    """The change of each pixel.

    Args:
        before: (row, col) label map as it was.
        now: The same frame's as it is, of the same shape.

    Returns:
        (row, col), values of `Difference`: a label where there was background, background where there was a label, or
        another label.
    """
    changed = before != now
    found = np.where(before == 0, np.uint8(Difference.ADDED), np.uint8(Difference.RELABELLED))
    found[now == 0] = Difference.REMOVED
    found[~changed] = Difference.NONE
    return found
