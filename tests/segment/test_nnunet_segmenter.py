from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch import Tensor, nn

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.networks.weights import save_weights
from cmr_viewer.prepare.grid import Grid, Placement
from cmr_viewer.prepare.plan import WEIGHTS_FILE, Plan
from cmr_viewer.segment import nnunet_segmenter
from cmr_viewer.segment.nnunet_import import convert
from cmr_viewer.segment.nnunet_segmenter import NnUNetSegmenter, predict_logits, tile_starts, tile_weights
from cmr_viewer.segment.segmenter import heart_centre, load_segmenter
from tests.segment.nnunet_folder import Model, pointwise_weights

CPU = torch.device("cpu")
CENTRE = (0.0, 0.0)


def bright_is_lvbp(**changes: Any) -> Model:
    """Says LVBP where a pixel is more than 1 standard deviation above its tile's mean; LVC is nnU-Net's output 3."""
    weights = pointwise_weights((0.0, 0.0, 0.0, 1.0), (0.0, -9.0, -9.0, -4.0))
    return replace(Model({"0": weights}), **changes)


def segmenter(folder: Path, model: Model) -> NnUNetSegmenter:
    plan, network = convert(model.write(folder), role=Role.BASELINE, model_id="m")
    return NnUNetSegmenter(plan, network, CPU)


def stack_of(pixels: NDArray[Any], spacing: tuple[float, float] = (1.8, 1.8), slice_mm: float = 8.0) -> Stack:
    slices, rows, cols = pixels.shape[1:]
    positions = tuple((0.0, 0.0, slice_mm * s) for s in range(slices))
    return Stack(pixels, Geometry(rows, cols, spacing, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions, slice_mm))


def noise(*shape: int) -> NDArray[np.int16]:
    return np.random.default_rng(7).integers(1, 1000, shape).astype(np.int16)


def all_frames(stack: Stack) -> list[FrameIndex]:
    return stack.frame_indices


def above_one_deviation(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return (pixels > pixels.mean() + pixels.std()).astype(np.uint8)


def test_frames_of_the_patchs_size_and_spacing_are_labelled_pixel_by_pixel(tmp_path: Path) -> None:
    pixels = noise(2, 3, 32, 32)
    made = segmenter(tmp_path / "m", bright_is_lvbp()).predict_frames(
        stack_of(pixels), all_frames(stack_of(pixels)), CENTRE
    )
    expected = [above_one_deviation(frame) for phase in pixels for frame in phase]
    for labels, by_hand in zip(made, expected, strict=True):
        assert labels.dtype == np.uint8
        assert np.count_nonzero(labels != by_hand) <= 2  # a value at the threshold itself may fall to either side


def test_frames_come_in_the_order_asked_for_and_are_the_same_alone(tmp_path: Path) -> None:
    stack = stack_of(noise(2, 3, 40, 36), (1.5, 1.7))
    one = segmenter(tmp_path / "m", bright_is_lvbp())
    asked = [FrameIndex(1, 2), FrameIndex(0, 0), FrameIndex(1, 0), FrameIndex(1, 2)]
    together = one.predict_frames(stack, asked, CENTRE)
    alone = [one.predict_frames(stack, [frame], (9.0, 9.0))[0] for frame in asked]
    assert all(labels.shape == (40, 36) for labels in together)
    for a, b in zip(together, alone, strict=True):
        assert_array_equal(a, b)
    assert_array_equal(together[0], together[3])


@pytest.mark.parametrize("spacing", [(1.8, 1.8), (1.0, 1.3), (2.4, 2.0)])
def test_a_disc_is_found_where_it_is_whatever_the_spacing(tmp_path: Path, spacing: tuple[float, float]) -> None:
    rows, cols = np.mgrid[:90, :80]
    disc = np.hypot((rows - 50) * spacing[0], (cols - 30) * spacing[1]) < 16.0
    pixels = np.where(disc, 900, 100).astype(np.int16)[None, None].repeat(3, axis=1)
    stack = stack_of(pixels, spacing)
    labels = segmenter(tmp_path / "m", bright_is_lvbp()).predict_frames(stack, [FrameIndex(0, 1)], CENTRE)[0]
    overlap = 2 * np.count_nonzero((labels == 1) & disc) / (np.count_nonzero(labels) + np.count_nonzero(disc))
    assert overlap > 0.95


def test_slices_of_zeros_are_background(tmp_path: Path) -> None:
    pixels = noise(1, 4, 32, 32)
    pixels[0, 0] = pixels[0, 3] = 0
    stack = stack_of(pixels)
    made = segmenter(tmp_path / "m", bright_is_lvbp()).predict_frames(stack, all_frames(stack), CENTRE)
    assert [bool(labels.any()) for labels in made] == [False, True, True, False]


def test_a_phase_of_zeros_is_background(tmp_path: Path) -> None:
    stack = stack_of(np.zeros((1, 2, 20, 24), np.int16))
    made = segmenter(tmp_path / "m", bright_is_lvbp()).predict_frames(stack, all_frames(stack), CENTRE)
    assert [labels.shape for labels in made] == [(20, 24)] * 2
    assert not np.any(made)


def test_a_single_slice_of_unknown_spacing_is_segmented(tmp_path: Path) -> None:
    pixels = noise(1, 1, 32, 32)
    g = Geometry(32, 32, (1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((0.0, 0.0, 0.0),), spacing_known=False)
    (labels,) = segmenter(tmp_path / "m", bright_is_lvbp()).predict_frames(Stack(pixels, g), [FrameIndex(0, 0)], CENTRE)
    assert labels.any()


def left_neighbour(frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pixel to the left, 0 at the border, brought to mean 0 and standard deviation 1 over the frame."""
    shifted = np.zeros_like(frame)
    shifted[:, 1:] = frame[:, :-1]
    return np.asarray((shifted - shifted.mean()) / shifted.std())


def test_predictions_are_averaged_over_the_mirrored_frames(tmp_path: Path) -> None:
    model = bright_is_lvbp()
    kernel = dict(model.weights["0"])["encoder.stages.0.0.convs.0.conv.weight"]
    kernel[0, 0, 1, 1], kernel[0, 0, 1, 0] = 0.0, 1.0  # the network looks at the pixel to the left
    pixels = noise(1, 2, 32, 32)
    labels = segmenter(tmp_path / "m", model).predict_frames(stack_of(pixels), [FrameIndex(0, 0)], CENTRE)[0]
    frame = ((pixels[0] - pixels[0].mean()) / pixels[0].std())[0]
    both = (left_neighbour(frame) + left_neighbour(frame[:, ::-1])[:, ::-1]) / 2
    assert np.count_nonzero(labels != (both > 1)) <= 2
    assert 10 < np.count_nonzero(labels) < 500


def test_a_prepared_phase_stays_in_memory_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[int] = []
    original = nnunet_segmenter.prepare_phase

    def counting(pixels: NDArray[Any], *rest: Any) -> Any:
        prepared.append(int(pixels[0, 0, 0]))
        return original(pixels, *rest)

    monkeypatch.setattr(nnunet_segmenter, "prepare_phase", counting)
    monkeypatch.setattr(nnunet_segmenter, "PHASES_IN_MEMORY", 2)
    pixels = noise(3, 2, 32, 32)
    pixels[:, 0, 0, 0] = [1, 2, 3]
    stack = stack_of(pixels)
    one = segmenter(tmp_path / "m", bright_is_lvbp())
    for phase, level in ((0, 0), (0, 1), (1, 0), (0, 0), (2, 0), (0, 1), (1, 1)):
        one.predict_frames(stack, [FrameIndex(phase, level)], CENTRE)
    assert prepared == [1, 2, 3, 2]


def test_frames_without_their_phase_are_segmented_as_one_slice(tmp_path: Path) -> None:
    pixels = noise(1, 1, 32, 32)
    one = segmenter(tmp_path / "m", bright_is_lvbp())
    place = Placement(Grid(1.8, 32, 32), (32, 32), (1.8, 1.8), (15.5, 15.5))
    (labels,) = one.predict([([None, pixels[0, 0], None], place)])
    assert_array_equal(labels, one.predict_frames(stack_of(pixels), [FrameIndex(0, 0)], CENTRE)[0])


def write(folder: Path, plan: Plan, network: torch.nn.Module) -> Path:
    folder.mkdir()
    plan.write(folder)
    save_weights(network, folder / WEIGHTS_FILE, halve=False)
    return folder


def test_a_written_model_is_loaded_and_gives_the_same_label_maps(tmp_path: Path) -> None:
    plan, network = convert(Model().write(tmp_path / "nnunet"), role=Role.BASELINE, model_id="m")
    loaded = load_segmenter(write(tmp_path / "m", plan, network), CPU)
    assert isinstance(loaded, NnUNetSegmenter)
    assert loaded.plan == plan
    stack = stack_of(noise(1, 2, 40, 36))
    direct = NnUNetSegmenter(plan, network, CPU).predict_frames(stack, all_frames(stack), CENTRE)
    for a, b in zip(direct, loaded.predict_frames(stack, all_frames(stack), CENTRE), strict=True):
        assert_array_equal(a, b)


def test_a_patch_that_the_network_cannot_halve_is_reported(tmp_path: Path) -> None:
    plan, network = convert(Model().write(tmp_path / "nnunet"), role=Role.BASELINE, model_id="m")
    odd = replace(plan, preparation={**plan.preparation, "patch": [32, 31]})
    with pytest.raises(ModelError, match=r"not a multiple of \(2, 2\)"):
        load_segmenter(write(tmp_path / "m", odd, network), CPU)


def test_the_heart_is_found_with_an_imported_baseline(tmp_path: Path) -> None:
    rows, cols = np.mgrid[:96, :88]
    disc = np.hypot(rows - 60, cols - 30) < 14
    pixels = np.where(disc, 900, 100).astype(np.int16)[None, None].repeat(6, axis=1)
    row, col = heart_centre(stack_of(pixels), segmenter(tmp_path / "m", bright_is_lvbp()))
    assert (row, col) == pytest.approx((60, 30), abs=1.0)


def test_probabilities_of_a_frame_are_most_in_its_label_map(tmp_path: Path) -> None:
    stack = stack_of(noise(1, 2, 40, 36), (1.5, 1.7))
    one = segmenter(tmp_path / "m", bright_is_lvbp())
    made = one.frame_probabilities(stack, FrameIndex(0, 1), CENTRE)
    (labels,) = one.predict_frames(stack, [FrameIndex(0, 1)], CENTRE)
    assert made.shape == (4, 40, 36)
    assert np.abs(made.astype(np.float64).sum(axis=0) - 1.0).max() < 2e-3
    assert np.count_nonzero(made.argmax(axis=0) != labels) <= 2  # half precision may tie


def test_a_slice_of_zeros_is_surely_background(tmp_path: Path) -> None:
    pixels = noise(1, 2, 32, 32)
    pixels[0, 1] = 0
    made = segmenter(tmp_path / "m", bright_is_lvbp()).frame_probabilities(stack_of(pixels), FrameIndex(0, 1), CENTRE)
    assert (made[0] == 1.0).all()


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
