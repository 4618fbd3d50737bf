"""The positions of the segments of a bull's-eye: shared by the window, PDF and HTML.

The base is the outer ring, the apex the inner one; the anterior wall is at the top and the septum on the left, as seen
from the apex.

Source:
    M. D. Cerqueira, N. J. Weissman, V. Dilsizian, et al. "Standardized Myocardial Segmentation and Nomenclature for
    Tomographic Imaging of the Heart." Circulation 105:539-542, 2002.
"""

import math
from dataclasses import dataclass

_RINGS = ((1, 6, 1.0, 0.7), (7, 6, 0.7, 0.4), (13, 4, 0.4, 0.1))
"""First segment, how many, outer and inner radius."""

CENTRE_RADIUS = 0.1
"""Of the 17th segment, the apical cap, which short-axis slices do not show."""


@dataclass(frozen=True)
class Sector:
    """Where one segment is drawn, in a circle of radius 1.

    Attributes:
        segment: 1 to 16.
        outer: Radius.
        inner: Radius.
        start_degrees: Where it begins: 0 to the right, 90 at the top, counter-clockwise.
        sweep_degrees: How far it goes, counter-clockwise.
    """

    segment: int
    outer: float
    inner: float
    start_degrees: float
    sweep_degrees: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle as (right, up), in radii."""
        angle = math.radians(self.start_degrees + self.sweep_degrees / 2)
        radius = (self.outer + self.inner) / 2
        return radius * math.cos(angle), radius * math.sin(angle)


def _sectors() -> tuple[Sector, ...]:
    found = []
    for first, count, outer, inner in _RINGS:
        sweep = 360.0 / count
        for index in range(count):
            # The first of a ring is anterior: its middle is at the top. The others follow counter-clockwise.
            found.append(Sector(first + index, outer, inner, 90.0 - sweep / 2 + index * sweep, sweep))
    return tuple(found)


SECTORS = _sectors()
"""Segments 1 to 16, in order."""


def segment_at(right: float, up: float) -> int | None:
    """The segment under a point; None in the centre and outside.

    Args:
        right: From the middle to the right, in radii.
        up: From the middle upwards, in radii.
    """
    radius = math.hypot(right, up)
    angle = math.degrees(math.atan2(up, right))
    for sector in SECTORS:
        if sector.inner <= radius < sector.outer and (angle - sector.start_degrees) % 360.0 < sector.sweep_degrees:
            return sector.segment
    return None
