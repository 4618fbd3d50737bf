"""The wall of the left ventricle in a slice: endocardium and epicardium around its middle, and the distance between."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask, Point

RAYS = 360
"""Rays from the centre, one a degree."""

_STEP_PIXELS = 0.25
_SMOOTH_DEG = 5.0
_NO_WALL_PIXELS = 0.3


@dataclass(frozen=True, eq=False)
class LvOutline:
    """Borders of the LV in one slice, along rays from its centre. Angles grow from the columns' towards the rows'.

    Ray i runs at angle 2 pi i / `RAYS`, in mm: (row, col) = centre + radius (sin, cos) / pixel spacing.

    Attributes:
        centre: (row, col) centroid of the LV blood pool.
        endo_mm: (ray,) radius of the endocardium.
        epi_mm: (ray,) radius of the epicardium; where there is no wall, carried over from both sides.
        has_wall: (ray,) whether there is myocardium.
        pixel_spacing_mm: (row, col).
    """

    centre: Point
    endo_mm: NDArray[np.float64]
    epi_mm: NDArray[np.float64]
    has_wall: NDArray[np.bool_]
    pixel_spacing_mm: tuple[float, float]

    def angle_of(self, point: Point) -> float:
        """Angle at which a (row, col) point lies, 0 to 2 pi."""
        return angle_of(point, self.centre, self.pixel_spacing_mm)

    def on_epicardium(self, angle: float) -> Point:
        """The (row, col) point of the epicardium at an angle."""
        return self._at(angle, float(_between(self.epi_mm, np.asarray([angle]))[0]))

    def endo_at(self, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Radii of the endocardium at angles, mm."""
        return _between(self.endo_mm, angles)

    def epi_at(self, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Radii of the epicardium at angles, mm."""
        return _between(self.epi_mm, angles)

    def _at(self, angle: float, radius_mm: float) -> Point:
        row = self.centre[0] + radius_mm * float(np.sin(angle)) / self.pixel_spacing_mm[0]
        return row, self.centre[1] + radius_mm * float(np.cos(angle)) / self.pixel_spacing_mm[1]


def angle_of(point: Point, centre: Point, pixel_spacing_mm: tuple[float, float]) -> float:
    """Angle of a (row, col) point around a centre, 0 to 2 pi, measured in mm."""
    y = (point[0] - centre[0]) * pixel_spacing_mm[0]
    x = (point[1] - centre[1]) * pixel_spacing_mm[1]
    return float(np.arctan2(y, x) % (2.0 * np.pi))


def lv_centre(labels: LabelMap) -> Point | None:
    """(row, col) centroid of the LV blood pool, or None where there is none."""
    rows, cols = np.nonzero(labels == Label.LVBP)
    return (float(rows.mean()), float(cols.mean())) if rows.size else None


def lv_outline(labels: LabelMap, pixel_spacing_mm: tuple[float, float]) -> LvOutline | None:
    """Borders of the LV in a label map.

    Along each ray the label map is read between pixel centres; the border is where a mask falls below one half. The
    epicardium is where the LV ends, the endocardium where its blood pool ends last before that. Radii are smoothed over
    a few degrees, so that the steps of pixels do not count as shape.

    Args:
        labels: (row, col) of one frame.
        pixel_spacing_mm: (row, col), > 0.

    Returns:
        The outline, or None where there is no LV blood pool with myocardium, or its centroid lies outside of it.
    """
    centre = lv_centre(labels)
    if centre is None or not (labels == Label.LVM).any():
        return None
    pool, lv = labels == Label.LVBP, (labels == Label.LVBP) | (labels == Label.LVM)
    if not pool[round(centre[0]), round(centre[1])]:
        return None
    step = _STEP_PIXELS * min(pixel_spacing_mm)
    reach = np.arange(0.0, _farthest_mm(lv, centre, pixel_spacing_mm) + 2.0 * max(pixel_spacing_mm), step)
    angles = ray_angles()
    rows = centre[0] + np.sin(angles)[:, None] * reach / pixel_spacing_mm[0]
    cols = centre[1] + np.cos(angles)[:, None] * reach / pixel_spacing_mm[1]
    in_lv, in_pool = sample(lv, rows, cols), sample(pool, rows, cols)
    epi = _first_exit(in_lv, reach)
    endo = _last_exit(np.where(reach <= epi[:, None] + step, in_pool, 0.0), reach)
    endo = np.minimum(endo, epi)
    has_wall = epi - endo > _NO_WALL_PIXELS * min(pixel_spacing_mm)
    if not has_wall.any():
        return None
    everywhere, inside = np.ones(RAYS, dtype=np.bool_), _away_from_gaps(has_wall, epi, pixel_spacing_mm)
    return LvOutline(centre, _smoothed(endo, everywhere), _smoothed(epi, inside), has_wall, pixel_spacing_mm)


def ray_angles() -> NDArray[np.float64]:
    """(ray,) angle of each ray."""
    return np.asarray(np.arange(RAYS) * (2.0 * np.pi / RAYS), dtype=np.float64)


def sample(mask: Mask, rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float64]:
    """A mask between pixel centres, bilinearly; 0 outside of the frame. scipy's `map_coordinates`, for NumPy alone."""
    padded = np.pad(mask.astype(np.float64), 1)
    r = np.clip(rows + 1.0, 0.0, padded.shape[0] - 1.001)
    c = np.clip(cols + 1.0, 0.0, padded.shape[1] - 1.001)
    r0, c0 = r.astype(np.intp), c.astype(np.intp)
    fr, fc = r - r0, c - c0
    top = padded[r0, c0] * (1.0 - fc) + padded[r0, c0 + 1] * fc
    bottom = padded[r0 + 1, c0] * (1.0 - fc) + padded[r0 + 1, c0 + 1] * fc
    return np.asarray(top * (1.0 - fr) + bottom * fr, dtype=np.float64)


def _farthest_mm(mask: Mask, centre: Point, spacing: tuple[float, float]) -> float:
    rows, cols = np.nonzero(mask)
    return float(np.hypot((rows - centre[0]) * spacing[0], (cols - centre[1]) * spacing[1]).max())


def _first_exit(inside: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """(ray,) where values first fall below one half; they end below it."""
    return _crossing(inside, reach, np.argmax(inside < 0.5, axis=1))


def _last_exit(inside: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """(ray,) where values fall below one half for the last time."""
    last = inside.shape[1] - 1 - np.argmax((inside >= 0.5)[:, ::-1], axis=1)
    return _crossing(inside, reach, np.minimum(last + 1, inside.shape[1] - 1))


def _crossing(inside: NDArray[np.float64], reach: NDArray[np.float64], below: NDArray[np.intp]) -> NDArray[np.float64]:
    """Where one half is crossed between the sample at `below` and the one before it."""
    before = np.maximum(below - 1, 0)
    rays = np.arange(inside.shape[0])
    high, low = inside[rays, before], inside[rays, below]
    share = np.clip((high - 0.5) / np.maximum(high - low, 1e-9), 0.0, 1.0)
    return np.asarray(reach[before] + share * (reach[below] - reach[before]), dtype=np.float64)


def _away_from_gaps(
    has_wall: NDArray[np.bool_], epi: NDArray[np.float64], spacing: tuple[float, float]
) -> NDArray[np.bool_]:
    """Rays of the wall that are a pixel and more from where it ends: its corners are rounded. All, where none is."""
    reach = int(np.ceil(max(spacing) / float(epi[has_wall].mean()) * RAYS / (2.0 * np.pi)))
    result = has_wall.copy()
    for step in range(1, reach + 1):
        result &= np.roll(has_wall, step) & np.roll(has_wall, -step)
    return result if result.any() else has_wall


def _smoothed(radii: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Radii smoothed around the circle by a Gaussian over those that are known; the others between their neighbours."""
    index = np.arange(radii.size)
    filled = np.interp(index, np.flatnonzero(known), radii[known], period=radii.size)
    distance = np.minimum(index, radii.size - index) * (360.0 / radii.size)
    weight = np.exp(-0.5 * (distance / _SMOOTH_DEG) ** 2)
    spectrum = np.fft.rfft(filled) * np.fft.rfft(weight / weight.sum())
    return np.asarray(np.fft.irfft(spectrum, radii.size), dtype=np.float64)


def _between(radii: NDArray[np.float64], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    places = np.asarray(angles) * (radii.size / (2.0 * np.pi))
    return np.asarray(np.interp(places, np.arange(radii.size), radii, period=radii.size), dtype=np.float64)


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
