import pytest
from numpy.testing import assert_allclose

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.errors import TrainingError
from cmr_viewer.train.sampling import specialist_weights

B, M, A, N = Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC


def test_without_a_focus_all_samples_are_alike() -> None:
    assert_allclose(specialist_weights([B, M, M, N], None), [0.25] * 4)


def test_the_focus_has_its_share_and_the_other_cardiac_regions_the_rest() -> None:
    # 0.8 over two of the base; 0.2 over three of the middle and apex; none non-cardiac
    weights = specialist_weights([B, M, A, N, B, M], B, 0.8)
    assert_allclose(weights, [0.4, 0.2 / 3, 0.2 / 3, 0.0, 0.4, 0.2 / 3])


def test_a_full_share_draws_the_focus_alone() -> None:
    assert_allclose(specialist_weights([B, M, B, N], B, 1.0), [0.5, 0.0, 0.5, 0.0])


def test_where_there_is_nothing_else_the_focus_has_all() -> None:
    assert_allclose(specialist_weights([A, A, N], A, 0.8), [0.5, 0.5, 0.0])


def test_no_samples_of_the_region_are_told() -> None:
    with pytest.raises(TrainingError, match="apex"):
        specialist_weights([B, M], A)


def test_no_samples_at_all_are_told() -> None:
    with pytest.raises(TrainingError, match="no samples"):
        specialist_weights([], None)
