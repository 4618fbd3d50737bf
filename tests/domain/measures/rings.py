"""Rings of myocardium with known radii, and right ventricles of known angles beside them."""

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label

CENTRE = (63.3, 60.7)


def ring(
    epi_mm: float = 34.0,
    endo_mm: float = 25.0,
    *,
    spacing: tuple[float, float] = (1.2, 1.2),
    offset_mm: tuple[float, float] = (0.0, 0.0),
    rv_deg: tuple[float, float] | None = None,
    open_deg: tuple[float, float] | None = None,
    centre: tuple[float, float] = CENTRE,
    size: int = 128,
) -> NDArray[np.uint8]:
    """A label map.

    Args:
        epi_mm: Radius of the epicardium.
        endo_mm: Radius of the endocardium.
        spacing: (row, col) in mm.
        offset_mm: (down, right) of the middle of the epicardium from that of the endocardium.
        rv_deg: Between which angles the RV touches the epicardium, 15 mm deep; with the clock, from the right.
        open_deg: Between which angles there is no myocardium.
        centre: (row, col) of the middle of the endocardium.
        size: Rows and columns.
    """
    rows, cols = np.mgrid[:size, :size]
    y, x = (rows - centre[0]) * spacing[0], (cols - centre[1]) * spacing[1]
    radius, outer = np.hypot(y, x), np.hypot(y - offset_mm[0], x - offset_mm[1])
    angle = np.rad2deg(np.arctan2(y, x)) % 360.0
    labels = np.zeros((size, size), np.uint8)
    if rv_deg is not None:
        labels[(outer < epi_mm + 15.0) & (angle >= rv_deg[0]) & (angle <= rv_deg[1])] = Label.RVBP
    labels[outer < epi_mm] = Label.LVM
    if open_deg is not None:
        labels[(outer < epi_mm) & (angle >= open_deg[0]) & (angle <= open_deg[1])] = Label.BACKGROUND
    labels[radius < endo_mm] = Label.LVBP
    return labels
