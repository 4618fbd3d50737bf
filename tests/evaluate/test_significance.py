import math

import pytest

from cmr_viewer.evaluate.significance import dice_by_patient, paired, welch
from tests.evaluate.made_runs import place, score


def p_of_two_degrees(t: float) -> float:
    """Two-sided p of Student's t with two degrees of freedom, in closed form."""
    return 1.0 - abs(t) / math.sqrt(2.0 + t * t)


def test_welch_takes_each_variance_by_itself() -> None:
    # Means 3 and 6, variances 2.5 and 10, standard error sqrt(2.5/5 + 10/5) = sqrt(2.5).
    test = welch([1, 2, 3, 4, 5], [2, 4, 6, 8, 10])
    assert test.difference == pytest.approx(-3.0)
    assert test.t == pytest.approx(-3.0 / math.sqrt(2.5))
    assert test.df == pytest.approx(2.5**2 / (0.5**2 / 4 + 2.0**2 / 4))
    assert test.p == pytest.approx(0.1074, abs=2e-4)  # t table: 1.897 at 5.88 degrees of freedom
    assert (test.n_first, test.n_second) == (5, 5)
    assert not test.significant


def test_welch_of_equal_variances_and_sizes_has_the_degrees_of_student() -> None:
    # Two values each: means 1 and 5, variances 2: standard error sqrt(2), 2 degrees of freedom.
    test = welch([0, 2], [4, 6])
    assert test.df == pytest.approx(2.0)
    assert test.p == pytest.approx(p_of_two_degrees(-4 / math.sqrt(2)))


def test_the_paired_test_is_that_of_the_differences() -> None:
    # Differences 1, 2, 3: mean 2, SD 1, t = 2 sqrt(3); the critical t of 95 % and 2 degrees of freedom is 4.302653.
    test = paired([1.5, 4.0, 9.0], [0.5, 2.0, 6.0])
    assert test.difference == pytest.approx(2.0)
    assert test.t == pytest.approx(2 * math.sqrt(3))
    assert test.df == 2
    assert test.p == pytest.approx(p_of_two_degrees(2 * math.sqrt(3)))
    assert test.low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-5)
    assert test.high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-5)


def test_a_difference_is_marked_below_one_percent() -> None:
    # t = 99 and 7 with 2 degrees of freedom: p = 0.0001 and 0.0198.
    assert paired([0.99, 1.0, 1.01], [0.0, 0.0, 0.0]).significant
    assert not paired([0.0, 1.0, 1.0], [0.0, 0.0, 0.0]).significant


def test_what_does_not_vary_cannot_be_tested() -> None:
    for test in (paired([1, 2, 3], [1, 2, 3]), paired([2, 3], [1, 2]), paired([1], [0]), welch([1, 1], [2, 2])):
        assert (test.t, test.df, test.p, test.low, test.high) == (None,) * 5
        assert not test.significant
    assert paired([2, 3], [1, 2]).difference == 1.0
    assert welch([1, 1], [2, 2]).difference == -1.0
    assert welch([1], [2, 3]).p is None


def test_one_of_two_sets_may_be_constant() -> None:
    # Means 2 and 4, variances 0 and 2: standard error 1, with the one degree of freedom of the set that varies.
    test = welch([2, 2, 2], [3, 5])
    assert (test.t, test.df) == (pytest.approx(-2.0), pytest.approx(1.0))
    assert test.p == pytest.approx(1.0 - 2.0 / math.pi * math.atan(2.0))


def test_nothing_has_no_difference() -> None:
    assert welch([], [1.0]).difference is None
    assert paired([], []).difference is None
    assert paired([], []).as_json()["significant"] is False


def test_values_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="not pairs"):
        paired([1, 2], [1])


def test_a_patient_is_the_mean_of_its_frames() -> None:
    scores = [
        score(place(0, patient="p"), 0.5),
        score(place(1, patient="p"), 0.9),
        score(place(2, patient="p"), None, reference=0, predicted=0),
        score(place(0, patient="q"), 0.4),
    ]
    assert dice_by_patient(scores) == {"p": pytest.approx(0.7), "q": 0.4}
