"""LabelOutlines of a label map, for drawing. Points are (row, col); pixel centres are whole numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask
from cmr_viewer.domain.polygons import trace

Polygon = NDArray[np.float64]
"""(point, 2): a closed outline, its first point not repeated."""

_AVERAGINGS = 16
_SHORT = 12
_LARGEST_TURN = 0.15
"""Radians by which an outline may turn between two points that are drawn: 0.02 pixels off a bow of 3 pixels' length."""
_LONGEST_PX = 3.0


@dataclass(frozen=True)
class LabelOutlines:
    """Closed outlines of one label map.

    Attributes:
        endocardium: LV blood pool.
        epicardium: LV blood pool and myocardium together, where there is myocardium.
        rv: RV blood pool.
    """

    endocardium: tuple[Polygon, ...]
    epicardium: tuple[Polygon, ...]
    rv: tuple[Polygon, ...]

    def of(self, label: Label) -> tuple[Polygon, ...]:
        """The outline that bounds a label from outside."""
        return {Label.LVBP: self.endocardium, Label.LVM: self.epicardium, Label.RVBP: self.rv}[label]


def outlines_of(labels: LabelMap, *, exact: bool = False) -> LabelOutlines:
    """LabelOutlines of a label map.

    Args:
        labels: (row, col), values of `Label`.
        exact: True to follow the edges of the pixels; False for the smooth line between them, for drawing only.
    """
    endo, wall = labels == int(Label.LVBP), labels == int(Label.LVM)
    return LabelOutlines(
        endocardium=outline_polygons(endo, exact=exact),
        epicardium=outline_polygons(endo | wall, exact=exact) if wall.any() else (),
        rv=outline_polygons(labels == int(Label.RVBP), exact=exact),
    )


def outline_polygons(mask: Mask, *, exact: bool = False) -> tuple[Polygon, ...]:
    """Closed outlines of a mask, holes included.

    Smooth outlines join the middles of neighbouring pixel edges (marching squares at one half), with the steps of the
    pixel grid taken out; they stay within a pixel of the pixels' edges.

    Args:
        mask: (row, col).
        exact: True for the corners of the pixels instead.

    Returns:
        One polygon per closed line.
    """
    if exact:
        return tuple(trace(mask))
    return tuple(_thinned(_smoothed((corners + np.roll(corners, -1, axis=0)) / 2.0)) for corners in trace(mask))


def _thinned(points: Polygon) -> Polygon:
    """Leave out points between which an outline hardly turns, so that it is drawn sooner and looks the same."""
    if len(points) < _SHORT:
        return points
    steps = np.roll(points, -1, axis=0) - points
    turn = np.angle(np.exp(1j * np.diff(np.arctan2(steps[:, 0], steps[:, 1]), prepend=0.0)))
    passed = np.cumsum(np.abs(turn) / _LARGEST_TURN + np.hypot(*steps.T) / _LONGEST_PX)
    keep = np.diff(np.floor(passed), prepend=-1.0) > 0
    return points[keep] if keep.sum() >= 3 else points


def _smoothed(points: Polygon) -> Polygon:
    """Take the steps of the pixel grid out of a closed outline; a short one is left as it is.

    As good as averaging neighbours with 1/4, 1/2, 1/4 sixteen times, and adding what that takes away from the large
    shape ("twicing", Tukey 1977), so that the outline does not shrink; done at once in the outline's spectrum.
    """
    count = len(points)
    if count < _SHORT:
        return points
    spectrum = np.fft.fft(points[:, 0] + 1j * points[:, 1])
    gain = (0.5 + 0.5 * np.cos(2.0 * np.pi * np.fft.fftfreq(count))) ** _AVERAGINGS
    smooth = np.fft.ifft(spectrum * (2.0 * gain - gain * gain))
    return np.stack([smooth.real, smooth.imag], axis=1)
