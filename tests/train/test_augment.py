from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cmr_viewer.errors import TrainingError
from cmr_viewer.train.augment import NO_AUGMENTATION, Augmentation, _sampling_grid, augment_batch

GEOMETRY_ONLY = replace(NO_AUGMENTATION, rotation_deg=30.0, zoom=(0.75, 1.3), stretch=0.1, shift_px=12.0)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def standard(images: Tensor) -> Tensor:
    """Each image brought to mean 0 and standard deviation 1."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (images - mean) / images.std(dim=(1, 2, 3), keepdim=True)


def discs(count: int, size: int = 80) -> tuple[Tensor, Tensor]:
    """Bright discs off the centre of dark images, with their label maps."""
    r, c = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    inside = ((r - 46) ** 2 + (c - 33) ** 2 < 100).expand(count, size, size)
    return inside[:, None].float() * 4 - 1, inside.to(torch.uint8) * 2


def test_without_augmentation_the_middle_is_cut_out_exactly() -> None:
    images = torch.randn(2, 1, 44, 46, generator=chance())
    labels = torch.randint(0, 4, (2, 44, 46), generator=chance()).to(torch.uint8)
    made, moved = augment_batch(images, labels, (32, 32), NO_AUGMENTATION, chance())
    assert torch.equal(moved, labels[:, 6:38, 7:39].long())
    assert torch.allclose(made, standard(images[:, :, 6:38, 7:39]), atol=1e-4)


def test_shapes_and_types_are_those_of_the_network() -> None:
    made, moved = augment_batch(*discs(3), (32, 48), Augmentation(), chance())
    assert (made.shape, made.dtype) == ((3, 1, 32, 48), torch.float32)
    assert (moved.shape, moved.dtype) == ((3, 32, 48), torch.int64)
    assert torch.isfinite(made).all()


@pytest.mark.parametrize("seed", range(5))
def test_labels_move_with_the_images(seed: int) -> None:
    made, moved = augment_batch(*discs(8), (64, 64), GEOMETRY_ONLY, chance(seed))
    for image, label in zip(made[:, 0], moved, strict=True):
        bright = image > (image.max() + image.min()) / 2
        assert set(label.unique().tolist()) == {0, 2}
        overlap = 2 * int((bright & (label == 2)).sum()) / int(bright.sum() + (label == 2).sum())
        assert overlap > 0.95


def test_labels_move_with_the_images_under_the_whole_augmentation() -> None:
    made, moved = augment_batch(*discs(16), (64, 64), replace(Augmentation(), noise=0.02), chance(1))
    for image, label in zip(made[:, 0], moved, strict=True):
        assert image[label == 2].mean() > image[label == 0].mean() + 1.0


@pytest.mark.parametrize("seed", range(4))
def test_no_sample_is_mirrored_and_its_size_stays_within_the_limits(seed: int) -> None:
    how = Augmentation(rotation_deg=180.0, stretch=0.3)
    grid = _sampling_grid(64, (101, 101), (32, 32), how, chance(seed))
    across = (grid[:, 0, 1] - grid[:, 0, 0]) * 50  # (x, y) in pixels of the source, one column on
    down = (grid[:, 1, 0] - grid[:, 0, 0]) * 50
    determinant = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    assert (determinant > 0).all()
    # the area that a pixel takes from the source is that of the magnification alone
    assert determinant.min() >= 1 / 1.3**2 - 1e-3
    assert determinant.max() <= 1 / 0.75**2 + 1e-3


def test_shifts_and_rotations_stay_within_their_limits() -> None:
    how = replace(NO_AUGMENTATION, rotation_deg=20.0, shift_px=5.0)
    grid = _sampling_grid(200, (101, 101), (33, 33), how, chance()) * 50
    assert grid[:, 16, 16].abs().max() <= 5.0
    across = grid[:, 0, 1] - grid[:, 0, 0]
    angles = torch.rad2deg(torch.atan2(across[:, 1], across[:, 0]))
    assert angles.abs().max() <= 20.01
    assert angles.std() > 5.0


def test_each_sample_is_changed_in_its_own_way() -> None:
    made, _ = augment_batch(*discs(2), (64, 64), Augmentation(), chance())
    assert not torch.allclose(made[0], made[1], atol=0.1)


def test_the_same_seed_gives_the_same_batch() -> None:
    first = augment_batch(*discs(4), (32, 32), Augmentation(), chance(7))
    second = augment_batch(*discs(4), (32, 32), Augmentation(), chance(7))
    other = augment_batch(*discs(4), (32, 32), Augmentation(), chance(8))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])


def test_an_image_of_one_value_stays_finite() -> None:
    made, _ = augment_batch(
        torch.zeros(2, 1, 44, 44), torch.zeros(2, 44, 44, dtype=torch.uint8), (32, 32), Augmentation(), chance()
    )
    assert torch.isfinite(made).all()


def test_samples_are_turned_any_way_and_mirrored_only_where_that_is_asked_for() -> None:
    how = replace(NO_AUGMENTATION, any_rotation=0.5, mirror=0.25)
    grid = _sampling_grid(2000, (101, 101), (33, 33), how, chance())
    across, down = grid[:, 0, 1] - grid[:, 0, 0], grid[:, 1, 0] - grid[:, 0, 0]
    determinant = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    assert float((determinant < 0).float().mean()) == pytest.approx(0.25, abs=0.04)
    angles = torch.rad2deg(torch.atan2(down[:, 0], down[:, 1]))  # of the rows: mirroring turns the columns only
    assert float((angles.abs() > 1).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert angles.abs().max() > 175


def three_slices() -> tuple[Tensor, Tensor]:
    images, labels = discs(8)
    return images.repeat(1, 3, 1, 1), labels


def test_a_neighbour_that_is_not_there_stays_zero() -> None:
    images, labels = three_slices()
    images[:, 0] = 0
    made, _ = augment_batch(images, labels, (64, 64), replace(Augmentation(), no_neighbour=0.0), chance())
    assert not made[:, 0].any()
    assert made[:, 1].flatten(1).any(dim=1).all()
    assert made[:, 2].flatten(1).any(dim=1).all()


def test_neighbours_are_taken_away_by_their_share_and_the_frame_never() -> None:
    images, labels = three_slices()
    made, _ = augment_batch(images, labels, (64, 64), replace(NO_AUGMENTATION, no_neighbour=1.0), chance())
    assert not made[:, [0, 2]].any()
    assert made[:, 1].flatten(1).any(dim=1).all()


def test_neighbours_move_against_the_frame_by_the_breath_at_most() -> None:
    images, labels = three_slices()
    made, moved = augment_batch(images, labels, (64, 64), replace(NO_AUGMENTATION, breath_px=4.0), chance())
    for sample, label in zip(made, moved, strict=True):
        centres = [torch.nonzero(channel > 0).float().mean(dim=0) for channel in sample]
        assert torch.allclose(centres[1], torch.nonzero(label == 2).float().mean(dim=0), atol=0.5)
        assert (centres[0] - centres[1]).abs().max() <= 4.5
    spread = torch.stack([torch.nonzero(s[0] > 0).float().mean(dim=0) for s in made])
    assert spread.std(dim=0).min() > 0.8


def test_lost_resolution_smooths_and_keeps_the_size() -> None:
    images = torch.randn(4, 1, 64, 64, generator=chance())
    labels = torch.zeros(4, 64, 64, dtype=torch.uint8)
    made, _ = augment_batch(images, labels, (64, 64), replace(NO_AUGMENTATION, coarse=1.0, coarsest=3.0), chance(3))
    assert made.shape == images.shape
    step = (made[:, :, 1:] - made[:, :, :-1]).abs().mean()
    assert step < 0.8 * (images[:, :, 1:] - images[:, :, :-1]).abs().mean()


def test_a_contrast_curve_rises_and_differs_between_samples() -> None:
    ramp = torch.linspace(-2, 3, 64).expand(6, 3, 64, 64).contiguous()
    labels = torch.zeros(6, 64, 64, dtype=torch.uint8)
    made, _ = augment_batch(ramp, labels, (64, 64), replace(NO_AUGMENTATION, curve=1.0), chance(2))
    steps = made[..., 1:] - made[..., :-1]
    assert (steps > 0).all()
    assert (steps.amax(dim=(1, 2, 3)) / steps.amin(dim=(1, 2, 3)) > 1.3).all()
    assert torch.allclose(made[:, 0], made[:, 2], atol=1e-5)  # slices of a sample keep their contrast to one another
    assert not torch.allclose(made[0], made[1], atol=0.05)


def test_a_coil_field_makes_smooth_hills_that_differ_between_samples() -> None:
    images, labels = torch.zeros(4, 1, 64, 64), torch.zeros(4, 64, 64, dtype=torch.uint8)
    images[:, :, ::2] = 1.0
    made, _ = augment_batch(images, labels, (64, 64), replace(NO_AUGMENTATION, coil=0.5), chance(4))
    bright = made[:, 0, ::2]
    assert (bright.amax(dim=(1, 2)) - bright.amin(dim=(1, 2)) > 0.3).all()
    assert (bright[:, 1:] - bright[:, :-1]).abs().max() < 0.3
    assert not torch.allclose(bright[0], bright[1], atol=0.1)


def test_beyond_a_narrower_field_of_view_there_is_neither_image_nor_label() -> None:
    images = torch.randn(64, 3, 60, 60, generator=chance()) + 5
    labels = torch.ones(64, 60, 60, dtype=torch.uint8)
    how = replace(NO_AUGMENTATION, narrow=0.5, narrowest=0.2)
    made, moved = augment_batch(images, labels, (50, 50), how, chance(5))
    seen = moved == 1
    assert torch.equal((made != 0).all(dim=1), seen)
    assert torch.equal((made != 0).any(dim=1), seen)
    whole = seen.flatten(1).all(dim=1)
    assert float(whole.float().mean()) == pytest.approx(0.5, abs=0.2)
    assert seen[:, 10:40, 10:40].all()
    rows, cols = seen.any(dim=2), seen.any(dim=1)
    assert torch.equal(seen, rows[:, :, None] & cols[:, None, :])


def test_a_spec_names_what_is_changed() -> None:
    how = Augmentation().changed(mirror=0.1, zoom=[0.5, 2.0])
    assert (how.mirror, how.zoom, how.noise) == (0.1, (0.5, 2.0), Augmentation().noise)


@pytest.mark.parametrize("given", [{"sparkle": 1.0}, {"mirror": "yes"}, {"zoom": 1.0}, {"mirror": [0.1, 0.2]}])
def test_a_change_that_is_not_known_or_no_number_is_told(given: dict[str, object]) -> None:
    with pytest.raises(TrainingError):
        Augmentation().changed(**given)
