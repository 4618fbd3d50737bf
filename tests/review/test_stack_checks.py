import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.checks import Check
from cmr_viewer.review.stack_checks import (
    StackChecks,
    check_counts,
    es_by_lost_pool,
    phase_jumps,
    region_order,
    slice_jumps,
)

SLICES = 7
TAPER = np.array([900, 880, 840, 760, 640, 480, 260])
BASE, MIDDLE, APEX, NONE = Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC


def heart(phases: int = 2, shrink: float = 0.5) -> np.ndarray:
    """A heart that tapers towards the apex; its blood pools shrink towards the last phase, its wall stays."""
    counts = np.zeros((phases, SLICES, 4), np.int64)
    for phase in range(phases):
        part = 1.0 - shrink * phase / max(1, phases - 1)
        counts[phase, :, Label.LVBP] = (TAPER * part).astype(int)
        counts[phase, :, Label.LVM] = TAPER // 2
        counts[phase, :, Label.RVBP] = (TAPER * part).astype(int)
        counts[phase, :, Label.BACKGROUND] = 5000
    return counts


def found(counts: np.ndarray, ed: int | None = 0, es: int | None = 1) -> list[tuple[Check, FrameIndex]]:
    return [(one.check, one.frame) for one in check_counts(counts, {}, ed, es)]


def test_a_heart_that_tapers_and_ejects_has_no_findings() -> None:
    assert found(heart()) == []


def test_a_slice_that_is_left_out_between_others_is_a_jump_of_its_neighbours_area() -> None:
    counts = heart()
    counts[0, 3, Label.LVBP] = 0
    (finding,) = slice_jumps(counts)
    assert (finding.check, finding.frame) == (Check.SLICE_JUMP, FrameIndex(0, 3))
    assert finding.pixels == (840 + 640) / 2
    assert finding.text == "LV blood pool is 100 % smaller than in the neighbouring slices."


def test_the_outermost_slice_may_be_smaller_than_its_neighbour_but_not_much_larger() -> None:
    counts = heart()
    counts[0, 6, Label.LVM] = 20
    assert slice_jumps(counts) == []
    counts[0, 0, Label.RVBP] = 900 + 800  # 45 % of 1700 are 765 pixels
    assert [(one.frame, one.pixels) for one in slice_jumps(counts)] == [(FrameIndex(0, 0), 1700 - 880)]


def test_slices_that_are_not_segmented_are_not_compared() -> None:
    counts = heart()
    counts[0, 3] = -1
    assert slice_jumps(counts) == []


def test_the_worst_structure_of_a_frame_is_reported() -> None:
    counts = heart()
    counts[1, 2, Label.LVM] = counts[1, 2, Label.LVBP] = 0
    (finding,) = slice_jumps(counts)
    assert finding.text.startswith("LV blood pool is")  # 410 pixels; of myocardium 410 of twice as many


def test_one_phase_that_differs_is_reported_and_the_cycle_closes() -> None:
    counts = heart(phases=10, shrink=0.0)
    counts[0, 2, Label.LVBP] += 300
    (finding,) = phase_jumps(counts)
    assert (finding.check, finding.frame, finding.pixels) == (Check.PHASE_JUMP, FrameIndex(0, 2), 300)
    assert finding.text == "LV blood pool is 36 % larger than in the neighbouring phases."


def test_ed_and_es_alone_are_no_neighbours_in_time() -> None:
    assert phase_jumps(heart(phases=2, shrink=0.9)) == []


def test_a_slice_that_is_larger_at_es_is_reported_there() -> None:
    counts = heart()
    counts[1, 6, Label.LVBP] = 260 + 19  # 2 % of 900 are 18 pixels
    (finding,) = check_counts(counts, {}, 0, 1)
    assert (finding.check, finding.frame, finding.pixels) == (Check.SMALLER_AT_ED, FrameIndex(1, 6), 19)
    counts[1, 6, Label.LVBP] = 260 + 18
    assert found(counts) == []


def test_a_stack_that_is_larger_at_es_has_its_phases_checked() -> None:
    texts = [one.text for one in check_counts(heart()[::-1], {}, 0, 1)]
    assert "The LV blood pool of the whole stack is larger at ES than at ED. Check which phases are ED and ES." in texts


def test_mass_that_differs_by_more_than_the_limit_is_reported_at_the_slice_that_differs_most() -> None:
    counts = heart()
    counts[1, :, Label.LVM] = counts[0, :, Label.LVM] * 13 // 10
    assert found(counts) == []
    counts[1, :, Label.LVM] = counts[0, :, Label.LVM] * 15 // 10
    (finding,) = check_counts(counts, {}, 0, 1)
    assert (finding.check, finding.frame, finding.pixels) == (Check.MASS, FrameIndex(0, 0), 225)
    assert finding.text == "LV mass is 50 % larger at ES than at ED, most of it in this slice."


def test_stroke_volumes_that_disagree_are_reported_at_the_rv_s_basal_slice() -> None:
    counts = heart()
    counts[:, 0, Label.RVBP] = 0
    counts[1, 1:, Label.RVBP] = counts[0, 1:, Label.RVBP] * 9 // 10
    findings = [one for one in check_counts(counts, {}, 0, 1) if one.check is Check.STROKE_VOLUMES]
    assert [one.frame for one in findings] == [FrameIndex(0, 1)]
    assert "differ by 84 %; that of the LV is larger" in findings[0].text  # 2383 pixels and 388


@pytest.mark.parametrize(("ed", "es"), [(None, 1), (0, None), (0, 0)])
def test_without_ed_and_es_they_are_not_checked(ed: int | None, es: int | None) -> None:
    assert found(heart()[::-1], ed, es) == []


def test_regions_out_of_order_and_gaps_are_reported() -> None:
    row = [NONE, BASE, APEX, MIDDLE, NONE, APEX, NONE]
    findings = region_order({FrameIndex(0, s): region for s, region in enumerate(row)}, 1, SLICES)
    assert [(one.frame.slice_index, one.text) for one in findings] == [
        (3, "Middle is below apex (slice 3)."),
        (4, "Non-cardiac, but slices above and below show the heart."),
    ]


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_regions_in_order_are_never_reported(above: int, base: int, middle: int, apex: int, below: int) -> None:
    row = [NONE] * above + [BASE] * base + [MIDDLE] * middle + [APEX] * apex + [NONE] * below
    assert region_order({FrameIndex(0, s): region for s, region in enumerate(row)}, 1, len(row)) == []


def ring() -> np.ndarray:
    labels = np.zeros((12, 12), np.uint8)
    labels[2:8, 2:8] = Label.LVM
    labels[3:7, 3:7] = Label.LVBP
    labels[3:7, 9:11] = Label.RVBP
    return labels


def test_only_frames_that_are_put_in_anew_are_looked_at_again() -> None:
    checks = StackChecks(2, 3)
    for phase in range(2):
        for s in range(3):
            checks.put(FrameIndex(phase, s), ring(), MIDDLE)
    assert checks.findings(0, 1) == {}
    assert checks.looked_at == 6
    open_ring = ring()
    open_ring[3:7, 7] = 0
    checks.put(FrameIndex(1, 1), open_ring, MIDDLE)
    assert checks.looked_at == 7
    assert {f: [one.check for one in each] for f, each in checks.findings(0, 1).items()} == {
        FrameIndex(1, 1): [Check.OPEN_RING]
    }
    checks.put(FrameIndex(1, 1), None, MIDDLE)
    assert checks.findings(0, 1) == {}
    assert checks.counts[1, 1].tolist() == [-1, -1, -1, -1]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.booleans(), st.booleans()), max_size=12))
def test_what_is_found_does_not_depend_on_the_way_there(steps: list[tuple[int, int, bool, bool]]) -> None:
    whole, gap = ring(), ring()
    gap[3:7, 7] = 0
    last: dict[FrameIndex, tuple[np.ndarray | None, Region]] = {}
    stepwise = StackChecks(2, 3)
    for phase, s, is_open, is_there in steps:
        state = ((gap if is_open else whole) if is_there else None, MIDDLE)
        last[FrameIndex(phase, s)] = state
        stepwise.put(FrameIndex(phase, s), *state)
    at_once = StackChecks(2, 3)
    for frame, state in last.items():
        at_once.put(frame, *state)
    assert stepwise.findings(0, 1) == at_once.findings(0, 1)


def test_the_project_s_rule_for_the_base_is_used() -> None:
    half = ring()
    half[3:8, 7] = half[7, 3:8] = 0
    for rule, is_note in ((0.5, True), (0.6, False)):
        checks = StackChecks(1, 1, rule)
        checks.put(FrameIndex(0, 0), half, BASE)
        (finding,) = checks.findings(None, None)[FrameIndex(0, 0)]
        assert (finding.check, finding.is_note) == (Check.BASE_RING, is_note)
        assert f"(at least {100 * rule:.0f} %)" in finding.text


def beating(lost_at: int | None) -> np.ndarray:
    """(phase, slice, 4): ten phases, the smallest of them 5; the basal slice may lose its blood pool at one."""
    volumes = 300.0 + 200.0 * np.cos(2 * np.pi * np.arange(10) / 10)
    counts = np.zeros((10, 4, 4), np.int64)
    counts[:, :, Label.LVBP] = (volumes[:, None] * [1.5, 1.0, 1.0, 1.0]).astype(np.int64)
    if lost_at is not None:
        counts[lost_at, 0, Label.LVBP] = 0
    return counts


def test_a_basal_slice_that_loses_its_blood_pool_and_so_makes_a_phase_es_is_reported_first():
    counts = beating(6)
    assert counts[:, :, Label.LVBP].sum(axis=1).argmin() == 6
    (finding,) = [one for one in check_counts(counts, {}, 0, 6) if one.frame == FrameIndex(6, 0) and one.goes_first]
    assert finding.check is Check.ES_BY_LOST_POOL and "phase 6 would have the smallest" in finding.text
    assert not [one for one in check_counts(counts, {}, 0, 6) if one.check is Check.PHASE_JUMP and one.frame.phase == 6]


def test_a_slice_that_leaves_the_heart_for_several_phases_or_at_the_true_es_is_no_lost_pool():
    assert es_by_lost_pool(beating(None), 5) == []
    assert es_by_lost_pool(beating(5), 5) == []  # phase 6 is the smallest with that slice too
    gone = beating(None)
    gone[3:8, 0, Label.LVBP] = 0
    assert es_by_lost_pool(gone, 5) == []
