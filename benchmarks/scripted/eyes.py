"""What a reader sees: where the outlines that are shown depart from those that are wanted. Points are (row, col)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask

ANGLES = 180
_STEP_PX = 0.25
_SOFT_PX = 0.6

Rays = NDArray[np.float64]
"""(angle,) something at `ANGLES` directions, clockwise from the direction of the columns."""


def enclosed(labels: LabelMap, label: Label) -> Mask:
    """What an outline encloses: the epicardium (LVM) encloses the blood pool too."""
    mask = np.asarray(labels == int(label))
    return np.asarray(mask | (labels == int(Label.LVBP))) if label is Label.LVM and mask.any() else mask


def middle_of(mask: Mask) -> tuple[float, float]:
    """(row, col) of the middle of a mask that is not empty."""
    rows, cols = np.nonzero(mask)
    return float(rows.mean()), float(cols.mean())


def directions() -> tuple[Rays, Rays]:
    """(row, col) of the unit vectors of the rays."""
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    return np.sin(angle), np.cos(angle)


def radii(mask: Mask, centre: tuple[float, float]) -> Rays:
    """How far the outline of a mask is from a centre, along each ray; where a ray leaves it for the last time."""
    if not mask.any():
        return np.zeros(ANGLES)
    soft = ndimage.gaussian_filter(mask.astype(np.float64), _SOFT_PX)
    far = float(np.hypot(*mask.shape))
    rows, cols = np.nonzero(mask)
    far = float(np.hypot(rows - centre[0], cols - centre[1]).max()) + 3.0
    along = np.arange(0.0, far, _STEP_PX)
    down, right = directions()
    at = [centre[0] + down[:, None] * along, centre[1] + right[:, None] * along]
    values = ndimage.map_coordinates(soft, at, order=1, mode="constant")
    inside = values >= 0.5
    last = inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    last = np.minimum(last, len(along) - 2)
    here, there = values[np.arange(ANGLES), last], values[np.arange(ANGLES), last + 1]
    part = np.clip((here - 0.5) / np.maximum(here - there, 1e-9), 0.0, 1.0)
    return np.where(inside.any(axis=1), along[last] + part * _STEP_PX, 0.0)


def on_ray(centre: tuple[float, float], number: int, radius: float) -> tuple[float, float]:
    """(row, col) on a ray."""
    down, right = directions()
    number %= ANGLES
    return float(centre[0] + radius * down[number]), float(centre[1] + radius * right[number])


@dataclass(frozen=True)
class Run:
    """A part of an outline that departs to one side.

    Attributes:
        first: First ray.
        count: How many rays.
        missing: Whether the outline lies inside the wanted one there.
        area_px: Wrong area, in pixels of the frame.
        depth_px: Farthest departure.
    """

    first: int
    count: int
    missing: bool
    area_px: float
    depth_px: float

    @property
    def rays(self) -> NDArray[np.int64]:
        """Its rays, in order."""
        return (self.first + np.arange(self.count)) % ANGLES


def runs(shown: Rays, wanted: Rays, least_px: float) -> list[Run]:
    """Where an outline departs by more than a distance, the largest area first."""
    departs = wanted - shown
    area = 0.5 * np.abs(wanted**2 - shown**2) * 2 * np.pi / ANGLES
    found = []
    for missing in (True, False):
        wrong = departs > least_px if missing else departs < -least_px
        if wrong.all():
            found.append(Run(0, ANGLES, missing, float(area.sum()), float(np.abs(departs).max())))
            continue
        starts = np.flatnonzero(wrong & ~np.roll(wrong, 1))
        for start in starts.tolist():
            count = 1
            while wrong[(start + count) % ANGLES]:
                count += 1
            rays = (start + np.arange(count)) % ANGLES
            found.append(Run(start, count, missing, float(area[rays].sum()), float(np.abs(departs[rays]).max())))
    return sorted(found, key=lambda run: -run.area_px)


def wrong_px(labels: LabelMap, expert: LabelMap, compared: frozenset[Label]) -> int:
    """Pixels on the wrong side of the outlines that are compared, an outline after the other."""
    return sum(int((enclosed(labels, each) != enclosed(expert, each)).sum()) for each in compared)
