from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.train.samples import Sample
from cmr_viewer.train.validate import ValidationScores, batch_tensors, validate
from tests.tiny_models import tiny_spec

CPU = torch.device("cpu")


def look(network: nn.Module, role: Role, samples: list[Sample]) -> ValidationScores:
    found = validate(network, tiny_spec(role), samples, CPU)
    assert found is not None
    return found


class Labels(nn.Module):
    """Takes the intensity of the frame for its label."""

    def forward(self, images: Tensor) -> Tensor:
        values = images[:, images.shape[1] // 2]
        values = values - values.amin(dim=(1, 2), keepdim=True)
        top = (values / values.amax(dim=(1, 2), keepdim=True).clamp_min(1e-6) * 3).round().long()
        return nn.functional.one_hot(top, 4).movedim(-1, 1).float()


class Always(nn.Module):
    """Says one region of every frame."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor([0.0, 1.0, 0.0, 0.0]).expand(len(images), 4)


def sample(shown: np.ndarray, reference: np.ndarray, region: Region = Region.MIDDLE) -> Sample:
    image, labels = np.zeros((44, 44), np.float32), np.zeros((44, 44), np.uint8)
    image[:4, :4] = 3  # keeps the scale of intensities; beyond the grid that is cut out
    image[10 : 10 + len(shown), 12 : 12 + shown.shape[1]] = shown
    labels[10 : 10 + len(shown), 12 : 12 + shown.shape[1]] = reference
    return Sample(image, labels, region, "p", "n")


REFERENCE = np.array([[1, 1, 2, 2], [3, 3, 3, 3]])


def test_a_perfect_network_scores_one_and_dice_is_averaged_over_structures() -> None:
    assert look(Labels(), Role.BASELINE, [sample(REFERENCE, REFERENCE)]).score == 1.0
    # of two LVBP pixels one is taken for background: Dice 2 * 1 / 3; the other two structures are right
    shown = REFERENCE.copy()
    shown[0, 0] = 0
    assert look(Labels(), Role.BASELINE, [sample(shown, REFERENCE)]).score == pytest.approx((2 / 3 + 2) / 3)


def test_a_specialist_is_looked_at_on_its_own_region() -> None:
    wrong = sample(np.zeros_like(REFERENCE), REFERENCE, Region.BASE)
    samples = [sample(REFERENCE, REFERENCE, Region.APEX), replace(wrong, image=wrong.image + 0)]
    assert look(Labels(), Role.APEX, samples).score == 1.0
    assert validate(Labels(), tiny_spec(Role.MIDDLE), samples, CPU) is None


def test_a_structure_that_is_not_told_about_does_not_count() -> None:
    shown = np.where(REFERENCE == 3, 2, REFERENCE)
    left = replace(sample(REFERENCE, shown), structures=frozenset({Label.LVBP}))
    assert look(Labels(), Role.BASELINE, [left]).score == 1.0


def test_a_classifier_is_looked_at_by_the_share_of_regions_that_it_finds() -> None:
    regions = [Region.MIDDLE, Region.MIDDLE, Region.BASE, Region.APEX]
    samples = [sample(REFERENCE, REFERENCE, region) for region in regions]
    assert look(Always(), Role.CLASSIFIER, samples).score == 0.5


def test_nothing_to_look_at_gives_no_score() -> None:
    assert validate(Labels(), tiny_spec(Role.BASELINE), [], CPU) is None


def test_every_set_weighs_alike_however_many_frames_it_has() -> None:
    right = replace(sample(REFERENCE, REFERENCE), group="acdc")
    blank = replace(sample(np.zeros_like(REFERENCE), REFERENCE), group="scd")
    found = look(Labels(), Role.BASELINE, [right, right, right, blank])
    assert found.score == pytest.approx((1 + 0) / 2)
    assert {name: of_set["score"] for name, of_set in found.by_set.items()} == {"acdc": 1.0, "scd": 0.0}


def test_figures_are_told_by_set_region_and_structure() -> None:
    nothing = np.zeros_like(REFERENCE)
    shown = np.where(REFERENCE == 1, 0, REFERENCE)
    samples = [
        sample(REFERENCE, REFERENCE, Region.BASE),
        sample(nothing, REFERENCE, Region.BASE),
        sample(shown, REFERENCE, Region.APEX),
        sample(nothing, nothing, Region.NON_CARDIAC),
        sample(REFERENCE, nothing, Region.NON_CARDIAC),
        sample(REFERENCE, nothing, Region.NON_CARDIAC),
    ]
    found = look(Labels(), Role.BASELINE, samples)
    of_set = found.by_set[""]
    assert of_set["dice"]["base"] == {"LVBP": (0.5, 2), "LVM": (0.5, 2), "RVBP": (0.5, 2)}
    assert of_set["dice"]["apex"] == {"LVBP": (0.0, 1), "LVM": (1.0, 1), "RVBP": (1.0, 1)}
    assert of_set["empty"] == {"base": 0.5, "apex": 0.0}
    assert of_set["marked"] == pytest.approx(2 / 3)
    assert "base LVBP 0.500 LVM 0.500 RVBP 0.500, empty 50.0 %" in found.text()
    assert "non-cardiac marked 66.7 %" in found.text()


def test_a_frame_whose_known_structures_are_not_drawn_is_empty_whatever_else_is() -> None:
    left = frozenset({Label.LVBP})
    only_right = replace(sample(np.where(REFERENCE == 3, 3, 0), np.where(REFERENCE == 1, 1, 0)), structures=left)
    assert look(Labels(), Role.BASELINE, [only_right]).by_set[""]["empty"] == {"middle": 1.0}


def test_a_batch_has_a_channel_for_each_slice() -> None:
    images, labels = batch_tensors([sample(REFERENCE, REFERENCE)] * 2, context=1)
    assert (images.shape, labels.shape) == ((2, 3, 44, 44), (2, 44, 44))
    assert not images[:, [0, 2]].any()
