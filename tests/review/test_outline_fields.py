import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.agreement import dice
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.review.contours import has_closed_ring
from cmr_viewer.review.outline_fields import chained, fields_of, labels_of, mixed, moved

SPACING = (1.0, 1.0)


def heart(row=30.0, col=32.0, endo=8.0, epi=12.0, size=64):
    """A ring around a disc of blood, and a disc of RV beside it."""
    rows, cols = np.indices((size, size))
    away = np.hypot(rows - row, cols - col)
    labels = np.zeros((size, size), np.uint8)
    labels[np.hypot(rows - row, cols - col + 18) < 8] = Label.RVBP
    labels[away < epi] = Label.LVM
    labels[away < endo] = Label.LVBP
    return labels


def uniform(down, right, size=64):
    motion = np.zeros((2, size, size), np.float32)
    motion[0], motion[1] = down, right
    return motion


def test_fields_stand_for_the_label_map_that_they_are_of():
    labels = heart()
    assert np.array_equal(labels_of(fields_of(labels, SPACING), closed=True), labels)


def test_an_empty_label_map_has_no_outlines():
    empty = np.zeros((20, 20), np.uint8)
    assert not labels_of(fields_of(empty, SPACING), closed=True).any()


def test_blood_without_myocardium_has_no_epicardium():
    labels = np.where(heart() == Label.LVM, 0, heart()).astype(np.uint8)
    assert np.array_equal(labels_of(fields_of(labels, SPACING), closed=False), labels)


@given(st.integers(-6, 6), st.integers(-6, 6))
@settings(max_examples=20, deadline=None)
def test_a_motion_by_whole_pixels_moves_every_pixel(down, right):
    found = labels_of(moved(fields_of(heart(), SPACING), uniform(-down, -right)), closed=True)
    assert np.array_equal(found, np.roll(heart(), (down, right), axis=(0, 1)))


def test_half_a_pixel_there_and_half_a_pixel_on_are_one_pixel():
    half = uniform(0.5, 0.0)
    found = labels_of(moved(fields_of(heart(), SPACING), chained(half, half)), closed=True)
    assert np.array_equal(found, np.roll(heart(), -1, axis=0))


def test_motions_are_chained_at_the_place_that_the_second_leads_to():
    first = np.zeros((2, 1, 10), np.float32)
    first[1] = np.arange(10) * 0.1
    whole = chained(first, np.stack([np.zeros((1, 10)), np.full((1, 10), 2.0)]).astype(np.float32))
    assert whole[1, 0, 3] == pytest.approx(2.0 + 0.5)


@given(st.floats(0.35, 1.0), st.floats(0.3, 3.0))
@settings(max_examples=25, deadline=None)
def test_a_closed_ring_stays_closed_however_it_is_squeezed(scale, wall):
    rows, cols = np.indices((64, 64), dtype=np.float32)
    squeeze = np.stack([(rows - 30) / scale + 30 - rows, (cols - 32) * scale + 32 - cols]).astype(np.float32)
    labels = heart(endo=8.0, epi=8.0 + wall)
    if has_closed_ring(labels):
        assert has_closed_ring(labels_of(moved(fields_of(labels, SPACING), squeeze), closed=True))


def test_the_mean_of_two_discs_has_the_mean_of_their_radii():
    small, large = fields_of(heart(endo=6, epi=9), SPACING), fields_of(heart(endo=10, epi=13), SPACING)
    found = labels_of(mixed([small, large], [1.0, 1.0]), closed=True)
    for label in (Label.LVBP, Label.LVM):
        agreed = dice(found, heart(endo=8, epi=11), label)
        assert agreed is not None and agreed > 0.96


def test_an_outline_is_there_if_half_of_the_weight_has_it():
    whole = fields_of(heart(), SPACING)
    without = fields_of(np.where(heart() == Label.RVBP, 0, heart()).astype(np.uint8), SPACING)
    most = labels_of(mixed([whole, without], [0.6, 0.4]), closed=True)
    few = labels_of(mixed([whole, without], [0.4, 0.6]), closed=True)
    assert dice(most, heart(), Label.RVBP) == 1.0
    assert not (few == Label.RVBP).any()
    assert all(dice(few, heart(), label) == 1.0 for label in STRUCTURES if label is not Label.RVBP)
