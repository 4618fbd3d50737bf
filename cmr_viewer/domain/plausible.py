"""Whether a volume is possible for a human heart; an impossible one is never reported."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.measures import MEASURE_NAMES, Measures

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
