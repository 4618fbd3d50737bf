"""Voxel counts of a study that follow each change, and the measures they give."""

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures import (
    MEASURE_NAMES,
    Measures,
    ed_es_from_volumes,
    label_counts,
    measure,
    voxel_volume_ml,
)
from cmr_viewer.domain.study import FrameIndex

NOT_SEGMENTED = -1


class VoxelCounts:
    """Voxels of each label in each frame; a change of a frame costs no more than the pixels it touched.

    Args:
        phases: Number of phases.
        slices: Number of slices.
    """

    def __init__(self, phases: int, slices: int) -> None:
        self._frames = np.full((phases, slices, len(Label)), NOT_SEGMENTED, dtype=np.int64)
        self._ed_es: tuple[int | None, int | None] | None = None

    def set_frame(self, frame: FrameIndex, labels: LabelMap | None) -> None:
        """Count a frame anew; None where it is not segmented."""
        self._frames[frame] = NOT_SEGMENTED if labels is None else label_counts(labels)
        self._ed_es = None

    def set_counts(self, frame: FrameIndex, counts: NDArray[np.int64]) -> None:
        """Take the voxels of each label of a frame, (4,), that were counted elsewhere."""
        self._frames[frame] = counts
        self._ed_es = None

    def patch_frame(self, frame: FrameIndex, before: LabelMap, after: LabelMap) -> None:
        """Follow a change of a box of a segmented frame.

        Args:
            frame: A frame that was counted.
            before: Label map of the box before the change.
            after: The same box after it.
        """
        self._frames[frame] += label_counts(after) - label_counts(before)
        self._ed_es = None

    def of_frame(self, frame: FrameIndex) -> NDArray[np.int64] | None:
        """Voxels of each label, (4,), or None where the frame is not segmented."""
        counts = self._frames[frame]
        return None if counts[0] == NOT_SEGMENTED else counts.copy()

    def of_phases(self) -> NDArray[np.int64]:
        """Voxels of each label in the whole stack, (phase, 4); -1 where a slice of the phase is not segmented."""
        sums: NDArray[np.int64] = self._frames.sum(axis=1)
        sums[~self.segmented_phases()] = NOT_SEGMENTED
        return sums

    def segmented_phases(self) -> NDArray[np.bool_]:
        """Per phase: whether all of its slices are segmented, (phase,)."""
        return np.asarray((self._frames[:, :, 0] != NOT_SEGMENTED).all(axis=1))

    def ed_es(self) -> tuple[int | None, int | None]:
        """Phases of the largest and smallest LV blood pool; None before all phases are segmented, or if it is empty.

        Source:
            SCMR post-processing guidelines, Schulz-Menger et al. 2020.
        """
        if self._ed_es is None:
            lv = self.of_phases()[:, Label.LVBP]
            known = self.segmented_phases().all() and (lv > 0).any()
            self._ed_es = ed_es_from_volumes(lv.astype(np.float64)) if known else (None, None)
        return self._ed_es


def measures_at(counts: VoxelCounts, geometry: Geometry, ed_phase: int | None, es_phase: int | None) -> Measures:
    """Measures of a study at its ED and ES.

    Args:
        counts: Voxel counts of the study.
        geometry: Its grid.
        ed_phase: End-diastole; None where it is not known: then no phase is guessed in its place.
        es_phase: End-systole likewise.
    """
    values: dict[str, float | None] = dict.fromkeys(MEASURE_NAMES)
    if ed_phase is None and es_phase is None:
        reason = "End-diastole and end-systole are not known until all phases are segmented; or mark them."
        return Measures(None, None, values, dict.fromkeys(MEASURE_NAMES, reason))
    ml, why_not = voxel_volume_ml(geometry)
    known = [phase for phase in (ed_phase, es_phase) if phase is not None]
    found = measure(counts.of_phases(), voxel_ml=ml, ed_phase=known[0], es_phase=known[-1], no_volume_reason=why_not)
    if len(known) == 2:
        return found
    if ed_phase is None:
        missing, needed = "End-diastole", {"edv", "sv", "ef", "mass"}
    else:
        missing, needed = "End-systole", {"esv", "sv", "ef"}
    reasons = dict(found.reasons)
    for name in MEASURE_NAMES:
        if name.split("_")[1] in needed:
            reasons[name] = f"{missing} is not known until all phases are segmented; or mark it."
        else:
            values[name] = found.values[name]
    return Measures(ed_phase, es_phase, values, reasons)
