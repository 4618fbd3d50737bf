"""All measures of one study's label maps, as JSON values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.commands.measure_inputs import Labelled
from cmr_viewer.commands.service import notes_json
from cmr_viewer.domain.anatomy import Label, reference_regions
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.ed_es import EdEs, PhasePair, choose_ed_es, ed_es_by_volume
from cmr_viewer.domain.measures.insertion_points import insertion_points_of_slices, seen_from_apex
from cmr_viewer.domain.measures.papillary import PapillaryConvention, labels_by_convention
from cmr_viewer.domain.measures.patient_measures import BsaFormula, PatientMeasures, normal_range, patient_measures
from cmr_viewer.domain.measures.segments_aha import PhaseSegments, segment_thicknesses
from cmr_viewer.domain.measures.volume_curve import VolumeCurve, phase_times_of, volume_curve
from cmr_viewer.domain.measures.volumes import (
    MEASURE_NAMES,
    Measures,
    believed,
    believed_voxel_ml,
    label_counts,
    measure,
    phase_counts,
    voxel_volume_ml,
)
from cmr_viewer.domain.patient import UNKNOWN_PATIENT, Patient
from cmr_viewer.domain.result_notes import result_notes
from cmr_viewer.domain.study import Stack
from cmr_viewer.errors import LoadError
from cmr_viewer.export.tables import number_of

NOT_STATED = "The label maps do not include this structure at this phase."


@dataclass(frozen=True)
class Choices:
    """The choices for measuring.

    Attributes:
        papillary: Where papillary muscles are counted.
        formula: Formula for body surface area.
        typed: Patient data that take precedence over those of the files.
        marks: ED and ES phases that were set, from 0; None to take them from files or volumes.
    """

    papillary: PapillaryConvention = PapillaryConvention.IN_BLOOD_POOL
    formula: BsaFormula = BsaFormula.MOSTELLER
    typed: Patient = UNKNOWN_PATIENT
    marks: PhasePair = (None, None)


def measured(one: Labelled, choices: Choices) -> dict[str, Any]:
    """Measure a study.

    Args:
        one: The study with its label maps.
        choices: How.

    Returns:
        JSON values: name, label files, ED and ES (from 1), values and reasons, patient, body surface area, normal
        ranges, volumes of the phases, curves, segments, notes.

    Raises:
        LoadError: A phase was set that the study does not have.
    """
    stack = one.study.stack
    if bad := [mark + 1 for mark in choices.marks if mark is not None and not 0 <= mark < stack.phases]:
        raise LoadError(f"{one.study.name} has no phase {bad[0]}; it has {stack.phases}.")
    counts = _counts(one, choices.papillary)
    patient = _patient(one).with_typed(choices.typed)
    choice = _ed_es(one, choices.marks)
    found = patient_measures(_measures(one, counts, choice, choices), patient, choices.formula)
    voxel_ml, _ = voxel_volume_ml(stack.geometry)
    lv = np.where(_states_lv_at(one), counts[:, Label.LVBP] * (voxel_ml or 1.0), np.nan)
    unit = "pixels" if voxel_ml is None else "ml"
    notes = (*one.study.warnings, *one.notes, *result_notes(stack, choice, lv, unit))
    voxel_ml, impossible = believed_voxel_ml(voxel_ml, counts[:, Label.LVBP], any_size=stack.any_size)
    return {
        "name": one.study.name,
        "label_files": list(one.files),
        "ed_phase_number": number_of(found.ed_phase),
        "es_phase_number": number_of(found.es_phase),
        "values": dict(found.values),
        "reasons": dict(found.reasons),
        "patient": patient.as_json(),
        "bsa_m2": found.bsa_m2,
        "normal_ranges": _normal_ranges(found),
        "phases": _phases(stack, counts, one.structures, voxel_ml),
        "curves": _curves(stack, counts, one.structures, voxel_ml, patient),
        **_segments(one, found.ed_phase, found.es_phase, impossible),
        "notes": notes_json(notes),
    }


def _patient(one: Labelled) -> Patient:
    """The patient data of the files; the heart rate is that of the stack if nothing else states it."""
    return Patient(heart_rate_bpm=one.study.stack.heart_rate_bpm).with_typed(one.study.patient)


def _counts(one: Labelled, papillary: PapillaryConvention) -> NDArray[np.float64]:
    """(phase, 4) voxels of each label, each slice by its weight; -1 where a phase is not labelled."""
    stack = one.study.stack
    counts = np.full((stack.phases, stack.slices, len(Label)), -1, dtype=np.int64)
    for phase in one.structures:
        labels = labels_by_convention(stack.pixels[phase], one.labels[phase], papillary)
        counts[phase] = [label_counts(frame) for frame in labels]
    return phase_counts(counts, stack.geometry.slice_weights)


def _measures(one: Labelled, counts: NDArray[np.float64], choice: EdEs, choices: Choices) -> Measures:
    """Measures of what the label maps state."""
    voxel_ml, why_not = voxel_volume_ml(one.study.stack.geometry)
    ed, es = choice.phases
    counted = counts.copy()
    counted[[phase for phase in one.structures if phase not in (ed, es) and not _states_lv(one, phase)]] = -1
    found = measure(counted, voxel_ml=voxel_ml, ed_phase=ed, es_phase=es, no_volume_reason=why_not)
    found = believed(found, any_size=one.study.stack.any_size)
    values, reasons = dict(found.values), dict(found.reasons)
    for name in MEASURE_NAMES:
        if not _is_stated(name, found, one.structures):
            values[name] = None
            reasons[name] = NOT_STATED
    return replace(found, values=values, reasons=reasons, papillary=choices.papillary)


def _ed_es(one: Labelled, marks: PhasePair) -> EdEs:
    """ED and ES: as set, as the files state, or of the largest and smallest LV blood pool as drawn.

    A phase whose label maps do not state the LV blood pool does not count as empty. The papillary convention does not
    change ED and ES, as in the window.
    """
    stack = one.study.stack
    drawn = np.count_nonzero(one.labels == int(Label.LVBP), axis=(2, 3)) @ stack.geometry.slice_weights
    lv = np.where(_states_lv_at(one), drawn, np.nan)
    ed, es = (phase if phase in one.structures else None for phase in (stack.ed_phase, stack.es_phase))
    return choose_ed_es(replace(stack, ed_phase=ed, es_phase=es), ed_es_by_volume(lv), marks)


def _states_lv(one: Labelled, phase: int) -> bool:
    return Label.LVBP in one.structures[phase]


def _states_lv_at(one: Labelled) -> NDArray[np.bool_]:
    """Per phase: whether the label maps state the LV blood pool there, (phase,)."""
    phases = range(one.study.stack.phases)
    return np.array([phase in one.structures and _states_lv(one, phase) for phase in phases])


def _is_stated(name: str, found: Measures, structures: Mapping[int, frozenset[Label]]) -> bool:
    """Whether the label maps state the structure of a measure; True if its phases are not known or not labelled."""
    side, what = name.split("_")[:2]
    label = Label.LVM if what == "mass" else Label.LVBP if side == "lv" else Label.RVBP
    at_ed, at_es = what in ("edv", "sv", "ef", "mass"), what in ("esv", "sv", "ef")
    phases = [phase for phase, needed in ((found.ed_phase, at_ed), (found.es_phase, at_es)) if needed]
    return all(label in structures[phase] for phase in phases if phase is not None and phase in structures)


def _normal_ranges(found: PatientMeasures) -> dict[str, Any]:
    """Each known normal range: limits, source, the people it holds for, and the place of the value."""
    ranges = {}
    for name, value in found.values.items():
        normal, _ = normal_range(name, found.patient, found.papillary)
        if normal is not None:
            ranges[name] = {**asdict(normal), "place": None if value is None else normal.place_of(value)}
    return ranges


def _phases(
    stack: Stack, counts: NDArray[np.float64], structures: Mapping[int, frozenset[Label]], voxel_ml: float | None
) -> list[dict[str, Any]]:
    """Volumes of each labelled phase in ml; None where the structure is not stated or the spacing not known."""
    rows = []
    for phase in sorted(structures):
        row: dict[str, Any] = {"phase_number": phase + 1}
        row["time_ms"] = None if stack.phase_times_ms is None else stack.phase_times_ms[phase]
        for key, label in (("lv_ml", Label.LVBP), ("lvm_ml", Label.LVM), ("rv_ml", Label.RVBP)):
            known = voxel_ml is not None and label in structures[phase]
            row[key] = float(counts[phase, label] * voxel_ml) if known and voxel_ml is not None else None
        rows.append(row)
    return rows


def _curves(
    stack: Stack,
    counts: NDArray[np.float64],
    structures: Mapping[int, frozenset[Label]],
    voxel_ml: float | None,
    patient: Patient,
) -> dict[str, Any]:
    """Peak rates of both ventricles."""
    times, cycle = phase_times_of(stack.phases, stack.phase_times_ms, patient.heart_rate_bpm)
    curves = {}
    for side, label in (("lv", Label.LVBP), ("rv", Label.RVBP)):
        stated = np.array([label in structures.get(phase, ()) for phase in range(stack.phases)])
        volumes = np.where(stated, counts[:, label] * (np.nan if voxel_ml is None else voxel_ml), np.nan)
        curves[side] = _rates(volume_curve(volumes, times, cycle))
    return curves


def _rates(curve: VolumeCurve) -> dict[str, Any]:
    return {
        "peak_ejection": None if curve.peak_ejection is None else asdict(curve.peak_ejection),
        "peak_filling": None if curve.peak_filling is None else asdict(curve.peak_filling),
        "cycle_ms": curve.cycle_ms,
        "method": curve.method,
        "reason": curve.reason,
    }


def _segments(one: Labelled, ed: int | None, es: int | None, impossible: str) -> dict[str, Any]:
    """Wall thickness by AHA segment, or why there is none; `impossible` states why the spacing is not plausible."""
    geometry = one.study.stack.geometry
    if impossible:
        return {"segments": [], "segments_reason": impossible}
    if not geometry.spacing_known:
        return {"segments": [], "segments_reason": "The spacing of the study is not known."}
    at_ed, at_es = (_phase_segments(one, phase) for phase in (ed, es))
    if at_ed is None or not at_ed.points:
        reason = "End-diastole has no labels, or no slice of it has an RV next to a ring of myocardium."
        return {"segments": [], "segments_reason": reason}
    found = segment_thicknesses(at_ed, at_es, geometry.pixel_spacing_mm)
    rows = []
    for segment in found:
        values = asdict(segment)
        del values["slices"]
        rows.append({**values, "name": segment.name, "slice_numbers": [index + 1 for index in segment.slices]})
    return {"segments": rows, "segments_reason": ""}


def _phase_segments(one: Labelled, phase: int | None) -> PhaseSegments | None:
    if phase is None or Label.LVM not in one.structures.get(phase, ()):
        return None
    labels: LabelMap = one.labels[phase]
    geometry = one.study.stack.geometry
    regions = reference_regions([bool(frame.any()) for frame in labels])
    from_apex = seen_from_apex(geometry)
    points = insertion_points_of_slices(labels, geometry.pixel_spacing_mm, from_apex=from_apex)
    return PhaseSegments(labels, regions, points)
