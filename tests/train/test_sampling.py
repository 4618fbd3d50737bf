import numpy as np
import pytest
from numpy.testing import assert_allclose

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.errors import TrainingError
from cmr_viewer.train.sampling import end_weights, specialist_weights, with_non_cardiac, with_shares

B, M, A, N = Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC


def test_without_a_focus_all_samples_are_alike() -> None:
    assert_allclose(specialist_weights([B, M, M, N], None), [0.25] * 4)


def test_the_focus_has_its_share_and_all_others_the_rest() -> None:
    # 0.8 over two of the base; 0.2 over four others
    weights = specialist_weights([B, M, A, N, B, M], B, 0.8)
    assert_allclose(weights, [0.4, 0.05, 0.05, 0.05, 0.4, 0.05])


def test_a_full_share_draws_the_focus_alone() -> None:
    assert_allclose(specialist_weights([B, M, B, N], B, 1.0), [0.5, 0.0, 0.5, 0.0])


def test_where_there_is_nothing_else_the_focus_has_all() -> None:
    assert_allclose(specialist_weights([A, A], A, 0.8), [0.5, 0.5])


def test_no_samples_of_the_region_are_told() -> None:
    with pytest.raises(TrainingError, match="apex"):
        specialist_weights([B, M], A)


def test_no_samples_at_all_are_told() -> None:
    with pytest.raises(TrainingError, match="no samples"):
        specialist_weights([], None)


def test_the_ends_of_the_heart_are_drawn_oftener_by_the_ratio() -> None:
    # 1 + 3 (2x - 1)^2 at 0, 1/4, 1/2, 1: 4, 1.75, 1, 4
    weights = end_weights([0.0, 0.25, 0.5, 1.0], 4.0)
    assert_allclose(weights, [4 / 10.75, 1.75 / 10.75, 1 / 10.75, 4 / 10.75])
    high = end_weights([0.0, 0.5, 1.0], 20.0)
    assert_allclose(high / high[1], [20.0, 1.0, 20.0])


def test_non_cardiac_frames_keep_their_chance() -> None:
    weights = end_weights([None, 0.0, 0.5, 1.0, None], 20.0)
    assert_allclose(weights[[0, 4]], [0.2, 0.2])
    assert_allclose(weights[1:4].sum(), 0.6)


def test_a_ratio_of_one_draws_all_alike() -> None:
    assert_allclose(end_weights([None, 0.0, 0.3, 1.0], 1.0), [0.25] * 4)


def test_only_non_cardiac_frames_are_drawn_alike() -> None:
    assert_allclose(end_weights([None, None], 4.0), [0.5, 0.5])


def test_a_ratio_below_one_and_no_samples_are_told() -> None:
    with pytest.raises(TrainingError, match="ratio"):
        end_weights([0.5], 0.5)
    with pytest.raises(TrainingError, match="no samples"):
        end_weights([], 4.0)


def test_a_named_set_has_its_share_and_the_others_the_rest_as_before() -> None:
    weights = np.array([0.1, 0.3, 0.4, 0.2])
    assert_allclose(with_shares(weights, ["a", "a", "b", "c"], {"a": 0.1}), [0.025, 0.075, 0.6, 0.3])
    assert_allclose(with_shares(weights, ["a", "a", "b", "c"], {"a": 0.5, "c": 0.5}), [0.125, 0.375, 0.0, 0.5])


def test_a_share_for_a_set_without_samples_is_told() -> None:
    with pytest.raises(TrainingError, match="no samples of dsb2"):
        with_shares(np.array([0.5, 0.5]), ["acdc", "acdc"], {"dsb2": 0.2})


def test_a_rest_that_nothing_is_there_for_is_told() -> None:
    with pytest.raises(TrainingError, match="the rest"):
        with_shares(np.array([0.5, 0.5]), ["acdc", "acdc"], {"acdc": 0.9})


def test_non_cardiac_frames_have_their_share_within_each_set() -> None:
    weights = np.array([0.1, 0.3, 0.1, 0.1, 0.4])
    made = with_non_cardiac(weights, [N, B, N, N, M], ["a", "a", "b", "b", "b"], 0.1)
    assert_allclose(made, [0.04, 0.36, 0.03, 0.03, 0.54])


def test_a_set_without_non_cardiac_frames_or_of_nothing_else_stays_as_it_is() -> None:
    weights = np.array([0.2, 0.2, 0.6])
    assert_allclose(with_non_cardiac(weights, [B, M, N], ["a", "a", "b"], 0.1), weights)
