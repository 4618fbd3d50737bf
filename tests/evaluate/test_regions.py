from collections.abc import Sequence

import pytest

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.evaluate.regions import (
    Detection,
    FrameRegions,
    Share,
    accuracy,
    classification,
    confusion,
    detection,
    methods_of,
)
from tests.evaluate.made_runs import A, B, M, N, place, score


def frames(pairs: Sequence[tuple[Region, Region]], phase: int = 0) -> list[FrameRegions]:
    """Frames of one stack, (reference, predicted) base to apex."""
    return [
        FrameRegions(place(at, reference, phase=phase), {"predicted": found}, "m")
        for at, (reference, found) in enumerate(pairs)
    ]


def test_confusion_counts_reference_against_prediction() -> None:
    table = confusion([B, B, M, N], [B, M, M, B])
    assert table[B] == {B: 1, M: 1, A: 0, N: 0}
    assert table[M][M] == 1
    assert table[N][B] == 1
    assert accuracy(table) == 0.5


def test_accuracy_of_nothing_is_not_known() -> None:
    assert accuracy(confusion([], [])) is None


def test_precision_recall_and_f1_of_each_region() -> None:
    found = classification(frames([(N, B), (B, B), (B, M), (M, M), (M, M), (M, M), (A, M), (A, A)]))
    of = found.classes
    # Base: 1 of 2 predicted and 1 of 2 true. Middle: 3 of 5 and 3 of 3. Apex: 1 of 1 and 1 of 2. Non-cardiac: none.
    assert (of[B].precision, of[B].recall, of[B].f1, of[B].n) == (0.5, 0.5, 0.5, 2)
    assert (of[M].precision, of[M].recall, of[M].n) == (0.6, 1.0, 3)
    assert of[M].f1 == pytest.approx(2 * 0.6 / 1.6)
    assert (of[A].precision, of[A].recall) == (1.0, 0.5)
    assert of[A].f1 == pytest.approx(2 / 3)
    assert (of[N].precision, of[N].recall, of[N].f1, of[N].n) == (None, 0.0, 0.0, 1)
    assert found.accuracy == 5 / 8


def test_the_weighted_average_counts_each_region_by_its_frames() -> None:
    found = classification(frames([(N, B), (B, B), (B, M), (M, M), (M, M), (M, M), (A, M), (A, A)])).weighted
    assert found.n == 8
    assert found.precision == pytest.approx((2 * 0.5 + 3 * 0.6 + 2 * 1.0 + 1 * 0.0) / 8)
    assert found.recall == pytest.approx(5 / 8)  # always the accuracy
    assert found.f1 == pytest.approx((2 * 0.5 + 3 * 0.75 + 2 * (2 / 3)) / 8)


def test_within_one_slice_a_neighbours_region_is_right() -> None:
    # Slice 1 has the region of slice 2, slice 3 that of slice 2; slice 0 has a region two slices away.
    found = classification(frames([(N, M), (B, M), (M, M), (A, M)]))
    assert found.accuracy == 0.25
    assert found.accuracy_within_one_slice == 0.75


def test_slices_of_another_phase_are_no_neighbours() -> None:
    found = classification([*frames([(B, M)]), *frames([(M, M), (M, M)], phase=1)])
    assert found.accuracy_within_one_slice == pytest.approx(2 / 3)


def test_several_ways_of_finding_regions_are_scored_by_name() -> None:
    both = [FrameRegions(place(0, B), {"argmax": M, "predicted": B}, "m")]
    assert methods_of(both) == ["predicted", "argmax"]
    assert classification(both).accuracy == 1.0
    assert classification(both, "argmax").accuracy == 0.0


def test_without_frames_nothing_is_known() -> None:
    found = classification([])
    assert (found.accuracy, found.accuracy_within_one_slice, found.weighted.recall) == (None, None, None)
    assert found.as_json()["classes"]["base"] == {"precision": None, "recall": None, "f1": None, "n": 0}


def test_frames_above_the_base_and_below_the_apex_are_counted_apart() -> None:
    scores = [
        score(place(0, N), 0.0, reference=0, predicted=3),
        score(place(1, N), None, reference=0, predicted=0),
        score(place(2, B), 0.9),
        score(place(3, M), 0.0, predicted=0),
        score(place(4, A), 0.9),
        score(place(5, N), 0.0, reference=0, predicted=1),
    ]
    assert detection(scores) == Detection(
        above_base=Share(1, 2), below_apex=Share(1, 1), wrongly_marked=Share(2, 3), missed=Share(1, 3)
    )


def test_a_frame_is_missed_only_if_no_label_is_found_in_it() -> None:
    at = place(0, M)
    scores = [score(at, 0.0, Label.LVBP, predicted=0), score(at, 0.0, Label.RVBP, reference=0, predicted=4)]
    assert detection(scores).missed == Share(0, 1)


def test_any_label_marks_a_frame() -> None:
    scores = [
        score(place(0, N), None, Label.LVBP, reference=0, predicted=0),
        score(place(0, N), 0.0, Label.RVBP, reference=0, predicted=4),
        score(place(1, M), 0.9, Label.LVBP),
    ]
    assert detection(scores).above_base == Share(1, 1)


def test_each_phase_has_its_own_heart() -> None:
    scores = [
        score(place(0, M), 0.9),
        score(place(1, N), 0.0, reference=0),
        score(place(0, N, phase=1), 0.0, reference=0),
        score(place(1, M, phase=1), 0.9),
    ]
    found = detection(scores)
    assert (found.above_base, found.below_apex) == (Share(1, 1), Share(1, 1))


def test_shares_of_nothing_are_not_known() -> None:
    assert detection([]).as_json()["missed"] == {"count": 0, "of": 0, "share": None}
    assert Share(1, 4).as_json() == {"count": 1, "of": 4, "share": 0.25}
