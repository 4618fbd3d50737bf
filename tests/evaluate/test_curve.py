import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.evaluate.curve import POINTS, Curve, curve_of, stack_curve
from tests.evaluate.made_runs import heart_scores, place, score


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
    nothing = (None,) * POINTS
    assert curve_of([], Label.LVM) == Curve(nothing, nothing, (0,) * POINTS, 0)
