"""Everything that is measured of a study, for window and report: the reader's choices, volumes, curves, wall."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region, reference_regions
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.insertion_points import (
    InsertionOrigin,
    InsertionPoints,
    insertion_points_of_slices,
    seen_from_apex,
)
from cmr_viewer.domain.measures.papillary import PapillaryConvention, labels_by_convention
from cmr_viewer.domain.measures.segments_aha import PhaseSegments, SegmentThickness, segment_thicknesses
from cmr_viewer.domain.measures.volume_curve import VolumeCurve, phase_times_of, volume_curve
from cmr_viewer.domain.measures.volumes import Measures, believed_voxel_ml, label_counts, voxel_volume_ml
from cmr_viewer.domain.measures.wall import lv_outline
from cmr_viewer.domain.patient import UNKNOWN_PATIENT, Patient, patient_from_json
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.volumes import VoxelCounts, measures_at
from cmr_viewer.store.study_facts import PATIENT_PREFIX

PATIENT_FACT = f"{PATIENT_PREFIX}facts"
"""Key of the facts of the patient that were typed."""

INSERTIONS_FACT = "insertion_points"
"""Key of the RV insertion points that were set."""


@dataclass(frozen=True)
class Insertions:
    """Where a reader put the RV insertion points.

    Attributes:
        turn_degrees: By how much all are turned from where they were found, against the clock as seen from the apex.
        points: Of single frames; they go before what is found, and are not turned.
    """

    turn_degrees: float = 0.0
    points: Mapping[FrameIndex, InsertionPoints] = field(default_factory=dict)

    @property
    def is_found(self) -> bool:
        """Whether all are where they were found."""
        return self.turn_degrees == 0.0 and not self.points

    def at_phase(self, phase: int) -> dict[int, InsertionPoints]:
        """By slice: points that were set at a phase."""
        return {frame.slice_index: points for frame, points in self.points.items() if frame.phase == phase}

    def as_json(self) -> dict[str, Any]:
        """As JSON values; `insertions_from_json` is the way back."""
        return {
            "turn_degrees": self.turn_degrees,
            "points": [
                {
                    "phase": frame.phase,
                    "slice_index": frame.slice_index,
                    "anterior": list(points.anterior),
                    "inferior": list(points.inferior),
                    "from_apex": points.from_apex,
                }
                for frame, points in sorted(self.points.items())
            ],
        }


_WHOLE_TURN_DEG = 360.0

AS_FOUND = Insertions()
"""Nothing was set."""


def insertions_from_json(values: Mapping[str, Any]) -> Insertions:
    """Read what `Insertions.as_json` wrote; what is absent or of another form counts as not set."""
    turn = values.get("turn_degrees")
    points = {}
    given = values.get("points")
    for one in given if isinstance(given, list) else ():
        try:
            frame = FrameIndex(int(one["phase"]), int(one["slice_index"]))
            anterior, inferior = (_point(one[name]) for name in ("anterior", "inferior"))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        points[frame] = InsertionPoints(anterior, inferior, one.get("from_apex") is not False, InsertionOrigin.READER)
    known = isinstance(turn, int | float) and not isinstance(turn, bool) and abs(turn) <= _WHOLE_TURN_DEG
    return Insertions(float(turn) if known and turn is not None else 0.0, points)


def _point(value: Any) -> tuple[float, float]:
    row, col = value
    point = float(row), float(col)
    if not all(map(math.isfinite, point)):
        raise ValueError(f"{point} is not a point of a frame.")
    return point


@dataclass(frozen=True)
class MeasureChoices:
    """What a reader chose for the measures of one study.

    Attributes:
        typed: Facts of the patient, where they are not in the files or are wrong there.
        insertions: RV insertion points.
    """

    typed: Patient = UNKNOWN_PATIENT
    insertions: Insertions = AS_FOUND


def choices_of(facts: Mapping[str, Any]) -> MeasureChoices:
    """What a reader chose for the measures of a study.

    Args:
        facts: Of the study, by key, as `OpenStudy.facts` holds them; what is of another form counts as not chosen.
    """
    typed, points = facts.get(PATIENT_FACT), facts.get(INSERTIONS_FACT)
    return MeasureChoices(
        patient_from_json(typed) if isinstance(typed, dict) else UNKNOWN_PATIENT,
        insertions_from_json(points) if isinstance(points, dict) else AS_FOUND,
    )


def patient_fact(typed: Patient) -> dict[str, Any] | None:
    """What is saved of facts that a reader typed; None for nothing."""
    values = {name: value for name, value in typed.as_json().items() if value is not None}
    return values or None


def insertions_fact(insertions: Insertions) -> dict[str, Any] | None:
    """What is saved of RV insertion points; None where all are as found."""
    return None if insertions.is_found else insertions.as_json()


@dataclass(frozen=True, eq=False)
class Curves:
    """Volumes of both ventricles through the cycle.

    Attributes:
        lv: Of the LV blood pool.
        rv: Of the RV blood pool.
        unit: "ml", or "pixels" where the spacing is not known.
    """

    lv: VolumeCurve
    rv: VolumeCurve
    unit: str

    @property
    def rates(self) -> tuple[tuple[str, str], ...]:
        """Rates of ejection and filling, as (text, value with unit); empty where it is not known."""
        if self.unit != "ml":
            return ()
        found = []
        for side, curve in (("LV", self.lv), ("RV", self.rv)):
            for text, peak, since in (
                ("peak ejection rate", curve.peak_ejection, "ED"),
                ("peak filling rate", curve.peak_filling, "ES"),
            ):
                if peak is not None:
                    value = f"{peak.rate_ml_per_s:.0f} ml/s, {peak.after_ms:.0f} ms after {since}"
                    found.append((f"{side} {text}", value))
        return tuple(found)


def curves_of(counts: NDArray[np.float64], stack: Stack, patient: Patient) -> Curves:
    """Volumes through the cycle.

    Args:
        counts: (phase, 4) voxels of each `Label`; -1 where a phase is not segmented whole.
        stack: The stack.
        patient: Its heart rate, where the times of the phases are not known.
    """
    ml, _ = voxel_volume_ml(stack.geometry)
    ml, _ = believed_voxel_ml(ml, counts[:, Label.LVBP], any_size=stack.any_size)
    times, cycle = phase_times_of(stack.phases, stack.phase_times_ms, patient.heart_rate_bpm)
    lv, rv = (
        volume_curve(np.where(counts[:, label] < 0, np.nan, counts[:, label] * (ml or 1.0)), times, cycle)
        for label in (Label.LVBP, Label.RVBP)
    )
    return Curves(lv, rv, "pixels" if ml is None else "ml")


def counts_by_convention(
    stack: Stack, label_maps: Mapping[FrameIndex, LabelMap], convention: PapillaryConvention
) -> dict[FrameIndex, NDArray[np.int64]]:
    """Voxels of each label of frames, with papillary muscles where a convention counts them; (4,) each."""
    return {
        frame: label_counts(labels_by_convention(stack.frame(frame), labels, convention))
        for frame, labels in label_maps.items()
    }


def measures_by_convention(
    counts: VoxelCounts, stack: Stack, ed: int | None, es: int | None, convention: PapillaryConvention
) -> Measures:
    """Measures at ED and ES with the convention that `counts` follow."""
    return replace(measures_at(counts, stack.geometry, ed, es, any_size=stack.any_size), papillary=convention)


@dataclass(frozen=True, eq=False)
class Wall:
    """The wall of the left ventricle.

    Attributes:
        segments: 1 to 17; empty where nothing is measured.
        note: How the segments were placed, or why there are none.
        points: RV insertion points that the segments were placed by, of frames at end-diastole and end-systole.
    """

    segments: tuple[SegmentThickness, ...]
    note: str
    points: Mapping[FrameIndex, InsertionPoints] = field(default_factory=dict)

    @property
    def thickness_mm(self) -> dict[int, float | None]:
        """By segment, at end-diastole."""
        return {one.number: one.ed_mean_mm for one in self.segments}

    @property
    def thickening_percent(self) -> dict[int, float | None]:
        """By segment, from end-diastole to end-systole."""
        return {one.number: one.thickening_percent for one in self.segments}


@dataclass(frozen=True, eq=False)
class WallMaterial:
    """What the wall is measured on; nothing in it changes any more.

    Attributes:
        stack: The stack.
        ed_phase: End-diastole, or None.
        es_phase: End-systole, or None.
        label_maps: Of the frames at both that have one.
        regions: Of these frames, where they are known.
        insertions: As a reader set them.
    """

    stack: Stack
    ed_phase: int | None
    es_phase: int | None
    label_maps: Mapping[FrameIndex, LabelMap]
    regions: Mapping[FrameIndex, Region]
    insertions: Insertions


def wall_of(material: WallMaterial) -> Wall:
    """Thickness and thickening of the wall by segments; takes a tenth of a second or more."""
    geometry = material.stack.geometry
    if not geometry.spacing_known:
        return Wall((), "No wall thickness: the spacing of the study is not known.")
    if material.ed_phase is None:
        return Wall((), "End-diastole is not known until all phases are segmented, or until you mark it.")
    if impossible := _impossible_at_ed(material):
        return Wall((), impossible)
    ed = _phase_segments(material, material.ed_phase)
    es = None if material.es_phase is None else _phase_segments(material, material.es_phase)
    if not ed.points:
        return Wall((), "No RV insertion points: at ED, no slice shows the RV next to a closed LV contour.")
    segments = segment_thicknesses(ed, es, geometry.pixel_spacing_mm)
    points = {FrameIndex(material.ed_phase, index): one for index, one in ed.points.items()}
    if es is not None and material.es_phase is not None:
        points |= {FrameIndex(material.es_phase, index): one for index, one in es.points.items()}
    return Wall(segments, _note(material.insertions), points)


def _impossible_at_ed(material: WallMaterial) -> str:
    """Why the heart at end-diastole is not believed, and with it the spacing; empty where it is."""
    stack = material.stack
    ml, _ = voxel_volume_ml(stack.geometry)
    voxels = sum(
        np.count_nonzero(labels == Label.LVBP) * stack.geometry.slice_weights[frame.slice_index]
        for frame, labels in material.label_maps.items()
        if frame.phase == material.ed_phase
    )
    return believed_voxel_ml(ml, np.array([voxels], dtype=np.float64), any_size=stack.any_size)[1]


def _phase_segments(material: WallMaterial, phase: int) -> PhaseSegments:
    stack = material.stack
    labels = np.zeros((stack.slices, stack.geometry.rows, stack.geometry.cols), dtype=np.uint8)
    for index in range(stack.slices):
        found = material.label_maps.get(FrameIndex(phase, index))
        if found is not None:
            labels[index] = found
    placed = reference_regions([bool(one.any()) for one in labels])
    regions = [material.regions.get(FrameIndex(phase, index), placed[index]) for index in range(stack.slices)]
    points = insertion_points_of_slices(
        labels,
        stack.geometry.pixel_spacing_mm,
        from_apex=seen_from_apex(stack.geometry),
        by_reader=material.insertions.at_phase(phase),
    )
    turned = {
        index: _turned(one, labels[index], stack, material.insertions.turn_degrees) for index, one in points.items()
    }
    return PhaseSegments(labels, regions, turned)


def _turned(points: InsertionPoints, labels: LabelMap, stack: Stack, degrees: float) -> InsertionPoints:
    """Points turned along the epicardium, against the clock as seen from the apex; a reader's own stay."""
    if degrees == 0.0 or points.origin is InsertionOrigin.READER:
        return points
    outline = lv_outline(labels, stack.geometry.pixel_spacing_mm)
    if outline is None:
        return points
    by = np.deg2rad(degrees) * (-1.0 if points.from_apex else 1.0)  # angles of an outline grow with the clock
    return points.moved(
        anterior=outline.on_epicardium(outline.angle_of(points.anterior) + by),
        inferior=outline.on_epicardium(outline.angle_of(points.inferior) + by),
    )


def _note(insertions: Insertions) -> str:
    if insertions.is_found:
        return "RV insertion points: automatic, from the label maps."
    words = []
    if insertions.turn_degrees:
        way = "anticlockwise" if insertions.turn_degrees > 0 else "clockwise"
        words.append(f"turned by {abs(insertions.turn_degrees):.0f}° {way}")
    if insertions.points:
        several = len(insertions.points)
        words.append(f"set in {several} frame{'s' if several > 1 else ''}")
    return f"RV insertion points {' and '.join(words)} by the reader."


def point_set(
    insertions: Insertions,
    frame: FrameIndex,
    labels: LabelMap,
    stack: Stack,
    *,
    anterior: tuple[float, float] | None = None,
    inferior: tuple[float, float] | None = None,
) -> Insertions | None:
    """Insertions with a point of a frame set by the reader.

    Args:
        insertions: Until now.
        frame: The frame.
        labels: (row, col) label map of it.
        stack: The stack.
        anterior: (row, col), or None to leave it.
        inferior: (row, col), or None to leave it.

    Returns:
        The new ones; None where the other point is not known, because RV and LV do not touch in the frame.
    """
    spacing, from_apex = stack.geometry.pixel_spacing_mm, seen_from_apex(stack.geometry)
    known = insertions.points.get(frame)
    if known is None:
        found = insertion_points_of_slices(labels[None], spacing, from_apex=from_apex).get(0)
        known = None if found is None else _turned(found, labels, stack, insertions.turn_degrees)
    if known is None:
        return None
    moved = known.moved(anterior=anterior, inferior=inferior)
    return replace(insertions, points={**insertions.points, frame: moved})


def patient_in_files(study: Study) -> Patient:
    """What the files contain on the patient, the heart rate of the cine included."""
    found = study.patient
    if found.heart_rate_bpm is None and study.stack.heart_rate_bpm is not None:
        return found.with_typed(Patient(heart_rate_bpm=study.stack.heart_rate_bpm))
    return found


Before = Callable[[FrameIndex], LabelMap | None]
"""The label map (row, col) of a frame as it was; None where there was none."""


@dataclass(frozen=True)
class VolumeChanges:
    """By how much volumes grew; None where that is not known.

    Attributes:
        frame_ml: Of each label in one frame.
        edv_ml: Of the LV and the RV blood pool in all slices at end-diastole, by label.
        esv_ml: The same at end-systole.
        why_not: Why something is not known, for a reader; empty if all is.
    """

    frame_ml: dict[Label, float | None]
    edv_ml: dict[Label, float | None]
    esv_ml: dict[Label, float | None]
    why_not: str = ""


class VolumesBefore:
    """Compares a study with label maps as they were; what was counted is remembered as long as it is the same array."""

    def __init__(self) -> None:
        self._counted: dict[FrameIndex, tuple[LabelMap, NDArray[np.int64]]] = {}

    def forget(self) -> None:
        """Another study is open, or none."""
        self._counted.clear()

    def changes(self, reading: OpenStudy, frame: FrameIndex, before: Before) -> VolumeChanges:
        """What the label maps of now have more than those of before.

        A frame that had no label map before counts as it is now, so that only corrections are counted.

        Args:
            reading: The open study.
            frame: The frame that is shown.
            before: Label maps as they were.
        """
        ml, why_not = reading.voxel_ml()
        ed, es = reading.ed_es()
        pools = (Label.LVBP, Label.RVBP)
        unknown: dict[Label, float | None] = dict.fromkeys(STRUCTURES)
        if ml is None:
            return VolumeChanges(unknown, dict.fromkeys(pools), dict.fromkeys(pools), why_not)
        here = self._grown(reading, frame, before)
        share = reading.stack.geometry.slice_weights[frame.slice_index]
        frame_ml = unknown if here is None else {**unknown, **_ml(here * share, STRUCTURES, ml)}
        at_ed, at_es = (self._of_phase(reading, phase, before, ml) for phase in (ed, es))
        if ed is None or es is None:
            why_not = (
                "End-diastole and end-systole are not known until all phases are segmented, or until you mark them."
            )
        return VolumeChanges(frame_ml, at_ed, at_es, why_not)

    def _of_phase(
        self, reading: OpenStudy, phase: int | None, before: Before, voxel_ml: float
    ) -> dict[Label, float | None]:
        if phase is None:
            return {Label.LVBP: None, Label.RVBP: None}
        total = np.zeros(len(Label))
        for index, share in enumerate(reading.stack.geometry.slice_weights):
            grown = self._grown(reading, FrameIndex(phase, index), before)
            total += 0 if grown is None else grown * share
        return {**_ml(total, (Label.LVBP, Label.RVBP), voxel_ml)}

    def _grown(self, reading: OpenStudy, frame: FrameIndex, before: Before) -> NDArray[np.int64] | None:
        """Voxels that each label has more than before, (4,); None where there is nothing to compare."""
        was, now = before(frame), reading.frames.counts.of_frame(frame)
        if was is None or now is None:
            return None
        known = self._counted.get(frame)
        if known is None or known[0] is not was:
            known = self._counted[frame] = (was, label_counts(was))
        return now - known[1]


def _ml(voxels: NDArray[np.float64], labels: tuple[Label, ...], voxel_ml: float) -> dict[Label, float]:
    return {label: float(voxels[label]) * voxel_ml for label in labels}
