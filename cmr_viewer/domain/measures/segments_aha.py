"""The segments of the left ventricle of the American Heart Association.

Source:
    M. D. Cerqueira et al., Standardized myocardial segmentation and nomenclature for tomographic imaging of the heart,
    Circulation 105:539-542, 2002: six segments in basal and mid-cavity slices, four in apical ones, and the apical cap,
    which short-axis slices do not show; the attachment of the RV parts the septum from the free walls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.label_map import LabelMap, Point
from cmr_viewer.domain.measures.insertion_points import InsertionPoints
from cmr_viewer.domain.measures.wall import angle_of, wall_thickness

SEGMENT_NAMES: Mapping[int, str] = {
    1: "basal anterior",
    2: "basal anteroseptal",
    3: "basal inferoseptal",
    4: "basal inferior",
    5: "basal inferolateral",
    6: "basal anterolateral",
    7: "mid anterior",
    8: "mid anteroseptal",
    9: "mid inferoseptal",
    10: "mid inferior",
    11: "mid inferolateral",
    12: "mid anterolateral",
    13: "apical anterior",
    14: "apical septal",
    15: "apical inferior",
    16: "apical lateral",
    17: "apex",
}
"""By number."""

APICAL_CAP = 17
NO_CAP_REASON = "Short-axis slices do not show the apical cap, which has no cavity. It needs a long-axis image."

_ORDER: Mapping[Region, tuple[int, ...]] = {
    Region.BASE: (2, 3, 4, 5, 6, 1),
    Region.MIDDLE: (8, 9, 10, 11, 12, 7),
    Region.APEX: (14, 15, 16, 13),
}
"""By region: segments from the anterior insertion across the septum and around."""

_TURN = 2.0 * np.pi


class SegmentRule(StrEnum):
    """How the circle is divided in basal and mid slices; apical slices always have four equal quarters.

    INSERTIONS: the septum reaches from insertion to insertion and is halved; the rest is divided into four.
    EQUAL: 60 degrees each, from the anterior insertion on.
    """

    INSERTIONS = "insertions"
    EQUAL = "equal"


def _division(
    points: InsertionPoints, centre: Point, region: Region, spacing: tuple[float, float], rule: SegmentRule
) -> tuple[float, NDArray[np.float64], bool]:
    """Where the first segment begins, the width of each, and whether angles run against the clock; in radians."""
    against = points.from_apex
    anterior, inferior = (angle_of(p, centre, spacing) for p in (points.anterior, points.inferior))
    if against:
        anterior, inferior = -anterior, -inferior
    septum = (inferior - anterior) % _TURN
    if region is Region.APEX:
        return anterior + septum / 2.0 - _TURN / 8.0, np.full(4, _TURN / 4.0), against
    if rule is SegmentRule.EQUAL:
        return anterior, np.full(6, _TURN / 6.0), against
    free = (_TURN - septum) / 4.0
    return anterior, np.array([septum / 2.0] * 2 + [free] * 4), against


def segments_at(
    angles: NDArray[np.float64],
    points: InsertionPoints,
    centre: Point,
    region: Region,
    pixel_spacing_mm: tuple[float, float],
    rule: SegmentRule = SegmentRule.INSERTIONS,
) -> NDArray[np.uint8]:
    """Segment number at each angle; 0 for NON_CARDIAC. Every angle belongs to exactly one segment.

    Args:
        angles: Any shape; as `LvOutline`'s.
        points: Insertion points of the slice.
        centre: (row, col) of the LV.
        region: Region of the slice.
        pixel_spacing_mm: (row, col).
        rule: How the circle is divided.
    """
    numbers = _ORDER.get(region, ())
    if not numbers:
        return np.zeros(angles.shape, dtype=np.uint8)
    start, widths, against = _division(points, centre, region, pixel_spacing_mm, rule)
    along = ((-angles if against else angles) - start) % _TURN
    place = np.searchsorted(np.cumsum(widths)[:-1], along, side="right")
    return np.asarray(numbers, dtype=np.uint8)[place]


@dataclass(frozen=True)
class SegmentThickness:
    """Wall thickness of one segment; None where it cannot be known, with the reason.

    Attributes:
        number: 1 to 17.
        ed_mean_mm: Mean over the chords of all slices of the segment at ED.
        ed_max_mm: The longest of them.
        es_mean_mm: Mean at ES.
        es_max_mm: The longest of them.
        thickening_percent: (ES mean - ED mean) / ED mean.
        reason: Why something is None; empty where nothing is.
        slices: Slices that it was measured on at ED.
    """

    number: int
    ed_mean_mm: float | None = None
    ed_max_mm: float | None = None
    es_mean_mm: float | None = None
    es_max_mm: float | None = None
    thickening_percent: float | None = None
    reason: str = ""
    slices: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The segment's name."""
        return SEGMENT_NAMES[self.number]


@dataclass(frozen=True, eq=False)
class PhaseSegments:
    """What one phase gives for the segments.

    Attributes:
        labels: (slice, row, col) label maps of the phase.
        regions: Per slice: region at the phase.
        points: By slice: insertion points at the phase.
    """

    labels: LabelMap
    regions: Sequence[Region]
    points: Mapping[int, InsertionPoints]


def segment_thicknesses(
    ed: PhaseSegments,
    es: PhaseSegments | None,
    pixel_spacing_mm: tuple[float, float],
    rule: SegmentRule = SegmentRule.INSERTIONS,
) -> tuple[SegmentThickness, ...]:
    """Wall thickness of all 17 segments at ED, and how much they thicken by ES.

    Each phase is measured on its own slices and regions, since the heart moves through the slices.

    Args:
        ed: End-diastole.
        es: End-systole, or None where it is not known.
        pixel_spacing_mm: (row, col), > 0.
        rule: How the circle is divided.

    Returns:
        Segments 1 to 17 in order.
    """
    at_ed = _chords_by_segment(ed, pixel_spacing_mm, rule)
    at_es = {} if es is None else _chords_by_segment(es, pixel_spacing_mm, rule)
    return tuple(_segment(n, at_ed.get(n), at_es.get(n)) for n in SEGMENT_NAMES)


_Chords = tuple[NDArray[np.float64], tuple[int, ...]]
"""Lengths of the chords of a segment, and the slices that they are of."""


def _chords_by_segment(phase: PhaseSegments, spacing: tuple[float, float], rule: SegmentRule) -> dict[int, _Chords]:
    found: dict[int, list[tuple[NDArray[np.float64], int]]] = {}
    for index, region in enumerate(phase.regions):
        points = phase.points.get(index)
        wall = wall_thickness(phase.labels[index], spacing) if points is not None else None
        if points is None or wall is None:
            continue
        numbers = segments_at(wall.angles, points, wall.outline.centre, region, spacing, rule)
        for number in np.unique(numbers[numbers > 0]):
            lengths = wall.thickness_mm[numbers == number]
            if np.isfinite(lengths).any():
                found.setdefault(int(number), []).append((lengths[np.isfinite(lengths)], index))
    return {n: (np.concatenate([c for c, _ in parts]), tuple(i for _, i in parts)) for n, parts in found.items()}


def _segment(number: int, ed: _Chords | None, es: _Chords | None) -> SegmentThickness:
    if number == APICAL_CAP:
        return SegmentThickness(number, reason=NO_CAP_REASON)
    ed_mean, ed_max = (None, None) if ed is None else (float(ed[0].mean()), float(ed[0].max()))
    es_mean, es_max = (None, None) if es is None else (float(es[0].mean()), float(es[0].max()))
    missing = [phase for phase, mean in (("end-diastole", ed_mean), ("end-systole", es_mean)) if mean is None]
    thickening = None
    if ed_mean is not None and es_mean is not None and ed_mean > 0:
        thickening = 100.0 * (es_mean - ed_mean) / ed_mean
    return SegmentThickness(
        number,
        ed_mean,
        ed_max,
        es_mean,
        es_max,
        thickening,
        f"No slice has this segment at {' and '.join(missing)}." if missing else "",
        () if ed is None else ed[1],
    )
