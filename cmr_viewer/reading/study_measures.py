"""Everything that is measured of a study: volumes, curves, wall. Without Qt; for the window and the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label, Region, reference_regions
from cmr_viewer.domain.insertion_points import (
    InsertionOrigin,
    InsertionPoints,
    insertion_points_of_slices,
    seen_from_apex,
)
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.lv_outline import lv_outline
from cmr_viewer.domain.measures import Measures, label_counts, voxel_volume_ml
from cmr_viewer.domain.papillary import PapillaryConvention, labels_by_convention
from cmr_viewer.domain.patient import Patient
from cmr_viewer.domain.plausible import believed_voxel_ml
from cmr_viewer.domain.segments_aha import PhaseSegments, SegmentThickness, segment_thicknesses
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.domain.volume_curve import VolumeCurve, phase_times_of, volume_curve
from cmr_viewer.reading.measure_choices import Insertions
from cmr_viewer.reading.volumes import VoxelCounts, measures_at


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
        """What is said of ejection and filling, as (text, value with unit); empty where it is not known."""
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
    """What the files say of the patient, the heart rate of the cine included."""
    found = study.patient
    if found.heart_rate_bpm is None and study.stack.heart_rate_bpm is not None:
        return found.with_typed(Patient(heart_rate_bpm=study.stack.heart_rate_bpm))
    return found
