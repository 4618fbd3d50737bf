"""The left ventricle as a blood pool in a ring of myocardium: making the ring, closing it, and what belongs inside.

Pure functions, label map to label map; what they are given is not changed.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask, mask_of
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.contours import Spacing, has_closed_ring, inner, outer, outline_mask
from cmr_viewer.review.correction import WALL_MM

_DIRECTIONS = 72
"""Directions around the blood pool in which the wall is looked at, 5 degrees each."""


def ring_of_thickness(labels: LabelMap, thickness_mm: float, spacing_mm: Spacing) -> LabelMap:
    """Myocardium of one thickness all round the blood pool, in the place of that which is there.

    The RV keeps its pixels, but those that a closed ring needs: one pixel beside the blood pool.

    Args:
        labels: (row, col) label map.
        thickness_mm: Within `WALL_MM`.
        spacing_mm: (row, col) pixel spacing.

    Returns:
        A new label map; without blood pool, the same.

    Raises:
        LabelMapError: The thickness is outside `WALL_MM`.
    """
    if not WALL_MM[0] <= thickness_mm <= WALL_MM[1]:
        raise LabelMapError(
            f"A wall of {thickness_mm:g} mm is not possible. Choose {WALL_MM[0]:g} to {WALL_MM[1]:g} mm."
        )
    cavity = mask_of(labels, Label.LVBP)
    if not cavity.any():
        return labels.copy()
    result = np.where(labels == int(Label.LVM), np.uint8(Label.BACKGROUND), labels)
    wall = (_from_cavity_mm(cavity, spacing_mm) <= thickness_mm) & (result == int(Label.BACKGROUND))
    result[(wall | outer(cavity)) & ~cavity] = int(Label.LVM)
    return result


def close_ring(labels: LabelMap, spacing_mm: Spacing) -> LabelMap:
    """Myocardium wherever it is missing around the blood pool, as thick as it is on both sides of the gap.

    Seen from the middle of the blood pool, the thickness of the wall is taken in each direction; where there is none,
    it runs evenly from one side of the gap to the other. Background between blood pool and wall is filled too. The RV
    keeps its pixels, but those that a closed ring needs: one pixel beside the blood pool.

    Args:
        labels: (row, col) label map.
        spacing_mm: (row, col) pixel spacing.

    Returns:
        A new label map; without blood pool or without myocardium, the same.
    """
    cavity, wall = mask_of(labels, Label.LVBP), mask_of(labels, Label.LVM)
    if not cavity.any() or not wall.any():
        return labels.copy()
    from_cavity = _from_cavity_mm(cavity, spacing_mm)
    rows, cols = np.indices(labels.shape)
    middle = np.argwhere(cavity).mean(axis=0)
    down, right = (rows - middle[0]) * spacing_mm[0], (cols - middle[1]) * spacing_mm[1]
    turn = (np.arctan2(down, right) / (2 * np.pi)) % 1.0 * _DIRECTIONS
    direction = np.minimum(turn.astype(np.intp), _DIRECTIONS - 1)
    thickness = np.zeros(_DIRECTIONS)
    least = min(spacing_mm) / 2.0  # where pixels are much longer than wide, the edge seems to lie beyond the next one
    np.maximum.at(thickness, direction[wall], np.maximum(from_cavity[wall], least))
    known = np.flatnonzero(thickness > 0)
    around = np.interp(np.arange(_DIRECTIONS), known, thickness[known], period=_DIRECTIONS)
    missing = (from_cavity <= around[direction]) & (labels == int(Label.BACKGROUND)) & ~cavity
    result = labels.copy()
    result[missing | (outer(cavity) & ~cavity)] = int(Label.LVM)
    return result


def include_papillaries(labels: LabelMap) -> LabelMap:
    """The blood pool with what lies inside its convex hull: papillary muscles and trabeculae that were left out.

    Whatever the hull covers inside the epicardium becomes blood pool, myocardium as well as background; a ring that is
    closed stays closed. Where the ring is open, the hull covers background too; the RV is left alone.

    Args:
        labels: (row, col) label map.

    Returns:
        A new label map; without blood pool, the same.

    Source:
        Schulz-Menger et al. 2020, section on LV volumes: papillary muscles may count as blood, as in ACDC and M&Ms; the
        endocardium is then drawn around them.
    """
    cavity = mask_of(labels, Label.LVBP)
    hull = convex_hull(cavity) & (labels != int(Label.RVBP))
    if has_closed_ring(labels):
        hull &= inner(outline_mask(labels, Label.LVM))
    result = labels.copy()
    result[hull] = int(Label.LVBP)
    return result


def convex_hull(mask: Mask) -> Mask:
    """Pixels whose centres lie in the convex hull of the centres of a mask's pixels, (row, col)."""
    points = np.argwhere(mask & ~inner(mask))
    if len(points) < 3:
        return mask.copy()
    try:
        sides = ConvexHull(points).equations
    except QhullError:  # all on one line
        return mask.copy()
    (row0, col0), (row1, col1) = points.min(axis=0), points.max(axis=0) + 1
    rows, cols = np.mgrid[row0:row1, col0:col1]
    inside = np.ones(rows.shape, dtype=np.bool_)
    for along_row, along_col, offset in sides:
        inside &= along_row * rows + along_col * cols + offset <= 1e-9
    result = mask.copy()
    result[row0:row1, col0:col1] |= inside
    return result


def _from_cavity_mm(cavity: Mask, spacing_mm: Spacing) -> NDArray[np.float64]:
    """Distance of pixel centres from the edge of the blood pool, in mm; 0 or less inside."""
    half = float(np.sqrt(spacing_mm[0] * spacing_mm[1])) / 2.0
    return np.asarray(ndimage.distance_transform_edt(~cavity, sampling=spacing_mm), dtype=np.float64) - half
