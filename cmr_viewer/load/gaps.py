"""What a reader should know about the distances of slices."""

import numpy as np

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.notes import Code, Note

_ROOM_FOR_ANOTHER = 1.5
_UNEVEN = 1.05


def gap_notes(geometry: Geometry) -> list[Note]:
    """Which gaps have room for another slice, whether the spacing is uneven, and what that means for volumes."""
    gaps = geometry.slice_gaps_mm
    # Of two gaps the smaller is the usual one.
    if geometry.slices < 3 or (usual := float(np.sort(gaps)[(len(gaps) - 1) // 2])) <= 0:
        return []
    notes = []
    weights_mm = geometry.slice_weights * geometry.slice_spacing_mm
    wide = gaps > _ROOM_FOR_ANOTHER * usual
    for i in np.flatnonzero(wide):
        text = (
            f"Slices {i + 1} and {i + 2} are {gaps[i]:.1f} mm apart instead of {usual:.1f} mm: a slice may be missing. "
            f"For volumes, both extend to the middle of the gap ({weights_mm[i]:.1f} and {weights_mm[i + 1]:.1f} mm)."
        )
        notes.append(Note(text, Code.SLICE_GAP, (int(i), int(i) + 1)))
    others = gaps[~wide]
    if others.max() > _UNEVEN * others.min():
        text = (
            f"Slices are not evenly spaced ({others.min():.1f} to {others.max():.1f} mm). "
            "For volumes, each slice extends half of the distance to each neighbour."
        )
        notes.append(Note(text, Code.SLICES_UNEVEN))
    return notes
