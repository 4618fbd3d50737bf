"""Distances of slices: what a reader should know about them, and those that a reader set in place of the files'."""

import math
from dataclasses import replace

import numpy as np

from cmr_viewer.domain.geometry import Geometry, vector
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import GeometryError

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


LONGEST_MM = 100.0
"""No pixel and no slice distance of a heart's images is larger."""


def with_spacing(study: Study, spacing_mm: tuple[float, float, float]) -> Study:
    """The study with other distances of pixels and slices; pixels and their order stay.

    Args:
        study: Any study; all its stacks get the distances.
        spacing_mm: (row, col, slice) distances of centres, > 0.

    Returns:
        The study, whose spacing now counts as known; `Study.warnings` notes where it came from. Slices run from the
        position of the first along the same line, and wider or narrower gaps keep their proportion; directions stay.
        The affine of the source is still that of the file, for label maps that go back onto its grid.

    Raises:
        GeometryError: A distance that cannot be.
    """
    if len(spacing_mm) != 3 or not all(math.isfinite(v) and 0 < v <= LONGEST_MM for v in spacing_mm):
        raise GeometryError(
            f"Distances must be more than 0 and at most {LONGEST_MM:g} mm, not {spacing_mm}. Correct the spacing."
        )
    stacks = tuple(replace(stack, geometry=_respaced(stack.geometry, spacing_mm)) for stack in study.stacks)
    row, col, between = spacing_mm
    outdated = (Code.SPACING_UNKNOWN, Code.SLICE_GAP, Code.SLICES_UNEVEN)
    current = tuple(warning for warning in study.warnings if warning.code not in outdated)
    text = f"A reader set the pixel spacing to {row:g} x {col:g} mm and the slice spacing to {between:g} mm."
    note = Note(text, Code.SPACING_BY_READER)
    return replace(study, stacks=stacks, warnings=(*current, note, *gap_notes(stacks[0].geometry)))


def _respaced(geometry: Geometry, spacing_mm: tuple[float, float, float]) -> Geometry:
    row, col, between = spacing_mm
    places = np.asarray(geometry.positions_mm, dtype=np.float64)
    step, numbers = geometry.normal, np.arange(geometry.slices, dtype=np.float64)
    if geometry.slices > 1:
        whole = places[-1] - places[0]
        along = float(whole @ geometry.normal)
        # A stack that leans is not straightened: slices stay on their line, at the new distance of planes.
        step = whole / abs(along) if abs(along) > 1e-6 * float(np.linalg.norm(whole)) else geometry.normal
        if (usual := float(np.median(geometry.slice_gaps_mm))) > 0:
            numbers = np.concatenate([[0.0], np.cumsum(geometry.slice_gaps_mm / usual)])
    positions = places[0] + between * numbers[:, None] * step
    return replace(
        geometry,
        pixel_spacing_mm=(row, col),
        positions_mm=tuple(map(vector, positions)),
        single_slice_spacing_mm=between,
        spacing_known=True,
    )
