"""Regions of the heart along its long axis, and the labels inside a frame."""

from collections.abc import Sequence
from enum import IntEnum, StrEnum


class Region(StrEnum):
    """Level of a frame. Declared in the order of the classifier's outputs."""

    BASE = "base"
    MIDDLE = "middle"
    APEX = "apex"
    NON_CARDIAC = "non_cardiac"

    @property
    def text(self) -> str:
        """The word shown to a reader."""
        return {"base": "Base", "middle": "Middle", "apex": "Apex", "non_cardiac": "Non-cardiac"}[self.value]


REGIONS: tuple[Region, ...] = tuple(Region)


class Label(IntEnum):
    """Codes of a label map, in the order of M&Ms (ACDC's 3, 2, 1 is translated when it is loaded)."""

    BACKGROUND = 0
    LVBP = 1
    LVM = 2
    RVBP = 3

    @property
    def text(self) -> str:
        """The words shown to a reader."""
        return ("Background", "LV blood pool", "LV myocardium", "RV blood pool")[self.value]


STRUCTURES: tuple[Label, ...] = (Label.LVBP, Label.LVM, Label.RVBP)


def reference_regions(has_label: Sequence[bool]) -> list[Region]:
    """Regions of a stack's slices at one phase, from where the reference labels are.

    The slices from the first to the last with a label are the heart; the first 20 % of them are base and the last
    20 % apex, each counted to the nearest whole slice; the rest of the stack is non-cardiac.

    Args:
        has_label: Per slice, base to apex: whether the slice has any label at this phase.

    Returns:
        One region per slice.

    Source:
        Mariscal-Harana et al. 2021, section 3: 20 % / 60 % / 20 % split of the slices that hold segmentations.
    """
    labelled = [index for index, present in enumerate(has_label) if present]
    regions = [Region.NON_CARDIAC] * len(has_label)
    if not labelled:
        return regions
    first, last = labelled[0], labelled[-1]
    count = last - first + 1
    ends = int(0.2 * count + 0.5)
    for index in range(first, last + 1):
        from_base = index - first
        if from_base < ends:
            regions[index] = Region.BASE
        elif from_base >= count - ends:
            regions[index] = Region.APEX
        else:
            regions[index] = Region.MIDDLE
    return regions
