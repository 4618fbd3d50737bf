"""What corrections of the open study are worth in millilitres, against label maps as they were. Without Qt."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures import label_counts
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import Reading

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

    def changes(self, reading: Reading, frame: FrameIndex, before: Before) -> VolumeChanges:
        """What the label maps of now have more than those of before.

        A frame that had no label map before counts as it is now, so that only corrections are counted.

        Args:
            reading: The open study.
            frame: The frame on show.
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
        self, reading: Reading, phase: int | None, before: Before, voxel_ml: float
    ) -> dict[Label, float | None]:
        if phase is None:
            return {Label.LVBP: None, Label.RVBP: None}
        total = np.zeros(len(Label))
        for index, share in enumerate(reading.stack.geometry.slice_weights):
            grown = self._grown(reading, FrameIndex(phase, index), before)
            total += 0 if grown is None else grown * share
        return {**_ml(total, (Label.LVBP, Label.RVBP), voxel_ml)}

    def _grown(self, reading: Reading, frame: FrameIndex, before: Before) -> NDArray[np.int64] | None:
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
