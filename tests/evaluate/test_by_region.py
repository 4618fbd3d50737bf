import numpy as np
import pytest

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label
from cmr_viewer.evaluate.by_region import RegionSummary, counted, dice_by_region, select, summary_of
from cmr_viewer.evaluate.summary import Summary
from tests.evaluate.made_runs import A, B, M, place, score


def test_scores_are_gathered_by_label_and_region_where_the_reference_has_the_label() -> None:
    table = dice_by_region(
        [
            score(place(0, B), 0.8),
            score(place(1, B), 0.6),
            score(place(2, A), 0.5),
            score(place(0, B), 0.0, Label.LVM, reference=5, predicted=0),
            score(place(0, B), 0.0, Label.RVBP, reference=0, predicted=9),
            score(place(2, A), None, Label.RVBP, reference=0, predicted=0),
        ]
    )
    assert set(table) == {(label, region) for label in STRUCTURES for region in REGIONS}
    assert table[Label.LVBP, B] == Summary(pytest.approx(0.7), pytest.approx(np.sqrt(0.02)), 2)
    assert table[Label.LVBP, A] == Summary(0.5, None, 1)
    assert table[Label.LVM, B] == Summary(0.0, None, 1)
    assert table[Label.RVBP, B] == Summary(None, None, 0)
    assert table[Label.RVBP, A] == Summary(None, None, 0)


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
