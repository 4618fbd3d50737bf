from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch import nn

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.networks import catalogue
from cmr_viewer.networks.unets import UNet2d
from cmr_viewer.networks.weights import save_weights
from cmr_viewer.prepare.grid import Grid, Placement, frame_centre
from cmr_viewer.prepare.network_input import Slices
from cmr_viewer.prepare.plan import WEIGHTS_FILE, Plan
from cmr_viewer.segment.segmenter import Segmenter, clean, heart_centre, largest_component, load_segmenter, wide_grid
from tests.phantom import sax_cine
from tests.segment.threshold import Threshold

CPU = torch.device("cpu")


def plan(grid: Grid, role: Role = Role.BASELINE, architecture: str = "threshold") -> Plan:
    return Plan("model-1", role, architecture, {}, grid.spacing_mm, grid.rows, grid.cols)


def bright_disc(
    shape: tuple[int, int], spacing: tuple[float, float], at: tuple[float, float], radius_mm: float
) -> NDArray[np.bool_]:
    r, c = np.mgrid[: shape[0], : shape[1]]
    return np.hypot((r - at[0]) * spacing[0], (c - at[1]) * spacing[1]) < radius_mm


def test_labels_lie_on_the_pixels_they_were_seen_at_whatever_the_placement() -> None:
    shape, spacing, at = (120, 150), (1.4, 1.1), (31.0, 104.0)
    disc = bright_disc(shape, spacing, at, 20.0)
    frame = np.where(disc, 800, 50).astype(np.int16)
    for centre in ((31.0, 104.0), (38.3, 97.6), (25.2, 111.9)):
        place = Placement(Grid(1.5, 64, 64), shape, spacing, centre)
        (labels,) = Segmenter(plan(place.grid), Threshold(), CPU).predict([([frame], place)])
        assert labels.shape == shape
        assert labels.dtype == np.uint8
        r, c = np.nonzero(labels == 1)
        assert (r.mean() - at[0]) * spacing[0] == pytest.approx(0.0, abs=0.2)
        assert (c.mean() - at[1]) * spacing[1] == pytest.approx(0.0, abs=0.2)
        overlap = 2 * np.count_nonzero((labels == 1) & disc) / (np.count_nonzero(labels) + np.count_nonzero(disc))
        assert overlap > 0.96


def test_at_the_frames_own_spacing_every_pixel_is_right() -> None:
    frame = np.zeros((40, 48), np.uint16)
    frame[5:11, 30:41] = 700
    place = Placement(Grid(1.5, 32, 32), (40, 48), (1.5, 1.5), (15.5, 31.5))
    (labels,) = Segmenter(plan(place.grid), Threshold(), CPU).predict([([frame], place)])
    assert_array_equal(labels, (frame > 0).astype(np.uint8))


def test_frames_of_a_batch_keep_their_own_placements() -> None:
    frame = np.zeros((64, 64), np.uint16)
    frame[20:30, 20:30] = 700
    grid = Grid(1.5, 32, 32)
    near = Placement(grid, (64, 64), (1.5, 1.5), (24.5, 24.5))
    moved = Placement(grid, (64, 64), (1.5, 1.5), (30.5, 20.5))
    first, second = Segmenter(plan(grid), Threshold(), CPU).predict([([frame], near), ([frame], moved)])
    assert_array_equal(first, second)
    assert_array_equal(first, (frame > 0).astype(np.uint8))


def test_label_maps_are_cleaned() -> None:
    frame = np.zeros((32, 32), np.uint16)
    frame[8:20, 8:20] = 700
    frame[25:27, 25:27] = 700
    place = Placement(Grid(1.5, 32, 32), (32, 32), (1.5, 1.5), (15.5, 15.5))
    (labels,) = Segmenter(plan(place.grid), Threshold(), CPU).predict([([frame], place)])
    assert labels[8:20, 8:20].all()
    assert not labels[24:, 24:].any()


def test_probabilities_of_the_labels_add_up_to_one() -> None:
    torch.manual_seed(0)
    images = np.random.default_rng(0).normal(size=(3, 1, 16, 32)).astype(np.float32)
    made = Segmenter(plan(Grid(1.5, 16, 32)), UNet2d(widths=(4, 8)), CPU).probabilities(images)
    assert made.shape == (3, 4, 16, 32)
    assert made.dtype == np.float32
    assert_allclose(made.sum(axis=1), 1.0, atol=1e-5)


def write(folder: Path, what: Plan, network: nn.Module) -> Path:
    folder.mkdir()
    what.write(folder)
    save_weights(network, folder / WEIGHTS_FILE)
    return folder


def test_a_model_folder_is_read_with_the_network_of_its_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.SEGMENTERS, "threshold", Threshold)  # type: ignore[arg-type]
    folder = write(tmp_path / "m", plan(Grid(1.5, 32, 32)), Threshold(0.25))
    segmenter = load_segmenter(folder, CPU)
    assert segmenter.plan == plan(Grid(1.5, 32, 32))
    (made,) = segmenter.probabilities(np.array([[[[0.24, 0.26]]]], np.float32))
    assert made[1, 0, 0] < made[0, 0, 0]
    assert made[1, 0, 1] > made[0, 0, 1]


def test_a_classifier_is_no_segmentation_model(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", plan(Grid(1.5, 32, 32), Role.CLASSIFIER, "densenet121"), nn.Linear(1, 1))
    with pytest.raises(ModelError, match="not a segmentation model but region classifier"):
        load_segmenter(folder, CPU)


def test_a_network_that_is_not_known_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", plan(Grid(1.5, 32, 32), architecture="mystery"), nn.Linear(1, 1))
    with pytest.raises(ModelError, match="mystery"):
        load_segmenter(folder, CPU)


def test_a_grid_that_the_network_cannot_halve_is_refused_when_it_is_read(tmp_path: Path) -> None:
    what = Plan("model-1", Role.BASELINE, "unet2d", {"widths": [4, 8, 8]}, 1.5, 34, 32)
    folder = write(tmp_path / "m", what, UNet2d(widths=(4, 8, 8)))
    with pytest.raises(ModelError, match="multiple of 4"):
        load_segmenter(folder, CPU)


def test_probabilities_of_a_frame_lie_on_its_own_pixels_and_are_background_where_the_grid_does_not_reach() -> None:
    pixels = np.zeros((1, 1, 48, 60), np.uint16)
    pixels[0, 0, 10:20, 12:24] = 700
    geometry = Geometry(48, 60, (1.5, 1.5), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((0.0, 0.0, 0.0),), 8.0)
    made = Segmenter(plan(Grid(1.5, 32, 32)), Threshold(), CPU).frame_probabilities(
        Stack(pixels, geometry), FrameIndex(0, 0), (15.5, 15.5)
    )
    assert made.shape == (4, 48, 60)
    assert made.dtype == np.float16
    assert_allclose(made.astype(np.float64).sum(axis=0), 1.0, atol=2e-3)
    assert_array_equal(made.argmax(axis=0), (pixels[0, 0] > 0).astype(np.uint8))
    assert (made[0, 34:] == 1.0).all() and (made[0, :, 34:] == 1.0).all()


def drawn(text: str) -> NDArray[np.uint8]:
    """A label map as it is drawn; a dot is background."""
    return np.array([[0 if c == "." else int(c) for c in line] for line in text.split()], np.uint8)


def test_the_largest_component_stays() -> None:
    mask = drawn("11..1 11..1 ....1 1....") == 1
    assert_array_equal(largest_component(mask), drawn("11... 11... ..... .....") == 1)


def test_of_equals_the_first_stays() -> None:
    assert_array_equal(largest_component(drawn("11.11") == 1), drawn("11...") == 1)


def test_corners_connect() -> None:
    mask = drawn("1... .1.. ..1. 1...") == 1
    assert_array_equal(largest_component(mask), drawn("1... .1.. ..1. ....") == 1)


def test_one_component_or_none_is_left_as_it_is() -> None:
    for text in ("....", ".11."):
        mask = drawn(text) == 1
        assert_array_equal(largest_component(mask), mask)


def test_islands_of_the_left_ventricle_go() -> None:
    assert_array_equal(
        clean(drawn(".222..2 .212..1 .222... ....... 1......")),
        drawn(".222... .212... .222... ....... ......."),
    )


def test_blood_pool_and_myocardium_count_together() -> None:
    # the blood pool lies in two parts that the myocardium joins
    labels = drawn("22222 21212 22222")
    assert_array_equal(clean(labels), labels)


def test_islands_of_the_right_ventricle_go_while_the_left_stays() -> None:
    assert_array_equal(clean(drawn("33.222 33.212 ...222 3.....")), drawn("33.222 33.212 ...222 ......"))


def test_holes_inside_the_epicardium_become_blood_pool() -> None:
    assert_array_equal(clean(drawn("22222 2...2 2.1.2 2...2 22222")), drawn("22222 21112 21112 21112 22222"))


def test_an_island_that_goes_leaves_a_hole_that_is_filled() -> None:
    # the small blood pool inside the ring touches it nowhere and is smaller than the ring
    assert_array_equal(
        clean(drawn("22222 2...2 2.1.2 2...2 22222"))[1:4, 1:4],
        np.ones((3, 3)),
    )


def test_an_open_ring_is_not_filled() -> None:
    labels = drawn("22222 2...2 2...2 22.22")
    assert_array_equal(clean(labels), labels)


def test_right_blood_pool_inside_the_left_is_not_taken_over() -> None:
    labels = drawn("22222 23..2 22222")
    assert_array_equal(clean(labels), drawn("22222 23112 22222"))


def test_an_empty_label_map_stays_empty() -> None:
    assert not clean(np.zeros((4, 5), np.uint8)).any()


@settings(deadline=None, max_examples=60)
@given(labels=arrays(np.uint8, (9, 8), elements=st.integers(0, 3)))
def test_cleaning_twice_changes_nothing_more_and_the_input_stays(labels: NDArray[np.uint8]) -> None:
    before = labels.copy()
    once = clean(labels)
    assert_array_equal(labels, before)
    assert_array_equal(clean(once), once)
    assert once.dtype == np.uint8


def thresholding(above: float, spacing_mm: float = 1.5) -> Segmenter:
    plan = Plan("model-1", Role.BASELINE, "threshold", {}, spacing_mm, 64, 64)
    return Segmenter(plan, Threshold(above, Label.LVBP), torch.device("cpu"))


def with_pixels(stack: Stack, pixels: np.ndarray) -> Stack:
    return Stack(pixels, stack.geometry)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("spacing", [(1.8, 1.8), (1.4, 2.0)])
def test_the_heart_of_the_phantom_is_found_within_the_blood_pool(seed: int, spacing: tuple[float, float]) -> None:
    phantom = sax_cine(phases=2, rows=110, cols=90, pixel_spacing_mm=spacing, seed=seed)
    # only the LV blood is bright, so that the threshold is a perfect baseline for it
    pixels = np.where(phantom.labels == Label.LVBP, 700, 100).astype(np.int16)
    row, col = heart_centre(with_pixels(phantom.stack, pixels), thresholding(1.0))
    # of nine slices those at 0.2, 0.35, 0.5 and 0.65 of the way from base to apex
    at = np.argwhere(pixels[0, 2:6] > 400)[:, 1:].mean(axis=0)
    assert abs(row - at[0]) * spacing[0] < 1.0
    assert abs(col - at[1]) * spacing[1] < 1.0


def test_a_heart_far_from_the_middle_of_the_frame_is_found() -> None:
    pixels = np.zeros((1, 5, 200, 180), np.uint16)
    pixels[:, :, 20:50, 130:160] = 900
    phantom = sax_cine(phases=1, slices=5, rows=200, cols=180)
    row, col = heart_centre(with_pixels(phantom.stack, pixels), thresholding(1.0))
    assert (row, col) == pytest.approx((34.5, 144.5), abs=0.5)


class MisledByTheWholeView(Segmenter):
    """A baseline that is off by 12 pixels where it sees more than its own grid."""

    def predict(self, frames: Sequence[tuple[Slices, Placement]]) -> list[LabelMap]:
        found = super().predict(frames)
        return [
            labels if place.grid == self.plan.grid else np.roll(labels, (12, -12), axis=(0, 1))
            for labels, (_, place) in zip(found, frames, strict=True)
        ]


def test_what_the_whole_view_misplaces_is_put_right_on_the_models_own_grid() -> None:
    pixels = np.zeros((1, 5, 120, 120), np.uint16)
    pixels[:, :, 40:70, 60:90] = 900
    phantom = sax_cine(phases=1, slices=5, rows=120, cols=120)
    right = thresholding(1.0)
    misled = MisledByTheWholeView(right.plan, Threshold(1.0, Label.LVBP), torch.device("cpu"))
    assert heart_centre(with_pixels(phantom.stack, pixels), misled) == pytest.approx((54.5, 74.5), abs=0.5)


def test_where_nothing_is_found_the_middle_of_the_frame_is_taken() -> None:
    stack = sax_cine(phases=1, slices=4).stack
    assert heart_centre(stack, thresholding(1000.0)) == frame_centre(96, 88)


def test_what_is_too_small_for_a_heart_is_passed_over() -> None:
    pixels = np.zeros((1, 4, 96, 88), np.uint16)
    pixels[:, :, 5:9, 5:9] = 900  # 16 pixels of 3.24 mm2
    stack = with_pixels(sax_cine(phases=1, slices=4).stack, pixels)
    assert heart_centre(stack, thresholding(1.0)) == frame_centre(96, 88)


def test_one_slice_is_enough() -> None:
    pixels = np.zeros((1, 1, 96, 88), np.uint16)
    pixels[..., 30:50, 40:60] = 900
    phantom = sax_cine(phases=1, slices=3, above=1, below=1)
    g = phantom.stack.geometry
    one = type(g)(g.rows, g.cols, g.pixel_spacing_mm, g.row_direction, g.col_direction, g.positions_mm[:1], 8.0)
    assert heart_centre(Stack(pixels, one), thresholding(1.0)) == pytest.approx((39.5, 49.5), abs=0.5)


def test_the_grid_to_look_on_has_the_models_own_spacing_and_covers_the_field_of_view() -> None:
    assert wide_grid(1.5) == Grid(1.5, 256, 256)
    assert wide_grid(4.0) == Grid(4.0, 96, 96)
    assert wide_grid(1.25) == Grid(1.25, 320, 320)
