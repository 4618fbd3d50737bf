"""The measures of a study if some of its frames had another segmentation; nothing is changed.

Source:
    Volumes are summed over slices (`measures.volumes`), so that a frame counts at its own phase alone: what it changes
    at ED is the end-diastolic volume and what follows from it, and outside of ED and ES no measure changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.volumes import measure, phase_counts
from cmr_viewer.domain.study import FrameIndex

Counts = NDArray[np.int64]
"""(phase, slice, 4) pixels of each `Label`; -1 where the frame is not segmented."""

FrameCounts = NDArray[np.int64]
"""(4,) pixels of each `Label` in one frame."""

SHOWN: Mapping[str, tuple[str, str]] = {
    "lv_edv_ml": ("LV EDV", "ml"),
    "lv_esv_ml": ("LV ESV", "ml"),
    "lv_sv_ml": ("LV SV", "ml"),
    "lv_ef_percent": ("LV EF", "points"),
    "lv_mass_g": ("LV mass", "g"),
    "rv_edv_ml": ("RV EDV", "ml"),
    "rv_ef_percent": ("RV EF", "points"),
}
"""Measures that a decision can change, in the order in which they are shown: name, and unit."""

LEAST_SHOWN = 0.05
"""Smaller changes are shown as 0.0."""

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Changes:
    """How measures would change; only those that are known before and after.

    Attributes:
        by_name: Difference by name of `SHOWN`, in ml, g or percentage points.
    """

    by_name: Mapping[str, float]

    def __bool__(self) -> bool:
        return any(abs(value) >= LEAST_SHOWN for value in self.by_name.values())

    def parts(self) -> list[tuple[str, str]]:
        """What changes, in order: ("LV EDV", "+4.1 ml"); nothing where nothing does by a tenth."""
        found = []
        for name, (text, unit) in SHOWN.items():
            value = self.by_name.get(name, 0.0)
            if abs(value) >= LEAST_SHOWN:
                found.append((text, f"{signed(value)} {unit}"))
        return found

    def headline(self) -> str:
        """The same in as few words as there is room for in a panel: "EDV +4.1 ml, EF +0.8 points, mass -0.3 g"."""
        parts = [(text, value) for text, value in self.parts() if text != "LV SV"]
        return ", ".join(f"{text.removeprefix('LV ')} {value}" for text, value in parts) or "no measure changes"

    def sentence(self) -> str:
        """What changes, in a line: "LV EDV +4.1 ml, LV EF +0.8 points"; or that nothing does."""
        return ", ".join(f"{text} {value}" for text, value in self.parts()) or "no measure changes"


NO_CHANGES = Changes({})


def signed(value: float) -> str:
    """A number with its sign, to a tenth."""
    return f"{MINUS if value < 0 else '+'}{abs(value):.1f}"


def measure_changes(
    counts: Counts,
    replaced: Mapping[FrameIndex, FrameCounts],
    *,
    voxel_ml: float | None,
    slice_weights: NDArray[np.float64],
    ed_phase: int | None,
    es_phase: int | None,
) -> Changes:
    """What the measures change by if frames had other label maps; ED and ES stay the phases that they are.

    Args:
        counts: Of the frames as they are shown.
        replaced: Pixels of each label, (4,), of frames that would have another label map.
        voxel_ml: Volume of a voxel, or None where the spacing is not known: then only fractions change.
        slice_weights: (slice,) `Geometry.slice_weights`.
        ed_phase: End-diastole, or None where it is not known.
        es_phase: End-systole likewise.
    """
    if ed_phase is None and es_phase is None:
        return NO_CHANGES
    after = counts.copy()
    for frame, instead in replaced.items():
        after[frame] = instead
    before_values, after_values = (
        measure(phase_counts(each, slice_weights), voxel_ml=voxel_ml, ed_phase=ed_phase, es_phase=es_phase).values
        for each in (counts, after)
    )
    known = {}
    for name in SHOWN:
        old, new = before_values[name], after_values[name]
        if old is None or new is None or (name.endswith("percent") and not 0.0 <= new <= 100.0):
            continue  # a fraction of next to nothing means nothing
        known[name] = new - old
    return Changes(known)


def amount_text(ml: float, in_ml: bool) -> str:
    """An amount for a reader: "3.2 ml"; where the spacing is not known, thousands of pixels as "3210 pixels"."""
    return f"{ml:.1f} ml" if in_ml else f"{1000.0 * ml:.0f} pixels"


def phase_change_ml(before: FrameCounts, after: FrameCounts, voxel_ml: float | None) -> float | None:
    """Change of the LV volume at the frame's own phase, in ml; None where the spacing is not known.

    Args:
        before: Pixels of each label of the frame.
        after: Pixels that it would have.
        voxel_ml: What a pixel of its slice counts for.
    """
    return None if voxel_ml is None else float(after[Label.LVBP] - before[Label.LVBP]) * voxel_ml


def at_stake_ml(before: FrameCounts, after: FrameCounts, *, voxel_ml: float, is_ed: bool, is_es: bool) -> float:
    """How many millilitres the measures depend on a choice between two label maps of a frame.

    Args:
        before: Pixels of each label in one of them.
        after: In the other.
        voxel_ml: What a pixel of the frame's slice counts for.
        is_ed: Whether the frame is at ED: blood pools and myocardium count.
        is_es: Whether it is at ES: blood pools count, as mass is taken at ED. Elsewhere only the LV blood pool does,
            for the volume curve.

    Returns:
        Changes of the volumes that count, added up whatever their sign.
    """
    labels = [Label.LVBP]
    if is_ed or is_es:
        labels.append(Label.RVBP)
    if is_ed:
        labels.append(Label.LVM)
    return float(sum(abs(int(after[label] - before[label])) for label in labels)) * voxel_ml


@dataclass(frozen=True, eq=False)
class Candidate:
    """What comes of a frame if it is given a region.

    Attributes:
        region: The region.
        chosen: Whether it is the frame's region now.
        by: The model that would segment it, in words: "Base specialist".
        model_id: That model; empty where nothing would be marked.
        same_as: Regions whose candidates have the same masks, because the same model serves them.
        labels: (row, col) label map, or None while it is not known.
        alone: What the measures change by, by this frame; None while it is not known.
        together: Likewise with the frames that follow; None while that is not known.
        followers: Frames that would have another region by the order of the stack.
        curve_ml: Change of the LV volume at the frame's phase, in ml; None while it is not known.
        stays: Whether the reader's label map would stay, and these masks be offered beside it.
    """

    region: Region
    chosen: bool
    by: str
    model_id: str
    same_as: tuple[Region, ...] = ()
    labels: LabelMap | None = None
    alone: Changes | None = None
    together: Changes | None = None
    followers: tuple[FrameIndex, ...] = field(default=())
    curve_ml: float | None = None
    stays: bool = False

    @property
    def model_text(self) -> str:
        """Which model would segment the frame, and with which other region that is shared."""
        if not self.model_id:
            return "The frame would have no labels."
        if not self.same_as:
            return f"Segmented by {self.by.lower()}."
        others = " and ".join(region.text.lower() for region in self.same_as)
        return f"Segmented by {self.by.lower()}, with the same label map as for {others}."

    @property
    def followers_text(self) -> str:
        """Which other frames would change region too; empty for none."""
        if not self.followers:
            return ""
        slices = sorted({frame.slice_index + 1 for frame in self.followers})
        phases = len({frame.phase for frame in self.followers})
        where = f"slice {slices[0]}" if len(slices) == 1 else f"slices {', '.join(map(str, slices))}"
        frames = f"{len(self.followers)} neighbouring frame{'s' if len(self.followers) > 1 else ''}"
        return f"{frames} would change region too ({where}, {phases} phase{'s' if phases > 1 else ''})."
