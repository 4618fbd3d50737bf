"""Volumes, ejection fractions and mass of the predicted label maps beside those of the reference."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.ed_es import ed_es_by_volume
from cmr_viewer.domain.measures.volumes import MEASURE_NAMES, label_counts, measure, phase_counts, voxel_volume_ml

LIMITS_SD = 1.96
"""Standard deviations from the bias to a 95 % limit of agreement."""


@dataclass(frozen=True)
class VolumePair:
    """One measure of one patient.

    Attributes:
        group: The data set.
        patient: Pseudonym.
        measure: One of `MEASURE_NAMES`, with its unit.
        reference: Of the reference label maps.
        predicted: Of the predicted ones, at the same phases; None where they give none, which is a failure.
    """

    group: str
    patient: str
    measure: str
    reference: float
    predicted: float | None

    @property
    def error(self) -> float | None:
        """Predicted minus reference."""
        return None if self.predicted is None else self.predicted - self.reference


@dataclass(frozen=True)
class VolumeAgreement:
    """One measure over patients, in its own unit; None where too few patients have it.

    Attributes:
        n: Patients with both values.
        failed: Patients whose reference gives a value and whose prediction gives none.
        mean_absolute_error: Mean of abs(predicted - reference).
        median_absolute_error: Median of the same.
        bias: Mean of predicted - reference.
        sd: Standard deviation (n - 1) of predicted - reference.
        lower: Lower 95 % limit of agreement, bias - 1.96 SD.
        upper: Upper 95 % limit of agreement.
        correlation: Pearson's.
    """

    n: int
    failed: int
    mean_absolute_error: float | None
    median_absolute_error: float | None
    bias: float | None
    sd: float | None
    lower: float | None
    upper: float | None
    correlation: float | None


def volume_pairs(
    group: str,
    patient: str,
    *,
    reference: LabelMap,
    predicted: LabelMap,
    structures: Mapping[int, frozenset[Label]],
    geometry: Geometry,
    ed_phase: int | None,
    es_phase: int | None,
) -> list[VolumePair]:
    """Measures of one patient by both label maps, at the same phases; only those that the reference includes.

    Ejection fractions are given without a known spacing too, since it cancels; ml and g are not.

    Args:
        group: The data set.
        patient: Pseudonym.
        reference: (phase, slice, row, col).
        predicted: (phase, slice, row, col).
        structures: Per phase with reference label maps: structures that are labelled there.
        geometry: Of the stack.
        ed_phase: End-diastole; None to take the labelled phase of the largest LV blood pool in the reference.
        es_phase: End-systole; None likewise, of the smallest.
    """
    voxel_ml, _ = voxel_volume_ml(geometry)
    counts, made_counts = (_counts(labels, structures, geometry) for labels in (reference, predicted))
    lv = np.where(counts[:, Label.LVBP] < 0, np.nan, counts[:, Label.LVBP])
    ed, es = ed_phase, es_phase
    if lv.size > 1 or (ed is None and es is None):
        by_volume = ed_es_by_volume(lv)
        ed, es = by_volume[0] if ed is None else ed, by_volume[1] if es is None else es
    true = measure(counts, voxel_ml=voxel_ml, ed_phase=ed, es_phase=es)
    made = measure(made_counts, voxel_ml=voxel_ml, ed_phase=ed, es_phase=es)
    pairs = []
    for name in MEASURE_NAMES:
        value = true.values[name]
        if value is not None and _is_labelled(name, true.ed_phase, true.es_phase, structures):
            pairs.append(VolumePair(group, patient, name, value, made.values[name]))
    return pairs


def _counts(labels: LabelMap, phases: Iterable[int], geometry: Geometry) -> NDArray[np.float64]:
    counts = np.full((*labels.shape[:2], 4), -1, dtype=np.int64)
    for phase in phases:
        counts[phase] = [label_counts(frame) for frame in labels[phase]]
    return phase_counts(counts, geometry.slice_weights)


def _is_labelled(
    name: str, ed_phase: int | None, es_phase: int | None, structures: Mapping[int, frozenset[Label]]
) -> bool:
    """Whether the reference labels what a measure is made of."""
    if name == "lv_mass_g":
        label, phases = Label.LVM, [ed_phase]
    else:
        label = Label.LVBP if name.startswith("lv") else Label.RVBP
        phases = [ed_phase] if "edv" in name else [es_phase] if "esv" in name else [ed_phase, es_phase]
    return all(phase is not None and label in structures.get(phase, ()) for phase in phases)


def agreement_of(pairs: Sequence[VolumePair]) -> VolumeAgreement:
    """Errors of one measure.

    Source:
        Bland and Altman 1986, Lancet 327:307-310: bias and limits of agreement.
    """
    both = [(pair.reference, pair.predicted) for pair in pairs if pair.predicted is not None]
    failed = len(pairs) - len(both)
    if not both:
        return VolumeAgreement(0, failed, None, None, None, None, None, None, None)
    reference, predicted = np.array(both, dtype=np.float64).T
    errors = predicted - reference
    bias = float(errors.mean())
    sd = float(errors.std(ddof=1)) if len(both) > 1 else None
    varies = len(both) > 2 and reference.std() > 0 and predicted.std() > 0
    return VolumeAgreement(
        n=len(both),
        failed=failed,
        mean_absolute_error=float(np.abs(errors).mean()),
        median_absolute_error=float(np.median(np.abs(errors))),
        bias=bias,
        sd=sd,
        lower=None if sd is None else bias - LIMITS_SD * sd,
        upper=None if sd is None else bias + LIMITS_SD * sd,
        correlation=float(np.corrcoef(reference, predicted)[0, 1]) if varies else None,
    )


def agreements(pairs: Iterable[VolumePair]) -> dict[str, VolumeAgreement]:
    """Errors by measure, those only that some patient has."""
    by_name: dict[str, list[VolumePair]] = {}
    for pair in pairs:
        by_name.setdefault(pair.measure, []).append(pair)
    return {name: agreement_of(by_name[name]) for name in MEASURE_NAMES if name in by_name}
