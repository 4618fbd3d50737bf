"""Outlines of a label map, for drawing. Points are (row, col); pixel centres are whole numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask

Polygon = NDArray[np.float64]
"""(point, 2): a closed outline, its first point not repeated."""


_AVERAGINGS = 16
_SHORT = 12


@dataclass(frozen=True)
class Outlines:
    """Closed outlines of one label map.

    Attributes:
        endocardium: LV blood pool.
        epicardium: LV blood pool and myocardium together.
        rv: RV blood pool.
    """

    endocardium: tuple[Polygon, ...]
    epicardium: tuple[Polygon, ...]
    rv: tuple[Polygon, ...]

    def of(self, label: Label) -> tuple[Polygon, ...]:
        """The outline that bounds a label from outside."""
        return {Label.LVBP: self.endocardium, Label.LVM: self.epicardium, Label.RVBP: self.rv}[label]


def outlines_of(labels: LabelMap, *, exact: bool = False) -> Outlines:
    """Outlines of a label map.

    Args:
        labels: (row, col), values of `Label`.
        exact: True to follow the edges of the pixels; False for the smooth line between them, for drawing only.
    """
    endo = labels == int(Label.LVBP)
    return Outlines(
        endocardium=outline_polygons(endo, exact=exact),
        epicardium=outline_polygons(endo | (labels == int(Label.LVM)), exact=exact),
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
    rows, cols = np.nonzero(mask)
    if rows.size == 0:
        return ()
    top, left = int(rows.min()), int(cols.min())
    box = np.pad(mask[top : int(rows.max()) + 1, left : int(cols.max()) + 1], 1)
    corner = np.asarray([top - 1.5, left - 1.5])
    polygons: list[Polygon] = []
    for corners in _trace(box):
        points = np.asarray(corners, dtype=np.float64) + corner
        if not exact:
            points = _smoothed((points + np.roll(points, -1, axis=0)) / 2.0)
        polygons.append(points)
    return tuple(polygons)


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


def _trace(box: Mask) -> list[list[tuple[int, int]]]:
    """Walk along the edges of a padded mask, the mask on the left hand; corners (row, col) of the pixel grid."""
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    above, below = box[:-1, :], box[1:, :]
    for row, col in np.argwhere(~above & below).tolist():
        following.setdefault((row + 1, col + 1), []).append((row + 1, col))
    for row, col in np.argwhere(above & ~below).tolist():
        following.setdefault((row + 1, col), []).append((row + 1, col + 1))
    before, after = box[:, :-1], box[:, 1:]
    for row, col in np.argwhere(~before & after).tolist():
        following.setdefault((row, col + 1), []).append((row + 1, col + 1))
    for row, col in np.argwhere(before & ~after).tolist():
        following.setdefault((row + 1, col + 1), []).append((row, col + 1))
    lines = []
    while following:
        start = next(iter(following))
        line, at, came = [], start, (0, 0)
        while True:
            choices = following[at]
            to = choices[0] if len(choices) == 1 else _sharpest(at, came, choices)
            choices.remove(to)
            if not choices:
                del following[at]
            line.append(at)
            came, at = (to[0] - at[0], to[1] - at[1]), to
            if at == start:
                break
        lines.append(line)
    return lines


def _sharpest(at: tuple[int, int], came: tuple[int, int], choices: list[tuple[int, int]]) -> tuple[int, int]:
    """Where two pixels touch at a corner, stay with the same pixel, so that each outline is simple."""
    turned = (-came[1], came[0])
    for to in choices:
        if (to[0] - at[0], to[1] - at[1]) == turned:
            return to
    return choices[0]
