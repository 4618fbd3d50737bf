import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.measures.papillary import PapillaryConvention, labels_by_convention, papillary_mask
from cmr_viewer.errors import LabelMapError
from tests.phantom import sax_cine
from tests.phantom_heart import Anatomy

BLOOD, MUSCLE = 800, 200


def frame_with_a_muscle() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A ring with a dark square of 4 x 5 pixels in its blood."""
    y, x = np.mgrid[:60, :60] - 30
    labels = np.select([np.hypot(y, x) < 15, np.hypot(y, x) < 22], [Label.LVBP, Label.LVM], 0).astype(np.uint8)
    pixels = np.where(labels == Label.LVBP, BLOOD, MUSCLE)
    square = np.zeros(labels.shape, bool)
    square[34:38, 30:35] = True
    pixels[square] = 260
    return pixels, labels, square


def test_dark_pixels_in_the_blood_pool_are_papillary_muscle():
    pixels, labels, square = frame_with_a_muscle()
    np.testing.assert_array_equal(papillary_mask(pixels, labels), square)


def test_the_threshold_lies_half_way_between_muscle_and_blood():
    pixels, labels, square = frame_with_a_muscle()
    pixels[square] = 499  # (800 + 200) / 2 = 500
    assert papillary_mask(pixels, labels).sum() == 20
    pixels[square] = 500
    assert papillary_mask(pixels, labels).sum() == 0


def test_the_other_convention_moves_them_from_the_blood_pool_to_the_myocardium():
    pixels, labels, square = frame_with_a_muscle()
    stack_pixels, stack_labels = np.stack([pixels, pixels]), np.stack([labels, labels])
    moved = labels_by_convention(stack_pixels, stack_labels, PapillaryConvention.IN_MASS)
    assert (moved[:, square] == Label.LVM).all()
    assert (moved == Label.LVM).sum() == (stack_labels == Label.LVM).sum() + 40
    np.testing.assert_array_equal(moved != stack_labels, np.stack([square, square]))


def test_as_they_are_drawn_papillary_muscles_are_blood():
    pixels, labels, _ = frame_with_a_muscle()
    assert labels_by_convention(pixels, labels, PapillaryConvention.IN_BLOOD_POOL) is labels


@pytest.mark.parametrize("left_out", ["contrast", "muscle", "blood"])
def test_where_muscle_and_blood_cannot_be_distinguished_nothing_is_found(left_out):
    pixels, labels, square = frame_with_a_muscle()
    if left_out == "contrast":
        pixels = np.where(labels == Label.LVBP, 210, 200)
        pixels[square] = 150
    elif left_out == "muscle":
        labels[labels == Label.LVM] = 0
    else:
        labels[labels == Label.LVBP] = 0
    assert not papillary_mask(pixels, labels).any()


def test_a_phantom_without_papillary_muscles_has_few_and_one_with_them_more():
    with_them, without = (sax_cine(phases=2, noise=5.0, anatomy=Anatomy(papillary=size), seed=3) for size in (1.0, 0.0))
    found = [
        int((labels_by_convention(p.stack.pixels, p.labels, PapillaryConvention.IN_MASS) != p.labels).sum())
        for p in (with_them, without)
    ]
    assert found[1] < 0.005 * (without.labels == Label.LVBP).sum()
    assert found[0] > 0.02 * (with_them.labels == Label.LVBP).sum()


def test_pixels_and_labels_must_be_of_one_frame():
    pixels, labels, _ = frame_with_a_muscle()
    with pytest.raises(LabelMapError, match="fit"):
        papillary_mask(pixels[:-1], labels)
    with pytest.raises(LabelMapError, match="fit"):
        labels_by_convention(pixels[:-1], labels, PapillaryConvention.IN_MASS)


def test_every_convention_states_what_it_is():
    assert all(c.text and c.method.endswith(".") for c in PapillaryConvention)


def test_where_blood_is_not_brighter_than_muscle_nothing_is_found_whatever_the_sign():
    _, labels, _ = frame_with_a_muscle()
    pixels = np.where(labels == Label.LVBP, -230, -200)
    assert papillary_mask(pixels, labels).sum() == 0
