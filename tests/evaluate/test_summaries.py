import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.evaluate.summaries import (
    POINTS,
    DiceCurve,
    RegionSummary,
    Summary,
    counted,
    curve_of,
    select,
    stack_curve,
    summarise,
    summary_of,
)
from tests.evaluate.made_runs import A, B, M, heart_scores, place, score


def test_scores_are_gathered_by_label_and_region_where_the_reference_has_the_label() -> None:
    scores = [
        score(place(0, B), 0.8),
        score(place(1, B), 0.6),
        score(place(2, A), 0.5),
        score(place(0, B), 0.0, Label.LVM, reference=5, predicted=0),
        score(place(0, B), 0.0, Label.RVBP, reference=0, predicted=9),
        score(place(2, A), None, Label.RVBP, reference=0, predicted=0),
    ]

    def dice(label: Label, region: Region) -> Summary:
        return summary_of(select(scores, label=label, region=region)).dice

    assert dice(Label.LVBP, B) == Summary(pytest.approx(0.7), pytest.approx(np.sqrt(0.02)), 2)
    assert dice(Label.LVBP, A) == Summary(0.5, None, 1)
    assert dice(Label.LVM, B) == Summary(0.0, None, 1)
    assert dice(Label.RVBP, B) == dice(Label.RVBP, A) == Summary(None, None, 0)


def test_a_summary_counts_what_its_mean_leaves_out() -> None:
    frames = [
        score(place(0), 0.9, hd95_mm=2.0, assd_mm=1.0),
        score(place(1), 0.7, hd95_mm=4.0, assd_mm=2.0),
        score(place(2), 0.0, predicted=0),
        score(place(3), 0.0, reference=0),
        score(place(4), None, reference=0, predicted=0),
        score(place(5), None, reference=0, predicted=0),
    ]
    assert summary_of(frames) == RegionSummary(
        dice=Summary(pytest.approx(1.6 / 3), pytest.approx(np.std([0.9, 0.7, 0.0], ddof=1)), 3),
        dice_either=Summary(pytest.approx(0.4), pytest.approx(np.std([0.9, 0.7, 0.0, 0.0], ddof=1)), 4),
        hd95_mm=Summary(3.0, pytest.approx(np.sqrt(2)), 2),
        assd_mm=Summary(1.5, pytest.approx(np.sqrt(0.5)), 2),
        frames=6,
        missed=1,
        wrongly_marked=1,
        both_empty=2,
    )


def test_scores_are_chosen_by_label_region_and_phase() -> None:
    ed, es = place(0, B), place(0, M, phase=1, phase_name="ES")
    scores = [score(ed, 0.1), score(ed, 0.2, Label.LVM), score(es, 0.3), score(es, 0.4, Label.LVM)]
    assert [s.dice for s in select(scores)] == [0.1, 0.2, 0.3, 0.4]
    assert [s.dice for s in select(scores, label=Label.LVM)] == [0.2, 0.4]
    assert [s.dice for s in select(scores, region=M)] == [0.3, 0.4]
    assert [s.dice for s in select(scores, label=Label.LVBP, phase_name="ES")] == [0.3]


def test_only_frames_with_the_label_in_the_reference_count() -> None:
    scores = [score(place(0), 0.0, reference=1, predicted=0), score(place(1), 0.0, reference=0, predicted=1)]
    assert counted(scores) == scores[:1]


def test_mean_and_standard_deviation_of_the_sample() -> None:
    assert summarise([]) == Summary(None, None, 0)
    assert summarise([0.5]) == Summary(0.5, None, 1)
    assert summarise([0.2, 0.4, 0.6]) == Summary(pytest.approx(0.4), pytest.approx(0.2), 3)


def test_what_is_not_known_does_not_count() -> None:
    assert summarise([None, 1.0, None, 3.0]) == Summary(2.0, pytest.approx(2**0.5), 2)
    assert summarise([None]) == Summary(None, None, 0)


def test_dice_between_slices_lies_on_the_line_between_them() -> None:
    curve = stack_curve({2: 0.2, 3: 0.6, 4: 1.0}, 2, 4)
    assert curve.shape == (101,)
    assert curve[[0, 25, 50, 75, 100]] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_nothing_is_extrapolated_beyond_the_slices_of_the_label() -> None:
    # The heart has slices 0 to 10, the label 3 to 7.
    curve = stack_curve({3: 0.5, 5: 0.9, 7: 0.7}, 0, 10)
    assert np.flatnonzero(np.isfinite(curve)).tolist() == list(range(30, 71))
    assert curve[[30, 40, 50, 60, 70]] == pytest.approx([0.5, 0.7, 0.9, 0.8, 0.7])


def test_the_only_slice_of_a_heart_gives_all_points() -> None:
    assert stack_curve({4: 0.8}, 4, 4).tolist() == [0.8] * POINTS


def test_mean_and_sd_are_over_stacks() -> None:
    scores = [*heart_scores("p", [0.5] * 4), *heart_scores("q", [0.9] * 4), *heart_scores("q", [0.7] * 4, phase=1)]
    curve = curve_of(scores, Label.LVBP)
    assert curve.stacks == 3
    assert set(curve.n) == {3}
    assert curve.mean == pytest.approx((0.7,) * POINTS)
    assert curve.sd == pytest.approx((0.2,) * POINTS)


def test_the_axis_runs_over_the_slices_with_any_label() -> None:
    lv = [score(place(s), 0.9) for s in range(5)]
    rv = [score(place(s), 0.8, Label.RVBP) for s in (1, 2, 3)]
    missed = score(place(4), 0.0, Label.RVBP, reference=0, predicted=7)
    curve = curve_of([*lv, *rv, missed], Label.RVBP)
    assert curve.stacks == 1
    assert [at for at, n in enumerate(curve.n) if n] == list(range(25, 76))
    assert curve.mean[24] is None
    assert curve.mean[25] == pytest.approx(0.8)
    assert set(curve.sd) == {None}


def test_without_a_label_there_is_no_curve() -> None:
    nothing = [None] * POINTS
    assert curve_of([], Label.LVM) == DiceCurve(nothing, nothing, [0] * POINTS, 0)
