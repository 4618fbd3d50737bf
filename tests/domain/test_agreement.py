import numpy as np
import pytest

from cmr_viewer.domain.agreement import dice
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LabelMapError

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
