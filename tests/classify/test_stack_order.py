import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from cmr_viewer.classify.stack_order import (
    INDEPENDENT_PHASES,
    LEAST_PROBABILITY,
    REGION_SHARES,
    Decoded,
    OrderWeights,
    decode,
    log_likelihoods,
)
from cmr_viewer.domain.anatomy import REGIONS, Region, reference_regions
from cmr_viewer.domain.study import FrameIndex

B, M, A, N = range(4)
WEIGHTS = OrderWeights(
    classifier=1.0,
    shares=0.0,
    heart_at_none=-2.0,
    heart_per_decade=1.0,
    base_at_none=-4.0,
    base_per_decade=1.5,
    heart_most=1.5,
    move=0.9,
    slack=3.0,
    nothing=4.0,
)
PLACE_IN_ORDER = {N: 0, B: 1, M: 2, A: 3}

Floats = NDArray[np.float64]


def likelihoods(rows: list[str], sure: float = 0.97) -> Floats:
    """(phase, slice, 4) log likelihoods of frames that look as the letters say."""
    other = (1.0 - sure) / 3.0
    values = [[[sure if "BMA.".index(c) == r else other for r in range(4)] for c in row] for row in rows]
    return np.log(np.array(values))


def words(regions: NDArray[np.int64]) -> list[str]:
    return ["".join("BMA."[r] for r in row) for row in regions]


def in_order(regions: list[int]) -> bool:
    """Whether the slices are non-cardiac, base, middle, apex, non-cardiac, each none or more."""
    heart = [index for index, r in enumerate(regions) if r != N]
    if not heart:
        return True
    inside = regions[heart[0] : heart[-1] + 1]
    places = [PLACE_IN_ORDER[r] for r in inside]
    return N not in inside and places == sorted(places)


frames = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 9), st.just(4)),
    elements=st.floats(-9.0, 0.0, allow_nan=False),
)


# ------------------------------------------------------------------------------------------ against all there is


def all_shapes(slices: int) -> Iterator[tuple[tuple[int, int] | None, tuple[int, ...], int]]:
    """(ends, regions, slices over) of all ways in which the regions of a phase can lie."""
    yield None, (N,) * slices, 0
    for first in range(slices):
        for last in range(first, slices):
            heart = [first <= s <= last for s in range(slices)]
            rule = reference_regions(heart)
            base, apex = rule.count(Region.BASE), rule.count(Region.APEX)
            for more_base, more_apex in itertools.product((-1, 0, 1), repeat=2):
                b, a = base + more_base, apex + more_apex
                m = last - first + 1 - b - a
                if min(b, a, m) >= 0:
                    inside = (B,) * b + (M,) * m + (A,) * a
                    regions = (N,) * first + inside + (N,) * (slices - 1 - last)
                    yield (first, last), regions, abs(more_base) + abs(more_apex)


def brute_force(evidence: Floats) -> tuple[float, list[str], Floats]:
    """Score and regions of the best path, and the probabilities, over every path there is."""
    phases, slices = evidence.shape[:2]
    scaled = evidence * min(1.0, INDEPENDENT_PHASES / phases)
    shapes = list(all_shapes(slices))
    best, best_path, total = -math.inf, [""], 0.0
    posterior = np.zeros((phases, slices, 4))
    for path in itertools.product(shapes, repeat=phases):
        score = 0.0
        for phase, (ends, regions, over) in enumerate(path):
            score += sum(float(scaled[phase, s, r]) for s, r in enumerate(regions)) - WEIGHTS.slack * over
            score -= WEIGHTS.nothing * min(1.0, INDEPENDENT_PHASES / phases) if ends is None else 0.0
            before = path[phase - 1][0] if phase else ends
            if ends is not None and before is not None:
                score -= WEIGHTS.move * (abs(ends[0] - before[0]) + abs(ends[1] - before[1]))
            elif ends != before:
                score -= WEIGHTS.nothing
        share = math.exp(score)
        total += share
        for phase, (_, regions, _) in enumerate(path):
            posterior[phase, range(slices), regions] += share
        if score > best:
            best, best_path = score, words(np.array([regions for _, regions, _ in path]))
    return best, best_path, posterior / total


@pytest.mark.parametrize(
    ("phases", "slices", "seed"), [(1, 1, 0), (1, 7, 1), (2, 1, 2), (2, 4, 3), (2, 5, 4), (3, 3, 5), (4, 2, 6)]
)
def test_path_and_probabilities_are_those_of_all_paths_tried_one_by_one(phases: int, slices: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(3):
        evidence = np.log(rng.dirichlet([0.6] * 4, (phases, slices)))
        _, path, posterior = brute_force(evidence)
        found = decode(evidence, weights=WEIGHTS)
        assert words(found.regions) == path
        np.testing.assert_allclose(found.posterior, posterior, atol=1e-9)


# ------------------------------------------------------------------------------------------ what always holds


@given(frames, st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_regions_of_every_phase_are_in_order(evidence: Floats, closed: bool) -> None:
    assert all(in_order(row) for row in decode(evidence, closed=closed).regions.tolist())


@given(frames, st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_probabilities_of_a_frame_add_up_to_one(evidence: Floats, closed: bool) -> None:
    posterior = decode(evidence, closed=closed).posterior
    assert posterior.shape == evidence.shape
    assert (posterior >= 0).all()
    np.testing.assert_allclose(posterior.sum(axis=2), 1.0, atol=1e-9)


@given(frames, st.data())
@settings(max_examples=60, deadline=None)
def test_what_a_reader_set_stays_and_all_else_is_in_order(evidence: Floats, data: st.DataObject) -> None:
    phases, slices = evidence.shape[:2]
    frame = st.builds(FrameIndex, st.integers(0, phases - 1), st.integers(0, slices - 1))
    pinned: Mapping[FrameIndex, Region] = data.draw(st.dictionaries(frame, st.sampled_from(REGIONS), max_size=6))
    found = decode(evidence, pinned=pinned)
    for at, region in pinned.items():
        assert REGIONS[found.regions[at]] is region
        assert found.posterior[at][REGIONS.index(region)] == 1.0
    for phase in range(phases):
        rest = [int(found.regions[phase, s]) for s in range(slices) if FrameIndex(phase, s) not in pinned]
        assert in_order(rest)


@pytest.mark.parametrize(
    "row",
    ["..BBMMMMMAA..", "BBMMMMMMAA", ".BMMMA", "BMMMA", "M", "MM", "..BMA.", "BBBMMMMMMMMMAAA", ".BMMMMMMAA.."],
)
def test_what_is_certain_and_in_order_stays_as_it_is(row: str) -> None:
    found = decode(likelihoods([row] * 3, sure=0.9999), weights=WEIGHTS)
    assert words(found.regions) == [row] * 3
    assert found.posterior.argmax(axis=2).tolist() == found.regions.tolist()


# ------------------------------------------------------------------------------------------ what it is for


def by_order(
    evidence: Floats,
    *,
    closed: bool = False,
    pinned: Mapping[FrameIndex, Region] | None = None,
    **changed: float,
) -> Decoded:
    """Decoded with the weights of these tests, not with those in use, which are fitted anew with each classifier."""
    return decode(evidence, closed=closed, pinned=pinned, weights=replace(WEIGHTS, **changed))


def test_an_apex_in_the_middle_of_the_heart_is_middle() -> None:
    assert words(by_order(likelihoods([".BBMMAMMMAA."] * 2)).regions) == [".BBMMMMMMAA."] * 2


def test_a_frame_without_a_heart_inside_the_heart_is_part_of_it() -> None:
    assert words(by_order(likelihoods(["BBMM.MMMAA"])).regions) == ["BBMMMMMMAA"]


def test_one_phase_in_a_cycle_that_differs_is_overruled_by_the_others() -> None:
    rows = [".BBMMMMMAA."] * 9
    odd = ["BBMMMMMMAA."]
    found = by_order(likelihoods(rows[:5] + odd + rows[5:], sure=0.8), closed=True, move=4.0)
    assert words(found.regions) == [".BBMMMMMAA."] * 10


def test_the_base_may_leave_the_first_slice_at_es_and_come_back() -> None:
    rows = ["BBMMMMMMAA.", "BBMMMMMMAA.", ".BBMMMMMAA.", ".BBMMMMMAA.", "BBMMMMMMAA."]
    assert words(by_order(likelihoods(rows, sure=0.999), closed=True).regions) == rows


def test_the_first_phase_of_a_cycle_is_seen_beside_the_last() -> None:
    evidence = likelihoods(["." * 6, "BMMMA.", "BMMMA.", "BMMMA.", ".BMMMA", ".BMMMA", ".BMMMA"], sure=0.99)
    evidence[0] = 0.0  # nothing is known of the first phase
    alone, closed = (by_order(evidence, closed=c, move=2.0).posterior[0, 0, N] for c in (False, True))
    assert closed > alone + 0.1


def test_a_stack_without_any_heart_is_non_cardiac_throughout() -> None:
    for phases in (1, 2, 30):
        assert words(by_order(likelihoods(["........"] * phases)).regions) == ["........"] * phases


def test_frames_without_evidence_follow_those_beside_them() -> None:
    evidence = likelihoods(["BBMMMMMMAA", "BBMMMMMMAA"], sure=0.999)
    evidence[1, 2:8] = 0.0
    assert words(by_order(evidence).regions) == ["BBMMMMMMAA"] * 2


def test_a_readers_region_leads_the_slices_beside_it() -> None:
    evidence = likelihoods(["BBMMMMMMAA"], sure=0.6)
    found = by_order(evidence, pinned={FrameIndex(0, 1): Region.NON_CARDIAC})
    assert words(found.regions[:, :2]) == [".."]
    assert words(found.regions[:, 2:3]) == ["B"]


def test_a_reader_against_all_order_is_obeyed_in_that_frame_alone() -> None:
    evidence = likelihoods(["BBMMMMMMAA"], sure=0.9999)
    pinned = {FrameIndex(0, 3): Region.APEX, FrameIndex(0, 5): Region.BASE, FrameIndex(0, 6): Region.MIDDLE}
    found = words(by_order(evidence, pinned=pinned).regions)[0]
    assert (found[3], found[5], found[6]) == ("A", "B", "M")
    assert found.startswith("B") and found.endswith("A")


def test_sixty_slices_of_fifty_phases_are_decoded() -> None:
    row = "." * 8 + "B" * 9 + "M" * 26 + "A" * 9 + "." * 8
    assert words(by_order(likelihoods([row] * 50), closed=True).regions) == [row] * 50


# ------------------------------------------------------------------------------------------ what a frame says


def test_a_frame_not_looked_at_has_no_evidence() -> None:
    assert log_likelihoods(np.full(4, np.nan), np.array(np.nan), WEIGHTS).tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("area_mm2", "base", "middle_and_apex"), [(0.0, -4.0, -2.0), (9.0, -2.5, -1.0), (999.0, 0.5, 1.0), (1e6, 1.5, 1.5)]
)
def test_a_drawn_heart_speaks_for_the_regions_of_the_heart_by_its_size(
    area_mm2: float, base: float, middle_and_apex: float
) -> None:
    found = log_likelihoods(np.full(4, 0.25), np.array(area_mm2), WEIGHTS)
    np.testing.assert_allclose(found[:N] - found[N], [base, middle_and_apex, middle_and_apex])


def test_probabilities_count_as_their_logarithms_and_zero_is_not_infinite() -> None:
    found = log_likelihoods(np.array([1.0, 0.0, 0.0, 0.0]), np.array(np.nan), WEIGHTS)
    np.testing.assert_allclose(found, np.log([1.0, LEAST_PROBABILITY, LEAST_PROBABILITY, LEAST_PROBABILITY]))


def test_shares_of_the_training_frames_are_taken_out() -> None:
    weights = replace(WEIGHTS, shares=1.0)
    found = log_likelihoods(np.array(REGION_SHARES), np.array(np.nan), weights)
    np.testing.assert_allclose(found, 0.0, atol=1e-12)


def test_a_cine_weighs_no_more_than_a_few_phases() -> None:
    """Ten equal phases give the ends as much certainty as three, not as much as ten."""
    still = replace(WEIGHTS, move=50.0, slack=4.0, nothing=6.0)
    few, many = (
        decode(likelihoods([".BMMMA."] * phases, sure=0.4), weights=still).posterior[0, 0, N] for phases in (3, 10)
    )
    assert many == pytest.approx(few, abs=1e-3)
