import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import as_label_map, empty_label_map, mask_of, translate_codes
from cmr_viewer.errors import LabelMapError


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
