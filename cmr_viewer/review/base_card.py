"""Facts for a decision about a basal frame: the ring of myocardium, and how far the base descends.

Source:
    Schulz-Menger et al. 2020, Standardized image interpretation and post-processing in cardiovascular magnetic
    resonance, J Cardiovasc Magn Reson 22:19, section on LV volumes: a basal slice counts as left ventricle where
    myocardium surrounds at least half of the blood pool, and the base moves towards the apex in systole, so that ED and
    ES may begin at different slices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.volumes import voxel_volume_ml
from cmr_viewer.domain.study import FrameIndex, LongAxisView, slice_line
from cmr_viewer.review.checks import BASE_RING_FRACTION, enclosed_fraction


@dataclass(frozen=True)
class BaseCard:
    """Facts about the base around a frame.

    Attributes:
        enclosed: Share of the border of the LV blood pool that touches myocardium, 0.0 to 1.0; None without one.
        rule: Least share at which the slice counts as left ventricle.
        ed_slices: Basal slices at ED.
        es_slices: Basal slices at ES.
        descent_mm: How much lower the most basal slice with the heart is at ES than at ED, to the nearest slice; None
            where ED, ES, their regions or the spacing are not known.
        lines: Long-axis views that the slice crosses, by their descriptions.
    """

    enclosed: float | None
    rule: float
    ed_slices: tuple[int, ...]
    es_slices: tuple[int, ...]
    descent_mm: float | None
    lines: tuple[str, ...] = ()

    @property
    def ring_text(self) -> str:
        """The result of the rule for the ring, in words."""
        if self.enclosed is None:
            return "No LV blood pool in this frame."
        verdict = "counts as left ventricle" if self.enclosed >= self.rule else "does not count as left ventricle"
        share, rule = int(100 * self.enclosed), round(100 * self.rule)
        return f"Myocardium surrounds {share} % of the LV blood pool: {verdict} (rule: at least {rule} %)."

    @property
    def descent_text(self) -> str:
        """How the base moves from ED to ES, in words; empty where it is not known."""
        if not self.ed_slices and not self.es_slices:
            return ""
        ed, es = (_slices(each) for each in (self.ed_slices, self.es_slices))
        return f"Base at ED: {ed}; at ES: {es}. {self._moved_text}".rstrip()

    @property
    def _moved_text(self) -> str:
        if self.descent_mm is None:
            return ""
        if self.descent_mm == 0:
            return "The base is in the same slice at both: it descends by less than one slice."
        if self.descent_mm < 0:
            return f"The base is {-self.descent_mm:.0f} mm higher at ES, which is not possible in a beating heart."
        return f"The base is {self.descent_mm:.0f} mm lower at ES."

    @property
    def lines_text(self) -> str:
        """Which long-axis views show the slice; empty for none."""
        if not self.lines:
            return ""
        return f"See its line on {', '.join(self.lines)} for the position of the mitral valve."


def base_card(
    frame: FrameIndex,
    labels: LabelMap | None,
    regions: Mapping[FrameIndex, Region],
    geometry: Geometry,
    *,
    ed_phase: int | None,
    es_phase: int | None,
    rule: float = BASE_RING_FRACTION,
    views: Sequence[LongAxisView] = (),
) -> BaseCard:
    """Collect the facts about the base for a frame.

    Args:
        frame: The frame.
        labels: Its (row, col) label map, or None.
        regions: Regions of frames, as far as they are known.
        geometry: Grid of the stack.
        ed_phase: End-diastole, or None where it is not known.
        es_phase: End-systole likewise.
        rule: Share of the blood pool that myocardium surrounds in a basal slice that counts as left ventricle.
        views: Long-axis views of the study.
    """
    lines = tuple(
        view.description or f"view {number}"
        for number, view in enumerate(views, start=1)
        if slice_line(view.geometry, geometry, frame.slice_index) is not None
    )
    first = [_first_slice(regions, phase, geometry.slices) for phase in (ed_phase, es_phase)]
    descent = None
    if first[0] is not None and first[1] is not None and voxel_volume_ml(geometry)[0] is not None:
        depth = np.concatenate([[0.0], np.cumsum(geometry.slice_gaps_mm)])
        descent = float(depth[first[1]] - depth[first[0]])
    return BaseCard(
        enclosed=None if labels is None else enclosed_fraction(labels),
        rule=rule,
        ed_slices=_base_slices(regions, ed_phase, geometry.slices),
        es_slices=_base_slices(regions, es_phase, geometry.slices),
        descent_mm=descent,
        lines=lines,
    )


def belongs_on(frame: FrameIndex, regions: Mapping[FrameIndex, Region]) -> bool:
    """Whether the card is of use at a frame: it is base, or a neighbouring slice of its phase is."""
    around = (FrameIndex(frame.phase, frame.slice_index + step) for step in (-1, 0, 1))
    return any(regions.get(each) is Region.BASE for each in around)


def _base_slices(regions: Mapping[FrameIndex, Region], phase: int | None, slices: int) -> tuple[int, ...]:
    if phase is None:
        return ()
    return tuple(s for s in range(slices) if regions.get(FrameIndex(phase, s)) is Region.BASE)


def _first_slice(regions: Mapping[FrameIndex, Region], phase: int | None, slices: int) -> int | None:
    """The most basal slice that shows the heart; None where a region is not known or none shows it."""
    if phase is None:
        return None
    row = [regions.get(FrameIndex(phase, s)) for s in range(slices)]
    if None in row:
        return None
    return next((s for s, region in enumerate(row) if region is not Region.NON_CARDIAC), None)


def _slices(slices: Sequence[int]) -> str:
    if not slices:
        return "none"
    numbers = ", ".join(str(s + 1) for s in slices)
    return f"slice {numbers}" if len(slices) == 1 else f"slices {numbers}"
