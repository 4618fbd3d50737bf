import numpy as np
import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.promote.gains import Scores, p_value


def scores(patients: str, gains: list[float]) -> Scores:
    return Scores(tuple(patients), np.full(len(gains), 0.5), 0.5 + np.array(gains))


def test_the_gain_of_a_frame_is_clipped_before_it_is_averaged_over_its_patient() -> None:
    # a: (0.05 + 0.01) / 2, b: (-0.05 - 0.03 + 0.02) / 3
    made = scores("aabbb", [0.45, 0.01, -0.40, -0.03, 0.02]).clipped_gains(Role.BASE)
    np.testing.assert_allclose(made, [0.03, -0.02])


def test_a_classifier_is_clipped_in_a_patient_and_not_in_a_frame() -> None:
    # a: one frame of four newly right; b: two of four newly wrong, -0.5
    made = scores("aaaabbbb", [1, 0, 0, 0, -1, -1, 0, 0]).clipped_gains(Role.CLASSIFIER)
    np.testing.assert_allclose(made, [0.25, -0.25])
    np.testing.assert_allclose(scores("aaaaa", [1, 0, 0, 0, 0]).clipped_gains(Role.CLASSIFIER), [0.2])


def test_a_change_is_not_clipped_and_weighs_patients_alike() -> None:
    change = scores("aaab", [0.1, 0.1, 0.1, 0.3]).change()
    # means of the patients 0.1 and 0.3: SD 0.1414, standard error 0.1, t(0.975, 1) = 12.706
    assert (change.before, change.after) == pytest.approx((0.5, 0.7))
    assert (change.gain, change.low, change.high) == pytest.approx((0.2, 0.2 - 1.2706, 0.2 + 1.2706), abs=1e-4)
    assert (change.patients, change.frames) == (2, 4)


def test_a_single_patient_leaves_everything_possible() -> None:
    change = scores("aa", [0.1, 0.3]).change()
    assert (change.low, change.high) == (-1.0, 1.0)


def test_patients_in_any_order_are_put_together() -> None:
    np.testing.assert_allclose(scores("baba", [0.01, 0.03, 0.02, 0.05]).clipped_gains(Role.APEX), [0.04, 0.015])


def test_p_is_that_of_a_t_test_with_four_prior_patients() -> None:
    # gains 1 and 3 points twice: mean 2, variance 4/3; with four prior patients of SD 2: (4 * 4 + 3 * 4/3) / 7 = 2.857;
    # t = 2 / sqrt(2.857 / 4) = 2.366 with 3 degrees of freedom. Student's tail there is
    # 0.5 - (atan(x) + x / (1 + x^2)) / pi with x = t / sqrt(3) = 1.366: 0.0494
    x = 2 / np.sqrt(20 / 7 / 4) / np.sqrt(3)
    expected = 0.5 - (np.arctan(x) + x / (1 + x * x)) / np.pi
    assert p_value(np.array([0.01, 0.03, 0.01, 0.03]), 0.05) == pytest.approx(expected)
    assert expected == pytest.approx(0.0494, abs=1e-4)


def test_four_patients_that_agree_to_the_digit_are_no_proof_of_a_small_gain() -> None:
    # variance (4 * 0.02^2 + 0) / 7, t = 0.01 / sqrt(0.0016 / 7 / 4) = 1.32
    x = 0.01 / np.sqrt(0.0016 / 28) / np.sqrt(3)
    assert p_value(np.full(4, 0.01), 0.05) == pytest.approx(0.5 - (np.arctan(x) + x / (1 + x * x)) / np.pi)
    assert p_value(np.full(4, 0.01), 0.05) > 0.1


def test_p_of_a_loss_is_the_other_tail() -> None:
    gains = np.array([0.02, 0.01, -0.01, 0.03])
    assert p_value(gains, 0.05) + p_value(-gains, 0.05) == pytest.approx(1.0)


def test_one_patient_proves_nothing() -> None:
    assert p_value(np.array([0.05]), 0.05) == 1.0


def test_many_sites_are_tested_at_once() -> None:
    sites = np.array([[0.01, 0.03, 0.01, 0.03], [0.0, 0.0, 0.0, 0.0]])
    made = p_value(sites, 0.05)
    assert made[0] == p_value(sites[0], 0.05)
    assert made[1] == pytest.approx(0.5)
