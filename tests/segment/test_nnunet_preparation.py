from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cmr_viewer.errors import ModelError
from cmr_viewer.segment.nnunet_preparation import (
    Preparation,
    Resampling,
    frame_labels,
    normalise_phase,
    prepare_phase,
    read_preparation,
    resample,
)

HOW = Preparation(spacing_mm=(2.0, 2.0), patch=(16, 16))
LINEAR = Resampling(1)
APART = (10.0, 1.0, 1.0)
CLOSE = (2.0, 1.0, 1.0)


def ramp(slices: int, rows: int, cols: int) -> Any:
    """Values slice * 100 + row * 10 + col, float32."""
    s, r, c = np.mgrid[:slices, :rows, :cols]
    return (100.0 * s + 10.0 * r + c).astype(np.float32)


def test_linear_resampling_puts_samples_at_the_centres_of_the_new_pixels() -> None:
    # 4 pixels become 8: centres at -0.25, 0.25, 0.75, ... of the old, the ends continued
    row = np.array([[[0.0, 4.0, 8.0, 12.0]]])
    made = resample(row, (1, 1, 8), APART, (10.0, 1.0, 0.5), LINEAR)
    assert_allclose(made[0, 0], [0, 1, 3, 5, 7, 9, 11, 12])


def test_halving_takes_the_middle_between_two_pixels() -> None:
    made = resample(ramp(1, 4, 6), (1, 2, 3), APART, (10.0, 2.0, 2.0), LINEAR)
    assert_allclose(made[0], [[5.5, 7.5, 9.5], [25.5, 27.5, 29.5]])


def test_cubic_resampling_never_leaves_the_range_of_the_values() -> None:
    step = np.zeros((1, 12, 12), np.float32)
    step[:, :, 6:] = 100.0
    made = resample(step, (1, 30, 30), APART, (10.0, 0.4, 0.4), Resampling(3))
    assert made.dtype == np.float32
    assert made.min() == 0.0
    assert made.max() == 100.0


def test_cubic_resampling_keeps_a_smooth_curve() -> None:
    at = np.arange(40)
    wave = np.broadcast_to(np.sin(at / 6), (1, 8, 40)).astype(np.float64)
    made = resample(wave, (1, 8, 80), APART, (10.0, 1.0, 0.5), Resampling(3))
    finer = np.clip(np.sin(((np.arange(80) + 0.5) / 2 - 0.5) / 6), wave.min(), wave.max())
    assert_allclose(made[0, 3, 6:-6], finer[6:-6], atol=1e-3)


@pytest.mark.parametrize("spacing", [APART, CLOSE])
def test_slices_are_never_mixed(spacing: tuple[float, float, float]) -> None:
    pixels = np.random.default_rng(0).normal(size=(3, 9, 8))
    both = resample(pixels, (3, 14, 11), spacing, (spacing[0], 0.6, 0.7), LINEAR)
    alone = resample(pixels[1:2], (1, 14, 11), spacing, (spacing[0], 0.6, 0.7), LINEAR)
    assert_allclose(both[1:2], alone, atol=1e-12)


def test_far_apart_slices_stay_within_their_own_range_and_close_ones_within_that_of_all() -> None:
    pixels = np.zeros((2, 12, 12))
    pixels[0, :, 6:] = 100.0
    pixels[1] = 200.0 * (pixels[0] > 0)
    apart = resample(pixels, (2, 15, 15), APART, (10.0, 0.8, 0.8), Resampling(3))
    close = resample(pixels, (2, 15, 15), CLOSE, (2.0, 0.8, 0.8), Resampling(3))
    assert apart[0].max() == 100.0
    assert close[0].max() > 100.0


def test_an_axis_by_itself_is_resampled_with_its_own_order() -> None:
    # rows lie 5 times as far apart as the rest: they are taken from the nearest, not averaged
    pixels = ramp(2, 2, 4)
    made = resample(pixels, (2, 4, 8), (1.0, 5.0, 1.0), (1.0, 2.5, 0.5), LINEAR)
    assert_allclose(made[0, :, 1], [0.25, 0.25, 10.25, 10.25])


def test_the_same_shape_is_the_same_array() -> None:
    pixels = ramp(2, 3, 4)
    assert resample(pixels, (2, 3, 4), APART, APART, LINEAR) is pixels


def test_z_scores_are_taken_over_the_whole_phase() -> None:
    pixels = ramp(3, 4, 5)
    made = normalise_phase(pixels, pixels != 0, HOW)
    assert_allclose(made, (pixels - pixels.mean()) / pixels.std(), atol=1e-5)
    assert pixels[0, 0, 1] == 1.0


def test_z_scores_inside_a_mask_leave_the_rest_at_zero() -> None:
    pixels = np.zeros((1, 2, 4), np.float32)
    pixels[0, :, :2] = [[2.0, 4.0], [6.0, 8.0]]
    made = normalise_phase(pixels, pixels > 0, replace(HOW, masked=True))
    # mean 5, standard deviation sqrt(5)
    assert_allclose(made[0, :, :2], (np.array([[2, 4], [6, 8]]) - 5) / np.sqrt(5), atol=1e-6)
    assert not made[0, :, 2:].any()


def test_the_other_schemes() -> None:
    pixels = np.array([[[-5.0, 0.0, 50.0, 200.0]]], np.float32)
    mask = pixels != 0
    known = {"mean": 40.0, "std": 20.0, "percentile_00_5": 0.0, "percentile_99_5": 100.0}
    made = normalise_phase(pixels, mask, replace(HOW, scheme="CTNormalization", intensities=known))
    assert_allclose(made[0, 0], [-2.0, -2.0, 0.5, 3.0])
    made = normalise_phase(pixels, mask, replace(HOW, scheme="RescaleTo01Normalization"))
    assert_allclose(made[0, 0], np.array([0, 5, 55, 205]) / 205, rtol=1e-6)
    assert_array_equal(normalise_phase(pixels, mask, replace(HOW, scheme="NoNormalization")), pixels)


def test_a_phase_is_cropped_to_what_is_not_zero_normalised_and_resampled() -> None:
    pixels = np.zeros((5, 12, 14), np.int16)
    pixels[1:4, 2:10, 3:13] = np.random.default_rng(1).integers(1, 900, (3, 8, 10))
    pixels[2, 5, 6] = 0  # inside: no hole is cut
    phase = prepare_phase(pixels, (8.0, 1.0, 1.0), HOW)
    assert phase.box == (slice(1, 4), slice(2, 10), slice(3, 13))
    assert phase.image.shape == (3, 4, 5)
    assert phase.shape == (5, 12, 14)
    inner = pixels[1:4, 2:10, 3:13].astype(np.float64)
    again = resample((inner - inner.mean()) / inner.std(), (3, 4, 5), (8.0, 1.0, 1.0), (8.0, 2.0, 2.0), Resampling(3))
    assert_allclose(phase.image, again, atol=1e-4)


def test_shapes_are_rounded_to_the_nearest() -> None:
    how = replace(HOW, spacing_mm=(1.5625, 1.3))
    phase = prepare_phase(np.ones((2, 217, 100), np.int16), (10.0, 1.4, 1.4), how)
    assert phase.image.shape == (2, 194, 108)  # 217 * 1.4 / 1.5625 = 194.4; 100 * 1.4 / 1.3 = 107.7


def test_labels_come_back_where_they_were_outside_the_box_is_background() -> None:
    pixels = np.zeros((1, 12, 14), np.int16)
    pixels[0, 2:10, 3:13] = 5
    phase = prepare_phase(pixels, (8.0, 1.0, 1.0), HOW)
    logits = np.zeros((4, 4, 5), np.float16)
    logits[0, :, :2] = 4.0
    logits[2, :, 2:] = 4.0  # LVM in the right 3 of 5 columns: 2 mm each, from column 3 + 4
    labels = frame_labels(logits, phase, HOW)
    expected = np.zeros((12, 14), np.uint8)
    expected[2:10, 7:13] = 2
    assert_array_equal(labels, expected)


def test_of_equal_logits_nnunets_first_output_wins_and_codes_are_translated() -> None:
    phase = prepare_phase(np.ones((1, 4, 4), np.int16), (8.0, 2.0, 2.0), HOW)
    how = replace(HOW, outputs=(0, 3, 2, 1), codes=(0, 1, 2, 3))
    logits = np.zeros((4, 4, 4), np.float16)
    logits[1:] = 1.0
    assert_array_equal(frame_labels(logits, phase, how), np.full((4, 4), 3))
    merged = replace(HOW, outputs=(0, 1, 2, 3, 4), codes=(0, 1, 2, 3, 2))
    logits = np.zeros((5, 4, 4), np.float16)
    logits[4] = 1.0
    assert_array_equal(frame_labels(logits, phase, merged), np.full((4, 4), 2))


def test_transposed_plans_see_columns_first_and_give_rows_first() -> None:
    how = replace(HOW, transpose=(0, 2, 1), spacing_mm=(2.0, 4.0))
    pixels = np.ones((2, 12, 10), np.int16)
    phase = prepare_phase(pixels, (8.0, 1.0, 2.0), how)
    assert phase.image.shape == (2, 10, 3)
    logits = np.zeros((4, 10, 3), np.float16)
    logits[1, :5] = 1.0  # the first five columns
    labels = frame_labels(logits, phase, how)
    assert labels.shape == (12, 10)
    assert labels[:, :5].all()
    assert not labels[:, 5:].any()


def test_a_preparation_is_read_as_it_was_written() -> None:
    how = replace(HOW, mirror_axes=(0,), masked=True, logits=Resampling(1, 0, True, 2.5))
    assert read_preparation(how.as_dict()) == how


@pytest.mark.parametrize(
    "change",
    [
        {"patch": [16]},
        {"patch": None},
        {"spacing_mm": [0.0, 1.0]},
        {"transpose": [1, 0, 2]},
        {"scheme": "Magic"},
        {"scheme": "CTNormalization"},
        {"outputs": [0, 1, 2]},
        {"outputs": [0, 1, 1, 2]},
        {"codes": [0, 1, 2, 7]},
        {"mirror_axes": [2]},
        {"image": {"power": 3}},
        {"image": None},
        {"unknown": 1},
    ],
)
def test_a_preparation_that_makes_no_sense_is_reported(change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="has an invalid value"):
        read_preparation({**HOW.as_dict(), **change})
