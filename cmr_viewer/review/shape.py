"""Correcting the shape of structures: fill, smooth, grow, shrink, move, tidy, and the ring of LV myocardium.

Pure functions, label map to label map; none changes the label map that it is given. A label is corrected by its
outline, see `outlines`; None means all three. Lengths are in mm. `corrected` applies a `Correction`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap, Mask, Point, box_around, mask_of
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.correction import WALL_MM, Correction, Tool
from cmr_viewer.review.outlines import (
    Spacing,
    has_closed_ring,
    inner,
    nearest_label,
    outer,
    outline_mask,
    with_outline,
)
from cmr_viewer.review.snap import snap_to_edge

ORDER = (Label.LVM, Label.RVBP, Label.LVBP)
"""In which outlines are corrected where all are: from the outside to the inside, and the other way to shrink."""

SMOOTHING_MM = 2.0
"""Width (standard deviation) of the Gaussian that an outline is smoothed with, about one pixel and a half of a cine
frame: what is narrower than about twice this is taken for a flaw of drawing."""

_EIGHT = np.ones((3, 3), dtype=np.bool_)


# -- fill --------------------------------------------------------------------------------------------------------------


def fill_holes(labels: LabelMap, label: Label | None = None) -> LabelMap:
    """Fill what is shut in.

    Args:
        labels: (row, col) label map.
        label: The structure whose holes are filled, whatever is in them: LVBP takes in dark papillary muscles. For LVM,
            background that the epicardium encloses becomes the nearest of blood pool and myocardium. None fills all
            background that labels shut in, with the nearest of them.
    """
    result = labels.copy()
    if label in (Label.LVBP, Label.RVBP):
        result[_without_holes(mask_of(labels, label))] = int(label)
        return result
    kinds = STRUCTURES if label is None else (Label.LVBP, Label.LVM)
    around = np.isin(labels, [int(each) for each in kinds])
    holes = _without_holes(around) & (labels == int(Label.BACKGROUND))
    if holes.any():
        result[holes] = nearest_label(labels, kinds, holes)
    return result


def _without_holes(mask: Mask) -> Mask:
    box = box_around(mask, 1)
    result = mask.copy()
    result[box] = ndimage.binary_fill_holes(mask[box])
    return result


def fill_at(labels: LabelMap, point: Point, label: Label) -> LabelMap:
    """Give the region around a point another label, as far as it is of one label.

    Args:
        labels: (row, col) label map.
        point: (row, col) in the region; pixels touch at their sides.
        label: What it becomes; BACKGROUND empties it.

    Raises:
        LabelMapError: The point is outside the frame, or in background that is not shut in by labels.
    """
    row, col = (int(np.floor(value + 0.5)) if np.isfinite(value) else -1 for value in point)
    rows, cols = labels.shape
    if not (0 <= row < rows and 0 <= col < cols):
        raise LabelMapError("This point is outside the frame. Click inside the frame to fill.")
    pieces, _ = ndimage.label(labels == labels[row, col])
    region = pieces == pieces[row, col]
    reaches_edge = region[0].any() or region[-1].any() or region[:, 0].any() or region[:, -1].any()
    if labels[row, col] == int(Label.BACKGROUND) and reaches_edge:
        raise LabelMapError("No closed outline surrounds this background. Close the outline first, then fill it.")
    result = labels.copy()
    result[region] = int(label)
    return result


# -- smooth, grow, shrink ----------------------------------------------------------------------------------------------


def smooth(labels: LabelMap, label: Label | None, spacing_mm: Spacing, width_mm: float = SMOOTHING_MM) -> LabelMap:
    """Smooth outlines; what they enclose keeps its area to the pixel.

    The mask is blurred by a Gaussian, and as many of its highest pixels stay as there were before: notches fill with
    what bulges give up. Pixels that a rule of `outlines` prescribes or forbids take no part, so that the area is exact
    also beside them. A border that two structures share moves as one; then the area of the other one changes too.

    Args:
        labels: (row, col) label map.
        label: Whose outline; None for all.
        spacing_mm: (row, col) pixel spacing.
        width_mm: Standard deviation of the Gaussian, > 0; at least a pixel is used, less would change nothing.

    Raises:
        LabelMapError: The width is not positive.
    """
    if not width_mm > 0:
        raise LabelMapError(f"Smoothing over {width_mm} mm is not possible. Use a positive width.")

    def one(now: LabelMap, each: Label) -> LabelMap:
        mask = outline_mask(now, each)
        sigma = [max(1.0, width_mm / spacing) for spacing in spacing_mm]
        box = box_around(mask, int(np.ceil(3 * max(sigma))))
        values = np.asarray(ndimage.gaussian_filter(mask[box].astype(np.float64), sigma, mode="nearest"))
        must, may = _room(now, each)
        values += 1e-9 * mask[box]  # of equals, those that were inside before
        values[must[box]] = 2.0
        values[~may[box]] = -1.0
        wanted = np.zeros(mask.shape, dtype=np.bool_)
        wanted[box] = _highest(values, int(mask.sum()))
        return with_outline(now, each, wanted)

    return _each(labels, label, one)


def grow(labels: LabelMap, label: Label | None, by_mm: float, spacing_mm: Spacing) -> LabelMap:
    """Move outlines outwards, or inwards where `by_mm` is negative.

    The outline is taken as a curve that encloses the same area, and moved; steps much smaller than a pixel therefore
    add up. Where two structures touch, the border between them stays: growing takes background only, shrinking leaves
    background only. But the endocardium moves inside the wall, and gives to it.

    Args:
        labels: (row, col) label map.
        label: Whose outline: LVBP the endocardium, LVM the epicardium, RVBP; None for all.
        by_mm: How far.
        spacing_mm: (row, col) pixel spacing.
    """

    def one(now: LabelMap, each: Label) -> LabelMap:
        mask = outline_mask(now, each)
        moved = _offset(mask, by_mm, spacing_mm)
        foreign = np.isin(now, [int(other) for other in STRUCTURES]) & ~mask
        if each is Label.LVBP:
            foreign &= now != int(Label.LVM)
        if by_mm >= 0:
            return with_outline(now, each, moved & ~foreign)
        must, _ = _room(now, each)
        lost = mask & ~moved & ~must & ~_nearest_is(foreign, mask)
        if each is Label.LVBP:
            return with_outline(now, each, mask & ~lost)
        return np.where(lost, np.uint8(Label.BACKGROUND), now)

    return _each(labels, label, one, ORDER if by_mm >= 0 else ORDER[::-1])


def _nearest_is(foreign: Mask, mask: Mask) -> Mask:
    """Pixels of a mask whose nearest pixel outside it is foreign."""
    if mask.all() or not foreign.any():
        return np.zeros(mask.shape, dtype=np.bool_)
    box = box_around(mask, 1)
    rows, cols = ndimage.distance_transform_edt(mask[box], return_distances=False, return_indices=True)
    result = np.zeros(mask.shape, dtype=np.bool_)
    result[box] = foreign[box][rows, cols] & mask[box]
    return result


def _each(
    labels: LabelMap,
    label: Label | None,
    one: Callable[[LabelMap, Label], LabelMap],
    order: Sequence[Label] = ORDER,
) -> LabelMap:
    result = labels.copy()
    for each in order if label is None else (label,):
        if outline_mask(result, each).any() and (result == int(each)).any():
            result = one(result, each)
    return result


def _room(labels: LabelMap, label: Label) -> tuple[Mask, Mask]:
    """What an outline has to enclose, and what it may, by the rules of `outlines.with_outline`."""
    cavity = mask_of(labels, Label.LVBP)
    guarded = outer(cavity) if has_closed_ring(labels) else cavity
    if label is Label.LVM:
        return guarded, np.ones(labels.shape, dtype=np.bool_)
    if label is Label.RVBP:
        return np.zeros(labels.shape, dtype=np.bool_), ~guarded
    may = ~mask_of(labels, Label.RVBP)
    if has_closed_ring(labels):
        may &= inner(outline_mask(labels, Label.LVM))
    return np.zeros(labels.shape, dtype=np.bool_), may


def _highest(values: NDArray[np.float64], count: int) -> Mask:
    """The `count` pixels of the highest values."""
    chosen = np.zeros(values.size, dtype=np.bool_)
    if count > 0:
        chosen[np.argsort(-values, axis=None, kind="stable")[:count]] = True
    return chosen.reshape(values.shape)


def _offset(mask: Mask, by_mm: float, spacing_mm: Spacing) -> Mask:
    """A mask whose outline is moved outwards by a distance, or inwards; never the other way anywhere."""
    pixel = float(np.sqrt(spacing_mm[0] * spacing_mm[1]))
    box = box_around(mask, int(np.ceil(max(0.0, by_mm) / min(spacing_mm))) + 4)
    part = mask[box]
    field = np.asarray(ndimage.gaussian_filter(signed_distance_mm(part, spacing_mm), [pixel / s for s in spacing_mm]))
    level = np.sort(field, axis=None)
    count = int(part.sum())
    at = float(level[count - 1] + level[min(count, level.size - 1)]) / 2.0
    moved = field <= at + by_mm
    result = np.zeros(mask.shape, dtype=np.bool_)
    result[box] = (part | moved) if by_mm >= 0 else (part & moved)
    return result


def signed_distance_mm(mask: Mask, spacing_mm: Spacing) -> NDArray[np.float64]:
    """Distance of each pixel's centre to the edge of a mask, in mm; negative inside.

    The edge lies half a pixel from the centres on both sides of it, and not in the outer centres, as in SimpleITK's
    distance maps. The edge of the frame is none.

    Args:
        mask: (row, col); with at least one pixel in it.
        spacing_mm: (row, col) pixel spacing.
    """
    half = float(np.sqrt(spacing_mm[0] * spacing_mm[1])) / 2.0
    outside = np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing_mm), dtype=np.float64)
    if mask.all():
        return np.full(mask.shape, -float(max(np.multiply(mask.shape, spacing_mm))))
    inside = np.asarray(ndimage.distance_transform_edt(mask, sampling=spacing_mm), dtype=np.float64)
    return np.where(mask, half - inside, outside - half)


# -- move, tidy --------------------------------------------------------------------------------------------------------


def nudge(labels: LabelMap, label: Label | None, rows: int, cols: int) -> LabelMap:
    """Move one outline, or the whole label map, by whole pixels; what leaves the frame is lost.

    Args:
        labels: (row, col) label map.
        label: Whose outline; None for all labels together.
        rows: Pixels downwards.
        cols: Pixels to the right.
    """
    if label is None:
        return _moved_by(labels, rows, cols)
    mask = outline_mask(labels, label)
    return (
        with_outline(labels, label, _moved_by(mask.astype(np.uint8), rows, cols) > 0) if mask.any() else labels.copy()
    )


def _moved_by(values: LabelMap, rows: int, cols: int) -> LabelMap:
    result = np.zeros_like(values)
    height, width = values.shape
    if abs(rows) < height and abs(cols) < width:
        result[max(0, rows) : height + min(0, rows), max(0, cols) : width + min(0, cols)] = values[
            max(0, -rows) : height + min(0, -rows), max(0, -cols) : width + min(0, -cols)
        ]
    return result


def keep_largest(labels: LabelMap, label: Label | None = None) -> LabelMap:
    """Reduce each structure to its largest piece; smaller ones become what surrounds them most.

    Args:
        labels: (row, col) label map.
        label: LVBP, LVM or RVBP; None for all three.

    Source:
        Pieces touch also at corners, as in `checks`: the largest connected component, as in most entries to ACDC.
    """
    result = labels.copy()
    for each in ORDER if label is None else (label,):
        pieces, count = ndimage.label(result == int(each), structure=_EIGHT)
        if count <= 1:
            continue
        largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
        for piece, box in enumerate(ndimage.find_objects(pieces), start=1):
            if piece != largest:
                near = tuple(slice(max(0, one.start - 1), one.stop + 1) for one in box)
                region = pieces[near] == piece
                result[near][region] = _surrounding(result[near], region)
    return result


def _surrounding(labels: LabelMap, region: Mask) -> int:
    """The label that most pixels at the sides of a region have; the lowest of equals."""
    rim = outer(region) & ~region
    beside = labels[rim]
    return int(np.bincount(beside).argmax()) if beside.size else int(Label.BACKGROUND)


def remove(labels: LabelMap, label: Label | None = None) -> LabelMap:
    """Make a label background, or all."""
    result = labels.copy()
    result[result == int(label) if label is not None else result > 0] = int(Label.BACKGROUND)
    return result


def take_over(source: LabelMap, target: LabelMap, label: Label | None = None) -> LabelMap:
    """The label map of a frame that takes over that of another, or one outline of it.

    Args:
        source: (row, col) label map to take from.
        target: (row, col) label map of the same shape.
        label: Whose outline; None for everything.

    Raises:
        LabelMapError: The shapes differ.
    """
    if source.shape != target.shape:
        raise LabelMapError(
            f"Could not copy a label map of shape {source.shape} to one of shape {target.shape}: the shapes differ."
        )
    if label is None:
        return source.copy()
    if label is Label.LVM and not (target == int(Label.LVBP)).any():  # there is no endocardium to leave as it is
        return with_outline(target, label, mask_of(source, label))
    return with_outline(target, label, outline_mask(source, label))


# -- the ring ----------------------------------------------------------------------------------------------------------

_DIRECTIONS = 72
"""Directions around the blood pool in which the wall is looked at, 5 degrees each."""


def ring_of_thickness(labels: LabelMap, thickness_mm: float, spacing_mm: Spacing) -> LabelMap:
    """Myocardium of one thickness all round the blood pool, in the place of that which is there.

    The RV changes only where a closed ring needs its pixels: one pixel beside the blood pool.

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
    changes only where a closed ring needs its pixels: one pixel beside the blood pool.

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
    from skimage.morphology import convex_hull_image  # noqa: PLC0415 - slow to import, and few corrections need it

    result = mask.copy()
    points = np.argwhere(mask)
    if len(points) and np.linalg.matrix_rank(points - points[0]) == 2:  # else a line is its own hull
        box = box_around(mask, 0)
        result[box] |= convex_hull_image(mask[box], offset_coordinates=False)
    return result


def _from_cavity_mm(cavity: Mask, spacing_mm: Spacing) -> NDArray[np.float64]:
    """Distance of pixel centres from the edge of the blood pool, in mm; 0 or less inside."""
    half = float(np.sqrt(spacing_mm[0] * spacing_mm[1])) / 2.0
    return np.asarray(ndimage.distance_transform_edt(~cavity, sampling=spacing_mm), dtype=np.float64) - half


# -- all corrections ---------------------------------------------------------------------------------------------------


def corrected(
    labels: LabelMap, wanted: Correction, spacing_mm: Spacing, pixels: NDArray[Any] | None = None
) -> LabelMap:
    """A label map with a correction made.

    Args:
        labels: (row, col) label map; not changed.
        wanted: What is to be done.
        spacing_mm: (row, col) pixel spacing.
        pixels: (row, col) of the frame, any real dtype; `Tool.SNAP` alone needs them.

    Returns:
        A new label map; the same as before where there is nothing to do.

    Raises:
        LabelMapError: A length is out of bounds, or the pixels are missing or of another shape.
    """
    if wanted.tool is Tool.SNAP:
        if pixels is None:
            raise LabelMapError("A contour snaps to the edges of an image. There is no image of this frame.")
        return _each(labels, wanted.label, partial(_snap, pixels, spacing_mm))
    return _DOES[wanted.tool](labels, wanted, spacing_mm)


def _snap(pixels: NDArray[Any], spacing_mm: Spacing, labels: LabelMap, label: Label) -> LabelMap:
    return snap_to_edge(labels, label, pixels, spacing_mm)


_DOES: dict[Tool, Callable[[LabelMap, Correction, Spacing], LabelMap]] = {
    Tool.FILL_HOLES: lambda labels, wanted, _: fill_holes(labels, wanted.label),
    Tool.SMOOTH: lambda labels, wanted, spacing: smooth(labels, wanted.label, spacing),
    Tool.GROW: lambda labels, wanted, spacing: grow(labels, wanted.label, wanted.by_mm, spacing),
    Tool.SHRINK: lambda labels, wanted, spacing: grow(labels, wanted.label, -wanted.by_mm, spacing),
    Tool.NUDGE: lambda labels, wanted, _: nudge(labels, wanted.label, wanted.rows, wanted.cols),
    Tool.KEEP_LARGEST: lambda labels, wanted, _: keep_largest(labels, wanted.label),
    Tool.REMOVE: lambda labels, wanted, _: remove(labels, wanted.label),
    Tool.RING: lambda labels, wanted, spacing: ring_of_thickness(labels, wanted.by_mm, spacing),
    Tool.CLOSE_RING: lambda labels, _, spacing: close_ring(labels, spacing),
    Tool.PAPILLARIES: lambda labels, _, __: include_papillaries(labels),
}
