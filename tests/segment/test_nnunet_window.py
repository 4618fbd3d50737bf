import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor, nn

from cmr_viewer.segment.nnunet_window import predict_logits, tile_starts, tile_weights


class Scaled(nn.Module):
    """Two labels: the image and twice the image."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, 2 * images], 1)


class Ramp(nn.Module):
    """One label: the image times the column index of the tile."""

    def forward(self, images: Tensor) -> Tensor:
        return images * torch.arange(images.shape[-1], dtype=torch.float32)


def images(count: int, rows: int, cols: int) -> Tensor:
    return torch.randn(count, rows, cols, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    ("size", "tile", "starts"),
    [
        (64, 64, [0]),
        (110, 64, [0, 23, 46]),  # the example in nnU-Net's own source
        (65, 64, [0, 1]),
        (96, 64, [0, 32]),
        (256, 160, [0, 48, 96]),
        (41, 16, [0, 6, 12, 19, 25]),  # 0, 6.25, 12.5, 18.75, 25 to the nearest, halves to the even
    ],
)
def test_tiles_go_from_end_to_end_at_most_half_a_tile_apart(size: int, tile: int, starts: list[int]) -> None:
    assert tile_starts(size, tile) == starts


def test_weights_are_a_gaussian_of_an_eighth_of_the_tile_around_its_centre() -> None:
    weights = tile_weights((64, 32)).float().numpy()
    assert weights[32, 16] == 10.0
    for offset in (4, 8, 16):
        assert_allclose(weights[32 + offset, 16], 10 * np.exp(-(offset**2) / (2 * 8**2)), rtol=2e-3)
        assert_allclose(weights[32, 16 - offset // 2], 10 * np.exp(-((offset / 2) ** 2) / (2 * 4**2)), rtol=2e-2)
    assert weights.min() > 0


@pytest.mark.parametrize("shape", [(32, 32), (50, 41), (20, 60), (7, 9)])
def test_a_network_without_a_view_of_its_surroundings_gives_the_same_in_tiles_as_in_one_pass(
    shape: tuple[int, int],
) -> None:
    seen = images(2, *shape)
    made = predict_logits(Scaled(), seen, (32, 32), ())  # half precision is coarse at the corners of a tile
    assert made.shape == (2, 2, *shape)
    assert made.dtype == torch.half
    assert_allclose(made.float(), torch.stack([seen, 2 * seen], 1), rtol=0.03, atol=0.01)


def test_overlapping_tiles_are_averaged_by_their_weights() -> None:
    made = predict_logits(Ramp(), torch.ones(1, 16, 24), (16, 16), ())[0, 0].float().numpy()
    weights = tile_weights((16, 16)).float().numpy()
    # columns 8 to 15 are seen by the tile at 0 as 8 to 15 and by the tile at 8 as 0 to 7
    first, second = weights[:, 8:], weights[:, :8]
    expected = (first * np.arange(8, 16) + second * np.arange(8)) / (first + second)
    assert_allclose(made[:, :8], np.broadcast_to(np.arange(8), (16, 8)), atol=0.02)
    assert_allclose(made[:, 8:16], expected, atol=0.02)
    assert_allclose(made[:, 16:], np.broadcast_to(np.arange(8, 16), (16, 8)), atol=0.02)


def test_mirrored_predictions_are_mirrored_back_and_averaged() -> None:
    seen = images(1, 16, 16)
    made = predict_logits(Ramp(), seen, (16, 16), (1,))[0, 0]
    # mirrored, column c is seen at 15 - c
    assert_allclose(made.float(), seen[0] * 15 / 2, rtol=0.03, atol=0.02)


@pytest.mark.parametrize(("axes", "passes"), [((), 1), ((0,), 2), ((0, 1), 4)])
def test_each_combination_of_axes_is_one_more_pass(axes: tuple[int, ...], passes: int) -> None:
    calls: list[Tensor] = []

    class Counting(nn.Module):
        def forward(self, tiles: Tensor) -> Tensor:
            calls.append(tiles)
            return tiles

    seen = images(1, 16, 16)
    made = predict_logits(Counting(), seen, (16, 16), axes)
    assert len(calls) == passes
    assert_allclose(made[0, 0].float(), seen[0], atol=0.01)
    assert len({tuple(tiles.flatten().tolist()) for tiles in calls}) == passes


def test_images_smaller_than_a_tile_lie_in_the_middle_of_zeros() -> None:
    seen: list[Tensor] = []

    class Keeping(nn.Module):
        def forward(self, tiles: Tensor) -> Tensor:
            seen.append(tiles)
            return tiles

    predict_logits(Keeping(), torch.ones(1, 3, 4), (8, 8), ())
    expected = np.zeros((8, 8))
    expected[2:5, 2:6] = 1  # 5 rows lacking: 2 above, 3 below
    assert_allclose(seen[0][0, 0], expected)
