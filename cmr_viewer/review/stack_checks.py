"""Checks of a frame's label map against the other frames of its stack; only changed frames are checked again.

The thresholds are set so that experts' own label maps rarely fail: see docs/review.md for the rates, and
`benchmarks/check_rates.py`.

Source:
    Schulz-Menger et al. 2020, Standardized image interpretation and post-processing in cardiovascular magnetic
    resonance, J Cardiovasc Magn Reson 22:19 ("SCMR" below).
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.volumes import label_counts
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.checks import BASE_RING_FRACTION, Check, Finding, check_frame
from cmr_viewer.review.what_if import Counts

ES_OVER_ED = 0.02
"""A slice's LV blood pool may be larger at ES than at ED by this share of the largest at ED: tracing is not exact."""

SLICE_JUMP: Mapping[Label, float] = {Label.LVBP: 0.25, Label.LVM: 0.25, Label.RVBP: 0.35}
"""How far an area may lie from the median of its two neighbours in space, as a share of the largest of its phase."""

END_JUMP: Mapping[Label, float] = {Label.LVBP: 0.35, Label.LVM: 0.25, Label.RVBP: 0.45}
"""By how much the outermost area may be larger than its one neighbour, as a share of the largest of its phase."""

PHASE_JUMP: Mapping[Label, float] = {Label.LVBP: 0.20, Label.LVM: 0.20, Label.RVBP: 0.30}
"""How far an area may lie from the median of the two phases before and after, as a share of the slice's largest."""

LEAST_PIXELS = 30
"""Jumps of fewer pixels are let pass, however small the slice."""

LEAST_PHASES = 8
"""Jumps in time are looked for from so many phases on; with fewer, neighbouring phases may differ much."""

LOST_SHARE = 0.2
"""A slice has lost its LV blood pool where less than this share of what neighbouring phases show is left."""

MASS_LIMIT = 0.30
"""Myocardial volumes at ED and ES may differ by this share of their mean."""

STROKE_LIMIT = 0.60
"""Stroke volumes of LV and RV may differ by this share of the larger."""

_RANK = {Region.BASE: 0, Region.MIDDLE: 1, Region.APEX: 2}


class StackChecks:
    """The findings of a stack's frames; a frame that is put in anew is the only one whose pixels are looked at.

    Attributes:
        looked_at: Frames whose pixels were looked at so far, counting each time.
    """

    def __init__(self, phases: int, slices: int, ring_fraction: float = BASE_RING_FRACTION) -> None:
        """Begin with no frame segmented.

        Args:
            phases: Number of phases of the stack.
            slices: Number of slices.
            ring_fraction: As for `check_frame`.
        """
        self._counts: Counts = np.full((phases, slices, len(Label)), -1, dtype=np.int64)
        self._own: dict[FrameIndex, list[Finding]] = {}
        self._regions: dict[FrameIndex, Region] = {}
        self._ring_fraction = ring_fraction
        self.looked_at = 0

    @property
    def counts(self) -> Counts:
        """Pixels of each label in each frame."""
        return self._counts

    def put(self, frame: FrameIndex, labels: LabelMap | None, region: Region | None) -> None:
        """Take a frame as it is now.

        Args:
            frame: The frame.
            labels: (row, col) label map, or None where it is not segmented.
            region: Its region, or None where it is not known.
        """
        if region is None:
            self._regions.pop(frame, None)
        else:
            self._regions[frame] = region
        if labels is None:
            self._counts[frame] = -1
            self._own.pop(frame, None)
            return
        self._counts[frame] = label_counts(labels)
        self._own[frame] = check_frame(frame, labels, region, ring_fraction=self._ring_fraction)
        self.looked_at += 1

    def findings(self, ed_phase: int | None, es_phase: int | None) -> dict[FrameIndex, tuple[Finding, ...]]:
        """All findings by frame, those of the frame by itself first; frames without any are left out.

        Args:
            ed_phase: End-diastole, or None where it is not known.
            es_phase: End-systole likewise.
        """
        found: dict[FrameIndex, list[Finding]] = {frame: list(own) for frame, own in self._own.items()}
        for each in check_counts(self._counts, self._regions, ed_phase, es_phase):
            found.setdefault(each.frame, []).append(each)
        return {frame: tuple(each) for frame, each in sorted(found.items()) if each}


def check_counts(
    counts: Counts, regions: Mapping[FrameIndex, Region], ed_phase: int | None, es_phase: int | None
) -> list[Finding]:
    """What shows in the sizes and regions of the frames alone; takes a millisecond.

    Args:
        counts: Pixels of each label.
        regions: Regions of frames, as far as they are known.
        ed_phase: End-diastole, or None.
        es_phase: End-systole, or None.
    """
    lost = {one.frame: one for one in es_by_lost_pool(counts, es_phase)}
    return [
        *slice_jumps(counts),
        *[jump for jump in phase_jumps(counts) if jump.frame not in lost],
        *lost.values(),
        *region_order(regions, counts.shape[0], counts.shape[1]),
        *_between_ed_and_es(counts, ed_phase, es_phase),
    ]


def slice_jumps(counts: Counts) -> list[Finding]:
    """An area lies between those of its neighbours in space; the outermost is not much larger than its neighbour.

    Between the first and the last slice that hold a label, also a slice without it is a jump.

    Source:
        The heart tapers smoothly; thresholds by measurement on experts' label maps.
    """
    found: dict[FrameIndex, Finding] = {}
    for label in STRUCTURES:
        for phase, areas in enumerate(counts[:, :, label].astype(np.float64)):
            where = np.flatnonzero(areas > 0)
            if where.size < 3 or (areas[where[0] : where[-1] + 1] < 0).any():
                continue
            for s, over, usual in _jumps_along(areas[where[0] : where[-1] + 1], label):
                frame = FrameIndex(phase, int(where[0]) + s)
                _add_worst(found, _jump(frame, label, over, usual, "slices", Check.SLICE_JUMP))
    return list(found.values())


def _jumps_along(areas: NDArray[np.float64], label: Label) -> list[tuple[int, float, float]]:
    """Slices that jump, with by how much and from what; the worst first, and the others as if it were right.

    Args:
        areas: From the first to the last slice that holds the label, at least three.
        label: The label.
    """
    areas, largest, last = areas.copy(), float(areas.max()), len(areas) - 1
    inside, end = (max(limits[label] * largest, LEAST_PIXELS) for limits in (SLICE_JUMP, END_JUMP))
    jumps: list[tuple[int, float, float]] = []
    while len(jumps) <= last:
        usual = np.concatenate([areas[1:2], (areas[:-2] + areas[2:]) / 2.0, areas[-2:-1]])
        over = areas - usual
        past = np.abs(over) - inside
        past[[0, last]] = over[[0, last]] - end
        s = int(np.argmax(past))
        if past[s] <= 0:
            break
        jumps.append((s, float(over[s]), float(usual[s])))
        areas[s] = usual[s]
    return jumps


def phase_jumps(counts: Counts) -> list[Finding]:
    """An area lies near the median of the two phases before and the two after; the cycle closes.

    Source:
        The heart moves smoothly; the thresholds are far above the fastest ejection, and no set with experts' label maps
        at all phases was at hand to set them by.
    """
    phases = counts.shape[0]
    if phases < LEAST_PHASES:
        return []
    found: dict[FrameIndex, Finding] = {}
    for label in STRUCTURES:
        areas = counts[:, :, label].astype(np.float64)
        beside = np.stack([np.roll(areas, step, axis=0) for step in (-2, -1, 1, 2)])
        usual = np.median(beside, axis=0)
        over = areas - usual
        limit = np.maximum(areas.max(axis=0) * PHASE_JUMP[label], LEAST_PIXELS)
        known = (areas >= 0) & (beside >= 0).all(axis=0)
        for phase, s in np.argwhere(known & (np.abs(over) > limit)).tolist():
            jump = _jump(
                FrameIndex(phase, s), label, float(over[phase, s]), float(usual[phase, s]), "phases", Check.PHASE_JUMP
            )
            _add_worst(found, jump)
    return list(found.values())


def es_by_lost_pool(counts: Counts, es_phase: int | None) -> list[Finding]:
    """ES is not the smallest phase because a slice loses its LV blood pool there alone.

    A basal slice that leaves the heart does so for several phases around end-systole. One whose blood pool is gone, or
    next to gone, at ES and there at most of the two phases before and after makes that phase the smallest.

    Args:
        counts: Pixels of each label.
        es_phase: End-systole, or None.

    Returns:
        A finding for each slice without which another phase would be ES.

    Source:
        SCMR, section on LV volumes: ES is the phase of the smallest blood pool, which presumes that all slices are
        drawn by the same rule at all phases.
    """
    lv = counts[:, :, Label.LVBP].astype(np.float64)
    phases = lv.shape[0]
    if es_phase is None or phases < LEAST_PHASES or (counts[:, :, 0] < 0).any():
        return []
    whole = lv.sum(axis=1)
    smallest_else = float(np.delete(whole, es_phase).min())
    found = []
    for s in range(lv.shape[1]):
        beside = np.array([lv[(es_phase + step) % phases, s] for step in (-2, -1, 1, 2)])
        usual, here = float(np.median(beside)), float(lv[es_phase, s])
        if usual < LEAST_PIXELS or here > LOST_SHARE * usual or whole[es_phase] + usual - here <= smallest_else:
            continue
        other = int(np.argmin(np.where(np.arange(phases) == es_phase, np.inf, whole)))
        text = (
            f"This slice has no LV blood pool at phase {es_phase + 1} only, and that alone makes this phase ES. "
            f"Otherwise phase {other + 1} would have the smallest volume."
        )
        found.append(Finding(FrameIndex(es_phase, s), text, Check.ES_BY_LOST_POOL, pixels=round(usual - here)))
    return found


def region_order(regions: Mapping[FrameIndex, Region], phases: int, slices: int) -> list[Finding]:
    """From base to apex a stack shows base, middle and apex in this order, and nothing of the heart only outside them.

    Source:
        Mariscal-Harana et al. 2021, section 3: 20 % / 60 % / 20 % of the slices, base first.
    """
    found = []
    for phase in range(phases):
        row = {s: regions[FrameIndex(phase, s)] for s in range(slices) if FrameIndex(phase, s) in regions}
        heart = [s for s, region in row.items() if region is not Region.NON_CARDIAC]
        for before, s in pairwise(heart):
            if _RANK[row[s]] < _RANK[row[before]]:
                text = f"{row[s].text} is below {row[before].text.lower()} (slice {before + 1})."
                found.append(Finding(FrameIndex(phase, s), text, Check.REGION_ORDER))
        for s, region in row.items():
            if region is Region.NON_CARDIAC and heart and heart[0] < s < heart[-1]:
                text = "Non-cardiac, but slices above and below show the heart."
                found.append(Finding(FrameIndex(phase, s), text, Check.REGION_ORDER))
    return found


def _between_ed_and_es(counts: Counts, ed_phase: int | None, es_phase: int | None) -> list[Finding]:
    if ed_phase is None or es_phase is None or ed_phase == es_phase:
        return []
    ed, es = counts[ed_phase], counts[es_phase]
    both = (ed[:, 0] >= 0) & (es[:, 0] >= 0)
    found = _smaller_at_ed(ed, es, both, ed_phase, es_phase)
    if both.all():
        found += [*_mass(ed, es, ed_phase), *_stroke_volumes(ed, es, ed_phase)]
    return found


def _smaller_at_ed(ed: Counts, es: Counts, both: NDArray[np.bool_], ed_phase: int, es_phase: int) -> list[Finding]:
    """The LV blood pool is larger at ED than at ES, in each slice and in all.

    Source:
        SCMR, section on LV volumes: ED and ES are the phases of the largest and the smallest blood pool.
    """
    before, after = ed[:, Label.LVBP], es[:, Label.LVBP]
    room = ES_OVER_ED * float(before.max())
    found = []
    for s in np.flatnonzero(both & (after - before > room)).tolist():
        over = int(after[s] - before[s])
        text = f"The LV blood pool of this slice is {over} pixels larger at ES than at ED."
        found.append(Finding(FrameIndex(es_phase, s), text, Check.SMALLER_AT_ED, pixels=over))
    if both.all() and int(after.sum()) > int(before.sum()):
        s = int(np.argmax(after - before))
        text = "The LV blood pool of the whole stack is larger at ES than at ED. Check which phases are ED and ES."
        found.append(Finding(FrameIndex(ed_phase, s), text, Check.SMALLER_AT_ED))
    return found


def _mass(ed: Counts, es: Counts, ed_phase: int) -> list[Finding]:
    """Myocardium keeps its volume: LV mass is alike at ED and ES. The finding is at the slice that differs most.

    Source:
        Myocardium is nearly incompressible; SCMR, section on LV volumes, takes the mass at ED or ES alike. Experts'
        label maps of two public sets differ by 14 % in the median (docs/review.md), hence so wide a limit.
    """
    wall = ed[:, Label.LVM], es[:, Label.LVM]
    volumes = [float(each.sum()) for each in wall]
    mean = sum(volumes) / 2.0
    if min(volumes) == 0 or abs(volumes[1] - volumes[0]) <= MASS_LIMIT * mean:
        return []
    percent = 100.0 * (volumes[1] - volumes[0]) / volumes[0]
    difference = wall[1] - wall[0] if percent > 0 else wall[0] - wall[1]
    s = int(np.argmax(difference))
    more = "larger" if percent > 0 else "smaller"
    text = f"LV mass is {abs(percent):.0f} % {more} at ES than at ED, most of it in this slice."
    return [Finding(FrameIndex(ed_phase, s), text, Check.MASS, pixels=int(difference[s]))]


def _stroke_volumes(ed: Counts, es: Counts, ed_phase: int) -> list[Finding]:
    """Without shunt or regurgitation both ventricles eject alike. The finding is at the RV's basal slice.

    Source:
        SCMR, section on RV volumes: LV and RV stroke volumes are nearly equal without regurgitation or shunt, and serve
        to check one another. Experts' label maps of two public sets of patients differ by 18 % in the median.
    """
    strokes = [int(ed[:, label].sum() - es[:, label].sum()) for label in (Label.LVBP, Label.RVBP)]
    rv = np.flatnonzero(ed[:, Label.RVBP] > 0)
    if max(strokes) <= 0 or rv.size == 0 or abs(strokes[0] - strokes[1]) <= STROKE_LIMIT * max(strokes):
        return []
    larger = "LV" if strokes[0] > strokes[1] else "RV"
    percent = 100.0 * abs(strokes[0] - strokes[1]) / max(strokes)
    text = (
        f"The stroke volumes of LV and RV differ by {percent:.0f} %; that of the {larger} is larger. Check the RV at "
        "the base, unless there is regurgitation or a shunt."
    )
    return [Finding(FrameIndex(ed_phase, int(rv[0])), text, Check.STROKE_VOLUMES)]


def _jump(frame: FrameIndex, label: Label, over: float, usual: float, where: str, check: Check) -> Finding:
    more = "larger" if over > 0 else "smaller"
    size = f"{100.0 * abs(over) / usual:.0f} % {more}" if 0 < abs(over) <= 3 * usual else f"far {more}"
    text = f"{label.text} is {size} than in the neighbouring {where}."
    return Finding(frame, text, check, pixels=round(abs(over)))


def _add_worst(found: dict[FrameIndex, Finding], one: Finding) -> None:
    """Of several structures that jump in a frame, the finding is on the one by most pixels."""
    if one.frame not in found or found[one.frame].pixels < one.pixels:
        found[one.frame] = one
