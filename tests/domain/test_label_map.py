import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import as_label_map, dice, empty_label_map, hausdorff_mm, mask_of, translate_codes
from cmr_viewer.errors import GeometryError, LabelMapError
from cmr_viewer.evaluate.scores import surface_distances


def test_an_empty_label_map_is_background():
    labels = empty_label_map(2, 3)
    assert labels.shape == (2, 3)
    assert labels.dtype == np.uint8
    assert not labels.any()


def test_whole_numbers_of_any_dtype_become_uint8():
    labels = as_label_map(np.array([[0.0, 1.0], [2.0, 3.0]]))
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 1], [2, 3]]


def test_uint8_is_not_copied():
    values = np.zeros((2, 2), np.uint8)
    assert np.shares_memory(as_label_map(values), values)


@pytest.mark.parametrize("values", [[[0.5]], [[-1]], [[256]], [[257]]])
def test_values_that_are_no_labels_are_refused(values):
    with pytest.raises(LabelMapError, match="whole numbers"):
        as_label_map(np.array(values))


def test_an_unknown_code_is_named():
    with pytest.raises(LabelMapError, match="4"):
        as_label_map(np.array([[4]], np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value):
    with pytest.raises(LabelMapError, match="not numbers"):
        as_label_map(np.array([[value]]))


def test_a_shape_that_does_not_fit_is_refused():
    with pytest.raises(LabelMapError, match="does not fit"):
        as_label_map(np.zeros((2, 3), np.uint8), (3, 2))


def test_a_mask_is_where_one_label_is():
    labels = np.array([[0, 1], [2, 1]], np.uint8)
    assert mask_of(labels, Label.LVBP).tolist() == [[False, True], [False, True]]


def test_codes_of_acdc_are_translated():
    codes = {1: Label.RVBP, 2: Label.LVM, 3: Label.LVBP}
    assert translate_codes(np.array([[0, 1, 2, 3]]), codes).tolist() == [[0, 3, 2, 1]]


def test_a_code_that_has_no_translation_is_refused():
    with pytest.raises(LabelMapError, match=r"\[7\]"):
        translate_codes(np.array([[0, 1, 7]]), {1: Label.LVBP})


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
