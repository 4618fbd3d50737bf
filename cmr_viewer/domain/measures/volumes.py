"""Volumes, ejection fraction and mass from label maps, and whether they are possible for a human heart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.errors import GeometryError

MYOCARDIAL_DENSITY_G_PER_ML = 1.05
"""Density of myocardium. SCMR post-processing guidelines, Schulz-Menger et al. 2020."""


def stack_volume_ml(
    labels: LabelMap, label: Label, *, pixel_spacing_mm: tuple[float, float], slice_spacing_mm: float
) -> float:
    """Volume of one label at one phase, as a stack of discs.

    Args:
        labels: (slice, row, col), values of `Label`.
        label: The structure.
        pixel_spacing_mm: (row, col) distance of pixel centres, > 0. DICOM (0028,0030).
        slice_spacing_mm: Distance of slice centres, > 0; not Slice Thickness (0018,0050).

    Returns:
        Volume in ml; 0.0 if the label is absent.

    Raises:
        GeometryError: A spacing is not positive.

    Source:
        Summation of discs; SCMR post-processing guidelines, Schulz-Menger et al. 2020.
    """
    if min(*pixel_spacing_mm, slice_spacing_mm) <= 0:
        raise GeometryError(f"Spacings must be positive, not {pixel_spacing_mm} and {slice_spacing_mm} mm.")
    voxel_ml = pixel_spacing_mm[0] * pixel_spacing_mm[1] * slice_spacing_mm / 1000.0
    return float(np.count_nonzero(labels == int(label)) * voxel_ml)


def voxel_volume_ml(geometry: Geometry) -> tuple[float | None, str]:
    """Volume of a voxel in ml and an empty text; or None and the reason why it is not known.

    That of a slice at the usual spacing: a pixel of slice s counts for `geometry.slice_weights[s]` voxels.
    """
    if not geometry.spacing_known:
        return None, "The spacing of the study is not known."
    try:
        spacing = geometry.slice_spacing_mm
    except GeometryError as error:
        return None, str(error)
    return geometry.pixel_spacing_mm[0] * geometry.pixel_spacing_mm[1] * spacing / 1000.0, ""


def ejection_fraction_percent(edv: float, esv: float) -> float | None:
    """Ejection fraction of a ventricle; None if the end-diastolic volume is not positive.

    Both volumes in the same unit, so that counts of voxels will do where the spacing is not known.
    """
    if edv <= 0:
        return None
    return 100.0 * (edv - esv) / edv


@dataclass(frozen=True)
class Measures:
    """What the label maps of a stack amount to; None where it cannot be known, with the reason in `reasons`.

    Attributes:
        ed_phase: End-diastole.
        es_phase: End-systole.
        values: By name (`MEASURE_NAMES`): ml, g or percent.
        reasons: By name: why a value is None.
        papillary: Where papillary muscles are counted; to be printed with every figure.
    """

    ed_phase: int | None
    es_phase: int | None
    values: Mapping[str, float | None]
    reasons: Mapping[str, str]
    papillary: PapillaryConvention = PapillaryConvention.IN_BLOOD_POOL


MEASURE_NAMES = (
    "lv_edv_ml",
    "lv_esv_ml",
    "lv_sv_ml",
    "lv_ef_percent",
    "lv_mass_g",
    "rv_edv_ml",
    "rv_esv_ml",
    "rv_sv_ml",
    "rv_ef_percent",
)


def measure(
    counts: NDArray[np.number[Any]],
    *,
    voxel_ml: float | None,
    ed_phase: int | None,
    es_phase: int | None,
    no_volume_reason: str = "The spacing of the study is not known.",
) -> Measures:
    """Volumes, ejection fractions and mass from voxel counts.

    Args:
        counts: (phase, 4) voxels of each `Label` in the whole stack, from `phase_counts`; -1 where the phase is not
            segmented.
        voxel_ml: Volume of a voxel, or None where the spacing is not known: then only fractions are given.
        ed_phase: End-diastole, or None where it is not known: then nothing is given that depends on it.
        es_phase: End-systole likewise. Where both are the same phase, as in a study of one, there is no end-systolic
            volume, and so neither stroke volume nor ejection fraction.
        no_volume_reason: Why `voxel_ml` is None.

    Returns:
        All of `MEASURE_NAMES`.
    """
    lv = counts[:, Label.LVBP].astype(np.float64)
    segmented = counts[:, 0] >= 0
    values: dict[str, float | None] = dict.fromkeys(MEASURE_NAMES)
    if not segmented.any() or not (lv[segmented] > 0).any():
        reason = "No phase is fully segmented yet."
        if segmented.any():
            reason = "There is no LV blood pool in the label maps."
        return Measures(ed_phase, es_phase, values, dict.fromkeys(MEASURE_NAMES, reason))
    ed, es = ed_phase, es_phase
    why_not = [ONE_PHASE_REASON if len(counts) == 1 else NO_PHASE_REASON.format(end) for end in _ENDS]
    if ed is not None and ed == es and len(counts) > 1:
        why_not[1] = SAME_PHASE_REASON
    reasons: dict[str, str] = {}
    for side, label in (("lv", Label.LVBP), ("rv", Label.RVBP)):
        at_ed, at_es = (
            None if phase is None or not segmented[phase] else float(counts[phase, label]) for phase in (ed, es)
        )
        ends = (at_ed, None if es == ed else at_es)
        _ventricle(values, reasons, side, ends, why_not, voxel_ml, no_volume_reason)
    if voxel_ml is None:
        reasons["lv_mass_g"] = no_volume_reason
    elif ed is None or not segmented[ed]:
        reasons["lv_mass_g"] = why_not[0]
    else:
        values["lv_mass_g"] = float(counts[ed, Label.LVM]) * voxel_ml * MYOCARDIAL_DENSITY_G_PER_ML
    return Measures(ed, es, values, reasons)


_ENDS = ("End-diastole", "End-systole")
NO_PHASE_REASON = "{} is not known or not segmented."
ONE_PHASE_REASON = "The study has one phase: end-diastole or end-systole, not both."
SAME_PHASE_REASON = "End-diastole and end-systole are the same phase. Set another phase for one of them."


def _ventricle(
    values: dict[str, float | None],
    reasons: dict[str, str],
    side: str,
    voxels: tuple[float | None, float | None],
    why_not: Sequence[str],
    voxel_ml: float | None,
    no_volume_reason: str,
) -> None:
    """Fill in one ventricle; `voxels` at (ED, ES), None where it is not known, and `why_not` for each."""
    edv, esv = voxels
    names = {name: f"{side}_{name}" for name in ("edv_ml", "esv_ml", "sv_ml", "ef_percent")}
    if edv is None or esv is None:
        reasons[names["sv_ml"]] = reasons[names["ef_percent"]] = why_not[0 if edv is None else 1]
    else:
        values[names["ef_percent"]] = ejection_fraction_percent(edv, esv)
        if values[names["ef_percent"]] is None:
            reasons[names["ef_percent"]] = "The ventricle is empty at end-diastole."
        if voxel_ml is not None:
            values[names["sv_ml"]] = (edv - esv) * voxel_ml
    for name, count, reason in (("edv_ml", edv, why_not[0]), ("esv_ml", esv, why_not[1])):
        if voxel_ml is None:
            reasons[names[name]] = no_volume_reason
        elif count is None:
            reasons[names[name]] = reason
        else:
            values[names[name]] = count * voxel_ml
    if voxel_ml is None:
        reasons[names["sv_ml"]] = no_volume_reason


def phase_counts(frames: NDArray[np.int64], slice_weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Voxels of each label in whole phases, from the pixels of their frames: each slice by its weight.

    Args:
        frames: (phase, slice, 4) pixels of each `Label`; -1 where a frame is not segmented.
        slice_weights: (slice,) `Geometry.slice_weights`.

    Returns:
        (phase, 4); -1 where a slice of the phase is not segmented.
    """
    counts: NDArray[np.float64] = (frames * slice_weights[:, None]).sum(axis=1)
    counts[(frames[:, :, 0] < 0).any(axis=1)] = -1.0
    return counts


def label_counts(labels: LabelMap) -> NDArray[np.int64]:
    """Pixels of each `Label` in an array of any shape, (4,)."""
    structures = [np.count_nonzero(labels == label) for label in (1, 2, 3)]  # eight times as fast as np.bincount
    return np.asarray([labels.size - sum(structures), *structures], dtype=np.int64)


LEAST_LV_ML = 5.0
MOST_LV_ML = 1500.0
"""Left ventricles at their largest lie between these: a newborn's holds about 5 ml, the most dilated hearts that are
published about 1000 ml. What lies outside is a wrong voxel size, or no heart."""


def impossible_heart(lv_ml: float) -> str:
    """Why a left ventricle of this size is not plausible; else empty.

    Args:
        lv_ml: Volume of the LV blood pool where it is largest, in ml.
    """
    if LEAST_LV_ML <= lv_ml <= MOST_LV_ML:
        return ""
    size = f"{lv_ml:,.0f}" if lv_ml >= 10 else f"{lv_ml:.2g}"
    return (
        f"The largest LV volume would be {size} ml; in humans it is {LEAST_LV_ML:g} to {MOST_LV_ML:g} ml. "
        "Check the spacing. For a small animal or a newborn, allow a heart of any size."
    )


def believed(measures: Measures, *, any_size: bool = False) -> Measures:
    """Measures as they are; or without any figure where no human heart has them.

    Args:
        measures: Of a study.
        any_size: Whether a reader allowed a heart of any size.
    """
    ends = [ml for name in ("lv_edv_ml", "lv_esv_ml") if (ml := measures.values.get(name)) is not None]
    why_not = "" if any_size or not ends else impossible_heart(max(ends))
    if not why_not:
        return measures
    return replace(measures, values=dict.fromkeys(MEASURE_NAMES), reasons=dict.fromkeys(MEASURE_NAMES, why_not))


def believed_voxel_ml(
    voxel_ml: float | None, lv_voxels: NDArray[np.float64], *, any_size: bool = False
) -> tuple[float | None, str]:
    """The volume of a voxel and an empty text; or None and the reason where it makes an impossible heart.

    Args:
        voxel_ml: Volume of a voxel, or None where it is not known.
        lv_voxels: Voxels of the LV blood pool in whole phases, of any shape; -1 where a phase is not segmented.
        any_size: Whether a reader allowed a heart of any size.
    """
    most = float(lv_voxels.max(initial=0))
    if voxel_ml is None or any_size or most <= 0:
        return voxel_ml, ""
    why_not = impossible_heart(most * voxel_ml)
    return (None, why_not) if why_not else (voxel_ml, "")
