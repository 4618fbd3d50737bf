"""Positions and colours of the segments of a bull's-eye: shared by the window, PDF and HTML.

The base is the outer ring, the apex the inner one; the anterior wall is at the top and the septum on the left, as seen
from the apex.

Source:
    M. D. Cerqueira, N. J. Weissman, V. Dilsizian, et al. "Standardized Myocardial Segmentation and Nomenclature for
    Tomographic Imaging of the Heart." Circulation 105:539-542, 2002.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cmr_viewer.domain.anatomy import Label

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


CIVIDIS = ("#00224e", "#2a3f6d", "#575d6d", "#7d7c78", "#a59c74", "#d2c060", "#fee838")
"""From low to high, read alike with and without colour blindness.

Source:
    J. R. Nunez, C. R. Anderton, R. S. Renslow. "Optimizing colormaps with consideration for color vision deficiency to
    enable accurate interpretation of scientific data." PLoS One 13(7):e0199239, 2018; seven of its 256 steps.
"""

STRUCTURE_INKS: dict[Label, str] = {Label.LVBP: "#d7263d", Label.LVM: "#1b8a4b", Label.RVBP: "#c98a00"}
"""Outlines and curves on white paper: the window's colours, dark enough to print."""


@dataclass(frozen=True)
class Scale:
    """Colours for the values of a range.

    Attributes:
        low: Value of the first colour.
        high: Value of the last colour, > low.
        unit: Unit of the values, such as "mm".
        stops: #rrggbb, evenly spaced from low to high.
    """

    low: float
    high: float
    unit: str
    stops: Sequence[str] = CIVIDIS

    def colour(self, value: float) -> str:
        """#rrggbb of a value; that of the nearer end where it is outside the range."""
        part = min(1.0, max(0.0, (value - self.low) / (self.high - self.low))) * (len(self.stops) - 1)
        index = min(int(part), len(self.stops) - 2)
        below, above = _parts(self.stops[index]), _parts(self.stops[index + 1])
        mixed = [round(a + (b - a) * (part - index)) for a, b in zip(below, above, strict=True)]
        return "#" + "".join(f"{one:02x}" for one in mixed)


THICKNESS = Scale(0.0, 16.0, "mm")
"""Thickness of the wall at end-diastole; a wall of 15 mm or more is hypertrophic (ESC 2014, section 3)."""

THICKENING = Scale(0.0, 100.0, "%")
"""Systolic thickening of the wall, relative to end-diastole."""


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour (WCAG 2.1 relative luminance)."""
    red, green, blue = (_linear(part / 255.0) for part in _parts(colour))
    return "#0b0d10" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.22 else "#ffffff"


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
