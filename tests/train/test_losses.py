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


ALL = torch.ones(1, 4, dtype=torch.bool)
LEFT_ONLY = torch.tensor([[True, True, True, False]])


def test_where_all_labels_are_known_nothing_changes() -> None:
    logits = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    plain, told = dice_and_cross_entropy(logits, LABELS), dice_and_cross_entropy(logits, LABELS, ALL)
    assert float(told) == pytest.approx(float(plain), abs=1e-6)


def test_a_label_that_the_reference_does_not_tell_about_is_not_punished_in_its_background() -> None:
    without_right = torch.where(LABELS == 3, 0, LABELS)
    # the network sees the right ventricle, the reference has background there
    assert float(dice_and_cross_entropy(sure(LABELS), without_right, LEFT_ONLY)) == pytest.approx(-1.0, abs=1e-4)
    # told about, it would cost 50 at 3 of 16 pixels, and its Dice of 0 one third
    assert float(dice_and_cross_entropy(sure(LABELS), without_right)) == pytest.approx(50 * 3 / 16 - 2 / 3, abs=1e-3)


def test_even_probabilities_without_one_label_give_the_formula() -> None:
    without_right = torch.where(LABELS == 3, 0, LABELS)
    # background 1/2 at 10 of 16 pixels, LVBP and LVM 1/4 at 3 each; Dice of each 2 * 3/4 / (4 + 3)
    expected = (10 * math.log(2) + 6 * math.log(4)) / 16 - 1.5 / 7
    found = float(dice_and_cross_entropy(torch.zeros(1, 4, 4, 4), without_right, LEFT_ONLY))
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_batch_of_both_kinds_takes_the_dice_of_a_label_from_those_that_tell() -> None:
    both = torch.cat([LABELS, torch.where(LABELS == 3, 0, LABELS)])
    logits = torch.cat([sure(LABELS), sure(LABELS)])
    assert float(dice_and_cross_entropy(logits, both, torch.cat([ALL, LEFT_ONLY]))) == pytest.approx(-1.0, abs=1e-4)
