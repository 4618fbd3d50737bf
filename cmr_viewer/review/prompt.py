"""A reader's click, as data."""

from dataclasses import dataclass

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.review.edit import Point


@dataclass(frozen=True)
class Click:
    """A reader's click.

    Attributes:
        point: (row, col), centres of pixels are whole numbers.
        label: The structure.
        inside: Whether the point belongs to it.
    """

    point: Point
    label: Label
    inside: bool
