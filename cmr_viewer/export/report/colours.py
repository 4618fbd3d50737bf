"""Colours of values on paper and on the screen: the same for the window, PDF and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from cmr_viewer.domain.anatomy import Label

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
