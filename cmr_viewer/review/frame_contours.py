"""The contours of a frame's label map, and the label map of its contours: two views of the same data.

The label map is the master; contours are derived from it on demand. They represent it pixel for pixel: a contour is
smooth where a smooth line encloses the same pixel centres, and else runs halfway between pixels. An edit changes only
pixels whose centres are between the contour before and after it. So contours without an edit give the identical label
map, and pixels that no contour passes over do not change.

`review.outlines.with_outline` sets the new label of such a pixel: the epicardium does not change the LV blood pool, the
endocardium stays inside the epicardium where the ring of myocardium is closed, and pixels that a contour loses go to
the nearest structure.

`domain.polygons` decides which pixels a contour encloses.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap, Mask, box_around
from cmr_viewer.domain.polygons import Corners, fill_polygon, fill_polygons, trace
from cmr_viewer.review.spline import Contour, Line, contour_along

Contours = tuple[Contour, ...]
"""The contours of one structure: its parts, and the holes in them."""

_AVERAGINGS = 16
_SHORT = 12
_ROUNDS = 8


def frame_contours(labels: LabelMap) -> dict[Label, Contours]:
    """The contours of a label map, by the label that each bounds from outside: LVM has the epicardium.

    Args:
        labels: (row, col).

    Returns:
        All three; one without contours where it is not there. There is an epicardium where there is myocardium.
    """
    return {label: contours_of(labels, label) for label in STRUCTURES}


def contours_of(labels: LabelMap, label: Label) -> Contours:
    """The contours of one structure, the longest first.

    Args:
        labels: (row, col).
        label: LVBP for the endocardium, LVM for the epicardium, RVBP.
    """
    found = [contour_along(exact_line(corners), hole=_is_hole(corners)) for corners in trace(enclosed(labels, label))]
    return tuple(sorted(found, key=lambda contour: -contour.length_px))


def enclosed(labels: LabelMap, label: Label) -> Mask:
    """What the contours of a structure enclose: the epicardium, myocardium and LV blood pool, if there is the former.

    Args:
        labels: (row, col).
        label: LVBP for the endocardium, LVM for the epicardium, RVBP.
    """
    mask = np.asarray(labels == int(label))
    if label is Label.LVM and mask.any():
        return np.asarray(mask | (labels == int(Label.LVBP)))
    return mask


def filled(contours: Iterable[Contour], shape: tuple[int, int]) -> Mask:
    """The pixels that the contours of one structure enclose.

    Args:
        contours: Of one structure.
        shape: (rows, cols) of the frame.
    """
    lines = [contour.points[:, ::-1] for contour in contours]
    mask = np.zeros(shape, dtype=bool)
    if not lines:
        return mask
    # Which pixels a line encloses is the same in the box that it reaches.
    low = np.maximum(np.floor(np.min([line.min(axis=0) for line in lines], axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(np.max([line.max(axis=0) for line in lines], axis=0)) + 1, shape[::-1]).astype(int)
    if (high > low).all():
        size = (int(high[1] - low[1]), int(high[0] - low[0]))
        mask[low[1] : high[1], low[0] : high[0]] = fill_polygons([line - low for line in lines], size)
    return mask


def fits(contours: Iterable[Contour], labels: LabelMap, label: Label) -> bool:
    """Whether contours hold a structure of a label map pixel for pixel."""
    rows, cols = labels.shape
    return np.array_equal(filled(contours, (rows, cols)), enclosed(labels, label))


def with_contour(labels: LabelMap, label: Label, before: Contour | None, after: Contour | None) -> LabelMap:
    """The label map in which one contour is another; see the head of this module for what that changes.

    Args:
        labels: (row, col) label map before the edit; not changed.
        label: LVBP for the endocardium, LVM for the epicardium, RVBP.
        before: The contour before the edit; None for a new one.
        after: The contour after it; None to do without it.

    Returns:
        A new label map.
    """
    from cmr_viewer.review.outlines import with_outline  # noqa: PLC0415 - scipy would keep the window waiting

    shape = (labels.shape[0], labels.shape[1])
    old, new = (np.zeros(shape, bool) if one is None else filled([one], shape) for one in (before, after))
    passed = old != new
    if not passed.any():
        return labels.copy()
    is_hole = any(one is not None and one.hole for one in (before, after))
    whole = np.asarray(labels == int(label))
    if label is Label.LVM:
        whole |= labels == int(Label.LVBP)
    wanted = np.where(passed, new != is_hole, whole)
    box = box_around((labels > 0) | passed, 2)
    result = labels.copy()
    result[box] = with_outline(labels[box], label, wanted[box])
    return result


def refreshed(labels: LabelMap, known: Iterable[Mapping[Label, Contours]] = ()) -> dict[Label, Contours]:
    """The contours of a label map, the very ones that are known where they fit, so that knots stay where they were.

    Args:
        labels: (row, col).
        known: Contours of earlier label maps of the frame, those that are to be preferred first.
    """
    earlier = list(known)
    found: dict[Label, Contours] = {}
    for label in STRUCTURES:
        fitting = [one[label] for one in earlier if label in one and fits(one[label], labels, label)]
        found[label] = fitting[0] if fitting else contours_of(labels, label)
    return found


def exact_line(corners: Corners) -> Line:
    """A line that encloses the same pixel centres as the edges of pixels, as smooth as that allows.

    The line through the middles of the edges, averaged along itself so that the steps of the pixel grid go; where it
    would then pass on the wrong side of a pixel's centre, it goes back, as far as it must, to the middles of the edges.
    A smoothing spline of scipy (`splprep`) does not know the pixels that it has to enclose.

    Args:
        corners: (corner, 2) row and col, one at each end of each pixel edge; as `domain.polygons.trace`.

    Returns:
        (point, 2) row and col.
    """
    middles = (corners + np.roll(corners, -1, axis=0)) / 2.0
    if len(middles) < _SHORT:
        return middles
    low = np.floor(corners.min(axis=0)).astype(int)
    size = np.ceil(corners.max(axis=0)).astype(int) - low + 1
    shape = (int(size[0]), int(size[1]))
    inside = fill_polygon((middles - low)[:, ::-1], shape)
    smooth, back = _smoothed(middles), np.zeros(len(middles))
    for _ in range(_ROUNDS):
        line = np.asarray(smooth + back[:, None] * (middles - smooth))
        wrong = np.argwhere(fill_polygon((line - low)[:, ::-1], shape) != inside) + low
        if len(wrong) == 0:
            return line
        near = np.hypot(*(middles[:, None] - wrong[None]).transpose(2, 0, 1)).min(axis=1)
        back = np.minimum(1.0, back + 0.5 * np.clip(2.0 - near / 1.5, 0.0, 1.0))
    return middles


def _smoothed(points: Line) -> Line:
    """Average neighbours with 1/4, 1/2, 1/4 some times, and add what that takes away from the large shape.

    "Twicing" (Tukey, Exploratory Data Analysis, 1977), so that the line does not shrink; done in its spectrum.
    """
    spectrum = np.fft.fft(points[:, 0] + 1j * points[:, 1])
    gain = (0.5 + 0.5 * np.cos(2.0 * np.pi * np.fft.fftfreq(len(points)))) ** _AVERAGINGS
    smooth = np.fft.ifft(spectrum * (2.0 * gain - gain * gain))
    return np.stack([smooth.real, smooth.imag], axis=1)


def _is_hole(corners: Corners) -> bool:
    """Whether the mask lies outside; `trace` walks with it on the left hand."""
    row, col = corners.T
    return bool(np.sum(row * np.roll(col, -1) - col * np.roll(row, -1)) < 0)
