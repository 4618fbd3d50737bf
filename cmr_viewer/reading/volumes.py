"""Voxel counts of a study that follow each change, and the measures they give."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.ed_es import EdEs, PhasePair, ed_es_by_volume
from cmr_viewer.domain.measures.volumes import (
    NO_PHASE_REASON,
    Measures,
    believed,
    label_counts,
    measure,
    phase_counts,
    voxel_volume_ml,
)
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.result_notes import result_notes
from cmr_viewer.domain.study import FrameIndex, Stack

NOT_SEGMENTED = -1


class VoxelCounts:
    """Voxels of each label in each frame; a change of a frame costs no more than the pixels it touched.

    Args:
        phases: Number of phases.
        slice_weights: (slice,) `Geometry.slice_weights` of the stack.
    """

    def __init__(self, phases: int, slice_weights: NDArray[np.float64]) -> None:
        self._frames = np.full((phases, len(slice_weights), len(Label)), NOT_SEGMENTED, dtype=np.int64)
        self._slice_weights = slice_weights
        self._ed_es: PhasePair | None = None

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

    def of_phases(self) -> NDArray[np.float64]:
        """Voxels of each label in the whole stack, (phase, 4), each slice by its weight; -1 where one is missing."""
        return phase_counts(self._frames, self._slice_weights)

    def segmented_phases(self) -> NDArray[np.bool_]:
        """Per phase: whether all of its slices are segmented, (phase,)."""
        return np.asarray((self._frames[:, :, 0] != NOT_SEGMENTED).all(axis=1))

    def lv_volumes(self) -> NDArray[np.float64]:
        """Voxels of the LV blood pool in the whole stack, (phase,); NaN where a phase is not segmented whole."""
        lv = self.of_phases()[:, Label.LVBP]
        lv[~self.segmented_phases()] = np.nan
        return lv

    def ed_es(self) -> PhasePair:
        """Phases of the largest and smallest LV blood pool; None before all phases are segmented, or if it is empty."""
        if self._ed_es is None:
            complete = bool(self.segmented_phases().all())
            self._ed_es = ed_es_by_volume(self.lv_volumes()) if complete else (None, None)
        return self._ed_es


def notes_at(counts: VoxelCounts, stack: Stack, choice: EdEs) -> tuple[Note, ...]:
    """What a reader should know about a study's results as they are: ED and ES, and the size of the heart."""
    ml, _ = voxel_volume_ml(stack.geometry)
    return result_notes(stack, choice, counts.lv_volumes() * (ml or 1.0), "pixels" if ml is None else "ml")


def measures_at(
    counts: VoxelCounts, geometry: Geometry, ed_phase: int | None, es_phase: int | None, *, any_size: bool = False
) -> Measures:
    """Measures of a study at its ED and ES.

    Args:
        counts: Voxel counts of the study.
        geometry: Its grid.
        ed_phase: End-diastole; None where it is not known: then no phase is guessed in its place.
        es_phase: End-systole likewise.
        any_size: Whether a reader allowed a heart of any size.
    """
    ml, why_not = voxel_volume_ml(geometry)
    of_phases = counts.of_phases()
    found = measure(of_phases, voxel_ml=ml, ed_phase=ed_phase, es_phase=es_phase, no_volume_reason=why_not)
    found = believed(found, any_size=any_size)
    if len(of_phases) == 1 or None not in (ed_phase, es_phase):
        return found
    reasons = dict(found.reasons)
    for end, phase in (("End-diastole", ed_phase), ("End-systole", es_phase)):
        if phase is None:
            unknown = NO_PHASE_REASON.format(end)
            later = f"{end} is not known until all phases are segmented, or until you mark it."
            reasons = {name: later if reason == unknown else reason for name, reason in reasons.items()}
    return replace(found, reasons=reasons)
