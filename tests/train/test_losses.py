import math

import pytest
import torch

from cmr_viewer.train.losses import deep_supervision, dice_and_cross_entropy


def sure(labels: torch.Tensor, by: float = 50.0) -> torch.Tensor:
    """Logits that are sure of a label map."""
    return by * torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).float()


LABELS = torch.tensor([[[0, 1, 1, 0], [2, 2, 3, 3], [0, 1, 2, 3], [0, 0, 0, 0]]])


def test_a_perfect_prediction_has_a_cross_entropy_of_zero_and_a_dice_of_one() -> None:
    assert float(dice_and_cross_entropy(sure(LABELS), LABELS)) == pytest.approx(-1.0, abs=1e-5)


def test_even_probabilities_give_the_formula() -> None:
    # each label has p = 1/4 everywhere: cross-entropy ln 4; of n = 3 pixels of 16 each, Dice 2 * 3/4 / (16/4 + 3)
    expected = math.log(4) - 2 * 0.75 / (4 + 3)
    assert float(dice_and_cross_entropy(torch.zeros(1, 4, 4, 4), LABELS)) == pytest.approx(expected, abs=1e-5)


def test_a_label_that_is_nowhere_and_not_predicted_counts_as_right() -> None:
    empty = torch.zeros(1, 4, 4, dtype=torch.int64)
    assert float(dice_and_cross_entropy(sure(empty), empty)) == pytest.approx(-1.0, abs=1e-4)


def test_a_prediction_that_is_all_wrong_has_a_dice_of_zero() -> None:
    wrong = (LABELS + 1) % 4
    value = float(dice_and_cross_entropy(sure(wrong, by=10.0), LABELS))
    assert value == pytest.approx(10.0, abs=0.01)


def test_dice_is_taken_over_the_batch_and_not_frame_by_frame() -> None:
    first, second = LABELS, torch.zeros_like(LABELS)
    together = dice_and_cross_entropy(sure(torch.cat([first, second])), torch.cat([first, first]))
    # of each label half is found and nothing is wrong: Dice 2 * 3 / (3 + 6); cross-entropy 50 at 9 of 32 pixels
    assert float(together) == pytest.approx(50 * 9 / 32 - 2 / 3, abs=1e-3)


def test_resolutions_weigh_half_of_the_finer_one_each_and_add_up_to_one() -> None:
    labels = torch.randint(0, 4, (2, 16, 16), generator=torch.Generator().manual_seed(0))
    outputs = [torch.randn(2, 4, 16 // s, 16 // s, generator=torch.Generator().manual_seed(s)) for s in (1, 2, 4)]
    single = [
        float(dice_and_cross_entropy(out, labels[:, ::s, ::s])) for out, s in zip(outputs, (1, 2, 4), strict=True)
    ]
    expected = (4 * single[0] + 2 * single[1] + single[2]) / 7
    assert float(deep_supervision(outputs, labels)) == pytest.approx(expected, abs=1e-5)


def test_one_resolution_alone_is_the_loss_itself() -> None:
    assert float(deep_supervision([sure(LABELS)], LABELS)) == pytest.approx(-1.0, abs=1e-5)


def test_half_precision_logits_are_counted_in_single_precision() -> None:
    assert dice_and_cross_entropy(sure(LABELS).bfloat16(), LABELS).dtype == torch.float32
