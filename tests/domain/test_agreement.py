import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.domain.agreement import dice, hausdorff_mm
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import GeometryError, LabelMapError
from cmr_viewer.evaluate.scores import surface_distances

FIRST = np.array([[1, 1, 1, 0], [2, 2, 0, 0]], np.uint8)
SECOND = np.array([[0, 1, 1, 1], [2, 2, 0, 0]], np.uint8)


def test_dice_is_twice_the_overlap_of_the_sum():
    # 3 and 3 pixels, 2 in common.
    assert dice(FIRST, SECOND, Label.LVBP) == pytest.approx(4 / 6)


def test_equal_masks_have_dice_one():
    assert dice(FIRST, SECOND, Label.LVM) == 1.0


def test_a_label_in_one_map_only_has_dice_zero():
    assert dice(FIRST, np.zeros_like(FIRST), Label.LVBP) == 0.0


def test_a_label_in_neither_map_has_no_dice():
    assert dice(FIRST, SECOND, Label.RVBP) is None


def test_maps_of_different_shapes_are_not_compared():
    with pytest.raises(LabelMapError, match="cannot be compared"):
        dice(FIRST, SECOND[:1], Label.LVBP)


def test_hausdorff_is_the_largest_distance_to_the_nearest_border_pixel_in_mm():
    one, other = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    one[2, 2], other[2, 5], other[6, 2] = True, True, True
    assert hausdorff_mm(one, other, (2.0, 1.0)) == pytest.approx(8.0)  # 4 rows of 2 mm; 3 columns are 3 mm
    assert hausdorff_mm(other, one, (2.0, 1.0)) == pytest.approx(8.0)
    assert hausdorff_mm(one, one, (2.0, 1.0)) == 0.0


def test_hausdorff_is_not_known_where_a_mask_is_empty_and_checks_its_input():
    one, none = np.ones((3, 3), bool), np.zeros((3, 3), bool)
    assert hausdorff_mm(one, none, (1.0, 1.0)) is None and hausdorff_mm(none, none, (1.0, 1.0)) is None
    with pytest.raises(LabelMapError, match="cannot be compared"):
        hausdorff_mm(one, none[:1], (1.0, 1.0))
    with pytest.raises(GeometryError, match="must be positive"):
        hausdorff_mm(one, one, (0.0, 1.0))


@given(seed=st.integers(0, 2**20), spacing=st.tuples(st.floats(0.5, 3.0), st.floats(0.5, 3.0)))
def test_hausdorff_is_what_distance_maps_give(seed, spacing):
    """An independent way: distances to the other border by `scipy.ndimage`."""
    chance = np.random.default_rng(seed)
    one, other = (chance.random((12, 10)) < share for share in chance.uniform(0.05, 0.9, 2))
    apart = surface_distances(one, other, spacing)
    found = hausdorff_mm(one, other, spacing)
    if apart is None:
        assert found is None
    else:
        assert found == pytest.approx(max(apart.first_to_second_mm.max(), apart.second_to_first_mm.max()))
