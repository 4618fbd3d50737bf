"""Applies corrections: label map and `Correction` to label map."""

from collections.abc import Callable

from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.review import ring, shape
from cmr_viewer.review.contours import Spacing
from cmr_viewer.review.correction import Correction, Tool


def corrected(labels: LabelMap, wanted: Correction, spacing_mm: Spacing) -> LabelMap:
    """A label map with a correction made.

    Args:
        labels: (row, col) label map; not changed.
        wanted: What is to be done.
        spacing_mm: (row, col) pixel spacing.

    Returns:
        A new label map; the same as before where there is nothing to do.

    Raises:
        LabelMapError: A length is out of bounds.
    """
    return _DOES[wanted.tool](labels, wanted, spacing_mm)


_DOES: dict[Tool, Callable[[LabelMap, Correction, Spacing], LabelMap]] = {
    Tool.FILL_HOLES: lambda labels, wanted, _: shape.fill_holes(labels, wanted.label),
    Tool.SMOOTH: lambda labels, wanted, spacing: shape.smooth(labels, wanted.label, spacing),
    Tool.GROW: lambda labels, wanted, spacing: shape.grow(labels, wanted.label, wanted.by_mm, spacing),
    Tool.SHRINK: lambda labels, wanted, spacing: shape.grow(labels, wanted.label, -wanted.by_mm, spacing),
    Tool.NUDGE: lambda labels, wanted, _: shape.nudge(labels, wanted.label, wanted.rows, wanted.cols),
    Tool.KEEP_LARGEST: lambda labels, wanted, _: shape.keep_largest(labels, wanted.label),
    Tool.REMOVE: lambda labels, wanted, _: shape.remove(labels, wanted.label),
    Tool.RING: lambda labels, wanted, spacing: ring.ring_of_thickness(labels, wanted.by_mm, spacing),
    Tool.CLOSE_RING: lambda labels, _, spacing: ring.close_ring(labels, spacing),
    Tool.PAPILLARIES: lambda labels, _, __: ring.include_papillaries(labels),
}
