"""Thickness of the myocardium around a slice, by the centreline method."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.lv_outline import LvOutline, lv_outline, ray_angles

CHORDS = 100
"""Chords around a slice. Sheehan et al. 1986."""

METHOD = (
    "Centreline method: 100 chords perpendicular to the line halfway between endocardium and epicardium, at equal "
    "distances along it, on the label maps as drawn; where they have no myocardium, none."
)
"""How thickness is measured, in a sentence."""

_TANGENT_SHARE = 0.03
"""Length of line to either side of a point that sets its direction, so that steps of pixels do not change it."""

_REFINEMENTS = 3
_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class WallThickness:
    """Chords across the myocardium of one slice.

    Attributes:
        thickness_mm: (chord,) length of each chord; NaN where there is no myocardium.
        angles: (chord,) angle of each chord's middle around the centre of the LV, 0 to 2 pi, as `LvOutline`'s.
        endo: (chord, 2) (row, col) ends on the endocardium.
        epi: (chord, 2) (row, col) ends on the epicardium.
        outline: The borders that were measured.
    """

    thickness_mm: NDArray[np.float64]
    angles: NDArray[np.float64]
    endo: NDArray[np.float64]
    epi: NDArray[np.float64]
    outline: LvOutline

    @property
    def mean_mm(self) -> float:
        """Mean over the chords that have myocardium."""
        return float(np.nanmean(self.thickness_mm))

    @property
    def max_mm(self) -> float:
        """The longest chord."""
        return float(np.nanmax(self.thickness_mm))


def wall_thickness(
    labels: LabelMap, pixel_spacing_mm: tuple[float, float], *, chords: int = CHORDS
) -> WallThickness | None:
    """Thickness of the myocardium of a slice.

    Args:
        labels: (row, col) of one frame.
        pixel_spacing_mm: (row, col), > 0. DICOM (0028,0030).
        chords: How many.

    Returns:
        The chords, or None where there is no blood pool of the LV with myocardium around it.

    Source:
        F. H. Sheehan et al., Advantages and applications of the centerline method for characterizing regional
        ventricular function, Circulation 74:293-305, 1986: 100 chords perpendicular to a line half way between two
        contours; here between endocardium and epicardium of one phase.
    """
    outline = lv_outline(labels, pixel_spacing_mm)
    if outline is None:
        return None
    angles = ray_angles()
    middle = _points_mm(angles, (outline.endo_mm + outline.epi_mm) / 2.0)
    inner = outer = middle
    for _ in range(_REFINEMENTS):
        middle = _equally_spaced(middle, chords)
        across = _normals(middle)
        inner = middle - across * _length(outline, middle, -across, inwards=True)[:, None]
        outer = middle + across * _length(outline, middle, across, inwards=False)[:, None]
        middle = (inner + outer) / 2.0
    at = np.arctan2(middle[:, 0], middle[:, 1]) % (2.0 * np.pi)
    wall = outline.has_wall[np.rint(at * (outline.has_wall.size / (2.0 * np.pi))).astype(int) % outline.has_wall.size]
    if not wall.any():  # a speck between two chords
        return None
    thickness = np.where(wall, np.hypot(*(outer - inner).T), np.nan)
    to_pixels = np.asarray(pixel_spacing_mm)
    order = np.argsort(at)
    centre = np.asarray(outline.centre)
    return WallThickness(
        thickness[order], at[order], centre + inner[order] / to_pixels, centre + outer[order] / to_pixels, outline
    )


def _points_mm(angles: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """(point, 2) (y, x) in mm from the centre."""
    return np.stack([radii * np.sin(angles), radii * np.cos(angles)], axis=1)


def _equally_spaced(line: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """(count, 2) points at equal distances along a closed line (point, 2)."""
    closed = np.concatenate([line, line[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    places = np.arange(count) * (along[-1] / count)
    return np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _normals(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """(point, 2) unit vectors perpendicular to a closed line, away from the centre."""
    step = max(1, round(_TANGENT_SHARE * len(line)))
    along = np.roll(line, -step, axis=0) - np.roll(line, step, axis=0)
    normals = np.stack([along[:, 1], -along[:, 0]], axis=1)
    normals /= np.maximum(np.hypot(*normals.T), 1e-12)[:, None]
    outwards = np.sign((normals * line).sum(axis=1))
    return np.asarray(normals * np.where(outwards == 0.0, 1.0, outwards)[:, None], dtype=np.float64)


def _length(
    outline: LvOutline, middle: NDArray[np.float64], direction: NDArray[np.float64], *, inwards: bool
) -> NDArray[np.float64]:
    """(point,) distance from points of the wall along directions to a border, by halving."""
    low = np.zeros(len(middle))
    at = np.arctan2(middle[:, 0], middle[:, 1])
    # A chord can be longer than the wall along its ray, but not by more than this; inwards it ends before it is nearest
    # to the centre, beyond which it would meet the other side.
    high = 2.0 * (outline.epi_at(at) - outline.endo_at(at)) + min(outline.pixel_spacing_mm)
    if inwards:
        high = np.minimum(high, np.maximum(-(middle * direction).sum(axis=1), 0.0))
    for _ in range(_HALVINGS):
        half = (low + high) / 2.0
        points = middle + direction * half[:, None]
        radius, angle = np.hypot(*points.T), np.arctan2(points[:, 0], points[:, 1])
        inside = radius > outline.endo_at(angle) if inwards else radius < outline.epi_at(angle)
        low, high = np.where(inside, half, low), np.where(inside, high, half)
    return np.asarray(low, dtype=np.float64)
